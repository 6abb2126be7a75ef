"""A clip of 15 s, whose stamps are wrong in some way, is 15 s long and says what was wrong."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primatrix.video.clock import time_frames

DAY = 86400.0
SOUND = [i / 25 for i in range(375)]
Stamps = list[float | None]


def change(*places: int, by: float) -> Stamps:
    return [second + by * (i in places) for i, second in enumerate(SOUND)]


JUMPS: dict[str, tuple[Stamps, str]] = {
    "at the end": (change(374, by=DAY), "times jump by 86,400 s at 14.9 s: frames"),
    "by less than a minute": (change(374, by=50), "times jump by 50 s at 14.9 s: frames"),
    "at the start": (change(0, by=DAY), "times jump by -86,400 s at 0.0 s: frames"),
    "at the start, before it": (change(0, by=-DAY), "times jump by 86,400 s at 0.0 s: frames"),
    "in the middle": (change(100, by=DAY), "times jump by 86,400 s at 4.0 s (2 jumps in all): frames"),
    "in the middle, back": (change(100, by=-DAY), "times jump by 86,400 s at 4.0 s (2 jumps in all): frames"),
    "from the middle on": (change(*range(200, 375), by=DAY), "times jump by 86,400 s at 8.0 s: frames"),
    "from the middle on, back": (change(*range(200, 375), by=-DAY), "times jump by -86,400 s at 8.0 s: frames"),
    "clock that starts again": (SOUND[:200] + SOUND[:175], "times jump by -8 s at 8.0 s: frames"),
    "every fifth frame": ([i / 25 + i // 5 * DAY for i in range(375)], "times jump by 86,400 s at 1.2 s (74"),
}  # fmt: skip


@pytest.mark.parametrize("stated_seconds", [0.0, 15.0, 15.0 + DAY])
@pytest.mark.parametrize("name", JUMPS)
def test_a_jump_is_taken_away_and_told_of(name: str, stated_seconds: float) -> None:
    stamps, note = JUMPS[name]
    times = time_frames(stamps, frame_seconds=0.04, stated_seconds=stated_seconds)
    assert times.note.startswith(note)
    assert times.duration_seconds == pytest.approx(15.0)
    np.testing.assert_allclose(times.pts_seconds, SOUND, atol=1e-6)


@pytest.mark.parametrize("start", [0, 10**17, -(10**17)])
def test_sound_times_count_from_the_first_frame_wherever_that_is(start: int) -> None:
    ticks = [start + 3600 * i for i in range(375)]
    times = time_frames(ticks, frame_seconds=0.04, tick_seconds=1 / 90000, stated_seconds=15.0)
    assert times.note == ""
    assert times.pts_seconds == [3600 * i * (1 / 90000) for i in range(375)]


def test_reordered_frames_lost_frames_and_time_lapse_are_sound() -> None:
    coded = time_frames([0, 3, 1, 2, 6, 4, 5], frame_seconds=1.0, stated_seconds=7.0)
    assert (coded.pts_seconds, coded.duration_seconds, coded.note) == ([0, 1, 2, 3, 4, 5, 6], 7.0, "")
    lost = [second for second in SOUND if not 4 <= second < 9]  # five seconds, while the card was busy
    times = time_frames(lost, frame_seconds=0.04, stated_seconds=15.0)
    assert (times.pts_seconds, times.note) == (lost, "")
    hourly = [3600.0 * i for i in range(48)]
    times = time_frames(hourly, frame_seconds=3600.0, stated_seconds=2 * DAY)
    assert (times.pts_seconds, times.duration_seconds, times.note) == (hourly, 2 * DAY, "")


def test_frames_without_a_stamp_lie_between_those_with_one() -> None:
    stamps = [None, 1.0, None, 2.0, None]
    times = time_frames(stamps, frame_seconds=9.0, stated_seconds=2.5)
    assert (times.pts_seconds, times.duration_seconds, times.note) == ([0, 0.5, 1, 1.5, 2], 2.5, "")


def test_without_stamps_the_rate_tells_within_the_length_of_the_file() -> None:
    assert time_frames([None] * 3, frame_seconds=0.5).pts_seconds == [0, 0.5, 1]
    assert time_frames([DAY], frame_seconds=0.5).duration_seconds == 0.5
    times = time_frames([None] * 4, frame_seconds=DAY, stated_seconds=2.0)
    assert (times.pts_seconds, times.duration_seconds) == ([0, 0.5, 1, 1.5], 2.0)
    assert time_frames([], frame_seconds=0.5).pts_seconds == []


@pytest.mark.parametrize("last", [7.0, 17.0, DAY])
def test_frames_that_all_have_one_time_are_timed_by_the_rate(last: float) -> None:
    times = time_frames([7.0] * 374 + [last], frame_seconds=0.04)
    assert times.pts_seconds == pytest.approx(SOUND)
    assert times.note.endswith("frames have the time of another: they are timed by the frame rate")


def test_frames_that_share_a_time_are_spread_up_to_the_next() -> None:
    frozen = time_frames([0, 1, 2, 2, 2, 5, 6], frame_seconds=1.0)
    assert frozen.pts_seconds == [0, 1, 2, 3, 4, 5, 6]
    assert frozen.note == "2 frames have the time of another: they are spread evenly"
    fields = time_frames([0, 0, 1, 1], frame_seconds=1.0)  # two packets for each picture
    assert (fields.pts_seconds, fields.note) == ([0, 0.5, 1, 1.5], "")


@pytest.mark.parametrize("factor", [1e-6, 25 * DAY])
def test_times_in_a_wrong_unit_give_way_to_length_and_rate(factor: float) -> None:
    times = time_frames([second * factor for second in SOUND], frame_seconds=0.04, stated_seconds=15.0)
    assert times.pts_seconds == pytest.approx(SOUND)
    assert "length and rate of the file 15 s: frames are timed by the frame rate" in times.note


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.none() | st.integers(-(2**62), 2**62), max_size=60),
    st.floats(0.001, 10.0),
    st.floats(1.0, 100.0),
)
def test_whatever_the_stamps_times_rise_and_are_as_long_as_the_container_says(
    ticks: list[int | None], frame_seconds: float, stated_seconds: float
) -> None:
    times = time_frames(ticks, frame_seconds=frame_seconds, tick_seconds=1e-3, stated_seconds=stated_seconds)
    assert len(times.pts_seconds) == len(ticks)
    assert all(earlier <= later for earlier, later in pairwise(times.pts_seconds))
    assert times.pts_seconds[:1] in ([], [0.0])
    assert times.duration_seconds <= 2 * max(stated_seconds, frame_seconds * len(ticks))
