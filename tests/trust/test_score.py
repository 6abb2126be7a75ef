from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primatrix.errors import InputError
from primatrix.measures import aggregated_log_loss
from primatrix.tagging import fit_neighbours
from primatrix.trust.evaluation import evaluate
from primatrix.trust.fit import fit_calibration
from primatrix.trust.score import score_files, score_predictions

LABELS = pd.DataFrame({"hog": [1, 0, 0, 1], "lion": [0, 1, 0, 0]}, index=list("abcd"))


def test_scores_stand_beside_the_constant_of_the_training_set() -> None:
    scores = score_predictions(LABELS, LABELS * 0.8 + 0.1, frequencies=pd.Series({"lion": 0.25, "hog": 0.5}))
    assert scores.model == pytest.approx(-np.log(0.9))
    hog, lion = -np.log(0.5), -(np.log(0.25) + 3 * np.log(0.75)) / 4
    assert scores.constant == pytest.approx((hog + lion) / 2)
    assert scores.table["positives"].to_dict() == {"hog": 2, "lion": 1}
    assert "better than the constant" in scores.summary()
    assert "training labels" in scores.summary()


def test_without_training_labels_the_constant_is_that_of_the_labels_themselves() -> None:
    scores = score_predictions(LABELS, LABELS * 0 + 0.5)
    assert "of these labels themselves" in scores.summary()
    assert "no better" in scores.summary()


def test_clips_without_probabilities_are_counted_not_scored() -> None:
    predictions = (LABELS * 0.8 + 0.1).astype(float)
    predictions.loc["d"] = np.nan
    scores = score_predictions(LABELS, predictions)
    assert (scores.clips, scores.unscored) == (3, 1)
    assert "1 labelled clips have no probabilities" in scores.summary()
    with pytest.raises(InputError, match="nothing to score"):
        score_predictions(LABELS, predictions * np.nan)


def test_tables_given_the_wrong_way_round_are_refused_by_every_function_that_takes_both() -> None:
    wide = pd.DataFrame({"hog": [1, 0, 0, 1] * 20, "lion": [0, 1, 0, 0] * 20})
    predictions, times = wide * 0.8 + 0.1, np.full(len(wide), "2023-04-15", "datetime64[s]")
    functions = (
        score_predictions,
        aggregated_log_loss,
        evaluate,
        partial(fit_calibration, source="validation"),
        partial(fit_neighbours, sites=np.arange(len(wide)) % 8, times=times),
    )
    for function in functions:
        with pytest.raises(InputError, match="labels come first, predictions second"):
            function(predictions, wide)
        function(wide, predictions)


def test_files_are_scored_by_name(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("filename,hog,lion\na,1,0\nb,0,1\n")
    (tmp_path / "predictions.csv").write_text(
        "filepath,status,lion,hog\nb,ok,0.9,0.1\na,ok,0.1,0.9\nz,failed,,\n"
    )
    scores = score_files(tmp_path / "labels.csv", tmp_path / "predictions.csv")
    assert scores.model == pytest.approx(-np.log(0.9))


def test_species_of_labels_and_predictions_need_not_be_spelt_alike(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("filepath,label\na.mp4,HOG\nb.mp4,Empty\n")
    (tmp_path / "train.csv").write_text("filename,Hog,Blank\nc.mp4,1,0\nd.mp4,0,1\n")
    (tmp_path / "p.csv").write_text("filepath,Nothing,hog\na.mp4,0.1,0.9\nb.mp4,0.9,0.1\n")
    scores = score_files(tmp_path / "labels.csv", tmp_path / "p.csv", train_labels=tmp_path / "train.csv")
    assert scores.model == pytest.approx(-np.log(0.9))
    assert scores.constant == pytest.approx(-np.log(0.5))
    assert scores.table["positives"].to_dict() == {"HOG": 1, "blank": 1}


def test_a_model_is_scored_on_clips_it_has_not_trained_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("filepath,label,split\na,hog,train\nb,lion,val\nc,hog,holdout\nd,lion,holdout\n")
    LABELS.rename_axis("filepath").to_csv(tmp_path / "p.csv")
    scores = score_files(path, tmp_path / "p.csv", train_labels=path)
    assert (scores.clips, scores.table["positives"].to_dict()) == (2, {"hog": 1, "lion": 1})
    assert scores.constant == pytest.approx(-np.log(0.5))  # of a and b
    assert caplog.messages[0] == "labels: 2 of 4 clips are used, those of holdout by the column `split`"
