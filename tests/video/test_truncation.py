from collections.abc import Callable
from pathlib import Path

import av
import pytest

from primatrix.records import ClipSpec
from primatrix.video.decode import decode_clip
from primatrix.video.truncation import find_loss

MakeVideo = Callable[..., Path]
SPEC = ClipSpec(frames=4)


@pytest.mark.parametrize(
    ("suffix", "codec"), [("mkv", "libx264"), ("webm", "libvpx"), ("asf", "msmpeg4"), ("avi", "mjpeg")]
)
def test_a_file_that_ends_early_is_partial_and_says_how_much_is_there(
    make_video: MakeVideo, tmp_path: Path, suffix: str, codec: str
) -> None:
    pixel_format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = make_video(tmp_path / f"a.{suffix}", frames=60, codec=codec, pixel_format=pixel_format)
    assert decode_clip(path, SPEC).note == ""
    content = path.read_bytes()
    kept = len(content) * 2 // 3
    path.write_bytes(content[:kept])
    clip = decode_clip(path, SPEC)
    assert clip.status == "partial"
    assert clip.note.startswith(f"cut short: {kept:,} of {len(content):,} bytes are there")


def test_a_fragmented_file_that_ends_early_is_partial(make_video: MakeVideo, tmp_path: Path) -> None:
    whole = make_video(tmp_path / "a.mp4", frames=60, options={"g": "10"})
    path = tmp_path / "fragments.mp4"
    flags = {"movflags": "frag_keyframe+empty_moov"}
    with av.open(str(whole)) as source, av.open(str(path), "w", container_options=flags) as target:
        copy = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = copy
                target.mux(packet)
    assert decode_clip(path, SPEC).status == "ok"
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    assert decode_clip(path, SPEC).status == "partial"


@pytest.mark.parametrize(("mode", "length"), [("0", 188), ("1", 192)])
def test_a_transport_stream_cut_within_a_packet_is_partial(
    make_video: MakeVideo, tmp_path: Path, mode: str, length: int
) -> None:
    path = tmp_path / "a.ts"
    whole = make_video(tmp_path / "a.mp4", frames=60, options={"bf": "0"})
    with (
        av.open(str(whole)) as source,
        av.open(str(path), "w", container_options={"mpegts_m2ts_mode": mode}) as target,
    ):
        copy = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = copy
                target.mux(packet)
    content = path.read_bytes()
    assert len(content) % length == 0
    assert decode_clip(path, SPEC).status == "ok"
    kept = len(content) * 2 // 3 // length * length
    path.write_bytes(content[: kept + 50])
    clip = decode_clip(path, SPEC)
    assert clip.note.startswith(f"cut short: {kept + 50:,} of at least {kept + length:,} bytes are there")
    path.write_bytes(content[:kept])  # between two packets: nothing tells
    assert decode_clip(path, SPEC).pts_seconds[-1] < 2


def test_a_recording_whose_length_was_left_open_is_whole(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mkv")
    content = bytearray(path.read_bytes())
    start = content.index(b"\x18\x53\x80\x67") + 4
    content[start : start + 8] = b"\x01" + b"\xff" * 7
    path.write_bytes(content[:-200])
    assert find_loss(path, "matroska", listed=0, there=0) == ""


@pytest.mark.parametrize("name", ["avi", "mov", "matroska", "asf", "mpegts"])
@pytest.mark.parametrize("content", [b"", b"RIFF", b"\x18\x53\x80\x67", bytes(200), b"\xff" * 200])
def test_rubbish_is_measured_without_an_error(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    assert isinstance(find_loss(path, name, listed=0, there=0), str)
