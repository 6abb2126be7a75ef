from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import primatrix as pm
from primatrix.cli.predict import INTERVAL_MINUTES, find_neighbours
from primatrix.labels import BENCHMARK_SPECIES
from primatrix.models import build_model
from primatrix.records import ClipSpec
from primatrix.tagging import Neighbours

Run = Callable[..., Any]  # Any: conftest's Ended


def test_a_folder_of_ones_own_gets_a_row_per_video_and_no_invented_number(
    data: Path, model: Path, tmp_path: Path, run: Run
) -> None:
    footage = tmp_path / "my videos" / "Cämera 1"
    footage.mkdir(parents=True)
    for i, path in enumerate(sorted((data / "nano").glob("*.mp4"))[:4]):
        (footage / f"ÉK{i:06d}.MP4").write_bytes(path.read_bytes())
    (footage / "broken.AVI").write_bytes(b"RIFF")
    (footage / "notes.txt").write_text("not a video")
    out = tmp_path / "out"
    words = ("predict", footage.parent, "--model", model, "--out", out, "--workers", 0)
    ended = run(*words, "--site-from", "{site}/{file}")
    assert ended.code == 1
    lost, *lines = ended.out.splitlines()
    assert lost.startswith("1 of 5 videos (20 %) could not be read: not readable as video: ")
    assert len(lines) == 5
    assert lines[0].startswith("5 videos, 60 s of footage")
    assert lines[0].endswith("4 read, 1 not (failures.csv says why)")
    assert "1 site" in lines[3]
    assert lines[4].startswith(f"written to {out}: predictions.csv, clips.csv, sightings.csv, failures.csv")
    assert f"1 clip could not be read; see {out / 'failures.csv'}" in ended.err
    table = pd.read_csv(out / "predictions.csv", index_col="filepath")
    assert table.index.tolist() == sorted(table.index)
    assert "Cämera 1/ÉK000000.MP4" in table.index
    assert table["status"].to_dict()["Cämera 1/broken.AVI"] == "failed"
    assert table.drop(columns="status").loc["Cämera 1/broken.AVI"].isna().all()
    assert table.loc[table["status"] == "ok"].notna().all().all()


def test_without_a_model_it_is_said_what_moves_what_is_alike_and_what_to_do_next(
    make_patch: Callable[..., Path], tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_patch(tmp_path / "my card" / "a.mp4", species="fox")
    (tmp_path / "my card" / "broken.mp4").write_bytes(b"no video")
    monkeypatch.chdir(tmp_path)
    ended = run("predict", "my card", "--raw", "--per-frame", "--no-neighbours", "--workers", 0, "-q")
    assert ended.code == 1
    assert (
        "--per-frame, --no-neighbours, --raw: not used, since no model is given; wanted with --model"
        in ended.err
    )
    lines = ended.out.splitlines()
    assert lines[1].endswith("1 read, 1 not (failures.csv says why)")
    assert lines[2].startswith("something moves in 1 of 1 video, ")
    assert lines[3] == f"what looks alike: 1 group, of 1 clip (pictures in {Path('watched', 'groups')})"
    assert lines[5].startswith(
        "no species, since there is no model: label some clips from the groups, say 20 of each"
    )
    assert lines[6] == f"  primatrix train '{tmp_path / 'my card'}' --labels FILE"
    assert "movements.csv" in lines[7]
    assert pm.Results.read("watched").clips["group"].tolist() == ["1", ""]
    assert not (tmp_path / "watched" / "frames.parquet").exists()


def test_a_benchmark_folder_needs_a_model(data: Path, tmp_path: Path, run: Run) -> None:
    ended = run("predict", data, "--out", tmp_path / "out.csv")
    assert (ended.code, ended.out) == (2, "")
    assert "got a benchmark folder and no model, wanted --model with the folder of a trained one" in ended.err


def test_results_of_a_model_are_not_written_over_without_one(footage: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "out").mkdir()
    for name in ("run.json", "predictions.csv"):
        (tmp_path / "out" / name).write_text("{}")
    ended = run("predict", footage, "--out", tmp_path / "out")
    assert ended.code == 2
    assert "out: holds the answers of a model, wanted a place for what is found without one" in ended.err


def test_neighbours_that_are_not_used_are_said_not_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_neighbours(tmp_path, raw=False) is None
    assert capsys.readouterr().err == ""
    learned = Neighbours(("hog",), usual=(0.0,), others=0.5, learned_for="another model")
    learned.write(tmp_path)
    assert find_neighbours(tmp_path, raw=False) is None
    assert "neighbours.json: not used, it was learned for other weights" in capsys.readouterr().err
    monkeypatch.setattr("primatrix.tagging.read_neighbours", lambda _: learned)
    assert find_neighbours(tmp_path, raw=False) is learned
    assert capsys.readouterr().err == ""
    assert find_neighbours(tmp_path, raw=True) is None
    assert "not used, since --raw asks for" in capsys.readouterr().err


def test_a_model_of_another_size_is_refused_by_the_library(data: Path, tmp_path: Path) -> None:
    small = build_model("lrcn", species=BENCHMARK_SPECIES, spec=ClipSpec(15, 20, 20))
    dataset = pm.Dataset(data, workers=0, store=tmp_path)
    with pytest.raises(pm.ModelError, match="got data of 15 grey frames of 16x16"):
        pm.predict(small, dataset)


def test_the_interval_of_events_is_the_librarys() -> None:
    assert pm.footage.INTERVAL_MINUTES == INTERVAL_MINUTES


def test_options_of_place_time_and_answers_reach_the_results(footage: Path, tmp_path: Path, run: Run) -> None:
    build_model("motion", species=["blank", "hog"], spec=ClipSpec(2, 32, 32)).save(tmp_path / "model")
    table = pd.DataFrame({"filepath": [f"{i}.avi" for i in range(18)], "site": "north"})
    table["recorded_at"] = [f"2023-04-15T06:{2 * i:02d}:00" for i in range(18)]
    table.to_csv(tmp_path / "d.csv", index=False)
    ended = run("predict", footage, "--model", tmp_path / "model", "--out", tmp_path / "out", "--per-frame", "--raw",
                "--no-neighbours", "--deployments", tmp_path / "d.csv", "--timezone", "Africa/Abidjan", "--interval", 1,
                "--workers", 0, "-q", "--device", "cpu")  # fmt: skip
    assert (ended.code, ended.err) == (0, "")
    results = pm.Results.read(tmp_path / "out")
    assert set(results.clips["site"]) == {"north"}
    times = results.clips.set_index("filepath")["recorded_at"]
    assert (times["0.avi"], times["10.avi"]) == ("2023-04-15T06:00:00+00:00", "2023-04-15T06:20:00+00:00")
    assert results.clips["event"].nunique() == 18
    assert results.frames is not None
    assert len(results.frames) >= 18


def test_a_clock_that_was_wrong_is_corrected_and_a_zone_may_be_an_offset(
    make_video: Callable[..., Path], tmp_path: Path, run: Run
) -> None:
    build_model("motion", species=["blank", "hog"], spec=ClipSpec(2, 32, 32)).save(tmp_path / "model")
    (tmp_path / "card").mkdir()
    make_video(tmp_path / "card" / "20000109_063012.mp4", frames=5, size=(32, 32))
    words = (
        "predict",
        tmp_path / "card",
        "--model",
        tmp_path / "model",
        "--out",
        tmp_path / "out",
        "--workers",
        0,
    )
    shift = ("--time-shift", "+8497d", "--timezone", "-03:00")
    ended = run(*words, "-q", "--device", "cpu", *shift)
    assert (ended.code, ended.err) == (0, "")
    clips = pm.Results.read(tmp_path / "out").clips
    assert clips["recorded_at"].tolist() == ["2023-04-15T06:30:12-03:00"]
    assert (clips["time_shift"].tolist(), clips["time_warning"].tolist()) == (["+8497d 00:00:00"], [""])
    for option, words_of_error in (
        ("--time-shift", "time shift: got 'soon'"),
        ("--timezone", "timezone: got 'soon'"),
    ):
        refused = run(*words, option, "soon")
        assert refused.code == 2
        assert words_of_error in refused.err
