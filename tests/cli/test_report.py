from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from primatrix.results import Results

Run = Callable[..., Any]  # Any: conftest's Ended


@pytest.fixture
def results(example: Results, tmp_path: Path) -> Path:
    return example.write(tmp_path / "results")


def test_a_report_without_pictures_needs_no_videos(results: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "labels.csv").write_text("filepath,label\na/IMG_1.MP4,duiker\n")
    ended = run(
        "report",
        results,
        "--out",
        tmp_path / "r.html",
        "--labels",
        tmp_path / "labels.csv",
        "--strips",
        0,
        "-q",
    )
    assert (ended.code, ended.err) == (0, "")
    assert str(tmp_path / "r.html") in ended.out
    page = (tmp_path / "r.html").read_text()
    assert "duiker" in page
    assert "How well the model does" in page


def test_clips_without_their_pictures_end_with_code_1(results: Path, tmp_path: Path, run: Run) -> None:
    ended = run("report", results, "--out", tmp_path / "r.html", "--videos", tmp_path, "--workers", 0, "-q")
    assert ended.code == 1
    assert "could not be read; see" in ended.err
    assert (tmp_path / "r.html").is_file()


def test_a_folder_without_results_is_one_line(tmp_path: Path, run: Run) -> None:
    ended = run("report", tmp_path / "nowhere")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
