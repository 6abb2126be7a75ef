from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from primatrix.records import ClipSpec, Failure, Video
from primatrix.video import parts, walk
from primatrix.video.decode import TimesLieError, decode_clip, select_frames
from primatrix.video.files import describe_video
from primatrix.video.walk import Walk, walk_videos

SPEC = ClipSpec(5, 16, 16)


@pytest.fixture
def long_video(make_video: Callable[..., Path], tmp_path: Path) -> Video:
    return describe_video(make_video(tmp_path / "long.mp4", frames=240, rate=4, size=(32, 32)))  # 60 s


def read(*videos: Video, workers: int = 0) -> list[Walk | Failure]:
    return list(walk_videos(videos, SPEC, window_seconds=15, workers=workers))


def test_a_long_video_is_read_window_by_window(long_video: Video) -> None:
    (found,) = read(long_video)
    assert isinstance(found, Walk)
    assert (found.window_count, found.is_last, found.frames.shape) == (4, True, (4, 5, 16, 16, 1))
    assert found.facts.duration_seconds == pytest.approx(60.0)
    assert found.pts_seconds[1].tolist() == [16.5, 19.5, 22.5, 25.5, 28.5]
    everything = decode_clip(long_video.path, ClipSpec(240, 16, 16)).frames
    np.testing.assert_array_equal(
        found.frames.reshape(20, 16, 16, 1), everything[(found.pts_seconds.ravel() * 4).astype(int)]
    )


def test_a_short_video_gives_the_very_clip_that_training_takes(
    make_video: Callable[..., Path], tmp_path: Path
) -> None:
    video = describe_video(make_video(tmp_path / "a.avi", frames=33, codec="mpeg4"))
    (found,) = read(video)
    assert isinstance(found, Walk)
    np.testing.assert_array_equal(found.frames[0], decode_clip(video.path, SPEC).frames)


@pytest.mark.parametrize("workers", [0, 1])
def test_parts_of_a_long_video_are_its_windows_in_order(
    long_video: Video, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    (whole,) = read(long_video)
    assert isinstance(whole, Walk)
    monkeypatch.setattr(walk, "MOST_WINDOWS_AT_ONCE", 3)
    absent = Video(Path("absent.mp4"), "absent.mp4", 0, 0)
    first, second, failure, again, _ = read(long_video, absent, long_video, workers=workers)
    for part in (first, second, again):
        assert isinstance(part, Walk)
    assert (first.first, first.is_last, second.first, second.is_last) == (0, False, 3, True)
    np.testing.assert_array_equal(np.concatenate([first.frames, second.frames]), whole.frames)
    assert isinstance(failure, Failure)
    assert failure.stage == "read"


@pytest.mark.parametrize("workers", [0, 1])
def test_parts_of_a_video_decoded_in_order_are_its_windows(
    make_video: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    path = make_video(tmp_path / "a.avi", frames=240, rate=4, codec="mpeg4", options={"bf": "2"})
    (whole,) = read(describe_video(path))
    monkeypatch.setattr(walk, "MOST_BYTES_AT_ONCE", 2 * 5 * 16 * 16)
    halves = read(describe_video(path), workers=workers)
    assert isinstance(whole, Walk)
    walks = [half for half in halves if isinstance(half, Walk)]
    assert [(part.first, part.is_last, part.note) for part in walks] == [(0, False, ""), (2, True, "")]
    np.testing.assert_array_equal(np.concatenate([part.frames for part in walks]), whole.frames)


def test_where_times_lie_later_on_the_rest_is_decoded_in_order(
    long_video: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    (whole,) = read(long_video)
    monkeypatch.setattr(walk, "MOST_WINDOWS_AT_ONCE", 1)
    asked = []

    def select(*args: Any) -> Any:
        asked.append(args)
        if len(asked) == 3:
            raise TimesLieError("frame 125 is damaged")
        return select_frames(*args)

    monkeypatch.setattr(parts, "select_frames", select)
    found = read(long_video)
    assert isinstance(whole, Walk)
    walks = [part for part in found if isinstance(part, Walk)]
    assert [(part.first, len(part.frames), part.is_last) for part in walks] == [
        (0, 1, False), (1, 1, False), (2, 2, True)
    ]  # fmt: skip
    np.testing.assert_array_equal(np.concatenate([part.frames for part in walks]), whole.frames)


def test_one_wrong_time_makes_no_more_windows_and_is_told(
    make_video: Callable[..., Path], change_times: Callable[..., Path], tmp_path: Path
) -> None:
    sound = make_video(tmp_path / "a.mkv", frames=60, rate=4, options={"bf": "0"})
    times = [number / 4 for number in range(60)]
    wrong = change_times(sound, tmp_path / "b.mkv", [*times[:-1], 86400.0], rate=4)
    right, found = read(describe_video(sound), describe_video(wrong))
    assert isinstance(right, Walk)
    assert isinstance(found, Walk)
    assert (found.window_count, found.is_last) == (1, True)
    assert found.facts.duration_seconds == pytest.approx(15.0, abs=0.1)
    np.testing.assert_array_equal(found.frames, right.frames)
    assert (right.note, found.note[:25]) == ("", "times jump by 86,386 s at")


def test_a_later_part_that_cannot_be_read_leaves_what_was_read(
    long_video: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "MOST_WINDOWS_AT_ONCE", 3)
    found = walk_videos([long_video], SPEC, window_seconds=15, workers=0)
    first = next(found)
    long_video.path.unlink()
    (rest,) = found
    assert isinstance(first, Walk)
    assert isinstance(rest, Walk)
    assert (len(first.frames), len(rest.frames), rest.is_last) == (3, 0, True)
    assert rest.note.startswith("45 to 60 s not readable: not readable as video: No such file")
