import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from primatrix.errors import InputError
from primatrix.labels import BENCHMARK_SPECIES
from primatrix.records import Progress
from primatrix.simulation import SimulationSpec, simulate
from primatrix.simulation.footage import write_tables
from primatrix.simulation.survey import draw_survey

SMALL = SimulationSpec(train_clips=70, test_clips=30, seed=5)
TINY_RAW = SimulationSpec(
    train_clips=2, test_clips=1, seconds=2.0, raw_height_px=102, raw_width_px=180, odd_length=0.0
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated")
    simulate(folder, spec=SMALL, workers=1)
    return folder


def digest_files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_same_seed_gives_the_same_bytes_with_one_worker_or_two(made: Path, tmp_path: Path) -> None:
    simulate(tmp_path, spec=SMALL, workers=2)
    assert digest_files(tmp_path) == digest_files(made)


def test_no_main_guard_is_needed_not_even_a_file(tmp_path: Path) -> None:
    script = (
        "from primatrix import SimulationSpec, simulate\n"
        f"made = simulate({str(tmp_path)!r}, spec=SimulationSpec(train_clips=30, test_clips=10), workers=2)\n"
        "print(made.files_written)\n"
    )
    ran = subprocess.run([sys.executable, "-"], input=script, capture_output=True, text=True, timeout=120)
    assert (ran.stdout, ran.stderr) == ("40\n", "")


def test_another_seed_gives_other_files(made: Path, tmp_path: Path) -> None:
    simulate(tmp_path, spec=replace(SMALL, seed=6), workers=1)
    assert not set(digest_files(tmp_path)) & {name for name in digest_files(made) if name.startswith("nano/")}


def test_tables_name_every_clip_in_the_benchmarks_columns(made: Path) -> None:
    train, submission, truth = (
        pd.read_csv(made / name, index_col="filename")
        for name in ("train_labels.csv", "submission_format.csv", "test_labels.csv")
    )
    assert (len(train), len(submission), len(truth)) == (70, 30, 30)
    for table in (train, submission, truth):
        assert tuple(table.columns) == BENCHMARK_SPECIES
    assert set(np.unique(train)) == {0.0, 1.0}
    assert (submission.to_numpy() == 0).all()
    assert submission.index.tolist() == truth.index.tolist()
    assert set(train.index) | set(truth.index) == {path.name for path in (made / "nano").iterdir()}


def test_deployments_give_site_deployment_time_and_place_of_every_clip(made: Path) -> None:
    table = pd.read_csv(made / "deployments.csv", parse_dates=["recorded_at"])
    columns = ["filename", "site", "deployment", "recorded_at", "latitude", "longitude"]
    assert table.columns.tolist() == columns
    assert set(table["filename"]) == {path.name for path in (made / "nano").iterdir()}
    assert table["site"].nunique() == 8
    assert table["recorded_at"].dt.year.between(2015, 2017).all()
    assert (table["deployment"] == table["site"] + "-" + table["recorded_at"].dt.year.astype(str)).all()
    assert len(table[["site", "latitude", "longitude"]].drop_duplicates()) == 8
    assert table["latitude"].between(5.5, 6.1).all()
    assert table["longitude"].between(-7.4, -6.9).all()


def test_clips_are_30_colour_frames_of_16_by_16_at_2_per_second(made: Path) -> None:
    survey = draw_survey(SMALL)
    for name, frames in zip(survey.names[:20], survey.frames[:20].tolist(), strict=True):
        with av.open(str(made / "nano" / name)) as container:
            stream = container.streams.video[0]
            assert (stream.height, stream.width, stream.average_rate) == (16, 16, 2)
            assert sum(1 for _ in container.decode(video=0)) == frames


def test_the_same_command_again_writes_only_what_is_missing(made: Path, tmp_path: Path) -> None:
    simulate(tmp_path, spec=SMALL, workers=1)
    whole = digest_files(tmp_path)
    lost = sorted((tmp_path / "nano").iterdir())[:7]
    kept = sorted((tmp_path / "nano").iterdir())[7].stat().st_mtime_ns
    for path in [*lost, tmp_path / "test_labels.csv"]:
        path.unlink()
    seen: list[Progress] = []
    (tmp_path / "nano" / ".abc.mp4.12.part").write_bytes(b"half")  # as a killed run leaves it
    again = simulate(tmp_path, spec=SMALL, workers=1, on_progress=seen.append)
    assert (again.files_written, again.files_found) == (7, 93)
    assert digest_files(tmp_path) == whole
    assert sorted((tmp_path / "nano").iterdir())[7].stat().st_mtime_ns == kept
    assert seen[-1] == Progress("simulate", 7, 7)


def test_a_folder_of_another_simulation_is_refused(made: Path) -> None:
    with pytest.raises(InputError, match=r"holds another simulation \(seed changed\); use its settings"):
        simulate(made, spec=replace(SMALL, seed=9), workers=1)


def test_all_sizes_hold_the_same_clips(tmp_path: Path) -> None:
    simulate(tmp_path, spec=TINY_RAW, sizes=("nano", "micro", "raw"), workers=1)
    names = {path.name for path in (tmp_path / "nano").iterdir()}
    means = []
    for size, shape, frames in (("nano", (16, 16), 4), ("micro", (64, 64), 4), ("raw", (102, 180), 48)):
        assert {path.name for path in (tmp_path / size).iterdir()} == names
        with av.open(str(tmp_path / size / min(names))) as container:
            pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert len(pictures) == frames
        assert pictures[0].shape == (*shape, 3)
        means.append(pictures[0].mean())
    assert np.ptp(means) < 6


def test_broken_files_are_listed_and_cannot_be_decoded(tmp_path: Path) -> None:
    spec = replace(SMALL, broken=5)
    made = simulate(tmp_path, spec=spec, workers=1)
    assert len(made.broken) == 5
    listed = pd.concat([pd.read_csv(tmp_path / f"{name}.csv") for name in ("train_labels", "test_labels")])
    assert set(made.broken) < set(listed["filename"])
    for name in made.broken:
        frames = 0
        try:
            with av.open(str(tmp_path / "nano" / name)) as container:
                frames = sum(1 for _ in container.decode(video=0)) if container.streams.video else 0
        except av.FFmpegError:
            pass
        assert frames == 0
    sizes = sorted((tmp_path / "nano" / name).stat().st_size for name in made.broken)
    assert sizes[:2] == [0, 21]  # empty, and a text file


def test_tables_alone_need_no_clips(tmp_path: Path) -> None:
    write_tables(tmp_path, survey=draw_survey(SimulationSpec(train_clips=5000, test_clips=2000)))
    assert {path.name for path in tmp_path.iterdir()} == {
        "train_labels.csv",
        "submission_format.csv",
        "test_labels.csv",
        "deployments.csv",
    }
    assert len(pd.read_csv(tmp_path / "train_labels.csv")) == 5000


def test_sizes_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="sizes: got 'huge', wanted some of nano, micro, raw"):
        simulate(tmp_path, spec=SMALL, sizes=("huge",))  # type: ignore[arg-type]


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "nano").write_text("a file where a folder should be")
    with pytest.raises(InputError, match="cannot write there"):
        simulate(tmp_path, spec=SMALL)


def test_settings_are_kept_beside_the_clips(made: Path) -> None:
    settings = json.loads((made / "simulation.json").read_text())
    assert (settings["train_clips"], settings["seed"], settings["version"]) == (70, 5, 2)


def test_two_simulations_into_one_folder_are_refused(tmp_path: Path) -> None:
    spec = SimulationSpec(train_clips=2, test_clips=1)

    def start_another(progress: object) -> None:
        with pytest.raises(InputError, match="another simulation is writing there"):
            simulate(tmp_path, spec=spec, workers=1)

    assert simulate(tmp_path, spec=spec, workers=1, on_progress=start_another).files_written == 3
