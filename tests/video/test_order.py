from collections.abc import Callable
from pathlib import Path

import pytest

from primatrix.video.order import FrameOrder, order_frames
from primatrix.video.packets import PacketTable, open_video

MakeVideo = Callable[..., Path]


def test_a_frame_shown_before_its_groups_keyframe_starts_at_the_one_before() -> None:
    # In the file: keyframe 0, 10 frames on keyframe 4, whose pictures 5 and 6 are shown before it.
    order = FrameOrder([0, 1, 2, 3, 5, 6, 4], [0, 10, 20, 30, 40, 50, 60], [0, 4], [0, 60])
    assert [order.start_of(frame) for frame in range(7)] == [0, 0, 0, 0, 0, 0, 4]


@pytest.mark.parametrize(
    "change",
    [
        {"pts": [0, None, 1024]},
        {"pts": [0, 512, 512]},
        {"pts": [512, 0, 1024]},  # the first picture shown has no keyframe before it
        {"keyframe": [False, True, True]},
        {"pts": [0, 1024, 512], "keyframe": [True, True, True]},  # keyframes not in the order of time
        {"shown": [False, False, False]},
        {"damaged": 1},
        {"pts": [0, 512, 10**9]},  # a day after the others
    ],
)
def test_times_that_cannot_be_give_no_order(
    make_video: MakeVideo, tmp_path: Path, change: dict[str, list]
) -> None:
    right = {"pts": [0, 512, 1024], "keyframe": [True, False, False], "shown": [True, True, True]}
    with open_video(make_video(tmp_path / "a.mp4", frames=3)) as source:
        assert order_frames(source, PacketTable(**right)) is not None
        assert order_frames(source, PacketTable(**{**right, **change})) is None
