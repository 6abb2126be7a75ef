import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

Run = Callable[..., Any]  # Any: conftest's Ended


def test_clips_of_several_sizes_and_their_tables_are_written_once(tmp_path: Path, run: Run) -> None:
    words = ("simulate", tmp_path / "d", "--train", 4, "--test", 2, "--sizes", "nano,micro", "--broken", 1)
    first = run(*words, "--workers", 1)
    assert (first.code, first.out) == (
        0, f"12 clips written, 0 were there: {tmp_path / 'd'}\n1 files are broken on purpose\n"
    )  # fmt: skip
    assert "simulate: 12/12 clips" in first.err
    for size in ("nano", "micro"):
        assert len(list((tmp_path / "d" / size).glob("*.mp4"))) == 6
    assert len(pd.read_csv(tmp_path / "d" / "train_labels.csv")) == 4
    again = run(*words, "--workers", 1, "-q")
    assert again.out.startswith("0 clips written, 12 were there")
    assert again.err == ""


def test_seed_and_cameras_are_as_asked(tmp_path: Path, run: Run) -> None:
    words = ("simulate", tmp_path / "d", "--train", 2, "--test", 1, "--workers", 1)
    assert run(*words, "--seed", 5, "--test-sites", "new").code == 0
    settings = json.loads((tmp_path / "d" / "simulation.json").read_text())
    assert (settings["seed"], settings["test_sites"], settings["train_clips"]) == (5, "new", 2)
    other = run(*words, "--seed", 6, "--test-sites", "new")
    assert (other.code, "holds another simulation (seed changed)" in other.err) == (2, True)
