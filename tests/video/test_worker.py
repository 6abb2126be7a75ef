import math
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from primatrix.video.worker import Worker, start_worker

posix = pytest.mark.skipif(os.name != "posix", reason="signals")


@contextmanager
def working(answer: Callable[[Any], Any], *, memory_limit_bytes: int = 1 << 30) -> Iterator[Worker]:
    """A worker that has said it is ready; it is gone afterwards."""
    worker = start_worker(answer, memory_limit_bytes=memory_limit_bytes)
    try:
        assert worker.receive() == "ready"
        yield worker
    finally:
        worker.kill()
        worker.wait_gone()
        assert not worker.process.is_alive()


def test_a_worker_says_it_is_ready_and_answers_one_message_after_the_other() -> None:
    with working(math.sqrt) as worker:
        worker.send(9.0)
        assert worker.receive() == 3.0
        worker.send(16.0)
        worker.send(25.0)
        assert (worker.receive(), worker.receive()) == (4.0, 5.0)
        assert worker.process.pid != os.getpid()


def test_a_worker_that_ends_gives_none_and_says_how_it_ended() -> None:
    with working(os._exit) as worker:
        worker.send(3)
        assert worker.receive() is None
        assert worker.describe_exit() == "exit code 3"
        worker.send(4)  # goes nowhere, and raises nothing
        assert worker.receive() is None


@posix
def test_a_worker_that_is_killed_says_by_which_signal() -> None:
    with working(time.sleep) as worker:
        worker.send(60)
        worker.kill()
        assert worker.receive() is None
        assert worker.describe_exit() == "SIGKILL"


def test_a_worker_is_late_when_its_time_is_over_and_nothing_waits_to_be_read() -> None:
    with working(math.sqrt) as worker:
        worker.deadline = time.monotonic() - 1
        assert worker.is_late()
        worker.deadline = time.monotonic() + 60
        assert not worker.is_late()
        worker.deadline = None
        assert not worker.is_late()
        worker.deadline = time.monotonic() - 1
        worker.send(9.0)
        while not worker.pipe.poll():
            time.sleep(0.01)
        assert not worker.is_late()  # the answer came in time enough


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process")
def test_a_worker_may_use_so_much_memory_and_no_more() -> None:
    with working(bytes, memory_limit_bytes=300 << 20) as worker:
        worker.send(100 << 20)
        assert len(worker.receive()) == 100 << 20
        worker.send(400 << 20)
        assert worker.receive() is None
        assert worker.describe_exit() == "exit code 1"


@posix
def test_ctrl_c_is_not_for_the_worker() -> None:
    with working(math.sqrt) as worker:
        assert worker.process.pid is not None
        os.kill(worker.process.pid, signal.SIGINT)
        worker.send(9.0)
        assert worker.receive() == 3.0


def test_a_worker_ends_when_its_pipe_is_closed() -> None:
    with working(math.sqrt) as worker:
        worker.pipe.close()
        worker.process.join(10)
        assert worker.process.exitcode == 0


def test_starting_a_worker_leaves_the_users_script_as_it_is() -> None:
    code = (
        "import sys, math; from primatrix.video.worker import start_worker; mine = sys.modules['__main__']\n"
    )
    code += "worker = start_worker(math.sqrt, memory_limit_bytes=1 << 30); print(worker.receive())\n"
    code += "print(sys.modules['__main__'] is mine); worker.kill(); worker.wait_gone()"
    done = subprocess.run([sys.executable, "-"], input=code, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("ready\nTrue\n", "")


def test_settling_leaves_nothing_old_to_be_collected_again() -> None:
    code = "import gc; from primatrix.video.worker import settle_memory\n"
    code += "settle_memory(); print(gc.get_freeze_count() > 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("True\n", "")


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_worker_starts_waits_until_it_is_whole_and_then_ends_it(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """Else the worker, whose first message never comes whole, prints a traceback."""
    kind, started = multiprocessing.get_context("spawn").Process, []
    start = kind.start

    def start_interrupted(process: multiprocessing.process.BaseProcess) -> None:
        other = threading.Thread(target=os.kill, args=(os.getpid(), number))
        other.start()  # as the system does, which hands a signal to whichever thread does not mask it
        other.join()
        time.sleep(0.05)
        start(process)
        started.append(process)

    class AskedToEndError(Exception):
        pass

    def end(number: int, frame: object) -> None:
        raise AskedToEndError

    monkeypatch.setattr(kind, "start", start_interrupted)
    before = signal.signal(number, end)
    try:
        with pytest.raises(AskedToEndError):
            start_worker(math.sqrt, memory_limit_bytes=1 << 30)
    finally:
        signal.signal(number, before)
    (process,) = started
    process.join(10)
    assert process.exitcode == -signal.SIGKILL
