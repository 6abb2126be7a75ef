"""Close-ups of what moves: where in a clip, and when, to look closely. Chosen in the small clip, cut from the large.

A camera trap does not move, so what differs from the per-pixel median over a clip's frames is new there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from primatrix.records import Box, Crop

__all__ = ["choose_crops", "measure_novelty"]

MOST_LIGHT = 16  # grey levels: an animal near by is no change of light
NOISE_FLOOR = 2.0  # grey levels: what an encoder alone does to a pixel that stands still
NOVEL = 1.0  # times four times what a pixel does anyway
MOST_NOVEL = 4.0
CONTEXT = 0.25  # of a box's longer side, on each side: what an animal stands in tells something too
LEAST_SIDE = 0.2  # of the picture's height: smaller boxes would show little but blur
SHORTEST_APART = 1.5  # seconds within which the same place shows the same thing
SAME_PLACE = 0.3  # of their union: boxes that share more show the same thing

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Mover:
    """A patch that is new in a frame: its edges in pixels of the small clip, and how much of it is new."""

    frame: int
    top: int
    left: int
    bottom: int
    right: int
    mass: float


def choose_crops(
    frames: NDArray[np.uint8],
    pts_seconds: Sequence[float] | NDArray[np.float64],
    *,
    count: int,
    aspect: float,
) -> list[Crop]:
    """Up to `count` crops of what is new in a clip (T, H, W, C), the most telling first; whole frames where nothing is.

    They are spread over time and over what moves apart from each other. `aspect` is the width of the upright picture
    by its height: crops are squares of it, with some of what lies around, or as square as fits. A clip of one frame, or
    of the same frame again and again, gives the whole frame.

    >>> frames = np.zeros((5, 32, 32, 1), np.uint8)
    >>> frames[2, 8:16, 16:24] = 200
    >>> crop, = choose_crops(frames, [0, 1, 2, 3, 4], count=3, aspect=1.0)
    >>> crop.frame, crop.seconds, [round(edge, 2) for edge in crop.box]
    (2, 2.0, [0.44, 0.19, 0.38, 0.38])
    """
    seconds = np.asarray(pts_seconds, np.float64)
    novelty = measure_novelty(frames)
    found = sorted(
        (mover for i in range(len(frames)) for mover in _find_movers(novelty[i], frame=i)),
        key=lambda m: -m.mass,
    )
    size = (frames.shape[1], frames.shape[2])
    crops = [
        Crop(
            m.frame,
            float(seconds[m.frame]),
            _frame_box(m, size=size, aspect=aspect),
            m.mass / (size[0] * size[1]),
            Box(
                m.left / size[1], m.top / size[0], (m.right - m.left) / size[1], (m.bottom - m.top) / size[0]
            ),
        )
        for m in found
    ]
    return _spread(crops, count=count) or _whole_frames(seconds, count=count)


def measure_novelty(frames: NDArray[np.uint8]) -> Floats:
    """How new each pixel of a clip (T, H, W, C) is, 0 to 4: in units of four times what it does anyway (T, H, W).

    Changes of the whole picture's light, of up to 16 grey levels, are none.
    """
    still = np.median(frames, axis=0).astype(np.float32)
    difference = frames - still
    light = np.clip(difference, -MOST_LIGHT, MOST_LIGHT).mean((1, 2, 3), keepdims=True)
    change = np.abs(difference - light).max(-1)
    usual = np.maximum(np.median(change, axis=0), change.mean(0) / 2)  # what sways is still in many frames
    novelty: Floats = np.minimum(change / (4 * (usual + usual.mean() + NOISE_FLOOR)), MOST_NOVEL)
    return novelty


def _find_movers(novelty: Floats, *, frame: int) -> list[_Mover]:
    """Patches of a frame (H, W) that are new, those that nearly touch together."""
    smooth = ndimage.uniform_filter(novelty, 3)
    near = ndimage.binary_dilation(smooth > NOVEL / 2, iterations=max(1, min(novelty.shape) // 32))
    labels, _ = ndimage.label(near)
    movers = []
    for i, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        new = (novelty[rows, columns] > NOVEL / 2) & (labels[rows, columns] == i)
        if not new.any():
            continue
        high, wide = np.flatnonzero(new.any(1)), np.flatnonzero(new.any(0))
        mass = float(novelty[rows, columns][new].sum())
        movers.append(
            _Mover(frame, rows.start + int(high[0]), columns.start + int(wide[0]), rows.start + int(high[-1]) + 1,
                   columns.start + int(wide[-1]) + 1, mass)
        )  # fmt: skip
    return movers


def _frame_box(mover: _Mover, *, size: tuple[int, int], aspect: float) -> Box:
    """The square around a patch, with context, as shares of the upright picture."""
    height, width = (mover.bottom - mover.top) / size[0], (mover.right - mover.left) / size[1] * aspect
    side = max(max(height, width) * (1 + 2 * CONTEXT), LEAST_SIDE)  # in heights of the picture
    wide, high = min(side / aspect, 1.0), min(side, 1.0)
    across, down = (mover.left + mover.right) / 2 / size[1], (mover.top + mover.bottom) / 2 / size[0]
    return Box(min(max(across - wide / 2, 0), 1 - wide), min(max(down - high / 2, 0), 1 - high), wide, high)


def _spread(crops: list[Crop], *, count: int) -> list[Crop]:
    """Those with most that is new, each worth less the more the chosen ones show the same thing."""
    chosen: list[Crop] = []
    worth = np.array([crop.novelty for crop in crops])
    while len(chosen) < count and len(worth) and worth.max() > 0:
        best = int(worth.argmax())
        chosen.append(crops[best])
        worth[best] = 0
        worth *= [1 - _likeness(crops[best], crop) for crop in crops]
    return chosen


def _likeness(a: Crop, b: Crop) -> float:
    """How much of what one shows the other shows too, 0 to 1."""
    apart = abs(a.seconds - b.seconds)
    shared = a.box.share_with(b.box)
    if shared < SAME_PLACE and a.frame == b.frame:
        return 0.0
    return max(0.0, 1 - apart / SHORTEST_APART) * 0.5 + 0.4 * shared


def _whole_frames(seconds: NDArray[np.float64], *, count: int) -> list[Crop]:
    """The whole picture, at times far apart: of frames that nothing happens in."""
    places = np.unique(
        np.linspace(0, len(seconds) - 1, min(count, 1 + 2 * (len(seconds) > 1))).round().astype(int)
    )
    whole = Box(0.0, 0.0, 1.0, 1.0)
    return [Crop(int(i), float(seconds[i]), whole, 0.0, whole) for i in places]
