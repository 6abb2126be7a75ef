from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from primatrix.data import FORMAT_VERSION
from primatrix.models import build_model
from primatrix.records import ClipSpec

Run = Callable[..., Any]  # Any: conftest's Ended


def test_pack_lists_what_is_broken_and_does_it_once(data: Path, tmp_path: Path, run: Run) -> None:
    first = run("pack", data, "--store", tmp_path / "s", "--workers", 0)
    assert first.code == 1
    assert "165 clips packed" in first.out
    assert "5 not readable" in first.out
    failures = next((tmp_path / "s").rglob("failures.csv"))
    assert len(pd.read_csv(failures)) == 5
    again = run("pack", data, "--store", tmp_path / "s", "--workers", 0)
    assert "0 clips packed" in again.out
    assert again.code == 1


def test_pack_makes_the_clips_that_a_model_wants(footage: Path, tmp_path: Path, run: Run) -> None:
    spec = ClipSpec(4, 20, 24, "rgb")
    build_model("motion", species=["hog"], spec=spec).save(tmp_path / "model")
    words = ("pack", footage, "--model", tmp_path / "model", "--store", tmp_path / "s", "--workers", 0, "-q")
    ended = run(*words)
    assert (ended.code, ended.err) == (0, "")
    assert [path.name for path in (tmp_path / "s").iterdir()] == [f"{spec.key}-v{FORMAT_VERSION}"]


def test_nothing_is_written_among_the_videos_and_train_finds_what_pack_kept(
    footage: Path, tmp_path: Path, run: Run
) -> None:
    before = sorted(footage.rglob("*"))
    words = (footage, "--frames", 2, "--size", "16x16", "--workers", 0, "-q")
    assert "18 clips packed" in run("pack", *words).out
    ended = run(
        "train",
        *words,
        "--labels",
        footage / "labels.csv",
        "--architecture",
        "lrcn",
        "--out",
        tmp_path / "m",
        "--steps",
        1,
    )
    assert ended.code == 0, ended.err
    assert sorted(footage.rglob("*")) == before
    assert "0 clips packed" in run("pack", *words).out
