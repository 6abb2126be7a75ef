import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import av
import numpy as np
import pytest

from primatrix.errors import InputError
from primatrix.records import ClipSpec, Failure
from primatrix.video import files
from primatrix.video.decode import decode_clip
from primatrix.video.files import VIDEO_SUFFIXES, describe_video, find_videos, search_folder
from primatrix.video.pool import run_safely


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


AsAnyone = Callable[[], AbstractContextManager[None]]


def test_a_folder_that_may_not_be_listed_is_a_failure_and_hides_no_other(
    public_folder: Path, as_anyone: AsAnyone
) -> None:
    make_files(public_folder, "open/a.mp4", "locked/b.mp4")
    (public_folder / "locked").chmod(0)
    with as_anyone():
        found = search_folder(public_folder)
    assert [video.name for video in found.videos] == ["open/a.mp4"]
    assert found.failures == (Failure("locked/", "read", "folder not readable: Permission denied"),)


def test_a_folder_that_may_be_listed_but_not_entered_stops_nothing(
    public_folder: Path, as_anyone: AsAnyone
) -> None:
    make_files(public_folder, "a.mp4", "listed/b.mp4", "listed/deeper/c.mp4")
    (public_folder / "listed").chmod(0o444)
    with as_anyone():
        found = search_folder(public_folder)
        results = [
            run_safely(lambda v: decode_clip(v.path, ClipSpec(), name=v.name), v) for v in found.videos
        ]
    (public_folder / "listed").chmod(0o755)
    assert [video.name for video in found.videos] == ["a.mp4", "listed/b.mp4"]
    assert results[1] == Failure("listed/b.mp4", "read", "not readable as video: Permission denied")
    assert [failure.name for failure in found.failures] == ["listed/deeper/"]


def test_a_card_of_which_nothing_may_be_looked_at_says_so(public_folder: Path, as_anyone: AsAnyone) -> None:
    make_files(public_folder, "DCIM/a.mp4")
    (public_folder / "DCIM").chmod(0)
    message = "got no video in it that could be looked at: DCIM/: folder not readable: Permission denied"
    with as_anyone(), pytest.raises(InputError, match=message):
        find_videos(public_folder)
    (public_folder / "DCIM").chmod(0o755)


def test_waste_baskets_of_any_system_are_no_footage(tmp_path: Path) -> None:
    baskets = ["$RECYCLE.BIN", "#recycle", ".Trash-1000", "System Volume Information", "@eaDir", "RECYCLER"]
    make_files(tmp_path, "DCIM/a.mp4", *(f"{basket}/S-1-5/b.mp4" for basket in baskets))
    assert [video.name for video in find_videos(tmp_path)] == ["DCIM/a.mp4"]


@pytest.mark.parametrize(("suffix", "container", "codec"), [
    (".ts", "mpegts", "libx264"), (".TS", "mpegts", "mpeg2video"), (".flv", "flv", "flv"), (".3g2", "3g2", "mpeg4"),
    (".dav", "mpeg", "mpeg1video"), (".MOD", "vob", "mpeg2video"), (".h264", "h264", "libx264"),
])  # fmt: skip
def test_doubtful_suffixes_are_taken_where_there_is_a_video(
    tmp_path: Path, suffix: str, container: str, codec: str
) -> None:
    path = tmp_path / f"clip{suffix}"
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for i in range(10):
            file.mux(
                stream.encode(
                    av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * i, np.uint8), format="rgb24")
                )
            )
        file.mux(stream.encode(None))
    assert [video.name for video in find_videos(tmp_path)] == [path.name]
    assert decode_clip(path, ClipSpec(frames=2)).frames.shape == (2, 16, 16, 1)


def test_doubtful_suffixes_without_a_video_are_counted(tmp_path: Path) -> None:
    make_files(tmp_path, "a.mp4")
    (tmp_path / "app.ts").write_text("export const answer: number = 42;\n" * 100)
    (tmp_path / "song.mod").write_bytes(b"M.K." + bytes(3000))
    (tmp_path / "other.ts").write_bytes(b"")
    found = search_folder(tmp_path)
    assert [video.name for video in found.videos] == ["a.mp4"]
    assert found.no_videos == {".ts": 2, ".mod": 1}


def test_a_file_that_vanishes_during_the_search_fails_by_itself(tmp_path: Path) -> None:
    make_files(tmp_path, "a.mp4")
    (entry,) = os.scandir(tmp_path)
    (tmp_path / "a.mp4").unlink()
    video = files._describe_entry(entry, "a.mp4")
    assert (video.name, video.size_bytes) == ("a.mp4", 0)
    assert run_safely(lambda v: decode_clip(v.path, ClipSpec()), video).may_pass
