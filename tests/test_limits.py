"""Inputs made to cost too much: each gives a clip or a Failure, in a worker that stays small."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from PIL import Image

from primatrix.files import describe_video
from primatrix.records import Clip, ClipSpec, Failure
from primatrix.workers import DecodePool, PoolOptions

MakeVideo = Callable[..., Path]
LIMITS = PoolOptions(workers=1, time_limit_seconds=30, memory_limit_bytes=1 << 30)

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="looks memory up in /proc; memory limits need Linux"
)


def decode_in_worker(path: Path, *, spec: ClipSpec | None = None) -> tuple[Clip | Failure, int]:
    """The result, and the most memory (MiB) the worker that gave it ever used."""
    with DecodePool(spec or ClipSpec(frames=5), options=LIMITS) as pool:
        (result,) = pool.map([describe_video(path)])
        status = Path(f"/proc/{pool._workers[0].process.pid}/status").read_text() if pool._workers else ""
    return result, int(status.split("VmHWM:")[1].split()[0]) >> 10 if status else 0


def repeat_packets(whole: Path, path: Path, times: int) -> Path:
    """A file that holds the pictures of another many times over, muxed anew."""
    with av.open(str(whole)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        packets = [(bytes(p), p.pts, p.dts, p.is_keyframe) for p in source.demux(stream) if p.size]
        length = len(packets) * int(1 / (stream.average_rate * stream.time_base))
        for i in range(times):
            for content, pts, dts, is_keyframe in packets:
                packet = av.Packet(content)
                packet.pts, packet.dts, packet.is_keyframe = pts + i * length, dts + i * length, is_keyframe
                packet.stream, packet.time_base = copy, stream.time_base
                target.mux(packet)
    return path


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_two_hours_are_decoded_in_little_memory(make_video: MakeVideo, tmp_path: Path, suffix: str) -> None:
    whole = make_video(tmp_path / "a.mp4", frames=100, size=(16, 16), options={"bf": "2", "g": "50"})
    path = repeat_packets(whole, tmp_path / f"long.{suffix}", 1800)  # 180,000 frames at 25 frames/s
    result, peak_mib = decode_in_worker(path)
    assert isinstance(result, Clip)
    assert result.note == ""
    assert result.pts_seconds == pytest.approx([720, 2160, 3600, 5040, 6480], abs=0.05)
    assert peak_mib < 300


def test_two_hours_without_usable_times_are_decoded_in_order(make_video: MakeVideo, tmp_path: Path) -> None:
    whole = make_video(
        tmp_path / "a.mp4", frames=100, size=(16, 16), codec="mpeg4", options={"bf": "2", "g": "50"}
    )
    result, peak_mib = decode_in_worker(repeat_packets(whole, tmp_path / "long.avi", 1800))
    assert isinstance(result, Clip)
    assert result.pts_seconds[-1] == pytest.approx(6480, abs=1)
    assert peak_mib < 300


def make_many_pictures(make_video: MakeVideo, tmp_path: Path, count: int) -> Path:
    """An AVI of so many raw pictures of one pixel, written by hand: its header says nothing of their number."""
    small = make_video(tmp_path / "a.avi", size=(4, 4), codec="rawvideo", pixel_format="gray", frames=1)
    content = small.read_bytes()
    movi = content.index(b"movi")
    chunk = content[movi + 4 : movi + 4 + 8 + 16]
    assert chunk[2:8] == b"dc" + struct.pack("<I", 16)
    path = tmp_path / "many.avi"
    path.write_bytes(
        content[: movi - 4] + struct.pack("<I", 4 + len(chunk) * count) + b"movi" + chunk * count
    )
    return path


def test_a_million_pictures_stay_within_the_limits(make_video: MakeVideo, tmp_path: Path) -> None:
    result, peak_mib = decode_in_worker(make_many_pictures(make_video, tmp_path, 1_000_000))
    assert isinstance(result, Clip), result
    assert peak_mib < 600


def test_an_8k_picture_is_decoded(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.avi", frames=1, size=(7680, 4320), codec="mjpeg", pixel_format="yuvj420p")
    result, peak_mib = decode_in_worker(path)
    assert isinstance(result, Clip)
    assert result.status == "ok"
    assert peak_mib < 400


def test_a_header_that_declares_2_to_the_31_frames_costs_nothing(
    make_video: MakeVideo, tmp_path: Path
) -> None:
    avi = bytearray(make_video(tmp_path / "a.avi", codec="mpeg4").read_bytes())
    for tag, place in ((b"avih", 8 + 16), (b"strh", 8 + 32)):
        start = avi.index(tag) + place
        assert struct.unpack_from("<I", avi, start) == (30,)
        struct.pack_into("<I", avi, start, 2**31)
    (tmp_path / "a.avi").write_bytes(avi)
    result, peak_mib = decode_in_worker(tmp_path / "a.avi")
    assert isinstance(result, Clip)
    assert peak_mib < 150
    for tag, place in ((b"stsz", 12), (b"stts", 12), (b"stsc", 12), (b"mdhd", 20), (b"ctts", 12)):
        mp4 = bytearray(make_video(tmp_path / "a.mp4").read_bytes())
        start = mp4.index(tag) + place
        struct.pack_into(">I", mp4, start, 2**31 - 1)
        (tmp_path / "b.mp4").write_bytes(mp4)
        result, peak_mib = decode_in_worker(tmp_path / "b.mp4")
        assert isinstance(result, Clip | Failure), tag
        assert peak_mib < 400, tag


def test_absurd_sizes_are_failures_and_not_memory(make_video: MakeVideo, tmp_path: Path) -> None:
    raw = bytearray(
        make_video(tmp_path / "a.avi", size=(16, 16), codec="rawvideo", pixel_format="bgr24").read_bytes()
    )
    start = raw.index(b"strf") + 8 + 4  # BITMAPINFOHEADER: size, width, height
    for size in ((30_000, 30_000), (2**31 - 1, 2**31 - 1), (0, 0)):
        struct.pack_into("<ii", raw, start, *size)
        (tmp_path / "b.avi").write_bytes(raw)
        result, peak_mib = decode_in_worker(tmp_path / "b.avi")
        assert isinstance(result, Failure), size
        assert peak_mib < 400
    Image.new("L", (1, 1)).save(tmp_path / "a.png")
    png = bytearray((tmp_path / "a.png").read_bytes())
    struct.pack_into(">II", png, 16, 60_000, 60_000)
    struct.pack_into(">I", png, 29, zlib.crc32(png[12:29]))
    (tmp_path / "a.png").write_bytes(png)
    result, _ = decode_in_worker(tmp_path / "a.png")
    assert isinstance(result, Failure)
    assert "decompression bomb" in result.reason
