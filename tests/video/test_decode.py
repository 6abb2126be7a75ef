import csv
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from primatrix.errors import DecodeError
from primatrix.records import ClipSpec, Sampler
from primatrix.video import packets
from primatrix.video.decode import decode_clip
from primatrix.video.order import order_frames
from primatrix.video.pixels import FrameWriter
from primatrix.video.samplers import choose_frames

MakeVideo = Callable[..., Path]


def decode_everything(path: Path, spec: ClipSpec) -> tuple[np.ndarray, list[float], list[int]]:
    """Every whole frame in order at clip size (N, H, W, C), its seconds, and which are keyframes."""
    writer, frames, pts, keyframes = FrameWriter(spec), [], [], []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        for packet in container.demux(stream):
            try:
                decoded = stream.codec_context.decode(packet)
            except av.error.FFmpegError:
                continue
            for frame in decoded:
                if frame.is_corrupt:
                    continue
                if frame.key_frame:
                    keyframes.append(len(frames))
                frames.append(np.empty(spec.shape[1:], np.uint8))
                writer.write(frame, frames[-1])
                pts.append(frame.pts)
        tick = float(stream.time_base)
    times = [(p - pts[0]) * tick for p in pts] if None not in pts else []
    return np.stack(frames), times, keyframes


def is_trusted(path: Path) -> bool:
    with packets.open_video(path) as source:
        return order_frames(source, packets.read_packets(source)) is not None


def assert_exact(path: Path, spec: ClipSpec) -> None:
    frames, times, keyframes = decode_everything(path, spec)
    if times != sorted(set(times)):  # the container's times are wrong: frames count as evenly spaced
        times = list(range(len(frames)))
        assert spec.sampler != "per_second"
    chosen = choose_frames(spec.sampler, spec.frames, pts_seconds=times, keyframes=keyframes)
    clip = decode_clip(path, spec)
    assert np.array_equal(clip.frames, frames[chosen])
    assert clip.note == ""
    if is_trusted(path):
        assert np.allclose(clip.pts_seconds, np.array(times)[chosen], atol=1e-9)


X264 = {"g": "9", "bf": "2", "preset": "ultrafast"}
OPEN_GROUPS = {"x264-params": "open-gop=1:keyint=8:bframes=3:b-pyramid=normal:ref=4"}
HEVC = {"x265-params": "keyint=8:bframes=3:open-gop=1:log-level=none"}
VP9 = {"g": "10", "auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "8", "deadline": "realtime"}
TRUSTED = [
    ("mp4", "libx264", X264),
    ("mp4", "libx264", {"g": "250", "bf": "2"}),
    ("mp4", "libx264", {"g": "1"}),
    ("mp4", "libx264", OPEN_GROUPS),
    ("mkv", "libx264", OPEN_GROUPS),
    ("ts", "libx264", OPEN_GROUPS),
    ("mkv", "libx264", {"x264-params": "intra-refresh=1:keyint=10"}),
    ("mp4", "libx264", {"x264-params": "slices=3:keyint=9"}),
    ("mov", "libx264", X264),
    ("m4v", "libx264", X264),
    ("mts", "libx264", X264),
    ("asf", "libx264", {"g": "9", "bf": "0"}),
    ("mp4", "libx265", HEVC),
    ("mkv", "libx265", HEVC),
    ("mp4", "mpeg4", {"g": "12", "bf": "2"}),
    ("mkv", "mpeg4", {"g": "12", "bf": "2"}),
    ("asf", "msmpeg4", {"g": "12"}),
    ("wmv", "wmv2", {"g": "12"}),
    ("webm", "libvpx-vp9", VP9),
    ("webm", "libvpx", {"g": "20", "auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "5"}),
    ("mp4", "libsvtav1", {"g": "20", "preset": "11"}),
    ("avi", "ffv1", {}),
]
UNTRUSTED = [
    ("avi", "libx264", X264),
    ("avi", "mpeg4", {"g": "12", "bf": "2"}),
    ("avi", "msmpeg4", {"g": "12"}),
    ("asf", "libx264", X264),
    ("mpg", "mpeg2video", {"g": "12", "bf": "2"}),
    ("mp4", "libx264", {"flags": "+ildct+ilme", "x264-params": "interlaced=1"}),
]


@pytest.mark.parametrize(("suffix", "codec", "options"), TRUSTED)
def test_selected_frames_are_the_very_ones_of_decoding_everything(
    make_video: MakeVideo, tmp_path: Path, suffix: str, codec: str, options: dict[str, str]
) -> None:
    path = make_video(tmp_path / f"a.{suffix}", frames=37, codec=codec, options=options)
    assert is_trusted(path)
    for sampler in ("uniform", "keyframes", "per_second"):
        for frames in (4, 50):
            assert_exact(path, ClipSpec(frames=frames, height_px=24, width_px=24, sampler=sampler))


@pytest.mark.parametrize(("suffix", "codec", "options"), UNTRUSTED)
def test_where_times_lie_everything_is_decoded_in_order(
    make_video: MakeVideo, tmp_path: Path, suffix: str, codec: str, options: dict[str, str]
) -> None:
    path = make_video(tmp_path / f"a.{suffix}", frames=37, codec=codec, options=options)
    assert not is_trusted(path)
    for sampler in ("uniform", "keyframes"):
        for frames in (4, 50):
            assert_exact(path, ClipSpec(frames=frames, height_px=24, width_px=24, sampler=sampler))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_mix_of_groups_rates_and_samplers_is_exact(
    make_video: MakeVideo, tmp_path: Path, data: st.DataObject
) -> None:
    suffix = data.draw(st.sampled_from(["mp4", "mov", "mkv", "ts"]))
    frames = data.draw(st.integers(1, 60))
    gaps = data.draw(st.none() | st.lists(st.integers(10, 400), min_size=frames, max_size=frames))
    options = {
        "preset": "ultrafast",
        "x264-params": f"keyint={data.draw(st.integers(1, 30))}:bframes={data.draw(st.integers(0, 4))}"
        f":open-gop={data.draw(st.integers(0, 1))}:ref=2:scenecut=0",
    }
    path = make_video(
        tmp_path / f"a.{suffix}",
        frames=frames,
        rate=data.draw(st.sampled_from([1, 2, 15, 30])),
        options=options,
        times_ms=np.cumsum(gaps).tolist() if gaps else None,
    )
    sampler: Sampler = data.draw(st.sampled_from(["uniform", "keyframes", "per_second"]))
    assert is_trusted(path)
    assert_exact(path, ClipSpec(frames=data.draw(st.integers(1, 70)), sampler=sampler))


@pytest.mark.parametrize("rate", [1, 2, 15, 30])
@pytest.mark.parametrize("gaps_ms", [[10, 10], [10, 10, 10], [10, 400], [10, 10, 10, 75]])
def test_a_length_stated_wrong_by_less_than_a_second_leaves_times_alone(
    make_video: MakeVideo, tmp_path: Path, rate: int, gaps_ms: list[int]
) -> None:
    times = np.cumsum(gaps_ms).tolist()
    path = make_video(tmp_path / "a.mp4", frames=len(times), rate=rate, times_ms=times, options={"bf": "1"})
    assert is_trusted(path)
    assert_exact(path, ClipSpec(frames=3))


@pytest.mark.parametrize(
    ("suffix", "codec", "pixel_format", "size"),
    [
        ("mp4", "libx264", "yuv420p10le", (64, 48)),
        ("mp4", "libx264", "yuv444p", (63, 47)),
        ("mp4", "libx265", "yuv420p10le", (66, 50)),
        ("avi", "mjpeg", "yuvj420p", (63, 47)),
        ("mov", "mjpeg", "yuvj422p", (64, 48)),
        ("avi", "rawvideo", "bgr24", (65, 49)),
        ("avi", "huffyuv", "yuv422p", (64, 48)),
    ],
)
@pytest.mark.parametrize("colour", ["grey", "rgb"])
def test_odd_sizes_and_pixel_formats_are_exact(
    make_video: MakeVideo,
    tmp_path: Path,
    suffix: str,
    codec: str,
    pixel_format: str,
    size: tuple,
    colour: str,
) -> None:
    path = make_video(tmp_path / f"a.{suffix}", frames=11, codec=codec, pixel_format=pixel_format, size=size)
    assert is_trusted(path)
    assert_exact(path, ClipSpec(frames=4, height_px=17, width_px=23, colour=colour))


def test_a_short_clip_repeats_its_frames_in_order(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames=2)
    clip = decode_clip(path, ClipSpec(frames=5))
    assert clip.pts_seconds.tolist() == pytest.approx([0, 0, 0.04, 0.04, 0.04])
    assert np.array_equal(clip.frames[0], clip.frames[1])
    assert np.array_equal(clip.frames[2], clip.frames[4])
    assert not np.array_equal(clip.frames[1], clip.frames[2])


def test_a_crop_that_leaves_nothing_is_a_decode_error(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames=3)
    with pytest.raises(
        DecodeError, match=r"crop of 0 \+ 48 px leaves nothing of a picture 48 px high"
    ) as caught:
        decode_clip(path, ClipSpec(crop=(0, 0.99)))
    assert caught.value.stage == "convert"


def test_frames_hidden_by_an_edit_list_are_not_frames(make_video: MakeVideo, tmp_path: Path) -> None:
    whole = make_video(tmp_path / "a.mp4", frames=30, options={"g": "10", "bf": "2"})
    cut = tmp_path / "cut.mp4"
    with av.open(str(whole)) as source, av.open(str(cut), "w") as target:
        stream = source.streams.video[0]
        copy = target.add_stream_from_template(stream)
        shift = 7 * int(1 / (25 * stream.time_base))
        for packet in source.demux(stream):
            if packet.size:
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = copy
                target.mux(packet)
    spec = ClipSpec(frames=30)
    assert len(decode_everything(cut, spec)[0]) == 23
    assert_exact(cut, ClipSpec(frames=9))
    assert np.array_equal(decode_clip(cut, ClipSpec(frames=23)).frames, decode_clip(whole, spec).frames[7:])


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "ts"])
def test_large_files_whose_packets_are_read_again_give_the_same(
    make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    codec = "ffv1" if suffix == "avi" else "libx264"
    path = make_video(tmp_path / f"a.{suffix}", frames=60, codec=codec, options={"g": "10", "bf": "2"})
    spec = ClipSpec(frames=7)
    expected = decode_clip(path, spec).frames
    monkeypatch.setattr(packets, "KEPT_PACKETS_BYTES", 100)
    assert np.array_equal(decode_clip(path, spec).frames, expected)
    assert_exact(path, spec)


def test_a_file_cut_short_gives_what_is_there_and_says_so(make_video: MakeVideo, tmp_path: Path) -> None:
    whole = make_video(
        tmp_path / "a.mp4", frames=60, size=(128, 96), options={"movflags": "faststart", "g": "10"}
    )
    with (
        av.open(str(whole), "r") as source,
        av.open(str(tmp_path / "front.mp4"), "w", container_options={"movflags": "faststart"}) as target,
    ):
        copy = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = copy
                target.mux(packet)
    content = (tmp_path / "front.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(content[: len(content) * 2 // 3])
    clip = decode_clip(tmp_path / "cut.mp4", ClipSpec(frames=5))
    assert clip.status == "partial"
    assert clip.note.startswith("cut short: ")
    assert " of 60 frames are there" in clip.note
    there = int(clip.note.split()[2])
    assert 20 < there < 60
    assert clip.pts_seconds[-1] < there / 25


def test_damage_in_the_middle_never_gives_a_frame_that_was_not_decoded(
    make_video: MakeVideo, tmp_path: Path
) -> None:
    content = bytearray(
        make_video(tmp_path / "a.avi", frames=40, codec="mpeg4", options={"g": "10"}).read_bytes()
    )
    middle = len(content) // 2
    content[middle : middle + 400] = bytes(400)
    (tmp_path / "b.avi").write_bytes(content)
    spec = ClipSpec(frames=40)
    frames, _, _ = decode_everything(tmp_path / "b.avi", spec)
    clip = decode_clip(tmp_path / "b.avi", spec)
    assert clip.status == "partial"
    decoded = {frame.tobytes() for frame in frames}
    assert all(frame.tobytes() in decoded for frame in clip.frames)


def test_real_clips_are_exact(shared_data: Path) -> None:
    folders = [shared_data / name / "videos" for name in ("codec_zoo", "camera_trap_clips")]
    paths = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    assert len(paths) == 77
    with (shared_data / "codec_zoo" / "expected.csv").open() as file:
        expected = {row["filepath"]: int(row["frames_decoded"]) for row in csv.DictReader(file)}
    spec = ClipSpec(frames=9)
    for path in paths:
        assert_exact(path, spec)
        count = expected.get(f"videos/{path.name}")
        if count:
            assert len(decode_everything(path, spec)[0]) == count


def test_pictures_of_a_lower_temporal_layer_are_not_skipped(make_video: MakeVideo, tmp_path: Path) -> None:
    layers = {"x265-params": "keyint=24:bframes=3:b-pyramid=1:temporal-layers=3:log-level=none"}
    path = make_video(tmp_path / "a.mp4", frames=37, codec="libx265", options=layers)
    assert_exact(path, ClipSpec(frames=5, height_px=24, width_px=24))


@pytest.mark.parametrize(
    ("suffix", "options", "expected"),
    [("mp4", "", True), ("mkv", "", True), ("ts", "", False), ("mp4", "temporal-layers=3:", False)],
)
def test_hevc_pictures_are_skipped_only_where_there_is_one_temporal_layer(
    make_video: MakeVideo, tmp_path: Path, suffix: str, options: str, expected: bool
) -> None:
    parameters = {"x265-params": f"{options}keyint=24:bframes=3:b-pyramid=1:log-level=none"}
    path = make_video(tmp_path / f"a.{suffix}", frames=37, codec="libx265", options=parameters)
    with packets.open_video(path) as source:
        assert packets.tells_references(source.stream.codec_context) == expected
    assert_exact(path, ClipSpec(frames=5, height_px=24, width_px=24))


@pytest.mark.parametrize(
    ("suffix", "codec", "options"),
    [(suffix, codec, {"g": "20", "bf": "3"}) for suffix, codec in (("mp4", "libx265"), ("mp4", "libx264"))]
    + [("mp4", "libsvtav1", {"g": "20", "preset": "11"})],
)
def test_selecting_frames_ends_in_no_second_decoding(
    make_video: MakeVideo,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    suffix: str,
    codec: str,
    options: dict[str, str],
) -> None:
    path = make_video(tmp_path / f"a.{suffix}", frames=37, codec=codec, options=options)
    with caplog.at_level("DEBUG", "primatrix.video.decode"):
        decode_clip(path, ClipSpec(frames=4))
    assert caplog.messages == []


def test_damage_that_libav_conceals_is_told(make_video: MakeVideo, tmp_path: Path) -> None:
    options = {"g": "20", "bf": "0", "preset": "ultrafast"}
    content = bytearray(make_video(tmp_path / "a.avi", frames=40, options=options).read_bytes())
    spec = ClipSpec(frames=40)
    assert decode_clip(tmp_path / "a.avi", spec).note == ""
    picture = content.index(b"00dc", content.index(b"00dc", content.index(b"movi")) + 4)  # the second one
    content[picture + 40 : picture + 60] = bytes(20)
    (tmp_path / "b.avi").write_bytes(content)
    clip = decode_clip(tmp_path / "b.avi", spec)
    assert clip.status == "partial"


DAY = 86400.0
SOUND = [i / 25 for i in range(100)]
WRONG = {
    "at the end": [*SOUND[:-1], DAY],
    "at the start": [-DAY, *SOUND[1:]],
    "in the middle": [second + DAY * (i == 50) for i, second in enumerate(SOUND)],
    "back from the middle on": [second - DAY * (i >= 50) for i, second in enumerate(SOUND)],
    "the same": [3.0] * 100,
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_times_make_a_clip_partial_and_its_frames_are_those_of_right_ones(
    make_video: MakeVideo, change_times: MakeVideo, tmp_path: Path, name: str
) -> None:
    sound = make_video(tmp_path / "a.mkv", frames=100, options={"bf": "0"})
    wrong = change_times(sound, tmp_path / "b.ts", WRONG[name])
    samplers: tuple[Sampler, ...] = ("uniform", "per_second")
    for sampler in samplers:
        spec = ClipSpec(4, 16, 16, sampler=sampler)
        right, clip = decode_clip(sound, spec), decode_clip(wrong, spec)
        np.testing.assert_array_equal(clip.frames, right.frames)
        np.testing.assert_allclose(clip.pts_seconds, right.pts_seconds, atol=0.05)
        assert (right.status, clip.status) == ("ok", "partial")


@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_an_avi_with_b_frames_keeps_the_time_of_frames_that_were_dropped(
    make_video: MakeVideo, tmp_path: Path, codec: str
) -> None:
    every_second_one = [80 * i for i in range(75)]
    path = make_video(
        tmp_path / "a.avi", frames=75, codec=codec, options={"bf": "2"}, times_ms=every_second_one
    )
    clip = decode_clip(path, ClipSpec(3, 16, 16))
    assert clip.pts_seconds.tolist() == pytest.approx([0.96, 2.96, 4.96])
    clip = decode_clip(path, ClipSpec(6, 16, 16, sampler="per_second"))
    assert clip.pts_seconds.tolist() == pytest.approx([0, 0.96, 2, 2.96, 4, 4.96])
    assert clip.note == ""


@pytest.mark.parametrize("sampler", ["uniform", "keyframes", "per_second"])
def test_a_video_of_which_no_picture_decodes_says_so_whatever_the_sampler(
    make_video: MakeVideo, tmp_path: Path, sampler: Sampler
) -> None:
    path = make_video(tmp_path / "a.avi", frames=6, size=(16, 16), codec="mpeg4")
    data = bytearray(path.read_bytes())
    place = data.find(b"00dc", data.find(b"movi"))
    while (
        0 <= place < data.find(b"idx1")
    ):  # every chunk of pixels: eight bytes of name and size, then nothing but 0
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        data[place + 8 : place + 8 + size] = bytes(size)
        place = data.find(b"00dc", place + 8)
    path.write_bytes(data)
    with pytest.raises(DecodeError, match=r"none of its 6 pictures can be decoded"):
        decode_clip(path, ClipSpec(4, 16, 16, sampler=sampler))
