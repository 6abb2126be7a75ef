"""Every form of rows gives the same boxes; shapes tell the forms apart; doubles go, the surest stay."""

from math import log

import numpy as np
import pytest

from primatrix.video.detector_rows import (
    RowFormat,
    Rows,
    count_classes,
    find_outputs,
    list_formats,
    read_rows,
    suppress_doubles,
)

# Two boxes in a network's picture of 80 by 100 px: a person at 10-30, 20-60 and an animal at 50-100, 0-40.
CORNERS = [[10, 20, 30, 60], [50, 0, 100, 40]]
IN_PIXELS = [[20, 40, 20, 40], [75, 20, 50, 40]]
IN_SHARES = [[0.2, 0.5, 0.2, 0.5], [0.75, 0.25, 0.5, 0.5]]
SCORES = [[0.1, 0.75, 0.0], [0.5, 0.25, 0.0]]


def join(*parts: object) -> np.ndarray:
    return np.concatenate([np.asarray(part, np.float32) for part in parts], axis=1)[np.newaxis]


OUTPUTS: dict[RowFormat, list[np.ndarray]] = {
    "rtdetr_logits": [
        np.array([[[-5, log(3), -9], [0, -log(3), -9]]], np.float32),  # 0.75 and 0.5
        np.array([IN_SHARES], np.float32),
    ],
    "rtdetr_scores": [join(IN_SHARES, SCORES)],
    "rtdetr_topk": [join(IN_SHARES, [[0.75, 1], [0.5, 0]])],
    "yolov5": [join(IN_PIXELS, [[0.8], [0.5]], [[0.125, 0.9375, 0], [1, 0.5, 0]])],
    "yolov8": [join(IN_PIXELS, SCORES).transpose(0, 2, 1)],
    "end_to_end": [join(CORNERS, [[0.75, 1], [0.5, 0]])],
}


@pytest.mark.parametrize("rows", list(OUTPUTS))
def test_every_form_gives_the_same_boxes(rows: RowFormat) -> None:
    read = read_rows(OUTPUTS[rows], rows=rows, size_px=(80, 100), kept=[0, 1, 2])
    np.testing.assert_allclose(read.corners, CORNERS, atol=1e-4)
    np.testing.assert_allclose(read.confidence, [0.75, 0.5], atol=1e-6)
    assert read.classes.tolist() == [1, 0]


@pytest.mark.parametrize("rows", ["rtdetr_topk", "end_to_end"])
def test_rows_of_other_classes_are_left_out(rows: RowFormat) -> None:
    read = read_rows(OUTPUTS[rows], rows=rows, size_px=(80, 100), kept=[0, 2])
    np.testing.assert_allclose(read.corners, CORNERS[1:], atol=1e-4)


def test_a_box_has_the_best_of_the_kept_classes_only() -> None:
    read = read_rows(OUTPUTS["yolov8"], rows="yolov8", size_px=(80, 100), kept=[0, 2])
    np.testing.assert_allclose(read.confidence, [0.1, 0.5])
    assert read.classes.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("shapes", "classes", "formats"),
    [
        ([(1, 300, 3), (1, 300, 4)], 3, ["rtdetr_logits"]),
        ([(1, 300, 7)], 3, ["rtdetr_scores"]),
        ([(1, 102000, 8)], 3, ["yolov5"]),  # MegaDetector v5
        ([(1, 7, 8400)], 3, ["yolov8"]),
        ([(1, 300, 6)], 3, ["end_to_end"]),
        ([(1, 84, 8400)], 80, ["yolov8"]),
        ([(1, 25200, 85)], 80, ["yolov5"]),
        ([(1, 300, 84)], 80, ["rtdetr_scores"]),
        ([(1, 300, 6)], 2, ["rtdetr_scores", "end_to_end"]),
        ([(1, 300, 6)], 1, ["yolov5", "end_to_end"]),
        ([(1, 300, 9)], 3, []),
    ],
)
def test_shapes_tell_the_form_where_the_classes_are_known(
    shapes: list[tuple[int, ...]], classes: int, formats: list[RowFormat]
) -> None:
    assert list_formats(shapes, classes=classes) == formats


def test_classes_are_counted_and_shapes_that_do_not_fit_count_none() -> None:
    assert count_classes("yolov5", [(1, 25200, 85)]) == 80
    assert count_classes("end_to_end", [(1, 300, 6)]) is None
    assert count_classes("end_to_end", [(1, 300, 7)]) == 0
    assert count_classes("rtdetr_logits", [(1, 300, 7)]) == 0
    assert count_classes("yolov8", [(1, 300, 3), (1, 300, 4)]) == 0


@pytest.mark.parametrize(
    ("shapes", "names"),
    [
        ({"hidden": (1, 9, 32), "logits": (1, 9, 3), "pred_boxes": (1, 9, 4)}, ("logits", "pred_boxes")),
        ({"a": (1, 9, 3), "b": (1, 9, 4)}, ("a", "b")),
        (
            {"output": (1, 25200, 8), "grid": (1, 3, 80, 80, 8)},
            ("output",),
        ),  # YOLOv5, exported as for training
        ({"features": (1, 1280)}, ()),
        ({"a": (1, 9, 3), "b": (1, 8, 4)}, ()),
        ({"a": (1, 9, 3), "b": (1, 9, 4), "c": (1, 9, 5)}, ()),
    ],
)
def test_the_outputs_that_hold_boxes_are_found(
    shapes: dict[str, tuple[int, ...]], names: tuple[str, ...]
) -> None:
    assert find_outputs(shapes) == names


def make_rows(corners: list[list[float]], confidence: list[float]) -> Rows:
    return Rows(np.array(corners, np.float64), np.array(confidence), np.zeros(len(corners), np.int64))


def test_of_two_boxes_that_share_much_the_surer_stays_within_its_group() -> None:
    rows = make_rows([[0, 0, 10, 10], [0, 0, 10, 6], [0, 0, 10, 4], [0, 0, 10, 10]], [0.5, 0.9, 0.8, 0.7])
    groups = np.array([0, 0, 0, 1])
    # Unions with the second: 0.6, 0.667; of the first with the third 0.4.
    assert suppress_doubles(rows, groups=groups, least=0.2, overlap=0.65) == [1, 3, 0]
    assert suppress_doubles(rows, groups=groups, least=0.2, overlap=0.5) == [1, 3]
    assert suppress_doubles(rows, groups=groups, least=0.75, overlap=0.7) == [1, 2]
    assert suppress_doubles(rows, groups=groups, least=0.2, overlap=1.0) == [1, 2, 3, 0]


def test_what_is_no_number_is_no_box() -> None:
    rows = make_rows(
        [[0, 0, np.nan, 1], [0, 0, 1, 1], [0, 0, 1, np.inf], [5, 5, 6, 6]], [0.9, np.nan, 0.8, 0.3]
    )
    assert suppress_doubles(rows, groups=np.zeros(4, np.int64), least=0.0, overlap=0.5) == [3]


def test_boxes_without_area_share_nothing() -> None:
    rows = make_rows([[1, 1, 1, 1], [1, 1, 1, 1]], [0.5, 0.4])
    assert suppress_doubles(rows, groups=np.zeros(2, np.int64), least=0.0, overlap=0.5) == [0, 1]


def test_a_picture_has_300_boxes_at_most() -> None:
    rows = make_rows([[0, 0, 1, 1]] * 400, [0.5] * 400)
    assert suppress_doubles(rows, groups=np.zeros(400, np.int64), least=0.2, overlap=1.0) == list(range(300))
