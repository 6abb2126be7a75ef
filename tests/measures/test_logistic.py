import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from primatrix.measures.logistic import fit_logistic


def test_the_fit_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    y = (rng.random(400) < 1 / (1 + np.exp(-x @ [1.0, -2.0, 0.5]))).astype(float)
    reference = LogisticRegression(C=1 / 5, fit_intercept=False, tol=1e-10).fit(x, y)
    np.testing.assert_allclose(
        fit_logistic(x, y, centre=np.zeros(3), penalty=5.0), reference.coef_[0], atol=1e-5
    )


def test_the_penalty_draws_towards_the_centre_not_towards_zero() -> None:
    """Moving the centre by w is the same as fitting what is left after logits x @ w: at the answer slopes agree."""
    rng = np.random.default_rng(1)
    x, y, centre = rng.normal(size=(200, 2)), (rng.random(200) < 0.3).astype(float), np.array([2.0, -1.0])
    weights = fit_logistic(x, y, centre=centre, penalty=7.0)
    slope = x.T @ (1 / (1 + np.exp(-x @ weights)) - y)
    np.testing.assert_allclose(slope, 7.0 * (centre - weights), atol=1e-9)


def test_a_strong_penalty_keeps_the_centre_and_separable_clips_do_not_diverge() -> None:
    x, y = np.linspace(-1, 1, 50)[:, None], (np.arange(50) >= 25).astype(float)
    centre = np.array([3.0])
    assert fit_logistic(x, y, centre=centre, penalty=1e9)[0] == pytest.approx(3.0, abs=1e-3)
    assert 3 < fit_logistic(x, y, centre=centre, penalty=0.01)[0] < 100


def test_a_start_far_from_the_answer_is_left_in_steps_that_do_not_overshoot() -> None:
    """From 40 the curvature is near 0 and a whole Newton step would go 1e15 beyond the answer, ln 3."""
    y = np.array([1.0, 1, 1, 0])
    assert fit_logistic(np.ones((4, 1)), y, centre=np.array([40.0]), penalty=1e-12)[0] == pytest.approx(
        np.log(3)
    )
