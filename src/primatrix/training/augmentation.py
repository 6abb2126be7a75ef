"""Clips as the same camera might have seen them on another day: moved, relit, with other frames."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primatrix.errors import InputError
from primatrix.settings import check_least, check_shares, check_types
from primatrix.training.changes import Changes, change_each
from primatrix.training.pasting import draw_pastes

__all__ = ["Augmentation", "augment_clips", "draw_changes"]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far training clips are changed at random; all frames of a clip alike, and 0 changes nothing.

    flip          chance of mirroring left and right
    crop          up to this share of height and of width is cut off, the rest enlarged to the old size
    rotate        turned by up to this many degrees, either way
    zoom          enlarged or made smaller by a factor of up to exp(zoom), height and width by a third of it apart
    shift         moved by up to this share of height and of width; beyond its edges a picture is mirrored
    brightness    up to this share of white is added or taken away
    contrast      distances from mid-grey grow or shrink by a factor of up to exp(contrast)
    gamma         exponent of up to exp(gamma), or its inverse
    grey          chance that colour becomes grey, as under infrared light
    jitter        up to this share of the clip's time is left out, the rest stretched by repeating frames
    drop          chance of each frame to be lost, the frame before staying in its place
    paste         chance that what moves in a clip is put on the place of a blank clip of the same batch

    >>> Augmentation(flip=0.5, crop=0.2).is_on, Augmentation().is_on
    (True, False)
    """

    flip: float = 0.0
    crop: float = 0.0
    rotate: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    gamma: float = 0.0
    grey: float = 0.0
    jitter: float = 0.0
    drop: float = 0.0
    paste: float = 0.0

    def __post_init__(self) -> None:
        check_types(self)
        check_shares(self, "flip", "brightness", "grey", "paste")
        check_shares(self, "crop", "jitter", "drop", below_one=True)
        check_shares(self, "shift", below_one=True)
        check_least(self, rotate=0, zoom=0, contrast=0, gamma=0)

    @property
    def is_on(self) -> bool:
        """Whether anything is changed at all."""
        return self != Augmentation()


def augment_clips(
    x: NDArray[Any],  # Any: uint8, or floats of any width
    *,
    augmentation: Augmentation,
    seed: int,
    step: int,
    blank: NDArray[np.bool_] | None = None,
) -> NDArray[Any]:
    """Clips (B, T, H, W, C), pixels 0-255, changed at random: the same from the same seed and step.

    `blank` (B,) says which clips show no animal; `paste` asks for it. Runs on the CPU, mostly on uint8, and gives
    back uint8 for uint8 and else float32.

    >>> clips = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4, 1)
    >>> flipped = augment_clips(clips, augmentation=Augmentation(flip=1.0), seed=0, step=0)
    >>> bool((flipped == clips[:, :, :, ::-1]).all())
    True
    """
    x = np.ascontiguousarray(x, np.uint8 if x.dtype == np.uint8 else np.float32)
    if not augmentation.is_on:
        return x
    return change_each(x, draw_changes(x, augmentation=augmentation, seed=seed, step=step, blank=blank))


def draw_changes(
    x: NDArray[np.uint8] | NDArray[np.float32],
    *,
    augmentation: Augmentation,
    seed: int,
    step: int,
    blank: NDArray[np.bool_] | None = None,
) -> Changes:
    """What is to be done to each clip of a batch (B, T, H, W, C): each chance and amount is drawn anew.

    >>> clips = np.zeros((2, 3, 4, 4, 1), np.uint8)
    >>> draw_changes(clips, augmentation=Augmentation(flip=1.0), seed=0, step=0).mirrored.tolist()
    [True, True]
    """
    rng = np.random.default_rng([seed, step])
    pastes = np.empty((0, 2), np.int64)
    if augmentation.paste:
        if blank is None:
            raise InputError("augmentation: paste: wanted to be told which clips are blank")
        pastes = draw_pastes(x, blank=blank, chance=augmentation.paste, rng=rng)
    frames, parts, turns, mirrored, grey, light = [], [], [], [], [], []
    for _ in x:
        if augmentation.jitter or augmentation.drop:
            frames.append(draw_frames(x.shape[1], augmentation=augmentation, rng=rng))
        if augmentation.crop:
            parts.append(draw_part((x.shape[2], x.shape[3]), most=augmentation.crop, rng=rng))
        if augmentation.rotate or augmentation.zoom or augmentation.shift:
            turns.append(draw_turn((x.shape[2], x.shape[3]), augmentation=augmentation, rng=rng))
        mirrored.append(rng.random() < augmentation.flip)
        grey.append(rng.random() < augmentation.grey)
        if augmentation.brightness or augmentation.contrast or augmentation.gamma:
            light.append(draw_light(augmentation=augmentation, rng=rng))
    return Changes(
        pastes, np.array(mirrored, np.bool_), np.array(grey, np.bool_),
        frames=np.stack(frames) if frames else None, parts=np.array(parts) if parts else None,
        turns=np.stack(turns) if turns else None, light=np.array(light) if light else None,
    )  # fmt: skip


def draw_frames(frames: int, *, augmentation: Augmentation, rng: np.random.Generator) -> NDArray[np.int64]:
    """Which frame of a clip stands at each of its T places."""
    left_out = rng.uniform(0, augmentation.jitter) * (frames - 1)
    first = rng.uniform(0, left_out)
    places = np.rint(np.linspace(first, first + frames - 1 - left_out, frames)).astype(np.int64)
    kept = rng.random(frames) >= augmentation.drop
    kept[0] = True  # nothing stands before it
    last_kept = np.maximum.accumulate(np.where(kept, np.arange(frames), 0))
    return places[last_kept]


def draw_part(size: tuple[int, int], *, most: float, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Top, left, height and width of the part that is seen enlarged; height and width are cut independently."""
    height_px, width_px = (round(side_px * (1 - rng.uniform(0, most))) or 1 for side_px in size)
    top, left = int(rng.integers(size[0] - height_px + 1)), int(rng.integers(size[1] - width_px + 1))
    return top, left, height_px, width_px


def draw_turn(
    size: tuple[int, int], *, augmentation: Augmentation, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Where in the old picture each place of the new one lies, (2, 3): turned, zoomed and moved.

    Both are measured in half heights and half widths from the middle, as `torch.nn.functional.affine_grid` does.
    """
    angle = np.deg2rad(augmentation.rotate) * rng.uniform(-1, 1)
    apart = augmentation.zoom / 3 * rng.uniform(-1, 1)
    factor = augmentation.zoom * rng.uniform(-1, 1)
    taller, wider = np.exp(factor - apart / 2), np.exp(factor + apart / 2)
    down, right = 2 * augmentation.shift * rng.uniform(-1, 1, 2)  # a picture is 2 high and 2 wide
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    sides = np.array([size[1], size[0]])
    places = turn * sides[None, :] / sides[:, None] / np.array([wider, taller])[None, :]
    return np.column_stack([places, [right, down]]).astype(np.float32)


def draw_light(*, augmentation: Augmentation, rng: np.random.Generator) -> tuple[float, float, float]:
    """Grey levels added, the factor of contrast, and the exponent of gamma."""
    added = 255 * rng.uniform(-1, 1) * augmentation.brightness
    factor = np.exp(rng.uniform(-1, 1) * augmentation.contrast)
    exponent = np.exp(rng.uniform(-1, 1) * augmentation.gamma)
    return float(added), float(factor), float(exponent)
