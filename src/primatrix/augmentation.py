"""Clips as the same camera might have seen them on another day: moved, relit, with other frames."""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from primatrix.errors import InputError
from primatrix.pasting import paste_on_blanks
from primatrix.settings import check_least, check_shares, check_types

__all__ = ["Augmentation", "augment_clips"]

Pixels = TypeVar("Pixels", np.uint8, np.float32)
LUMA = (77, 150, 29)  # of 256: red, green and blue in grey (ITU-R BT.601)


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
    rng = np.random.default_rng([seed, step])
    if augmentation.paste:
        if blank is None:
            raise InputError("augmentation: paste: wanted to be told which clips are blank")
        x = paste_on_blanks(x, blank=blank, chance=augmentation.paste, rng=rng)
    changed = np.empty_like(x)
    for clip, target in zip(x, changed, strict=True):
        target[...] = augment_clip(clip, augmentation=augmentation, rng=rng)
    return changed


def augment_clip(
    clip: NDArray[Pixels], *, augmentation: Augmentation, rng: np.random.Generator
) -> NDArray[Pixels]:
    """One clip (T, H, W, C), changed; each chance and amount is drawn anew."""
    if augmentation.jitter or augmentation.drop:
        clip = clip[draw_frames(len(clip), augmentation=augmentation, rng=rng)]
    if augmentation.crop:
        clip = crop_and_enlarge(clip, most=augmentation.crop, rng=rng)
    if augmentation.rotate or augmentation.zoom or augmentation.shift:
        clip = warp(clip, augmentation=augmentation, rng=rng)
    if rng.random() < augmentation.flip:
        clip = clip[:, :, ::-1]
    if rng.random() < augmentation.grey and clip.shape[-1] == len(LUMA):
        grey = (clip @ np.array(LUMA, np.uint16 if clip.dtype == np.uint8 else np.float32))[..., None]
        clip = np.broadcast_to((grey / 256).astype(clip.dtype), clip.shape)
    if augmentation.brightness or augmentation.contrast or augmentation.gamma:
        clip = relight(clip, augmentation=augmentation, rng=rng)
    return clip


def draw_frames(frames: int, *, augmentation: Augmentation, rng: np.random.Generator) -> NDArray[np.int64]:
    """Which frame of a clip stands at each of its T places."""
    left_out = rng.uniform(0, augmentation.jitter) * (frames - 1)
    first = rng.uniform(0, left_out)
    places = np.rint(np.linspace(first, first + frames - 1 - left_out, frames)).astype(np.int64)
    kept = rng.random(frames) >= augmentation.drop
    kept[0] = True  # nothing stands before it
    last_kept = np.maximum.accumulate(np.where(kept, np.arange(frames), 0))
    return places[last_kept]


def crop_and_enlarge(clip: NDArray[Pixels], *, most: float, rng: np.random.Generator) -> NDArray[Pixels]:
    """A part of the picture at the whole's size (bilinear); height and width are cut independently."""
    _, height_px, width_px, _ = clip.shape
    sides = [round(side_px * (1 - rng.uniform(0, most))) or 1 for side_px in (height_px, width_px)]
    top, left = (
        rng.integers(whole - part + 1) for whole, part in zip((height_px, width_px), sides, strict=True)
    )
    part = clip[:, top : top + sides[0], left : left + sides[1]]
    pictures = torch.from_numpy(part).permute(0, 3, 1, 2)  # (T, H, W, C) -> (T, C, H, W), a view
    enlarged = F.interpolate(pictures, size=(height_px, width_px), mode="bilinear")
    return enlarged.permute(0, 2, 3, 1).numpy()


def warp(clip: NDArray[Pixels], *, augmentation: Augmentation, rng: np.random.Generator) -> NDArray[Pixels]:
    """All frames turned, enlarged or made smaller, and moved (bilinear), as a camera that hangs otherwise has them."""
    frames, height_px, width_px, colours = clip.shape
    angle = np.deg2rad(augmentation.rotate) * rng.uniform(-1, 1)
    apart = augmentation.zoom / 3 * rng.uniform(-1, 1)
    factor = augmentation.zoom * rng.uniform(-1, 1)
    taller, wider = np.exp(factor - apart / 2), np.exp(factor + apart / 2)
    down, right = 2 * augmentation.shift * rng.uniform(-1, 1, 2)  # a picture is 2 high and 2 wide
    # Where in the old picture each place of the new one lies; both are measured in half heights and half widths.
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    sides = np.array([width_px, height_px])
    places = turn * sides[None, :] / sides[:, None] / np.array([wider, taller])[None, :]
    theta = torch.from_numpy(np.column_stack([places, [right, down]])).float()[None]
    pictures = torch.from_numpy(clip).permute(0, 3, 1, 2).reshape(1, frames * colours, height_px, width_px)
    grid = F.affine_grid(theta, list(pictures.shape), align_corners=False)
    warped = F.grid_sample(pictures.float(), grid, padding_mode="reflection", align_corners=False)
    if clip.dtype == np.uint8:
        warped = warped.round().to(torch.uint8)
    return warped.view(frames, colours, height_px, width_px).permute(0, 2, 3, 1).numpy()


def relight(
    clip: NDArray[Pixels], *, augmentation: Augmentation, rng: np.random.Generator
) -> NDArray[Pixels]:
    """Brightness, contrast and gamma as one curve; uint8 pixels are looked up in it."""
    added = 255 * rng.uniform(-1, 1) * augmentation.brightness
    factor = np.exp(rng.uniform(-1, 1) * augmentation.contrast)
    exponent = np.exp(rng.uniform(-1, 1) * augmentation.gamma)

    def curve(values: NDArray[np.float32]) -> NDArray[np.float32]:
        lit = ((values - 127.5) * np.float32(factor) + np.float32(127.5 + added)).clip(0, 255)
        curved = (lit / 255) ** np.float32(exponent) * np.float32(255) if exponent != 1 else lit
        return curved.astype(np.float32, copy=False)

    if clip.dtype != np.uint8:
        return curve(clip)  # type: ignore[arg-type, return-value]  # float32, as just seen
    table = np.rint(curve(np.arange(256, dtype=np.float32))).astype(np.uint8)
    # bytes.translate takes a third of the time of numpy's or torch's indexing.
    relit = np.ascontiguousarray(clip).tobytes().translate(table.tobytes())
    return np.frombuffer(relit, np.uint8).reshape(clip.shape)  # type: ignore[return-value]
