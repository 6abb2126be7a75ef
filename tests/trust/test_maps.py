import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from primatrix.trust.maps import Strength, choose_strength, count_on_grid, fit_maps, grid_loss

Floats = NDArray[np.float64]


def draw(rng: np.random.Generator, clips: int, rates: Floats, *, stretch: float) -> tuple[Floats, Floats]:
    """Labels (N, S) and probabilities (N, S) whose logits are `stretch` times what they should be."""
    logits = rng.normal(0, 2, (clips, len(rates))) + np.log(rates / (1 - rates))
    true = (rng.random(logits.shape) < 1 / (1 + np.exp(-logits))).astype(float)
    return true, 1 / (1 + np.exp(-stretch * logits))


def test_without_shrinking_the_map_is_logistic_regression_on_the_logit() -> None:
    true, prob = draw(np.random.default_rng(0), 4000, np.array([0.1, 0.3]), stretch=2.0)
    maps = fit_maps(count_on_grid(true, prob), strength=Strength("platt", 0.0, 0.0))
    for s in range(2):
        logits = np.log(prob[:, [s]] / (1 - prob[:, [s]]))
        theirs = LogisticRegression(C=np.inf).fit(logits, true[:, s])
        wanted = [theirs.coef_[0, 0], theirs.coef_[0, 0], theirs.intercept_[0]]
        np.testing.assert_allclose(maps.weights[s], wanted, atol=0.01)


@pytest.mark.parametrize("basis", ["platt", "beta"])
def test_newton_finds_the_same_least_loss_as_scipy(basis: str) -> None:
    from primatrix.trust.maps import Problem

    true, prob = draw(np.random.default_rng(1), 500, np.array([0.02, 0.1, 0.3]), stretch=1.5)
    problem = Problem(count_on_grid(true, prob), strength=Strength(basis, 3.0, 0.5))
    free = problem.solve(problem.start())

    def loss(x: Floats) -> float:
        return problem.loss(x[problem.size :].reshape(3, -1), x[: problem.size])

    start = np.concatenate([problem.target, problem.start().ravel()])
    best = minimize(loss, start, method="BFGS", options={"gtol": 1e-6})
    np.testing.assert_allclose(free, best.x[problem.size :].reshape(3, -1), atol=2e-3)


def test_two_positives_follow_the_map_that_all_species_share() -> None:
    rng = np.random.default_rng(2)
    true, prob = draw(rng, 5000, np.array([0.2, 0.2, 0.2, 0.2, 0.2]), stretch=2.0)
    rare = np.flatnonzero(true[:, 4])[2:]
    true, prob = np.delete(true, rare, axis=0), np.delete(prob, rare, axis=0)
    alone = fit_maps(count_on_grid(true, prob), strength=Strength("platt", 0.0, 0.0)).weights[:, 0]
    held = fit_maps(count_on_grid(true, prob), strength=Strength("platt", 1000.0, 1.0)).weights[:, 0]
    assert held[4] == pytest.approx(0.5, abs=0.1)  # logits were stretched by 2
    assert abs(alone[4] - 0.5) > abs(held[4] - 0.5)


def test_no_map_turns_the_order_of_clips_round() -> None:
    prob = np.linspace(0.05, 0.95, 40)[:, None]
    true = (prob < 0.3).astype(float)
    for basis in ("platt", "beta"):
        maps = fit_maps(count_on_grid(true, prob), strength=Strength(basis, 0.1, 0.1))
        assert (np.diff(maps.on_grid()[:, 0]) > 0).all()
        assert maps.on_grid()[512, 0] == pytest.approx(true.mean(), abs=0.05)


def test_chosen_maps_lose_less_on_other_clips_than_none_or_unshrunk_ones() -> None:
    rates = np.geomspace(2e-4, 0.3, 24)
    losses = dict.fromkeys(("none", "unshrunk", "chosen"), 0.0)
    for seed in range(2):
        rng = np.random.default_rng(seed)
        true, prob = draw(rng, 4000, rates, stretch=1.6)
        test = count_on_grid(*draw(rng, 20_000, rates, stretch=1.6))
        folds = np.stack([count_on_grid(true[f::5], prob[f::5]) for f in range(5)])
        chosen, _ = choose_strength(folds)
        for name, strength in (("none", Strength("none")), ("unshrunk", Strength("platt", 1e-3, 1e-3)),
                               ("chosen", chosen)):  # fmt: skip
            losses[name] += grid_loss(fit_maps(folds.sum(axis=0), strength=strength).on_grid(), test)
    assert losses["chosen"] < losses["unshrunk"] < losses["none"]


def test_what_is_right_already_is_hardly_touched() -> None:
    true, prob = draw(np.random.default_rng(3), 5000, np.array([0.05, 0.2]), stretch=1.0)
    folds = np.stack([count_on_grid(true[f::5], prob[f::5]) for f in range(5)])
    strength, _ = choose_strength(folds)
    weights = fit_maps(folds.sum(axis=0), strength=strength).weights
    np.testing.assert_allclose(weights, [[1, 1, 0], [1, 1, 0]], atol=0.25)


def test_nothing_labelled_leaves_all_as_it_is() -> None:
    assert (
        fit_maps(np.zeros((2, 1025, 3)), strength=Strength("platt", 1, 1)).weights.tolist() == [[1, 1, 0]] * 3
    )
