"""Learns what clips close in time tell of each other, and whether that helps on sites not learned on."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primatrix.disk import digest_model, read_facts, read_header
from primatrix.errors import InputError
from primatrix.footage import group_sites, parse_times, read_deployments
from primatrix.interchange import read_labels
from primatrix.labels import choose_fitted
from primatrix.measures import fit_logistic, logit_log_losses, match_rows
from primatrix.results import read_origin, read_predictions
from primatrix.tagging.neighbours import (
    LAGS_MINUTES,
    Floats,
    Neighbours,
    gather_evidence,
    to_logits,
)
from primatrix.trust import Calibration, refuse_others_answers, refuse_trained

__all__ = ["fit_neighbours", "learn_neighbours"]

FOLDS = 5
PULL = 1e-3  # towards leaving the probabilities as they are, per cell: 1e-3 of one cell's evidence


def learn_neighbours(
    labels: str | Path, predictions: str | Path, *, deployments: str | Path, model: str | Path
) -> Neighbours:
    """Learn from labels, a predictions CSV and a table of sites and times; write it into the model's folder.

    The clips must not be those the model was trained on, and the probabilities those that `predict` gives, calibrated
    where the model is; the out-of-fold answers of `train_folds` (oof.csv) are calibrated here. Raises InputError
    where files do not fit together, ModelError where `model` is no folder of a model.
    """
    refuse_others_answers(read_origin(predictions), predictions, model=model)
    table, out_of_fold = _read_as_predicted(predictions, Path(model))
    labelled = choose_fitted(read_labels(labels), out_of_fold=out_of_fold).spell(table.columns).table
    # A species that no label names is in no clip; one that was not predicted is refused by match_rows.
    columns = [*table.columns, *labelled.columns.difference(table.columns)]
    known = labelled.reindex(columns=columns, fill_value=0.0)
    chances = match_rows(known, table).dropna()
    refuse_trained(predictions, list(chances.index), model=model, out_of_fold=out_of_fold)
    places = read_deployments(deployments).look_up(chances.index)
    clips = pd.DataFrame({"filepath": chances.index, "site": places["site"].to_numpy()})
    times = parse_times(places["recorded_at"])
    if np.isnat(times).all():
        raise InputError(f"{deployments}: no time for any of the {len(chances)} labelled clips; "
                         "wanted a column `recorded_at`")  # fmt: skip
    fitted = fit_neighbours(known.loc[chances.index], chances, sites=group_sites(clips).to_numpy(), times=times,
                            learned_for=digest_model(model))  # fmt: skip
    fitted.write(model)
    return fitted


def _read_as_predicted(path: str | Path, model: Path) -> tuple[pd.DataFrame, bool]:
    """The table of probabilities, and whether they are out of fold.

    Answers out of fold, which are the model's own, are calibrated as the model now is.
    """
    table, out_of_fold = read_predictions(path), "fold" in read_header(path)
    calibration = read_facts(model).get("calibration")
    if not out_of_fold or not calibration:
        return table, out_of_fold
    kept = Calibration.from_dict(calibration)
    if not set(kept.species) <= set(table.columns):
        return table, out_of_fold  # predictions of another model: refused where they are matched
    species = list(kept.species)
    calibrated = kept.apply(table[species].to_numpy(np.float64))
    return pd.DataFrame(calibrated, index=table.index, columns=species), out_of_fold


def fit_neighbours(
    labels: pd.DataFrame,
    predictions: pd.DataFrame,
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
    >>> fit_neighbours(labels, labels * 0.8 + 0.1, sites=np.arange(40) % 8, times=times).used
    False
    """
    predictions = match_rows(labels, predictions)
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
    losses = (_loss(y, z), _loss(y, alone), _loss(y, with_others))
    gain, error = _gain(_losses(y, alone) - _losses(y, with_others), blocks)
    kept = Neighbours(tuple(map(str, predictions.columns)), tuple(z.mean(axis=0).tolist()), losses=losses,
                      clips=len(z), judged_on="sites" if _has_enough(sites) else "weeks of these sites",
                      learned_for=learned_for)  # fmt: skip
    if not (gain > error and losses[2] < losses[0]):
        return kept
    lag = _choose_lag(looks, z, y, np.ones(len(z), np.bool_))
    own, others, offset = _fit_weights(z, looks[lag], y).tolist()
    changes = {"own": own, "others": others, "offset": offset, "lag_minutes": lag}
    return Neighbours(**{**asdict(kept), **changes})


def _look_around(z: Floats, sites: NDArray[Any], times: NDArray[np.datetime64], lag_minutes: float) -> Floats:
    evidence = np.zeros_like(z)
    known = ~np.isnat(times)
    deviations = (z - z.mean(axis=0))[known]
    evidence[known] = gather_evidence(
        deviations, sites=sites[known], times=times[known], lag_minutes=lag_minutes
    )
    return evidence


def _fit_weights(z: Floats, evidence: Floats | None, y: Floats) -> Floats:
    """own, others and offset (3,) of a logistic regression over all cells, others 0 without evidence."""
    columns = [z.ravel(), np.ones(z.size)] + ([evidence.ravel()] if evidence is not None else [])
    as_it_is = np.array([1.0, 0.0, 0.0][: len(columns)])
    weights = fit_logistic(np.stack(columns, axis=1), y.ravel(), centre=as_it_is, penalty=PULL)
    own, offset, *others = weights.tolist()
    return np.array([own, others[0] if others else 0.0, offset])


def _weigh(weights: Floats, z: Floats, evidence: Floats | None) -> Floats:
    own, others, offset = weights
    return np.asarray(own * z + offset + (others * evidence if evidence is not None else 0.0))


def _choose_lag(looks: Mapping[float, Floats], z: Floats, y: Floats, rows: NDArray[np.bool_]) -> float:
    def loss_at(lag: float) -> float:
        weights = _fit_weights(z[rows], looks[lag][rows], y[rows])
        return _loss(y[rows], _weigh(weights, z[rows], looks[lag][rows]))

    return min(looks, key=loss_at)


def _losses(y: Floats, logits: Floats) -> Floats:
    """Log loss of each clip (N,), the mean over species."""
    return np.asarray(logit_log_losses(y, logits).mean(axis=1))


def _loss(y: Floats, logits: Floats) -> float:
    return float(_losses(y, logits).mean())


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
