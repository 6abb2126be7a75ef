import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from primatrix.errors import InputError
from primatrix.interchange.findings import find_all, list_labels
from primatrix.interchange.formats import (
    ExportOptions,
    check_export,
    export_results,
    find_format,
    read_export,
)
from primatrix.interchange.labels import read_labels
from primatrix.interchange.taxonomy import read_taxonomy
from primatrix.labels import BENCHMARK_SPECIES
from primatrix.results import RESERVED, Results

Give = Callable[..., ExportOptions]
Make = Callable[..., Results]
Drawn = tuple[list[tuple[str, str, dict[str, float]]], list[tuple[object, ...]], list[str]]
CUT = "the last 3 of 10 s | 50 % are missing"
NAMES = {
    "csv": "o.csv",
    "long-csv": "o.csv",
    "megadetector": "o.json",
    "speciesnet": "o.json",
    "camtrap-dp": "package",
}


text = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=6)
chance = st.floats(0, 1, width=32)
second = st.floats(0, 10, width=32).map(float)


@st.composite
def box(draw: st.DrawFn) -> tuple[float | None, ...]:
    """Left, top, width and height in ten-thousandths of the picture, less than all of it, or nothing."""
    if draw(st.booleans()):
        return (None,) * 4
    left, top = draw(st.integers(0, 9_000)), draw(st.integers(1, 9_000))
    return tuple(
        n / 10_000
        for n in (left, top, draw(st.integers(1, 10_000 - left)), draw(st.integers(1, 10_000 - top)))
    )


@st.composite
def results_of_any_kind(draw: st.DrawFn) -> Drawn:
    """Clips, stretches and species to make results of."""
    own = text.filter(lambda name: name == name.strip() and name not in RESERVED)
    species = draw(
        st.lists(own, min_size=1, max_size=3, unique_by=lambda name: name.replace(";", ",").lower())
    )
    species = [name for name in species if name.lower() != "blank"] + draw(st.sampled_from([[], ["blank"]]))
    names = draw(st.lists(text.map(lambda name: name + ".mp4"), min_size=1, max_size=4, unique=True))
    clips, stretches = [], []
    for name in names:
        status = draw(st.sampled_from(["ok", "partial", "failed"]))
        values = {one: np.nan if status == "failed" else draw(chance) for one in species}
        clips.append((name, status, values))
        animals = [one for one in species if one != "blank"]
        for one in (
            draw(st.lists(st.sampled_from(animals), max_size=3)) if animals and status != "failed" else []
        ):
            start, best, end = sorted(draw(st.tuples(second, second, second)))
            stretches.append((name, one, start, end, best, draw(chance), *draw(box())))
    return clips, stretches, species or ["blank"]


def list_expected(results: Results) -> tuple[list[tuple[str, str]], list[tuple[object, ...]]]:
    findings = find_all(results)
    labels = [(f.filepath, label) for f in findings for label in list_labels(f) or [""]]
    stretches = [
        (f.filepath, s.species, s.start_seconds, s.end_seconds, s.best_seconds, np.float32(s.probability),
         *(s.box or (None,) * 4))
        for f in findings for s in f.sightings
    ]  # fmt: skip
    return labels, stretches


@pytest.mark.parametrize("to", ["csv", "long-csv", "megadetector", "speciesnet", "camtrap-dp"])
@given(drawn=results_of_any_kind())
@example(drawn=([("0.mp4", "ok", {"0": 0.0})], [("0.mp4", "0", 0.0, 0.0, 0.0, 0.0)], ["0"]))
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
def test_round_trips_lose_nothing_the_format_can_hold(
    tmp_path_factory: pytest.TempPathFactory, to: str, drawn: Drawn, give: Give, make_results: Make
) -> None:
    results = make_results(*drawn[:2], species=drawn[2])
    folder = tmp_path_factory.mktemp("out")
    out = export_results(results, to, folder / NAMES[to], options=give(folder)).path
    assert check_export(out, outside=False) == []
    reading = read_export(out)
    labels, stretches = list_expected(results)
    if to != "csv":
        assert sorted(reading.rows[["filepath", "label"]].itertuples(index=False, name=None)) == sorted(
            labels
        )
        assert reading.failures["filename"].tolist() == results.failures["filename"].tolist()
        assert reading.failures["reason"].tolist() == results.failures["reason"].tolist()
    if to in ("long-csv", "megadetector", "camtrap-dp"):
        found = reading.sightings.replace({np.nan: None}).itertuples(index=False, name=None)
        assert list(found) == stretches
    if to in ("csv", "megadetector", "speciesnet"):
        assert reading.probabilities is not None
        wanted = results.probabilities
        pd.testing.assert_frame_equal(
            reading.probabilities, wanted, check_exact=True, check_column_type=False
        )


@pytest.mark.parametrize("to", ["long-csv", "megadetector", "speciesnet", "camtrap-dp"])
def test_labels_are_read_from_every_format(tmp_path: Path, to: str, give: Give, small: Results) -> None:
    out = export_results(small, to, tmp_path / NAMES[to], options=give(tmp_path)).path
    labels = read_labels(out)
    assert labels.species == ("blank", "duiker", "hog", "human", "okapi")
    seen = {clip: labels.table.columns[row == 1].tolist() for clip, row in labels.table.iterrows()}
    assert seen == {
        "a/two species.MP4": ["duiker", "hog"],
        "a/whole.avi": ["human", "okapi"],
        "b/blank.mp4": ["blank"],
        "c/still.jpg": ["duiker"],
    }
    rows = read_export(out).rows
    assert sorted(rows.loc[rows["label"] == "", "filepath"]) == ["b/unknown.mp4", "~b/../odd, é.mp4"]


def test_species_without_a_taxon_are_named(tmp_path: Path, small: Results) -> None:
    run = export_results(small, "megadetector", tmp_path / "md.json")
    assert run.unknown_species == ("okapi",)
    assert "no scientific name for okapi; give one with --taxonomy FILE" in run.summary()
    (tmp_path / "names.csv").write_text("species,scientific_name\nokapi,Okapia johnstoni\n")
    options = ExportOptions(taxonomy=read_taxonomy(tmp_path / "names.csv"))
    assert export_results(small, "speciesnet", tmp_path / "s.json", options=options).unknown_species == ()


def test_all_species_of_the_benchmark_go_out_and_come_back(
    tmp_path: Path, give: Give, make_results: Make
) -> None:
    species = list(BENCHMARK_SPECIES)
    clips = [(f"{name}.mp4", "ok", {other: float(other == name) for other in species}) for name in species]
    skip = {
        "task": "skip",
        "score": "blank",
        "threshold": 0.9,
        "max_loss": 0.05,
        "confidence": 0.9,
        "unit": "clips",
    }
    results = make_results(clips, [], species=species, operating_points={"skip blank": skip})
    for to in ("long-csv", "megadetector", "speciesnet", "camtrap-dp"):
        out = export_results(results, to, tmp_path / to / NAMES[to], options=give(tmp_path)).path
        assert check_export(out, outside=False) == []
        rows = read_export(out).rows
        assert (rows["filepath"] == rows["label"] + ".mp4").all()
        assert len(rows) == 24


def test_what_of_a_partial_clip_could_not_be_read_goes_out_with_it(
    tmp_path: Path, give: Give, small: Results
) -> None:
    out = export_results(small, "long-csv", tmp_path / "o.csv").path
    rows = pd.read_csv(out, dtype=str, keep_default_na=False)
    partial = rows[rows["filepath"] == "a/whole.avi"]
    assert partial[["status", "stage", "reason"]].drop_duplicates().to_numpy().tolist() == [
        ["partial", "", CUT]
    ]
    package = export_results(small, "camtrap-dp", tmp_path / "p", options=give(tmp_path)).path
    media = pd.read_csv(package / "media.csv", dtype=str, keep_default_na=False).set_index("filePath")
    assert (
        media.loc["a/whole.avi", "mediaComments"] == "read in part: the last 3 of 10 s %7C 50 % are missing"
    )


@pytest.mark.parametrize(
    "content",
    [
        {"images": [{"file": "a.mp4", "detections": [1]}], "info": {}, "detection_categories": {}},
        {"predictions": [{"filepath": "a.mp4", "classifications": {"classes": ["x"], "scores": []}}]},
        {"predictions": [], "info": []},
        {"resources": []},
    ],
)
def test_files_built_otherwise_get_one_line(tmp_path: Path, content: dict[str, object]) -> None:
    path = tmp_path / "datapackage.json"
    path.write_text(json.dumps(content))
    problems = check_export(path, outside=False)
    assert problems
    assert not any("\n" in problem for problem in problems)
    with pytest.raises(InputError, match="not built as") as caught:
        read_export(path)
    assert "\n" not in str(caught.value)


def test_what_is_no_known_format_gets_one_line(tmp_path: Path, small: Results) -> None:
    (tmp_path / "o.json").write_text('{"pictures": []}')
    with pytest.raises(InputError, match=r"JSON with pictures; wanted `images` \(MegaDetector\)"):
        find_format(tmp_path / "o.json")
    with pytest.raises(InputError, match="a folder without datapackage"):
        find_format(tmp_path)
    (tmp_path / "m.json").write_text('{"images": [{}], "info": {}, "detection_categories": {}}')
    with pytest.raises(InputError, match="not built as megadetector is"):
        read_export(tmp_path / "m.json")
    with pytest.raises(InputError, match="--to: got 'xml', wanted one of csv, long-csv"):
        export_results(small, "xml", tmp_path / "o.xml")
