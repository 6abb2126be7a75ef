import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from primatrix.measures.ranking import average_precision, count_by_rank, find_edges, precision_recall, roc_auc


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(2, 80), st.booleans())
def test_areas_equal_scikit_learns_with_and_without_ties(seed: int, clips: int, tied: bool) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 6, clips) / 6 if tied else rng.random(clips)
    positive = rng.random(clips) < 0.3
    positive[0], positive[1] = True, False
    counts = count_by_rank(scores, positive)
    assert average_precision(counts) == pytest.approx(average_precision_score(positive, scores))
    assert roc_auc(counts) == pytest.approx(roc_auc_score(positive, scores))


def test_without_positives_nothing_is_made_up() -> None:
    counts = count_by_rank(np.array([0.1, 0.2]), np.array([False, False]))
    assert np.isnan(average_precision(counts))
    assert np.isnan(roc_auc(counts))
    assert np.isnan(roc_auc(count_by_rank(np.array([0.1, 0.2]), np.array([True, True]))))


def test_curve_is_scikit_learns_at_the_scores_of_positives() -> None:
    rng = np.random.default_rng(0)
    scores, positive = rng.random(200), rng.random(200) < 0.2
    recall, precision = precision_recall(scores, positive)
    theirs_precision, theirs_recall, thresholds = precision_recall_curve(positive, scores)
    at = np.isin(thresholds, scores[positive])
    np.testing.assert_allclose(recall, theirs_recall[:-1][at][::-1])
    np.testing.assert_allclose(precision, theirs_precision[:-1][at][::-1])


def test_edges_can_be_limited() -> None:
    scores = np.linspace(0, 1, 1001)
    assert len(find_edges(scores, scores > 0.5)) == 500
    assert len(find_edges(scores, scores > 0.5, most=64)) == 64
