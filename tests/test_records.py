import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primatrix import Clip, ClipSpec, Failure, InputError
from primatrix.records import say_lost


def test_spec_key_is_a_function_of_its_values() -> None:
    spec = ClipSpec(frames=30, height_px=64, width_px=48, colour="rgb", sampler="keyframes", crop=(0, 0.1))
    assert spec.key == dataclasses.replace(spec).key
    assert spec.key.startswith("30x64x48-rgb-")
    changes = {"frames": 29, "height_px": 63, "width_px": 47, "colour": "grey", "sampler": "uniform"}
    keys = {dataclasses.replace(spec, **{k: v}).key for k, v in changes.items()}
    assert len(keys | {spec.key, dataclasses.replace(spec, crop=(0, 0)).key}) == 7


def test_spec_round_trips_through_json_values() -> None:
    spec = ClipSpec(crop=(0.1, 0.25))
    assert ClipSpec.from_dict(spec.to_dict()) == spec


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": 0}, "ClipSpec.frames: got 0, wanted 1 or more"),
        ({"width_px": 9000}, "ClipSpec.width_px: got 9000, wanted 1 to 8192"),
        ({"colour": "red"}, "ClipSpec.colour: got 'red', wanted one of grey, rgb"),
        ({"frames": 15.5}, "ClipSpec.frames: got 15.5, wanted a whole number"),
        ({"frames": "15"}, "ClipSpec.frames: got '15', wanted a whole number"),
        ({"frames": True}, "ClipSpec.frames: got True, wanted a whole number"),
        ({"height_px": float("inf")}, "ClipSpec.height_px: got inf, wanted a whole number"),
    ],
)
def test_spec_refuses_what_no_clip_can_be(change: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        ClipSpec(**change)
    assert str(caught.value) == message


@pytest.mark.parametrize("crop", [(-0.1, 0), (0, 50), (0.5, 0.5), (0.1,), (float("nan"), 0), 0.1, ("a", "b")])
def test_a_crop_is_two_shares_of_the_height_that_leave_something(crop: object) -> None:
    with pytest.raises(InputError) as caught:
        ClipSpec(crop=crop)  # type: ignore[arg-type]
    assert str(caught.value) == (
        f"ClipSpec.crop: got {crop!r}, wanted (top, bottom) as shares of the picture's height, 0 or more and together "
        "below 1, as (0, 0.06)"
    )


@given(st.integers(1, 8192), st.floats(0, 0.49))
def test_equal_values_of_any_type_make_one_spec_and_one_key(whole: int, share: float) -> None:
    plain = ClipSpec(whole, whole, whole, crop=(share, 0))
    for kind in (float, np.int64, np.float64):
        same = ClipSpec(kind(whole), kind(whole), kind(whole), crop=[np.float64(share), -0.0])
        assert (same, same.key, same.shape) == (plain, plain.key, plain.shape)
        assert [type(number) for number in same.shape] == [int] * 4


def test_status_of_clip_and_failure() -> None:
    frames = np.zeros((1, 2, 2, 1), np.uint8)
    assert Clip("a.mp4", frames, np.zeros(1)).status == "ok"
    assert Clip("a.mp4", frames, np.zeros(1), note="1 of 30 frames").status == "partial"
    assert Failure("a.mp4", "open", "empty file").status == "failed"


def make_failures(count: int, reason: str = "empty file", *, first: int = 0) -> list[Failure]:
    return [Failure(f"{i}.mp4", "open", reason) for i in range(first, first + count)]


def test_much_that_is_lost_is_said_with_its_reason_and_a_few_are_not() -> None:
    assert say_lost(make_failures(1684), 1840) == "1,684 of 1,840 clips (92 %) could not be read: empty file"
    assert (
        say_lost(make_failures(4), 100, unit="videos")
        == "4 of 100 videos (4 %) could not be read: empty file"
    )
    assert say_lost(make_failures(3), 100) == ""
    assert say_lost([], 0) == ""


def test_the_commonest_reason_is_said_whatever_numbers_stand_in_it() -> None:
    cut = [Failure(f"c{i}.mp4", "decode", f"only {i} of 30 frames") for i in range(3, 6)]
    assert say_lost([*make_failures(2), *cut], 10) == (
        "5 of 10 clips (50 %) could not be read, 3 of them: only 3 of 30 frames"
    )


def test_a_folder_that_may_not_be_listed_is_no_clip() -> None:
    locked = Failure("locked/", "read", "folder not readable: Permission denied")
    assert say_lost([locked], 10) == ""
    assert say_lost([locked, *make_failures(1)], 10) == "1 of 10 clips (10 %) could not be read: empty file"
