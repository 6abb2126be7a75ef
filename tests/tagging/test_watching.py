"""A card without a model: what moves, when and where, which clips look alike. tests/cli/test_resume.py kills it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from primatrix.errors import InputError
from primatrix.footage import TimeSpec
from primatrix.models import Features, build_model, load_encoder
from primatrix.records import ClipSpec
from primatrix.results import Results
from primatrix.tagging import watcher
from primatrix.tagging.folder import predict_folder
from primatrix.tagging.spec import TagSpec
from primatrix.tagging.watching import watch_folder

MakePatch = Callable[..., Path]
TABLES = ("predictions.csv", "clips.csv", "sightings.csv", "movements.csv", "failures.csv")


@pytest.fixture
def card(make_patch: MakePatch, tmp_path: Path) -> Path:
    """Two sites with four foxes, three tits and two blank clips, and a broken, an empty and a shortened file."""
    folder = tmp_path / "card"
    for i in range(4):
        make_patch(folder / "north" / f"20230415_06{i:02}00_fox.mp4", species="fox", start=1 + i / 2, seed=1)
    for i in range(3):
        make_patch(folder / "sud é, x" / f"tit{i}.mp4", species="tit", start=0.5 + i / 2, seed=2)
    make_patch(folder / "sud é, x" / "blank0.mp4", species="blank", seed=3)
    make_patch(folder / "sud é, x" / "blank1.mp4", species="blank", seed=4)
    (folder / "sud é, x" / "broken.mp4").write_bytes(b"no video")
    (folder / "empty.AVI").touch()
    return folder


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of videos that are decoded, in order."""
    names: list[str] = []
    walk = watcher.walk_videos
    monkeypatch.setattr(
        watcher,
        "walk_videos",
        lambda videos, *a, **k: walk((names.append(v.name) or v for v in videos), *a, **k),
    )
    return names


def read_files(folder: Path) -> dict[str, bytes]:
    """All tables and sheets; run.json without its time of writing."""
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".answers" not in path.parts
    }
    lines = found.pop("run.json").splitlines()
    return {**found, "run": b"\n".join(line for line in lines if b'"created"' not in line)}


def test_every_clip_has_its_row_its_group_and_no_species(card: Path, tmp_path: Path) -> None:
    before = sorted(card.rglob("*"))
    spec = TagSpec(times=TimeSpec("Africa/Abidjan"), site_from="{site}/{file}")
    run = watch_folder(card, tmp_path / "out", spec=spec, workers=0)
    assert sorted(card.rglob("*")) == before  # nothing is written on the card
    found = Results.read(tmp_path / "out")
    assert (found.species, found.facts["model"], found.sightings.empty) == ((), "", True)
    assert found.predictions.columns.tolist() == ["filepath", "status"]
    assert found.facts["to_watch"].startswith("no model: watch all, 45 s in 9 videos")
    assert found.facts["settings"]["encoder"]["name"] == "efficientnet-lite0"
    assert found.failures["filename"].tolist() == ["empty.AVI", "sud é, x/broken.mp4"]
    clips = found.clips.set_index("filepath")
    names = clips.index.str.extract(r"(fox|tit|blank|empty|broken)", expand=False)
    groups = clips.groupby(names)["group"].unique().map(list).to_dict()
    assert groups == {"fox": ["1"], "tit": ["2"], "blank": ["nothing moves"], "empty": [""], "broken": [""]}
    assert clips["representative"].eq("yes").groupby(names).sum().to_dict() == {
        "fox": 1, "tit": 1, "blank": 0, "empty": 0, "broken": 0,
    }  # fmt: skip
    assert (clips["movement"] > 0).groupby(names).all().to_dict() == {
        "fox": True, "tit": True, "blank": False, "empty": False, "broken": False,
    }  # fmt: skip
    assert clips["event"].iloc[1:5].tolist() == ["north-1"] * 4
    sheets = sorted(path.name for path in (tmp_path / "out" / "groups").iterdir())
    assert sheets == ["01.jpg", "02.jpg", "nothing_moves.jpg"]
    with Image.open(tmp_path / "out" / "groups" / "01.jpg") as sheet:
        assert sheet.size == (980, 208)
    lines = run.summary().splitlines()
    assert lines[0].startswith("2 of 11 videos (18 %) could not be read")
    assert lines[2].startswith("something moves in 7 of 9 videos, plants in the wind among it")
    assert (
        lines[3] == f"what looks alike: 2 groups, of 4, 3 clips (pictures in {tmp_path / 'out' / 'groups'})"
    )
    assert lines[5].startswith("no species, since there is no model: label some clips from the groups")
    assert lines[6].strip() == f"primatrix train {card} --labels FILE"


def test_movements_say_when_and_where(make_patch: MakePatch, tmp_path: Path) -> None:
    make_patch(tmp_path / "card" / "fox.mp4", species="fox", start=4, seconds=10)
    found = watch_folder(tmp_path / "card", tmp_path / "out", workers=0).results
    assert found.movements is not None
    (row,) = found.movements.to_dict("records")
    assert row["filepath"] == "fox.mp4"
    assert 4.0 <= row["start_seconds"] <= row["best_seconds"] <= row["end_seconds"] <= 6.5
    centre = row["left"] + row["width"] / 2, row["top"] + row["height"] / 2
    np.testing.assert_allclose(centre, ((32 * (row["best_seconds"] - 4) + 12) / 128, 52 / 96), atol=0.08)
    (clip,) = found.clips.to_dict("records")
    assert (clip["first_seconds"], clip["last_seconds"]) == (row["start_seconds"], row["end_seconds"])
    assert 0 < row["novelty"] < clip["movement"]  # of several close-ups
    assert (clip["group"], clip["representative"]) == ("1", "yes")


def test_a_card_on_which_nothing_moves_says_so(make_patch: MakePatch, tmp_path: Path) -> None:
    for i in range(2):
        make_patch(tmp_path / "card" / f"{i}.mp4", species="blank", seed=i, seconds=1)
    run = watch_folder(tmp_path / "card", tmp_path / "out", workers=0)
    assert run.results.movements is not None
    assert run.results.movements.empty
    assert run.results.clips["group"].tolist() == ["nothing moves"] * 2
    assert "something moves in 0 of 2 videos; animals that stand still or fill the picture" in run.summary()
    assert "what looks alike" not in run.summary()
    assert Results.read(tmp_path / "out").clips["movement"].tolist() == [0.0, 0.0]


def test_a_card_of_broken_files_loses_none_of_them(tmp_path: Path) -> None:
    (tmp_path / "card").mkdir()
    for name in ("a.mp4", "b.avi"):
        (tmp_path / "card" / name).write_bytes(name.encode())
    run = watch_folder(tmp_path / "card", tmp_path / "out", workers=0)
    assert run.results.predictions["status"].tolist() == ["failed", "failed"]
    assert "something moves in 0 of 0 videos" in run.summary()
    assert Results.read(tmp_path / "out").clips["movement"].isna().all()


def test_stills_are_grouped_by_what_they_look_like_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "card").mkdir()
    rng = np.random.default_rng(0)
    for i, colour in enumerate([(220, 90, 20), (220, 90, 20), (220, 90, 20), (30, 80, 220)]):
        picture = np.clip(np.array(colour) + rng.normal(0, 4, (96, 128, 3)), 0, 255).astype(np.uint8)
        if i == 3:
            picture[::12] = 255
        Image.fromarray(picture).save(tmp_path / "card" / f"{i}.png")
    run = watch_folder(tmp_path / "card", tmp_path / "out", spec=TagSpec("stills"), workers=0)
    assert run.results.clips["group"].tolist() == ["1", "1", "1", "2"]
    assert run.results.clips["movement"].isna().all()
    assert "something moves in 0 of 0 videos" in run.summary()
    assert "4 single pictures cannot tell" in run.summary()


def test_the_same_call_again_looks_at_nothing_and_gives_the_same(
    card: Path, tmp_path: Path, looked_at: list[str]
) -> None:
    watch_folder(card, tmp_path / "out", workers=0)
    first = read_files(tmp_path / "out")
    assert len(looked_at) == 11
    looked_at.clear()
    run = watch_folder(card, tmp_path / "out", workers=0)
    assert (looked_at, read_files(tmp_path / "out")) == ([], first)
    assert "since the last run: 0 new, 0 changed, 11 known" in run.summary()


def test_a_run_that_was_stopped_goes_on_and_gives_the_same(
    card: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looked_at: list[str]
) -> None:
    watch_folder(card, tmp_path / "whole", workers=0)
    monkeypatch.setattr(watcher, "CHUNK_VIDEOS", 2)
    shown = watcher.draw_picture
    drawn: list[int] = []

    def stop(frame: np.ndarray) -> bytes:
        drawn.append(1)
        if len(drawn) == 6:
            raise KeyboardInterrupt
        return shown(frame)

    monkeypatch.setattr(watcher, "draw_picture", stop)
    with pytest.raises(KeyboardInterrupt):
        watch_folder(card, tmp_path / "out", workers=0)
    assert not (tmp_path / "out" / "run.json").exists()
    monkeypatch.setattr(watcher, "draw_picture", shown)
    looked_at.clear()
    watch_folder(card, tmp_path / "out", workers=0)
    assert 0 < len(looked_at) < 11
    assert read_files(tmp_path / "out") == read_files(tmp_path / "whole")


def test_results_grow_with_the_card_and_what_is_gone_keeps_its_rows_and_its_group(
    card: Path, make_patch: MakePatch, tmp_path: Path, looked_at: list[str]
) -> None:
    watch_folder(card, tmp_path / "out", workers=0)
    looked_at.clear()
    (card / "sud é, x" / "tit0.mp4").unlink()
    make_patch(card / "new.mp4", species="tit", seed=2, start=2.0)
    run = watch_folder(card, tmp_path / "out", workers=0)
    assert looked_at == ["new.mp4"]
    assert "1 new, 0 changed, 10 known; 1 no longer there (their rows are kept)" in run.summary()
    clips = run.results.clips.set_index("filepath")
    assert len(clips) == 12
    tits = clips[clips.index.str.contains("tit|new")]
    assert set(tits["group"]) == {clips.loc["new.mp4", "group"]}
    assert len(tits) == 4
    assert run.results.movements is not None
    assert {"sud é, x/tit0.mp4", "new.mp4"} <= set(run.results.movements["filepath"])
    pd.testing.assert_frame_equal(Results.read(tmp_path / "out").clips, run.results.clips)


def test_a_model_and_no_model_do_not_write_over_each_other(make_patch: MakePatch, tmp_path: Path) -> None:
    make_patch(tmp_path / "card" / "fox.mp4", species="fox")
    model = build_model("motion", species=["blank", "fox"], spec=ClipSpec(2, 32, 32))
    watch_folder(tmp_path / "card", tmp_path / "watched", workers=0)
    predict_folder(tmp_path / "card", model, tmp_path / "results", workers=0)
    before = {name: read_files(tmp_path / name) for name in ("watched", "results")}
    with pytest.raises(InputError, match="holds the answers of a model"):
        watch_folder(tmp_path / "card", tmp_path / "results", workers=0)
    with pytest.raises(InputError, match="holds what was found without a model"):
        predict_folder(tmp_path / "card", model, tmp_path / "watched", workers=0)
    assert {name: read_files(tmp_path / name) for name in before} == before


def test_features_of_whole_pictures_tell_nothing_of_movement(make_patch: MakePatch, tmp_path: Path) -> None:
    make_patch(tmp_path / "card" / "fox.mp4", species="fox")
    features = Features(ClipSpec(4, 224, 224, "rgb"), load_encoder("efficientnet-lite0").facts)
    with pytest.raises(InputError, match=r"features: got 4 rgb frames .* wanted close-ups of what moves"):
        watch_folder(tmp_path / "card", tmp_path / "out", features=features, workers=0)


def test_tables_are_written_before_run_json_says_done(make_patch: MakePatch, tmp_path: Path) -> None:
    make_patch(tmp_path / "card" / "fox.mp4", species="fox")
    out = tmp_path / "out"
    watch_folder(tmp_path / "card", out, workers=0)
    done = (out / "run.json").stat().st_mtime_ns
    assert all((out / name).stat().st_mtime_ns <= done for name in TABLES if (out / name).exists())
    assert json.loads((out / "run.json").read_text())["species"] == []
