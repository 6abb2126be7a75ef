"""What moves in one clip, put on the place of another: the same animal, as another camera might have seen it.

Copying what was cut out of one picture into another is Dwibedi et al., 2017, "Cut, paste and learn", who needed masks;
a camera that does not move gives them for nothing.
"""

from functools import reduce

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from primatrix.models import find_background, find_usual_change, measure_change

__all__ = ["draw_pastes", "find_moving", "paste_moving"]

LEAST_CHANGE = 18  # grey levels: less is noise, or an animal of the ground's own colour
TIMES_USUAL = 3  # as novel as that is no leaf that sways all the time
NEIGHBOURS = 5  # of a pixel and the eight around it must move too
LEAST_PIXELS, LEAST_FRAMES = 8, 3  # less is not cut out: on another place nobody could see it
COLOURLESS = 6.0  # mean grey levels between a pixel's colours: below, a picture under infrared light


def draw_pastes(
    x: NDArray[np.uint8] | NDArray[np.float32],
    *,
    blank: NDArray[np.bool_],
    chance: float,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Which clips (B, T, H, W, C) are put on which blank clip's place: (P, 2), places in the batch.

    Each clip that is not `blank` (B,) is tried with this `chance`; its new place is drawn from the blank clips of the
    batch, by day for one by day. A clip for which there is no place is left out.

    >>> clips = np.full((3, 6, 16, 16, 1), 50, np.uint8)
    >>> blank = np.array([False, True, False])
    >>> draw_pastes(clips, blank=blank, chance=1.0, rng=np.random.default_rng(0)).tolist()
    [[0, 1], [2, 1]]
    """
    tried = np.flatnonzero(~blank & (rng.random(len(x)) < chance))
    colours = [x[:, 0, ..., colour] for colour in range(x.shape[-1])]
    colourless = (reduce(np.maximum, colours) - reduce(np.minimum, colours)).mean((1, 2)) < COLOURLESS
    places = [np.flatnonzero(blank & (colourless == kind)) for kind in (False, True)]
    found = [
        (clip, rng.choice(places[int(colourless[clip])]))
        for clip in tried
        if len(places[int(colourless[clip])])
    ]
    return np.array(found, np.int64).reshape(-1, 2)


def paste_moving(clips: Tensor, places: Tensor) -> Tensor:
    """What moves in clips (B, T, H, W, C) on places of the same shape; a clip in which too little moves as it was.

    >>> clip = torch.full((1, 6, 16, 16, 1), 50, dtype=torch.uint8)
    >>> place = torch.full_like(clip, 90)
    >>> clip[0, :3, 4:8, 4:8] = 200
    >>> paste_moving(clip, place)[0, [0, 0, 5], [5, 12, 5], [5, 12, 5], 0].tolist()
    [200, 90, 90]
    """
    moving = find_moving(clips)
    enough = (moving.flatten(2).sum(2) >= LEAST_PIXELS).sum(1) >= LEAST_FRAMES
    kept = (widen(moving) | ~enough[:, None, None, None])[..., None]
    if clips.dtype != torch.uint8:
        return torch.where(kept, clips, places)
    return places ^ ((clips ^ places) & -kept.to(torch.uint8))  # as `where`, in two fifths of the time


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
