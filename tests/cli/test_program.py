"""The program as a whole: its help, its errors, how it ends."""

import importlib
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import primatrix
from primatrix.cli import app
from primatrix.models import build_model
from primatrix.records import ClipSpec

Run = Callable[..., Any]  # Any: conftest's Ended
HEADINGS = {
    "Trying it out": ["demo", "simulate", "info", "encoders"],
    "Footage": ["scan", "downsample", "pack"],
    "Learning": ["train"],
    "Answers": ["predict"],
    "Trust": ["score", "calibrate", "neighbours", "evaluate"],
    "Handing on": ["report", "export"],
}
COMMANDS = [name for names in HEADINGS.values() for name in names]


def list_options(command: str) -> Iterator[list[str]]:
    """All names of every option of a command, as its function says."""
    function = next(info.callback for info in app.registered_commands if info.callback.__name__ == command)
    for parameter in inspect.signature(function, eval_str=True).parameters.values():
        (about,) = parameter.annotation.__metadata__
        if "Option" in type(about).__name__:
            words = [
                word for word in (about.default, *(about.param_decls or ())) if str(word).startswith("-")
            ]
            yield words or [f"--{parameter.name.replace('_', '-')}"]


def test_commands_stand_in_the_order_of_work_under_headings(run_program: Run) -> None:
    lines = run_program("--help").out.splitlines()
    shown: dict[str, list[str]] = {}
    heading = ""
    for line in lines:
        if line.endswith(":") and not line.startswith(" "):
            heading = line.removesuffix(":")
        elif line[:2] == "  " and line[2:3].isalpha() and heading != "":
            shown.setdefault(heading, []).append(line.split()[0])
    assert list(shown) == list(HEADINGS)
    assert shown == HEADINGS


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fits_80_columns_and_cuts_no_name(
    run: Run, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ended = run(command, "--help")
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert max(map(len, lines)) <= 80
    shown = {
        frozenset(found[1].split(", "))
        for line in lines
        if (found := re.match(r"  ((?:-\w, )?--[a-z-]+)(?: |$)", line))
    }
    assert {frozenset(words) for words in list_options(command)} <= shown
    assert "…" not in "".join(line[:32] for line in lines if line.startswith("  -"))


def test_options_of_long_commands_stand_in_groups(run: Run) -> None:
    headings = [
        line for line in run("train", "--help").out.splitlines() if line[-1:] == ":" and line[0] != " "
    ]
    assert headings == ["Arguments:", "Options:", "Labels:", "Clips:", "Network:", "Training:", "Machine:"]
    for command in COMMANDS:
        sizes, size = [], 0
        for line in run(command, "--help").out.splitlines():
            size = 0 if line.endswith(":") and line[0] != " " else size + line.startswith("  -")
            sizes.append(size)
        assert max(sizes) <= 9, f"{command}: a group of {max(sizes)} options is too long to be looked through"


def test_every_command_has_one_line_of_help_an_example_and_quiet() -> None:
    assert [command.callback.__name__ for command in app.registered_commands] == COMMANDS
    for command in app.registered_commands:
        lines = (command.callback.__doc__ or "").strip().splitlines()
        assert lines[0].endswith("."), command
        assert any(line.strip().startswith("Example: primatrix ") for line in lines), command
        for parameter in inspect.signature(command.callback, eval_str=True).parameters.values():
            (about,) = parameter.annotation.__metadata__
            assert about.help.endswith("."), parameter
        assert ["--quiet", "-q"] in list_options(command.callback.__name__)


def test_a_model_is_always_a_trained_models_folder_and_frames_a_number() -> None:
    for command in app.registered_commands:
        for name, parameter in inspect.signature(command.callback, eval_str=True).parameters.items():
            kind = str(parameter.annotation.__origin__)
            if name == "model":
                assert "Path" in kind, command
                assert "model" in parameter.annotation.__metadata__[0].help.lower()
            if name == "frames":
                assert "int" in kind, command


def test_the_version_is_said(run: Run) -> None:
    ended = run("--version")
    assert (ended.code, ended.out) == (0, f"primatrix {primatrix.__version__}\n")


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("primatrix ev", "evaluate"),
        ("primatrix train --arch", "--architecture"),
        ("primatrix predict --device cu", "cuda"),
    ],
)
def test_a_shell_completes_commands_options_and_words(line: str, wanted: str) -> None:
    code = "import sys; sys.argv = ['primatrix']; from primatrix.cli import main; main()"
    words = {
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split()) - 1),
        "_PRIMATRIX_COMPLETE": "complete_bash",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **words}, check=False
    )
    assert wanted in done.stdout.split(), done.stderr


def test_help_loads_no_table_no_array_and_no_network() -> None:
    code = (
        "import sys\n"
        "from primatrix.cli import app\n"
        f"for words in [[], *[[name] for name in {COMMANDS}]]:\n"
        "    app([*words, '--help'], standalone_mode=False)\n"
        "heavy = {'torch', 'numpy', 'pandas', 'pyarrow', 'scipy', 'yaml', 'av', 'PIL', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_bad_folders_and_models_stop_with_one_line(data: Path, model: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "empty").mkdir()
    build_model("lrcn", species=["ant", "bee"], spec=ClipSpec()).save(tmp_path / "other")
    of_model = ("--model", model)
    cases = [
        (("predict", tmp_path / "nowhere", *of_model), "nowhere: got no such folder, wanted a folder of videos"),
        (("predict", tmp_path / "empty", *of_model), "empty: got no video in it, wanted files ending in one of"),
        (("scan", tmp_path / "nowhere"), "got no such folder"),
        (("predict", data / "nano", *of_model, "--out", tmp_path / "p.csv"), "wanted a folder for the results"),
        (("predict", data / "nano", *of_model, "--site-from", "{site}/{file}"), "fits none of the 165 files"),
        (("predict", data / "nano", *of_model, "--store", tmp_path / "s"), "--store: got"),
        (("predict", data / "nano", *of_model, "--timezone", "Congo"), "timezone: got 'Congo', wanted a name as"),
        (("predict", data, "--model", tmp_path / "empty"), "empty: no model.json in it, so no whole model"),
        (("predict", data, "--model", tmp_path / "other"), "got a model for 2 species and data with 24"),
        (("train", tmp_path / "nowhere", "--labels", "x.csv"), "got no such folder"),
        (("score", data / "test_labels.csv", tmp_path / "p.csv"), "p.csv: no such file; wanted a CSV table"),
        (("simulate", tmp_path / "sim", "--sizes", "huge"), "--sizes: got 'huge', wanted some of nano, micro, raw"),
        (("pack", data, "--size", "16by16"), "--size: got '16by16', wanted HEIGHTxWIDTH"),
        (("train", data, "--architecture", "magic", "--out", tmp_path / "m"), "architecture: got 'magic'"),
    ]  # fmt: skip
    for words, message in cases:
        ended = run(*words)
        assert (ended.code, ended.out) == (2, ""), words
        assert ended.err.count("\n") == 1, ended.err
        assert message in ended.err


def test_the_whole_job_by_commands(data: Path, tmp_path: Path, run: Run) -> None:
    store = ("--store", tmp_path / "s", "--workers", 0)
    train = ("train", data, "--out", tmp_path / "lrcn", "--epochs", 1, "--steps", 2, "--batch-size", 8)
    ended = run(*train, "--validation-steps", 1, *store)
    assert ended.code in (0, 1)  # 1 where a broken clip was met on the way
    assert "epoch 1: loss 0." in ended.out

    submission = tmp_path / "submission.csv"
    predict = ("predict", data, "--model", tmp_path / "lrcn", "--out", submission, *store)
    ended = run(*predict, "--timezone", "UTC", "--per-frame")
    assert "primatrix: --timezone, --per-frame: not used, since this is a benchmark folder" in ended.err
    wanted = (data / "submission_format.csv").read_text().splitlines()
    got = submission.read_text().splitlines()
    assert got[0] == wanted[0]
    assert [line.split(",")[0] for line in got] == [line.split(",")[0] for line in wanted]
    table = pd.read_csv(submission, index_col="filename")
    assert ((table > 0) & (table < 1)).all().all()
    failures = tmp_path / "submission.failures.csv"
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


def test_a_file_in_the_way_is_one_line(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")

    def write() -> None:  # stands for any command that meets the file late
        (tmp_path / "file" / "folder").mkdir()

    program = importlib.import_module("primatrix.cli.program")  # the package has an `app` of its own
    monkeypatch.setattr(program, "app", write)
    ended = run("report")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.endswith("folder: Not a directory; choose another place, then run again\n")


def test_an_error_of_ours_that_has_several_lines_becomes_one(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise primatrix.InputError("a:\n  b")

    monkeypatch.setattr(importlib.import_module("primatrix.cli.program"), "app", fail)
    ended = run("train")
    assert (ended.code, ended.err) == (2, "primatrix: a: b\n")


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        (
            {"PYTHONIOENCODING": "cp1252"},
            "Gep\\u8c79rd.mp4,failed",
        ),  # asked for: what it does not know is escaped
        ({"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}, "Gep\u8c79rd.mp4,failed"),
    ],
)
def test_a_name_in_another_script_stops_no_command_whatever_the_encoding(
    settings: dict[str, str], wanted: str, tmp_path: Path
) -> None:
    code = (
        "from pathlib import Path\n"
        "from primatrix.footage import scan\n"
        "from primatrix.records import Video\n"
        "from primatrix.video import Search\n"
        "scan.search_folder = lambda *_, **__: Search((Video(Path('a.mp4'), 'Gep\\u8c79rd.mp4', 0, 0),), (), {})\n"
        "from primatrix.cli import main\n"
        "main()\n"
    )
    command = [sys.executable, "-c", code, "scan", str(tmp_path), "--workers", "0"]
    done = subprocess.run(command, capture_output=True, env={**os.environ, **settings}, check=False)
    assert wanted in done.stdout.decode("utf-8"), done.stderr
    assert done.returncode == 1
