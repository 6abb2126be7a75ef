"""A picture into the size a network takes, and positions back: whole with bands beside it (letterbox) or stretched."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["GREY_PX", "Colours", "Layout", "Place", "Scale", "find_place", "fit_picture", "undo_place"]

Layout = Literal["letterbox", "stretch"]
GREY_PX = 114  # of the bands, in YOLOv5 and its successors
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Colours = tuple[float, float, float]


class Place(NamedTuple):
    """The part of a network's picture that a picture fills, in pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Scale:
    """How pixels become a network's numbers: `mean` taken off pixels 0-255, the rest divided by `spread`, per colour.

    `fill` is what stands in the bands of a letterboxed picture, in the network's numbers. `is_bgr`: blue comes first.
    """

    mean: Colours = (0.0, 0.0, 0.0)
    spread: Colours = (255.0, 255.0, 255.0)
    fill: Colours = (GREY_PX / 255, GREY_PX / 255, GREY_PX / 255)
    is_bgr: bool = False


def find_place(size_px: tuple[int, int], *, within_px: tuple[int, int], layout: Layout) -> Place:
    """Where a picture (height, width) goes in a network's picture (height, width).

    A letterboxed picture keeps its form, to whole pixels, and lies in the middle; of an odd number of rows or columns
    left over, the larger half lies below or on the right, as YOLOv5 and its successors have it.

    >>> find_place((720, 1280), within_px=(640, 640), layout="letterbox")
    Place(left=0, top=140, width=640, height=360)
    """
    (height, width), (high, wide) = size_px, within_px
    if layout == "stretch":
        return Place(0, 0, wide, high)
    scale = min(high / height, wide / width)
    new_height, new_width = (max(1, round(side * scale)) for side in (height, width))
    return Place((wide - new_width) // 2, (high - new_height) // 2, new_width, new_height)


def fit_picture(
    picture: NDArray[np.uint8], place: Place, *, within_px: tuple[int, int], scale: Scale
) -> Floats:
    """A picture (H, W, 3) at its place in a network's picture, colours first (3, height, width), scaled.

    Resized by area-aware bilinear interpolation (Pillow's), as transformers prepares pictures for RT-DETR.
    """
    small = Image.fromarray(picture).resize((place.width, place.height), Image.Resampling.BILINEAR)
    out = np.empty((*within_px, 3), np.float32)
    out[:] = scale.fill
    rows = slice(place.top, place.top + place.height)
    columns = slice(place.left, place.left + place.width)
    pixels = (np.asarray(small, np.float32) - np.array(scale.mean, np.float32)) / np.array(
        scale.spread, np.float32
    )
    out[rows, columns] = pixels[..., ::-1] if scale.is_bgr else pixels
    return np.ascontiguousarray(out.transpose(2, 0, 1))  # (H, W, 3) -> (3, H, W)


def undo_place(corners: Doubles, place: Place) -> Doubles:
    """Corners (N, 4), left, top, right, bottom in pixels of the network's picture, as shares of the picture itself.

    Divided by the whole pixels the picture fills, not by the scale before rounding: so the picture's own edges come
    back as 0 and 1 exactly. What lies outside of the picture is below 0 or above 1.
    """
    start, size = np.array([place.left, place.top] * 2), np.array([place.width, place.height] * 2)
    shares: Doubles = (corners - start) / size
    return shares
