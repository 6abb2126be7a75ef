from pathlib import Path

import pytest

from primatrix.cli.options import (
    check_folder,
    is_benchmark,
    make_spec,
    parse_size,
    parse_sizes,
    split_commas,
    tell_unused,
)
from primatrix.errors import InputError
from primatrix.records import ClipSpec


def test_clips_are_as_large_as_the_benchmarks_where_no_size_is_named() -> None:
    assert make_spec(15, None, "grey") == ClipSpec(15, 16, 16)
    assert make_spec(30, None, "rgb", kind="micro") == ClipSpec(30, 64, 64, "rgb")
    assert make_spec(30, None, "grey", kind="raw") == ClipSpec(30, 404, 720)
    assert make_spec(8, "24x32", "grey", kind="micro") == ClipSpec(8, 24, 32)


def test_one_number_is_a_square_and_two_are_height_and_width() -> None:
    assert parse_size("64") == (64, 64)
    assert parse_size("64X48") == (64, 48)


@pytest.mark.parametrize("text", ["16by16", "", "x", "16x", "1x2x3", "-4x4", "4.5x4"])
def test_a_size_that_is_none_is_one_line(text: str) -> None:
    with pytest.raises(InputError, match=r"--size: got .*, wanted HEIGHTxWIDTH in pixels, as 64x64"):
        parse_size(text)


def test_words_between_commas_lose_their_blanks_and_empty_ones_go() -> None:
    assert split_commas(" north, south ,,") == ("north", "south")
    assert split_commas("") == ()
    assert parse_sizes("nano, raw") == ("nano", "raw")


@pytest.mark.parametrize("text", ["huge", "", "nano,huge"])
def test_sizes_that_the_benchmark_has_not_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"--sizes: got .*, wanted some of nano, micro, raw"):
        parse_sizes(text)


def test_a_file_in_place_of_a_folder_is_found_at_any_depth(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    check_folder(None)
    check_folder(tmp_path / "new" / "deeper")
    for place in (tmp_path / "file", tmp_path / "file" / "deeper" / "still"):
        with pytest.raises(InputError, match=f"{tmp_path / 'file'} is a file, wanted a folder"):
            check_folder(place)


def test_only_what_was_given_is_said_not_to_be_used(capsys: pytest.CaptureFixture[str]) -> None:
    tell_unused({"--size": None, "--media": False})
    assert capsys.readouterr().err == ""
    tell_unused({"--size": "4x4", "--media": False, "--timezone": "UTC"})
    assert capsys.readouterr().err == (
        "primatrix: --size, --timezone: not used, since this is a benchmark folder; wanted with one's own footage\n"
    )


def test_a_benchmark_folder_is_told_by_its_submission_format(tmp_path: Path) -> None:
    assert not is_benchmark(tmp_path)
    (tmp_path / "submission_format.csv").write_text("filename\n")
    assert is_benchmark(tmp_path)
