from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from primatrix.errors import DecodeError, InputError
from primatrix.footage import scan_folder
from primatrix.records import ClipSpec, Failure
from primatrix.video.decode import decode_clip
from primatrix.video.files import describe_video, find_videos
from primatrix.video.pool import PoolOptions, decode_clips
from primatrix.video.probe import probe_video
from primatrix.video.stills import read_still

SUFFIXES = ["jpg", "jpeg", "png", "tif", "tiff", "webp"]


def draw(height: int = 48, width: int = 64) -> np.ndarray:
    """Blocks of 8 pixels in colours of their own (H, W, 3)."""
    blocks = np.random.default_rng(0).integers(0, 255, (height // 8, width // 8, 3), np.uint8)
    return blocks.repeat(8, 0).repeat(8, 1)


def save(path: Path, picture: np.ndarray, **options: object) -> Path:
    lossless = {"lossless": True} if path.suffix == ".webp" else {"quality": 95, "subsampling": 0}
    Image.fromarray(picture).save(path, **({} if path.suffix[:2] in (".p", ".t") else lossless), **options)
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_still_is_a_clip_of_one_frame_repeated(tmp_path: Path, suffix: str) -> None:
    picture = draw()
    path = save(tmp_path / f"a.{suffix}", picture)
    clip = decode_clip(path, ClipSpec(frames=3, height_px=48, width_px=64, colour="rgb"))
    assert clip.status == "ok"
    assert clip.pts_seconds.tolist() == [0, 0, 0]
    assert np.array_equal(clip.frames[0], clip.frames[2])
    assert np.abs(clip.frames[1].astype(int) - picture).max() <= (12 if suffix[0] == "j" else 0)
    grey = decode_clip(path, ClipSpec(frames=1, height_px=6, width_px=8))
    assert grey.frames.shape == (1, 6, 8, 1)


def test_grey_runs_from_black_to_white(tmp_path: Path) -> None:
    for value in (0, 128, 255):
        path = save(tmp_path / "a.png", np.full((16, 16, 3), value, np.uint8))
        assert np.abs(decode_clip(path, ClipSpec(frames=1)).frames.astype(int) - value).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_eight_orientations_of_exif_are_applied(tmp_path: Path, orientation: int) -> None:
    picture = draw()
    stored = {
        1: picture,
        2: picture[:, ::-1],
        3: picture[::-1, ::-1],
        4: picture[::-1],
        5: picture.swapaxes(0, 1),
        6: np.rot90(picture),
        7: picture[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(picture, -1),
    }[orientation]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = save(tmp_path / "a.png", np.ascontiguousarray(stored), exif=exif)
    spec = ClipSpec(frames=1, height_px=32, width_px=64, colour="rgb", crop=(8 / 48, 8 / 48))
    assert np.array_equal(decode_clip(path, spec).frames[0], picture[8:40])


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_a_still_cut_short_is_a_failure_and_never_half_grey(tmp_path: Path, suffix: str, kept: float) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (200, 300, 3), np.uint8)
    content = save(tmp_path / f"a.{suffix}", noise).read_bytes()
    (tmp_path / f"cut.{suffix}").write_bytes(content[: int(kept * len(content))])
    video = describe_video(tmp_path / f"cut.{suffix}")
    (result,) = decode_clips([video], ClipSpec(), options=PoolOptions(workers=0))
    assert isinstance(result, Failure)
    assert result.stage in ("open", "decode")
    assert "\n" not in result.reason


def test_a_picture_named_as_a_video_is_held_to_the_same(tmp_path: Path) -> None:
    content = save(tmp_path / "a.jpg", draw(200, 296)).read_bytes()
    (tmp_path / "whole.mp4").write_bytes(content)
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) // 2])
    assert decode_clip(tmp_path / "whole.mp4", ClipSpec()).status == "ok"
    with pytest.raises(DecodeError, match="damaged or cut short"):
        decode_clip(tmp_path / "cut.mp4", ClipSpec())


def test_what_is_no_picture_is_a_decode_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "random.png").write_bytes(np.random.default_rng(0).bytes(5000))
    for name, reason in {
        "empty.jpg": "no jpeg, png, tiff or webp",
        "random.png": "no jpeg, png, tiff or webp",
        "absent.tif": "No such file or directory",
    }.items():
        with pytest.raises(DecodeError) as caught:
            decode_clip(tmp_path / name, ClipSpec())
        assert str(caught.value) == f"{tmp_path / name}: not readable as a picture: {reason}"
        assert caught.value.stage == ("read" if "absent" in name else "open")


def test_palettes_transparency_and_16_bit_become_8_bit_colour(tmp_path: Path) -> None:
    picture = draw()
    Image.fromarray(picture).convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "palette.png")
    Image.fromarray(picture).convert("RGBA").save(tmp_path / "alpha.png")
    deep = picture[:, :, 0].astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "deep.png")
    Image.fromarray(deep).save(tmp_path / "deep.tif")
    Image.fromarray(deep.astype(np.float32)).save(tmp_path / "float.tif")
    assert np.array_equal(read_still(tmp_path / "palette.png"), picture)
    assert np.array_equal(read_still(tmp_path / "alpha.png"), picture)
    for name in ("deep.png", "deep.tif"):
        assert np.array_equal(read_still(tmp_path / name), picture[:, :, :1].repeat(3, 2))
    with pytest.raises(DecodeError, match="got F pixels of 32 bits, wanted 8 or 16"):
        read_still(tmp_path / "float.tif")


def test_folders_list_stills_only_when_asked(tmp_path: Path) -> None:
    for name in ("a.mp4", "thumbnail.JPG", "b/c.tiff"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert [video.name for video in find_videos(tmp_path)] == ["a.mp4"]
    assert [video.name for video in find_videos(tmp_path, media="stills")] == ["b/c.tiff", "thumbnail.JPG"]
    assert len(find_videos(tmp_path, media="both")) == 3
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="got no still in it, wanted files ending in one of: jpeg jpg png"):
        find_videos(tmp_path / "empty", media="stills")
    with pytest.raises(InputError, match=r"got no video in it, wanted .*; it holds 1 still: ask for stills"):
        find_videos(tmp_path / "b")


def test_a_still_tells_when_it_was_taken(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2023:06:01 23:04:05"
    facts = probe_video(save(tmp_path / "a.jpg", draw(), exif=exif))
    assert (facts.container, facts.codec, facts.width_px, facts.frames) == ("still", "jpeg", 64, 1)
    assert facts.recorded == datetime(2023, 6, 1, 23, 4, 5)  # a camera's clock has no zone
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.OffsetTimeOriginal] = "+02:00"
    facts = probe_video(save(tmp_path / "b.jpg", draw(), exif=exif))
    assert facts.recorded is not None
    assert facts.recorded.astimezone(UTC) == datetime(2023, 6, 1, 21, 4, 5, tzinfo=UTC)
    table = scan_folder(tmp_path, media="stills", workers=0).table
    assert table["recorded"].tolist() == ["2023-06-01T23:04:05", "2023-06-01T23:04:05+02:00"]


def test_real_stills_are_read_whole_and_refused_cut(shared_data: Path, tmp_path: Path) -> None:
    videos = find_videos(shared_data / "camera_trap_stills", media="stills")
    assert len(videos) == 168
    some = videos[::12]
    results = list(decode_clips(some, ClipSpec(frames=1), options=PoolOptions(workers=0)))
    assert [result.status for result in results] == ["ok"] * len(some)
    original = shared_data / "camera_trap_stills" / "originals" / "MDF0.jpg"
    assert probe_video(original).recorded is not None
    (tmp_path / "cut.jpg").write_bytes(original.read_bytes()[:-5000])
    with pytest.raises(DecodeError, match="damaged or cut short: image file is truncated"):
        decode_clip(tmp_path / "cut.jpg", ClipSpec())
