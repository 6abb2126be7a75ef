"""Calibration maps of many species at once, each shrunk towards the one that all share.

A species with two positives says next to nothing about its own map; all species together say a lot about how
over- or underconfident the network is. So every species' map gets a Gaussian prior around a shared map, which is
fitted with them (partial pooling, as in Gelman and Hill, "Data Analysis Using Regression and Multilevel Models",
2007); how strong it is, cross-validation decides.

`measures.fit_logistic` would not do: it draws weights towards a given centre, and here the centre, the shared map, is
fitted too, in the same Newton step as all species' maps, on counts over a grid.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from primatrix.measures import log_losses, logit_log_losses
from primatrix.trust.calibration import LOGIT_LIMIT, logit_features

__all__ = ["GRID", "Maps", "Strength", "choose_strength", "count_on_grid", "fit_maps"]

Floats = NDArray[np.float64]
# Likelihoods are summed over a grid of logits 1/32 apart instead of over clips: 200,000 clips cost as little as
# 2,000, and no probability moves by more than 1.6 % of itself.
GRID: Floats = np.linspace(-LOGIT_LIMIT, LOGIT_LIMIT, 1025)
FEATURES: Floats = logit_features(expit(GRID))  # (G, 3)
BASES: dict[str, Floats] = {
    "platt": np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]),  # one slope for ln p and -ln(1 - p)
    "beta": np.eye(3),
}
SLOPES, SHIFTS = (1.0, 10.0, 100.0, 1000.0, 10000.0), (0.1, 1.0, 10.0, 100.0)
SHARED_PRIOR = (
    1.0  # of the shared map around "leave as it is": matters only with a handful of positives in all
)
LEAST_SLOPE = 0.02  # 0 would make all clips equal, and a threshold on them would skip all or none
STEPS, TOLERANCE = 60, 1e-7


@dataclass(frozen=True, slots=True)
class Strength:
    """How strongly maps are held together: `basis` "platt" or "beta", prior precisions of slopes and shift.

    `basis` "none" leaves probabilities as they are.
    """

    basis: str
    slope: float = 0.0
    shift: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """Weights (S, 3) on ln p, -ln(1 - p) and 1 per species."""

    weights: Floats

    def on_grid(self) -> Floats:
        """Mapped probability of every grid point and species, (G, S)."""
        return np.asarray(expit(FEATURES @ self.weights.T))


def count_on_grid(true: Floats, prob: Floats) -> Floats:
    """Clips by label, grid point and species, (2, G, S); true and prob are (N, S).

    >>> count_on_grid(np.array([[0.0], [1.0]]), np.array([[0.5], [0.5]]))[:, 512, 0].tolist()
    [1.0, 1.0]
    """
    points, species = len(GRID), prob.shape[1]
    features = logit_features(prob)
    logits = features[..., 0] + features[..., 1]
    cells = np.rint((logits + LOGIT_LIMIT) / (GRID[1] - GRID[0])).astype(np.int64)
    cells = (true.astype(np.int64) * points + cells) * species + np.arange(species)
    counts = np.bincount(cells.ravel(), minlength=2 * points * species)
    return counts.reshape(2, points, species).astype(np.float64)


def fit_maps(counts: Floats, *, strength: Strength) -> Maps:
    """The maps of all species, given clips by label, grid point and species (2, G, S): Newton's method.

    Slopes are measured from each species' mean probability, so that a map which only stretches does not also move
    how often a rare species is expected. A slope is never below 0.02: every map keeps the order of clips.
    """
    species = counts.shape[2]
    if strength.basis == "none" or not counts.sum():
        return Maps(np.tile([1.0, 1.0, 0.0], (species, 1)))
    problem = Problem(counts, strength=strength)
    free = problem.solve(problem.start())
    turned = np.less(free[:, :-1], LEAST_SLOPE).any(axis=1, keepdims=True)
    if turned.any():
        held = np.column_stack([np.maximum(free[:, :-1], LEAST_SLOPE), np.zeros(species)])
        free = np.where(turned, problem.refit_shifts(held), free)
    return Maps(problem.to_weights(free))


class Problem:
    """The penalised likelihood of all maps: parameters (S, D) around shared ones (D,), last the shift."""

    def __init__(self, counts: Floats, *, strength: Strength) -> None:
        self.positives, self.clips = counts[1], counts.sum(axis=0)
        basis = BASES[strength.basis]
        self.size = basis.shape[1]
        self.target = np.array([1.0] * (self.size - 1) + [0.0])
        self.prior = np.diag([strength.slope] * (self.size - 1) + [strength.shift])
        total = self.clips.sum(axis=0)
        rate = (expit(GRID) @ self.clips + 0.5) / (total + 1)
        centre = np.tile(np.eye(3), (len(rate), 1, 1))  # features measured from the mean probability
        centre[:, 2, 0], centre[:, 2, 1] = -np.log(rate), np.log1p(-rate)
        self.into = centre @ basis  # (S, 3, D)
        self.offset = logit(rate)

    def start(self) -> Floats:
        """The maps that leave every probability as it is."""
        return np.tile(self.target, (len(self.offset), 1))

    def to_weights(self, free: Floats) -> Floats:
        """Parameters (S, D) -> weights (S, 3)."""
        weights: Floats = np.einsum("sij,sj->si", self.into, free)
        weights[:, 2] += self.offset
        return weights

    def solve(self, free: Floats) -> Floats:
        """The parameters of least loss; steps are halved until the loss falls."""
        shared = self.target.copy()
        loss = self.loss(free, shared)
        for _ in range(STEPS):
            step, shared_step = self.newton_step(free, shared)
            for size in 0.5 ** np.arange(12):
                new = self.loss(free + size * step, shared + size * shared_step)
                if new <= loss:
                    free, shared = free + size * step, shared + size * shared_step
                    break
            if loss - new <= TOLERANCE * (1 + abs(loss)):
                break
            loss = new
        return free

    def loss(self, free: Floats, shared: Floats) -> float:
        """Negative log likelihood plus both priors."""
        logits = FEATURES @ self.to_weights(free).T
        fit = logit_log_losses(self.positives, logits, clips=self.clips).sum()
        apart, moved = free - shared, shared - self.target
        own = 0.5 * np.einsum("si,ij,sj->", apart, self.prior, apart)
        return float(fit + own + 0.5 * SHARED_PRIOR * moved @ moved)

    def newton_step(self, free: Floats, shared: Floats) -> tuple[Floats, Floats]:
        """Newton's step for all parameters; the shared ones by the Schur complement of the species' blocks."""
        gradient, curvature = self.derivatives(free)
        apart = (free - shared) @ self.prior
        blocks = np.linalg.inv(curvature + self.prior + 1e-9 * np.eye(self.size))  # (S, D, D)
        pulled = np.einsum("sij,sj->si", blocks, gradient + apart)
        schur = len(free) * self.prior + SHARED_PRIOR * np.eye(self.size)
        schur = schur - self.prior @ blocks.sum(axis=0) @ self.prior
        slope = -apart.sum(axis=0) + SHARED_PRIOR * (shared - self.target)
        shared_step = np.linalg.solve(schur, -slope - self.prior @ pulled.sum(axis=0))
        step = -pulled + np.einsum("sij,j->si", blocks, self.prior @ shared_step)
        return step, shared_step

    def derivatives(self, free: Floats) -> tuple[Floats, Floats]:
        """Gradient (S, D) and curvature (S, D, D) of the likelihood alone."""
        mapped = expit(FEATURES @ self.to_weights(free).T)
        gradient = (self.clips * mapped - self.positives).T @ FEATURES  # (S, 3)
        squares = (FEATURES[:, :, None] * FEATURES[:, None, :]).reshape(len(GRID), 9)
        curvature = ((self.clips * mapped * (1 - mapped)).T @ squares).reshape(-1, 3, 3)
        turned = np.einsum("sai,sab,sbj->sij", self.into, curvature, self.into)
        return np.einsum("sai,sa->si", self.into, gradient), turned

    def refit_shifts(self, free: Floats) -> Floats:
        """Shifts (the last parameter) for slopes that stay, by Newton steps of 1 at most."""
        free = free.copy()
        for _ in range(STEPS):
            gradient, curvature = self.derivatives(free)
            pull = gradient[:, -1] + self.prior[-1, -1] * free[:, -1]
            step = pull / (curvature[:, -1, -1] + self.prior[-1, -1] + 1e-9)
            free[:, -1] -= np.clip(step, -1, 1)
            if np.abs(step).max() < 1e-6:
                break
        return free


def choose_strength(by_fold: Floats) -> tuple[Strength, list[Maps]]:
    """The strength with the least held-out loss, and the maps it gives without each fold.

    by_fold (F, 2, G, S) counts each fold's clips. The loss is the aggregated log loss, in which a rare species
    weighs as much as a common one. To leave all as it is stands among the choices and wins where nothing is better.
    """
    choices = [Strength("none")]
    choices += [Strength(*c) for c in itertools.product(BASES, SLOPES, SHIFTS)]
    best, best_loss, best_maps = choices[0], np.inf, list[Maps]()
    for strength in choices:
        maps = [fit_maps(by_fold.sum(axis=0) - held, strength=strength) for held in by_fold]
        loss = sum(grid_loss(m.on_grid(), held) for m, held in zip(maps, by_fold, strict=True))
        if loss < best_loss:
            best, best_loss, best_maps = strength, loss, maps
    return best, best_maps


def grid_loss(mapped: Floats, counts: Floats) -> float:
    """Log loss summed over clips, then species, of mapped probabilities (G, S) on clips (2, G, S)."""
    return float(log_losses(counts[1], mapped, clips=counts.sum(axis=0), eps=1e-12).sum())
