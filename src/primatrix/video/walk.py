"""Videos walked in windows, many at once in worker processes: what a file is, and the frames of each of its windows.

A long video comes in parts of a few windows, so that memory does not grow with its length. The parts after the first
open the file anew; in containers whose times are not to be trusted each part decodes it from the start.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from primatrix.records import ClipSpec, Failure, Video
from primatrix.video.decode import decode_clip
from primatrix.video.pool import FilePool, PoolOptions
from primatrix.video.probe import VideoFacts, probe_video
from primatrix.video.windows import choose_in_windows, plan_windows

__all__ = ["Walk", "walk_videos"]

MOST_WINDOWS_AT_ONCE = (
    16  # four minutes of video: decoded within the time limit even at 1080p on one slow core
)
MOST_BYTES_AT_ONCE = 32 << 20
TIME_LIMIT_SECONDS = 300.0


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """Some windows of a video, those from number `first` on.

    `window_count` is of the whole video, `frames` uint8 (w, T, H, W, C) and `pts_seconds` (w, T) are those of this
    part; `is_last`: no part follows. `note` says what could not be read, `may_pass` that the disk failed and not the
    file.
    """

    video: Video
    facts: VideoFacts
    window_count: int
    first: int
    frames: NDArray[np.uint8]
    pts_seconds: NDArray[np.float64]
    is_last: bool
    note: str = ""
    may_pass: bool = False


@dataclass(frozen=True, slots=True)
class _Part(Video):
    """A video to be read from one of its windows on."""

    first: int = 0


def walk_videos(
    videos: Iterable[Video], spec: ClipSpec, *, window_seconds: float, workers: int | None = None
) -> Iterator[Walk | Failure]:
    """For every video, in order: its parts, the last one marked, or one Failure.

    A later part that cannot be read is there with no frames and a note: what was read before it stands.

    >>> list(walk_videos([], ClipSpec(), window_seconds=15, workers=0))
    []
    """
    options = PoolOptions(time_limit_seconds=TIME_LIMIT_SECONDS)
    if workers is not None:
        options = replace(options, workers=workers)
    most = max(1, min(MOST_WINDOWS_AT_ONCE, MOST_BYTES_AT_ONCE // math.prod(spec.shape)))
    work = partial(_read_part, spec, window_seconds, most)
    # Two pools: map() of one cannot be asked for more while it is being read. The second starts only when needed.
    with FilePool(work, options=options) as pool, FilePool(work, options=options) as pool_of_rest:
        for result in pool.map(_make_part(video, first=0) for video in videos):
            yield result
            if isinstance(result, Walk) and not result.is_last:
                yield from _read_rest(result, pool_of_rest)


def _make_part(video: Video, *, first: int) -> _Part:
    return _Part(video.path, video.name, video.size_bytes, video.mtime_ns, video.stamp, first)


def _read_rest(start: Walk, pool: FilePool[_Part, Walk]) -> Iterator[Walk]:
    """The parts after the first one."""
    step = len(start.frames)
    firsts = range(step, start.window_count, step)
    parts = [_make_part(start.video, first=first) for first in firsts]
    for first, result in zip(firsts, pool.map(parts), strict=True):
        if isinstance(result, Walk):
            yield result
        else:
            seconds = start.facts.duration_seconds / start.window_count
            last = min(first + step, start.window_count)
            note = f"{first * seconds:.0f} to {last * seconds:.0f} s not readable: {result.reason}"
            lost = replace(start, frames=start.frames[:0], pts_seconds=start.pts_seconds[:0], note=note)
            yield replace(lost, first=first, is_last=first == firsts[-1], may_pass=result.may_pass)


def _read_part(spec: ClipSpec, window_seconds: float, most: int, part: _Part) -> Walk:
    """Facts and the frames of at most so many windows, in a worker. Raises DecodeError."""
    facts, first = probe_video(part.path), part.first
    windows = plan_windows(facts.duration_seconds, window_seconds=window_seconds)
    stop = min(first + most, len(windows))
    choose = partial(choose_in_windows, spec, windows, part=range(first, stop))
    clip = decode_clip(part.path, spec, name=part.name, choose=choose)
    frames = clip.frames.reshape(-1, *spec.shape)  # (w * T, H, W, C) -> (w, T, H, W, C)
    pts_seconds = clip.pts_seconds.reshape(len(frames), spec.frames)
    return Walk(
        part,
        facts,
        len(windows),
        first,
        frames,
        pts_seconds,
        is_last=stop == len(windows),
        note=clip.note,
        may_pass=clip.may_pass,
    )
