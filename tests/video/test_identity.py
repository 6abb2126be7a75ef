import os
from pathlib import Path

import pytest

from primatrix.errors import DecodeError
from primatrix.records import Failure
from primatrix.video import identity
from primatrix.video.files import describe_video, find_videos
from primatrix.video.identity import BATCH, WHOLE_BYTES, identify, identify_all, stamp_file


def test_a_file_is_what_its_content_is_whatever_its_name_time_or_place(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name in ("a.mp4", "b/other.avi"):
        (tmp_path / name).write_bytes(b"the same")
    os.utime(tmp_path / "a.mp4", ns=(1, 1))
    assert identify(tmp_path / "a.mp4") == identify(tmp_path / "b/other.avi")
    (tmp_path / "a.mp4").write_bytes(b"The same")
    assert identify(tmp_path / "a.mp4") != identify(tmp_path / "b/other.avi")


@pytest.mark.parametrize("place", [0, WHOLE_BYTES // 2, WHOLE_BYTES - 1])
def test_every_byte_of_a_small_file_counts(tmp_path: Path, place: int) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(WHOLE_BYTES))
    before = identify(path)
    with path.open("rb+") as file:
        file.seek(place)
        file.write(b"x")
    assert identify(path) != before


@pytest.mark.parametrize("place", [0, 3 * WHOLE_BYTES // 2, 3 * WHOLE_BYTES - 1])
def test_of_a_large_file_begin_middle_and_end_count_and_its_size(tmp_path: Path, place: int) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(bytes(3 * WHOLE_BYTES))
    before = identify(path)
    with path.open("rb+") as file:
        file.seek(place)
        file.write(b"x")
    changed = identify(path)
    path.write_bytes(bytes(3 * WHOLE_BYTES + 1))
    assert len({before, changed, identify(path)}) == 3


def test_many_files_come_in_order_and_one_that_is_away_is_a_failure_of_its_own(tmp_path: Path) -> None:
    count = 3 * BATCH + 1
    for i in range(count):
        (tmp_path / f"{i:04}.mp4").write_text(str(i))
    videos = find_videos(tmp_path)
    videos[BATCH].path.unlink()
    found = list(identify_all(videos))
    assert found[BATCH] == Failure(videos[BATCH].name, "read", "not readable: No such file or directory")
    assert [key for key in found if isinstance(key, bytes)] == [
        identify(video.path) for i, video in enumerate(videos) if i != BATCH
    ]
    assert list(identify_all([])) == []


def test_what_cannot_be_read_is_a_decode_error_of_reading(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match="not readable: Is a directory") as caught:
        identify(tmp_path)
    assert caught.value.stage == "read"


def test_a_stamp_is_another_when_the_file_was_written_anew_at_the_same_size_and_time(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"one")
    os.utime(path, ns=(10**18, 10**18))
    before = describe_video(path).stamp
    assert describe_video(path).stamp == before
    path.unlink()
    path.write_bytes(b"two")
    os.utime(path, ns=(10**18, 10**18))
    assert describe_video(path).stamp != before


@pytest.mark.parametrize(("windows", "same"), [(True, False), (False, True)])
def test_on_windows_cards_are_told_apart_by_their_serial_number(
    windows: bool, same: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "ON_WINDOWS", windows)
    path = tmp_path / "IMG_0001.MP4"
    path.write_bytes(b"x")
    of = path.stat()
    other_card = os.stat_result((*of[:2], of.st_dev + 1, *of[3:]))
    stamps = {stamp_file(path, os.stat_result(of[:10])), stamp_file(path, other_card)}
    assert (len(stamps) == 1) == same
