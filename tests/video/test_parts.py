from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from primatrix.records import ClipSpec
from primatrix.video import packets, parts
from primatrix.video.decode import TimesLieError, decode_clip
from primatrix.video.order import Passage
from primatrix.video.parts import Part, PartReader, Sequel, Start, TimesLie, Windows

MakeVideo = Callable[..., Path]
SPEC = ClipSpec(5, 16, 16)
BYTES = 5 * 16 * 16  # of a window's frames
FILES: dict[str, dict[str, Any]] = {
    "a.mp4": {"options": {"g": "8", "bf": "2"}},
    "a.ts": {"options": {"g": "8", "bf": "2"}},
    "mjpeg.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    "reordered.avi": {"codec": "mpeg4", "options": {"bf": "2"}},
}


def make_part(path: Path) -> Part:
    return Part(path, path.name, path.stat().st_size, 0)


def make_reader(*, windows: int = 1) -> PartReader:
    return PartReader(SPEC, window_seconds=2, most_windows=windows, most_bytes=windows * BYTES)


def read_all(reader: PartReader, part: Part) -> list[Windows]:
    """The windows of each part, one after the other."""
    start = reader(part)
    assert isinstance(start, Start)
    rest = [reader(later) for later in start.rest]
    found = [start.windows, *(windows for windows in rest if isinstance(windows, Windows))]
    assert len(found) == 1 + len(start.rest)
    return found


@pytest.mark.parametrize("name", FILES)
def test_parts_have_the_very_frames_of_the_whole(make_video: MakeVideo, tmp_path: Path, name: str) -> None:
    path = make_video(tmp_path / name, frames=48, rate=4, **FILES[name])  # 12 s
    (whole,) = read_all(make_reader(windows=6), make_part(path))
    one_by_one = read_all(make_reader(), make_part(path))
    assert (whole.frames.shape, len(one_by_one)) == ((6, 5, 16, 16, 1), 6)
    np.testing.assert_array_equal(np.concatenate([part.frames for part in one_by_one]), whole.frames)
    np.testing.assert_array_equal(
        np.concatenate([part.pts_seconds for part in one_by_one]), whole.pts_seconds
    )
    everything = decode_clip(path, ClipSpec(48, 16, 16)).frames
    shown = everything[np.rint(whole.pts_seconds.ravel() * 4).astype(int)]
    np.testing.assert_array_equal(whole.frames.reshape(shown.shape), shown)


@pytest.mark.parametrize("name", FILES)
def test_reading_twice_as_long_a_video_takes_twice_the_packets(
    make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    read, demux = [], packets._demux
    monkeypatch.setattr(packets, "_demux", lambda source: (read.append(p) or p for p in demux(source)))
    counts = []
    for number, frames in enumerate((96, 192)):
        path = make_video(tmp_path / f"{number}{name}", frames=frames, rate=4, **FILES[name])
        read.clear()
        assert len(read_all(make_reader(), make_part(path))) == frames // 8
        counts.append(len(read))
    assert counts[1] <= 2.1 * counts[0]
    assert counts[1] <= 4 * 192


def test_what_is_decoded_in_order_goes_on_and_can_be_begun_anew(
    make_video: MakeVideo, tmp_path: Path
) -> None:
    path = make_video(tmp_path / "a.avi", frames=48, rate=4, **FILES["reordered.avi"])
    reader = make_reader()
    whole = read_all(reader, make_part(path))
    start = reader(make_part(path))
    assert isinstance(start, Start)
    assert all(isinstance(part.content, Sequel) for part in start.rest)
    for number in (3, 4, 1, 5):  # by a worker that has not read the part before
        again = reader(start.rest[number - 1])
        assert isinstance(again, Windows)
        np.testing.assert_array_equal(again.frames, whole[number].frames)
    reader.close()


def test_a_passage_that_is_not_where_it_was_says_so(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames=48, rate=4, **FILES["a.mp4"])
    reader = make_reader()
    start = reader(make_part(path))
    assert isinstance(start, Start)
    content = start.rest[0].content
    assert isinstance(content, Passage)
    moved = replace(content.table, pts=[(pts or 0) + 1 for pts in content.table.pts])
    found = reader(replace(start.rest[0], content=replace(content, table=moved)))
    assert found == TimesLie("")
    start = reader(replace(make_part(path), first=4, in_order=True))  # what is then asked for
    assert isinstance(start, Start)
    assert (len(start.windows.frames), len(start.rest)) == (1, 1)


def test_times_that_lie_in_the_first_part_have_all_decoded_in_order(
    make_video: MakeVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_video(tmp_path / "a.mp4", frames=48, rate=4, **FILES["a.mp4"])
    (whole,) = read_all(make_reader(windows=6), make_part(path))

    def fail(*_: object) -> Iterator[None]:
        raise TimesLieError("packet 0 is no keyframe")

    monkeypatch.setattr(parts, "select_frames", fail)
    (again,) = read_all(make_reader(windows=6), make_part(path))
    np.testing.assert_array_equal(again.frames, whole.frames)
    np.testing.assert_allclose(again.pts_seconds, whole.pts_seconds)
