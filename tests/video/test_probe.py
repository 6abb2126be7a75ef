from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from primatrix.errors import DecodeError
from primatrix.video.probe import probe_video

MakeVideo = Callable[..., Path]


def test_facts_are_what_is_in_the_file(make_video: MakeVideo, tmp_path: Path) -> None:
    facts = probe_video(make_video(tmp_path / "a.mp4", frames=50))
    assert (facts.container, facts.codec, facts.pixel_format) == ("mov", "h264", "yuv420p")
    assert (facts.width_px, facts.height_px, facts.frames, facts.declared_frames) == (64, 48, 50, 50)
    assert facts.frames_per_second == 25
    assert facts.duration_seconds == pytest.approx(2)
    assert (facts.rotation_degrees, facts.recorded, facts.has_audio, facts.loss) == (0, None, False, "")
    assert probe_video(make_video(tmp_path / "turned.mp4", frames=5, rotation=90)).rotation_degrees == 90


def test_containers_give_their_time_as_they_name_it(make_video: Callable[..., Path], tmp_path: Path) -> None:
    plain = make_video(tmp_path / "plain.mp4", frames=3)
    assert probe_video(plain).recorded is None
    with av.open(str(plain)) as source, av.open(str(tmp_path / "timed.mp4"), "w") as target:
        target.metadata["creation_time"] = "2023-04-15T06:30:12Z"
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    assert probe_video(tmp_path / "timed.mp4").recorded == datetime(2023, 4, 15, 6, 30, 12, tzinfo=UTC)
    avi = make_video(tmp_path / "a.avi", frames=3, codec="mpeg4")
    add_idit(avi, b"Sat Apr 15 06:30:12 2023\n\0")
    assert probe_video(avi).recorded == datetime(2023, 4, 15, 6, 30, 12)  # no zone: the camera's clock


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"Sat Apr 15 06:30:12 2023\n\0", datetime(2023, 4, 15, 6, 30, 12)),
        (b"SAT APR  5 06:30:12 2023", datetime(2023, 4, 5, 6, 30, 12)),
        (b"2023/04/15/ 06:30", datetime(2023, 4, 15, 6, 30)),
        (b"2023/ 4/15  6:30PM", datetime(2023, 4, 15, 18, 30)),
        (b"2023-04-15  06:30:12\0\0", datetime(2023, 4, 15, 6, 30, 12)),
        (b"2023:04:15 06:30:12", datetime(2023, 4, 15, 6, 30, 12)),
        (b"2023-04-15T06:30:12Z", datetime(2023, 4, 15, 6, 30, 12, tzinfo=UTC)),
        (b"2023-04-15", None),
    ],
)
def test_an_avi_tells_its_time_however_its_idit_is_spelled(
    make_video: MakeVideo, tmp_path: Path, text: bytes, expected: datetime | None
) -> None:
    path = make_video(tmp_path / "a.avi", frames=3, codec="mpeg4")
    add_idit(path, text)
    assert probe_video(path).recorded == expected


def add_idit(path: Path, text: bytes) -> None:
    """Put an IDIT chunk, as cameras write it, at the start of the list `hdrl` of an AVI file."""
    data = bytearray(path.read_bytes())
    text += b"\0" * (len(text) % 2)
    chunk = b"IDIT" + len(text).to_bytes(4, "little") + text
    assert data[8:16] == b"AVI LIST"
    assert data[20:24] == b"hdrl"
    size = int.from_bytes(data[16:20], "little")
    end = 20 + size  # after the list's last chunk
    data[end:end] = chunk
    data[16:20] = (size + len(chunk)).to_bytes(4, "little")
    data[4:8] = (len(data) - 8).to_bytes(4, "little")
    path.write_bytes(data)


def write_mov(silent: Path, path: Path, **metadata: str) -> Path:
    """The same pictures with these words about them."""
    options = {"movflags": "use_metadata_tags"}
    with av.open(str(silent)) as source, av.open(str(path), "w", container_options=options) as target:
        target.metadata.update(metadata)
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return path


def test_a_phones_own_time_goes_first_and_what_is_no_time_is_passed_over(
    make_video: MakeVideo, tmp_path: Path
) -> None:
    silent = make_video(tmp_path / "a.mp4", frames=3)
    phone = {
        "com.apple.quicktime.creationdate": "2023-04-15T08:30:12+0200",
        "creation_time": "2023-04-15T06:30:12Z",
    }
    assert probe_video(write_mov(silent, tmp_path / "b.mov", **phone)).recorded == datetime(
        2023, 4, 15, 8, 30, 12, tzinfo=timezone(timedelta(hours=2))
    )
    assert probe_video(write_mov(silent, tmp_path / "c.mov", date="2023-04-15")).recorded is None
    assert probe_video(write_mov(silent, tmp_path / "d.mov", date="half past: six")).recorded is None


def test_pictures_last_as_long_as_their_times_say(make_video: MakeVideo, tmp_path: Path) -> None:
    uneven = make_video(tmp_path / "a.mkv", frames=3, times_ms=[0, 100, 400])
    assert probe_video(uneven).duration_seconds == pytest.approx(0.6)  # the last as long as the mean
    assert probe_video(make_video(tmp_path / "b.mp4", frames=1, rate=25)).duration_seconds == pytest.approx(
        0.04
    )


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_one_wrong_time_makes_no_clip_longer_and_is_told(
    make_video: MakeVideo, change_times: MakeVideo, tmp_path: Path, suffix: str
) -> None:
    times = [i / 25 for i in range(100)]
    sound = make_video(tmp_path / "a.mkv", frames=100, options={"bf": "0"})
    wrong = change_times(sound, tmp_path / f"b{suffix}", [*times[:-1], 86400.0])
    facts = probe_video(wrong)
    assert facts.duration_seconds == pytest.approx(4.0, abs=0.05)
    assert (facts.frames, round(facts.frames_per_second)) == (100, 25)
    assert facts.loss.startswith("times jump by 86,396 s at 3.9 s")
    assert probe_video(change_times(sound, tmp_path / "c.mkv", times)).loss == ""


def test_what_is_never_shown_is_not_counted(make_video: MakeVideo, tmp_path: Path) -> None:
    options = {"auto-alt-ref": "1", "lag-in-frames": "16", "deadline": "realtime"}
    for codec in ("libvpx", "libvpx-vp9"):
        path = make_video(tmp_path / f"{codec}.mkv", frames=60, codec=codec, options=options)
        assert probe_video(path).frames == 60


def test_a_still_is_one_frame_that_lasts_no_time_and_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    Image.new("L", (20, 10)).save(tmp_path / "a.jpg", exif=exif)
    for name in ("a.jpg", "a.mp4"):
        (tmp_path / name).write_bytes((tmp_path / "a.jpg").read_bytes())
        facts = probe_video(tmp_path / name)
        assert (facts.container, facts.codec, facts.pixel_format) == ("still", "jpeg", "L")
        assert (facts.width_px, facts.height_px, facts.rotation_degrees) == (10, 20, 0)
        assert (facts.frames, facts.declared_frames, facts.duration_seconds, facts.frames_per_second) == (
            1,
            1,
            0,
            0,
        )


def test_sound_is_told_and_so_is_what_is_missing(make_video: MakeVideo, tmp_path: Path) -> None:
    whole = make_video(tmp_path / "a.avi", frames=30, codec="mpeg4")
    (tmp_path / "cut.avi").write_bytes(whole.read_bytes()[:-2000])
    facts = probe_video(tmp_path / "cut.avi")
    assert facts.loss.startswith("cut short: ")
    assert facts.frames < facts.declared_frames == 30
    with av.open(str(tmp_path / "loud.mkv"), "w") as container:
        pictures, sound = container.add_stream("mpeg4", rate=5), container.add_stream("pcm_s16le", rate=8000)
        pictures.width = pictures.height = 16
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        silence.sample_rate = 8000
        container.mux([*sound.encode(silence), *sound.encode(None)])
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        container.mux([*pictures.encode(frame), *pictures.encode(None)])
    assert probe_video(tmp_path / "loud.mkv").has_audio


def test_a_file_none_of_whose_pictures_decodes_is_found_out(make_video: MakeVideo, tmp_path: Path) -> None:
    content = bytearray(
        make_video(tmp_path / "a.avi", frames=3, codec="mjpeg", pixel_format="yuvj420p").read_bytes()
    )
    start, end = content.index(b"movi") + 4, content.index(b"idx1")
    place = start
    while place + 8 < end:
        size = int.from_bytes(content[place + 4 : place + 8], "little")
        content[place + 8 : place + 8 + size] = bytes(size)
        place += 8 + size + size % 2
    (tmp_path / "b.avi").write_bytes(content)
    with pytest.raises(DecodeError, match="none of its pictures can be decoded") as caught:
        probe_video(tmp_path / "b.avi")
    assert caught.value.stage == "decode"
