import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from primatrix.disk.outputs import check_output_file, check_output_folder, refuse_strange_files
from primatrix.errors import InputError


def test_a_place_that_can_be_written_is_given_back_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("old")
    for path in (tmp_path / "new.csv", tmp_path / "old.csv", tmp_path / "deep" / "er" / "new.csv"):
        assert check_output_file(path) == path
    for path in (tmp_path, tmp_path / "new", tmp_path / "deep" / "er"):
        assert check_output_folder(path) == path
    assert [path.name for path in tmp_path.iterdir()] == ["old.csv"]
    assert (tmp_path / "old.csv").read_text() == "old"


def test_a_folder_is_no_file_and_a_file_no_folder_at_any_depth(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=f"{tmp_path}: is a folder, wanted the name of a file"):
        check_output_file(tmp_path)
    with pytest.raises(InputError, match=f"{tmp_path / 'file'} is a file, wanted a folder"):
        check_output_file(tmp_path / "file" / "a.csv")
    for place in (tmp_path / "file", tmp_path / "file" / "deeper" / "still"):
        with pytest.raises(InputError, match=f"{place}: {tmp_path / 'file'} is a file, wanted a folder"):
            check_output_folder(place)


@pytest.mark.skipif(os.name != "posix", reason="devices and links of POSIX systems")
def test_a_device_or_a_link_to_nothing_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "nowhere.csv")
    for path in (Path("/dev/null"), tmp_path / "link.csv"):
        with pytest.raises(InputError, match="is no regular file"):
            check_output_file(path)


def test_a_name_ends_as_it_must(tmp_path: Path) -> None:
    assert check_output_file(tmp_path / "a.JSON", endings=(".csv", ".json"))
    with pytest.raises(InputError, match=r"a.txt: got a name ending in '.txt', wanted .csv or .json"):
        check_output_file(tmp_path / "a.txt", endings=(".csv", ".json"))


def test_a_name_that_is_too_long_for_the_disk_is_one_line(tmp_path: Path) -> None:
    for name in (
        "a" * 300,
        "a" * 250,
    ):  # too long at once, and with what its name begins with while it is written
        with pytest.raises(InputError, match="name too long; choose another place"):
            check_output_file(tmp_path / name)


def test_a_folder_that_may_not_be_written_is_found_from_below(
    public_folder: Path, as_anyone: Callable[[], AbstractContextManager[None]]
) -> None:
    with as_anyone():
        for path in (public_folder / "a.csv", public_folder / "deep" / "a.csv"):
            with pytest.raises(InputError, match=f"{public_folder} cannot be written: Permission denied"):
                check_output_file(path)
        for path in (public_folder, public_folder / "deep"):
            with pytest.raises(
                InputError, match="cannot be written: Permission denied; choose another place"
            ):
                check_output_folder(path)


def test_files_of_others_are_refused_and_own_ones_are_not(tmp_path: Path) -> None:
    refuse_strange_files(tmp_path, ["clips.csv"], marks=["run.json"], what="a prediction")
    (tmp_path / "clips.csv").write_text("mine")
    with pytest.raises(InputError, match=r"holds clips\.csv, which are not of a prediction, wanted a place"):
        refuse_strange_files(tmp_path, ["clips.csv", "other.csv"], marks=["run.json"], what="a prediction")
    (tmp_path / "run.json").write_text("{}")
    refuse_strange_files(tmp_path, ["clips.csv"], marks=["run.json"], what="a prediction")
