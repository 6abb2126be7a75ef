import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primatrix import Clip, ClipSpec, Failure, InputError


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
