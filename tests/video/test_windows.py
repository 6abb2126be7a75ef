from hypothesis import given, settings
from hypothesis import strategies as st

from primatrix.records import ClipSpec
from primatrix.video.samplers import choose_frames
from primatrix.video.windows import choose_in_windows, plan_windows


@settings(max_examples=50)
@given(st.floats(0.0, 7200.0), st.floats(1.0, 60.0))
def test_windows_tile_the_clip_and_are_about_as_long_as_asked(duration: float, wanted: float) -> None:
    windows = plan_windows(duration, window_seconds=wanted)
    assert windows[0, 0] == 0
    assert windows[-1, 1] == duration
    assert (windows[1:, 0] == windows[:-1, 1]).all()
    lengths = windows[:, 1] - windows[:, 0]
    assert lengths.max() <= 1.25 * wanted + 1e-4
    assert len(windows) == 1 or lengths.min() >= 0.62 * wanted


def test_a_clip_has_no_more_windows_than_frames() -> None:
    assert len(plan_windows(86400.0, frames=24)) == 24  # time-lapse, one an hour
    assert len(plan_windows(60.0, frames=1500)) == 4
    assert plan_windows(3600.0, frames=0).tolist() == [[0.0, 3600.0]]


def test_one_window_takes_the_frames_that_training_took() -> None:
    times = [i / 25 for i in range(375)]
    for sampler in ("uniform", "per_second", "keyframes"):
        spec = ClipSpec(15, sampler=sampler)
        trained = choose_frames(sampler, 15, pts_seconds=times, keyframes=[0, 100])
        assert choose_in_windows(spec, plan_windows(15.0), times, [0, 100]) == trained


def test_each_window_takes_its_own_frames() -> None:
    times = [i / 10 for i in range(600)]
    windows = plan_windows(60.0)
    uniform = choose_in_windows(ClipSpec(3), windows, times, [0])
    assert uniform == [25, 75, 125, 175, 225, 275, 325, 375, 425, 475, 525, 575]
    seconds = choose_in_windows(ClipSpec(2, sampler="per_second"), windows, times, [0])
    assert seconds == [0, 10, 150, 160, 300, 310, 450, 460]
    keyframes = choose_in_windows(ClipSpec(2, sampler="keyframes"), windows, times, [0, 100, 290, 400])
    assert keyframes == [0, 100, 290, 290, 400, 400, 487, 562]  # the last window has no keyframe


def test_a_part_of_the_windows_gives_their_frames() -> None:
    times, windows, spec = [i / 10 for i in range(600)], plan_windows(60.0), ClipSpec(4)
    whole = choose_in_windows(spec, windows, times, [0])
    parts = [choose_in_windows(spec, windows, times, [0], part=range(i, i + 2)) for i in (0, 2)]
    assert parts[0] + parts[1] == whole


def test_a_window_in_a_gap_shows_the_frame_before_it() -> None:
    times = [0.0, 1.0, 2.0, 50.0, 51.0]
    assert choose_in_windows(ClipSpec(1), plan_windows(60.0), pts_seconds=times, keyframes=[0]) == [
        1,
        2,
        2,
        4,
    ]
