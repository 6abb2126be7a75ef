"""The jackknife: whole sites are left out one after the other, because clips of one site are alike."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primatrix.labels import count_sites, count_without_site, number_units

__all__ = ["Jackknife"]

Floats = NDArray[np.float64]
# More sites, or single clips, are dealt into this many groups. A quantile needs it: one clip of many left out moves it
# by one clip or not at all, which tells nothing of its error (Shao and Wu, 1989); a hundredth of them left out does.
MOST_GROUPS = 100


@dataclass(frozen=True, slots=True, eq=False)
class Jackknife:
    """The group of each clip, (N,), of which one after the other is left out; `unit` says what groups are made of.

    Sums over clips are kept by group; those of a replicate are the whole's less a group's (Efron and Tibshirani, "An
    Introduction to the Bootstrap", 1993, ch. 11). Two models measured with the same groups are paired.
    """

    group: NDArray[np.int64]
    groups: int
    unit: str
    units: int

    @classmethod
    def over(cls, index: pd.Index, *, sites: "pd.Series[str] | None", seed: int = 0) -> "Jackknife":
        """Groups by the sites of these clips, or of the clips themselves where no site is known.

        A clip whose site alone is not known counts by itself, and `unit` says so.

        >>> sites = pd.Series({"a": "north", "b": "north", "c": "south"})
        >>> groups = Jackknife.over(pd.Index(list("abc")), sites=sites)
        >>> groups.group.tolist(), groups.describe()
        ([0, 0, 1], 'jackknife over 2 sites')
        """
        sites = sites if count_sites(index, sites) else None
        numbers = number_units(index, sites)
        units = int(numbers.max(initial=-1)) + 1
        groups = min(units, MOST_GROUPS)
        if units > groups:
            numbers = (np.random.default_rng(seed).permutation(units) % groups)[numbers]
        unit = "sites and clips without one" if count_without_site(index, sites) else "sites"
        return cls(numbers, groups, "clips" if sites is None else unit, units)

    def describe(self) -> str:
        """What is left out, in words.

        >>> Jackknife.over(pd.RangeIndex(250), sites=None).describe()
        'jackknife over 250 clips in 100 groups'
        """
        dealt = f" in {self.groups} groups" if self.groups < self.units else ""
        return f"jackknife over {self.units} {self.unit}{dealt}"

    def leave_nothing_out(self) -> "Jackknife":
        """The same clips without replicates, for what needs no interval."""
        return Jackknife(self.group, 0, self.unit, self.units)

    def sum_by_group(self, values: Floats) -> Floats:
        """Values of clips (N, ...) summed by group, (G, ...)."""
        flat = values.reshape(len(values), -1)
        columns = flat.shape[1]
        cells = (self.group[:, None] * columns + np.arange(columns)).ravel()
        sums = np.bincount(cells, weights=flat.ravel(), minlength=self.groups * columns).astype(np.float64)
        return sums[: self.groups * columns].reshape(self.groups, *values.shape[1:])

    def replicate_sums(self, values: Floats) -> Floats:
        """Values of clips (N, ...) summed over all clips and then without each group, (1 + G, ...).

        >>> sites = pd.Series({"a": "north", "b": "north", "c": "south"})
        >>> Jackknife.over(sites.index, sites=sites).replicate_sums(np.array([1.0, 2.0, 4.0])).tolist()
        [7.0, 4.0, 3.0]
        """
        total = values.sum(axis=0, dtype=np.float64)[None]
        return np.concatenate([total, total - self.sum_by_group(values)])
