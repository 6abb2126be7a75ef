"""The most individuals seen at once are counted; boxes of one individual over frames get one number."""

import pytest

from primatrix.errors import InputError
from primatrix.records import Box
from primatrix.video.detector import Found
from primatrix.video.tracks import count_most_at_once, link_tracks

LEFT, RIGHT = Box(0.1, 0.4, 0.2, 0.2), Box(0.7, 0.4, 0.2, 0.2)


def move(box: Box, across: float) -> Box:
    return box._replace(left=box.left + across)


def test_the_most_of_each_category_in_one_frame_are_counted() -> None:
    deer, car, man = Found(LEFT, "animal", 0.9), Found(RIGHT, "vehicle", 0.5), Found(RIGHT, "person", 0.4)
    assert count_most_at_once([[deer], [deer, deer, car], [], [deer, man]]) == {
        "animal": 2,
        "vehicle": 1,
        "person": 1,
    }
    assert count_most_at_once([[], []]) == {}


def test_two_that_cross_keep_their_numbers() -> None:
    """By where each was they would be exchanged in the middle; by how fast each went they are not."""
    across = [0.0, 0.12, 0.24, 0.36, 0.48, 0.60]
    frames = [[move(LEFT, x), move(RIGHT, -x)] for x in across]
    assert link_tracks(frames, [0, 1, 2, 3, 4, 5]) == [[0, 1]] * 6


def test_one_that_stops_keeps_its_number() -> None:
    frames = [[LEFT], [move(LEFT, 0.12)], [move(LEFT, 0.12)]]
    assert link_tracks(frames, [0, 1, 3]) == [[0], [0], [0]]


def test_boxes_go_to_tracks_so_that_all_together_share_most() -> None:
    """The right one's new box shares more with the left one's old box than the left one's own does."""
    old = [Box(0.0, 0.0, 0.4, 0.1), Box(0.2, 0.0, 0.4, 0.1)]
    new = [Box(0.1, 0.0, 0.4, 0.1), Box(-0.1, 0.0, 0.4, 0.1)]
    assert link_tracks([old, new], [0.0, 1.0]) == [[0, 1], [1, 0]]


def test_a_track_survives_one_frame_without_a_box_but_not_two() -> None:
    assert link_tracks([[LEFT], [], [LEFT]], [0, 1, 2]) == [[0], [], [0]]
    assert link_tracks([[LEFT], [], [], [LEFT]], [0, 1, 2, 3]) == [[0], [], [], [1]]


def test_speed_counts_by_the_time_that_passed() -> None:
    """0.1 a second: after a gap of 3 s it is expected 0.3 on, where its old box shares nothing with it."""
    frames = [[LEFT], [move(LEFT, 0.1)], [move(LEFT, 0.4)]]
    assert link_tracks(frames, [0.0, 1.0, 4.0]) == [[0], [0], [0]]
    assert link_tracks(frames, [0.0, 1.0, 2.0]) == [[0], [0], [1]]


def test_a_box_elsewhere_begins_a_track() -> None:
    assert link_tracks([[LEFT], [RIGHT], [LEFT, RIGHT]], [0.0, 0.5, 1.0]) == [[0], [1], [0, 1]]


@pytest.mark.parametrize("seconds", [[0.0], [0.0, 0.0], [1.0, 0.5]])
def test_each_frame_wants_a_time_and_times_rise(seconds: list[float]) -> None:
    with pytest.raises(InputError, match=r"got 2 frames and times .*, wanted a rising time for each"):
        link_tracks([[LEFT], [LEFT]], seconds)
