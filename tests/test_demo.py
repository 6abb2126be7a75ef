from pathlib import Path

import pandas as pd
import pytest

from primatrix import demo
from primatrix.models import load_model
from primatrix.records import Progress


def test_the_demo_leaves_data_model_submission_and_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "TRAIN_CLIPS": 60,
        "TEST_CLIPS": 30,
        "BROKEN_FILES": 2,
        "EPOCHS": 1,
        "STEPS": 2,
    }.items():
        monkeypatch.setattr(demo, name, value)
    monkeypatch.setattr(demo, "VALIDATION_STEPS", 1)
    seen: list[Progress] = []
    result = demo.run_demo(tmp_path / "d", seed=3, on_progress=seen.append)
    assert (result.folder, result.failed) == (tmp_path / "d", 2)
    assert list(dict.fromkeys(progress.stage for progress in seen)) == [
        "simulate",
        "pack",
        "train",
        "predict",
    ]
    assert len(pd.read_csv(tmp_path / "d" / "submission.csv")) == 30
    assert len(pd.read_csv(tmp_path / "d" / "failures.csv")) == 2
    assert load_model(tmp_path / "d" / "model").options["input_scale"] == 1 / 255
    assert result.scores.constant_from == "class frequencies of the training labels"
    text = result.summary()
    assert "2 clips could not be read, as intended: 2 files were broken on purpose" in text
    assert f"  submission         {tmp_path / 'd' / 'submission.csv'}" in text
    before = (tmp_path / "d" / "submission.csv").read_bytes()
    seen.clear()
    demo.run_demo(tmp_path / "d", seed=3, on_progress=seen.append)
    assert (tmp_path / "d" / "submission.csv").read_bytes() == before
    assert "train" not in {progress.stage for progress in seen}, "a run that is done is not trained again"
