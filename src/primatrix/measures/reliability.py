"""Whether probabilities come true: of the clips called 30 % a species, do 30 % show it?"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["BINS", "bin_probabilities", "calibration_error", "reliability_table"]

Floats = NDArray[np.float64]
EQUAL_CLIPS, EQUAL_POSITIVES = 15, 10
BINS = EQUAL_CLIPS + EQUAL_POSITIVES - 1


def bin_probabilities(prob: Floats) -> NDArray[np.int64]:
    """The bin, 0 to 23, of each probability (N,); equal probabilities share a bin.

    15 bins of equally many clips (of equal width, the lowest would hold nearly all: Nixon et al., "Measuring
    calibration in deep learning", arXiv:1904.01685), cut further into 10 of equally many expected positives: else
    all that a rare species is ever likely in would lie in one bin, where too high and too low cancel out.

    >>> bin_probabilities(np.full(3, 0.2)).tolist()
    [0, 0, 0]
    """
    edges = np.quantile(prob, np.linspace(0, 1, EQUAL_CLIPS + 1)[1:-1])
    rising = np.sort(prob)
    mass = rising.cumsum()
    cuts = np.searchsorted(mass, mass[-1] * np.linspace(0, 1, EQUAL_POSITIVES + 1)[1:-1])
    edges = np.unique(np.concatenate([edges, rising[cuts]]))
    return np.searchsorted(edges, prob, side="left")


def calibration_error(gaps: Floats, clips: Floats | float) -> Floats:
    """Expected calibration error: |sum of probability - label| in each bin (..., B), summed, over the clips.

    Guo et al., "On calibration of modern neural networks", ICML 2017, for each species' probability by itself.
    It is never negative: chance alone makes it positive for the best of probabilities.
    """
    error: Floats = np.abs(gaps).sum(axis=-1) / clips
    return error


def reliability_table(true: Floats, prob: Floats) -> pd.DataFrame:
    """Per bin of probabilities (N,): clips, mean probability and the share that shows the species."""
    table = pd.DataFrame({"bin": bin_probabilities(prob), "probability": prob, "share": true})
    grouped = table.groupby("bin")
    means = grouped.mean()
    means.insert(0, "clips", grouped.size())
    return means.reset_index()
