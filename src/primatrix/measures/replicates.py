"""All measures of one model's probabilities, per species and overall, without each group of clips, and their intervals.

Row 0 of every array is the measure on all clips, the other rows are without one group each (see `jackknife`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from primatrix.measures.intervals import (
    LEAST_SITES,
    LEAST_SITES_OF_SPECIES_LOSS,
    Spread,
    difference_interval,
    loss_interval,
    share_interval,
    share_variance,
)
from primatrix.measures.jackknife import Jackknife
from primatrix.measures.log_loss import log_losses
from primatrix.measures.ranking import average_precision, count_by_rank, find_edges, rank_scores, roc_auc
from primatrix.measures.reliability import BINS, bin_probabilities, calibration_error

__all__ = ["Basis", "Measures", "hit_shares", "measure", "measure_skipping", "quiet_divide"]

Floats = NDArray[np.float64]
# Cells of scores per species without a group: how far it moves hardly depends on it, the measure itself is exact.
EDGES = 256
LOSSES = ("log_loss", "brier")


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """What a measure rests on: weights of groups (G, ...) that decide it, and of how many clips (...) it is a share."""

    decide: tuple[Floats, ...]
    clips: Floats

    @classmethod
    def of(cls, clips: Floats, *others: Floats) -> "Basis":
        """A share of these clips by group (G, ...), decided by `others`, too."""
        return cls((clips, *others), clips.sum(axis=0))


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """`species`: measure -> (1 + G, S); `overall`: measure -> (1 + G,). NaN where there is nothing to measure.

    Calibration errors have row 0 alone and no interval: chance makes them larger, by how much nobody knows.
    """

    species: dict[str, Floats]
    overall: dict[str, Floats]
    species_bases: dict[str, Basis]
    overall_bases: dict[str, Basis]
    clips: Floats  # by group, (G,)

    def species_interval(self, name: str) -> tuple[Floats, Floats]:
        """Low and high of a measure of each species, (S,) both; NaN where it has no interval."""
        return self._limit(name, self.species[name], self.species_bases.get(name), least=least_of(name))

    def overall_interval(self, name: str) -> tuple[float, float]:
        """Low and high of a measure over all species; NaN where it has no interval."""
        values, basis = self.overall[name], self.overall_bases.get(name)
        more, occurring, _ = self._find_unseen(name)
        low, high = self._limit(name, values, basis, added=more.sum() / occurring**2)
        return float(low), float(high)

    def species_difference(self, other: "Measures", name: str) -> tuple[Floats, Floats]:
        """The interval of this model's measure less another's on the same clips and groups, (S,) both."""
        gaps = self.species[name] - other.species[name]
        return self._differ(gaps, self.species_bases.get(name), least=least_of(name))

    def overall_difference(self, other: "Measures", name: str) -> tuple[float, float]:
        """The same over all species."""
        gaps = self.overall[name] - other.overall[name]
        (own, occurring, few), (its, _, _) = self._find_unseen(name), other._find_unseen(name)
        added = np.maximum(own, its)[few].sum() / occurring**2 if gaps.any() else 0.0
        low, high = self._differ(gaps, self.overall_bases.get(name), added=added)
        return float(low), float(high)

    def _limit(
        self,
        name: str,
        values: Floats,
        basis: Basis | None,
        *,
        added: float = 0.0,
        least: float = LEAST_SITES,
    ) -> tuple[Floats, Floats]:
        if basis is None:
            return _know_nothing(values)
        spread = Spread.of(values, decide=basis.decide, least=least)
        if name in LOSSES:
            return loss_interval(spread, worst=self._find_worst(values))
        return share_interval(spread, clips=basis.clips, added=added)

    @staticmethod
    def _differ(
        gaps: Floats, basis: Basis | None, *, added: float = 0.0, least: float = LEAST_SITES
    ) -> tuple[Floats, Floats]:
        if basis is None:
            return _know_nothing(gaps)
        return difference_interval(Spread.of(gaps, decide=basis.decide, least=least), added=added)

    def _find_worst(self, values: Floats) -> Floats:
        """What the group that adds most adds to a mean over clips (1 + G, ...)."""
        clips = self.clips.reshape(-1, *[1] * (values.ndim - 1))
        added = values[0] - values[1:] * (1 - clips / clips.sum())
        return np.asarray(added.max(axis=0, initial=0))

    def _find_unseen(self, name: str) -> tuple[Floats, int, NDArray[np.bool_]]:
        """Variance (S,) that a mean over species hides from the jackknife, how many occur, and which are at few sites.

        It sees nothing of a species at one site, nor of one that is always right.
        """
        if name in LOSSES or name not in self.species_bases:
            return np.zeros(0), 1, np.zeros(0, np.bool_)
        basis = self.species_bases[name]
        spread = Spread.of(self.species[name], decide=basis.decide)
        occurring = np.isfinite(spread.value)
        more = np.where(occurring, share_variance(spread, clips=basis.clips) - spread.variance, 0.0)
        return more, max(1, int(occurring.sum())), spread.too_few


def least_of(name: str) -> float:
    """How many sites the measure of one species wants for an interval."""
    return LEAST_SITES_OF_SPECIES_LOSS if name in LOSSES else LEAST_SITES


def _know_nothing(values: Floats) -> tuple[Floats, Floats]:
    none = np.full(np.shape(values[0]), np.nan)
    return none, none


def measure(true: Floats, prob: Floats, *, thresholds: Floats, groups: Jackknife) -> Measures:
    """Measure probabilities (N, S) against labels (N, S); a species is tagged from its threshold (S,) on."""
    clips = groups.replicate_sums(np.ones(len(true)))  # (1 + G,)
    gaps, tagged = prob - true, (prob >= thresholds).astype(np.float64)
    precision, area = rank_measures(true, prob, groups)
    by_species = {
        "log_loss": quiet_divide(groups.replicate_sums(log_losses(true, prob)), clips[:, None]),
        "average_precision": precision,
        "roc_auc": area,
        **tag_measures(true, tagged, groups),
        "brier": quiet_divide(groups.replicate_sums(gaps * gaps), clips[:, None]),
        "calibration_error": species_errors(true, prob)[None],
    }
    shown = np.asarray(true.any(axis=1), np.float64)
    top = {
        f"top_n{name}": quiet_divide(groups.replicate_sums(hit_shares(true, prob, extra=extra)),
                                     groups.replicate_sums(shown))
        for name, extra in (("", 0), ("_plus_2", 2))
    }  # fmt: skip
    overall = {
        **{name: mean_over_species(values) for name, values in by_species.items()},
        "pooled_calibration_error": binned_error(gaps.ravel(), prob.ravel())[None],
        "top_label_calibration_error": top_error(true, prob)[None],
        **top,
    }
    by_group, positives = groups.sum_by_group(np.ones(len(true))), groups.sum_by_group(true)
    either = Basis.of(positives, by_group[:, None] - positives)
    bases = dict.fromkeys(("log_loss", "average_precision", "roc_auc", "f1", "brier"), either)
    bases |= {"recall": Basis.of(positives), "precision": Basis.of(groups.sum_by_group(tagged))}
    whole = dict.fromkeys(bases, Basis.of(by_group)) | dict.fromkeys(
        top, Basis.of(groups.sum_by_group(shown))
    )
    return Measures(by_species, overall, bases, whole, by_group)


def tag_measures(true: Floats, tagged: Floats, groups: Jackknife) -> dict[str, Floats]:
    """F1, precision and recall of tags (N, S); NaN for a species that no clip shows."""
    hits = groups.replicate_sums(true * tagged)
    positives, tags = groups.replicate_sums(true), groups.replicate_sums(tagged)
    shown = np.where(positives > 0, 1.0, np.nan)
    return {
        "f1": shown * quiet_divide(2 * hits, positives + tags),
        "precision": shown * quiet_divide(hits, tags),
        "recall": quiet_divide(hits, positives),
    }


def rank_measures(true: Floats, prob: Floats, groups: Jackknife) -> tuple[Floats, Floats]:
    """Average precision and ROC area, (1 + G, S) each: exact in row 0, around that without a group."""
    shape = (1 + groups.groups, true.shape[1])
    precision, area = np.full(shape, np.nan), np.full(shape, np.nan)
    for s in range(true.shape[1]):
        positive, scores = true[:, s] == 1, prob[:, s]
        if not positive.any():
            continue
        edges = find_edges(scores, positive, most=EDGES)
        cells = 2 * len(edges) + 1
        replicates = count_without(positive * cells + rank_scores(scores, edges), 2 * cells, groups)
        replicates = replicates.reshape(-1, 2, cells)
        exact = count_by_rank(scores, positive)
        for values, of in ((precision, average_precision), (area, roc_auc)):
            rough = of(replicates)
            values[:, s] = np.clip(rough + (of(exact) - rough[0]), 0, 1)
    return precision, area


def count_without(cell: NDArray[np.int64], cells: int, groups: Jackknife) -> Floats:
    """Clips per cell, of all clips and without each group, (1 + G, C); `cell` (N,) is each clip's."""
    total = np.bincount(cell, minlength=cells).astype(np.float64)[None]
    if not groups.groups:
        return total
    by_group = np.bincount(groups.group * cells + cell, minlength=groups.groups * cells)
    return np.concatenate([total, total - by_group.reshape(groups.groups, cells)])


def measure_skipping(
    scores: Floats, keep: NDArray[np.bool_], *, groups: Jackknife, max_loss: float = 0.05
) -> tuple[Floats, Basis]:
    """Share of blank clips above the lowest score (N,) that loses `max_loss` of those to keep, (1 + G,).

    The score is found on these very clips, and anew without each group: a measure to compare models by, not a promise.
    """
    basis = Basis.of(groups.sum_by_group((~keep).astype(float)), groups.sum_by_group(keep.astype(float)))
    if not keep.any():
        return np.full(1 + groups.groups, np.nan), basis
    most_dangerous = keep & (scores >= np.quantile(scores[keep], max(0.0, 1 - 4 * max_loss)))
    edges = find_edges(scores, most_dangerous)
    cells = 2 * len(edges) + 1
    cell = keep * cells + rank_scores(scores, edges)
    everywhere = np.bincount(cell, minlength=2 * cells).astype(np.float64)
    shares = [share_above_loss(everywhere, max_loss=max_loss)]
    for left_out in range(groups.groups):  # one by one: all of them at once would be large
        here = np.bincount(cell[groups.group == left_out], minlength=2 * cells)
        shares.append(share_above_loss(everywhere - here, max_loss=max_loss))
    return np.array(shares), basis


def share_above_loss(counts: Floats, *, max_loss: float) -> float:
    """Share of the blanks in the cells from the first one on that loses no more than `max_loss`; counts (2 C,)."""
    blank, kept = counts.reshape(2, -1)[:, ::-1].cumsum(axis=1)[
        :, ::-1
    ]  # from this cell on; the first holds all
    allowed = kept <= max_loss * kept[0]
    skipped = blank[allowed.argmax()] if allowed.any() else 0.0  # the last cell alone loses too much
    return float(skipped / blank[0]) if blank[0] else np.nan


def species_errors(true: Floats, prob: Floats) -> Floats:
    """Expected calibration error of each species, (S,)."""
    return np.array([binned_error(prob[:, s] - true[:, s], prob[:, s]) for s in range(true.shape[1])])


def binned_error(gaps: Floats, prob: Floats) -> Floats:
    """Expected calibration error of probabilities (N,); gaps (N,) are probability - label."""
    sums = np.bincount(bin_probabilities(prob), weights=gaps, minlength=BINS).astype(np.float64)
    return calibration_error(sums, len(prob))


def top_error(true: Floats, prob: Floats) -> Floats:
    """Expected calibration error of each clip's most probable species, as Guo et al. have it."""
    rows, best = np.arange(len(prob)), prob.argmax(axis=1)
    top = prob[rows, best]
    return binned_error(top - true[rows, best], top)


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
    """The mean (1 + G,) over species that have a value in row 0; where none is left without a group, it stays."""
    filled = np.where(np.isfinite(values), values, values[0])
    known = np.isfinite(values[0])
    return quiet_divide(np.where(known, filled, 0).sum(axis=-1), np.full(len(values), float(known.sum())))


def quiet_divide(a: Floats, b: Floats) -> Floats:
    """a / b, NaN where b is 0."""
    quotient: Floats = np.divide(a, b, out=np.full(np.shape(a), np.nan), where=b != 0)
    return quotient
