"""Logistic regression with a ridge penalty that draws its weights towards given ones."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from primatrix.measures.log_loss import logit_log_losses

__all__ = ["fit_logistic"]

Floats = NDArray[np.float64]
MOST_STEPS = 50
TOLERANCE = 1e-9  # of the loss: a step that gains less is the last one
SMALLEST_STEP = 1e-18  # of Newton's: where chances are near 0 and 1 a whole one goes far too far


def fit_logistic(x: Floats, y: Floats, *, centre: Floats, penalty: float) -> Floats:
    """Weights (F,) of y (N,), 0 or 1, on x (N, F): least in log loss + penalty / 2 * |weights - centre|^2.

    Newton's method, steps halved until the loss falls; the problem is strictly convex, so there is one answer.

    >>> fit_logistic(np.ones((4, 1)), np.array([1.0, 1, 1, 0]), centre=np.zeros(1), penalty=1e-9).round(3)
    array([1.099])
    """

    def loss_of(weights: Floats) -> float:
        apart = weights - centre
        return float(logit_log_losses(y, x @ weights).sum() + penalty / 2 * apart @ apart)

    weights, loss = centre.copy(), loss_of(centre)
    for _ in range(MOST_STEPS):
        p = expit(x @ weights)
        gradient = x.T @ (p - y) + penalty * (weights - centre)
        curvature = (x.T * (p * (1 - p))) @ x + penalty * np.eye(len(weights))
        step, size = np.linalg.solve(curvature, gradient), 1.0
        while (lower := loss_of(weights - size * step)) > loss and size > SMALLEST_STEP:
            size /= 2
        if lower > loss:  # only by rounding: nothing is left to gain
            break
        weights, loss = weights - size * step, lower
        if gradient @ step <= TOLERANCE * max(1.0, loss):
            break
    return weights
