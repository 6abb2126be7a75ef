"""How well scores rank clips: average precision, ROC area and precision-recall curves, whole or for many replicates.

All is computed from counts of positives and negatives between consecutive scores of positives, which is all that
these measures depend on. Replicates of a bootstrap only weigh these counts anew; scores are never sorted again.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["average_precision", "count_by_rank", "find_edges", "precision_recall", "rank_scores", "roc_auc"]

Floats = NDArray[np.float64]


def find_edges(scores: Floats, positive: NDArray[np.bool_], *, most: int | None = None) -> Floats:
    """Scores (E,) of positives that separate counts, rising; at most `most`, then evenly many positives apart."""
    edges = np.unique(scores[positive])
    if most is not None and len(edges) > most:
        edges = np.unique(np.quantile(scores[positive], np.linspace(0, 1, most), method="nearest"))
    return edges


def rank_scores(scores: Floats, edges: Floats) -> NDArray[np.int64]:
    """The cell of each score, 0 to 2 E: odd cells equal an edge, even ones lie between two."""
    return np.searchsorted(edges, scores, side="left") + np.searchsorted(edges, scores, side="right")


def count_by_rank(scores: Floats, positive: NDArray[np.bool_]) -> Floats:
    """Clips by label and cell, (2, 2 E + 1), with an edge at every positive's score."""
    edges = find_edges(scores, positive)
    cells = rank_scores(scores, edges) + positive * (2 * len(edges) + 1)
    return np.bincount(cells, minlength=2 * (2 * len(edges) + 1)).reshape(2, -1).astype(np.float64)


def average_precision(counts: Floats) -> Floats:
    """Mean over positives of the precision at their score, from counts (..., 2, C); NaN without positives.

    Scikit-learn's `average_precision_score`: no interpolation, clips of one score enter together.

    >>> scores, positive = np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False])
    >>> round(float(average_precision(count_by_rank(scores, positive))), 4)
    0.8333
    """
    found, tagged = rising_sums(counts)
    total = found[..., -1]
    precision = found / np.maximum(tagged, 1e-300)
    with np.errstate(invalid="ignore", divide="ignore"):
        area: Floats = (precision * counts[..., 1, ::-1]).sum(axis=-1) / total
    return area


def roc_auc(counts: Floats) -> Floats:
    """How often a positive has a higher score than a negative (ties count half), from counts (..., 2, C).

    NaN without positives or without negatives.
    """
    negatives, positives = counts[..., 0, :], counts[..., 1, :]
    below = negatives.cumsum(axis=-1) - 0.5 * negatives
    with np.errstate(invalid="ignore", divide="ignore"):
        area: Floats = (positives * below).sum(axis=-1) / (negatives.sum(axis=-1) * positives.sum(axis=-1))
    return area


def precision_recall(scores: Floats, positive: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Recall and precision at each positive's score, from the highest score down, (E,) each."""
    counts = count_by_rank(scores, positive)
    found, tagged = rising_sums(counts)
    at = np.flatnonzero(counts[1, ::-1])
    return found[at] / max(1.0, found[-1]), found[at] / tagged[at]


def rising_sums(counts: Floats) -> tuple[Floats, Floats]:
    """Positives and clips with this score or a higher one, from the highest down, (..., C) each."""
    down = counts[..., ::-1]
    found: Floats = down[..., 1, :].cumsum(axis=-1)
    return found, found + down[..., 0, :].cumsum(axis=-1)
