from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from primatrix.errors import InputError
from primatrix.video.encode import write_clip, write_tone


def make_frames(count: int = 30, height_px: int = 16, width_px: int = 16) -> NDArray[np.uint8]:
    ramp = (
        np.linspace(40, 200, width_px)[None, None, :, None] + 5 * np.arange(count)[:, None, None, None] % 40
    )
    return np.broadcast_to(ramp, (count, height_px, width_px, 3)).astype(np.uint8)


def read_frames(path: Path) -> NDArray[np.uint8]:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_frames_come_back_in_number_size_and_nearly_in_value(tmp_path: Path) -> None:
    frames = make_frames(30, 64, 48)
    assert write_clip(tmp_path / "a.mp4", frames, frames_per_second=2, quantiser=10) == 30
    back = read_frames(tmp_path / "a.mp4")
    assert back.shape == (30, 64, 48, 3)
    assert np.abs(back.astype(int) - frames).mean() < 2


def test_the_file_is_h264_420_in_mp4_with_its_rate(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", make_frames(29), frames_per_second=2)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert "mp4" in container.format.name
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert (stream.frames, stream.average_rate, float(stream.duration * stream.time_base)) == (
            29,
            2,
            14.5,
        )


def test_broken_rates_such_as_30000_1001_are_kept(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", make_frames(5), frames_per_second=30000 / 1001)
    with av.open(str(tmp_path / "a.mp4")) as container:
        rate = container.streams.video[0].average_rate
    assert (rate.numerator, rate.denominator) == (30000, 1001)


def test_frames_may_come_one_by_one(tmp_path: Path) -> None:
    drawn = []

    def draw() -> Iterator[NDArray[np.uint8]]:
        for number, frame in enumerate(make_frames(7)):
            drawn.append(number)
            yield frame

    assert write_clip(tmp_path / "a.mp4", draw(), frames_per_second=2) == 7
    assert drawn == list(range(7))


def test_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_clip(tmp_path / name, make_frames(), frames_per_second=2)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (np.zeros((0, 16, 16, 3), np.uint8), "got no frames, wanted at least 1"),
        (np.zeros((2, 15, 16, 3), np.uint8), "got pictures 15 high x 16 wide, wanted even sizes"),
        (np.zeros((2, 16, 16, 1), np.uint8), "got frames uint8 (16, 16, 1), wanted uint8 (height, width, 3)"),
        (np.zeros((2, 16, 16, 3), np.float32), "got frames float32 (16, 16, 3), wanted uint8"),
    ],
)
def test_pictures_that_cannot_be_written_are_refused(
    tmp_path: Path, frames: NDArray[np.uint8], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        write_clip(tmp_path / "a.mp4", frames, frames_per_second=2)
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_an_audio_codec_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="wanted a video encoder"):
        write_clip(tmp_path / "a.mp4", make_frames(2), frames_per_second=2, codec="aac")


def test_a_failure_while_drawing_leaves_no_file(tmp_path: Path) -> None:
    def draw() -> Iterator[NDArray[np.uint8]]:
        yield make_frames(1)[0]
        raise RuntimeError("drawing failed")

    with pytest.raises(RuntimeError, match="drawing failed"):
        write_clip(tmp_path / "a.mp4", draw(), frames_per_second=2)
    assert list(tmp_path.iterdir()) == []


def test_a_tone_has_sound_and_no_picture(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.mp4")
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert (len(container.streams.video), len(container.streams.audio)) == (0, 1)
