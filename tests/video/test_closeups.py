"""Close-ups cut while a clip is decoded: from the full-size picture, upright, without info bars, bounded in memory."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from primatrix.errors import InputError
from primatrix.records import Clip, ClipSpec, Video
from primatrix.video import closeups
from primatrix.video.closeups import open_taker
from primatrix.video.decode import decode_clip
from primatrix.video.walk import Walk, walk_videos

SPEC = ClipSpec(6, 48, 48, "rgb", closeups=4, looks=10)
HEIGHT, WIDTH = 240, 320
PATCH_PX = 40


def paint(place: int, *, size: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    """A grey place with a red patch at the left in pictures 3 to 5, at the right in 7 to 9, RGB (H, W, 3)."""
    picture = np.full((*size, 3), 90, np.uint8)
    across = {3: 40, 4: 40, 5: 40, 7: 250, 8: 250, 9: 250}.get(place)
    if across is not None:
        picture[100 : 100 + PATCH_PX, across : across + PATCH_PX] = (220, 20, 20)
    return picture


def write_patches(path: Path, *, frames: int = 10, codec: str = "libx264", rotation: int = 0) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=1)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        if codec == "mjpeg":
            stream.pix_fmt = "yuvj420p"
        if rotation:
            stream.set_display_rotation(rotation)
        for i in range(frames):
            frame = av.VideoFrame.from_ndarray(paint(i % 10), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def measure_red(frames: np.ndarray) -> np.ndarray:
    """The share of each frame (T, H, W, 3) that is red."""
    red = (frames[..., 0] > 150) & (frames[..., 1] < 90)
    return red.mean((1, 2))


def check_patches(clip: Clip, *, width: float = PATCH_PX / WIDTH) -> None:
    assert clip.boxes is not None
    assert clip.frames.shape == (6, 48, 48, 3)
    assert clip.boxes.shape == (6, 5)
    close = clip.boxes[:, 4] > 0
    assert close.sum() >= 2
    seconds = clip.pts_seconds[close]
    assert {3.0 <= s <= 5.0 for s in seconds} == {True, False}  # both patches, far apart, are looked at
    for box, second in zip(clip.boxes[close], seconds, strict=True):
        left, top, wide, high, _ = box.tolist()
        centre = (60 if second <= 5 else 270) / WIDTH
        assert left < centre < left + wide
        assert top < 120 / HEIGHT < top + high
        assert wide == pytest.approx(width, abs=0.08)
    assert measure_red(clip.frames[close]).min() > 0.12  # of the whole picture it is a fiftieth
    assert (clip.boxes[~close, :4] == [0, 0, 1, 1]).all()
    assert clip.pts_seconds[~close].min() == 0.0
    assert clip.pts_seconds[~close].max() == 9.0


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "libx264"), ("avi", "mjpeg"), ("avi", "mpeg4")])
def test_what_moves_is_cut_from_the_full_size_picture(tmp_path: Path, suffix: str, codec: str) -> None:
    check_patches(decode_clip(write_patches(tmp_path / f"a.{suffix}", codec=codec), SPEC))


def test_the_pixels_of_a_crop_are_those_of_the_picture(tmp_path: Path) -> None:
    """Decoded whole, cut by hand at the box and averaged: the same as what the clip has, but for rounding."""
    path = write_patches(tmp_path / "a.mp4")
    small = ClipSpec(4, 24, 24, "rgb", closeups=1, looks=10)
    clip = decode_clip(path, small)
    whole = decode_clip(path, ClipSpec(10, HEIGHT, WIDTH, "rgb"))
    assert clip.boxes is not None
    for row in (1, 2, 3):  # whole pictures
        picture = whole.frames[int(clip.pts_seconds[row])]
        averaged = picture.reshape(24, HEIGHT // 24, 320, 3).mean(1)
        # libav's conversion with scaling rounds a grey level lower than the one without.
        assert np.abs(averaged.mean((0, 1)) - clip.frames[row].mean((0, 1))).max() < 1.5
    centre = clip.frames[0, 10:14, 10:14].mean((0, 1))
    assert (
        np.abs(
            centre - whole.frames[int(clip.pts_seconds[0]), 120, 60 if clip.pts_seconds[0] < 6 else 270]
        ).max()
        < 12
    )


def test_a_turned_video_is_cut_upright(tmp_path: Path) -> None:
    clip = decode_clip(write_patches(tmp_path / "a.mp4", rotation=90), SPEC)
    assert clip.boxes is not None
    close = clip.boxes[:, 4] > 0
    assert measure_red(clip.frames[close]).min() > 0.12
    heights = clip.boxes[close, 1] + clip.boxes[close, 3] / 2
    assert sorted({round(float(h), 1) for h in heights}) in (
        [0.2, 0.8],
        [0.1, 0.8],
        [0.2, 0.9],
    )  # left and right before


def test_boxes_are_shares_of_the_picture_with_its_info_bars(tmp_path: Path) -> None:
    spec = ClipSpec(6, 48, 48, "rgb", closeups=4, looks=10, crop=(0.25, 0.25))
    clip = decode_clip(write_patches(tmp_path / "a.mp4"), spec)
    assert clip.boxes is not None
    close = clip.boxes[:, 4] > 0
    middles = clip.boxes[close, 1] + clip.boxes[close, 3] / 2
    assert np.abs(middles - 0.5).max() < 0.05
    np.testing.assert_allclose(clip.boxes[~close, :4], [[0, 0.25, 1, 0.5]] * int((~close).sum()))


def test_large_pictures_are_kept_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for ten pictures of 100 kB they are kept at about 180 pixels a side, and tell the same."""
    monkeypatch.setattr(closeups, "KEPT_BYTES", 1_000_000)
    taker = open_taker(SPEC, [float(i) for i in range(10)])
    kept: list[int] = []
    for place in range(10):
        taker.add(av.VideoFrame.from_ndarray(paint(place), format="rgb24"), [place])
        kept.append(sum(getattr(one, "nbytes", 10**9) for one in taker._kept.values()))  # type: ignore[attr-defined]
    assert 500_000 < max(kept) <= 1_000_000
    taken = taker.finish()
    check_patches(Clip("a", taken.frames, taken.places.astype(float), boxes=taken.boxes))


def test_a_clip_without_movement_gives_whole_pictures(
    make_video: Callable[..., Path], tmp_path: Path
) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=1)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for _ in range(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(paint(0), format="rgb24")))
        container.mux(stream.encode(None))
    clip = decode_clip(tmp_path / "a.mp4", SPEC)
    assert clip.boxes is not None
    assert (clip.boxes == [0, 0, 1, 1, 0]).all()
    assert clip.pts_seconds.tolist() == [0.0, 2.0, 4.0, 5.0, 7.0, 9.0]


def test_a_still_gives_its_parts_and_its_whole_picture(tmp_path: Path) -> None:
    """Four parts of 0.6 of the sides; the patch (left 40 to 80, top 100 to 140) lies in the two on the left."""
    Image.fromarray(paint(3)).save(tmp_path / "a.png")
    clip = decode_clip(tmp_path / "a.png", SPEC)
    assert clip.boxes is not None
    np.testing.assert_allclose(clip.boxes[:, 4], [0.36] * 4 + [0, 0], atol=1e-6)
    assert (clip.boxes[:, :4] == [0, 0, 1, 1]).all()  # nobody knows where in them something is
    whole = PATCH_PX**2 / HEIGHT / WIDTH
    part = whole / 0.36
    assert measure_red(clip.frames) == pytest.approx([part, 0, part, 0, whole, whole], rel=0.2)


def test_parts_of_a_still_have_no_info_bars(tmp_path: Path) -> None:
    Image.fromarray(paint(3)).save(tmp_path / "a.png")
    clip = decode_clip(tmp_path / "a.png", ClipSpec(6, 48, 48, "rgb", closeups=4, crop=(0.1, 0.4)))
    assert clip.boxes is not None
    assert clip.boxes[:4, 1].min() == pytest.approx(0.1)
    assert (clip.boxes[:4, 1] + clip.boxes[:4, 3]).max() == pytest.approx(0.6)


def test_a_tiny_clip_goes_the_same_way(make_video: Callable[..., Path], tmp_path: Path) -> None:
    clip = decode_clip(make_video(tmp_path / "a.mp4", frames=20, size=(16, 16)), SPEC)
    assert clip.frames.shape == (6, 48, 48, 3)


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "libx264"), ("avi", "mpeg4")])
def test_each_window_of_a_long_video_has_close_ups_of_its_own(
    tmp_path: Path, suffix: str, codec: str
) -> None:
    """Four windows of ten seconds, in parts: in each the patches come at the same seconds."""
    path = write_patches(tmp_path / f"a.{suffix}", frames=40, codec=codec)
    video = Video(path, path.name, path.stat().st_size, 0)
    walks = list(walk_videos([video], SPEC, window_seconds=10, workers=0))
    assert all(isinstance(walk, Walk) for walk in walks)
    found = [walk for walk in walks if isinstance(walk, Walk)]
    frames = np.concatenate([walk.frames for walk in found])
    seconds = np.concatenate([walk.pts_seconds for walk in found])
    boxes = np.concatenate([walk.boxes for walk in found if walk.boxes is not None])
    assert frames.shape[:2] == (4, 6)
    for window in range(4):
        check_patches(Clip("a", frames[window], seconds[window] - 10 * window, boxes=boxes[window]))


def test_too_many_close_ups_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"closeups: got 5 of 6 frames, wanted 0 or more, and 2 fewer than frames"
    ):
        ClipSpec(6, closeups=5)


def test_a_spec_without_close_ups_keeps_its_key() -> None:
    assert ClipSpec().to_dict() == {
        "frames": 15, "height_px": 16, "width_px": 16, "colour": "grey", "sampler": "uniform", "crop": [0.0, 0.0],
    }  # fmt: skip
    spec = ClipSpec(6, closeups=4)
    assert ClipSpec.from_dict(spec.to_dict()) == spec
    assert spec.key != ClipSpec(6).key
