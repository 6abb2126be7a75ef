import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from primatrix.errors import InputError
from primatrix.training.stacking import fit_logistic, fit_stack, log_loss


def test_the_fit_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 3))
    y = (rng.random(400) < 1 / (1 + np.exp(-x @ [1.0, -2.0, 0.5]))).astype(float)
    reference = LogisticRegression(C=1 / 5, fit_intercept=False, tol=1e-10).fit(x, y)
    np.testing.assert_allclose(
        fit_logistic(x, y, centre=np.zeros(3), penalty=5.0), reference.coef_[0], atol=1e-5
    )


def test_a_strong_penalty_keeps_the_centre_and_separable_clips_do_not_diverge() -> None:
    x, y = np.linspace(-1, 1, 50)[:, None], (np.arange(50) >= 25).astype(float)
    centre = np.array([3.0])
    assert fit_logistic(x, y, centre=centre, penalty=1e9)[0] == pytest.approx(3.0, abs=1e-3)
    assert 3 < fit_logistic(x, y, centre=centre, penalty=0.01)[0] < 100


def make_answers(*, clips: int = 1500, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Statistics whose second, not the first, is the truth for species 0 and 1; species 2 has two clips."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(-1, 2, (clips, 3))
    truth[:, 2] -= 7
    y = (rng.random((clips, 3)) < 1 / (1 + np.exp(-truth))).astype(float)
    y[:, 2] = 0
    y[np.argsort(truth[:, 2])[-2:], 2] = 1
    noisy = truth + rng.normal(0, 2, truth.shape)
    return np.stack([noisy, truth], axis=-1), y


def test_stacking_beats_the_mean_on_folds_left_out_and_on_new_clips() -> None:
    statistics, y = make_answers()
    stack = fit_stack(statistics, y, folds=np.arange(1500) % 5)
    assert stack.loss < 0.8 * stack.plain_loss
    new, true = make_answers(seed=1)
    logits = (new * stack.weights[:, :-1]).sum(axis=-1) + stack.weights[:, -1]
    assert log_loss(true[:, :2], logits[:, :2]) < 0.8 * log_loss(true[:, :2], new[:, :2, 0])


def test_a_species_with_two_clips_keeps_the_shared_weights() -> None:
    statistics, y = make_answers()
    weights = fit_stack(statistics, y, folds=np.arange(1500) % 5).weights
    assert np.abs(weights[2] - weights[:2].mean(axis=0))[:2].max() < 0.5


def test_one_fold_cannot_be_judged() -> None:
    statistics, y = make_answers(clips=20)
    with pytest.raises(InputError, match="got 1 folds, wanted 2 or more"):
        fit_stack(statistics, y, folds=np.zeros(20, int))
