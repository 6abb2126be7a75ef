"""Boxes of one individual over a clip's frames as a track, and how many individuals are seen at once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import linear_sum_assignment

from primatrix.errors import InputError
from primatrix.records import Box
from primatrix.video.categories import Category
from primatrix.video.detector import Found

__all__ = ["count_most_at_once", "link_tracks"]

LEAST_SHARED = 0.2  # of their union: boxes that share less are another individual's
STOPPED = 0.5  # what a box where an individual was is worth beside one where it was going
MOST_MISSED = 1  # frames in a row in which an individual may be overlooked


def count_most_at_once(found: Sequence[Sequence[Found]]) -> dict[Category, int]:
    """The most individuals of each category in any one frame: at least so many there are.

    Never more than that: those of different frames may be the same.

    >>> deer = Found(Box(0.1, 0.4, 0.2, 0.3), "animal", 0.9)
    >>> count_most_at_once([[deer], [], [deer, deer._replace(box=Box(0.6, 0.4, 0.2, 0.3))]])
    {'animal': 2}
    """
    most: Counter[Category] = Counter()
    for frame in found:
        most |= Counter(one.category for one in frame)
    return dict(most)


@dataclass(frozen=True, slots=True)
class _Track:
    """An individual as last seen, and how fast it went then, in shares of the picture a second (across, down)."""

    box: Box
    frame: int
    seconds: float
    speed: tuple[float, float] = (0.0, 0.0)

    def likeness(self, box: Box, seconds: float) -> float:
        """How much a box shares with where the individual is if it went on as it went, or half that if it stopped."""
        passed = seconds - self.seconds
        ahead = self.box._replace(
            left=self.box.left + self.speed[0] * passed, top=self.box.top + self.speed[1] * passed
        )
        return max(ahead.share_with(box), self.box.share_with(box) * STOPPED)

    def move(self, box: Box, *, frame: int, seconds: float) -> "_Track":
        """The same individual, seen again."""
        across = box.left + box.width / 2 - self.box.left - self.box.width / 2
        down = box.top + box.height / 2 - self.box.top - self.box.height / 2
        passed = seconds - self.seconds
        return _Track(box, frame, seconds, (across / passed, down / passed))


def link_tracks(boxes: Sequence[Sequence[Box]], seconds: Sequence[float]) -> list[list[int]]:
    """The number of the track that each box of each frame belongs to, from 0 in the order they begin.

    `boxes` holds those of one category for each frame, `seconds` when the frames are. From frame to frame boxes go to
    tracks so that all together share most (Kuhn, "The Hungarian method", 1955). A track survives one frame without a
    box. Of an animal that moves further than it is long between two frames a new track begins: tracks are no count of
    individuals, `count_most_at_once` is.

    >>> still, walking = Box(0.0, 0.5, 0.2, 0.2), [Box(0.1 * i, 0.0, 0.3, 0.2) for i in range(3)]
    >>> link_tracks([[still, walking[0]], [walking[1]], [walking[2], still]], [0.0, 1.0, 2.0])
    [[0, 1], [1], [1, 0]]
    """
    if len(boxes) != len(seconds) or any(b <= a for a, b in pairwise(seconds)):
        raise InputError(f"got {len(boxes)} frames and times {list(seconds)}, wanted a rising time for each")
    tracks: list[_Track] = []
    numbers: list[list[int]] = []
    for frame, (those, now) in enumerate(zip(boxes, seconds, strict=True)):
        alive = [i for i, track in enumerate(tracks) if frame - track.frame <= 1 + MOST_MISSED]
        found = _assign([tracks[i] for i in alive], those, now)
        numbers.append([])
        for i, box in enumerate(those):
            if i in found:
                number = alive[found[i]]
                tracks[number] = tracks[number].move(box, frame=frame, seconds=now)
            else:
                number = len(tracks)
                tracks.append(_Track(box, frame, now))
            numbers[-1].append(number)
    return numbers


def _assign(tracks: Sequence[_Track], boxes: Sequence[Box], seconds: float) -> dict[int, int]:
    """Which of the tracks each box that has one goes to, so that all together share most."""
    likeness = [[track.likeness(box, seconds) for box in boxes] for track in tracks]
    shared = np.array(likeness).reshape(len(tracks), len(boxes))
    shared[shared < LEAST_SHARED] = 0
    rows, columns = linear_sum_assignment(-shared)
    return {int(j): int(i) for i, j in zip(rows, columns, strict=True) if shared[i, j] > 0}
