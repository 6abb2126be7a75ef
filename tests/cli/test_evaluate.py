from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from primatrix.models import load_model

Run = Callable[..., Any]  # Any: conftest's Ended


def test_all_that_stands_beside_is_looked_at_and_written(tables: Path, run: Run) -> None:
    assert run("calibrate", tables / "model", tables / "val_labels.csv", tables / "val.csv", "-q").code == 0
    clips = tables / "test_clips.csv"
    ended = run("evaluate", tables / "test_labels.csv", tables / "test.csv", "--model", tables / "model",
                "--deployments", clips, "--durations", clips, "--train-labels", tables / "val_labels.csv",
                "--against", tables / "test.csv", "--out", tables / "out", "--no-figures")  # fmt: skip
    assert (ended.code, ended.err) == (0, f"primatrix: tables: {tables / 'out'}\n")
    assert "400 clips of 10 sites; interval: 95 %, jackknife over 10 sites" in ended.out
    assert "of 1.7 hours need not be watched" in ended.out
    assert "constant: class frequencies of the training labels" in ended.out
    assert "+0.0000 (+0.0000 to +0.0000)" in ended.out  # against itself
    assert (tables / "out" / "evaluation.json").is_file()
    assert not list((tables / "out").glob("*.png"))


def test_figures_are_drawn_unless_told_otherwise(tables: Path, run: Run) -> None:
    pytest.importorskip("matplotlib")
    ended = run("evaluate", tables / "test_labels.csv", tables / "test.csv", "--out", tables / "out")
    assert ended.err == f"primatrix: tables and figures: {tables / 'out'}\n"
    assert list((tables / "out").glob("*.png"))


def test_evaluate_says_where_predictions_are_not_the_calibrated_ones(tables: Path, run: Run) -> None:
    """Thresholds of a calibrated model mean nothing for what it gave with --raw."""
    run("calibrate", tables / "model", tables / "val_labels.csv", tables / "val.csv")
    words = ("evaluate", tables / "test_labels.csv", tables / "test.csv", "--model", tables / "model")
    assert (
        " clips have probabilities that the model's calibration does not give (made with --raw"
        in run(*words).out
    )
    calibration = load_model(tables / "model").calibration
    assert calibration is not None
    table = pd.read_csv(tables / "test.csv", index_col="filename")
    calibrated = pd.DataFrame(calibration.apply(table.to_numpy()), table.index, table.columns)
    calibrated.to_csv(tables / "test.csv", float_format="%.7g")
    assert "calibration does not give" not in run(*words).out


def test_evaluate_without_anything_beside(tables: Path, run: Run) -> None:
    printed = run("evaluate", tables / "test_labels.csv", tables / "test.csv").out
    assert "constant: class frequencies of these labels themselves" in printed
    assert "skip blank (promised" not in printed


def test_a_benchmark_folder_is_predicted_first_with_the_tables_in_it(
    data: Path, model: Path, tmp_path: Path, run: Run
) -> None:
    ended = run("evaluate", data / "test_labels.csv", data, "--model", model, "--out", tmp_path / "out",
                "--no-figures", "--workers", 0, "--quiet")  # fmt: skip
    assert ended.code == 0
    assert "clips of 7 sites" in ended.out  # sites from deployments.csv
    assert "constant: class frequencies of the training labels" in ended.out
    assert len(pd.read_csv(tmp_path / "out" / "predictions.csv")) == 45


def test_a_folder_of_ones_own_is_predicted_first(data: Path, model: Path, tmp_path: Path, run: Run) -> None:
    names = ("evaluate", data / "test_labels.csv", data / "nano", "--model", model, "--out", tmp_path / "out")
    ended = run(*names, "--no-figures", "--workers", 0, "-q")
    assert ended.code == 0
    assert "clips; interval: 95 %, jackknife over " in ended.out
    assert (tmp_path / "out" / "sightings.csv").is_file()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["score"], []),
        (["evaluate"], []),
        (["calibrate", "model"], []),
        (["neighbours"], ["--deployments", "test_clips.csv", "--model", "model"]),
    ],
)
def test_files_given_the_wrong_way_round_get_one_line_that_says_so(
    tables: Path, run: Run, monkeypatch: pytest.MonkeyPatch, before: list[str], after: list[str]
) -> None:
    monkeypatch.chdir(tables)
    ended = run(*before, "test.csv", "test_labels.csv", *after)
    assert (ended.code, ended.out, ended.err) == (
        2,
        "",
        "primatrix: test.csv: got probabilities, wanted labels, 0 and 1 or a name per row; labels come first, "
        "predictions second\n",
    )


def test_what_cannot_be_is_one_line_before_any_work(
    tables: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tables)
    (tables / "file").write_text("")
    (tables / "clips").mkdir()
    of_model = ("--model", "model", "--out", "out")
    for words, message in (
        (("test_labels.csv", "clips"), "wanted --model FOLDER and --out FOLDER with it"),
        (("clips", "test_labels.csv"), "clips: got a folder, wanted the label file first"),
        (("nowhere.csv", "clips", *of_model), "nowhere.csv: no such file"),
        (("test_labels.csv", "test.csv", "--out", "file"), "file is a file, wanted a folder"),
        (
            ("test_labels.csv", "test.csv", "--deployments", "val_clips.csv"),
            "site for none of the 400 labelled clips",
        ),
    ):
        ended = run("evaluate", *words)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert message in ended.err
    assert not (tables / "out").exists()
