"""Commands stopped while they work, as a terminal and a batch system do it: real processes, real signals."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from primatrix.cli.stopping import Stopped, describe_stop, hearing_signals
from primatrix.data import Store
from primatrix.models import build_model
from primatrix.records import ClipSpec

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")

Run = Callable[..., Any]  # Any: conftest's Ended
CODES = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@contextmanager
def started(*words: object) -> Iterator[subprocess.Popen[str]]:
    """The program in a process group of its own that hears Ctrl-C, even where the tests run in the background."""
    running = subprocess.Popen(
        [sys.executable, "-m", "primatrix", *map(str, words)], stdout=-1, stderr=-1, text=True,
        start_new_session=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


def stop_when_there(path: Path, words: tuple[object, ...], number: signal.Signals) -> tuple[int, str]:
    """Start a command and stop it once a file is there: its exit code, and what it said on stderr."""
    with started(*words) as running:
        until = time.monotonic() + 60
        while not path.exists() and running.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        assert running.poll() is None
        if number == signal.SIGINT:
            os.killpg(running.pid, number)  # as a terminal does: to the program and its workers
        else:
            running.send_signal(number)
        err = running.communicate(timeout=60)[1]
        return running.returncode, err


@pytest.fixture
def many(make_video: Callable[..., Path], copy_avi: Callable[..., Path], tmp_path: Path) -> Path:
    """Footage that takes a while: 120 small clips of two species."""
    folder = tmp_path / "footage"
    folder.mkdir()
    first = make_video(tmp_path / "first.avi", frames=40, size=(64, 64), codec="mpeg4")
    for i in range(120):
        copy_avi(first, folder / f"{i:03}.avi", number=i)
    rows = [f"{i:03}.avi,{('hog', 'duiker')[i % 2]}" for i in range(24)]
    (tmp_path / "labels.csv").write_text("\n".join(["filepath,label", *rows]) + "\n")
    return folder


def check_stopped_and_goes_on(
    words: tuple[object, ...], *, there: Path, number: signal.Signals, code: int
) -> str:
    told = stop_when_there(there, words, number)
    assert told == (code, "primatrix: stopped; the same command goes on from here\n")
    with started(*words) as again:
        out, err = again.communicate(timeout=120)
        assert (again.returncode, err) == (0, ""), err
    return out


@pytest.mark.parametrize(("number", "code"), CODES)
def test_training_that_is_stopped_says_so_and_goes_on(
    many: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    out = tmp_path / "model"
    words = ("train", many, "--labels", tmp_path / "labels.csv", "--architecture", "lrcn", "--epochs", 2,
             "--steps", 60, "--set", "checkpoint_steps=5", "--out", out, "--store", tmp_path / "store", "--workers", 1,
             "--frames", 2, "--batch-size", 4, "-q")  # fmt: skip
    text = check_stopped_and_goes_on(words, there=out / "training.safetensors", number=number, code=code)
    assert "epoch 2: loss" in text


@pytest.mark.parametrize(("number", "code"), CODES)
def test_packing_that_is_stopped_says_so_and_goes_on(
    many: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    store = tmp_path / "store"
    words = ("pack", many, "--store", store, "--workers", 2, "-q")
    place = Store(store, ClipSpec(15, 16, 16)).folder
    text = check_stopped_and_goes_on(words, there=place / "lock", number=number, code=code)
    assert "120 whole" in text


@pytest.mark.parametrize(("number", "code"), CODES)
def test_a_prediction_that_is_stopped_says_so_and_goes_on(
    many: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    build_model("lrcn", species=["blank", "duiker", "hog"], spec=ClipSpec(2, 16, 16)).save(tmp_path / "model")
    out = tmp_path / "results"
    words = ("predict", many, "--model", tmp_path / "model", "--out", out, "--workers", 2, "-q")
    check_stopped_and_goes_on(words, there=out / ".answers" / "lock", number=number, code=code)
    assert len((out / "predictions.csv").read_text().splitlines()) == 121
    assert list(out.glob(".*.part")) == []


def test_what_the_program_was_told_to_ignore_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with hearing_signals():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) not in (signal.SIG_DFL, signal.SIG_IGN)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_first_signal_stops_and_those_after_it_disturb_no_cleaning_up() -> None:
    before, cleaned = signal.getsignal(signal.SIGTERM), []

    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        finally:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)
            cleaned.append(True)

    with pytest.raises(Stopped) as caught, hearing_signals():
        work()
    assert (caught.value.exit_code, cleaned) == (143, [True])
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pack", "footage"], "stopped; the same command goes on from here"),
        (["-q", "predict", "footage"], "stopped; the same command goes on from here"),
        (["scan", "footage"], "stopped; the same command begins anew"),
        ([], "stopped; the same command begins anew"),
    ],
)
def test_it_is_said_whether_the_same_command_goes_on(words: list[str], said: str) -> None:
    assert describe_stop(words) == said
