"""Bootstrap by site: sites are drawn with replacement, not clips, because clips of one site are alike."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primatrix.labels import count_sites, count_without_site, number_units

__all__ = ["Resample", "percentiles"]

Floats = NDArray[np.float64]
REPLICATES = 1000
# More units (sites, or clips without one) are dealt into so many groups: same variance, 1/90 of the memory and the work
# at 90,000 clips.
MOST_UNITS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Resample:
    """How often each unit is drawn in each replicate, `weights` (R, U), and the unit of each clip, (N,).

    Sums over clips are kept by unit; one matrix product then gives them for all replicates (Efron and Tibshirani,
    "An Introduction to the Bootstrap", 1993, ch. 8). Two models scored with the same Resample are paired.
    """

    weights: Floats
    unit_of_clip: NDArray[np.int64]
    unit: str

    @classmethod
    def draw(
        cls, index: pd.Index, *, sites: "pd.Series[str] | None", replicates: int = REPLICATES, seed: int = 0
    ) -> "Resample":
        """Draw the sites of these clips, or the clips themselves where no site is known.

        A clip whose site alone is not known is drawn by itself, and `unit` says so. More than MOST_UNITS of either are
        drawn in groups, whole sites in each.

        >>> sites = pd.Series({"a": "north", "b": "north", "c": "south"})
        >>> drawn = Resample.draw(pd.Index(list("abc")), sites=sites, replicates=2)
        >>> drawn.unit_of_clip.tolist(), drawn.weights.sum(axis=1).tolist()
        ([0, 0, 1], [2.0, 2.0])
        """
        rng = np.random.default_rng(seed)
        sites = sites if count_sites(index, sites) else None
        units = number_units(index, sites)
        count = int(units.max(initial=-1)) + 1
        if count > MOST_UNITS:
            units, count = (rng.permutation(count) % MOST_UNITS)[units], MOST_UNITS
        weights = rng.multinomial(count, np.full(count, 1 / count), size=replicates).astype(np.float64)
        unit = "sites and clips without one" if count_without_site(index, sites) else "sites"
        return cls(weights, units, "clips" if sites is None else unit)

    def sum_by_unit(self, values: NDArray[np.float64]) -> Floats:
        """Values of clips (N, ...) summed by unit, (U, ...)."""
        flat = values.reshape(len(values), -1)
        units, columns = self.weights.shape[1], flat.shape[1]
        cells = (self.unit_of_clip[:, None] * columns + np.arange(columns)).ravel()
        sums = np.bincount(cells, weights=flat.ravel(), minlength=units * columns).astype(np.float64)
        return sums.reshape(units, *values.shape[1:])

    def replicate_sums(self, values: NDArray[np.float64]) -> Floats:
        """Values of clips (N, ...) summed over the clips of each replicate, (R, ...)."""
        sums = self.sum_by_unit(values)
        return np.tensordot(self.weights, sums, axes=1)


def percentiles(replicates: Floats, *, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Low and high percentile of replicates (R, ...) over the first axis; NaN replicates are left out.

    NaN where fewer than half of them have a value.
    """
    tail = 50 * (1 - confidence)
    some = np.isfinite(replicates).mean(axis=0) >= 0.5
    filled = np.where(some, replicates, 0.0)
    low, high = np.nanpercentile(filled, [tail, 100 - tail], axis=0)
    return np.where(some, low, np.nan), np.where(some, high, np.nan)
