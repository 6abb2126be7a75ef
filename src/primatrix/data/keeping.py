"""What a store keeps of each clip: its pixels, or something that is made of them."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from primatrix.records import Clip, ClipSpec

__all__ = ["Keeping", "Kept", "Pixels"]

Kept = NDArray[Any]  # Any: pixels, or numbers made of them


class Keeping(Protocol):
    """What is kept of clips: arrays of one `shape` and `dtype`, under a `key` that says all they depend on.

    `most_in_shard` are written at once, which is what a kill may cost.
    """

    spec: ClipSpec
    key: str
    shape: tuple[int, ...]
    dtype: DTypeLike
    most_in_shard: int

    def describe(self) -> dict[str, Any]:  # Any: JSON values of several types
        """What it is, as plain values."""

    def take(self, clips: Sequence[Clip]) -> Kept:
        """What is kept of these clips, (N, *shape)."""


class Pixels:
    """The clips as they are.

    >>> Pixels(ClipSpec(15, 16, 16)).shape
    (15, 16, 16, 1)
    """

    shape: tuple[int, ...]
    dtype: DTypeLike = np.uint8
    most_in_shard = 1024

    def __init__(self, spec: ClipSpec) -> None:
        self.spec, self.key, self.shape = spec, spec.key, spec.shape

    def describe(self) -> dict[str, Any]:  # Any: JSON values of several types
        """Nothing but the spec decides."""
        return {}

    def take(self, clips: Sequence[Clip]) -> Kept:
        """Their frames, uint8 (N, T, H, W, C)."""
        return np.stack([clip.frames for clip in clips])
