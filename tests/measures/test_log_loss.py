import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss

from primatrix.errors import InputError
from primatrix.measures.log_loss import (
    aggregated_log_loss,
    class_frequencies,
    constant_predictions,
    log_losses,
    logit_log_losses,
    match_rows,
    species_log_losses,
)


@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 24))
def test_each_column_equals_scikit_learns_log_loss(seed: int, clips: int, species: int) -> None:
    rng = np.random.default_rng(seed)
    true = (rng.random((clips, species)) < rng.random(species)).astype(float)
    prob = rng.random((clips, species)) ** rng.choice([0.2, 1, 5])
    prob[rng.random(prob.shape) < 0.1] = rng.choice([0.0, 1.0])
    # scikit-learn clips float64 at machine epsilon, so the same epsilon is asked of both.
    ours = species_log_losses(true, prob, eps=float(np.finfo(np.float64).eps))
    theirs = [log_loss(true[:, j], prob[:, j], labels=[0, 1]) for j in range(species)]
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    mean = aggregated_log_loss(true, prob, eps=float(np.finfo(np.float64).eps))
    assert mean == pytest.approx(np.mean(theirs), rel=1e-9)


def test_sum_is_the_mean_times_the_species() -> None:
    true, prob = np.eye(4), np.full((4, 4), 0.25)
    mean = aggregated_log_loss(true, prob)
    assert aggregated_log_loss(true, prob, reduction="sum") == pytest.approx(4 * mean)
    assert mean == pytest.approx(-(np.log(0.25) + 3 * np.log(0.75)) / 4)


def test_a_certain_mistake_costs_the_clipped_loss() -> None:
    assert aggregated_log_loss([[1]], [[0]]) == pytest.approx(-np.log(1e-15))
    assert aggregated_log_loss([[1]], [[0]], eps=1e-3) == pytest.approx(-np.log(1e-3))
    assert aggregated_log_loss([[1]], [[1]]) < 2e-15


def test_tables_are_matched_by_name_not_by_place() -> None:
    true = pd.DataFrame({"a": [1, 0], "b": [0, 1]}, index=["x", "y"])
    prob = pd.DataFrame({"b": [0.9, 0.2], "a": [0.1, 0.8], "c": [0.5, 0.5]}, index=["y", "x"])
    expected = -(2 * np.log(0.8) + 2 * np.log(0.9)) / 4
    assert aggregated_log_loss(true, prob) == pytest.approx(expected)
    assert species_log_losses(true, prob).index.tolist() == ["a", "b"]
    with pytest.raises(InputError, match="1 of 2 labelled clips are missing, the first y"):
        aggregated_log_loss(true, prob.iloc[1:])
    with pytest.raises(InputError, match="1 of 2 labelled species are missing, the first a"):
        aggregated_log_loss(true, prob[["b"]])
    with pytest.raises(InputError, match="clips occur twice"):
        aggregated_log_loss(true, pd.concat([prob, prob]))


@pytest.mark.parametrize(
    ("true", "prob", "message"),
    [
        ([[1, 0]], [[0.5]], "shapes"),
        ([1, 0], [0.5, 0.5], "shapes"),
        ([[2]], [[0.5]], "y_true: got values other than 0 and 1; labels come first, probabilities second"),
        ([[1]], [[1.5]], "y_prob: got values outside 0 to 1"),
        ([[1]], [[float("nan")]], "y_prob: got values outside 0 to 1"),
    ],
)
def test_what_is_not_a_probability_is_refused(true: list, prob: list, message: str) -> None:
    with pytest.raises(InputError, match=message):
        aggregated_log_loss(true, prob)


def test_the_constant_predictor_repeats_the_class_frequencies() -> None:
    train = pd.DataFrame({"hog": [1, 1, 0, 0, 0], "lion": 0}, index=list("abcde"))
    frequencies = class_frequencies(train)
    assert frequencies.to_dict() == {"hog": 2.5 / 6, "lion": 0.5 / 6}
    table = constant_predictions(frequencies, pd.Index(["p", "q"]))
    assert table.to_numpy().tolist() == [[2.5 / 6, 0.5 / 6]] * 2
    assert (table.index.tolist(), table.columns.tolist()) == (["p", "q"], ["hog", "lion"])


def test_the_loss_of_a_logit_is_that_of_its_probability() -> None:
    logits, true = np.array([-3.0, 0.0, 2.5]), np.array([0.0, 1.0, 1.0])
    expected = [-np.log(1 - 1 / (1 + np.exp(3.0))), np.log(2), np.log1p(np.exp(-2.5))]
    np.testing.assert_allclose(logit_log_losses(true, logits), expected)
    np.testing.assert_allclose(log_losses(true, 1 / (1 + np.exp(-logits))), expected)


def test_counted_clips_lose_what_the_clips_lose_one_by_one() -> None:
    """3 of 5 clips of one probability show the species: three losses of a positive and two of a negative."""
    expected = -3 * np.log(0.7) - 2 * np.log(0.3)
    assert log_losses(np.array(3.0), np.array(0.7), clips=5.0) == pytest.approx(expected)
    assert logit_log_losses(np.array(3.0), np.log(np.array(7 / 3)), clips=5.0) == pytest.approx(expected)


def test_clips_written_otherwise_in_the_predictions_are_matched_and_keep_the_labels_names() -> None:
    labels = pd.DataFrame({"hog": [1, 0]}, index=["videos/A.mp4", "videos/x/b.mp4"])
    predictions = pd.DataFrame({"hog": [0.25, 0.75, 0.5]}, index=["x\\b.mp4", "a.mp4", "c.mp4"])
    matched = match_rows(labels, predictions)
    assert matched["hog"].to_dict() == {"videos/A.mp4": 0.75, "videos/x/b.mp4": 0.25}
    with pytest.raises(InputError, match=r"the first a/c\.mp4 \(got c\.mp4\); predict them first"):
        match_rows(
            labels.rename({"videos/A.mp4": "a/c.mp4"}), predictions.rename({"x\\b.mp4": "videos/x/b.mp4"})
        )
