import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from primatrix.records import Box, ClipSpec
from primatrix.video.decode import decode_clip
from primatrix.video.pixels import FrameWriter, is_painted, measure_upright

MakeVideo = Callable[..., Path]


def test_pixels_are_the_pictures_own(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.avi", frames=3, codec="rawvideo", pixel_format="bgr24", size=(8, 8))
    blocks = np.random.default_rng(3).integers(0, 255, (4, 4, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    clip = decode_clip(path, ClipSpec(frames=3, height_px=8, width_px=8, colour="rgb"))
    for i in range(3):
        assert np.array_equal(clip.frames[i], np.roll(blocks, (i, 2 * i), (0, 1))[:8, :8])
    assert clip.pts_seconds.tolist() == pytest.approx([0, 0.04, 0.08])
    assert clip.name == "a.avi"


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_the_rotation_flag_is_applied_and_crop_is_of_the_upright_picture(
    make_video: MakeVideo, tmp_path: Path, rotation: int
) -> None:
    size = (48, 64) if rotation % 180 == 0 else (64, 48)
    path = make_video(tmp_path / "a.mp4", frames=3, size=size, rotation=rotation)
    plain = make_video(tmp_path / "b.mp4", frames=3, size=size)
    coded = ClipSpec(frames=3, height_px=size[1], width_px=size[0])
    upright = ClipSpec(frames=3, height_px=64, width_px=48)
    expected = np.rot90(decode_clip(plain, coded).frames, rotation // 90, axes=(1, 2))
    assert np.array_equal(decode_clip(path, upright).frames, expected)
    cropped = ClipSpec(frames=3, height_px=44, width_px=48, crop=(8 / 64, 12 / 64))
    assert np.array_equal(decode_clip(path, cropped).frames, expected[:, 8:52])


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((-1, 0, 0, 1), lambda x: x[:, :, ::-1]),  # left to right
        ((1, 0, 0, -1), lambda x: x[:, ::-1]),  # upside down
        ((0, 1, 1, 0), lambda x: x.swapaxes(1, 2)),
        ((0, -1, -1, 0), lambda x: x[:, ::-1, ::-1].swapaxes(1, 2)),
    ],
)
def test_a_mirroring_display_matrix_is_applied(
    make_video: MakeVideo, tmp_path: Path, matrix: tuple[int, int, int, int], expected: Callable
) -> None:
    plain = make_video(tmp_path / "a.mp4", frames=3, size=(64, 64))
    content = bytearray(plain.read_bytes())
    # The track header's matrix: 9 big-endian numbers (a b u c d v x y w), 40 bytes into a version 0 tkhd box.
    start = content.index(b"tkhd") + 4 + 40
    a, b, c, d = (value << 16 for value in matrix)
    moved = [-min(value, 0) * 64 for value in (a + c, b + d)]
    content[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, *moved, 1 << 30)
    (tmp_path / "b.mp4").write_bytes(content)
    spec = ClipSpec(frames=3, height_px=64, width_px=64)
    whole = expected(decode_clip(plain, spec).frames)
    assert np.array_equal(decode_clip(tmp_path / "b.mp4", spec).frames, whole)
    cropped = ClipSpec(frames=3, height_px=48, width_px=64, crop=(4 / 64, 12 / 64))
    assert np.array_equal(decode_clip(tmp_path / "b.mp4", cropped).frames, whole[:, 4:52])


@pytest.mark.parametrize("size", [(64, 48), (128, 96)])
@pytest.mark.parametrize("crop", [(8 / 48, 12 / 48), (0, 0.25), (1 / 6, 0)])
def test_crop_takes_the_same_share_of_the_height_of_any_picture(
    make_video: MakeVideo, tmp_path: Path, crop: tuple[float, float], size: tuple[int, int]
) -> None:
    width, height = size
    path = make_video(tmp_path / "a.avi", frames=5, size=size, codec="mjpeg", pixel_format="yuvj420p")
    whole = decode_clip(path, ClipSpec(frames=2, height_px=height, width_px=width)).frames
    top, bottom = (round(share * height) for share in crop)
    spec = ClipSpec(frames=2, height_px=height - top - bottom, width_px=width, crop=crop)
    assert np.array_equal(decode_clip(path, spec).frames, whole[:, top : height - bottom])


def test_a_picture_with_memory_that_was_never_painted_is_told() -> None:
    for pixel_format in ("yuv420p", "yuv444p", "yuv420p10le", "yuvj422p"):
        frame = av.VideoFrame(70, 50, pixel_format)
        for plane in frame.planes:
            plane.update(b"\x80" * plane.buffer_size)
        assert is_painted(frame)
        rows = (
            np.frombuffer(memoryview(frame.planes[0]), np.uint8).reshape(-1, frame.planes[0].line_size).copy()
        )
        rows[16:40, 32:] = 0
        frame.planes[0].update(rows.tobytes())
        assert is_painted(frame), "dark is not unpainted"
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        assert not is_painted(frame)
    assert is_painted(av.VideoFrame(70, 50, "gray"))


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_part_of_a_turned_picture_is_that_part_of_the_upright_one(
    make_video: MakeVideo, tmp_path: Path, rotation: int
) -> None:
    """The upper left quarter but for a border, at its own size, in every turn of the camera."""
    path = make_video(tmp_path / "a.mp4", frames=1, size=(64, 48), rotation=rotation)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        writer = FrameWriter(ClipSpec(colour="rgb"))
        height, width = measure_upright(frame)
        assert (height, width) == ((48, 64) if rotation % 180 == 0 else (64, 48))
        upright, part = np.empty((height, width, 3), np.uint8), np.empty((24, 24, 3), np.uint8)
        writer.write(frame, upright)
        writer.write_part(frame, Box(8 / width, 4 / height, 24 / width, 24 / height), part)
    inside = np.s_[2:-2, 2:-2]  # at its edge colour is interpolated with other neighbours
    assert np.abs(part.astype(int) - upright[4:28, 8:32])[inside].max() <= 3
    assert np.abs(part.astype(int) - upright[0:24, 0:24])[inside].mean() > 5


def test_a_part_of_no_width_is_a_few_pixels() -> None:
    frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 99, np.uint8), format="rgb24")
    part = np.empty((8, 8, 3), np.uint8)
    FrameWriter(ClipSpec(colour="rgb")).write_part(frame, Box(1.0, 1.0, 0.0, 0.0), part)
    assert (part == 99).all()
