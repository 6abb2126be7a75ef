"""Pictures of every form come into the network's picture, and their positions come back exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primatrix.video.letterbox import Place, Scale, find_place, fit_picture, undo_place

SIDES = st.integers(1, 3000)


@pytest.mark.parametrize(
    ("size_px", "within_px", "place"),
    [
        ((720, 1280), (640, 640), Place(0, 140, 640, 360)),  # wide
        ((1280, 720), (640, 640), Place(140, 0, 360, 640)),  # tall
        ((64, 64), (640, 640), Place(0, 0, 640, 640)),
        ((333, 517), (640, 640), Place(0, 114, 640, 412)),  # 412.2 rows
        ((100, 199), (64, 64), Place(0, 16, 64, 32)),
        ((3, 64), (64, 64), Place(0, 30, 64, 3)),  # 61 rows left over: 30 above, 31 below
        ((1, 1000), (64, 64), Place(0, 31, 64, 1)),  # 0.064 rows
        ((480, 640), (480, 960), Place(160, 0, 640, 480)),  # a network of wide pictures
    ],
)
def test_a_letterboxed_picture_keeps_its_form_and_lies_in_the_middle(
    size_px: tuple[int, int], within_px: tuple[int, int], place: Place
) -> None:
    assert find_place(size_px, within_px=within_px, layout="letterbox") == place


def test_a_stretched_picture_fills_all() -> None:
    assert find_place((720, 1280), within_px=(640, 320), layout="stretch") == Place(0, 0, 320, 640)


@given(SIDES, SIDES, SIDES, SIDES)
def test_the_edges_of_a_picture_come_back_as_0_and_1(height: int, width: int, high: int, wide: int) -> None:
    place = find_place((height, width), within_px=(high, wide), layout="letterbox")
    assert 0 <= place.left <= place.left + place.width <= wide
    assert 0 <= place.top <= place.top + place.height <= high
    edges = [[place.left, place.top, place.left + place.width, place.top + place.height]]
    assert undo_place(np.array(edges, np.float64), place).tolist() == [[0, 0, 1, 1]]


def test_pixels_are_scaled_and_bands_are_grey() -> None:
    picture = np.zeros((2, 4, 3), np.uint8)
    picture[:] = (255, 51, 0)
    shown = fit_picture(picture, Place(0, 1, 4, 2), within_px=(4, 4), scale=Scale())
    assert (shown.shape, shown.dtype) == ((3, 4, 4), np.float32)
    np.testing.assert_allclose(shown[:, 1:3], np.broadcast_to([[[1.0]], [[0.2]], [[0.0]]], (3, 2, 4)))
    np.testing.assert_allclose(shown[:, [0, 3]], 114 / 255)


def test_mean_and_spread_are_per_colour_and_blue_may_come_first() -> None:
    scale = Scale(mean=(5, 1, 2), spread=(10, 5, 4), fill=(7, 8, 9), is_bgr=True)
    picture = np.full((1, 2, 3), (15, 11, 10), np.uint8)  # scaled: 1, 2, 2
    shown = fit_picture(picture, Place(0, 0, 2, 1), within_px=(2, 2), scale=scale)
    assert shown.tolist() == [[[2, 2], [7, 7]], [[2, 2], [8, 8]], [[1, 1], [9, 9]]]
