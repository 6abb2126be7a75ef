"""How much each statistic of several models' answers counts, learned from out-of-fold answers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from primatrix.errors import InputError
from primatrix.measures import fit_logistic, logit_log_losses

__all__ = ["Stack", "fit_stack"]

Floats = NDArray[np.float64]
PENALTIES = (1.0, 10.0, 100.0, 1000.0, 10_000.0)  # on how far a species' weights may leave the shared ones


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Weights (S, statistics + 1), the last the bias; the penalty chosen; losses on folds left out.

    `loss` and `plain_loss` are the aggregated log losses with the stack and with the mean of the models.
    """

    weights: Floats
    penalty: float
    loss: float
    plain_loss: float


def fit_stack(statistics: Floats, y: Floats, *, folds: NDArray[np.int64]) -> Stack:
    """Fit one logistic regression per species on statistics (N, S, F), labels y (N, S) and folds (N,).

    The first statistic is the mean model's logit. All species first share one set of weights, which a ridge
    penalty draws towards "the mean model as it is"; each species' own are then drawn towards the shared ones, so
    that a species with two clips keeps the shared ones. How strongly is chosen by the loss on folds left out.

    >>> rng = np.random.default_rng(0)
    >>> logit = rng.normal(0, 2, (600, 1, 1))
    >>> y = (rng.random((600, 1)) < 1 / (1 + np.exp(-2 * logit[..., 0]))).astype(float)  # too timid by half
    >>> stack = fit_stack(logit, y, folds=np.arange(600) % 3)
    >>> bool(1.6 < stack.weights[0, 0] < 2.4), stack.loss < stack.plain_loss
    (True, True)
    """
    if len(np.unique(folds)) < 2:
        raise InputError(f"stacking: got {len(np.unique(folds))} folds, wanted 2 or more to judge by")
    losses = {penalty: cross_validate(statistics, y, folds=folds, penalty=penalty) for penalty in PENALTIES}
    penalty = min(PENALTIES, key=lambda p: losses[p])
    plain = float(logit_log_losses(y, statistics[..., 0]).mean())
    return Stack(fit_species(statistics, y, penalty=penalty), penalty, losses[penalty], plain)


def cross_validate(statistics: Floats, y: Floats, *, folds: NDArray[np.int64], penalty: float) -> float:
    """The aggregated log loss of each fold's clips under weights fitted on the other folds."""
    logits = np.empty(y.shape)
    for fold in np.unique(folds):
        out = folds == fold
        weights = fit_species(statistics[~out], y[~out], penalty=penalty)
        logits[out] = (add_bias(statistics[out]) * weights).sum(axis=-1)
    return float(logit_log_losses(y, logits).mean())


def fit_species(statistics: Floats, y: Floats, *, penalty: float) -> Floats:
    """Weights of every species (S, F + 1), drawn towards the shared ones."""
    rows = add_bias(statistics)
    start = np.eye(1, rows.shape[-1])[0]  # the mean model as it is
    shared = fit_logistic(rows.reshape(-1, rows.shape[-1]), y.reshape(-1), centre=start, penalty=1.0)
    own = [fit_logistic(rows[:, s], y[:, s], centre=shared, penalty=penalty) for s in range(y.shape[1])]
    return np.stack(own)


def add_bias(statistics: Floats) -> Floats:
    """Statistics (..., F) with a last column of ones."""
    return np.concatenate([statistics, np.ones((*statistics.shape[:-1], 1))], axis=-1)
