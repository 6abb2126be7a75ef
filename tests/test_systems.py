"""What works here works on Windows and macOS, as far as reading and emulation can show."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WINDOWS = Path(__file__).parent / "windows"
RULES = pytest.mark.skipif(sys.platform != "linux", reason="Windows is stood in for on Linux, by its /proc")

JOB = """
from typer.testing import CliRunner
from primatrix.cli import app

def run(*words):
    done = CliRunner().invoke(app, list(map(str, words)))
    ended = done.exception is None or isinstance(done.exception, SystemExit)
    assert ended and done.exit_code < 2, (words, done.output, done.exception)  # 1: two files are broken

if __name__ == "__main__":
    nano = "data/nano"
    alone = ("--workers", 0)
    predict = ("predict", nano, *alone, "--model", "m", "--out", "results", "--per-frame")
    run("simulate", "data", "--train", 12, "--test", 6, "--broken", 2, *alone)
    run("scan", nano, "--out", "scan.csv")
    run("downsample", nano, "small", *alone)
    run("downsample", nano, "small", *alone)
    run("pack", nano, "--store", "kept", *alone)
    run("pack", nano, "--store", "kept", *alone)
    run("train", "data", "--out", "m", "--epochs", 1, "--steps", 2, "--batch-size", 4, *alone)
    run("train", "data", "--out", "m", "--epochs", 2, "--steps", 2, "--batch-size", 4, *alone)
    run("predict", "data", "--model", "m", "--out", "submission.csv", *alone)
    run(*predict)
    run(*predict)
    run("evaluate", "data/test_labels.csv", "submission.csv", "--out", "evaluation")
    run("calibrate", "m", "data/test_labels.csv", "submission.csv")
    run(*predict)
    run("report", "results", "--videos", nano, "--out", "report.html")
    run("report", "results", "--videos", nano, "--out", "report.html")
    for to, name in (("csv", "a.csv"), ("long-csv", "b.csv"), ("megadetector", "c.json"), ("speciesnet", "d.json")):
        run("export", "results", "--to", to, "--out", name)
        run("export", "results", "--to", to, "--out", name)
"""


@RULES
def test_the_whole_job_breaks_no_rule_of_windows(tmp_path: Path) -> None:
    done = run_ruled(JOB, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]


@RULES
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("open('a:b', 'w')", "Windows knows no such name"),
        ("import os; os.mkdir('Aux.d')", "Windows knows no such name"),
        ("import os; file = open('a', 'w'); os.replace('a', 'b')", "used by this process"),
        ("import numpy as np, os; x = np.memmap('a', mode='w+', shape=9); os.remove('a')", "used by this process"),
        ("import os; open('a', 'w').close(); a = open('a'); os.fsync(a.fileno())", "flushes only what may be written"),
    ],
)  # fmt: skip
def test_the_rules_are_kept(code: str, message: str, tmp_path: Path) -> None:
    done = run_ruled(code, tmp_path)
    assert message in done.stderr.splitlines()[-1]


def run_ruled(code: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run Python code in a folder where Windows' rules hold."""
    script = folder / "job.py"
    script.write_text(code, encoding="utf-8")
    path = os.pathsep.join([str(WINDOWS), *filter(None, [os.environ.get("PYTHONPATH")])])
    rules = {"RULED_FOLDER": str(folder), "PYTHONPATH": path, "PYTHONWARNDEFAULTENCODING": "1"}
    return subprocess.run(
        [sys.executable, script], cwd=folder, env={**os.environ, **rules}, capture_output=True, text=True,
        timeout=600, check=False,
    )  # fmt: skip


def test_doors_are_read_right_in_any_encoding() -> None:
    # lazy_loader reads them in the system's own.
    for door in (ROOT / "src").rglob("*.pyi"):
        assert door.read_text(encoding="utf-8").isascii(), door
