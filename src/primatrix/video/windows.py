"""Long clips walked in windows of about the length a model was trained on.

A clip is cut into equal windows without overlap, as few as keep each at or under 1¼ of the trained length: 15 s gives
one window of the whole clip (the very frames that training took), 60 s four. In each window the spec's own sampler
takes its frames.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from primatrix.records import ClipSpec
from primatrix.video.samplers import TIME_TOLERANCE_SECONDS, choose_frames

__all__ = ["DEFAULT_WINDOW_SECONDS", "choose_in_windows", "plan_windows"]

DEFAULT_WINDOW_SECONDS = 15.0  # the benchmark's clips, where a model does not say what it was trained on
STRETCH = 1.25  # a window may be longer than the trained clips by as much

Floats = NDArray[np.float64]


def plan_windows(
    duration_seconds: float, *, window_seconds: float = DEFAULT_WINDOW_SECONDS, frames: int | None = None
) -> Floats:
    """Start and end of each window in seconds, (W, 2), W at least 1; together they are the clip.

    Of a clip with so many `frames` there are no more windows than that: time-lapse has minutes between its frames.

    >>> plan_windows(60.0).tolist()
    [[0.0, 15.0], [15.0, 30.0], [30.0, 45.0], [45.0, 60.0]]
    >>> len(plan_windows(18.0)), len(plan_windows(20.0))
    (1, 2)
    """
    length = duration_seconds / window_seconds
    count = max(1, math.ceil(length - (STRETCH - 1) - TIME_TOLERANCE_SECONDS))
    count = count if frames is None else min(count, max(frames, 1))
    edges = np.linspace(0.0, duration_seconds, count + 1)
    return np.stack([edges[:-1], edges[1:]], axis=1)


def choose_in_windows(
    spec: ClipSpec,
    windows: Floats,
    pts_seconds: Sequence[float],
    keyframes: Sequence[int],
    *,
    part: range | None = None,
) -> list[int]:
    """Indices of the frames that the spec's sampler takes from each window in turn, spec.sampled of each.

    `part` are the windows wanted (default: all). A frame belongs to the window in which it begins. A window without
    frames (a gap in the recording) gets the last frame before it, which is what a viewer would see.

    >>> choose_in_windows(ClipSpec(frames=2), plan_windows(4.0, window_seconds=2), [0.0, 1.0, 2.0, 3.0], [0])
    [0, 1, 2, 3]
    """
    starts = [bisect_left(pts_seconds, start - TIME_TOLERANCE_SECONDS) for start in windows[1:, 0].tolist()]
    borders = [0, *starts, len(pts_seconds)]  # the last window goes on to the last frame, whatever its time
    chosen = []
    for window in part if part is not None else range(len(windows)):
        first, last = borders[window], borders[window + 1]
        if first >= last:
            first = min(max(first - 1, 0), len(pts_seconds) - 1)
            last = first + 1
        inside = keyframes[bisect_left(keyframes, first) : bisect_left(keyframes, last)]
        places = choose_frames(
            spec.sampler,
            spec.sampled,
            pts_seconds=pts_seconds[first:last],
            keyframes=[index - first for index in inside],
        )
        chosen += [first + place for place in places]
    return chosen
