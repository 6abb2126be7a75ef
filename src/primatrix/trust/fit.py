"""Fits a calibration to predictions that a model gave for clips it was not trained on."""

from typing import get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primatrix.choices import PredictedBy
from primatrix.errors import InputError
from primatrix.labels import count_sites, number_units, split_folds
from primatrix.measures import match_rows
from primatrix.trust.calibration import Calibration, FittedOn, bend, sample_names
from primatrix.trust.edges import choose_ceilings, choose_floors, choose_thresholds
from primatrix.trust.maps import Maps, choose_strength, count_on_grid, fit_maps
from primatrix.trust.points import Promise, choose_points

__all__ = ["fit_calibration"]

FOLDS = 5
Floats = NDArray[np.float64]


def fit_calibration(
    labels: pd.DataFrame,
    predictions: pd.DataFrame,
    *,
    source: PredictedBy,
    sites: "pd.Series[str] | None" = None,
    promise: Promise | None = None,
    seed: int = 0,
) -> Calibration:
    """Fit maps, floors, ceilings, thresholds and operating points of all species.

    `predictions` are the model's own probabilities (clips x species, matched by name; rows of NaN are left out), made
    for clips it was not trained on: `source` says how, and stays with the calibration. With `sites` (by clip) no site
    is in two folds of the cross-validation. The same seed gives the same calibration.

    Raises InputError for other sources, missing clips or species, and fewer than two clips with probabilities.

    >>> rng = np.random.default_rng(0)
    >>> sure = rng.random((400, 1))
    >>> labels = pd.DataFrame((rng.random((400, 1)) < sure).astype(float), columns=["hog"])
    >>> overconfident = pd.DataFrame(sure**3 / (sure**3 + (1 - sure) ** 3), columns=["hog"])
    >>> calibration = fit_calibration(labels, overconfident, source="validation")
    >>> calibration.apply(np.array([[0.1], [0.9]])).round(1).tolist()
    [[0.3], [0.7]]
    """
    if source not in get_args(PredictedBy):
        raise InputError(f"source: got {source!r}, wanted {' or '.join(get_args(PredictedBy))}: predictions for clips "
                         "the model was trained on say nothing about others")  # fmt: skip
    true, prob = match_known(labels, predictions)
    truth = true.to_numpy(np.float64)
    by_fold = count_by_fold(true, prob, sites=sites, seed=seed)
    counts = by_fold.sum(axis=0)
    strength, held_out = choose_strength(by_fold)
    maps = fit_maps(counts, strength=strength)
    floors, ceilings = choose_edges(held_out, by_fold)
    mapped = bend(maps.on_grid(), floors=floors, ceilings=ceilings)
    thresholds = choose_thresholds(mapped, counts.sum(axis=0))
    fitted_on = FittedOn(
        source, len(true), count_sites(true.index, sites),
        {str(s): int(n) for s, n in zip(true.columns, truth.sum(axis=0), strict=True)}, sample_names(true.index),
    )  # fmt: skip
    species = tuple(map(str, true.columns))
    plain = Calibration(
        species, tuple((a, b, c) for a, b, c in maps.weights.tolist()), tuple(floors.tolist()),
        tuple(ceilings.tolist()), dict(zip(species, thresholds.tolist(), strict=True)), fitted_on,
    )  # fmt: skip
    points = choose_points(true, plain.apply(prob), promise=promise or Promise(), sites=sites)
    return Calibration(
        species, plain.weights, plain.floors, plain.ceilings, plain.thresholds, fitted_on, points
    )


def match_known(labels: pd.DataFrame, predictions: pd.DataFrame) -> tuple[pd.DataFrame, Floats]:
    """Labels and probabilities (N, S) of the clips that have both; InputError of fewer than two."""
    matched = match_rows(labels, predictions)
    known = matched.notna().all(axis=1)
    if known.sum() < 2:
        raise InputError(f"predictions: got {int(known.sum())} labelled clips with probabilities, wanted 2 or more; "
                         "predict more clips")  # fmt: skip
    return labels[known], matched[known].to_numpy(np.float64)


def count_by_fold(true: pd.DataFrame, prob: Floats, *, sites: "pd.Series[str] | None", seed: int) -> Floats:
    """Clips of each fold by label, grid point and species, (F, 2, G, S)."""
    units = len(np.unique(number_units(true.index, sites)))
    if units < 2:  # one site: its clips are dealt by themselves
        sites, units = None, len(true)
    folds = min(FOLDS, units)
    fold = split_folds(true, sites=sites, folds=folds, seed=seed).to_numpy()
    truth = true.to_numpy(np.float64)
    return np.stack([count_on_grid(truth[fold == f], prob[fold == f]) for f in range(folds)])


def choose_edges(held_out: list[Maps], by_fold: Floats) -> tuple[Floats, Floats]:
    """Floors and ceilings (S,), from each fold's clips as the maps without that fold see them."""
    mapped = np.concatenate([maps.on_grid() for maps in held_out])  # (F * G, S)
    counts = np.concatenate(list(by_fold), axis=1)  # (2, F * G, S)
    return choose_floors(mapped, counts), choose_ceilings(mapped, counts)
