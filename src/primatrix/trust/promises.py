"""Thresholds that keep a promise: "skip as much as you can, but lose at most 5 % of what must be kept".

The promise is about clips that the model has not seen and that come from where the calibration clips came from. Of n
clips that must be kept, the k with the most dangerous scores are given up, and the threshold is the next one's
score. k is the largest number for which the rule below still holds; losses only grow with k, so that testing them
in this order needs no correction for many tests (fixed sequence testing in Angelopoulos, Bates, Candes, Jordan and
Lei, "Learn then Test", arXiv:2110.01052; for single clips it is Wilks' tolerance limit of 1941).

* "clips": P(Bin(n, max_loss) <= k) <= 1 - confidence, exact: with this confidence over calibration sets, a clip
  drawn like the calibration clips is lost with probability max_loss at most. Clips of one site are alike: where all
  sites to come are the calibration's sites it holds; for new sites it holds only in so far as sites are alike.
* "sites": the mean over sites of the share each loses, by betting (Waudby-Smith and Ramdas, arXiv:2010.09686, as used
  by Bates et al., "Distribution-free, risk-controlling prediction sets", arXiv:2101.02703, 3.1.3): the same promise
  for the mean over new sites, whatever happens inside a site. It needs 48 sites or more for 5 % at 90 %.
* "sites in the mean": conformal risk control (Angelopoulos et al., arXiv:2208.02814): the expected share that a new
  site loses is max_loss at most, in the mean over calibration sets too, so that a single one may do worse. It needs
  19 sites for 5 %.

None of them promises anything for one given site or species, or for footage unlike the calibration clips.
"""

from typing import get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr

from primatrix.choices import Unit
from primatrix.errors import InputError

__all__ = ["certify_cut", "check_unit", "count_allowed"]

Floats = NDArray[np.float64]
AT_ONCE = 1000


def certify_cut(
    danger: Floats,
    *,
    max_loss: float = 0.05,
    confidence: float = 0.9,
    unit: Unit = "clips",
    sites: NDArray[np.int64] | None = None,
) -> float | None:
    """The lowest cut above which clips may be dropped, given scores (n,) of clips that must be kept.

    Clips with a score strictly above the cut are dropped. `sites` numbers each clip's site, for the units that are
    sites. None where there are too few clips or sites to promise anything. See the module for the promise.

    >>> certify_cut(np.arange(100.0), max_loss=0.05, confidence=0.9)
    98.0
    >>> certify_cut(np.arange(40.0), max_loss=0.05, confidence=0.9) is None
    True
    """
    check_unit(unit)
    if not (0 < max_loss < 1 and 0 < confidence < 1):
        raise InputError(f"got max_loss {max_loss} and confidence {confidence}, wanted both between 0 and 1")
    if unit != "clips" and sites is None:
        raise InputError(
            f"unit: got {unit!r} without sites, wanted the site of every clip; give --deployments"
        )
    if not len(danger):
        return None
    order = np.argsort(-danger, kind="stable")
    if sites is None or unit == "clips":
        allowed = count_allowed(len(danger), max_loss=max_loss, confidence=confidence)
    else:
        _, numbers = np.unique(sites[order], return_inverse=True)
        allow = allow_by_betting if unit == "sites" else allow_in_the_mean
        allowed = allow(numbers, max_loss, 1 - confidence)
    return None if allowed < 0 else float(danger[order[min(allowed, len(danger) - 1)]])


def check_unit(unit: str) -> None:
    """InputError where nothing can be promised over such a unit.

    >>> check_unit("cameras")
    Traceback (most recent call last):
    primatrix.errors.InputError: unit: got 'cameras', wanted one of clips, sites, sites in the mean
    """
    if unit not in get_args(Unit):
        raise InputError(f"unit: got {unit!r}, wanted one of {', '.join(get_args(Unit))}")


def count_allowed(clips: int, *, max_loss: float, confidence: float) -> int:
    """How many of so many clips may be lost: the largest k with P(Bin(clips, max_loss) <= k) <= 1 - confidence.

    -1 where even k = 0 proves nothing: (1 - max_loss)^clips > 1 - confidence.

    >>> count_allowed(45, max_loss=0.05, confidence=0.9), count_allowed(44, max_loss=0.05, confidence=0.9)
    (0, -1)
    """
    k = np.arange(clips)
    return int(np.count_nonzero(bdtr(k, clips, max_loss) <= 1 - confidence)) - 1


def allow_by_betting(site: NDArray[np.int64], max_loss: float, delta: float) -> int:
    """How many clips may be lost, most dangerous first, given the site (n,) of each; -1 for none proven.

    For each number lost, a bet against "the mean over sites is max_loss or more" is played site by site in an order
    drawn beforehand; it is refuted once the capital reaches 1 / delta. All numbers are tried, up to the first that
    is not refuted.
    """
    sizes = np.bincount(site)
    place = np.random.default_rng(0).permutation(len(sizes))[site]
    shares = 1 / sizes[site]
    lost, start = np.zeros(len(sizes)), 0
    while start <= len(site):
        end = min(start + min(max(start, 64), AT_ONCE), len(site) + 1)  # few at first: most stop soon
        losses = np.zeros(
            (end - start, len(sizes))
        )  # of each site, in order, after start, start + 1, ... lost
        losses[0] = lost
        losses[np.arange(1, end - start), place[start : end - 1]] = shares[start : end - 1]
        losses = np.minimum(losses.cumsum(axis=0), 1)
        failed = np.flatnonzero(largest_capital(losses, max_loss, delta) < 1 / delta)
        if len(failed):
            return int(start + failed[0]) - 1
        lost = losses[-1].copy()
        if end <= len(site):
            lost[place[end - 1]] += shares[end - 1]
        start = end
    return len(site)


def largest_capital(losses: Floats, max_loss: float, delta: float) -> Floats:
    """The most that bets on the losses (J, K) of K sites, one after the other, ever amount to, (J,).

    The stake before each site follows from the sites before it, as published; the first guesses of mean and variance
    are those of a loss at the limit, not 1/2 and 1/4, which for rare losses would stake too little at first.
    """
    seen = np.arange(1, losses.shape[1] + 1)
    means = (max_loss + losses.cumsum(axis=1)) / (1 + seen)
    squares = (losses - means) ** 2
    variances = (max_loss * (1 - max_loss) + squares.cumsum(axis=1)) / (1 + seen)
    before = np.column_stack([np.full(len(losses), max_loss * (1 - max_loss)), variances[:, :-1]])
    stakes = np.minimum(1, np.sqrt(2 * np.log(1 / delta) / (losses.shape[1] * before)))
    capital: Floats = np.exp(np.log1p(-stakes * (losses - max_loss)).cumsum(axis=1).max(axis=1))
    return capital


def allow_in_the_mean(site: NDArray[np.int64], max_loss: float, delta: float) -> int:
    """How many clips may be lost, given the site (n,) of each; delta plays no part in a promise in the mean."""
    del delta
    sizes = np.bincount(site)
    losses = np.append(0, np.cumsum(1 / sizes[site]))  # summed over sites, after 0, 1, ... lost
    return int(np.count_nonzero((losses + 1) / (len(sizes) + 1) <= max_loss)) - 1
