import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from primatrix.records import Box
from primatrix.video.crops import _find_median, choose_crops, measure_novelty

WHOLE = Box(0.0, 0.0, 1.0, 1.0)


def make_place(frames: int = 15, *, size: int = 64, seed: int = 0) -> np.ndarray:
    """A place that stands still but for the noise of a camera, (T, H, W, 1)."""
    rng = np.random.default_rng(seed)
    place = rng.integers(60, 160, (1, size, size, 1))
    return (place + rng.integers(-2, 3, (frames, size, size, 1))).astype(np.uint8)


def is_within(box: Box, rows: slice, columns: slice, *, size: int = 64) -> bool:
    """Whether all of a patch lies in a box."""
    return (
        box.left * size <= columns.start
        and (box.left + box.width) * size >= columns.stop
        and box.top * size <= rows.start
        and (box.top + box.height) * size >= rows.stop
    )


def test_what_comes_into_a_picture_is_looked_at_closely() -> None:
    frames = make_place()
    rows, columns = slice(20, 32), slice(40, 50)
    frames[6:9, rows, columns] = 250
    first, *_ = choose_crops(frames, np.arange(15.0), count=4, aspect=16 / 9)
    assert first.frame in (6, 7, 8)
    assert first.seconds == first.frame
    assert is_within(first.box, rows, columns)
    assert first.box.width * 16 / 9 == pytest.approx(first.box.height)  # a square in pixels
    assert first.box.height < 0.6
    assert 0 < first.novelty <= 4


def test_two_that_move_at_once_get_a_crop_each() -> None:
    frames = make_place()
    places = [(slice(8, 18), slice(6, 16)), (slice(44, 54), slice(46, 56))]
    for rows, columns in places:
        frames[7, rows, columns] = 250
    crops = choose_crops(frames, np.arange(15.0), count=2, aspect=1.0)
    assert sorted(is_within(crop.box, *places[0]) for crop in crops) == [False, True]
    assert sorted(is_within(crop.box, *places[1]) for crop in crops) == [False, True]


def test_crops_of_one_that_walks_by_are_spread_over_time() -> None:
    frames = make_place()
    for second in range(2, 12):
        frames[second, 24:36, 4 * second : 4 * second + 10] = 250
    crops = choose_crops(frames, np.arange(15.0), count=4, aspect=1.0)
    seconds = sorted(crop.seconds for crop in crops)
    assert len(crops) == 4
    assert min(np.diff(seconds)) >= 2


def test_what_is_hardly_new_beside_the_rest_gets_no_crop() -> None:
    frames = make_place()
    frames[6, 20:40, 20:40] = 250
    frames[9, 4:7, 50:53] = 250  # 9 pixels beside 400
    (only,) = choose_crops(frames, np.arange(15.0), count=6, aspect=1.0)
    assert (only.frame, is_within(only.box, slice(20, 40), slice(20, 40))) == (6, True)
    frames[9, 4:18, 44:58] = 250
    assert [crop.frame for crop in choose_crops(frames, np.arange(15.0), count=6, aspect=1.0)] == [6, 9]


def test_patches_of_two_frames_are_never_one() -> None:
    frames = make_place()
    frames[6, 20:30, 20:30] = 250
    frames[7, 20:30, 20:30] = 20
    crops = choose_crops(frames, np.arange(15.0), count=6, aspect=1.0)
    assert sorted(crop.frame for crop in crops) == [6, 7]


@pytest.mark.parametrize("count", [1, 2, 3, 14, 15, 31])
def test_what_is_usual_is_the_median_over_the_frames(count: int) -> None:
    values = np.random.default_rng(count).integers(0, 256, (count, 5, 4, 3), np.uint8)
    assert np.array_equal(_find_median(values), np.median(values, axis=0))
    assert values.max() > 200  # as it was given


def test_what_is_usual_in_a_long_clip_is_told_by_some_of_its_frames() -> None:
    values = np.repeat(np.arange(100, dtype=np.uint8), 2).reshape(100, 2)
    assert _find_median(values).tolist() == [48.0, 48.0]  # of the frames 0, 4, 8, …, 96


def test_what_sways_all_the_time_counts_less_than_what_comes_once() -> None:
    frames = make_place()
    frames[::2, :12, :30] = 200  # leaves, now here, now there
    frames[1::2, :12, :30] = 120
    frames[9, 40:50, 40:50] = 250
    first, *_ = choose_crops(frames, np.arange(15.0), count=3, aspect=1.0)
    assert (first.frame, is_within(first.box, slice(40, 50), slice(40, 50))) == (9, True)


def test_light_that_changes_is_nothing_new() -> None:
    frames = make_place()
    frames[5:10] += 12
    assert measure_novelty(frames).max() < 1
    assert [crop.box for crop in choose_crops(frames, np.arange(15.0), count=3, aspect=1.0)] == [WHOLE] * 3


def test_where_nothing_moves_whole_frames_are_taken_far_apart() -> None:
    crops = choose_crops(make_place(), np.arange(15.0), count=8, aspect=1.5)
    assert [(crop.frame, crop.box, crop.novelty) for crop in crops] == [
        (0, WHOLE, 0),
        (7, WHOLE, 0),
        (14, WHOLE, 0),
    ]
    two = choose_crops(make_place(), np.arange(15.0), count=2, aspect=1.5)
    assert [crop.frame for crop in two] == [0, 14]


@pytest.mark.parametrize(
    ("count", "aspect", "rows", "columns"),
    [
        (6, 16 / 9, 2, 3),
        (6, 4 / 3, 2, 3),
        (6, 3 / 4, 3, 2),
        (6, 1.0, 2, 2),
        (2, 4 / 3, 1, 2),
        (1, 4 / 3, 1, 1),
    ],
)
def test_a_still_is_looked_at_in_parts_that_overlap(
    count: int, aspect: float, rows: int, columns: int
) -> None:
    crops = choose_crops(make_place(4), [7.0] * 4, count=count, aspect=aspect)
    assert {(crop.frame, crop.seconds) for crop in crops} == {(0, 7.0)}
    wide, high = min(1.2 / columns, 1), min(1.2 / rows, 1)
    np.testing.assert_allclose([crop.box[2:] for crop in crops], [(wide, high)] * rows * columns)
    np.testing.assert_allclose([crop.novelty for crop in crops], wide * high)
    assert len({crop.box.left for crop in crops}) == columns
    assert len({crop.box.top for crop in crops}) == rows
    assert max(crop.box.left for crop in crops) + wide == pytest.approx(1)
    assert max(crop.box.top for crop in crops) + high == pytest.approx(1)


@given(
    arrays(
        np.uint8,
        st.tuples(st.integers(1, 6), st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 3])),
    ),
    st.integers(1, 5),
    st.floats(0.3, 4),
)
def test_boxes_lie_in_the_picture_and_no_crop_is_taken_twice(
    frames: np.ndarray, count: int, aspect: float
) -> None:
    crops = choose_crops(frames, np.arange(len(frames)) / 2, count=count, aspect=aspect)
    assert 1 <= len(crops) <= max(count, 1)
    assert len({(crop.frame, crop.box) for crop in crops}) == len(crops)
    for crop in crops:
        left, top, width, height = crop.box
        assert min(left, top) >= 0
        assert max(left + width, top + height) <= 1 + 1e-9
        assert 0 < width <= 1
        assert 0 < height <= 1
        assert crop.seconds == crop.frame / 2
    again = choose_crops(frames, np.arange(len(frames)) / 2, count=count, aspect=aspect)
    assert again == crops
