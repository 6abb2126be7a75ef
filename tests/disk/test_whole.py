import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from primatrix.disk.whole import whole_file, write_whole

posix = pytest.mark.skipif(os.name != "posix", reason="processes are looked up by number")


def write_half_and_die(path: Path) -> None:
    code = "import os, sys; from pathlib import Path; from primatrix.disk.whole import write_whole\n"
    code += "write_whole(sys.argv[1], lambda path: (path.write_text('half'), os.kill(os.getpid(), 9)))"
    killed = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert killed.returncode == -9


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_folders_are_made_and_the_path_is_given_back(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "new" / "a.txt", lambda file: file.write_text("whole"))
    assert path == tmp_path / "new" / "a.txt"
    assert path.read_text() == "whole"
    assert names(path.parent) == ["a.txt"]


def test_after_an_error_the_old_file_stands_and_no_half_of_the_new(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "a.txt", lambda file: file.write_text("old"))

    def fail(temporary: Path) -> None:
        temporary.write_text("half", encoding="utf-8")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_whole(path, fail)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_readers_see_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "a.txt", lambda file: file.write_text("old"))
    with whole_file(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.name.startswith(".a.txt.")
    assert path.read_text() == "new"


@pytest.mark.parametrize("flush", [True, False])
def test_a_file_is_flushed_before_it_gets_its_name_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flush: bool
) -> None:
    there: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda handle: there.append((tmp_path / "a.txt").exists()))
    with whole_file(tmp_path / "a.txt", flush=flush) as temporary:
        temporary.write_text("whole")
    folder_too = [True] if os.name == "posix" else []  # after the file is in place
    assert there == ([False, *folder_too] if flush else [])


@posix
def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path: Path) -> None:
    write_half_and_die(tmp_path / "a.csv")
    (half,) = names(tmp_path)
    assert half.startswith(".a.csv.")
    write_whole(tmp_path / "b.csv", lambda path: path.write_text("another file"))
    assert names(tmp_path) == [half, "b.csv"]
    write_whole(tmp_path / "a.csv", lambda path: path.write_text("whole"))
    assert names(tmp_path) == ["a.csv", "b.csv"]


@posix
def test_what_others_are_writing_stays(tmp_path: Path) -> None:
    """A process that runs, one of another machine on a shared drive, and a file that looks like neither."""
    running = f".a.csv.{platform.node()}-{os.getppid()}.part"
    others = [running, ".a.csv.another-machine-1.part", f".a.csv.{platform.node()}-notes.part"]
    for name in others:
        (tmp_path / name).write_text("half")
    write_whole(tmp_path / "a.csv", lambda path: path.write_text("whole"))
    assert names(tmp_path) == sorted([*others, "a.csv"])
