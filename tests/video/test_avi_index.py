import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from primatrix.records import ClipSpec
from primatrix.video import packets
from primatrix.video.avi_index import lists_everything
from primatrix.video.decode import decode_clip
from primatrix.video.packets import PacketTable, open_video, read_packets

MakeVideo = Callable[..., Path]
SPEC = ClipSpec(frames=5, height_px=24, width_px=24)


def make_avi(make_video: MakeVideo, path: Path, *, codec: str = "mjpeg", frames: int = 23) -> Path:
    pixel_format = {"mjpeg": "yuvj420p", "rawvideo": "bgr24", "huffyuv": "yuv422p"}[codec]
    return make_video(path, frames=frames, codec=codec, pixel_format=pixel_format)


def add_sound(silent: Path, path: Path) -> Path:
    """The same pictures with sound between them, as a camera writes them."""
    with av.open(str(silent)) as source, av.open(str(path), "w") as target:
        stream = source.streams.video[0]
        copy, sound = target.add_stream_from_template(stream), target.add_stream("pcm_s16le", rate=8000)
        for number, packet in enumerate(p for p in source.demux(stream) if p.size):
            packet.stream = copy
            target.mux(packet)
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 321), np.int16), format="s16", layout="mono")
            silence.sample_rate, silence.pts = 8000, number * 321
            target.mux(sound.encode(silence))
        target.mux(sound.encode(None))
    return path


def read_both(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[PacketTable, PacketTable]:
    """The table by the index where that serves, and the one from reading everything."""
    with open_video(path) as source:
        found = read_packets(source)
    with monkeypatch.context() as patch, open_video(path) as source:
        patch.setattr(packets, "INDEXED_CODECS", frozenset())
        return found, read_packets(source)


def assert_same(path: Path, monkeypatch: pytest.MonkeyPatch, *, by_index: bool) -> None:
    """Table and clip are those of reading everything, and come from the index or do not."""
    table, expected = read_both(path, monkeypatch)
    assert bool(table.places) == by_index
    assert (table.pts, table.keyframe, table.shown, table.loss) == (
        expected.pts, expected.keyframe, expected.shown, expected.loss,
    )  # fmt: skip
    clip = decode_clip(path, SPEC)
    with monkeypatch.context() as patch:
        patch.setattr(packets, "INDEXED_CODECS", frozenset())
        other = decode_clip(path, SPEC)
    assert np.array_equal(clip.frames, other.frames)
    assert clip.pts_seconds.tolist() == other.pts_seconds.tolist()
    assert clip.note == other.note


@pytest.mark.parametrize("codec", ["mjpeg", "rawvideo", "huffyuv"])
@pytest.mark.parametrize("sound", [False, True])
def test_an_index_gives_what_reading_the_file_gives(
    make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str, sound: bool
) -> None:
    path = make_avi(make_video, tmp_path / "a.avi", codec=codec)
    assert_same(add_sound(path, tmp_path / "b.avi") if sound else path, monkeypatch, by_index=True)


def test_pictures_that_are_not_wanted_are_not_read(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_avi(make_video, tmp_path / "a.avi", frames=60)
    whole = decode_clip(path, ClipSpec(frames=3))
    content = bytearray(path.read_bytes())
    with open_video(path) as source:
        places = read_packets(source).places
    for index, (start, length) in enumerate(places):
        if index not in (10, 30, 50):
            content[start : start + length] = bytes(length)
    path.write_bytes(content)
    assert np.array_equal(decode_clip(path, ClipSpec(frames=3)).frames, whole.frames)


def test_an_index_that_lists_only_some_pictures_is_not_used(
    make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_avi(make_video, tmp_path / "a.avi")
    content = bytearray(path.read_bytes())
    start = content.rindex(b"idx1")
    struct.pack_into("<I", content, start + 4, 16 * 11)
    path.write_bytes(content[: start + 8 + 16 * 11])
    assert_same(path, monkeypatch, by_index=False)
    with open_video(path) as source:
        assert len(read_packets(source)) == 23


def test_an_index_without_keyframes_serves_where_every_picture_stands_alone(
    make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_avi(make_video, tmp_path / "a.avi")
    content = bytearray(path.read_bytes())
    start = content.rindex(b"idx1")
    for i in range(23):
        struct.pack_into("<I", content, start + 8 + 16 * i + 4, 0)
    path.write_bytes(content)
    assert_same(path, monkeypatch, by_index=True)


@pytest.mark.parametrize("damage", [b"\0\0\0\0", b"01dc", b"JUNK"])
def test_a_wanted_picture_that_is_not_where_the_index_says_is_told(
    make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes
) -> None:
    path = make_avi(make_video, tmp_path / "a.avi")
    with open_video(path) as source:
        places = read_packets(source).places
    content = bytearray(path.read_bytes())
    start = places[11][0] - 8  # the middle of 23 frames is among the wanted ones
    content[start : start + 4] = damage
    path.write_bytes(content)
    clip = decode_clip(path, SPEC)
    with monkeypatch.context() as patch:
        patch.setattr(packets, "INDEXED_CODECS", frozenset())
        assert np.array_equal(clip.frames, decode_clip(path, SPEC).frames)


def test_a_file_without_its_end_is_read_through_and_is_partial(
    make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_avi(make_video, tmp_path / "a.avi")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    assert_same(path, monkeypatch, by_index=False)
    assert decode_clip(path, SPEC).status == "partial"


def make_chunks(*chunks: tuple[bytes, bytes]) -> bytes:
    return b"".join(
        kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
        for kind, content in chunks
    )


def test_fillers_empty_chunks_and_parts_of_an_index_may_lie_between(tmp_path: Path) -> None:
    movi = make_chunks(
        (b"JUNK", b"x" * 5), (b"00dc", b"abc"), (b"01wb", b""), (b"ix00", b"12345678"), (b"00dc", b"de")
    )
    path = tmp_path / "a.avi"
    path.write_bytes(make_chunks((b"RIFF", b"AVI " + make_chunks((b"LIST", b"movi" + movi), (b"idx1", b"")))))
    start = path.read_bytes().index(b"00dc")
    chunks = [(start, 3), (start + 8 + 4 + 8 + 16, 2)]
    assert lists_everything(path, chunks)
    assert lists_everything(path, chunks[::-1])
    assert not lists_everything(path, chunks[:1])
    assert not lists_everything(path, chunks[1:])
    assert not lists_everything(path, [*chunks, (len(path.read_bytes()) + 10, 5)])
    path.write_bytes(path.read_bytes()[:-12])
    assert not lists_everything(path, chunks)


def test_pictures_left_out_by_the_camera_keep_the_others_times(
    make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = [40 * i for i in (0, 1, 2, 6, 7, 12, 13, 14)]
    path = make_video(
        tmp_path / "a.avi", frames=8, codec="mjpeg", pixel_format="yuvj420p", times_ms=times
    )  # gaps are empty chunks
    assert_same(path, monkeypatch, by_index=True)
    with open_video(path) as source:
        assert read_packets(source).pts != list(range(8))
