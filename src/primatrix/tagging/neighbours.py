"""Clips close in time at the same site as evidence: one who was there a minute ago is likely there now.

A clip's logit z becomes `own * z + others * e + offset`, where e is the mean of its neighbours' logits, each minus the
species' usual logit, weighted by exp(-minutes apart / lag_minutes); where the weights sum to less than 1, by their
sum, so that a lone neighbour an hour away counts for little. Four numbers, the same for every species, learned on
predictions for clips the model was not trained on, and used only where they help on sites they were not learned on.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from primatrix.disk import digest_model, read_json, write_json
from primatrix.errors import InputError

__all__ = [
    "LAGS_MINUTES",
    "NEIGHBOURS_FILE",
    "Floats",
    "Neighbours",
    "gather_evidence",
    "read_neighbours",
    "to_logits",
]

NEIGHBOURS_FILE = "neighbours.json"  # in the model's folder
LAGS_MINUTES = (2.0, 5.0, 15.0, 60.0, 360.0)
SURELY = 1e-6  # probabilities are kept this far from 0 and 1, so that none is beyond persuasion

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What neighbouring clips are worth, and the evidence for it.

    Columns of probabilities are in the order of `species`. `usual` has one logit per species. `losses` are mean log
    losses per clip and species on what was held out (`judged_on`): of the probabilities as they came, of those
    scaled by `own` and `offset` alone, and with neighbours. `others` 0 means that neighbours did not help: nothing
    is changed then.
    """

    species: tuple[str, ...]
    usual: tuple[float, ...]
    own: float = 1.0
    others: float = 0.0
    offset: float = 0.0
    lag_minutes: float = LAGS_MINUTES[0]
    losses: tuple[float, float, float] = (0.0, 0.0, 0.0)
    clips: int = 0
    judged_on: str = "sites"  # or weeks of them
    learned_for: str = ""  # digest of the model's weights and calibration

    @property
    def used(self) -> bool:
        """Whether neighbours change anything."""
        return self.others != 0

    def apply(
        self, probabilities: NDArray[np.floating], *, sites: NDArray[Any], times: NDArray[np.datetime64]
    ) -> Floats:
        """Probabilities (N, S) in the light of their neighbours; rows of NaN stay and lend nothing.

        `sites` (N,) says which clips may be neighbours, `times` (N,) when they began; a clip without a time (NaT)
        stays as it is.

        >>> kept = Neighbours(("hog",), usual=(-2.0,), others=0.5, lag_minutes=5)
        >>> times = np.array(["2023-04-15T06:30", "2023-04-15T06:31", "2023-04-16T06:30"], "datetime64[s]")
        >>> kept.apply(np.array([[0.9], [0.4], [0.4]]), sites=np.array(["n", "n", "n"]), times=times).round(2).tolist()
        [[0.95], [0.79], [0.4]]
        """
        before = np.asarray(probabilities, np.float64)
        if not self.used:
            return before
        known = np.isfinite(before).all(axis=1) & ~np.isnat(times)
        after = before.copy()
        z = to_logits(before[known])
        evidence = gather_evidence(z - np.array(self.usual), sites=sites[known], times=times[known],
                                   lag_minutes=self.lag_minutes)  # fmt: skip
        after[known] = expit(self.own * z + self.others * evidence + self.offset)
        return after

    def order_for(self, species: Sequence[str]) -> "Neighbours":
        """The same for columns in another order; InputError where they are of other species.

        >>> Neighbours(("hog", "lion"), usual=(-2.0, -5.0)).order_for(["lion", "hog"]).usual
        (-5.0, -2.0)
        """
        if sorted(species) != sorted(self.species):
            some = ", ".join(self.species[:3])
            raise InputError(f"neighbours: got those learned for {len(self.species)} species ({some}, …), wanted the "
                             f"model's {len(species)}; run `primatrix neighbours` again")  # fmt: skip
        usual = dict(zip(self.species, self.usual, strict=True))
        return replace(self, species=tuple(species), usual=tuple(usual[name] for name in species))

    def summary(self) -> str:
        """One line for the terminal: what the neighbours gained, or that they did not."""
        before, alone, with_others = self.losses
        text = f"log loss on held-out {self.judged_on} ({self.clips} clips): {before:.5f} as it came, "
        text += f"{alone:.5f} rescaled, {with_others:.5f} with neighbours"
        if not self.used:
            return f"neighbours: off, they did not help; {text}"
        weights = (
            f"own weight {self.own:.2f}, neighbours {self.others:.2f} within about {self.lag_minutes:g} min"
        )
        return f"neighbours: on, {100 * (1 - with_others / alone):.1f} % less loss; {text}; {weights}"

    def write(self, folder: str | Path) -> Path:
        """Write neighbours.json into a model's folder."""
        return write_json(Path(folder, NEIGHBOURS_FILE), asdict(self))


def read_neighbours(folder: str | Path) -> Neighbours | None:
    """The neighbours learned for the model in a folder; None where there are none, or they are another model's.

    Raises InputError where the file is damaged.
    """
    path = Path(folder, NEIGHBOURS_FILE)
    if not path.is_file():
        return None
    try:
        values = read_json(path)
        listed = {name: tuple(values[name]) for name in ("species", "usual", "losses")}
        kept = Neighbours(**{**values, **listed})
    except (InputError, TypeError, KeyError) as error:
        raise InputError(
            f"{path}: not readable ({error}); delete it or run `primatrix neighbours` again"
        ) from None
    return kept if kept.learned_for == digest_model(folder) else None


def gather_evidence(
    deviations: Floats, *, sites: NDArray[Any], times: NDArray[np.datetime64], lag_minutes: float
) -> Floats:
    """The weighted mean of each clip's neighbours (N, S), the clip itself left out; 0 where there are none.

    Exact for the exponential kernel, in one pass forwards and one backwards over the clips by site and time.
    """
    code, _ = pd.factorize(sites)
    order = np.lexsort((times, code))
    minutes = np.append(np.inf, np.diff(times[order]).astype("timedelta64[s]").astype(float) / 60)
    minutes[np.append(True, np.diff(code[order]) != 0)] = np.inf
    decay = np.exp(-minutes / lag_minutes)
    values = np.column_stack([deviations[order], np.ones(len(order))])
    total = np.zeros_like(values)
    ahead = np.zeros(values.shape[1])
    for row in range(1, len(values)):
        ahead = decay[row] * (ahead + values[row - 1])
        total[row] = ahead
    ahead = np.zeros(values.shape[1])
    for row in range(len(values) - 2, -1, -1):
        ahead = decay[row + 1] * (ahead + values[row + 1])
        total[row] += ahead
    evidence = np.empty_like(deviations)
    evidence[order] = total[:, :-1] / np.maximum(1.0, total[:, -1:])
    return evidence


def to_logits(probabilities: Floats) -> Floats:
    """Log odds, the same shape, of probabilities kept a little away from 0 and 1."""
    return np.asarray(logit(np.clip(probabilities, SURELY, 1 - SURELY)))
