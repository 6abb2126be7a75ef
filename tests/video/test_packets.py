import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from PIL import Image

from primatrix.errors import DecodeError
from primatrix.video import packets
from primatrix.video.order import order_frames
from primatrix.video.packets import (
    PacketTable,
    Source,
    is_sound,
    open_video,
    packets_between,
    read_data,
    read_packets,
    tells_references,
)

MakeVideo = Callable[..., Path]
GROUPS = {"g": "10", "bf": "2", "preset": "ultrafast"}


def test_what_is_no_video_is_a_decode_error_in_one_line(make_video: MakeVideo, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "random.mp4").write_bytes(np.random.default_rng(0).bytes(20_000))
    content = make_video(tmp_path / "a.mp4").read_bytes()
    (tmp_path / "no_moov.mp4").write_bytes(content[: content.index(b"moov") - 4])
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        sound = container.add_stream("aac", rate=8000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 8000
        container.mux([*sound.encode(silence), *sound.encode(None)])
    reasons = {
        "empty.mp4": "got an empty file (0 bytes), wanted a video",
        "random.mp4": "not readable as video: Invalid data found when processing input",
        "no_moov.mp4": "not readable as video: Invalid data found when processing input",
        "sound.mp4": "got audio, wanted a video stream",
        "absent.mp4": "not readable as video: No such file or directory",
    }
    for name, reason in reasons.items():
        with pytest.raises(DecodeError) as caught, open_video(tmp_path / name):
            pass
        assert str(caught.value) == f"{tmp_path / name}: {reason}"
        assert caught.value.stage == ("read" if "absent" in name else "open")


def test_a_colon_in_a_name_is_no_protocol(
    make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(make_video(tmp_path / "a.mp4"), tmp_path / "http:a.mp4")
    monkeypatch.chdir(tmp_path)
    with open_video("http:a.mp4") as source:
        assert len(read_packets(source)) == 30


def test_a_picture_is_known_as_one_whatever_its_name(make_video: MakeVideo, tmp_path: Path) -> None:
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png")
    shutil.copy(tmp_path / "a.png", tmp_path / "a.mp4")
    with open_video(tmp_path / "a.mp4") as source:
        assert source.is_still
    with open_video(make_video(tmp_path / "b.mp4")) as source:
        assert not source.is_still
        assert source.container_name == "mov"
        assert source.seconds_per_tick == pytest.approx(1 / 12800)


def test_only_the_first_video_stream_is_read(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        streams = [container.add_stream("mpeg4", rate=5) for _ in range(2)]
        for stream in streams:
            stream.width = stream.height = 16
        for stream in streams:
            frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
            container.mux([*stream.encode(frame), *stream.encode(None)])
    with open_video(tmp_path / "a.mkv") as source:
        assert [packet.stream.index for packet in read_data(source)] == [0]


def test_a_table_has_a_row_per_packet_in_the_order_of_the_file(make_video: MakeVideo, tmp_path: Path) -> None:
    with open_video(make_video(tmp_path / "a.mp4", frames=30, options=GROUPS)) as source:
        table = read_packets(source)
        order = order_frames(source, table)
    assert len(table) == len(table.pts) == len(table.packets) == 30
    assert [i for i, is_keyframe in enumerate(table.keyframe) if is_keyframe] == [0, 10, 20]
    assert all(table.shown)
    assert (table.damaged, table.loss, table.places) == (0, "", [])
    assert table.pts != sorted(table.pts)  # pictures are coded out of the order they are shown
    assert order is not None
    assert order.pts == [512 * i for i in range(30)]
    assert sorted(order.packet) == list(range(30))
    assert [order.start_of(frame) for frame in (0, 9, 10, 29)] == [0, 0, 10, 20]


def test_packets_are_handed_out_again_or_read_again_all_the_same(
    make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_video(tmp_path / "a.mp4", frames=30, options=GROUPS)

    def read(source: Source) -> tuple[bool, list[tuple[int, bytes]]]:
        table = read_packets(source)
        between = packets_between(source, table, start=10, last=14)
        return bool(table.packets), [(index, bytes(packet)) for index, packet in between]

    with open_video(path) as source:
        was_kept, kept = read(source)
    monkeypatch.setattr(packets, "KEPT_PACKETS_BYTES", 100)
    with open_video(path) as source:
        is_kept, again = read(source)
    assert (was_kept, is_kept) == (True, False)
    assert [index for index, _ in kept] == [10, 11, 12, 13, 14]
    assert again == kept


def test_a_packet_read_again_is_found_by_its_time_and_at_its_place() -> None:
    table = PacketTable(pts=[0, 20, 10])
    assert [table.find(SimpleNamespace(pts=pts)) for pts in (10, 0, 30)] == [2, 0, -1]
    placed = PacketTable(pts=[0, 10], places=[(100, 50), (150, 60)])
    assert placed.find(SimpleNamespace(pts=10, pos=150, size=60)) == 1
    assert placed.find(SimpleNamespace(pts=10, pos=152, size=60)) == -1


def test_a_read_error_ends_the_table_and_is_told(
    make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(source: Source) -> Iterator[object]:
        for number, packet in enumerate(source.container.demux(source.stream)):
            if number == stop:
                raise OSError(5, "Input/output error")
            yield packet

    path = make_video(tmp_path / "a.mp4", frames=10)
    monkeypatch.setattr(packets, "_demux", break_off)
    stop = 4
    with open_video(path) as source:
        table = read_packets(source)
        assert len(list(read_data(source))) <= 4
    assert (len(table), table.loss) == (4, "reading stopped after 4 frames: Input/output error")
    stop = 0
    with (
        open_video(path) as source,
        pytest.raises(DecodeError, match="no picture in it: reading stopped") as caught,
    ):
        read_packets(source)
    assert caught.value.stage == "probe"


def make_jpeg(*segments: bytes) -> bytes:
    return b"\xff\xd8" + b"".join(segments) + b"pixels"


TABLE = b"\xff\xdb\x00\x04\x00\x00"
SCAN = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"


@pytest.mark.parametrize(
    ("content", "sound"),
    [
        (make_jpeg(TABLE, SCAN), True),
        (make_jpeg(TABLE, b"\xff\xff", SCAN), True),  # filled up between segments
        (make_jpeg(b"\xff\xda\x00\x0c\x03" + bytes(9)), True),
        (make_jpeg(b"\xff\xda\x00\x06\x00" + bytes(3)), False),  # no component
        (make_jpeg(b"\xff\xda\x00\x10\x05" + bytes(13)), False),  # five
        (make_jpeg(b"\xff\xda\x00\x09\x01" + bytes(9)), False),  # a length that does not fit
        (make_jpeg(TABLE), False),  # no scan at all
        (make_jpeg(b"\x00\xda\x00\x08\x01" + bytes(6)), False),
        (b"\xff\xd8\xff", False),
        (b"", False),
    ],
)
def test_a_jpeg_is_sound_where_its_scan_header_is(content: bytes, sound: bool) -> None:
    assert is_sound(content) == sound


@pytest.mark.parametrize(
    ("name", "extradata", "tells"),
    [
        ("h264", None, True),
        ("libdav1d", None, False),
        ("hevc", b"\x01" + bytes(20) + b"\x0f", True),  # one temporal layer
        ("hevc", b"\x01" + bytes(20) + b"\x1f", False),  # three
        ("hevc", b"\x01" + bytes(20) + b"\x07", False),  # unknown
        ("hevc", b"\x00" + bytes(20) + b"\x0f", False),  # not of version 1, as in a transport stream
        ("hevc", b"\x01" + bytes(20), False),
        ("hevc", None, False),
    ],
)
def test_a_decoder_skips_pictures_safely_only_where_its_parameters_say_so(
    name: str, extradata: bytes | None, tells: bool
) -> None:
    assert tells_references(SimpleNamespace(name=name, extradata=extradata)) == tells
