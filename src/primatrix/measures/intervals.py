"""Intervals of measures from their jackknife over sites, and the exact interval of a share of single clips.

Sites differ, so what a measure would be at all sites like these is known only as well as there are sites. All intervals
start from the jackknife's variance, to which the square of its estimate of the bias is added: clips of one site are
ranked among each other better than clips of two, so that few sites look too good. Student's t stands for how well that
variance itself is known; its degrees of freedom are what sites of unequal weight are worth (Kish, "Survey Sampling",
1965), fewer where a few of them make most of the variance.

A share, and any measure from 0 to 1, has the exact binomial interval of as many clips as would give this variance (Korn
and Graubard, "Confidence intervals for proportions with small expected number of positive counts estimated from survey
data", Survey Methodology 24, 1998). A loss has the gamma interval of weighted sums, which allows for one more site as
bad as the worst (Fay and Feuer, Statistics in Medicine 16, 1997; between its limits with and without that site, as Fay
and Kim's mid-p of 2017). How often they hold over sites that differ: bench/trust/coverage.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, gammaincinv, ndtri, stdtrit

__all__ = [
    "LEAST_SITES",
    "LEAST_SITES_OF_SPECIES_LOSS",
    "Spread",
    "clopper_pearson",
    "count_effective",
    "difference_interval",
    "loss_interval",
    "share_interval",
    "share_variance",
]

Floats = NDArray[np.float64]
Interval = tuple[Floats, Floats]
LEAST_SITES = 4.0  # as `count_effective` counts them: with fewer there is no interval
# Losses of one species are made at the few sites that have it: fewer do not tell how much worse another would be.
LEAST_SITES_OF_SPECIES_LOSS = 8.0
# Of n normal deviations (sum of squares)^2 / sum of fourth powers is n / 3. Three times that would be their degrees of
# freedom, but deviations of sites are skewed: with this, 95 % intervals hold as often as they say (bench/trust).
DEGREES_PER_EQUAL = 1.25


def clopper_pearson(hits: int, clips: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """The exact binomial interval of a share (Clopper and Pearson, 1934); (nan, nan) of no clips.

    It takes clips as independent: only for clips of which no site is known.

    >>> [round(edge, 3) for edge in clopper_pearson(5, 100)]
    [0.016, 0.113]
    """
    if not clips:
        return (np.nan, np.nan)
    low, high = _binomial_limits(np.array(hits, float), np.array(clips, float), tail=(1 - confidence) / 2)
    return (float(low), float(high))


def count_effective(weights: ArrayLike) -> Floats:
    """How many equal sites these are worth, weights (G, ...) -> (...): (sum w)^2 / sum w^2; 0 of none.

    >>> count_effective([10, 10, 10]).tolist(), round(float(count_effective([98, 1, 1])), 2)
    (3.0, 1.04)
    """
    given = np.asarray(weights, np.float64)
    squares = (given * given).sum(axis=0)
    effective: Floats = np.divide(
        given.sum(axis=0) ** 2, squares, out=np.zeros_like(squares), where=squares > 0
    )
    return effective


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """What the jackknife tells of measures (...): value, variance, and Student's t in units of the normal's.

    `effective` is how many equal sites decide; those of fewer than `least` have no interval.
    """

    value: Floats
    variance: Floats
    stretch: Floats
    effective: Floats
    tail: float
    least: float

    @classmethod
    def of(
        cls,
        replicates: Floats,
        *,
        decide: Sequence[Floats],
        confidence: float = 0.95,
        least: float = LEAST_SITES,
    ) -> "Spread":
        """From the measure of all clips and without each group, (1 + G, ...).

        `decide` are weights of groups (G, ...): clips, or those that show a species and those that do not. Where
        leaving a group out leaves nothing to measure, it moves the measure by nothing. Of the bias no more is believed
        than the variance: that of a quantile is noise.
        """
        value, rest = replicates[0], replicates[1:]
        groups, tail = len(rest), (1 - confidence) / 2
        effective = np.minimum.reduce([count_effective(weights) for weights in decide])
        moved = np.where(np.isfinite(rest), rest, value)
        mean = moved.mean(axis=0) if groups else value
        squares = (moved - mean) ** 2
        total, fourth = squares.sum(axis=0), (squares**2).sum(axis=0)
        variance = total * (groups - 1) / max(groups, 1)
        variance = variance + np.minimum(((groups - 1) * (mean - value)) ** 2, variance)
        making = np.divide(total**2, fourth, out=np.zeros_like(total), where=fourth > 0)
        freedom = np.maximum(np.minimum(effective, DEGREES_PER_EQUAL * making) - 1, 1)
        stretch = stdtrit(freedom, 1 - tail) / ndtri(1 - tail)
        return cls(value, variance, stretch, np.broadcast_to(effective, np.shape(value)), tail, least)

    @property
    def too_few(self) -> NDArray[np.bool_]:
        """Where sites are too few for an interval."""
        return np.asarray((self.effective < self.least) | ~np.isfinite(self.value))

    def hide(self, low: Floats, high: Floats) -> Interval:
        """The interval, NaN where sites are too few for one."""
        return np.where(self.too_few, np.nan, low), np.where(self.too_few, np.nan, high)


def share_interval(spread: Spread, *, clips: ArrayLike, added: ArrayLike = 0.0) -> Interval:
    """The interval of shares, or of any measure from 0 to 1; NaN where sites are too few.

    `clips` (...) is of how many clips it is a share: it is never surer than of so many independent ones. Of none or all
    of them nothing is known of how sites differ: it is then as sure as a variance with one degree of freedom, or as so
    many sites that lose all or nothing. `added` is variance that the jackknife does not see.

    >>> lost, of = np.array([0.0, 0, 3, 1, 0, 2]), np.full(6, 40.0)
    >>> shares = np.append(lost.sum() / of.sum(), (lost.sum() - lost) / (of.sum() - of))
    >>> low, high = share_interval(Spread.of(shares, decide=[of]), clips=of.sum())
    >>> round(float(low), 3), round(float(high), 3)
    (0.002, 0.107)
    """
    low, high = _limit_shares(spread, np.asarray(clips, np.float64), np.asarray(added, np.float64))
    return spread.hide(low, high)


def share_variance(spread: Spread, *, clips: ArrayLike) -> Floats:
    """The variance that half a share's interval stands for, even of too few sites: at least the jackknife's.

    A mean over species takes what this is more than the jackknife's: it sees nothing of a species at one site.
    """
    low, high = _limit_shares(spread, np.asarray(clips, np.float64), np.zeros(()))
    half = (high - low) / 2 / (spread.stretch * ndtri(1 - spread.tail))
    variance: Floats = np.maximum(half**2, spread.variance)
    return variance


def loss_interval(spread: Spread, *, worst: ArrayLike) -> Interval:
    """The interval of mean losses; NaN where sites are too few.

    `worst` (...) is what the site that adds most adds to the mean.

    >>> spread = Spread.of(np.array([1.0, 0.9, 1.1, 1.0, 0.95, 1.05]), decide=[np.ones(5)])
    >>> [round(float(edge), 2) for edge in loss_interval(spread, worst=0.25)]
    [0.58, 1.78]
    """
    value, add = np.asarray(spread.value), np.asarray(worst)
    variance = np.maximum(spread.variance, 1e-300) * spread.stretch**2
    with np.errstate(invalid="ignore", divide="ignore"):
        low = _gamma_quantile(spread.tail, value, variance)
        plain = _gamma_quantile(1 - spread.tail, value, variance)
        one_more = _gamma_quantile(1 - spread.tail, value + add, variance + add * add)
    known = spread.variance > 0  # else all sites say the same
    low, high = np.where(known, low, value), np.where(known, (plain + one_more) / 2, value)
    return spread.hide(np.minimum(low, value), np.maximum(high, value))


def difference_interval(spread: Spread, *, added: ArrayLike = 0.0) -> Interval:
    """The interval of a difference between two models, by Student's t; NaN where sites are too few.

    `added` is variance that the jackknife does not see.
    """
    half = spread.stretch * ndtri(1 - spread.tail) * np.sqrt(spread.variance + np.asarray(added))
    return spread.hide(spread.value - half, spread.value + half)


def _limit_shares(spread: Spread, clips: Floats, added: Floats) -> Interval:
    value = np.clip(spread.value, 0, 1)
    variance = spread.variance + added
    inner = (value > 0) & (value < 1) & (variance > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        alike = np.minimum(value * (1 - value) / np.where(inner, variance, 1), clips) / spread.stretch**2
    normal = ndtri(1 - spread.tail)
    blind = np.maximum(
        clips * (normal / stdtrit(1, 1 - spread.tail)) ** 2, np.minimum(spread.effective, clips)
    )
    trials = np.maximum(np.where(inner, alike, blind), 1e-3)
    low, high = _binomial_limits(value * trials, trials, tail=spread.tail)
    reach = np.hypot(high - low, 2 * normal * spread.stretch * np.sqrt(added))
    low = np.where(~inner & (value == 1), np.maximum(1 - reach, 0), low)
    high = np.where(~inner & (value == 0), np.minimum(reach, 1), high)
    return np.minimum(low, value), np.maximum(high, value)


def _binomial_limits(hits: Floats, trials: Floats, *, tail: float) -> Interval:
    """Clopper and Pearson's limits, of numbers that need not be whole."""
    misses = np.maximum(trials - hits, 0)
    with np.errstate(invalid="ignore"):
        low = np.where(hits > 0, betaincinv(np.maximum(hits, 1e-300), misses + 1, tail), 0.0)
        high = np.where(misses > 0, betaincinv(hits + 1, np.maximum(misses, 1e-300), 1 - tail), 1.0)
    return low, high


def _gamma_quantile(probability: float, mean: Floats, variance: Floats) -> Floats:
    quantile: Floats = gammaincinv(mean * mean / variance, probability) * variance / mean
    return quantile
