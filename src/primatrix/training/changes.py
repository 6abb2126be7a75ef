"""Changes of training clips, once they are drawn: made clip by clip on a CPU, all together on a GPU."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from primatrix.training.pasting import paste_moving

__all__ = ["Changes", "change_each", "change_together"]

Pixels = TypeVar("Pixels", np.uint8, np.float32)
LUMA = (77, 150, 29)  # of 256: red, green and blue in grey (ITU-R BT.601)
BYTES_TOGETHER = (
    32 << 20
)  # of clips that a GPU changes at once: by count it takes some twenty times as much meanwhile


@dataclass(frozen=True, slots=True)
class Changes:
    """What is done to the B clips (T, H, W, C) of a batch, in this order; None: to none.

    pastes    (P, 2): the clip whose moving pixels are put on a place, and the clip whose place that is
    frames    (B, T): which frame stands at each place in time
    parts     (B, 4): top, left, height and width of the part of the picture that is enlarged to all of it
    turns     (B, 2, 3): where in the old picture each place of the new one lies (as torch's `affine_grid`)
    mirrored  (B,): left and right
    grey      (B,): colours become grey
    light     (B, 3): grey levels added, factor of contrast, exponent of gamma
    """

    pastes: NDArray[np.int64]
    mirrored: NDArray[np.bool_]
    grey: NDArray[np.bool_]
    frames: NDArray[np.int64] | None = None
    parts: NDArray[np.int64] | None = None
    turns: NDArray[np.float32] | None = None
    light: NDArray[np.float64] | None = None


# --- clip by clip ----------------------------------------------------------------------------------------


def change_each(x: NDArray[Pixels], changes: Changes) -> NDArray[Pixels]:
    """Clips (B, T, H, W, C), 0-255, changed one after the other: uint8 stays uint8, which is fastest on a CPU."""
    pasted, onto = changes.pastes.T
    if len(pasted):
        moved = paste_moving(torch.from_numpy(x[pasted]), torch.from_numpy(x[onto])).numpy()
        x = x.copy()
        x[pasted] = moved
    changed = np.empty_like(x)
    for number, target in enumerate(changed):
        target[...] = change_one(x[number], changes, number)
    return changed


def change_one(clip: NDArray[Pixels], changes: Changes, number: int) -> NDArray[Pixels]:
    """One clip (T, H, W, C) changed as number `number` of the batch is."""
    if changes.frames is not None:
        clip = clip[changes.frames[number]]
    if changes.parts is not None:
        clip = enlarge(clip, changes.parts[number])
    if changes.turns is not None:
        clip = warp(torch.from_numpy(clip)[None], torch.from_numpy(changes.turns[number])[None])[0].numpy()
    if changes.mirrored[number]:
        clip = torch.from_numpy(clip).flip(2).numpy()  # an eighth of the time of numpy's copy
    if changes.grey[number] and clip.shape[-1] == len(LUMA):
        clip = make_grey(clip)
    if changes.light is not None:
        clip = relight(clip, changes.light[number])
    return clip


def enlarge(clip: NDArray[Pixels], part: NDArray[np.int64]) -> NDArray[Pixels]:
    """A part of the picture at the whole's size (bilinear)."""
    top, left, height_px, width_px = part
    seen = clip[:, top : top + height_px, left : left + width_px]
    pictures = torch.from_numpy(seen).permute(0, 3, 1, 2)  # (T, H, W, C) -> (T, C, H, W), a view
    enlarged = F.interpolate(pictures, size=clip.shape[1:3], mode="bilinear")
    return enlarged.permute(0, 2, 3, 1).numpy()


def make_grey(clip: NDArray[Pixels]) -> NDArray[Pixels]:
    """The luma of each pixel for each of its three colours; of uint8 rounded down."""
    wide = np.uint16 if clip.dtype == np.uint8 else np.float32  # 256 * 255 fits
    luma = clip[..., 0] * wide(LUMA[0])
    for colour in (1, 2):
        luma += clip[..., colour] * wide(LUMA[colour])
    grey = (luma // 256 if clip.dtype == np.uint8 else luma / 256).astype(clip.dtype)
    return np.stack([grey] * len(LUMA), -1)


def relight(clip: NDArray[Pixels], light: NDArray[np.float64]) -> NDArray[Pixels]:
    """Brightness, contrast and gamma as one curve; uint8 pixels are looked up in it."""
    if clip.dtype != np.uint8:
        return curve(clip, light)  # type: ignore[arg-type, return-value]  # float32, as just seen
    # bytes.translate takes a third of the time of numpy's or torch's indexing.
    relit = np.ascontiguousarray(clip).tobytes().translate(list_light(light).tobytes())
    return np.frombuffer(relit, np.uint8).reshape(clip.shape)  # type: ignore[return-value]


def curve(values: NDArray[np.float32], light: NDArray[np.float64]) -> NDArray[np.float32]:
    """Grey levels in this light, of one clip (3,)."""
    added, factor, exponent = light
    lit = ((values - 127.5) * np.float32(factor) + np.float32(127.5 + added)).clip(0, 255)
    curved = (lit / 255) ** np.float32(exponent) * np.float32(255) if exponent != 1 else lit
    return curved.astype(np.float32, copy=False)


def list_light(light: NDArray[np.float64]) -> NDArray[np.uint8]:
    """What becomes of each grey level from 0 to 255."""
    return np.rint(curve(np.arange(256, dtype=np.float32), light)).astype(np.uint8)


# --- all together ----------------------------------------------------------------------------------------


def change_together(x: Tensor, changes: Changes) -> Tensor:
    """Clips uint8 (B, T, H, W, C) on any device, changed as `change_each` does but for rounding.

    A few operations for many clips at once, which a GPU is quick at and a CPU is not; nothing is waited for.

    >>> clips = torch.arange(24, dtype=torch.uint8).view(1, 2, 3, 4, 1)
    >>> none, yes, no = np.empty((0, 2), np.int64), np.array([True]), np.array([False])
    >>> change_together(clips, Changes(none, mirrored=yes, grey=no))[0, 0, 0, :, 0].tolist()
    [3, 2, 1, 0]
    """
    at_once = max(1, BYTES_TOGETHER // max(1, x[0].numel()))
    parts = [change_some(x, changes, slice(i, i + at_once)) for i in range(0, len(x), at_once)]
    return torch.cat(parts) if len(parts) > 1 else parts[0]


def change_some(x: Tensor, changes: Changes, some: slice) -> Tensor:
    """Some of the clips of a batch, changed."""

    def there(values: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(values).to(x.device, non_blocking=True)

    clips = x[some]
    pasted, onto = changes.pastes[np.isin(changes.pastes[:, 0], np.arange(len(x))[some])].T
    if len(pasted):
        moved = paste_moving(x[there(pasted)], x[there(onto)])
        clips = clips.index_copy(0, there(pasted - some.start), moved)
    if changes.frames is not None:
        clips = clips[torch.arange(len(clips), device=x.device)[:, None], there(changes.frames[some])]
    if changes.parts is not None:
        clips = enlarge_together(clips, there(changes.parts[some]))
    if changes.turns is not None:
        clips = warp(clips, there(changes.turns[some]))
    clips = torch.where(there(changes.mirrored[some]).view(-1, 1, 1, 1, 1), clips.flip(3), clips)
    if changes.grey.any() and clips.shape[-1] == len(LUMA):
        luma = sum(clips[..., colour].to(torch.int32) * share for colour, share in enumerate(LUMA))
        grey = (torch.as_tensor(luma) // 256).to(torch.uint8)[..., None]
        clips = torch.where(there(changes.grey[some]).view(-1, 1, 1, 1, 1), grey, clips)
    if changes.light is not None:
        tables = there(np.stack([list_light(light) for light in changes.light[some]]))
        clips = tables.gather(1, clips.flatten(1).long()).view(clips.shape)
    return clips


def enlarge_together(x: Tensor, parts: Tensor) -> Tensor:
    """A part (B, 4) of each picture of uint8 clips (B, T, H, W, C) at the whole's size (bilinear)."""
    start, size = parts[:, :2], parts[:, 2:]  # (B, 2): rows and columns
    pixels = x.float()
    for axis in range(2):
        first, count, whole = start[:, axis, None], size[:, axis, None], x.shape[2 + axis]
        # Where in the part the middle of each new pixel lies; half a pixel at its edges is seen for a whole one.
        places = (torch.arange(whole, device=x.device) + 0.5) * (count / whole) - 0.5
        places = torch.minimum(places.clamp(min=0), (count - 1).float())
        low = places.floor().long()
        high = torch.minimum(low + 1, count - 1)
        shape = [len(x), 1, 1, 1, 1]
        shape[2 + axis] = whole
        near, far = (
            pixels.gather(2 + axis, (first + place).view(shape).expand(pixels.shape)) for place in (low, high)
        )
        pixels = torch.lerp(near, far, (places - low).view(shape))
    return pixels.round().to(torch.uint8)


def warp(x: Tensor, turns: Tensor) -> Tensor:
    """All frames of clips (B, T, H, W, C) turned, zoomed and moved as turns (B, 2, 3) say, mirrored at the edges."""
    clips, frames, height_px, width_px, colours = x.shape
    pictures = x.permute(0, 1, 4, 2, 3).reshape(clips, frames * colours, height_px, width_px)
    grid = F.affine_grid(turns, list(pictures.shape), align_corners=False)
    warped = F.grid_sample(pictures.float(), grid, padding_mode="reflection", align_corners=False)
    if x.dtype == torch.uint8:
        warped = warped.round().to(torch.uint8)
    return warped.view(clips, frames, colours, height_px, width_px).permute(0, 1, 3, 4, 2)
