"""One worker process and the pipe to it: light to start, limited in memory, gone when its parent is."""

import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from time import monotonic
from types import ModuleType
from typing import Any, TypeAlias

from primatrix.memory import keep_freed_memory

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

__all__ = ["Answer", "Pipe", "Worker", "settle_memory", "start_worker"]

Pipe: TypeAlias = "connection.Connection[Any, Any]"  # Any: whatever can be pickled
Answer = Callable[[Any], Any]

START_LIMIT_SECONDS = 300.0  # importing from a slow network drive
GONE_LIMIT_SECONDS = 10.0
ASKING = ("SIGINT", "SIGTERM", "SIGHUP")  # Ctrl-C, a batch system and a closed terminal

_starting = threading.Lock()


class Worker:
    """A process that answers messages one at a time. `deadline` is when patience with it ends (monotonic)."""

    def __init__(self, process: BaseProcess, pipe: Pipe) -> None:
        self.process = process
        self.pipe = pipe
        self.ready = False
        self.deadline: float | None = monotonic() + START_LIMIT_SECONDS

    def send(self, message: Any) -> None:  # Any: whatever can be pickled
        """Give it something to answer. That it has died meanwhile shows at `receive`."""
        try:
            self.pipe.send(message)
        except OSError:
            return

    def receive(self) -> Any:  # Any: what the worker answered
        """Its next message ("ready" first), or None where it has died."""
        try:
            return self.pipe.recv()
        except (EOFError, OSError):
            return None

    def is_late(self) -> bool:
        """Whether its deadline is over and nothing it has sent waits to be read."""
        return self.deadline is not None and self.deadline <= monotonic() and not self.pipe.poll()

    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self.process.exitcode is not None

    def kill(self) -> None:
        """End it at once, whatever it does; `wait_gone` afterwards."""
        self.process.kill()

    def wait_gone(self) -> None:
        """Wait for its end after `kill`, and close the pipe."""
        self.process.join(GONE_LIMIT_SECONDS)
        self.pipe.close()

    def describe_exit(self) -> str:
        """How it ended: the signal's name or the exit code."""
        self.process.join(GONE_LIMIT_SECONDS)
        code = self.process.exitcode
        if code is not None and code < 0:
            return signal.Signals(-code).name
        return f"exit code {code}"


def start_worker(answer: Answer, *, memory_limit_bytes: int) -> Worker:
    """Start a process that answers each message by `answer(message)`; it sends "ready" once it runs.

    It may use `memory_limit_bytes` beyond what it has when ready (Linux). It is a new interpreter, not a
    fork, so it holds none of this process's memory, threads or open devices.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=_serve, args=(theirs, answer, memory_limit_bytes), name="primatrix-worker", daemon=True
    )
    try:
        with _main_hidden(), _interrupts_held(), _handlers_held():
            process.start()
    except BaseException:  # what was held back comes now
        if process.pid is not None:
            process.kill()
        raise
    theirs.close()
    return Worker(process, ours)


def _serve(pipe: Pipe, answer: Answer, memory_limit_bytes: int) -> None:
    """The life of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _limit_memory(memory_limit_bytes)
    settle_memory()
    try:
        pipe.send("ready")
        while True:
            pipe.send(answer(pipe.recv()))
            # Decoders lie in reference cycles with their pictures. Few, large objects: left alone, Python
            # would not look for them before a worker held some hundred MB (240 files of 1280x720 MJPEG: 480).
            gc.collect()
    except (EOFError, OSError):  # the parent closed the pipe
        return
    except MemoryError:
        os._exit(1)


def settle_memory() -> None:
    """Make this process one that decodes file after file, as a worker is.

    What is here now stays, so a collection looks at what came since and takes no time; freed pictures are kept for
    the next ones.
    """
    gc.collect()
    gc.freeze()
    keep_freed_memory()


def _end_with_parent() -> None:
    """Exit when the parent is gone, even in the middle of a picture: no orphan stays."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _limit_memory(limit_bytes: int) -> None:
    """Let this process grow by so much and no more, where the system can do that."""
    sizes = Path("/proc/self/statm")
    if resource is None or not sizes.exists():
        return
    used = int(sizes.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = used + limit_bytes
    resource.setrlimit(
        resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
    )


@contextmanager
def _main_hidden() -> Iterator[None]:
    """Keep a new interpreter from running the user's script again, so that no script needs a main guard.

    One thread at a time: two would put back each other's stand-in.
    """
    with _starting:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """A new process inherits the mask: Ctrl-C while it starts makes it print no traceback."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _handlers_held() -> Iterator[None]:
    """What this program's handlers do waits until the block is done: a process half begun prints a traceback.

    A mask does not see to that: the system hands a signal to any thread, and Python runs its handler in the main one.
    """
    if threading.current_thread() is not threading.main_thread():  # handlers run in that alone
        yield
        return
    numbers = [getattr(signal, name) for name in ASKING if hasattr(signal, name)]
    handlers = {number: signal.getsignal(number) for number in numbers}
    ours = {number: handler for number, handler in handlers.items() if callable(handler)}
    came: list[int] = []
    for number in ours:
        signal.signal(number, lambda number, frame: came.append(number))  # noqa: ARG005  # as handlers are called
    try:
        yield
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
        for number in came[:1]:
            ours[number](number, None)
