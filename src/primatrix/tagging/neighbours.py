"""Clips close in time at the same site as evidence: one who was there a minute ago is likely there now.

A clip's logit z becomes `own * z + others * e + offset`, where e is the mean of its neighbours' logits, each minus the
species' usual logit, weighted by exp(-minutes apart / lag_minutes); where the weights sum to less than 1, by their
sum, so that a lone neighbour an hour away counts for little. Four numbers, the same for every species, learned on
predictions for clips the model was not trained on, and used only where they help on sites they were not learned on.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primatrix.disk.tables import read_table, write_whole
from primatrix.errors import InputError
from primatrix.footage.events import group_sites
from primatrix.footage.places import read_deployments
from primatrix.footage.times import parse_times
from primatrix.labels.table import read_labels
from primatrix.measures.log_loss import match_rows
from primatrix.trust.calibration import Calibration
from primatrix.trust.score import read_predictions

__all__ = ["NEIGHBOURS_FILE", "Neighbours", "fit_neighbours", "learn_neighbours", "read_neighbours"]

NEIGHBOURS_FILE = "neighbours.json"  # in the model's folder
LAGS_MINUTES = (2.0, 5.0, 15.0, 60.0, 360.0)
FOLDS = 5
MOST_STEPS = 50
SURELY = 1e-6  # probabilities are kept this far from 0 and 1, so that none is beyond persuasion
PULL = 1e-3  # towards leaving the probabilities as they are, per cell: 1e-3 of one cell's evidence

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
        after[known] = _to_probabilities(self.own * z + self.others * evidence + self.offset)
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
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"
        path = Path(folder, NEIGHBOURS_FILE)
        return write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def read_neighbours(folder: str | Path) -> Neighbours | None:
    """The neighbours learned for the model in a folder; None where there are none, or they are another model's.

    Raises InputError where the file is damaged.
    """
    path = Path(folder, NEIGHBOURS_FILE)
    if not path.is_file():
        return None
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))  # Any: JSON values
        listed = {name: tuple(values[name]) for name in ("species", "usual", "losses")}
        kept = Neighbours(**{**values, **listed})
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path}: not readable ({error}); delete it or run `primatrix neighbours` again"
        ) from None
    return kept if kept.learned_for == _digest_of(Path(folder)) else None


def learn_neighbours(
    predictions: str | Path, labels: str | Path, *, deployments: str | Path, model: str | Path
) -> Neighbours:
    """Learn from a predictions CSV, its labels and a table of sites and times; write it into the model's folder.

    The clips must not be those the model was trained on, and the probabilities those that `predict` gives, calibrated
    where the model is; the out-of-fold answers of `train_folds` (oof.csv) are calibrated here. Raises InputError
    where files do not fit together, or where `model` is no folder of a model.
    """
    if not (Path(model) / "model.json").is_file():
        raise InputError(
            f"{model}: no model.json in it; wanted the folder of the trained model, as predict takes it"
        )
    table, labelled = _read_as_predicted(predictions, Path(model)), read_labels(labels).table
    # A species that no label names is in no clip; one that was not predicted is refused by match_rows.
    columns = [*table.columns, *labelled.columns.difference(table.columns)]
    known = labelled.reindex(columns=columns, fill_value=0.0)
    chances = match_rows(table, known).dropna()
    places = read_deployments(deployments).look_up(chances.index)
    clips = pd.DataFrame({"filepath": chances.index, "site": places["site"].to_numpy()})
    times = parse_times(places["recorded_at"])
    if np.isnat(times).all():
        raise InputError(f"{deployments}: no time for any of the {len(chances)} labelled clips; "
                         "wanted a column `recorded_at`")  # fmt: skip
    fitted = fit_neighbours(chances, known.loc[chances.index], sites=group_sites(clips).to_numpy(), times=times,
                            learned_for=_digest_of(Path(model)))  # fmt: skip
    fitted.write(model)
    return fitted


def _read_as_predicted(path: str | Path, model: Path) -> pd.DataFrame:
    """The table of probabilities; answers out of fold, which are the model's own, calibrated as the model now is."""
    table = read_predictions(path)
    calibration = json.loads((model / "model.json").read_text(encoding="utf-8")).get("calibration")
    if "fold" not in read_table(path).columns or not calibration:
        return table
    kept = Calibration.from_dict(calibration)
    if not set(kept.species) <= set(table.columns):
        return table  # predictions of another model: refused where they are matched
    species = list(kept.species)
    return pd.DataFrame(kept.apply(table[species].to_numpy(np.float64)), index=table.index, columns=species)


def fit_neighbours(
    predictions: pd.DataFrame,
    labels: pd.DataFrame,
    *,
    sites: NDArray[Any],
    times: NDArray[np.datetime64],
    learned_for: str = "",
) -> Neighbours:
    """The neighbours' weights by log loss, kept only where they help on sites they were not learned on.

    Both tables are clips x species with the same rows and columns, `sites` and `times` (N,). Sites are dealt into 5
    folds (weeks of a site where there are fewer than 5 sites). Neighbours are used where, over folds, they lose less
    than the probabilities as they came and, by more than one standard error over sites, less than probabilities
    that were rescaled without them. Raises InputError for fewer than 5 sites or site-weeks.

    >>> labels = pd.DataFrame({"hog": [1, 1, 0, 0] * 10})
    >>> times = np.datetime64("2023-04-15T06:00:00") + np.arange(40) * np.timedelta64(7, "D")
    >>> fit_neighbours(labels * 0.8 + 0.1, labels, sites=np.arange(40) % 8, times=times).used
    False
    """
    z, y = to_logits(predictions.to_numpy(np.float64)), labels.to_numpy(np.float64)
    blocks = _make_blocks(sites, times)
    folds = _deal_folds(blocks)
    looks = {lag: _look_around(z, sites, times, lag) for lag in LAGS_MINUTES}
    alone, with_others = np.empty_like(z), np.empty_like(z)
    for fold in range(FOLDS):
        held = folds == fold
        weights = _fit_weights(z[~held], None, y[~held])
        alone[held] = _weigh(weights, z[held], None)
        lag = _choose_lag(looks, z, y, ~held)
        weights = _fit_weights(z[~held], looks[lag][~held], y[~held])
        with_others[held] = _weigh(weights, z[held], looks[lag][held])
    losses = (_loss(z, y), _loss(alone, y), _loss(with_others, y))
    gain, error = _gain(_losses(alone, y) - _losses(with_others, y), blocks)
    kept = Neighbours(tuple(map(str, predictions.columns)), tuple(z.mean(axis=0).tolist()), losses=losses,
                      clips=len(z), judged_on="sites" if _has_enough(sites) else "weeks of these sites",
                      learned_for=learned_for)  # fmt: skip
    if not (gain > error and losses[2] < losses[0]):
        return kept
    lag = _choose_lag(looks, z, y, np.ones(len(z), np.bool_))
    own, others, offset = _fit_weights(z, looks[lag], y).tolist()
    changes = {"own": own, "others": others, "offset": offset, "lag_minutes": lag}
    return Neighbours(**{**asdict(kept), **changes})


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
    inside = np.clip(probabilities, SURELY, 1 - SURELY)
    return np.asarray(np.log(inside) - np.log1p(-inside))


def _to_probabilities(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logits)))


def _look_around(z: Floats, sites: NDArray[Any], times: NDArray[np.datetime64], lag_minutes: float) -> Floats:
    evidence = np.zeros_like(z)
    known = ~np.isnat(times)
    deviations = (z - z.mean(axis=0))[known]
    evidence[known] = gather_evidence(
        deviations, sites=sites[known], times=times[known], lag_minutes=lag_minutes
    )
    return evidence


def _fit_weights(z: Floats, evidence: Floats | None, y: Floats) -> Floats:
    """own, others and offset (3,) of a logistic regression over all cells, by Newton's steps; others 0 without
    evidence."""
    columns = [z.ravel(), np.ones(z.size)] + ([evidence.ravel()] if evidence is not None else [])
    x, target = np.stack(columns, axis=1), y.ravel()
    prior = np.array([1.0, 0.0, 0.0][: x.shape[1]])
    weights, ridge = prior.copy(), PULL * np.eye(len(prior))
    for _ in range(MOST_STEPS):
        chance = _to_probabilities(x @ weights)
        slope = x.T @ (target - chance) - ridge @ (weights - prior)
        bend = (x * (chance * (1 - chance))[:, None]).T @ x + ridge
        step = np.linalg.solve(bend, slope)
        weights = weights + np.clip(step, -1, 1)  # a full step may overshoot where chances are near 0 and 1
        if np.abs(step).max() < 1e-6:
            break
    own, offset, *others = weights.tolist()
    return np.array([own, others[0] if others else 0.0, offset])


def _weigh(weights: Floats, z: Floats, evidence: Floats | None) -> Floats:
    own, others, offset = weights
    return np.asarray(own * z + offset + (others * evidence if evidence is not None else 0.0))


def _choose_lag(looks: Mapping[float, Floats], z: Floats, y: Floats, rows: NDArray[np.bool_]) -> float:
    def loss_at(lag: float) -> float:
        weights = _fit_weights(z[rows], looks[lag][rows], y[rows])
        return _loss(_weigh(weights, z[rows], looks[lag][rows]), y[rows])

    return min(looks, key=loss_at)


def _losses(logits: Floats, y: Floats) -> Floats:
    """Log loss of each clip (N,), the mean over species."""
    return np.asarray((np.logaddexp(0, logits) - y * logits).mean(axis=1))


def _loss(logits: Floats, y: Floats) -> float:
    return float(_losses(logits, y).mean())


def _gain(differences: Floats, blocks: NDArray[np.int64]) -> tuple[float, float]:
    """Mean difference per clip, and its standard error with blocks as the units that vary."""
    mean = float(differences.mean())
    sums = np.bincount(blocks, differences - mean)
    return mean, float(np.sqrt((sums**2).sum()) / len(differences))


def _has_enough(sites: NDArray[Any]) -> bool:
    """Whether there are sites enough to hold whole ones out."""
    return len(pd.unique(pd.Series(sites))) >= FOLDS


def _make_blocks(sites: NDArray[Any], times: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Clips that stay in one fold (N,): those of a site, or of a week of it where sites are few."""
    code, _ = pd.factorize(sites)
    if not _has_enough(sites):
        weeks = times.astype("datetime64[W]").astype(np.int64)
        code, _ = pd.factorize(pd.Series(code).astype(str) + "/" + pd.Series(weeks).astype(str))
    count = len(set(code))
    if count < FOLDS:
        raise InputError(
            f"neighbours: got clips of {count} sites and weeks, wanted {FOLDS} or more to learn from"
        )
    return np.asarray(code, np.int64)


def _deal_folds(blocks: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fold of each clip (N,): blocks dealt out from the largest, each to the smallest fold so far."""
    sizes, fold_of = np.bincount(blocks), np.zeros(blocks.max() + 1, np.int64)
    filled = np.zeros(FOLDS)
    for block in np.argsort(-sizes, kind="stable"):
        fold_of[block] = filled.argmin()
        filled[fold_of[block]] += sizes[block]
    return fold_of[blocks]


def _digest_of(folder: Path) -> str:
    """Which weights and calibration a model's folder holds, an ensemble's members' too; empty where there is none."""
    try:
        facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        values = [facts["weights_sha256"], facts.get("calibration")]
        values += [_digest_of(folder / name) for family in facts.get("members") or [] for name in family]
    except (OSError, ValueError, KeyError):
        return ""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
