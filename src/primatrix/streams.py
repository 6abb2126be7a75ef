"""Batches from any place of the endless streams that training reads."""

import itertools
from collections.abc import Iterator
from typing import Literal

from primatrix.errors import InputError
from primatrix.recipe import Batch, TrainingData, TrainSpec

__all__ = ["open_stream", "use_sampling"]

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


def use_sampling(data: TrainingData, *, spec: TrainSpec) -> None:
    """Have the data draw its clips as the spec says; InputError where it cannot."""
    if hasattr(data, "use_sampling"):
        data.use_sampling(spec.sampling)
    elif spec.sampling is not None:
        raise InputError(f"sampling: got {type(data).__name__}, which has no use_sampling; wanted a Dataset")
