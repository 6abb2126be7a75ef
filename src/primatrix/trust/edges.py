"""How sure a probability may be: floors, ceilings and thresholds per species, from what happened to other clips."""

import numpy as np
from numpy.typing import NDArray

from primatrix.measures import log_losses
from primatrix.trust.calibration import bend

__all__ = ["choose_ceilings", "choose_floors", "choose_thresholds"]

Floats = NDArray[np.float64]
CANDIDATES: Floats = np.geomspace(1e-6, 0.25, 100)
POOLED_CLIPS = (
    10.0  # what all species together say about ceilings counts as much as so many clips of one's own
)
LEAST_THRESHOLD = 0.1  # a tag that is wrong nine times in ten helps nobody find a species


def choose_floors(mapped: Floats, counts: Floats) -> Floats:
    """The lowest probability of each species, (S,), that loses least on clips (2, C, S) mapped to (C, S).

    A missed animal costs -ln(floor), every clip without it only the floor itself. No floor lies below 1 / (n + 2)
    of n clips: after n clips none of which showed an animal that is what the next one's probability is (Laplace's
    rule of succession), and n clips cannot tell that it is less.
    """
    least = 1 / (counts.sum(axis=(0, 1)) + 2)
    losses = floor_losses(mapped, counts)
    return pick(losses, least=least)


def choose_ceilings(mapped: Floats, counts: Floats) -> Floats:
    """The highest probability of each species, (S,), chosen as floors are, from clips mapped above a half.

    These are few for most species, so that all species' clips together count as ten more of each.
    """
    sure = (counts * (mapped > 0.5)).sum(axis=(0, 1))
    losses = floor_losses(1 - mapped, counts[::-1])
    pooled = losses.sum(axis=1, keepdims=True) / max(1.0, sure.sum())
    least = 1 / (sure + POOLED_CLIPS + 2)
    ceilings: Floats = 1 - pick(losses + POOLED_CLIPS * pooled, least=least)
    return ceilings


def floor_losses(mapped: Floats, counts: Floats) -> Floats:
    """Log loss of each species summed over clips for every candidate floor, (L, S)."""
    losses = []
    ones, clips = np.ones(mapped.shape[1]), counts.sum(axis=0)
    for floor in CANDIDATES:
        bent = bend(mapped, floors=floor * ones, ceilings=ones)
        losses.append(log_losses(counts[1], bent, clips=clips, eps=1e-12).sum(axis=0))
    return np.stack(losses)


def pick(losses: Floats, *, least: Floats) -> Floats:
    """The candidate of least loss per species, at least `least`; the lowest where several are as good."""
    allowed = np.where(CANDIDATES[:, None] >= least, losses, np.inf)
    chosen = CANDIDATES[allowed.argmin(axis=0)]
    own = losses[np.searchsorted(CANDIDATES, least).clip(0, len(CANDIDATES) - 1), np.arange(len(least))]
    best: Floats = np.where(own <= allowed.min(axis=0), least, chosen)
    return np.clip(best, least, CANDIDATES[-1])


def choose_thresholds(mapped: Floats, clips: Floats) -> Floats:
    """From which probability on a species is tagged, (S,): what gives the best F1 that can be expected.

    mapped and clips (G, S): a calibrated probability, rising along G, and how many clips have it. The expected F1
    follows from the probabilities themselves, without labels, so that two positives do for it; the best threshold
    is half of the best F1 (Lipton, Elkan and Naryanaswamy, "Optimal thresholding of classifiers to maximize F1",
    ECML 2014).
    """
    hits = (mapped * clips)[::-1].cumsum(axis=0)
    tagged = clips[::-1].cumsum(axis=0)
    f1 = 2 * hits / np.maximum(hits[-1] + tagged, 1e-12)
    thresholds: Floats = np.maximum(f1.max(axis=0) / 2, LEAST_THRESHOLD)
    return thresholds
