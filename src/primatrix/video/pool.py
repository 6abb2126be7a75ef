"""Many files worked on at once, each safe from the others: results in input order, one per input, always.

Every worker is a process with a pipe of its own, so that one that crashes, hangs or is killed takes no
lock and no message of another with it. Files travel in small batches; when a batch is lost, each of its
files is tried once more alone, and what then fails is a Failure of that file only.

Own code, not the library pebble, which was tried (5.2.3). It has a time limit for each task and tells whose process
died, on every system. It has no limit of memory and no second try, so that a crash costs the whole batch. Its `map`
reads all of its input before the first result. The pool breaks when an idle worker is killed. Workers in the middle of
a task outlive a parent that is killed, and a script without a main guard is run again in each. All of that would be
code around it, and the time limit is ten lines here.
"""

import logging
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from multiprocessing import connection
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar, cast

from primatrix.choices import Stage
from primatrix.errors import DecodeError, InputError, PrimatrixError
from primatrix.records import Clip, ClipSpec, Failure, Video
from primatrix.settings import check_least
from primatrix.video.decode import decode_clip
from primatrix.video.pointing import check_detector
from primatrix.video.reading import explain_reading, may_pass
from primatrix.video.worker import Pipe, Worker, start_worker

__all__ = [
    "Decode",
    "DecodePool",
    "FileItem",
    "FilePool",
    "PoolOptions",
    "allow_detector",
    "count_cores",
    "decode_clips",
    "run_safely",
]


class FileItem(Protocol):
    """A file to read or to make: where it is, its name in what is said of it, about how large it is."""

    @property
    def path(self) -> Path: ...  # noqa: D102  # said above

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def size_bytes(self) -> int: ...  # noqa: D102


Item = TypeVar("Item", bound=FileItem)
Result = TypeVar("Result")
Decode = Callable[..., Clip]  # called as decode_clip is: (path, spec, name=…)

BATCH_BYTES = 4 << 20  # of files: a second of decoding or less
# What a detector may cost: a large one takes 20 core-seconds a picture, and 3 GB (bench/decode/detector.md).
SECONDS_A_LOOK, DETECTOR_BYTES = 60.0, 4 << 30
BATCHES_PER_WORKER = 4  # worked on and not yet taken: bounds memory whatever the input
MOST_FAILED_STARTS = 3

_log = logging.getLogger(__name__)


def count_cores() -> int:
    """How many processor cores this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):  # a container or batch system may give fewer than there are
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """How files are worked on: by `workers` processes (0: in this one), and what one file may cost.

    `time_limit_seconds` holds for a file that is tried alone and for a batch; `memory_limit_bytes` is what a
    worker may use beyond what it needs to start (enforced on Linux). `batch` is the most files in a batch.
    InputError for numbers that cannot be.
    """

    workers: int = field(default_factory=count_cores)
    time_limit_seconds: float = 60.0
    memory_limit_bytes: int = 2 << 30
    batch: int = 32

    def __post_init__(self) -> None:
        check_least(self, workers=0, memory_limit_bytes=1, batch=1)
        if self.time_limit_seconds <= 0:
            raise InputError(f"time_limit_seconds: got {self.time_limit_seconds}, wanted more than 0")


def decode_clips(
    videos: Iterable[Video], spec: ClipSpec, *, options: PoolOptions | None = None
) -> Iterator[Clip | Failure]:
    """A Clip or a Failure for every video, in their order.

    >>> from pathlib import Path
    >>> absent = Video(Path("absent.mp4"), "absent.mp4", 0, 0)
    >>> [result.status for result in decode_clips([absent], ClipSpec(), options=PoolOptions(workers=0))]
    ['failed']
    """
    with DecodePool(spec, options=options) as pool:
        yield from pool.map(videos)


def run_safely(work: Callable[[Item], Result], item: Item) -> Result | Failure:
    """What the work makes of a file, or a Failure that says why there is nothing; never raises."""
    try:
        return work(item)
    except DecodeError as error:
        return Failure(item.name, error.stage, _one_line(error).removeprefix(f"{item.path}: "))
    except OSError as error:
        if may_pass(error):
            return Failure(item.name, "read", explain_reading(error))
        return Failure(item.name, "decode", f"{type(error).__name__}: {_one_line(error)}")
    except MemoryError:
        return Failure(item.name, "memory", "needs more memory than a worker may use")
    except Exception as error:  # noqa: BLE001 - the one place where a whole clip is isolated
        return Failure(item.name, "decode", f"{type(error).__name__}: {_one_line(error)}")


def _run_batch(work: Callable[[Item], Result], items: list[Item]) -> list[Result | Failure]:
    return [run_safely(work, item) for item in items]


def _decode_video(decode: Decode, spec: ClipSpec, video: Video) -> Clip:
    return decode(video.path, spec, name=video.name)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


@dataclass(slots=True, eq=False)
class _Batch(Generic[Item, Result]):
    """Files that travel together, and what has come back of them."""

    items: list[Item]
    results: list[Result | Failure | None]
    missing: int


@dataclass(slots=True, eq=False)
class _Task(Generic[Item, Result]):
    """Some files of a batch, by their places in it, for one worker. `alone` marks the second try."""

    batch: _Batch[Item, Result]
    places: list[int]
    alone: bool = False


class FilePool(Generic[Item, Result]):
    """Worker processes that do some work on files, videos or others, and stay for several calls of `map`.

    `work` is a function that can be pickled; it may raise DecodeError. Use the pool in a `with` statement.

    >>> with FilePool(len, options=PoolOptions(workers=0)) as pool:
    ...     list(pool.map([]))
    []
    """

    def __init__(self, work: Callable[[Item], Result], *, options: PoolOptions | None = None) -> None:
        self.options = options or PoolOptions()
        self._work = work
        self._workers: list[Worker] = []
        self._tasks: dict[Worker, _Task[Item, Result]] = {}
        self._queue: deque[_Task[Item, Result]] = deque()
        self._failed_starts = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop all workers at once; whatever they were doing is dropped."""
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.wait_gone()
        self._workers.clear()
        self._tasks.clear()
        self._queue.clear()

    def map(self, items: Iterable[Item]) -> Generator[Result | Failure, None, None]:
        """A result or a Failure for every file, in their order; reads `items` only as far as needed."""
        if self.options.workers == 0:
            yield from (run_safely(self._work, item) for item in items)
            return
        batches: Iterator[_Batch[Item, Result]] = _make_batches(items, self.options.batch)
        waiting: deque[_Batch[Item, Result]] = deque()
        try:
            while True:
                room = self.options.workers * BATCHES_PER_WORKER - len(waiting)
                for batch in islice(batches, room):
                    waiting.append(batch)
                    self._queue.append(_Task(batch, list(range(len(batch.items)))))
                if not waiting:
                    return
                while waiting[0].missing:
                    self._advance()
                yield from cast(list[Result | Failure], waiting.popleft().results)
        finally:
            self._drop_unfinished()

    def _drop_unfinished(self) -> None:
        """After a map that was not read to its end: what is still being worked on is wanted no more."""
        self._queue.clear()
        for worker in list(self._tasks):
            self._remove(worker)

    def _advance(self) -> None:
        """Hand out tasks, then wait for whichever comes first: a result, a death or a time limit."""
        self._hand_out()
        deadlines = [worker.deadline for worker in self._workers if worker.deadline is not None]
        wait_seconds = max(0.0, min(deadlines) - monotonic()) if deadlines else None
        of_pipe = {worker.pipe: worker for worker in self._workers}
        for pipe in connection.wait(list(of_pipe), timeout=wait_seconds):
            self._receive(of_pipe[cast(Pipe, pipe)])
        for worker in [worker for worker in self._workers if worker.is_late()]:
            self._lose(worker, "time limit", f"not done after {self.options.time_limit_seconds:g} s")

    def _hand_out(self) -> None:
        """Start workers while there is more to do than hands to do it, and give each idle one a task.

        One that died while it was idle gets none: it would count against the file.
        """
        for worker in [
            worker for worker in self._workers if worker not in self._tasks and worker.has_ended()
        ]:
            self._lose(worker, "worker", f"the worker process died ({worker.describe_exit()})")
        while len(self._workers) < min(self.options.workers, len(self._queue) + len(self._tasks)):
            answer = partial(_run_batch, self._work)
            self._workers.append(start_worker(answer, memory_limit_bytes=self.options.memory_limit_bytes))
        for worker in self._workers:
            if self._queue and worker not in self._tasks:
                task = self._tasks[worker] = self._queue.popleft()
                worker.send([task.batch.items[place] for place in task.places])
                self._start_clock(worker)

    def _start_clock(self, worker: Worker) -> None:
        if worker.ready:  # the start has a limit of its own
            worker.deadline = monotonic() + self.options.time_limit_seconds

    def _receive(self, worker: Worker) -> None:
        """Take what the worker has sent: that it is ready, or its results; or find that it has died."""
        message = worker.receive()
        if message is None:
            return self._lose(worker, "worker", f"the worker process died ({worker.describe_exit()})")
        if message == "ready":
            self._failed_starts = 0
            worker.ready = True
            return self._start_clock(worker)
        task = self._tasks.pop(worker)
        worker.deadline = None
        retries = []
        for place, result in zip(task.places, cast(list[Result | Failure], message), strict=True):
            if task.alone or not isinstance(result, Failure):
                self._settle(task.batch, place, result)
            else:
                retries.append(_Task(task.batch, [place], alone=True))
        self._queue.extendleft(reversed(retries))
        return None

    def _lose(self, worker: Worker, stage: Stage, reason: str) -> None:
        """A worker is gone or must go: its files are tried once more, each alone, or have failed."""
        task = self._tasks.get(worker)
        if not worker.ready:
            self._failed_starts += 1
        self._remove(worker)
        if self._failed_starts >= MOST_FAILED_STARTS:
            raise PrimatrixError(
                f"worker processes die as they start: {reason}; "
                "use workers=0 to do without them, and look at the message above"
            )
        if task is None:
            return
        _log.info("%s: %s: %s", ", ".join(task.batch.items[p].name for p in task.places), stage, reason)
        if not worker.ready:
            self._queue.appendleft(task)
        elif task.alone:
            name = task.batch.items[task.places[0]].name
            self._settle(task.batch, task.places[0], Failure(name, stage, reason))
        else:
            self._queue.extendleft(_Task(task.batch, [place], alone=True) for place in reversed(task.places))

    def _settle(self, batch: _Batch[Item, Result], place: int, result: Result | Failure) -> None:
        batch.results[place] = result
        batch.missing -= 1

    def _remove(self, worker: Worker) -> None:
        self._tasks.pop(worker, None)
        self._workers.remove(worker)
        worker.kill()
        worker.wait_gone()


def allow_detector(options: PoolOptions | None, spec: ClipSpec) -> PoolOptions:
    """The options with time and memory for a detector, where the spec asks for one; ModelError where it is not here."""
    check_detector(spec)
    options = options or PoolOptions()
    if not spec.detector:
        return options
    seconds = options.time_limit_seconds + SECONDS_A_LOOK * spec.looks
    return replace(
        options,
        time_limit_seconds=seconds,
        memory_limit_bytes=options.memory_limit_bytes + DETECTOR_BYTES,
        batch=1,
    )


class DecodePool(FilePool[Video, Clip]):
    """Worker processes that decode videos to clips of one spec.

    >>> with DecodePool(ClipSpec(), options=PoolOptions(workers=0)) as pool:
    ...     list(pool.map([]))
    []
    """

    def __init__(
        self, spec: ClipSpec, *, options: PoolOptions | None = None, decode: Decode = decode_clip
    ) -> None:
        super().__init__(partial(_decode_video, decode, spec), options=allow_detector(options, spec))
        self.spec = spec


def _make_batches(items: Iterable[Item], most: int) -> Iterator[_Batch[Item, Result]]:
    """Neighbours together until they are many or large."""
    batch: list[Item] = []
    size_bytes = 0
    for item in items:
        batch.append(item)
        size_bytes += item.size_bytes
        if len(batch) >= most or size_bytes >= BATCH_BYTES:
            yield _Batch(batch, [None] * len(batch), len(batch))
            batch, size_bytes = [], 0
    if batch:
        yield _Batch(batch, [None] * len(batch), len(batch))
