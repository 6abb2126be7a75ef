"""Operating points: which clips to skip and which to show, with a promise, what it saves and what it costs."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primatrix.choices import Unit
from primatrix.errors import InputError
from primatrix.labels import BLANK, count_sites, count_without_site, number_units
from primatrix.measures import Jackknife, Spread, clopper_pearson, share_interval
from primatrix.results import skip_scores
from primatrix.trust.calibration import OperatingPoint, Share
from primatrix.trust.promises import certify_cut, check_unit

__all__ = ["Promise", "choose_points", "share_skipped", "shows_something", "skip_curve"]

Floats = NDArray[np.float64]
SKIP_BLANK = "skip blank"


@dataclass(frozen=True, slots=True)
class Promise:
    """What is wanted: lose at most `max_loss` of the animals, find at least `min_recall` of each species.

    Both hold with `confidence` over `unit` (see `promises`).
    """

    max_loss: float = 0.05
    min_recall: float = 0.9
    confidence: float = 0.9
    unit: Unit = "clips"

    def __post_init__(self) -> None:
        for name in ("max_loss", "min_recall", "confidence"):
            if not 0 < getattr(self, name) < 1:
                raise InputError(f"{name}: got {getattr(self, name)}, wanted a share between 0 and 1")
        check_unit(self.unit)


def choose_points(
    true: pd.DataFrame, prob: Floats, *, promise: Promise, sites: "pd.Series[str] | None" = None
) -> dict[str, OperatingPoint]:
    """ "skip blank" and a "find <species>" for every species, from labels (N, S) and probabilities (N, S)."""
    unknown = count_without_site(true.index, sites)
    if promise.unit != "clips" and unknown:  # each for itself they would pass for as many sites
        got = "no sites" if sites is None else f"no site for {unknown} of {len(true)} clips"
        raise InputError(
            f"unit: got {promise.unit!r} and {got}, wanted the site of every clip; give --deployments"
        )
    units = number_units(true.index, sites)
    points = {SKIP_BLANK: skip_point(true, prob, promise=promise, sites=sites)}
    for number, species in enumerate(true.columns):
        if species != BLANK:
            positive = true[species].to_numpy() == 1
            name = f"find {species}"
            points[name] = find_point(
                name, species, prob[positive, number], promise=promise, sites=units[positive]
            )
    return points


def skip_point(
    true: pd.DataFrame, prob: Floats, *, promise: Promise, sites: "pd.Series[str] | None"
) -> OperatingPoint:
    """Above which p(blank) clips are skipped, what that saves and what each species loses by it."""
    scores, score = skip_scores(prob, tuple(true.columns))
    keep = shows_something(true).to_numpy()
    units = number_units(true.index, sites)
    cut = certify_cut(scores[keep], max_loss=promise.max_loss, confidence=promise.confidence,
                      unit=promise.unit, sites=units[keep])  # fmt: skip
    skipped = np.asarray(scores > (np.inf if cut is None else cut), bool)
    saved = share_skipped(skipped[~keep], true.index[~keep], sites=sites)
    footage = share_skipped(skipped, true.index, sites=sites)
    return OperatingPoint(
        SKIP_BLANK, "skip", score, cut, promise.max_loss, said_confidence(promise), promise.unit,
        int(keep.sum()), count_units(units[keep], promise), int(skipped[keep].sum()),
        saved, footage, recall_by_species(true, ~skipped),
    )  # fmt: skip


def find_point(
    name: str, species: str, scores: Floats, *, promise: Promise, sites: NDArray[np.int64]
) -> OperatingPoint:
    """The threshold that finds a species in `min_recall` of the clips that show it; scores (P,) are of those."""
    max_loss = 1 - promise.min_recall
    cut = certify_cut(
        -scores, max_loss=max_loss, confidence=promise.confidence, unit=promise.unit, sites=sites
    )
    threshold = None if cut is None else -cut
    lost = 0 if threshold is None else int((scores < threshold).sum())
    recall = {species: None if threshold is None or not len(scores) else 1 - lost / len(scores)}
    return OperatingPoint(
        name, "find", species, threshold, max_loss, said_confidence(promise), promise.unit,
        len(scores), count_units(sites, promise), lost, recall=recall,
    )  # fmt: skip


def said_confidence(promise: Promise) -> float | None:
    """None for a promise in the mean, which has no confidence."""
    return None if promise.unit == "sites in the mean" else promise.confidence


def count_units(units: NDArray[np.int64], promise: Promise) -> int:
    """How many clips or sites a promise rests on."""
    return len(units) if promise.unit == "clips" else len(np.unique(units))


def shows_something(true: pd.DataFrame) -> "pd.Series[bool]":
    """Which clips (index) show any species (columns) that is not `blank`.

    >>> shows_something(pd.DataFrame({"blank": [1, 0], "hog": [0, 1]}, index=["a.mp4", "b.mp4"])).to_dict()
    {'a.mp4': False, 'b.mp4': True}
    """
    return true.drop(columns=BLANK, errors="ignore").any(axis=1)


def share_skipped(
    skipped: NDArray[np.bool_],
    index: pd.Index,
    *,
    sites: "pd.Series[str] | None" = None,
    seconds: Floats | None = None,
) -> Share | None:
    """The share of footage that is skipped, of clips (N,) or of their seconds, with its 95 % interval.

    By the jackknife over sites where sites or seconds are known, without ends where sites are too few for them; else
    Clopper and Pearson's, which takes clips as independent. None of no clips.

    >>> share_skipped(np.array([True, False, False, False]), pd.Index(list("abcd")))
    (0.25, 0.0063..., 0.8058...)
    """
    if not len(skipped):
        return None
    if count_sites(index, sites) == 0 and seconds is None:
        return (float(skipped.mean()), *clopper_pearson(int(skipped.sum()), len(skipped)))
    length = np.ones(len(skipped)) if seconds is None else seconds
    groups = Jackknife.over(index, sites=sites)
    sums = groups.replicate_sums(np.stack([skipped * length, length], axis=1))  # (1 + G, 2)
    return limit_share(sums[:, 0], sums[:, 1], groups.sum_by_group(length), clips=len(skipped))


def limit_share(hits: Floats, of: Floats, weights: Floats, *, clips: int) -> Share | None:
    """hits / of with its interval; both are of all clips and without each group (1 + G,), `weights` (G,) of groups."""
    if not of[0] > 0:
        return None
    shares = np.divide(hits, of, out=np.full(len(of), np.nan), where=of > 0)
    low, high = share_interval(Spread.of(shares, decide=[weights]), clips=float(clips))
    return (float(shares[0]), *(None if np.isnan(end) else float(end) for end in (low, high)))  # type: ignore[return-value]


def recall_by_species(true: pd.DataFrame, kept: NDArray[np.bool_]) -> dict[str, float | None]:
    """The share of each species' clips that are kept; None where none shows it."""
    clips = true.sum()
    found = true[kept].sum()
    return {s: float(found[s] / clips[s]) if clips[s] else None for s in true.columns if s != BLANK}


def skip_curve(
    true: pd.DataFrame,
    prob: Floats,
    *,
    sites: "pd.Series[str] | None" = None,
    confidence: float = 0.9,
    most: int = 200,
) -> pd.DataFrame:
    """The whole choice: for up to `most` thresholds on p(blank) what is saved and what is lost.

    Columns: threshold, blanks_skipped, clips_skipped, animals_lost (shares), and animals_lost_at_most, the end of the
    share's interval on one side at this confidence, for each threshold by itself; NaN where sites are too few for one.
    """
    scores, _ = skip_scores(prob, tuple(true.columns))
    keep = shows_something(true).to_numpy()
    danger, empty, every = np.sort(scores[keep]), np.sort(scores[~keep]), np.sort(scores)
    cuts = (
        np.unique(np.quantile(danger, np.linspace(0, 1, most), method="nearest")) if len(danger) else danger
    )
    return pd.DataFrame({
        "threshold": cuts,
        "blanks_skipped": share_above(empty, cuts),
        "clips_skipped": share_above(every, cuts),
        "animals_lost": share_above(danger, cuts),
        "animals_lost_at_most": lose_at_most(
            scores[keep], true.index[keep], cuts, sites=sites, confidence=confidence
        ),
    })  # fmt: skip


def lose_at_most(
    danger: Floats, index: pd.Index, cuts: Floats, *, sites: "pd.Series[str] | None", confidence: float
) -> Floats:
    """With this confidence no larger share of such clips scores above each cut, (C,); by site where sites are known."""
    both = 1 - 2 * (1 - confidence)
    if not len(danger):
        return cuts
    if count_sites(index, sites) == 0:
        lost = len(danger) - np.searchsorted(np.sort(danger), cuts, side="right")
        return np.array([clopper_pearson(int(k), len(danger), confidence=both)[1] for k in lost])
    groups = Jackknife.over(index, sites=sites)
    rising = [np.sort(danger[groups.group == number]) for number in range(groups.groups)]
    lost = np.stack([len(one) - np.searchsorted(one, cuts, side="right") for one in rising])  # (G, C)
    sizes = np.array([len(one) for one in rising], float)
    without = np.vstack([lost.sum(axis=0), lost.sum(axis=0) - lost])
    of = np.append(sizes.sum(), sizes.sum() - sizes)[:, None]
    shares = np.divide(without, of, out=np.full(without.shape, np.nan), where=of > 0)
    spread = Spread.of(shares, decide=[sizes], confidence=both)
    return share_interval(spread, clips=float(len(danger)))[1]


def share_above(ordered: Floats, cuts: Floats) -> Floats:
    """The share of ordered scores strictly above each cut; NaN of no scores."""
    if not len(ordered):
        return np.full(len(cuts), np.nan)
    share: Floats = 1 - np.searchsorted(ordered, cuts, side="right") / len(ordered)
    return share
