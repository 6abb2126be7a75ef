from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]  # Any: conftest's Ended


def test_the_demo_does_the_whole_job_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setattr("primatrix.demo.TRAIN_CLIPS", 100)
    monkeypatch.setattr("primatrix.demo.TEST_CLIPS", 40)
    monkeypatch.setattr("primatrix.demo.EPOCHS", 1)
    monkeypatch.setattr("primatrix.demo.STEPS", 2)
    ended = run("demo", "--out", tmp_path / "demo", "--quiet")
    assert (ended.code, ended.err) == (0, "")
    assert "aggregated log loss on 40 clips" in ended.out
    for name in ("data/train_labels.csv", "model/model.safetensors", "submission.csv"):
        assert (tmp_path / "demo" / name).is_file()
        assert str(tmp_path / "demo") in ended.out
