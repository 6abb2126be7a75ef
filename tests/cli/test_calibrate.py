from collections.abc import Callable
from pathlib import Path
from typing import Any

from primatrix.models import load_model

Run = Callable[..., Any]  # Any: conftest's Ended


def test_a_calibration_is_saved_in_the_model_and_said(tables: Path, run: Run) -> None:
    ended = run("calibrate", tables / "model", tables / "val_labels.csv", tables / "val.csv",
                "--deployments", tables / "val_clips.csv", "--lose-at-most", 0.1, "-q")  # fmt: skip
    assert (ended.code, ended.err) == (0, "")
    assert "fitted on validation predictions for 500 clips of 10 sites" in ended.out
    assert "loses at most 10% with 90% confidence" in ended.out
    assert "calibration: fitted on validation predictions" in run("info", tables / "model").out


def test_promise_and_source_are_as_asked(tables: Path, run: Run) -> None:
    words = ("calibrate", tables / "model", tables / "val_labels.csv", tables / "val.csv")
    ended = run(*words, "--source", "out-of-fold", "--find-at-least", 0.8, "--confidence", 0.95)
    assert ended.code == 0
    calibration = load_model(tables / "model").calibration
    assert calibration is not None
    assert calibration.fitted_on.source == "out-of-fold"
    find = calibration.operating_points["find hog"]
    assert (round(find.max_loss, 3), find.confidence, find.unit) == (0.2, 0.95, "clips")


def test_a_promise_over_sites_without_sites_is_one_line(tables: Path, run: Run) -> None:
    words = ("calibrate", tables / "model", tables / "val_labels.csv", tables / "val.csv", "--per", "sites")
    ended = run(*words)
    assert (ended.code, ended.out) == (2, "")
    assert "wanted the site of every clip; give --deployments" in ended.err
