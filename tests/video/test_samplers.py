import pytest
from hypothesis import given
from hypothesis import strategies as st

from primatrix.video.samplers import choose_frames, sample_keyframes, sample_per_second, sample_uniform

COUNTS = st.integers(1, 500)


def test_uniform_takes_the_middle_of_equal_segments() -> None:
    assert sample_uniform(30, 15) == [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29]
    assert sample_uniform(29, 3) == [4, 14, 24]
    assert sample_uniform(1, 3) == [0, 0, 0]


@given(COUNTS, COUNTS)
def test_uniform_repeats_in_order_and_stays_inside(count: int, frames: int) -> None:
    chosen = sample_uniform(count, frames)
    assert len(chosen) == frames
    assert chosen == sorted(chosen)
    assert 0 <= chosen[0] <= chosen[-1] < count
    assert chosen == [int((i + 0.5) * count / frames) for i in range(frames)]


def test_per_second_takes_the_frame_on_display_and_repeats_the_last() -> None:
    assert sample_per_second([0, 0.4, 0.9, 1.5, 3.0], 5) == [0, 2, 3, 4, 4]
    assert sample_per_second([7.0, 7.999, 8.001], 2) == [0, 1]


@pytest.mark.parametrize("rate", [24, 25, 30, 30000 / 1001, 7])
def test_per_second_is_not_led_astray_by_rounding(rate: float) -> None:
    seconds = [i * (1 / rate) for i in range(300)]
    expected = [max(i for i in range(300) if i <= second * rate + 1e-4) for second in range(9)]
    assert sample_per_second(seconds, 9) == expected


@given(COUNTS, st.integers(1, 40), st.data())
def test_keyframes_are_the_nearest_to_the_uniform_targets(
    count: int, frames: int, data: st.DataObject
) -> None:
    keyframes = sorted(data.draw(st.sets(st.integers(0, count - 1), min_size=1)))
    chosen = sample_keyframes(count, frames, keyframes=keyframes)
    for target, taken in zip(sample_uniform(count, frames), chosen, strict=True):
        assert abs(taken - target) == min(abs(k - target) for k in keyframes)
    assert chosen == sorted(chosen)


def test_samplers_go_by_name() -> None:
    times = [i / 2 for i in range(10)]
    assert choose_frames("uniform", 2, pts_seconds=times, keyframes=[0, 4]) == [2, 7]
    assert choose_frames("per_second", 2, pts_seconds=times, keyframes=[0, 4]) == [0, 2]
    assert choose_frames("keyframes", 2, pts_seconds=times, keyframes=[0, 4]) == [0, 4]
    assert choose_frames("keyframes", 2, pts_seconds=times, keyframes=[]) == [2, 7]
