import os
from pathlib import Path

import pytest

from primatrix.errors import InputError
from primatrix.video.files import VIDEO_SUFFIXES, describe_video, find_videos


def make_files(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * len(name))


def test_videos_are_found_in_any_case_below_subfolders_and_sorted_by_name(tmp_path: Path) -> None:
    make_files(tmp_path, "b.MP4", "a/Z.Avi", "a/b/ç é.mov", "a/notes.txt", "c.webm", "mp4")
    videos = find_videos(tmp_path)
    assert [video.name for video in videos] == ["a/Z.Avi", "a/b/ç é.mov", "b.MP4", "c.webm"]
    assert videos[2].path == tmp_path / "b.MP4"
    assert videos[2].size_bytes == 5
    assert videos[2].mtime_ns == (tmp_path / "b.MP4").stat().st_mtime_ns
    assert (
        " ".join(sorted(VIDEO_SUFFIXES))
        == ".3gp .asf .avi .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .webm .wmv"
    )


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    make_files(tmp_path, "._a.mp4", ".hidden/b.mp4", "a.mp4")
    (tmp_path / "folder.mp4").mkdir()
    assert [video.name for video in find_videos(tmp_path)] == ["a.mp4"]


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_links_in_a_circle_and_dead_links_do_no_harm(tmp_path: Path) -> None:
    make_files(tmp_path, "a/x.mp4")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "dead.mp4").symlink_to(tmp_path / "nowhere.mp4")
    (tmp_path / "self.mp4").symlink_to(tmp_path / "self.mp4")
    (tmp_path / "b.mp4").symlink_to(tmp_path / "a" / "x.mp4")
    assert [video.name for video in find_videos(tmp_path)] == ["a/x.mp4", "b.mp4"]


@pytest.mark.skipif(os.name != "posix" or os.uname().sysname == "Darwin", reason="names are text here")
def test_a_name_that_is_not_utf8_is_spelt_out_and_still_opens(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4"))
    path.write_bytes(b"abc")
    (video,) = find_videos(tmp_path)
    assert video.name == "caf\\xe9.mp4"
    assert video.path.read_bytes() == b"abc"
    assert describe_video(path).name == "caf\\xe9.mp4"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent", "absent: got no such folder, wanted a folder of videos; check the path"),
        ("file.txt", "file.txt: got a file, wanted a folder of videos; check the path"),
        ("empty", "empty: got no video in it, wanted files ending in one of: 3gp asf avi m2ts"),
    ],
)
def test_what_is_no_folder_of_videos_is_refused_in_one_line(tmp_path: Path, name: str, message: str) -> None:
    make_files(tmp_path, "file.txt", "empty/notes.txt")
    with pytest.raises(InputError) as caught:
        find_videos(tmp_path / name)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
