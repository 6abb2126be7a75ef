import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primatrix.errors import InputError
from primatrix.results.columns import complete_facts
from primatrix.results.results import Results


def same(one: Results, other: Results) -> None:
    for name in ("predictions", "failures", "clips", "sightings"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name), check_exact=True)
    assert (one.frames is None) == (other.frames is None)
    if one.frames is not None:
        pd.testing.assert_frame_equal(one.frames, other.frames, check_exact=True)
    assert dict(one.facts) == dict(other.facts)


def make_many(clips: int, *, frames: int) -> Results:
    rng = np.random.default_rng(7)
    species = ["blank", "duiker", "hog", "NA", *(f"s{i}" for i in range(20))]
    names = [f"site{i % 9}/IMG_{i:05d}, é.MP4" for i in range(clips)]
    chances = pd.DataFrame(rng.random((clips, 24), np.float32), columns=species)
    chances.insert(0, "filepath", names)
    chances.insert(1, "status", "ok")
    start = rng.random(clips) * 10
    sightings = pd.DataFrame({
        "filepath": names, "species": "NA", "start_seconds": start, "end_seconds": start + 2,
        "best_seconds": start + 1 / 3, "probability": rng.random(clips, np.float32)})  # fmt: skip
    facts = pd.DataFrame({
        "filepath": names, "duration_seconds": 15.0, "frame_rate": 24.0, "frame_count": 360, "width_px": 720,
        "height_px": 404, "codec": "h264", "recorded_at": "2026-03-01T06:30:00", "time_source": "name",
        "time_warning": "", "site": "NA", "deployment": "", "event": "e", "note": ""})  # fmt: skip
    looks = pd.DataFrame(rng.random((clips * frames, 24), np.float32), columns=species)
    looks.insert(0, "filepath", np.repeat(names, frames))
    looks.insert(1, "pts_seconds", np.tile(np.arange(frames) / 3, clips))
    failures = pd.DataFrame(columns=["filename", "stage", "reason"])
    return Results(chances, failures, facts, sightings, looks, complete_facts({"species": species}))


def test_results_come_back_as_they_were(tmp_path: Path, example: Results) -> None:
    same(Results.read(example.write(tmp_path / "one")), example)
    many = make_many(400, frames=2)
    again = Results.read(many.write(tmp_path / "many"))
    same(again, many)
    assert again.clips["site"].tolist() == ["NA"] * 400
    assert Results.read(tmp_path / "many", frames=False).frames is None


def test_movements_come_back_as_they_were_and_are_none_where_a_model_was_asked(
    tmp_path: Path, example: Results
) -> None:
    edges = {"left": [0.125, 0.5], "top": [0.0, 0.25], "width": [0.25, 0.5], "height": [1.0, 0.5]}
    seconds = {"start_seconds": [1.0, 7.0], "end_seconds": [3.0, 7.0], "best_seconds": [2.0, 7.0]}
    table = pd.DataFrame({"filepath": "a/IMG_1.MP4", **seconds, **edges, "novelty": [0.1, 1 / 3]})
    clips = example.clips.assign(movement=[1 / 3, None], group=["1", ""], representative=["yes", ""])
    moving = replace(example, clips=clips, movements=table)
    again = Results.read(moving.write(tmp_path / "watched"))
    same(again, moving)
    assert again.movements is not None
    pd.testing.assert_frame_equal(again.movements, table, check_exact=True)
    assert Results.read(example.write(tmp_path / "tagged")).movements is None
    with pytest.raises(InputError, match=r"movements: other\.MP4 is no clip of predictions"):
        replace(moving, movements=table.assign(filepath="other.MP4"))


def test_frames_come_in_tables_one_after_the_other(tmp_path: Path) -> None:
    many = make_many(6, frames=2)
    assert many.frames is not None
    parts = [many.frames[:4], many.frames[4:]]
    same(Results.read(replace(many, frames=None).write(tmp_path, frames=iter(parts))), many)
    strange = many.frames[:1].assign(filepath="other.MP4")
    with pytest.raises(InputError, match=r"frames: other\.MP4 is no clip of predictions"):
        many.write(tmp_path, frames=[*parts, strange])
    assert not (tmp_path / "run.json").exists()  # not done


def test_ten_thousand_clips_take_little_time_to_read(tmp_path: Path) -> None:
    make_many(10_000, frames=15).write(tmp_path)
    began = time.process_time()  # other work on the machine does not count
    assert len(Results.read(tmp_path).predictions) == 10_000
    assert time.process_time() - began < 10


def test_a_folder_without_run_json_is_not_done(tmp_path: Path, example: Results) -> None:
    example.write(tmp_path)
    (tmp_path / "run.json").unlink()
    with pytest.raises(InputError, match=r"no run\.json, so no finished results"):
        Results.read(tmp_path)


def test_writing_again_leaves_nothing_of_the_old_results(tmp_path: Path, example: Results) -> None:
    many = make_many(3, frames=2)
    example.write(tmp_path)
    many.write(tmp_path)
    assert not (tmp_path / "failures.csv").exists()
    replace(many, frames=None).write(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "clips.csv", "predictions.csv", "run.json", "sightings.csv"]  # fmt: skip


@pytest.mark.parametrize(
    ("table", "changes", "message"),
    [
        (
            "clips",
            {"filepath": "x"},
            "clips: 2 rows, not those of predictions (2); wanted the same clips",
        ),
        ("predictions", {"filepath": "a/IMG_1.MP4"}, "predictions: a/IMG_1.MP4 stands there twice"),
        (
            "sightings",
            {"filepath": "b.mp4"},
            "sightings: b.mp4 is no clip of predictions; wanted only clips that are",
        ),
    ],
)
def test_tables_that_do_not_agree_get_one_clear_line(
    example: Results, table: str, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        replace(example, **{table: getattr(example, table).assign(**changes)})
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_facts_that_are_missing_are_named(example: Results) -> None:
    with pytest.raises(InputError, match=r"run\.json: no `folder`; wanted model, folder"):
        replace(example, facts={"model": "lrcn"})


def test_a_damaged_folder_names_its_file(example: Results, tmp_path: Path) -> None:
    for name, text in (("clips.csv", ""), ("run.json", "{"), ("run.json", "[]"), ("frames.parquet", "no")):
        folder = example.write(tmp_path / name / str(len(text)))
        (folder / name).write_text(text)
        with pytest.raises(InputError, match=name) as caught:
            Results.read(folder)
        assert "\n" not in str(caught.value)
    (folder := example.write(tmp_path / "gone")).joinpath("clips.csv").unlink()
    with pytest.raises(InputError, match=r"clips\.csv: no such file"):
        Results.read(folder)
