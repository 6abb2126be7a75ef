from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from primatrix.cli.options import (
    is_benchmark,
    make_spec,
    parse_size,
    parse_sizes,
    split_commas,
    tell_unused,
)
from primatrix.errors import DecodeError, InputError
from primatrix.records import ClipSpec

Run = Callable[..., Any]  # Any: conftest's Ended


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


@pytest.mark.parametrize("command", ["pack", "train", "predict", "predict a benchmark"])
def test_what_failed_is_tried_again_on_demand(
    command: str,
    footage: Path,
    data: Path,
    model: Path,
    tmp_path: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first time no worker gets done in time; the second time all would."""

    def give_up(*words: object) -> None:
        raise DecodeError("not done after 60 s", stage="time limit")

    of_store = ("--store", tmp_path / "s", "--workers", 0, "-q")
    words: dict[str, tuple[object, ...]] = {
        "pack": ("pack", footage, *of_store),
        "train": ("train", footage, "--labels", footage / "labels.csv", "--steps", 1, "--out", tmp_path / "m",
                  *of_store),
        "predict": ("predict", footage, "--model", model, "--out", tmp_path / "r", "--workers", 0, "-q"),
        "predict a benchmark": ("predict", data, "--model", model, "--out", tmp_path / "p.csv", *of_store),
    }  # fmt: skip
    with monkeypatch.context() as patch:
        for place in ("pool._decode_video", "parts.PartReader.__call__"):
            patch.setattr(f"primatrix.video.{place}", give_up)
        assert run(*words[command]).code in (1, 2)  # of no clip at all nothing can be learned
    failed = run(*words[command])
    assert failed.code in (1, 2)
    tried = run(*words[command], "--retry-failed")
    assert tried.code == (1 if command == "predict a benchmark" else 0), tried.err
    assert tried.err.count("could not be read") == tried.code
