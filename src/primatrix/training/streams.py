"""Batches from any place of the endless streams that training reads, made ready ahead where that helps."""

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Literal, TypeVar

from primatrix.errors import InputError
from primatrix.training.recipe import Batch, TrainingData, TrainSpec

__all__ = ["open_stream", "prepare_ahead", "use_sampling"]

Raw = TypeVar("Raw")
Ready = TypeVar("Ready")
SEEKS = {"batches": "seek", "val_batches": "seek_val"}


def open_stream(
    data: TrainingData, kind: Literal["batches", "val_batches"], *, start: int, rank: int = 0, size: int = 1
) -> Iterator[Batch]:
    """The endless batches of one kind: from number `start`, every `size`-th of them beginning with the `rank`-th.

    Data that can seek is asked to; else batches already used are drawn again and dropped.

    >>> class Numbers:
    ...     def batches(self):
    ...         yield from range(100)
    >>> list(itertools.islice(open_stream(Numbers(), "batches", start=10, rank=1, size=3), 3))
    [11, 14, 17]
    """
    seek = getattr(data, SEEKS[kind], None)
    if seek is None:
        return itertools.islice(getattr(data, kind)(), start + rank, None, size)
    if size > 1:
        return draw_strided(data, kind, start=start + rank, size=size)
    seek(start)
    batches: Iterator[Batch] = getattr(data, kind)()
    return batches


def draw_strided(data: TrainingData, kind: str, *, start: int, size: int) -> Iterator[Batch]:
    """Batches number start, start + size, ..., each sought so that none between is read."""
    for number in itertools.count(start, size):
        getattr(data, SEEKS[kind])(number)
        yield next(getattr(data, kind)())


def prepare_ahead(
    items: Iterable[Raw], prepare: Callable[[Raw], Ready], *, ahead: int, threads: int = 1
) -> Generator[Ready]:
    """Each item made ready, in order: up to `ahead` of them by `threads` while the caller uses the one before.

    Items are drawn by the caller's own thread, up to `ahead` more than it has used. With `ahead` 0 there is no other
    thread. What goes wrong is raised where its item would have come; closing the iterator waits for those begun.

    >>> list(prepare_ahead(range(4), lambda n: n * n, ahead=2, threads=2))
    [0, 1, 4, 9]
    """
    if not ahead:
        yield from map(prepare, items)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="prepare") as pool:
        waiting: deque[Future[Ready]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(prepare, item))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def use_sampling(data: TrainingData, *, spec: TrainSpec) -> None:
    """Have the data draw its clips as the spec says; InputError where it cannot."""
    if hasattr(data, "use_sampling"):
        data.use_sampling(spec.sampling)
    elif spec.sampling is not None:
        raise InputError(f"sampling: got {type(data).__name__}, which has no use_sampling; wanted a Dataset")
