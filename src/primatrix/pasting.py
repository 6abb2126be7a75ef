"""What moves in one clip, put on the place of another: the same animal, as another camera might have seen it.

Copying what was cut out of one picture into another is Dwibedi et al., 2017, "Cut, paste and learn", who needed masks;
a camera that does not move gives them for nothing.
"""

from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from primatrix.background import find_background, find_usual_change, measure_change

__all__ = ["find_moving", "paste_on_blanks"]

Pixels = TypeVar("Pixels", np.uint8, np.float32)
LEAST_CHANGE = 18  # grey levels: less is noise, or an animal of the ground's own colour
TIMES_USUAL = 3  # as novel as that is no leaf that sways all the time
NEIGHBOURS = 5  # of a pixel and the eight around it must move too
LEAST_PIXELS, LEAST_FRAMES = 8, 3  # less is not cut out: on another place nobody could see it
COLOURLESS = 6.0  # mean grey levels between a pixel's colours: below, a picture under infrared light


def paste_on_blanks(
    x: NDArray[Pixels], *, blank: NDArray[np.bool_], chance: float, rng: np.random.Generator
) -> NDArray[Pixels]:
    """Clips (B, T, H, W, C); of those that are not `blank` (B,), some with what moves in them on a blank clip's place.

    Each clip is tried with this `chance`; its new place is drawn from the blank clips of the batch, by day for one
    by day. A clip in which too little moves, and one for which there is no place, stays as it is; so do all labels.

    >>> clips = np.full((2, 6, 16, 16, 1), 50, np.uint8)
    >>> clips[0, :3, 4:8, 4:8] = 200
    >>> clips[1] = 90
    >>> pasted = paste_on_blanks(
    ...     clips, blank=np.array([False, True]), chance=1.0, rng=np.random.default_rng(0)
    ... )
    >>> pasted[0, [0, 0, 5], [5, 12, 5], [5, 12, 5], 0].tolist()
    [200, 90, 90]
    """
    tried = np.flatnonzero(~blank & (rng.random(len(x)) < chance))
    colourless = (x[:, 0].max(-1) - x[:, 0].min(-1)).mean((1, 2)) < COLOURLESS
    places = [np.flatnonzero(blank & (colourless == kind)) for kind in (False, True)]
    tried = np.array([clip for clip in tried if len(places[int(colourless[clip])])], np.int64)
    onto = np.array([rng.choice(places[int(colourless[clip])]) for clip in tried], np.int64)
    if not len(tried):
        return x
    animals = torch.from_numpy(x[tried])
    moving = find_moving(animals)
    enough = ((moving.flatten(2).sum(2) >= LEAST_PIXELS).sum(1) >= LEAST_FRAMES).numpy()
    changed = x.copy()
    both = torch.where(widen(moving)[..., None], animals, torch.from_numpy(x[onto]))
    changed[tried[enough]] = both.numpy()[enough]
    return changed


def find_moving(x: Tensor) -> Tensor:
    """Which pixels of clips (B, T, H, W, C), 0-255, show what is not always there: bool (B, T, H, W)."""
    still = find_background(x)[:, None].expand_as(x)
    change = measure_change(x, still, colours=x.shape[-1])  # (B, T, H, W, 1)
    usual = find_usual_change(change)[:, None]
    moves = change.float() > (TIMES_USUAL * usual).clamp(min=LEAST_CHANGE)
    return count_around(moves[..., 0]) >= NEIGHBOURS


def widen(moving: Tensor) -> Tensor:
    """The pixels (B, T, H, W) and those around them."""
    return count_around(moving) > 0


def count_around(pixels: Tensor) -> Tensor:
    """How many of a pixel and the eight around it are true: bool (B, T, H, W) -> uint8."""
    padded = torch.nn.functional.pad(pixels.to(torch.uint8), (1, 1, 1, 1))
    rows = padded[..., :-2, :] + padded[..., 1:-1, :] + padded[..., 2:, :]
    return rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
