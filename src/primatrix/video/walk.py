"""Videos walked in windows, many at once in worker processes: what a file is, and the frames of each of its windows.

A long video comes in parts (see `parts`), so that memory does not grow with its length.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from primatrix.records import ClipSpec, Failure, Video
from primatrix.video.parts import Part, PartReader, Sequel, Start, TimesLie, Windows
from primatrix.video.pool import FilePool, PoolOptions, allow_detector
from primatrix.video.probe import VideoFacts

__all__ = ["Walk", "walk_videos"]

MOST_WINDOWS_AT_ONCE = (
    16  # four minutes of video: decoded within the time limit even at 1080p on one slow core
)
MOST_BYTES_AT_ONCE = 32 << 20
TIME_LIMIT_SECONDS = 300.0

Result: TypeAlias = Start | Windows | TimesLie
Pool: TypeAlias = FilePool[Part, Result]


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """Some windows of a video, those from number `first` on.

    `window_count` is of the whole video. `frames` uint8 (w, T, H, W, C), `pts_seconds` (w, T) and of close-ups `boxes`
    (w, T, 5) are those of this part; `is_last`: no part follows. `note` says what could not be read, `may_pass` that
    the disk failed and not the file.
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
    boxes: NDArray[np.float32] | None = None


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
    reader = PartReader(
        spec, window_seconds=window_seconds, most_windows=MOST_WINDOWS_AT_ONCE, most_bytes=MOST_BYTES_AT_ONCE
    )
    options = allow_detector(options, spec)
    alone = replace(options, batch=1)
    with ExitStack() as stack:
        stack.callback(reader.close)  # which has read by itself where there are no workers
        # Three pools: map() of one cannot be asked for more while it is being read. Workers start when needed. Only
        # one goes on where it stopped, so that it is the one that holds the file open.
        starts = stack.enter_context(Pool(reader, options=options))
        passages = stack.enter_context(Pool(reader, options=alone))
        sequels = stack.enter_context(Pool(reader, options=replace(alone, workers=min(1, options.workers))))
        waiting: deque[Video] = deque()
        for result in starts.map(_take_up(videos, waiting)):
            video = waiting.popleft()
            if isinstance(result, Start):
                yield _show(video, result, result.windows, first=0, is_last=not result.rest)
                yield from _read_rest(video, result, passages, sequels)
            elif isinstance(result, Failure):
                yield result


def _take_up(videos: Iterable[Video], waiting: deque[Video]) -> Iterator[Part]:
    """Each video as a part that is all of it; `waiting` are those taken up and not yet shown."""
    for video in videos:
        waiting.append(video)
        yield _make_part(video)


def _make_part(video: Video, *, first: int = 0, in_order: bool = False, damage: str = "") -> Part:
    return Part(
        video.path, video.name, video.size_bytes, video.mtime_ns, video.stamp,
        first=first, in_order=in_order, damage=damage,
    )  # fmt: skip


def _read_rest(video: Video, start: Start, passages: Pool, sequels: Pool) -> Iterator[Walk]:
    """The parts after the first one; where a part's times lie, all from there on anew."""
    parts = start.rest
    while parts:
        pool = passages if parts[0].content and not isinstance(parts[0].content, Sequel) else sequels
        left: tuple[Part, ...] = ()
        with closing(pool.map(parts)) as results:
            for part, result in zip(parts, results, strict=False):  # closed early where times lie
                if isinstance(result, TimesLie):
                    left = (_make_part(video, first=part.first, in_order=True, damage=result.damage),)
                    break
                if isinstance(result, Start):
                    left = result.rest
                    yield _show(video, result, result.windows, first=part.first, is_last=not left)
                elif isinstance(result, Windows):
                    stop = part.first + part.count
                    whole = replace(start, note="", may_pass=False)
                    yield _show(video, whole, result, first=part.first, is_last=stop == start.window_count)
                else:
                    yield _lose(video, start, part, result)
        parts = left


def _show(video: Video, start: Start, windows: Windows, *, first: int, is_last: bool) -> Walk:
    return Walk(
        video, start.facts, start.window_count, first, windows.frames, windows.pts_seconds, is_last,
        start.note, start.may_pass, windows.boxes,
    )  # fmt: skip


def _lose(video: Video, start: Start, part: Part, failure: Failure) -> Walk:
    """A part that could not be read, or all that was left."""
    seconds = start.facts.duration_seconds / start.window_count
    stop = part.first + part.count if part.content else start.window_count
    note = f"{part.first * seconds:.0f} to {stop * seconds:.0f} s not readable: {failure.reason}"
    read = start.windows
    nothing = Windows(read.frames[:0], read.pts_seconds[:0], None if read.boxes is None else read.boxes[:0])
    lost = replace(start, note=note, may_pass=failure.may_pass)
    return _show(video, lost, nothing, first=part.first, is_last=stop == start.window_count)
