import io
import math

import numpy as np
from PIL import Image

from primatrix.tagging.sights import Sight, draw_picture, pack_sights, unpack_sights

CLOSEUPS = np.array([[1.0, 0.1, 0.2, 0.3, 0.4, 0.25], [2.5, 0, 0, 0.5, 0.5, 0.125]])
MOVING = Sight(
    "ok",
    facts={"codec": "h264"},
    closeups=CLOSEUPS,
    features=np.arange(3.0),
    movement=0.375,
    picture=b"first",
)
STILL = Sight("partial", reason="cut short", picture=b"x")
SINGLE = Sight("ok", features=np.ones(3), movement=math.nan)
FAILED = Sight("failed", "open", "empty file")


def test_sights_come_back_as_they_were_packed() -> None:
    moving, still, single, failed = unpack_sights(pack_sights([MOVING, STILL, SINGLE, FAILED], width=3))
    assert (moving.status, moving.facts, moving.picture) == ("ok", {"codec": "h264"}, b"first")
    np.testing.assert_array_equal(moving.closeups, CLOSEUPS)
    assert (moving.features.tolist(), moving.movement, still.movement) == ([0, 1, 2], 0.375, 0.0)
    assert (still.status, still.reason, still.picture, len(still.features)) == (
        "partial",
        "cut short",
        b"x",
        0,
    )
    assert (single.features.tolist(), len(single.closeups), math.isnan(single.movement)) == (
        [1, 1, 1],
        0,
        True,
    )
    assert (failed.status, failed.stage, failed.reason, failed.picture) == (
        "failed",
        "open",
        "empty file",
        b"",
    )


def test_a_part_in_which_all_failed_comes_back() -> None:
    assert [one.reason for one in unpack_sights(pack_sights([FAILED], width=3))] == ["empty file"]


def test_a_picture_is_a_small_jpeg() -> None:
    drawn = draw_picture(np.full((224, 224, 3), (200, 30, 30), np.uint8))
    picture = Image.open(io.BytesIO(drawn))
    assert (picture.format, picture.size) == ("JPEG", (160, 160))
    assert np.abs(np.asarray(picture).mean((0, 1)) - [200, 30, 30]).max() < 4
    assert len(drawn) < 10_000
