import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
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
from primatrix.results import RESERVED, Results, complete_facts

PROJECT = {
    "title": "Tests of the forest",
    "samplingDesign": "opportunistic",
    "captureMethod": ["activityDetection"],
    "individualAnimals": False,
    "contributors": [{"title": "A. Ranger", "role": "contact"}],
}
CUT = "the last 3 of 10 s | 50 % are missing"
NAMES = {
    "csv": "o.csv",
    "long-csv": "o.csv",
    "megadetector": "o.json",
    "speciesnet": "o.json",
    "camtrap-dp": "package",
}


def make_results(
    clips: list[tuple[str, str, dict[str, float]]],
    stretches: list[tuple[str, str, float, float, float, float]],
    *,
    species: list[str],
    began: str = "2026-03-01T06:30:00+01:00",
    site: str = "north",
) -> Results:
    """Results of clips (name, status, probabilities) and stretches (rows of sightings); 10 s each, 25 frames/s."""
    names = [name for name, _, _ in clips]
    failed = [name for name, status, _ in clips if status == "failed"]
    chances = pd.DataFrame([chance for _, _, chance in clips], columns=species)
    states = pd.DataFrame({"filepath": names, "status": [status for _, status, _ in clips]})
    read = np.array([status != "failed" for _, status, _ in clips])
    return Results(
        pd.concat([states, chances], axis=1),
        pd.DataFrame([(name, "open", "moov | atom: not 50 %, at all") for name in failed],
                     columns=["filename", "stage", "reason"]),
        pd.DataFrame({
            "filepath": names, "duration_seconds": np.where(read, 10.0, np.nan),
            "frame_rate": np.where(read, 25, np.nan),
            "frame_count": pd.array(np.where(read, 250, None), dtype="Int64"), "width_px": 64, "height_px": 48,
            "codec": "h264", "recorded_at": began, "time_source": "name", "time_warning": "", "site": site,
            "deployment": "", "event": "e1", "note": [CUT if state == "partial" else "" for _, state, _ in clips]}),
        pd.DataFrame(stretches, columns=["filepath", "species", "start_seconds", "end_seconds", "best_seconds",
                                         "probability"]),
        None,
        complete_facts({"species": species, "model": "lrcn", "thresholds": {"hog": 0.4}}),
    )  # fmt: skip


def make_small() -> Results:
    """One clip of each kind: two species, a species for the whole clip, blank, unknown, failed, and a still."""
    species = ["blank", "duiker", "hog", "human", "okapi"]
    chances = [
        ("a/two species.MP4", "ok", [0.01, 0.9, 0.45, 0.02, 0.0]),
        ("a/whole.avi", "partial", [0.1, 0.1, 0.1, 0.8, 0.7]),
        ("b/blank.mp4", "ok", [0.97, 0.01, 0.01, 0.02, 0.0]),
        ("b/unknown.mp4", "ok", [0.3, 0.3, 0.3, 0.1, 0.1]),
        ("~b/../odd, é.mp4", "failed", [np.nan] * 5),
        ("c/still.jpg", "ok", [0.0, 0.6, 0.0, 0.0, 0.0]),
    ]
    stretches = [
        ("a/two species.MP4", "duiker", 0.0, 4.2, 1.0, 0.93),
        ("a/two species.MP4", "hog", 3.04, 5.0, 4.0, 0.61),
        ("a/two species.MP4", "duiker", 8.0, 9.96, 9.96, 0.55),
        ("c/still.jpg", "duiker", 0.0, 0.0, 0.0, 0.6),
    ]
    rows = [(name, status, dict(zip(species, values, strict=True))) for name, status, values in chances]
    return make_results(rows, stretches, species=species)


def make_options(
    folder: Path, *, deployments: str = "site,latitude,longitude\nnorth,5.5,-3.25\n"
) -> ExportOptions:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "deployments.csv").write_text(deployments)
    (folder / "project.json").write_text(json.dumps(PROJECT))
    return ExportOptions(
        deployments=folder / "deployments.csv", project=folder / "project.json", timezone="UTC"
    )


text = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=6)
chance = st.floats(0, 1, width=32)
second = st.floats(0, 10, width=32).map(float)


@st.composite
def results_of_any_kind(draw: st.DrawFn) -> Results:
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
            stretches.append((name, one, start, end, best, draw(chance)))
    return make_results(clips, stretches, species=species or ["blank"])


def list_expected(results: Results) -> tuple[list[tuple[str, str]], list[tuple[object, ...]]]:
    findings = find_all(results)
    labels = [(f.filepath, label) for f in findings for label in list_labels(f) or [""]]
    stretches = [
        (f.filepath, s.species, s.start_seconds, s.end_seconds, s.best_seconds, np.float32(s.probability))
        for f in findings for s in f.sightings
    ]  # fmt: skip
    return labels, stretches


@pytest.mark.parametrize("to", ["csv", "long-csv", "megadetector", "speciesnet", "camtrap-dp"])
@given(results=results_of_any_kind())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_round_trips_lose_nothing_the_format_can_hold(
    tmp_path_factory: pytest.TempPathFactory, to: str, results: Results
) -> None:
    folder = tmp_path_factory.mktemp("out")
    out = export_results(results, to, folder / NAMES[to], options=make_options(folder)).path
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
        assert list(reading.sightings.itertuples(index=False, name=None)) == stretches
    if to in ("csv", "megadetector", "speciesnet"):
        assert reading.probabilities is not None
        wanted = results.probabilities
        pd.testing.assert_frame_equal(
            reading.probabilities, wanted, check_exact=True, check_column_type=False
        )


@pytest.mark.parametrize("to", ["long-csv", "megadetector", "speciesnet", "camtrap-dp"])
def test_labels_are_read_from_every_format(tmp_path: Path, to: str) -> None:
    out = export_results(make_small(), to, tmp_path / NAMES[to], options=make_options(tmp_path)).path
    labels = read_labels(out)
    assert labels.species == ("blank", "duiker", "hog", "human", "okapi")
    seen = {clip: labels.table.columns[row == 1].tolist() for clip, row in labels.table.iterrows()}
    assert seen == {
        "a/two species.MP4": ["duiker", "hog"],
        "a/whole.avi": ["human", "okapi"],
        "b/blank.mp4": ["blank"],
        "c/still.jpg": ["duiker"],
    }
    assert sorted(labels.unlabelled) == ["b/unknown.mp4", "~b/../odd, é.mp4"]


def test_megadetector_has_a_frame_for_every_stretch(tmp_path: Path) -> None:
    looks = pd.DataFrame({"filepath": "a/two species.MP4", "pts_seconds": [0.0, 1.0, 4.0, 9.96]})
    looks = looks.assign(**dict.fromkeys(["blank", "duiker", "hog", "human", "okapi"], 0.5))
    results = replace(make_small(), frames=looks)
    found = json.loads(export_results(results, "megadetector", tmp_path / "md.json").path.read_text())
    assert found["info"]["format_version"] == "1.6"
    assert found["detection_categories"] == {"1": "animal", "2": "person", "3": "vehicle"}
    first, whole, blank, _, failed, still = found["images"]
    assert (first["frame_rate"], first["frames_processed"]) == (25, [0, 25, 100, 249])
    assert [
        (d["category"], d["conf"], d["bbox"], d["frame_number"], d["classifications"])
        for d in first["detections"]
    ] == [
        ("1", 0.93, [0, 0, 1, 1], 25, [["1", 0.93]]),
        ("1", 0.61, [0, 0, 1, 1], 100, [["2", 0.61]]),
        ("1", 0.55, [0, 0, 1, 1], 249, [["1", 0.55]]),
    ]
    assert [(d["category"], d["frame_number"]) for d in whole["detections"]] == [("2", 125), ("1", 125)]
    assert (blank["detections"], blank["frames_processed"]) == ([], [])
    assert (failed["failure"], failed["detections"]) == ("open: moov | atom: not 50 %, at all", None)
    assert "frame_rate" not in still
    assert "frame_number" not in still["detections"][0]
    assert found["classification_category_descriptions"]["3"].endswith(
        ";mammalia;primates;hominidae;homo;sapiens;human"
    )


def test_megadetector_files_of_others_give_labels(tmp_path: Path) -> None:
    box = {"bbox": [0.1, 0.1, 0.2, 0.2]}
    found = {
        "info": {"format_version": "1.5"},
        "detection_categories": {"1": "animal", "2": "person"},
        "classification_categories": {"7": "fox"},
        "images": [
            {"file": "a.mp4", "frame_rate": 20, "frames_processed": [0, 20], "detections": [
                {"category": "1", "conf": 0.9, **box, "frame_number": 20, "classifications": [["7", 0.8]]},
                {"category": "2", "conf": 0.1, **box, "frame_number": 0}]},
            {"file": "b.jpg", "detections": [{"category": "2", "conf": 0.5, **box}]},
            {"file": "c\\c.jpg", "detections": []},
            {"file": "d.jpg", "failure": "Failure image access", "detections": None},
        ],
    }  # fmt: skip
    path = tmp_path / "md.json"
    path.write_text(json.dumps(found))
    assert check_export(path) == []
    reading = read_export(path)
    assert reading.rows.to_numpy().tolist() == [
        ["a.mp4", "fox"], ["b.jpg", "person"], ["c/c.jpg", "blank"], ["d.jpg", ""]]  # fmt: skip
    assert reading.sightings.iloc[0].tolist() == ["a.mp4", "fox", 1, 1, 1, np.float32(0.9)]
    assert reading.failures.to_numpy().tolist() == [["d.jpg", "", "Failure image access"]]


def test_speciesnet_files_of_both_versions_give_labels(tmp_path: Path) -> None:
    hog = "x;mammalia;artiodactyla;suidae;;;hog"
    answer = {"classes": [hog, ";aves;;;;;bird"], "scores": [0.8, 0.1]}
    four = {"predictions": [
        {"filepath": "a.jpg", "classifications": answer, "prediction": hog, "prediction_score": 0.8,
         "prediction_source": "classifier", "model_version": "4.0.1a"},
        {"filepath": "b.jpg", "failures": ["DETECTOR"], "model_version": "4.0.1a"}]}  # fmt: skip
    found = {"category": "1", "label": "animal", "conf": 0.9, "bbox": [0, 0, 0.5, 0.5], "raw_classifications": answer,
             "processed_classification": {"class": hog, "score": 0.8, "source": "classifier"}}  # fmt: skip
    five = {"info": {"format_version": "20261015"}, "predictions": [
        {"filepath": "a.jpg", "detections": [found, {**found, "conf": 0.05}], "model_version": "5"},
        {"filepath": "c.jpg", "detections": [], "model_version": "5"}]}  # fmt: skip
    for name, wanted, other in (("four", four, ["b.jpg", ""]), ("five", five, ["c.jpg", "blank"])):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(wanted))
        assert check_export(path) == []
        reading = read_export(path)
        assert reading.rows.to_numpy().tolist() == [["a.jpg", "hog"], other]
        assert reading.probabilities is not None
        assert reading.probabilities.loc["a.jpg"].tolist() == [np.float32(0.8), np.float32(0.1)]


def test_speciesnet_gives_one_answer_where_both_versions_look(tmp_path: Path) -> None:
    out = export_results(make_small(), "speciesnet", tmp_path / "sn.json").path
    first, whole, blank, unknown, failed, _ = json.loads(out.read_text())["predictions"]
    assert first["prediction"] == ";mammalia;artiodactyla;bovidae;;;duiker"
    assert first["prediction_score"] == 0.93
    assert first["classifications"]["scores"] == [0.9, 0.45, 0.02, 0.01, 0.0]
    assert first["detections"][0]["raw_classifications"] == first["classifications"]
    assert whole["detections"][0]["processed_classification"]["class"].endswith(";homo;sapiens;human")
    assert blank["prediction"] == "f1856211-cfb7-4a5b-9158-c0f72fd09ee6;;;;;;blank"
    assert unknown["prediction"].endswith("no cv result")
    assert failed.pop("model_version").startswith("primatrix ")
    assert failed == {"filepath": "~b/../odd, é.mp4", "failures": ["CLASSIFIER"],
                      "failure_reason": "open: moov | atom: not 50 %, at all"}  # fmt: skip


def test_species_without_a_taxon_are_named(tmp_path: Path) -> None:
    run = export_results(make_small(), "megadetector", tmp_path / "md.json")
    assert run.unknown_species == ("okapi",)
    assert "no scientific name for okapi; give one with --taxonomy FILE" in run.summary()
    (tmp_path / "names.csv").write_text("species,scientific_name\nokapi,Okapia johnstoni\n")
    options = ExportOptions(taxonomy=read_taxonomy(tmp_path / "names.csv"))
    assert (
        export_results(make_small(), "speciesnet", tmp_path / "s.json", options=options).unknown_species == ()
    )


def test_all_species_of_the_benchmark_go_out_and_come_back(tmp_path: Path) -> None:
    species = list(BENCHMARK_SPECIES)
    clips = [(f"{name}.mp4", "ok", {other: float(other == name) for other in species}) for name in species]
    results = make_results(clips, [], species=species)
    for to in ("long-csv", "megadetector", "speciesnet", "camtrap-dp"):
        out = export_results(results, to, tmp_path / to / NAMES[to], options=make_options(tmp_path)).path
        assert check_export(out, outside=False) == []
        rows = read_export(out).rows
        assert (rows["filepath"] == rows["label"] + ".mp4").all()
        assert len(rows) == 24


def spoil(change: Callable[[dict], None], to: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = export_results(make_small(), to, folder / "o.json").path
        found = json.loads(path.read_text())
        change(found)
        path.write_text(json.dumps(found))
        return path

    return write


@pytest.mark.parametrize(
    ("to", "change", "message"),
    [
        ("megadetector", lambda d: d["info"].update(format_version=1.6), "info.format_version: got 1.6"),
        ("megadetector", lambda d: d["images"][0].pop("frame_rate"), "MP4: frame_rate: got None"),
        ("megadetector", lambda d: d["images"][0]["detections"][0].pop("frame_number"), "frame_number: got None"),
        ("megadetector", lambda d: d["images"][0]["detections"][0].update(bbox=[0, 0, 2, 1]), "bbox: got [0, 0, 2, 1]"),
        ("megadetector", lambda d: d["images"][0]["detections"][0].update(conf=1), "conf: got 1, wanted 0.0 to 1.0"),
        ("megadetector", lambda d: d["images"][0]["detections"][0].update(category="9"), "category: got '9'"),
        ("megadetector", lambda d: d["images"][0]["detections"][0].update(classifications=[["0", 0.1], ["1", 0.2]]),
         "classifications: not in falling order"),
        ("megadetector", lambda d: d["images"][4].update(detections=[]), "failure with detections"),
        ("megadetector", lambda d: d["images"].append(d["images"][0]), "stands there twice"),
        ("megadetector", lambda d: d["classification_categories"].update(x="fox"), "got 'x': 'fox'"),
        ("speciesnet", lambda d: d["predictions"][0]["classifications"]["scores"].reverse(), "not in falling order"),
        ("speciesnet", lambda d: d["predictions"][0].update(prediction="Hog"), "label 'Hog'; wanted id;class;order"),
        ("speciesnet", lambda d: d["predictions"][0].update(failures="CLASSIFIER"), "failures: got 'CLASSIFIER'"),
        ("speciesnet", lambda d: d["predictions"][0].pop("model_version"), "model_version: got None"),
    ],
)  # fmt: skip
def test_the_check_finds_what_is_wrong(tmp_path: Path, to: str, change: Callable, message: str) -> None:
    problems = check_export(spoil(change, to)(tmp_path))
    assert any(message in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "filepath,label,start_seconds,end_seconds,best_seconds,probability\na.mp4,hog,5,2,3,0.5\n",
            "hog from 5.0 to 2.0 s",
        ),
        ("filepath,label,start_seconds\na.mp4,hog,5\n", "no column `end_seconds` beside `start_seconds`"),
        ("filepath,label\na.mp4,hog\na.mp4,blank\n", "a.mp4: `blank` together with a species"),
        ("filepath,hog\na.mp4,1.5\n", "1.5 for a.mp4, column hog, is not a probability"),
        ("filepath,hog\na.mp4,0.5\na.mp4,0.5\n", "a.mp4 stands there twice"),
        ("name,hog\na.mp4,0.5\n", "wanted `filename` (or `filepath`)"),
        ("filepath,labels\na.mp4,[hog\n", "is not a JSON list"),
    ],
)
def test_the_check_finds_what_is_wrong_in_tables(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(content)
    problems = check_export(tmp_path / "t.csv")
    assert any(message in problem for problem in problems), problems


def test_what_of_a_partial_clip_could_not_be_read_goes_out_with_it(tmp_path: Path) -> None:
    out = export_results(make_small(), "long-csv", tmp_path / "o.csv").path
    rows = pd.read_csv(out, dtype=str, keep_default_na=False)
    partial = rows[rows["filepath"] == "a/whole.avi"]
    assert partial[["status", "stage", "reason"]].drop_duplicates().to_numpy().tolist() == [
        ["partial", "", CUT]
    ]
    package = export_results(make_small(), "camtrap-dp", tmp_path / "p", options=make_options(tmp_path)).path
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


def test_what_is_no_known_format_gets_one_line(tmp_path: Path) -> None:
    (tmp_path / "o.json").write_text('{"pictures": []}')
    with pytest.raises(InputError, match=r"JSON with pictures; wanted `images` \(MegaDetector\)"):
        find_format(tmp_path / "o.json")
    with pytest.raises(InputError, match="a folder without datapackage"):
        find_format(tmp_path)
    (tmp_path / "m.json").write_text('{"images": [{}], "info": {}, "detection_categories": {}}')
    with pytest.raises(InputError, match="not built as megadetector is"):
        read_export(tmp_path / "m.json")
    with pytest.raises(InputError, match="--to: got 'xml', wanted one of csv, long-csv"):
        export_results(make_small(), "xml", tmp_path / "o.xml")  # type: ignore[arg-type]
