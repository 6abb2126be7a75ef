import dataclasses

import numpy as np
import pytest

from primatrix import Clip, ClipSpec, Failure, InputError


def test_spec_key_is_a_function_of_its_values() -> None:
    spec = ClipSpec(frames=30, height_px=64, width_px=48, colour="rgb", sampler="keyframes", crop=(0, 0.1))
    assert spec.key == dataclasses.replace(spec).key
    assert spec.key.startswith("30x64x48-rgb-")
    changes = {"frames": 29, "height_px": 63, "width_px": 47, "colour": "grey", "sampler": "uniform"}
    keys = {dataclasses.replace(spec, **{k: v}).key for k, v in changes.items()}
    assert len(keys | {spec.key, dataclasses.replace(spec, crop=(0, 0)).key}) == 7


def test_spec_round_trips_through_json_values() -> None:
    spec = ClipSpec(crop=(10, 0.25))
    assert ClipSpec.from_dict(spec.to_dict()) == spec


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": 0}, "ClipSpec.frames: got 0, wanted 1 or more"),
        ({"width_px": 9000}, "ClipSpec.width_px: got 9000, wanted 1 to 8192"),
        ({"colour": "red"}, "ClipSpec.colour: got 'red', wanted one of grey, rgb"),
        ({"crop": (-1, 0)}, "ClipSpec.crop: got (-1.0, 0.0), wanted (top, bottom), both 0 or more"),
    ],
)
def test_spec_refuses_what_no_clip_can_be(change: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        ClipSpec(**change)
    assert str(caught.value) == message


def test_status_of_clip_and_failure() -> None:
    frames = np.zeros((1, 2, 2, 1), np.uint8)
    assert Clip("a.mp4", frames, np.zeros(1)).status == "ok"
    assert Clip("a.mp4", frames, np.zeros(1), note="1 of 30 frames").status == "partial"
    assert Failure("a.mp4", "open", "empty file").status == "failed"
