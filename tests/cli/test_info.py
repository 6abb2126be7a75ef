import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import primatrix

Run = Callable[..., Any]  # Any: conftest's Ended


def test_the_installation_says_its_version_where_it_runs_and_where_it_keeps_clips(run: Run) -> None:
    first, second = run("info").out.splitlines()
    assert first.startswith(f"primatrix {primatrix.__version__}, runs on c")
    assert second == f"decoded clips: {os.environ['PRIMATRIX_STORE']} (may be deleted)"


def test_a_model_is_described_in_five_lines(model: Path, run: Run) -> None:
    lines = run("info", model, "-q").out.splitlines()
    assert lines[:4] == [
        "lrcn, 1,187,864 parameters",
        "clips: 15 grey frames of 16x16 (uniform)",
        "scores: none",
        "calibration: none",
    ]
    assert lines[4].startswith("24 species: bird, blank, cattle")


def test_a_folder_that_holds_no_model_is_one_line(tmp_path: Path, run: Run) -> None:
    ended = run("info", tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert "no model.json in it, so no whole model" in ended.err
