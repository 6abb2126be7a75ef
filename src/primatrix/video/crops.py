"""Close-ups of what moves: where in a clip, and when, to look closely. Chosen in the small clip, cut from the large.

A camera trap does not move, so what differs from the per-pixel median over a clip's frames is new there. Of a single
picture nobody knows what is new in it, so its parts are looked at in turn.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from primatrix.records import Box, Crop

__all__ = ["Movers", "choose_crops", "measure_novelty", "pick_crops"]

MOST_LIGHT = 16  # grey levels: an animal near by is no change of light
NOISE_FLOOR = 2.0  # grey levels: what an encoder alone does to a pixel that stands still
NOVEL = 1.0  # times four times what a pixel does anyway
MOST_NOVEL = 4.0
CONTEXT = 0.25  # of a box's longer side, on each side: what an animal stands in tells something too
LEAST_SIDE = 0.2  # of the picture's height: smaller boxes would show little but blur
MOST_FRAMES = 31  # that tell what is usual
SHORTEST_APART = 1.5  # seconds within which the same place shows the same thing
LEAST_WORTH = 0.1  # of the most telling crop's: less shows leaves, or the same again (bench/decode/crops.md)
SAME_PLACE = 0.3  # of their union: boxes that share more show the same thing
OVERLAP = 1.2  # sides of the parts of a single picture, times what would just cover it: an animal may stand on an edge

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
TOUCHING = np.pad(ndimage.generate_binary_structure(2, 1)[None], ((1, 1), (0, 0), (0, 0)))  # within a frame


@dataclass(frozen=True, slots=True, eq=False)
class Movers:
    """N patches that are new in a frame, most so first: frame, edges in pixels of the small clip, how much is new."""

    frame: NDArray[np.int64]
    top: NDArray[np.int64]
    left: NDArray[np.int64]
    bottom: NDArray[np.int64]
    right: NDArray[np.int64]
    mass: NDArray[np.float64]

    def find_patch(self, i: int, *, size: tuple[int, int]) -> Box:
        """Patch i as shares of a picture of this height and width in pixels."""
        top, left = int(self.top[i]), int(self.left[i])
        high, wide = int(self.bottom[i]) - top, int(self.right[i]) - left
        return Box(left / size[1], top / size[0], wide / size[1], high / size[0])


def choose_crops(
    frames: NDArray[np.uint8],
    pts_seconds: Sequence[float] | NDArray[np.float64],
    *,
    count: int,
    aspect: float,
) -> list[Crop]:
    """Up to `count` crops of what is new in a clip (T, H, W, C), the most telling first; whole frames where nothing is.

    They are spread over time and over what moves apart from each other, and fewer where more would show little that
    the others do not. `aspect` is the width of the upright picture by its height: crops are squares of it, with some of
    what lies around, or as square as fits. A still, or one frame again and again, gives parts that cover it, each as
    new as it is large.

    >>> frames = np.zeros((5, 32, 32, 1), np.uint8)
    >>> frames[2, 8:16, 16:24] = 200
    >>> crop, = choose_crops(frames, [0, 1, 2, 3, 4], count=3, aspect=1.0)
    >>> crop.frame, crop.seconds, [round(edge, 2) for edge in crop.box]
    (2, 2.0, [0.44, 0.19, 0.38, 0.38])
    """
    seconds = np.asarray(pts_seconds, np.float64)
    if np.ptp(seconds) == 0:
        whole = Box(0.0, 0.0, 1.0, 1.0)
        return [
            Crop(0, float(seconds[0]), box, box.width * box.height, whole) for box in _tile(count, aspect)
        ]
    size = (frames.shape[1], frames.shape[2])
    crops = pick_crops(_find_movers(measure_novelty(frames)), seconds, size=size, count=count, aspect=aspect)
    return crops or _whole_frames(seconds, count=count)


def pick_crops(
    movers: Movers, seconds: Doubles, *, size: tuple[int, int], count: int, aspect: float
) -> list[Crop]:
    """Up to `count` crops of patches in pictures of this height and width in pixels, those with most mass first.

    They are spread over time and over patches that lie apart; fewer where more would show little that others do not.
    """
    boxes = _frame_boxes(movers, size=size, aspect=aspect)
    chosen = _spread(movers, seconds[movers.frame], boxes, count=count)
    return [
        Crop(
            int(movers.frame[i]), float(seconds[movers.frame[i]]), Box(*boxes[i].tolist()),
            float(movers.mass[i]) / (size[0] * size[1]), movers.find_patch(i, size=size),
        )
        for i in chosen
    ]  # fmt: skip


def measure_novelty(frames: NDArray[np.uint8]) -> Floats:
    """How new each pixel of a clip (T, H, W, C) is, 0 to 4: in units of four times what it does anyway (T, H, W).

    Changes of the whole picture's light, of up to 16 grey levels, are none.
    """
    difference = frames - _find_median(frames)
    light = np.clip(difference, -MOST_LIGHT, MOST_LIGHT).mean((1, 2, 3), keepdims=True)
    difference -= light
    change: Floats = reduce(
        np.maximum, np.moveaxis(np.abs(difference), -1, 0)
    )  # ten times as fast as .max(-1)
    usual = np.maximum(_find_median(change), change.mean(0) / 2)  # what sways is still in many frames
    novelty: Floats = np.minimum(change / (4 * (usual + usual.mean() + NOISE_FLOOR)), MOST_NOVEL)
    return novelty


def _find_median(values: NDArray[Any]) -> Floats:
    """The median over the first axis, of at most 31 of its entries: for few frames ten times as fast as numpy's.

    Neighbours are put in order until all are, for all pixels at once.
    """
    ordered = values[:: -(-len(values) // MOST_FRAMES)].copy()
    for i in range(len(ordered)):
        low, high = ordered[i % 2 : len(ordered) - 1 : 2], ordered[i % 2 + 1 :: 2]
        lower = np.minimum(low, high)
        np.maximum(low, high, out=high)
        low[...] = lower
    middle = ordered[(len(ordered) - 1) // 2 : len(ordered) // 2 + 1]
    median: Floats = middle.mean(0, dtype=np.float32)
    return median


def _find_movers(novelty: Floats) -> Movers:
    """Patches of frames (T, H, W) that are new, those that nearly touch together."""
    near = _widen(
        ndimage.uniform_filter(novelty, (0, 3, 3)) > NOVEL / 2, by=max(1, min(novelty.shape[1:]) // 32)
    )
    labels, _ = ndimage.label(near, TOUCHING)
    new = near & (novelty > NOVEL / 2)
    order = np.argsort(labels[new], kind="stable")
    starts = np.flatnonzero(np.diff(labels[new][order], prepend=0))  # of each patch among its pixels
    frame, row, column = (place[order] for place in np.nonzero(new))
    mass = np.add.reduceat(novelty[new][order], starts, dtype=np.float64)
    most = np.argsort(-mass, kind="stable")
    first, last = (
        [ends.reduceat(place, starts)[most] for place in (row, column)] for ends in (np.minimum, np.maximum)
    )
    return Movers(frame[starts][most], first[0], first[1], last[0] + 1, last[1] + 1, mass[most])


def _widen(near: NDArray[np.bool_], *, by: int) -> NDArray[np.bool_]:
    """What is marked in frames (T, H, W), with its neighbours above, below, left and right, so many times."""
    for _ in range(by):
        wider = near.copy()
        for to, of in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[:, :, 1:], np.s_[:, :, :-1])):
            wider[to] |= near[of]
            wider[of] |= near[to]
        near = wider
    return near


def _frame_boxes(movers: Movers, *, size: tuple[int, int], aspect: float) -> NDArray[np.float64]:
    """The squares around patches, with context (N, 4): left, top, width, height as shares of the upright picture."""
    height = (movers.bottom - movers.top) / size[0]
    width = (movers.right - movers.left) / size[1] * aspect
    side = np.maximum(np.maximum(height, width) * (1 + 2 * CONTEXT), LEAST_SIDE)  # in heights of the picture
    wide, high = np.minimum(side / aspect, 1.0), np.minimum(side, 1.0)
    across, down = (movers.left + movers.right) / 2 / size[1], (movers.top + movers.bottom) / 2 / size[0]
    left, top = np.clip(across - wide / 2, 0, 1 - wide), np.clip(down - high / 2, 0, 1 - high)
    return np.stack([left, top, wide, high], axis=1)


def _spread(movers: Movers, seconds: Doubles, boxes: Doubles, *, count: int) -> list[int]:
    """Those with most that is new, each worth less the more the chosen ones show the same thing."""
    chosen: list[int] = []
    worth = movers.mass.copy()
    while len(chosen) < count and len(worth) and worth.max() > LEAST_WORTH * movers.mass[0]:
        best = int(worth.argmax())
        chosen.append(best)
        worth *= 1 - _measure_likeness(movers.frame, seconds, boxes, to=best)
        worth[best] = 0
    return chosen


def _measure_likeness(frame: NDArray[np.int64], seconds: Doubles, boxes: Doubles, *, to: int) -> Doubles:
    """How much of what one shows each of the others shows too, 0 to 1."""
    left, top, wide, high = boxes.T
    across = np.minimum(left + wide, left[to] + wide[to]) - np.maximum(left, left[to])
    down = np.minimum(top + high, top[to] + high[to]) - np.maximum(top, top[to])
    both = np.maximum(across, 0) * np.maximum(down, 0)
    shared = both / (wide * high + wide[to] * high[to] - both)
    near = np.maximum(0, 1 - np.abs(seconds - seconds[to]) / SHORTEST_APART)
    likeness: Doubles = near * 0.5 + 0.4 * shared
    return np.where((shared < SAME_PLACE) & (frame == frame[to]), 0.0, likeness)


def _tile(count: int, aspect: float) -> list[Box]:
    """Rows of parts that cover a picture, as square as may be: up to `count`, more than half of it."""
    grids = [(rows, columns) for rows in range(1, count + 1) for columns in range(1, count // rows + 1)
             if rows * columns > count / 2]  # fmt: skip
    rows, columns = min(grids, key=lambda grid: abs(math.log(aspect * grid[0] / grid[1])))
    high, wide = min(OVERLAP / rows, 1.0), min(OVERLAP / columns, 1.0)
    tops, lefts = np.linspace(0, 1 - high, rows).tolist(), np.linspace(0, 1 - wide, columns).tolist()
    return [Box(left, top, wide, high) for top in tops for left in lefts]


def _whole_frames(seconds: NDArray[np.float64], *, count: int) -> list[Crop]:
    """The whole picture, at times far apart: of frames that nothing happens in."""
    places = np.unique(
        np.linspace(0, len(seconds) - 1, min(count, 1 + 2 * (len(seconds) > 1))).round().astype(int)
    )
    whole = Box(0.0, 0.0, 1.0, 1.0)
    return [Crop(int(i), float(seconds[i]), whole, 0.0, whole) for i in places]
