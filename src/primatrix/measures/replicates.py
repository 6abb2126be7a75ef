"""All measures of one model's probabilities, per species and overall, and their bootstrap replicates.

Row 0 of every array is the measure on the clips themselves, the other rows are replicates.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from primatrix.measures.bootstrap import Resample
from primatrix.measures.log_loss import log_losses
from primatrix.measures.ranking import average_precision, count_by_rank, find_edges, rank_scores, roc_auc
from primatrix.measures.reliability import BINS, bin_probabilities, calibration_error

__all__ = ["Measures", "hit_shares", "measure", "measure_skipping", "quiet_divide"]

Floats = NDArray[np.float64]
EDGES = (
    256  # cells of scores per species in replicates: their spread hardly depends on it, their centre is exact
)


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """`species`: measure -> (1 + R, S); `overall`: measure -> (1 + R,). NaN where there is nothing to measure."""

    species: dict[str, Floats]
    overall: dict[str, Floats]


def measure(true: Floats, prob: Floats, *, thresholds: Floats, resample: Resample) -> Measures:
    """Measure probabilities (N, S) against labels (N, S); a species is tagged from its threshold (S,) on."""
    drawn = with_clips_themselves(resample)
    clips = drawn.replicate_sums(np.ones(len(true)))  # (1 + R,)
    gaps: Floats = prob - true
    by_species = {
        "log_loss": drawn.replicate_sums(log_losses(true, prob)) / clips[:, None],
        "average_precision": np.empty(0),
        "roc_auc": np.empty(0),
        **tag_measures(true, prob >= thresholds, drawn),
        "brier": drawn.replicate_sums(gaps * gaps) / clips[:, None],
        "calibration_error": species_errors(true, prob, drawn, clips),
    }
    by_species["average_precision"], by_species["roc_auc"] = rank_measures(true, prob, drawn)
    shown = np.asarray(true.any(axis=1), np.float64)
    top = {
        f"top_n{name}": quiet_divide(drawn.replicate_sums(hit_shares(true, prob, extra=extra)),
                                     drawn.replicate_sums(shown))
        for name, extra in (("", 0), ("_plus_2", 2))
    }  # fmt: skip
    overall = {
        **{name: mean_over_species(values) for name, values in by_species.items()},
        "pooled_calibration_error": pooled_error(true, prob, drawn, clips),
        "top_label_calibration_error": top_error(true, prob, drawn, clips),
        **top,
    }
    return Measures(by_species, overall)


def with_clips_themselves(resample: Resample) -> Resample:
    """The same replicates after a first one that takes every unit once."""
    weights = np.vstack([np.ones(resample.weights.shape[1]), resample.weights])
    return Resample(weights, resample.unit_of_clip, resample.unit)


def tag_measures(true: Floats, tagged: NDArray[np.bool_], drawn: Resample) -> dict[str, Floats]:
    """F1, precision and recall of tags (N, S); NaN for a species that no clip shows."""
    hits = drawn.replicate_sums(true * tagged)
    positives, tags = drawn.replicate_sums(true), drawn.replicate_sums(tagged.astype(np.float64))
    shown = np.where(positives > 0, 1.0, np.nan)
    return {
        "f1": shown * quiet_divide(2 * hits, positives + tags),
        "precision": shown * quiet_divide(hits, tags),
        "recall": quiet_divide(hits, positives),
    }


def rank_measures(true: Floats, prob: Floats, drawn: Resample) -> tuple[Floats, Floats]:
    """Average precision and ROC area, (1 + R, S) each: exact in row 0, around that in replicates."""
    shape = (len(drawn.weights), true.shape[1])
    precision, area = np.full(shape, np.nan), np.full(shape, np.nan)
    weights, units = drawn.weights.astype(np.float32), drawn.weights.shape[1]
    for s in range(true.shape[1]):
        positive, scores = true[:, s] == 1, prob[:, s]
        if not positive.any():
            continue
        edges = find_edges(scores, positive, most=EDGES)
        cells = 2 * len(edges) + 1
        where = (drawn.unit_of_clip * 2 + positive) * cells + rank_scores(scores, edges)
        counts = np.bincount(where, minlength=units * 2 * cells).reshape(units, 2 * cells).astype(np.float32)
        replicates = (weights @ counts).reshape(-1, 2, cells).astype(np.float64)
        exact = count_by_rank(scores, positive)
        for values, of in ((precision, average_precision), (area, roc_auc)):
            rough = of(replicates)
            values[:, s] = np.clip(rough + (of(exact) - rough[0]), 0, 1)
    return precision, area


def measure_skipping(
    scores: Floats, keep: NDArray[np.bool_], *, resample: Resample, max_loss: float = 0.05
) -> Floats:
    """Share of blank clips above the lowest score (N,) that loses `max_loss` of those to keep, (1 + R,).

    The score is found on these very clips, anew in every replicate: a measure to compare models by, not a promise.
    """
    drawn = with_clips_themselves(resample)
    units = drawn.weights.shape[1]
    if not keep.any():
        return np.full(len(drawn.weights), np.nan)
    most_dangerous = keep & (scores >= np.quantile(scores[keep], max(0.0, 1 - 4 * max_loss)))
    edges = find_edges(scores, most_dangerous, most=EDGES)
    cells = 2 * len(edges) + 1
    where = (drawn.unit_of_clip * 2 + keep) * cells + rank_scores(scores, edges)
    counts = np.bincount(where, minlength=units * 2 * cells).reshape(units, -1).astype(np.float64)
    above = (drawn.weights @ counts).reshape(-1, 2, cells)[..., ::-1].cumsum(axis=-1)[..., ::-1]
    blank, kept = above[:, 0], above[:, 1]  # from this cell on; the first cell holds all
    cut = (kept <= max_loss * kept[:, :1]).argmax(axis=1)
    none = kept[:, -1] > max_loss * kept[:, 0]  # the last cell alone loses too much
    skipped = np.where(none, 0.0, np.take_along_axis(blank, cut[:, None], axis=1)[:, 0])
    return quiet_divide(skipped, blank[:, 0])


def species_errors(true: Floats, prob: Floats, drawn: Resample, clips: Floats) -> Floats:
    """Expected calibration error of each species, (1 + R, S)."""
    errors = [binned_error(prob[:, s] - true[:, s], prob[:, s], drawn, clips) for s in range(true.shape[1])]
    return np.stack(errors, axis=1)


def binned_error(gaps: Floats, prob: Floats, drawn: Resample, clips: Floats) -> Floats:
    """Expected calibration error of one probability per clip, (1 + R,); gaps (N,) are probability - label."""
    units = drawn.weights.shape[1]
    cells = drawn.unit_of_clip * BINS + bin_probabilities(prob)
    sums = np.bincount(cells, weights=gaps, minlength=units * BINS).reshape(units, BINS)
    return centre(calibration_error(drawn.weights @ sums, clips))


def centre(errors: Floats) -> Floats:
    """Replicates of an error that is never negative, moved to lie around the first: drawing anew only adds to it."""
    if len(errors) < 2:
        return errors
    moved: Floats = np.maximum(errors - errors[1:].mean() + errors[0], 0)
    moved[0] = errors[0]
    return moved


def pooled_error(true: Floats, prob: Floats, drawn: Resample, clips: Floats) -> Floats:
    """Expected calibration error of all probabilities of all species in common bins, (1 + R,)."""
    species, units = true.shape[1], drawn.weights.shape[1]
    cells = np.repeat(drawn.unit_of_clip, species) * BINS + bin_probabilities(prob.ravel())
    sums = np.bincount(cells, weights=(prob - true).ravel(), minlength=units * BINS).reshape(units, BINS)
    return centre(calibration_error(drawn.weights @ sums, clips * species))


def top_error(true: Floats, prob: Floats, drawn: Resample, clips: Floats) -> Floats:
    """Expected calibration error of each clip's most probable species, (1 + R,), as Guo et al. have it."""
    rows, best = np.arange(len(prob)), prob.argmax(axis=1)
    top = prob[rows, best]
    return binned_error(top - true[rows, best], top, drawn, clips)


def hit_shares(true: Floats, prob: Floats, *, extra: int = 0) -> Floats:
    """The share of a clip's n species that are among its n + extra most probable ones, (N,); 0 of none.

    >>> hit_shares(np.array([[1.0, 1, 0]]), np.array([[0.9, 0.2, 0.5]])).tolist()
    [0.5]
    """
    count = true.sum(axis=1)
    order = np.argsort(-prob, axis=1, kind="stable")
    found = np.take_along_axis(true, order, axis=1)
    within = np.arange(true.shape[1]) < (count + extra)[:, None]
    shares: Floats = (found * within).sum(axis=1) / np.maximum(count, 1)
    return shares


def mean_over_species(values: Floats) -> Floats:
    """The mean over species (last axis) that have a value; NaN where none has."""
    known = np.isfinite(values)
    return quiet_divide(np.where(known, values, 0).sum(axis=-1), known.sum(axis=-1))


def quiet_divide(a: Floats, b: Floats) -> Floats:
    """a / b, NaN where b is 0."""
    quotient: Floats = np.divide(a, b, out=np.full(np.shape(a), np.nan), where=b != 0)
    return quotient
