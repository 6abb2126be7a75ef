"""Thresholds that keep a promise: "skip as much as you can, but lose at most 5 % of what must be kept".

The promise is about clips that the model has not seen and that come from where the calibration clips came from. Of n
clips that must be kept, the k with the most dangerous scores are given up, and the threshold is the next one's
score. k is the largest number for which the rule below still holds; losses only grow with k, so that testing them
in this order needs no correction for many tests (fixed sequence testing in Angelopoulos, Bates, Candes, Jordan and
Lei, "Learn then Test", arXiv:2110.01052; for single clips it is Wilks' tolerance limit of 1941).

* "clips": P(Bin(n, max_loss) <= k) <= 1 - confidence, exact: with this confidence over calibration sets, a clip
  drawn like the calibration clips is lost with probability max_loss at most. Clips of one site are alike: where all
  sites to come are the calibration's sites it holds; for new sites it holds only in so far as sites are alike.
* "sites": the mean over sites of the share each loses, by the Hoeffding-Bentkus bound (Bates et al., "Distribution-
  free, risk-controlling prediction sets", arXiv:2101.02703): the same promise for the mean over new sites, whatever
  happens inside a site. It needs 45 sites or more for 5 % at 90 %.
* "sites in the mean": conformal risk control (Angelopoulos et al., arXiv:2208.02814): the expected share that a new
  site loses is max_loss at most, in the mean over calibration sets too, so that a single one may do worse. It needs
  19 sites for 5 %.

None of them promises anything for one given site or species, or for footage unlike the calibration clips.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, betaincinv

from primatrix.calibration import Unit
from primatrix.errors import InputError

__all__ = ["METHODS", "certify_cut", "clopper_pearson", "count_allowed"]

Floats = NDArray[np.float64]
METHODS: dict[Unit, str] = {
    "clips": "exact binomial bound, fixed sequence (Learn then Test; Wilks)",
    "sites": "Hoeffding-Bentkus bound on the mean over sites, fixed sequence (Learn then Test)",
    "sites in the mean": "conformal risk control over sites",
}


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
    if unit not in METHODS:
        raise InputError(f"unit: got {unit!r}, wanted one of {', '.join(METHODS)}")
    if not (0 < max_loss < 1 and 0 < confidence < 1):
        raise InputError(f"got max_loss {max_loss} and confidence {confidence}, wanted both between 0 and 1")
    order = np.argsort(-danger, kind="stable")
    if unit == "clips":
        allowed = count_allowed(len(danger), max_loss=max_loss, confidence=confidence)
    elif sites is None:
        raise InputError(f"unit: got {unit!r} without sites, wanted the site of every clip; give --sites")
    else:
        _, numbers, sizes = np.unique(sites, return_inverse=True, return_counts=True)
        losses = np.append(0, np.cumsum(1 / sizes[numbers[order]])) / max(
            1, len(sizes)
        )  # after 0, 1, ... lost
        rule = keep_promise_by_sites if unit == "sites" else keep_promise_in_the_mean
        allowed = int(rule(losses, len(sizes), max_loss, 1 - confidence).sum()) - 1
    return None if allowed < 0 or not len(danger) else float(danger[order[min(allowed, len(danger) - 1)]])


def count_allowed(clips: int, *, max_loss: float, confidence: float) -> int:
    """How many of so many clips may be lost: the largest k with P(Bin(clips, max_loss) <= k) <= 1 - confidence.

    -1 where even k = 0 proves nothing: (1 - max_loss)^clips > 1 - confidence.

    >>> count_allowed(45, max_loss=0.05, confidence=0.9), count_allowed(44, max_loss=0.05, confidence=0.9)
    (0, -1)
    """
    k = np.arange(clips)
    return int(np.count_nonzero(bdtr(k, clips, max_loss) <= 1 - confidence)) - 1


def keep_promise_by_sites(losses: Floats, sites: int, max_loss: float, delta: float) -> NDArray[np.bool_]:
    """Which mean losses over `sites` prove at level delta that the true mean is max_loss at most."""
    low = np.minimum(losses, max_loss)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(low > 0, low * np.log(low / max_loss), 0)
        gain = gain + (1 - low) * np.log((1 - low) / (1 - max_loss))
    hoeffding = np.exp(-sites * gain)
    bentkus = np.e * bdtr(np.minimum(np.ceil(sites * losses - 1e-9), sites), sites, max_loss)
    holds: NDArray[np.bool_] = np.minimum(hoeffding, bentkus) <= delta
    return np.logical_and.accumulate(holds)


def keep_promise_in_the_mean(losses: Floats, sites: int, max_loss: float, delta: float) -> NDArray[np.bool_]:
    """Which mean losses over `sites` keep the expected loss of one more site at max_loss; delta plays no part."""
    del delta
    return (sites * losses + 1) / (sites + 1) <= max_loss


def clopper_pearson(hits: int, clips: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """The exact binomial interval of a share (Clopper and Pearson, 1934); (nan, nan) of no clips.

    >>> [round(edge, 3) for edge in clopper_pearson(5, 100)]
    [0.016, 0.113]
    """
    if not clips:
        return (np.nan, np.nan)
    tail = (1 - confidence) / 2
    low = betaincinv(hits, clips - hits + 1, tail) if hits else 0.0
    high = betaincinv(hits + 1, clips - hits, 1 - tail) if hits < clips else 1.0
    return (float(low), float(high))
