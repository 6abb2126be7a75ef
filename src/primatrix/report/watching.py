"""How many hours are left to watch, and what they keep, when clips unlikely to show anything are skipped."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primatrix.report.tallies import find_something
from primatrix.results import Results, describe_promise, drop_clips, find_skipped
from primatrix.trust import shows_something

__all__ = ["Footage", "WatchRow", "count_points", "count_watching", "measure_footage"]

KEPT_SHARES = (0.99, 0.95, 0.9, 0.8)
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WatchRow:
    """What is to be watched when the other clips are skipped, and what share of the wanted clips it keeps.

    Clips from `threshold` up are watched (None: no threshold could be promised, so all are). `kept` is
    expected from the probabilities; `labelled_kept` is what labels say, where there are any. `promise` is an
    operating point's own.
    """

    name: str
    threshold: float | None
    clips: int
    hours: float
    share: float
    kept: float
    labelled_kept: float | None = None
    promise: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """The readable clips of a run, all (N,): names, hours, probability to show something, those its point skips."""

    names: pd.Index
    hours: Floats
    something: Floats
    probabilities: pd.DataFrame
    skipped: NDArray[np.bool_]

    def rank(self) -> NDArray[np.intp]:
        """The order in which clips are best watched: the likeliest to show something first."""
        return np.argsort(-self.something, kind="stable")

    def count(
        self,
        name: str,
        watched: NDArray[np.bool_],
        *,
        threshold: float | None,
        wanted: Floats,
        truth: "pd.Series[float] | None" = None,
        promise: str = "",
    ) -> WatchRow:
        """The row of a choice of clips, `watched` (N,), judged by `wanted` (N,): probabilities of being worth it."""
        hours, everything = float(self.hours[watched].sum()), float(self.hours.sum())
        kept = float(wanted[watched].sum() / (wanted.sum() or 1))
        labelled = None
        shown = None if truth is None else truth.reindex(self.names).fillna(0).to_numpy(np.float64)
        if shown is not None and shown.sum() > 0:  # none of these may be readable
            labelled = float(shown[watched].sum() / shown.sum())
        share = hours / (everything or 1)
        return WatchRow(name, threshold, int(watched.sum()), hours, share, kept, labelled, promise)


def measure_footage(results: Results) -> Footage:
    """The readable clips; one whose length is not known counts as long as the mean of the others.

    >>> # `example` is a run of two clips: a duiker in one, the other broken
    >>> len(measure_footage(example).names)
    1
    """
    something = find_something(results)
    readable = np.isfinite(something)
    seconds = results.clips["duration_seconds"].to_numpy(np.float64)[readable]
    unknown = np.isnan(seconds)
    seconds = np.where(unknown, seconds[~unknown].mean() if not unknown.all() else 0.0, seconds)
    table = results.probabilities[readable]
    return Footage(table.index, seconds / 3600, something[readable], table, find_skipped(results)[readable])


def count_watching(footage: Footage, *, shows: "pd.Series[float] | None" = None) -> list[WatchRow]:
    """What is to be watched to keep all, 99, 95, 90, 80 % of the clips that are expected to show something.

    `shows` (index: labelled clips) is 1 for clips that do show something, else 0.

    >>> # `example` is a run of two clips: a duiker in one, the other broken
    >>> [(row.name, row.clips) for row in count_watching(measure_footage(example))][:2]
    [('everything', 1), ('99 %', 1)]
    """
    if not len(footage.names):
        return []
    something = footage.something
    order = footage.rank()
    kept = np.cumsum(something[order]) / (something.sum() or 1)
    cuts = {"everything": 0.0}
    for share in KEPT_SHARES:
        last = min(int(np.searchsorted(kept, share - 1e-12)), len(order) - 1)
        cuts[f"{share * 100:.0f} %"] = float(something[order[last]])
    return [
        footage.count(name, something >= cut, threshold=cut, wanted=something, truth=shows)
        for name, cut in cuts.items()
    ]


def count_points(
    footage: Footage, points: Mapping[str, Any], *, labels: pd.DataFrame | None = None
) -> list[WatchRow]:
    """What a model's own operating points leave to be watched.

    `points` are as run.json has them: `task` "skip" skips clips whose `score` is above the `threshold`, "find"
    keeps those from the threshold up. `labels` (clips, species) are 0/1.
    """
    rows = []
    for name, point in points.items():
        threshold = point["threshold"]
        if point["task"] == "skip":
            wanted, of = footage.something, "clips with animals"
            watched = ~footage.skipped | (threshold is None)
            truth = None if labels is None else shows_something(labels).astype(float)
            least = None if threshold is None else 1 - threshold
        else:
            wanted, of = footage.probabilities[point["score"]].to_numpy(np.float64), "them"
            watched = ~drop_clips(wanted, task="find", threshold=threshold)
            truth, least = None if labels is None else labels[point["score"]], threshold
        promise = describe_promise(point, what=of)
        rows.append(
            footage.count(name, watched, threshold=least, wanted=wanted, truth=truth, promise=promise)
        )
    return rows
