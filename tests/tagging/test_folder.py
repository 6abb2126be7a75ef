"""A folder of footage becomes a folder of results; tests/test_resume.py kills it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from primatrix.errors import InputError
from primatrix.footage import TimeSpec
from primatrix.models import Model, build_model
from primatrix.records import ClipSpec
from primatrix.results import Results
from primatrix.tagging import looks, tagger
from primatrix.tagging.folder import predict_folder
from primatrix.tagging.neighbours import Neighbours
from primatrix.tagging.spec import TagSpec
from primatrix.video import choose_in_windows, decode_clip, plan_windows

SPECIES = ["blank", "duiker", "hog"]
LOW = dict.fromkeys(SPECIES, 0.3)  # the probabilities of a model that was never trained lie near 0.5


@pytest.fixture(scope="module")
def model() -> Model:
    return build_model("lrcn", species=SPECIES, spec=ClipSpec(15, 16, 16))


@pytest.fixture
def footage(make_video: Callable[..., Path], tmp_path: Path) -> Path:
    """Two sites: clips a minute apart, one of a minute, one broken, one empty, one cut short, one oddly named."""
    folder = tmp_path / "card"
    for site in ("north", "sud é, x"):
        (folder / site).mkdir(parents=True)
    small = {"size": (16, 16), "codec": "mpeg4"}
    make_video(folder / "north" / "20230415_063000.avi", frames=30, rate=2, **small)
    make_video(folder / "north" / "20230415_063100.avi", frames=120, rate=2, **small)
    make_video(folder / "north" / "20230415_093000.avi", frames=10, rate=2, **small)
    odd = make_video(folder / "sud é, x" / 'n"a,m e.avi', frames=60, rate=4, **small)
    odd.write_bytes(odd.read_bytes()[:-1500])
    (folder / "sud é, x" / "broken.mp4").write_bytes(b"no video")
    (folder / "empty.AVI").touch()
    return folder


def test_every_video_has_its_row_and_what_is_known_of_it(footage: Path, model: Model, tmp_path: Path) -> None:
    before = sorted(footage.rglob("*"))
    spec = TagSpec(
        times=TimeSpec("Africa/Abidjan"), site_from="{site}/{file}", thresholds=LOW, per_frame=True
    )
    run = predict_folder(footage, model, tmp_path / "out", spec=spec, workers=0)
    assert sorted(footage.rglob("*")) == before  # nothing is written on the card
    assert not (tmp_path / "out" / ".parts").exists()
    found = Results.read(tmp_path / "out")
    names = ["empty.AVI", "north/20230415_063000.avi", "north/20230415_063100.avi", "north/20230415_093000.avi",
             "sud é, x/broken.mp4", 'sud é, x/n"a,m e.avi']  # fmt: skip
    assert found.predictions["filepath"].tolist() == names
    assert found.predictions["status"].tolist() == ["failed", "ok", "ok", "ok", "failed", "partial"]
    assert found.failures["filename"].tolist() == [names[0], names[4]]
    clips = found.clips.set_index("filepath")
    assert clips["site"].tolist() == ["", "north", "north", "north", "sud é, x", "sud é, x"]
    assert clips["event"].tolist() == ["", "north-1", "north-1", "north-2", "", ""]
    assert [note != "" for note in clips["note"]] == [False, False, False, False, False, True]
    assert clips.loc[names[2], "recorded_at"] == "2023-04-15T06:31:00+00:00"
    assert clips.loc[names[2], ["duration_seconds", "frame_count", "codec"]].tolist() == [60.0, 120, "mpeg4"]
    assert found.frames is not None
    assert found.frames["filepath"].value_counts()[names[2]] == 60  # four windows of 15 frames
    assert set(found.sightings["filepath"]) == {names[1], names[2], names[3], names[5]}
    assert found.facts["thresholds"] == LOW
    assert found.facts["settings"]["site_from"] == "{site}/{file}"
    assert run.summary().count("\n") == 5  # the first says how many could not be read
    assert found.facts["to_watch"].startswith("not calibrated: watch all, ")
    assert f"\nto watch: {found.facts['to_watch']}\n" in run.summary()


def test_a_clip_of_the_trained_length_gets_what_the_model_gives_it(
    footage: Path, model: Model, tmp_path: Path
) -> None:
    found = predict_folder(footage, model, tmp_path / "out", workers=0, device="cpu").results
    name = "north/20230415_063000.avi"
    frames = decode_clip(footage / name, model.spec).frames
    expected = model.probabilities(frames[None])[0]
    np.testing.assert_allclose(found.probabilities.loc[name], expected, atol=4e-3)  # bf16 where there is


def test_short_looks_say_when(
    make_video: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_video(tmp_path / "card.avi", frames=150, rate=5, size=(200, 200), codec="mpeg4")  # 30 s

    def bright_late(call: object, batch: np.ndarray, **_: object) -> np.ndarray:
        """Sees a hog in the second window's last third."""
        share = np.array([np.mean([frame.tobytes() in late for frame in clip]) for clip in batch])
        return np.stack([1 - share, np.zeros_like(share), share], axis=1).astype(np.float32)

    model = build_model("lrcn", species=SPECIES, spec=ClipSpec(15, 16, 16))
    windows = plan_windows(30.0)
    clip = decode_clip(
        tmp_path / "card.avi", model.spec, choose=lambda *of: choose_in_windows(model.spec, windows, *of)
    )
    late = {frame.tobytes() for frame in clip.frames[25:30]}
    monkeypatch.setattr(looks, "predict_one", bright_late)
    spec = TagSpec(thresholds={"hog": 0.3})
    found = predict_folder(tmp_path, model, tmp_path / "out", spec=spec, workers=0).results
    (row,) = found.sightings.to_dict("records")
    assert row["species"] == "hog"
    assert 22 <= row["start_seconds"] <= 25.5
    assert row["end_seconds"] == 30.0
    assert row["best_seconds"] >= clip.pts_seconds[25]


def test_neighbours_are_weighed_where_they_were_learned(footage: Path, model: Model, tmp_path: Path) -> None:
    plain = predict_folder(footage, model, tmp_path / "a", workers=0).results.probabilities
    learned = Neighbours(tuple(SPECIES), (-3.0, -3.0, -3.0), others=1.0, lag_minutes=5)
    weighed = predict_folder(
        footage, model, tmp_path / "b", spec=TagSpec(neighbours=learned), workers=0
    ).results
    changed = (weighed.probabilities - plain).abs().max(axis=1)
    assert (changed > 0.01).tolist() == [False, True, True, False, False, False]
    assert weighed.facts["settings"]["neighbours"]["others"] == 1.0


def test_what_cannot_be_used_is_said_before_any_work(footage: Path, model: Model, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fits none of the 6 files"):
        predict_folder(footage, model, tmp_path / "out", spec=TagSpec(site_from="{site}/x/{file}"))
    with pytest.raises(InputError, match=r"p\.csv: wanted a folder for the results"):
        predict_folder(footage, model, tmp_path / "p.csv")
    with pytest.raises(InputError, match="thresholds: got 'lynx'"):
        predict_folder(footage, model, tmp_path / "out", spec=TagSpec(thresholds={"lynx": 0.5}))
    places = tmp_path / "places.csv"
    places.write_text("filepath,site\nother.avi,north\n")
    with pytest.raises(InputError, match=r"places\.csv has none of the 6 files, the first 'empty.AVI'"):
        predict_folder(footage, model, tmp_path / "out", spec=TagSpec(deployments=places))
    with pytest.raises(InputError, match="interval: got -1 minutes"):
        TagSpec(interval_minutes=-1)
    assert not (tmp_path / "out").exists()


def test_a_finished_prediction_repeated_looks_at_nothing_and_gives_the_same(
    footage: Path, model: Model, tmp_path: Path, looked_at: list[str]
) -> None:
    predict_folder(footage, model, tmp_path / "out", workers=0)
    first = read_files(tmp_path / "out")
    assert len(looked_at) == 6
    looked_at.clear()
    run = predict_folder(footage, model, tmp_path / "out", workers=0)
    assert (looked_at, read_files(tmp_path / "out")) == ([], first)
    assert run.summary().splitlines()[1] == "since the last run: 0 new, 0 changed, 6 known"


def test_a_damaged_part_of_the_answers_is_asked_for_again(
    footage: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, looked_at: list[str]
) -> None:
    monkeypatch.setattr(tagger, "CHUNK_VIDEOS", 2)
    predict_folder(footage, model, tmp_path / "out", workers=0)
    first = read_files(tmp_path / "out")
    parts = sorted((tmp_path / "out" / ".answers").rglob("*.npz"))
    assert len(parts) == 3
    parts[1].write_bytes(parts[1].read_bytes()[:-30])
    looked_at.clear()
    predict_folder(footage, model, tmp_path / "out", workers=0)
    assert len(looked_at) == 2
    assert read_files(tmp_path / "out") == first


def test_frames_are_written_chunk_by_chunk_and_never_kept_all(
    footage: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = TagSpec(per_frame=True)
    predict_folder(footage, model, tmp_path / "one", spec=spec, workers=0)
    monkeypatch.setattr(tagger, "CHUNK_VIDEOS", 2)
    run = predict_folder(footage, model, tmp_path / "out", spec=spec, workers=0)
    assert run.results.frames is None
    assert "frames.parquet" in run.summary()
    assert pq.ParquetFile(run.path / "frames.parquet").num_row_groups == 3
    whole, parts = (Results.read(tmp_path / name).frames for name in ("one", "out"))
    assert whole is not None
    assert parts is not None
    pd.testing.assert_frame_equal(whole[["filepath", "pts_seconds"]], parts[["filepath", "pts_seconds"]])
    np.testing.assert_allclose(whole[SPECIES], parts[SPECIES], atol=4e-3)  # other batches
    predict_folder(footage, model, tmp_path / "out", workers=0)
    assert not (run.path / "frames.parquet").exists()  # it was not asked for this time


def test_frames_of_a_folder_where_nothing_can_be_read_are_none(model: Model, tmp_path: Path) -> None:
    (tmp_path / "card").mkdir()
    (tmp_path / "card" / "broken.mp4").write_bytes(b"no video")
    predict_folder(tmp_path / "card", model, tmp_path / "out", spec=TagSpec(per_frame=True), workers=0)
    frames = Results.read(tmp_path / "out").frames
    assert frames is not None
    assert frames.columns.tolist() == ["filepath", "pts_seconds", "left", "top", "width", "height", *SPECIES]
    assert frames.empty


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of videos that are decoded, in order."""
    names: list[str] = []
    walk = tagger.walk_videos
    monkeypatch.setattr(
        tagger,
        "walk_videos",
        lambda videos, *a, **k: walk((names.append(v.name) or v for v in videos), *a, **k),
    )
    return names


def read_files(folder: Path) -> dict[str, bytes]:
    """All result files; run.json without its time of writing."""
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    lines = found.pop("run.json").splitlines()
    return {**found, "run": b"\n".join(line for line in lines if b'"created"' not in line)}


def test_windows_are_as_long_as_the_clips_the_model_was_trained_on(
    make_video: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "card").mkdir()
    make_video(tmp_path / "card" / "a.mp4", frames=120, rate=2)  # 60 s
    looked_at = {}
    for seconds in (None, 30.0, 60.0):
        model = build_model("lrcn", species=SPECIES, spec=ClipSpec(5, 16, 16))
        model.clip_seconds = seconds
        out = tmp_path / str(seconds)
        predict_folder(tmp_path / "card", model, out, spec=TagSpec(per_frame=True), workers=0)
        frames = Results.read(out).frames
        assert frames is not None
        looked_at[seconds] = len(frames)
    assert looked_at == {None: 20, 30.0: 10, 60.0: 5}


def test_a_model_that_answers_per_frame_is_asked_for_them(footage: Path, tmp_path: Path) -> None:
    model = build_model("motion", species=SPECIES, spec=ClipSpec(6, 32, 32))
    predict_folder(footage, model, tmp_path / "out", spec=TagSpec(per_frame=True), workers=0)
    found = Results.read(tmp_path / "out")
    assert found.frames is not None
    assert found.frames["filepath"].value_counts().max() == 24
    assert found.predictions["status"].tolist() == ["failed", "ok", "ok", "ok", "failed", "partial"]


def test_nothing_worth_a_closer_look_gives_no_sighting(footage: Path, tmp_path: Path) -> None:
    model = build_model("lrcn", species=SPECIES, spec=ClipSpec(5, 16, 16))
    model.network.state_dict()["head.bias"].fill_(-9.0)
    assert predict_folder(footage, model, tmp_path / "out", workers=0).results.sightings.empty


def test_a_long_video_gives_the_same_answers_in_parts(
    make_video: Callable[..., Path], model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "card").mkdir()
    make_video(tmp_path / "card" / "a.avi", frames=600, rate=2, size=(16, 16), codec="mpeg4")  # 5 min
    whole = predict_folder(tmp_path / "card", model, tmp_path / "a", workers=0).results
    monkeypatch.setattr("primatrix.video.walk.MOST_WINDOWS_AT_ONCE", 3)
    monkeypatch.setattr(tagger, "WINDOWS_AT_ONCE", 4)
    parts = predict_folder(tmp_path / "card", model, tmp_path / "b", workers=0).results
    np.testing.assert_allclose(parts.probabilities, whole.probabilities, atol=4e-3)
    pd.testing.assert_frame_equal(parts.clips, whole.clips)
