"""Which training clips an epoch shows: all of them once, or those of rare species more often."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primatrix.errors import InputError
from primatrix.settings import check_least, check_shares, check_types

__all__ = ["Sampling", "draw_epoch", "weigh_clips"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How much more often clips of rare species are drawn.

    A clip weighs max over its species of (threshold / share of clips with that species) ** power, at least 1 and at
    most `most`; `threshold` is the share of training clips below which a species is rare. Benchmark winners drew
    with such a class-size threshold. A model trained so overrates rare species until it is calibrated.
    """

    threshold: float = 0.01
    power: float = 0.5
    most: float = 20.0

    def __post_init__(self) -> None:
        check_types(self)
        check_least(self, most=1)
        check_shares(self, "power", "threshold")
        if not self.threshold:
            raise InputError("threshold: got 0, wanted a share of the training clips above 0, as 0.01")


def weigh_clips(labels: ArrayLike, *, sampling: Sampling) -> NDArray[np.float64]:
    """The weight of each clip (N,) from labels (N, S) of 0/1; 1 for a clip of frequent species or of none.

    >>> weigh_clips([[1, 0], [1, 0], [1, 0], [1, 1]], sampling=Sampling(threshold=1, power=0.5)).tolist()
    [1.0, 1.0, 1.0, 2.0]
    """
    shown = np.asarray(labels) > 0
    of_species = (sampling.threshold * len(shown) / np.maximum(shown.sum(axis=0), 1)) ** sampling.power
    heaviest: NDArray[np.float64] = np.where(shown, of_species, 0.0).max(axis=1, initial=1.0)
    return heaviest.clip(max=sampling.most)


def draw_epoch(weights: ArrayLike, *, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows of an epoch of as many clips as there are, in random order, each as often as its weight asks.

    Clip i comes N * w_i / sum(w) times, rounded down or up at random (systematic resampling: Kitagawa, 1996),
    so equal weights give every clip once.

    >>> rows = draw_epoch([1, 1, 2], rng=np.random.default_rng(0))
    >>> sorted(draw_epoch([1, 1, 1], rng=np.random.default_rng(0)).tolist()), len(rows)
    ([0, 1, 2], 3)
    """
    order = rng.permutation(len(np.asarray(weights)))
    ends = np.asarray(weights, np.float64)[order].cumsum()
    ends *= len(order) / ends[-1]
    # Half a clip's distance between marks and ends keeps equal weights clear of rounding.
    marks = np.arange(len(order)) + (rng.random() if np.ptp(weights) else 0.5)
    return rng.permutation(order[np.searchsorted(ends, marks, side="right").clip(max=len(order) - 1)])
