"""The command line, run as a person runs it: what it prints, what it writes, how it ends."""

import importlib
import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primatrix.labels import BENCHMARK_SPECIES
from primatrix.models import build_model, load_model
from primatrix.records import ClipSpec
from primatrix.simulation import SimulationSpec, simulate
from primatrix.tagging import Neighbours

BROKEN = 5


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


Run = Callable[..., Ended]


def run_program(*words: object, timeout_s: float = 300) -> Ended:
    command = [sys.executable, "-m", "primatrix", *map(str, words)]
    environment = {**os.environ, "COLUMNS": "200"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout_s, env=environment, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """The program in this process, which saves the seconds torch takes to load."""

    def call(*words: object) -> Ended:
        from primatrix.cli import main

        monkeypatch.setattr(sys, "argv", ["primatrix", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capfd.readouterr()
        code = ended.value.code
        return Ended(code if isinstance(code, int) else 0, out, err)

    return call


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmark")
    simulate(folder, spec=SimulationSpec(train_clips=120, test_clips=45, broken=BROKEN, seed=3), workers=1)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    build_model("lrcn", species=BENCHMARK_SPECIES, spec=ClipSpec()).save(folder)
    return folder


def test_the_whole_job_by_commands(data: Path, tmp_path: Path, run: Run) -> None:
    train = ("train", data, "--out", tmp_path / "lrcn", "--epochs", 1, "--steps", 2, "--batch-size", 8)
    ended = run(*train, "--validation-steps", 1, "--workers", 0)
    assert ended.code in (0, 1)  # 1 where a broken clip was met on the way
    assert "epoch 1: loss 0." in ended.out

    submission = tmp_path / "submission.csv"
    predict = ("predict", data, "--model", tmp_path / "lrcn", "--out", submission, "--workers", 0)
    ended = run(*predict, "--timezone", "UTC", "--per-frame")
    assert "primatrix: --timezone, --per-frame: not used, since this is a benchmark folder" in ended.err
    wanted = (data / "submission_format.csv").read_text().splitlines()
    got = submission.read_text().splitlines()
    assert got[0] == wanted[0]
    assert [line.split(",")[0] for line in got] == [line.split(",")[0] for line in wanted]
    table = pd.read_csv(submission, index_col="filename")
    assert ((table > 0) & (table < 1)).all().all()
    failures = tmp_path / "failures.csv"
    if ended.code:
        lost = pd.read_csv(failures)
        labels = pd.read_csv(data / "train_labels.csv", index_col=0)
        frequencies = (labels.sum() + 0.5) / (len(labels) + 1)
        for name in lost["filename"]:
            np.testing.assert_allclose(table.loc[name], frequencies, rtol=1e-5)
        assert f"{len(lost)} clip{'s' * (len(lost) != 1)} could not be read; see {failures}" in ended.err
    else:
        assert not failures.exists()

    ended = run("score", data / "test_labels.csv", submission, "--train-labels", data / "train_labels.csv")
    assert ended.code == 0
    assert "aggregated log loss on 45 clips (mean over 24 species)" in ended.out
    assert "constant  0." in ended.out


def test_pack_lists_what_is_broken_and_does_it_once(data: Path, tmp_path: Path, run: Run) -> None:
    first = run("pack", data, "--store", tmp_path / "s", "--workers", 0)
    assert first.code == 1
    assert "165 clips packed" in first.out
    assert f"{BROKEN} not readable" in first.out
    failures = next((tmp_path / "s").rglob("failures.csv"))
    assert len(pd.read_csv(failures)) == BROKEN
    again = run("pack", data, "--store", tmp_path / "s", "--workers", 0)
    assert "0 clips packed" in again.out
    assert again.code == 1


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
    lines = ended.out.splitlines()
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


def test_neighbours_that_are_not_used_are_said_not_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from primatrix.cli import predict as commands

    assert commands.find_neighbours(tmp_path, raw=False) is None
    assert capsys.readouterr().err == ""
    learned = Neighbours(("hog",), usual=(0.0,), others=0.5, learned_for="another model")
    learned.write(tmp_path)
    assert commands.find_neighbours(tmp_path, raw=False) is None
    assert "neighbours.json: not used, it was learned for other weights" in capsys.readouterr().err
    monkeypatch.setattr(commands, "read_neighbours", lambda _: learned)
    assert commands.find_neighbours(tmp_path, raw=False) is learned
    assert capsys.readouterr().err == ""
    assert commands.find_neighbours(tmp_path, raw=True) is None
    assert "not used, since --raw asks for" in capsys.readouterr().err


def test_training_on_a_folder_of_ones_own(data: Path, tmp_path: Path, run: Run) -> None:
    wide = pd.read_csv(data / "train_labels.csv", index_col=0).iloc[:60]
    sites = pd.read_csv(data / "deployments.csv", index_col=0)["site"]
    rows = [(name, species) for name, row in wide.iterrows() for species in wide.columns[row == 1]]
    long = pd.DataFrame(rows, columns=["filepath", "label"])
    long["site"] = [sites[name] for name in long["filepath"]]
    long.to_csv(tmp_path / "labels.csv", index=False)
    site = long["site"].mode()[0]
    ended = run("train", data / "nano", "--labels", tmp_path / "labels.csv", "--held-out-sites", site, "--out",
                tmp_path / "m", "--epochs", 1, "--steps", 1, "--validation-steps", 1, "--batch-size", 4, "--frames", 8,
                "--size", "24x16", "--store", tmp_path / "s", "--workers", 0)  # fmt: skip
    assert ended.code in (0, 1), ended.err
    spec = load_model(tmp_path / "m").spec
    assert load_model(tmp_path / "m").clip_seconds == pytest.approx(15.0, abs=0.6)
    assert (spec.frames, spec.height_px, spec.width_px) == (8, 24, 16)
    ended = run("train", data / "nano", "--out", tmp_path / "m2")
    assert ended.code == 2
    assert "got no label file, wanted --labels FILE" in ended.err


def test_scan_says_what_is_on_a_card(data: Path, run: Run) -> None:
    ended = run("scan", data / "nano", "--workers", 0)
    assert ended.code == 1
    rows = ended.out.splitlines()
    assert rows[0].startswith("filename,status,size_bytes,")
    assert len(rows) == 1 + 165
    assert "165 videos: 160 readable" in ended.err


def test_downsample_makes_clips_the_dataset_can_read(tmp_path: Path, run: Run) -> None:
    raw = SimulationSpec(
        train_clips=2, test_clips=1, raw_height_px=48, raw_width_px=64, raw_frames_per_second=6
    )
    simulate(tmp_path / "data", spec=raw, sizes=["raw"], workers=1)
    ended = run(
        "downsample",
        tmp_path / "data" / "raw",
        tmp_path / "data" / "micro",
        "--size",
        "micro",
        "--workers",
        0,
    )
    assert (ended.code, ended.err.splitlines()[-1:]) == (0, ended.err.splitlines()[-1:])
    assert "3 clips written" in ended.out
    pack = ("pack", tmp_path / "data", "--type", "micro", "--frames", 30, "--workers", 0)
    ended = run(*pack)
    assert (ended.code, "3 whole" in ended.out) == (0, True)
    assert (
        "0 clips packed" in run(*pack, "--size", "64x64").out
    )  # as large as they are, unless told otherwise


def test_info_describes_the_machine_and_a_model(model: Path, run: Run) -> None:
    assert "runs on" in run("info").out
    assert "lrcn, 1,187,864 parameters" in run("info", model).out


def spoil_labels(data: Path, folder: Path, change: Callable[[str], str]) -> Path:
    """A copy of the benchmark folder (clips linked) whose train_labels.csv is changed."""
    folder.mkdir()
    (folder / "nano").symlink_to(data / "nano")
    for name in ("train_labels.csv", "submission_format.csv"):
        (folder / name).write_text((data / name).read_text())
    (folder / "train_labels.csv").write_text(change((data / "train_labels.csv").read_text()))
    return folder


def change_first_row(text: str, values: list[str]) -> str:
    """The first clip gets these values in its first columns, zeros in the others."""
    head, first, *rest = text.splitlines()
    cells = [first.split(",")[0], *values, *["0.0"] * (24 - len(values))]
    return "\n".join([head, ",".join(cells), *rest]) + "\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: t.replace("filename", "clip", 1),
            "got columns clip, bird, blank, cattle, chimpanzee; wanted",
        ),
        (lambda t: t.replace("duiker", "zebra", 1), "differ in duiker, zebra"),
        (
            lambda t: t + "zzzzzzzzzz.mp4," + ",".join(["0.0"] * 24) + "\n",
            "1 of 121 labelled clips are not there",
        ),
        (lambda t: t + t.splitlines()[1] + "\n", "1 duplicate rows"),
        (lambda t: change_first_row(t, ["0.5"]), "1 values are not 0 or 1, the first 0.5"),
        (lambda t: change_first_row(t, ["1.0", "1.0"]), "labelled `blank` together with a species"),
    ],
)
def test_bad_labels_stop_with_one_line(
    data: Path, tmp_path: Path, run: Run, change: Callable[[str], str], message: str
) -> None:
    ended = run("train", spoil_labels(data, tmp_path / "spoilt", change), "--out", tmp_path / "m")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("primatrix: ")
    assert ended.err.count("\n") == 1
    assert message in ended.err
    assert not (tmp_path / "m").exists()


def test_bad_folders_and_models_stop_with_one_line(data: Path, model: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "empty").mkdir()
    build_model("lrcn", species=["ant", "bee"], spec=ClipSpec()).save(tmp_path / "other")
    cases = [
        (
            ("predict", tmp_path / "nowhere", "--model", model),
            "nowhere: got no such folder, wanted a folder of videos",
        ),
        (
            ("predict", tmp_path / "empty", "--model", model),
            "empty: got no video in it, wanted files ending in one of",
        ),
        (("scan", tmp_path / "nowhere"), "got no such folder"),
        (
            ("predict", data / "nano", "--model", model, "--out", tmp_path / "p.csv"),
            "wanted a folder for the results",
        ),
        (
            ("predict", data / "nano", "--model", model, "--site-from", "{site}/{file}"),
            "fits none of the 165 files",
        ),
        (
            ("predict", data / "nano", "--model", model, "--store", tmp_path / "s"),
            "--store: got",
        ),
        (
            ("predict", data / "nano", "--model", model, "--timezone", "Congo"),
            "timezone: got 'Congo', wanted a name as Africa/Abidjan",
        ),
        (("predict", data, "--model", tmp_path / "empty"), "empty: no model.json in it, so no whole model"),
        (("predict", data, "--model", tmp_path / "other"), "got a model for 2 species and data with 24"),
        (("train", tmp_path / "nowhere", "--labels", "x.csv"), "got no such folder"),
        (("score", data / "test_labels.csv", tmp_path / "p.csv"), "p.csv: no such file; wanted a CSV table"),
        (
            ("simulate", tmp_path / "sim", "--sizes", "huge"),
            "--sizes: got 'huge', wanted some of nano, micro, raw",
        ),
        (("pack", data, "--size", "16by16"), "--size: got '16by16', wanted HEIGHTxWIDTH"),
        (("train", data, "--architecture", "magic", "--out", tmp_path / "m"), "magic"),
    ]
    for words, message in cases:
        ended = run(*words)
        assert (ended.code, ended.out) == (2, ""), words
        assert ended.err.count("\n") == 1, ended.err
        assert message in ended.err


def test_a_model_of_another_size_is_refused_by_the_library(data: Path, tmp_path: Path) -> None:
    import primatrix as pm

    small = build_model("lrcn", species=BENCHMARK_SPECIES, spec=ClipSpec(15, 20, 20))
    dataset = pm.Dataset(data, workers=0, store=tmp_path)
    with pytest.raises(pm.ModelError, match="got data of 15 grey frames of 16x16"):
        pm.predict(small, dataset)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="file size limits are Unix's")
def test_a_full_disk_stops_with_one_line_and_leaves_nothing_half_written(
    data: Path, model: Path, tmp_path: Path
) -> None:
    # A limit on the size of files is the nearest to a full disk that a test may set: writes fail alike.
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from primatrix.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n"
        f"sys.argv = ['primatrix', 'predict', {str(data)!r}, '--model', {str(model)!r}, '--quiet',\n"
        f"            '--store', {str(tmp_path / 'store')!r}, '--out', {str(tmp_path / 'p.csv')!r}, '--workers', '0']\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("primatrix: ")
    assert done.stderr.count("\n") == 1
    assert "File too large" in done.stderr
    assert not (tmp_path / "p.csv").exists()
    assert not list(tmp_path.rglob("*.npy"))


def test_the_program_starts_without_torch_and_lists_its_commands() -> None:
    ended = run_program("--help")
    assert ended.code == 0
    for command in ("demo", "simulate", "scan", "downsample", "pack", "train", "predict", "score", "info"):
        assert command in ended.out
    code = "import sys, primatrix.cli; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_command_has_one_line_of_help_and_an_example() -> None:
    from primatrix.cli import app

    for command in app.registered_commands:
        lines = (command.callback.__doc__ or "").strip().splitlines()
        assert lines[0].endswith("."), command
        assert any(line.strip().startswith("Example: primatrix ") for line in lines), command
        for parameter in inspect.signature(command.callback, eval_str=True).parameters.values():
            (about,) = parameter.annotation.__metadata__
            assert about.help.endswith("."), parameter
            assert "[" not in about.help, f"{parameter}: would be taken for markup and not be shown"


def test_the_demo_does_the_whole_job_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setattr("primatrix.demo.TRAIN_CLIPS", 100)
    monkeypatch.setattr("primatrix.demo.TEST_CLIPS", 40)
    monkeypatch.setattr("primatrix.demo.EPOCHS", 1)
    monkeypatch.setattr("primatrix.demo.STEPS", 2)
    ended = run("demo", "--out", tmp_path / "demo", "--quiet")
    assert ended.code == 0, ended.err
    assert "aggregated log loss on 40 clips" in ended.out
    for name in ("data/train_labels.csv", "model/model.safetensors", "submission.csv"):
        assert (tmp_path / "demo" / name).is_file()
        assert str(tmp_path / "demo") in ended.out


def test_a_file_in_the_way_is_one_line(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")

    def write() -> None:  # stands for any command that meets the file late
        (tmp_path / "file" / "folder").mkdir()

    program = importlib.import_module("primatrix.cli.program")  # the package has an `app` of its own
    monkeypatch.setattr(program, "app", write)
    ended = run("report")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.endswith("folder: Not a directory; choose another place, then run again\n")
