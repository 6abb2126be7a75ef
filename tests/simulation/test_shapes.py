from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from primatrix.simulation.shapes import ASPECT, Sprite


def test_the_scene_is_as_wide_as_the_benchmarks_raw_clips() -> None:
    assert ASPECT * 404 == 720


def test_a_sprite_is_plain_solid_sharp_and_fixed_unless_told_otherwise() -> None:
    ends, row = np.zeros((1, 2, 2), np.float32), np.zeros((1, 2), np.float32)
    sprite = Sprite(
        start=ends, end=ends, radius=ends, tone=row, textured=row > 0, tint=np.ones(3, np.float32), light=row[0],
        depth_m=row[0], order_m=1.0,
    )  # fmt: skip
    assert (sprite.pattern, sprite.opacity, sprite.blur) == ("plain", 1.0, 0.0)
    with pytest.raises(FrozenInstanceError):
        sprite.opacity = 0.5
