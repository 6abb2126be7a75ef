from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primatrix.results import Sighting
from primatrix.tagging.sightings import find_sightings

SPECIES = ["blank", "hog"]


def find(values: list[float], *, clip: float = 0.9, seconds: list[float] | None = None, duration: float = 8.0,
         threshold: float = 0.5) -> list[Sighting]:  # fmt: skip
    frames = np.stack([1 - np.array(values), values], axis=1).astype(np.float32)
    times = np.array(seconds if seconds is not None else np.arange(len(values)) + 0.5)
    return find_sightings(times, frames, clip=np.array([0.99, clip], np.float32), species=SPECIES,
                          thresholds=[0.5, threshold], duration_seconds=duration)  # fmt: skip


def spans(found: list[Sighting]) -> list[tuple[float, float, float]]:
    return [(s.start_seconds, s.end_seconds, s.best_seconds) for s in found]


def test_stretches_end_halfway_to_the_next_frame_and_at_the_clips_ends() -> None:
    found = find([0.9, 0.6, 0.1, 0.1, 0.1, 0.7, 0.1, 0.8])
    assert spans(found) == [(0.0, 2.0, 0.5), (5.0, 8.0, 7.5)]  # one frame below does not part them
    assert [s.probability for s in found] == pytest.approx([0.9, 0.8])
    assert spans(find([0.1, 0.9, 0.1])) == [(1.0, 2.0, 1.5)]
    assert spans(find([0.9, 0.1, 0.1, 0.9])) == [(0.0, 1.0, 0.5), (3.0, 8.0, 3.5)]


def test_the_clip_decides_whether_and_the_best_frame_stands_in_where_none_reaches_the_threshold() -> None:
    assert find([0.9, 0.9, 0.9], clip=0.4) == []
    (found,) = find([0.1, 0.3, 0.2], clip=0.75)
    assert found == Sighting("hog", 1.0, 2.0, 1.5, 0.75)


def test_blank_is_never_sighted() -> None:
    assert find([0.0, 0.0], clip=0.1) == []


def test_frames_repeated_or_out_of_order_count_once() -> None:
    assert spans(find([0.1, 0.9, 0.8, 0.1, 0.1], seconds=[0, 2, 2, 1, 3], duration=4)) == [(1.5, 2.5, 2.0)]
    assert spans(find([0.9, 0.9], seconds=[0, 0], duration=0)) == [(0.0, 0.0, 0.0)]  # a still


@settings(max_examples=60)
@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=40), st.floats(0.0, 1.0))
def test_sightings_lie_in_the_clip_apart_and_hold_their_best_frame(
    values: list[float], threshold: float
) -> None:
    found = find(values, clip=1.0, duration=len(values), threshold=threshold)
    assert found
    assert found[0].start_seconds >= 0
    assert found[-1].end_seconds <= len(values)
    for sighting in found:
        assert sighting.start_seconds <= sighting.best_seconds <= sighting.end_seconds
    for before, after in pairwise(found):
        assert before.end_seconds < after.start_seconds


CLOSE, WHOLE = [0.2, 0.3, 0.1, 0.1], [0.0, 0.0, 1.0, 1.0]


def find_with_boxes(pictures: list[tuple[float, float, list[float], float]]) -> list[Sighting]:
    """The hog's sightings in pictures of (second, probability, box, how new)."""
    times, chances, edges, new = (np.array(part) for part in zip(*pictures, strict=True))
    frames = np.stack([1 - chances, chances], axis=1).astype(np.float32)
    boxes = np.concatenate([edges, new[:, None]], axis=1).astype(np.float32)
    return find_sightings(times, frames, clip=np.array([0.1, 0.9], np.float32), species=SPECIES,
                          thresholds=[0.5, 0.5], duration_seconds=10.0, boxes=boxes)  # fmt: skip


def test_a_stretch_has_the_box_and_the_second_of_its_surest_close_up() -> None:
    other = [0.6, 0.6, 0.2, 0.2]
    (seen,) = find_with_boxes([(1.0, 0.7, CLOSE, 0.4), (2.0, 0.8, other, 0.2), (3.0, 0.95, WHOLE, 0.0)])
    assert seen.box == tuple(other)
    assert (seen.best_seconds, seen.probability) == (2.0, 0.8)
    assert (seen.start_seconds, seen.end_seconds) == (0.0, 10.0)


def test_of_two_pictures_of_a_second_the_box_is_of_the_surer_close_up() -> None:
    (seen,) = find_with_boxes(
        [(1.0, 0.6, [0.5, 0.5, 0.2, 0.2], 0.4), (1.0, 0.8, CLOSE, 0.1), (1.0, 0.9, WHOLE, 0.0)]
    )
    assert seen.box == tuple(CLOSE)


def test_where_only_whole_pictures_show_it_there_is_no_box() -> None:
    (seen,) = find_with_boxes([(1.0, 0.2, CLOSE, 0.4), (5.0, 0.9, WHOLE, 0.0)])
    assert seen.box is None
    assert seen.best_seconds == 5.0


def test_a_close_up_of_another_stretch_lends_no_box() -> None:
    first, second = find_with_boxes(
        [
            (0.0, 0.9, CLOSE, 0.4),
            (2.0, 0.1, WHOLE, 0),
            (4.0, 0.1, WHOLE, 0),
            (6.0, 0.1, WHOLE, 0),
            (8.0, 0.9, WHOLE, 0),
        ]
    )
    assert (first.box, second.box) == (tuple(CLOSE), None)


def test_a_part_of_a_still_says_that_it_is_seen_and_not_where() -> None:
    (seen,) = find_with_boxes([(0.0, 0.9, WHOLE, 0.24), (0.0, 0.6, WHOLE, 0.24), (0.0, 0.7, WHOLE, 0.0)])
    assert seen.box is None
    assert seen.probability == 0.9
