"""Which frames of a clip are taken: plain functions from a list of frames to indices into it.

One policy for short clips, whatever the sampler: frames are repeated in order, so the clip never wraps
around and never holds a black frame. `sample_uniform` does that by its formula (2 frames asked for as 4
give 0 0 1 1); `sample_per_second` repeats the last frame once the clip is over.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence

from primatrix.records import Sampler

__all__ = [
    "SAMPLERS",
    "TIME_TOLERANCE_SECONDS",
    "choose_frames",
    "sample_keyframes",
    "sample_per_second",
    "sample_uniform",
]

# Times are floats made from fractions: 25 frames of 1/25 s may come to 0.99999… s, which is meant as 1 s.
TIME_TOLERANCE_SECONDS = 1e-6


def sample_uniform(count: int, frames: int) -> list[int]:
    """The middle frame of each of `frames` equal segments of a clip of `count` frames.

    >>> sample_uniform(30, 5)
    [3, 9, 15, 21, 27]
    >>> sample_uniform(2, 4)
    [0, 0, 1, 1]
    """
    return [(2 * i + 1) * count // (2 * frames) for i in range(frames)]


def sample_per_second(pts_seconds: Sequence[float], frames: int) -> list[int]:
    """The frame on display 0, 1, 2 … seconds after the first; the last one again once the clip is over.

    `pts_seconds` rises; its first value need not be 0.

    >>> sample_per_second([0.0, 0.5, 1.0, 1.5], 3)
    [0, 2, 3]
    """
    start = pts_seconds[0] + TIME_TOLERANCE_SECONDS
    return [bisect_right(pts_seconds, start + second) - 1 for second in range(frames)]


def sample_keyframes(count: int, frames: int, *, keyframes: Sequence[int]) -> list[int]:
    """The keyframe nearest to each frame `sample_uniform` would take (the earlier of two as near).

    `keyframes` are rising indices; without any, the result is `sample_uniform`'s. Many times cheaper to
    decode than `sample_uniform` where keyframes are rare, and coarser for the same reason.

    >>> sample_keyframes(100, 4, keyframes=[0, 50])
    [0, 50, 50, 50]
    """
    targets = sample_uniform(count, frames)
    return [_nearest(keyframes, target) for target in targets] if keyframes else targets


def choose_frames(
    sampler: Sampler, frames: int, *, pts_seconds: Sequence[float], keyframes: Sequence[int]
) -> list[int]:
    """Indices of the frames that a sampler takes from a clip with these times and keyframes.

    >>> choose_frames("uniform", 2, pts_seconds=[0.0, 0.1, 0.2, 0.3], keyframes=[0])
    [1, 3]
    """
    return SAMPLERS[sampler](frames, pts_seconds, keyframes)


def _nearest(keyframes: Sequence[int], target: int) -> int:
    after = bisect_left(keyframes, target)
    around = keyframes[max(after - 1, 0) : after + 1]
    return min(around, key=lambda index: abs(index - target))


SAMPLERS: dict[str, Callable[[int, Sequence[float], Sequence[int]], list[int]]] = {
    "uniform": lambda frames, pts_seconds, _: sample_uniform(len(pts_seconds), frames),
    "per_second": lambda frames, pts_seconds, _: sample_per_second(pts_seconds, frames),
    "keyframes": lambda frames, pts_seconds, keyframes: sample_keyframes(
        len(pts_seconds), frames, keyframes=keyframes
    ),
}
