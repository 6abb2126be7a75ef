"""A linear head for few labels: regularised logistic regression per species, its strength chosen over sites.

Species are weighed as if each were on half of the clips, so that one of nine clips counts beside one of sixty, and its
logits are above 0 where it is more likely there than chance. That overrates rare species. A slope and an offset per
species, fitted to answers for folds left out (Platt, 1999), put it right, and are used where they prove themselves on
all sites they were not fitted to: of few sites they may only tell what those few had.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from primatrix.errors import InputError
from primatrix.measures import fit_logistic, logit_log_losses

__all__ = ["Head", "fit_head"]

PENALTIES = (1_000.0, 300.0, 100.0, 30.0, 10.0)  # on squared weights of standardised features
MOST_DIRECTIONS = (
    512  # in which features differ most: what is beyond them is small, and costs most of the time
)
MAP_PENALTY = 30.0  # draws the slopes and offsets of rare species to those that all share
MOST_STEPS = 200
# Of the usual spread: what hardly differs among a few clips may differ much on the next one.
LEAST_SPREAD = 0.1

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """What was learned: logits are `(x - shift) / scale @ weights.T + bias`, weights (S, F) and bias (S,).

    `penalty` is the one chosen; `left_out` (N, S) are the logits of each clip from folds that did not hold it, and
    `loss` is their aggregated log loss, where other folds had a clip of the species. `halved` (N, S) are the same from
    half of the clips of those folds.
    """

    shift: Singles
    scale: Singles
    weights: Singles
    bias: Singles
    penalty: float
    loss: float
    left_out: Floats
    halved: Floats


def fit_head(x: Singles, y: Singles, *, folds: NDArray[np.int64]) -> Head:
    """Learn species y (N, S) of 0 and 1 from features x (N, F); `folds` (N,) are those left out in turn.

    The same input gives the same head. Raises InputError for fewer than two clips or folds.

    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(200, 5)).astype(np.float32)
    >>> head = fit_head(x, (x[:, :1] > 0).astype(np.float32), folds=np.arange(200) % 4)
    >>> head.weights.shape, head.loss < 0.4
    ((1, 5), True)
    """
    if len(x) < 2 or len(np.unique(folds)) < 2:
        raise InputError(f"training: got {len(x)} clips in {len(np.unique(folds))} parts, wanted 2 or more")
    shift = x.mean(0)
    scale = _measure_spread(x)
    turned, directions = _turn((x - shift) / scale)
    true = y.astype(np.float64)
    known = _find_known(true, folds)
    tried = {penalty: _answer_left_out(turned, y, folds=folds, penalty=penalty) for penalty in PENALTIES}
    losses = {p: float(logit_log_losses(true, logits)[known].mean()) for p, logits in tried.items()}
    penalty = min(PENALTIES, key=losses.__getitem__)
    weights, bias = _fit(turned, y, penalty=penalty)
    logits, loss = tried[penalty], losses[penalty]
    mapped = _map_left_out(true, logits, known, folds=folds)
    if _is_better_everywhere(true, logits, mapped, known, folds=folds):
        slope, offset = _fit_maps(true, logits, known).T
        weights, bias, logits = weights * slope[:, None], bias * slope + offset, mapped
        loss = float(logit_log_losses(true, mapped)[known].mean())
    halved = _answer_left_out(turned, y, folds=folds, penalty=penalty, every=2)
    turned_back = (weights @ directions).astype(np.float32)
    return Head(shift, scale, turned_back, bias.astype(np.float32), penalty, loss, logits, halved)


def _measure_spread(x: Singles) -> Singles:
    """The standard deviation of each feature (N, F), where that is very small a share of the usual one."""
    spread: Singles = x.std(0)
    usual = spread.mean()
    return np.maximum(spread, LEAST_SPREAD * usual if usual > 0 else 1)


def _turn(x: Singles) -> tuple[Singles, Singles]:
    """Standardised features (N, F) along the directions (R, F) in which they differ most, (N, R).

    Where there are no more directions than clips, a penalty on weights is the same along them as before.
    """
    gram = x @ x.T if len(x) <= x.shape[1] else x.T @ x
    values, vectors = np.linalg.eigh(gram.astype(np.float64))
    kept = np.flatnonzero(values > values[-1] * 1e-7)[::-1][:MOST_DIRECTIONS]
    rows = vectors[:, kept].T
    directions: Singles = rows if len(x) > x.shape[1] else (rows / np.sqrt(values[kept, None])) @ x
    directions = directions.astype(np.float32)
    return x @ directions.T, directions


def _answer_left_out(
    x: Singles, y: Singles, *, folds: NDArray[np.int64], penalty: float, every: int = 1
) -> Floats:
    """The logits (N, S) of each fold's clips, learned from the others, or from one in so many of them."""
    logits = np.empty(y.shape)
    for fold in np.unique(folds):
        out = folds == fold
        chosen = np.random.default_rng(0).permutation(np.flatnonzero(~out))[::every]
        weights, bias = _fit(x[chosen], y[chosen], penalty=penalty)
        logits[out] = x[out] @ weights.T + bias
    return logits


def _fit(x: Singles, y: Singles, *, penalty: float) -> tuple[Floats, Floats]:
    """Weights (S, R) and bias (S,), species weighed evenly; the bias is not penalised."""
    sample = _weigh(y)
    species, features = y.shape[1], x.shape[1]

    def measure(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(species, features + 1)
        logits = x @ weights[:, 1:].T.astype(np.float32) + weights[:, 0].astype(np.float32)
        apart = (expit(logits) - y) * sample
        loss = float((np.logaddexp(0, logits) - y * logits).ravel() @ sample.ravel().astype(np.float64))
        gradient = np.column_stack([apart.sum(0), apart.T @ x]).astype(np.float64)
        gradient[:, 1:] += penalty * weights[:, 1:]
        return loss + penalty / 2 * float((weights[:, 1:] ** 2).sum()), gradient.ravel()

    found = minimize(
        measure, np.zeros(species * (features + 1)), jac=True, method="L-BFGS-B",
        options={"maxiter": MOST_STEPS, "ftol": 1e-7, "maxcor": 20},
    )  # fmt: skip
    weights = found.x.reshape(species, features + 1)
    return weights[:, 1:], weights[:, 0]


def _weigh(y: Singles) -> Singles:
    """How much each label counts (N, S): those of clips with a species as much as those of clips without, N in all."""
    count, there = len(y), y.sum(0)
    half = np.float32(count / 2)
    weights: Singles = np.where(y > 0, half / np.maximum(there, 1), half / np.maximum(count - there, 1))
    return weights


def _map_left_out(y: Floats, logits: Floats, known: NDArray[np.bool_], *, folds: NDArray[np.int64]) -> Floats:
    """Logits (N, S) of each fold's clips, mapped as the other folds say."""
    mapped = np.empty_like(logits)
    for fold in np.unique(folds):
        out = folds == fold
        mapped[out] = _apply(_fit_maps(y[~out], logits[~out], known[~out]), logits[out])
    return mapped


def _is_better_everywhere(
    y: Floats, logits: Floats, mapped: Floats, known: NDArray[np.bool_], *, folds: NDArray[np.int64]
) -> bool:
    """Whether mapped logits (N, S) have the lower loss on the clips of every fold."""
    gain = np.where(known, logit_log_losses(y, logits) - logit_log_losses(y, mapped), 0.0).sum(1)
    return all(gain[folds == fold].sum() > 0 for fold in np.unique(folds))


def _fit_maps(y: Floats, logits: Floats, known: NDArray[np.bool_]) -> Floats:
    """Slope and offset of each species (S, 2), from logits (N, S) of folds left out.

    All species share a slope and how far their own frequency counts; a species with clips enough leaves those. Where it
    is not `known` (N, S), what a fold's clips were answered by had no clip of it, and says nothing.
    """
    prior = np.log((y.sum(0) + 0.5) / (len(y) - y.sum(0) + 0.5))
    rows = np.stack([logits, np.ones_like(logits), np.broadcast_to(prior, logits.shape)], -1)  # (N, S, 3)
    shared = fit_logistic(rows[known], y[known], centre=np.array([1.0, 0.0, 1.0]), penalty=MAP_PENALTY)
    maps = []
    for species, frequency in enumerate(prior.tolist()):
        centre, here = np.array([shared[0], shared[1] + shared[2] * frequency]), known[:, species]
        of_species = y[here, species]
        if 0 < of_species.sum() < len(of_species):
            centre = fit_logistic(rows[here, species, :2], of_species, centre=centre, penalty=MAP_PENALTY)
        maps.append((max(centre[0], 0.0), centre[1]))
    return np.array(maps)


def _find_known(y: Floats, folds: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a clip's species (N, S) was on any clip of the other folds."""
    known = np.empty(y.shape, np.bool_)
    for fold in np.unique(folds):
        known[folds == fold] = y[folds != fold].any(0)
    return known


def _apply(maps: Floats, logits: Floats) -> Floats:
    return logits * maps[:, 0] + maps[:, 1]
