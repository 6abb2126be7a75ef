"""Operating points: which clips to skip and which to show, with a promise, what it saves and what it costs."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primatrix.choices import Unit
from primatrix.errors import InputError
from primatrix.labels import BLANK, count_without_site, number_units
from primatrix.measures import Resample, clopper_pearson, percentiles
from primatrix.trust.calibration import OperatingPoint, skip_scores
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
) -> tuple[float, float, float] | None:
    """The share of footage that is skipped, of clips (N,) or of their seconds, with its 95 % interval.

    Bootstrap by site where sites or seconds are known, else Clopper and Pearson's; None of no clips.
    """
    if not len(skipped):
        return None
    if sites is None and seconds is None:
        return (float(skipped.mean()), *clopper_pearson(int(skipped.sum()), len(skipped)))
    length = np.ones(len(skipped)) if seconds is None else seconds
    drawn = Resample.draw(index, sites=sites)
    sums = drawn.replicate_sums(np.stack([skipped * length, length], axis=1))  # (R, 2)
    low, high = percentiles(sums[:, 0] / sums[:, 1])
    return (float((skipped * length).sum() / length.sum()), float(low), float(high))


def recall_by_species(true: pd.DataFrame, kept: NDArray[np.bool_]) -> dict[str, float | None]:
    """The share of each species' clips that are kept; None where none shows it."""
    clips = true.sum()
    found = true[kept].sum()
    return {s: float(found[s] / clips[s]) if clips[s] else None for s in true.columns if s != BLANK}


def skip_curve(true: pd.DataFrame, prob: Floats, *, confidence: float = 0.9, most: int = 200) -> pd.DataFrame:
    """The whole choice: for up to `most` thresholds on p(blank) what is saved and what is lost.

    Columns: threshold, blanks_skipped, clips_skipped, animals_lost (shares), and animals_lost_at_most, the share
    that this threshold promises at the given confidence where it alone had been asked for.
    """
    scores, _ = skip_scores(prob, tuple(true.columns))
    keep = shows_something(true).to_numpy()
    danger, empty, every = np.sort(scores[keep]), np.sort(scores[~keep]), np.sort(scores)
    cuts = (
        np.unique(np.quantile(danger, np.linspace(0, 1, most), method="nearest")) if len(danger) else danger
    )
    lost = len(danger) - np.searchsorted(danger, cuts, side="right")
    bounds = [clopper_pearson(int(k), len(danger), confidence=1 - 2 * (1 - confidence))[1] for k in lost]
    return pd.DataFrame({
        "threshold": cuts,
        "blanks_skipped": share_above(empty, cuts),
        "clips_skipped": share_above(every, cuts),
        "animals_lost": share_above(danger, cuts),
        "animals_lost_at_most": bounds,
    })  # fmt: skip


def share_above(ordered: Floats, cuts: Floats) -> Floats:
    """The share of ordered scores strictly above each cut; NaN of no scores."""
    if not len(ordered):
        return np.full(len(cuts), np.nan)
    share: Floats = 1 - np.searchsorted(ordered, cuts, side="right") / len(ordered)
    return share
