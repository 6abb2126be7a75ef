from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]  # Any: conftest's Ended


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "labels.csv").write_text("filename,hog,lion\na,1,0\nb,0,1\nc,0,0\nd,0,1\n")
    (tmp_path / "train.csv").write_text("filename,hog,lion\nx,1,0\ny,0,0\nz,0,1\n")
    (tmp_path / "p.csv").write_text("filename,hog,lion\na,0.9,0.1\nb,0.1,0.9\nc,0.1,0.1\nd,,\n")
    return tmp_path


def test_the_score_stands_beside_the_constant(folder: Path, run: Run) -> None:
    ended = run("score", folder / "labels.csv", folder / "p.csv", "-q")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[-5:] == [
        "aggregated log loss on 3 clips (mean over 2 species)",
        "  model     0.1054",  # -ln 0.9
        "  constant  0.6403  (class frequencies of these labels themselves)",  # -(ln 0.375 + 2 ln 0.625) / 3
        "  the model is better than the constant: 0.165 of its loss",
        "  1 labelled clips have no probabilities and were not scored",
    ]


def test_training_labels_give_the_constant(folder: Path, run: Run) -> None:
    ended = run("score", folder / "labels.csv", folder / "p.csv", "--train-labels", folder / "train.csv")
    assert "(class frequencies of the training labels)" in ended.out


def test_predictions_given_first_are_refused_in_one_line(folder: Path, run: Run) -> None:
    ended = run("score", folder / "p.csv", folder / "labels.csv")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        f"primatrix: {folder / 'p.csv'}: got probabilities, wanted labels, 0 and 1 or a name per row; labels come "
        "first, predictions second\n"
    )
