"""What detectors put out, read the same way: corners, confidence and class of each box, in every usual form of rows."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

__all__ = [
    "HAS_DOUBLES", "IN_SHARES", "ROW_FORMATS", "RowFormat", "Rows", "count_classes", "find_outputs", "list_formats",
    "read_rows", "suppress_doubles",
]  # fmt: skip

RowFormat = Literal["rtdetr_logits", "rtdetr_scores", "rtdetr_topk", "yolov5", "yolov8", "end_to_end"]
"""The forms of rows, for N pictures, R boxes and C classes.

rtdetr_logits: logits (N, R, C) and boxes (N, R, 4) as centre x, centre y, width, height, all as shares of the network's
picture (transformers). rtdetr_scores: (N, R, 4+C), the same boxes beside a score per class (Ultralytics' RT-DETR).
rtdetr_topk: (N, R, 6), the same boxes, score, class (SPARROW's zoo). yolov5: (N, R, 5+C), boxes as before in pixels,
how surely there is something, a score per class (MegaDetector v5). yolov8: (N, 4+C, R), no such surety (YOLOv8 to 11).
end_to_end: (N, R, 6), left, top, right, bottom in pixels, score, class; doubles are gone (YOLOv10).
"""
ROW_FORMATS: tuple[RowFormat, ...] = get_args(RowFormat)
IN_SHARES = ("rtdetr_logits", "rtdetr_scores", "rtdetr_topk")
HAS_DOUBLES = ("yolov5", "yolov8")
MOST_BOXES = 300  # of a picture, as in the detectors that have no doubles

Doubles = NDArray[np.float64]
Shape = tuple[int, ...]


class Rows(NamedTuple):
    """Boxes of a picture: left, top, right, bottom in pixels of the network's picture (R, 4), confidence and class."""

    corners: Doubles
    confidence: Doubles
    classes: NDArray[np.int64]


def find_outputs(shapes: Mapping[str, Shape]) -> tuple[str, ...]:
    """The names of those outputs that hold rows: logits and boxes, or the only one of three dimensions; () for none.

    >>> find_outputs({"logits": (1, 300, 3), "pred_boxes": (1, 300, 4), "hidden": (1, 300, 256)})
    ('logits', 'pred_boxes')
    """
    flat = [name for name, shape in shapes.items() if len(shape) == 3]
    named = ("logits", "pred_boxes") if {"logits", "pred_boxes"} <= set(flat) else tuple(flat)
    if len(named) == 2:
        scores, boxes = (shapes[name] for name in named)
        return named if boxes[2] == 4 and scores[1] == boxes[1] else ()
    return named if len(named) == 1 else ()


def list_formats(shapes: Sequence[Shape], *, classes: int | None) -> list[RowFormat]:
    """The formats that outputs of these shapes may have, for a detector of so many classes (None: unknown).

    >>> list_formats([(1, 8400, 8)], classes=3), list_formats([(1, 300, 6)], classes=2)
    (['yolov5'], ['rtdetr_scores', 'end_to_end'])
    """
    if len(shapes) == 2:
        return ["rtdetr_logits"]
    certain: tuple[RowFormat, ...] = ("rtdetr_scores", "yolov5", "yolov8")
    found = [name for name in certain if classes and count_classes(name, shapes) == classes]
    return [*found, "end_to_end"] if shapes[0][2] == 6 else found


def count_classes(rows: RowFormat, shapes: Sequence[Shape]) -> int | None:
    """How many classes outputs of these shapes have; None where each row names its own. 0 or less: they do not fit."""
    _, first, last = shapes[0]
    if rows in ("rtdetr_topk", "end_to_end"):
        return None if last == 6 and len(shapes) == 1 else 0
    if (rows == "rtdetr_logits") != (len(shapes) == 2):
        return 0
    return {"rtdetr_logits": last, "rtdetr_scores": last - 4, "yolov5": last - 5, "yolov8": first - 4}[rows]


def read_rows(
    outputs: Sequence[NDArray[np.float32]], *, rows: RowFormat, size_px: tuple[int, int], kept: Sequence[int]
) -> Rows:
    """The boxes of the first picture, of the classes in `kept` only; each box has the class it is most like.

    `size_px` is (height, width) of the network's picture.
    """
    first = outputs[0][0].astype(np.float64)  # (R, …) or, of YOLOv8, (4+C, R)
    size = np.array([size_px[1], size_px[0]] * 2, np.float64)
    if rows == "end_to_end":
        return keep_classes(first[:, :4], first, kept)
    if rows == "rtdetr_topk":
        return keep_classes(to_corners(first[:, :4] * size), first, kept)
    if rows == "rtdetr_logits":
        boxes = outputs[1][0].astype(np.float64) * size
        return take_best(boxes, expit(first), kept)
    if rows == "rtdetr_scores":
        return take_best(first[:, :4] * size, first[:, 4:], kept)
    if rows == "yolov5":
        return take_best(first[:, :4], first[:, 4:5] * first[:, 5:], kept)
    return take_best(first[:4].T, first[4:].T, kept)


def keep_classes(corners: Doubles, rows: Doubles, kept: Sequence[int]) -> Rows:
    """Rows that name their score and class, where the class is a kept one."""
    is_kept = np.isin(rows[:, 5], kept)
    return Rows(corners[is_kept], rows[is_kept, 4], rows[is_kept, 5].astype(np.int64))


def take_best(boxes: Doubles, scores: Doubles, kept: Sequence[int]) -> Rows:
    """Each box with the best of its scores (R, C) for kept classes."""
    known = scores[:, list(kept)]
    best = known.argmax(1)
    return Rows(to_corners(boxes), known[np.arange(len(best)), best], np.asarray(kept, np.int64)[best])


def to_corners(boxes: Doubles) -> Doubles:
    """Boxes (R, 4) given by centre, width and height, by left, top, right and bottom."""
    middle, half = boxes[:, :2], boxes[:, 2:] / 2
    return np.concatenate([middle - half, middle + half], axis=1)


def suppress_doubles(rows: Rows, *, groups: NDArray[np.int64], least: float, overlap: float) -> list[int]:
    """Which boxes are at least so sure, most confident first, without doubles of surer ones; 300 at most.

    A double is of the same group and shares more than `overlap` of what either covers: at 1 nothing is one.
    """
    usable = (rows.confidence >= least) & np.isfinite(rows.corners).all(1)
    left = np.flatnonzero(usable)
    left = left[np.argsort(-rows.confidence[left], kind="stable")]
    chosen: list[int] = []
    while len(left) and len(chosen) < MOST_BOXES:
        best, left = left[0], left[1:]
        chosen.append(int(best))
        if overlap < 1:
            shared = share_with(rows.corners[best], rows.corners[left])
            left = left[(shared <= overlap) | (groups[left] != groups[best])]
    return chosen


def share_with(box: Doubles, others: Doubles) -> Doubles:
    """What one box (4,) shares with each other (R, 4): intersection over union."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    both = np.maximum(sides, 0).prod(1)
    areas = [np.maximum(corners[..., 2:] - corners[..., :2], 0).prod(-1) for corners in (box, others)]
    shared: Doubles = both / np.maximum(areas[0] + areas[1] - both, np.finfo(np.float64).tiny)
    return shared
