import numpy as np
import pytest

from primatrix.errors import InputError
from primatrix.measures import logit_log_losses
from primatrix.training.stacking import fit_stack


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
    stacked, plain = (logit_log_losses(true[:, :2], z).mean() for z in (logits[:, :2], new[:, :2, 0]))
    assert stacked < 0.8 * plain


def test_a_species_with_two_clips_keeps_the_shared_weights() -> None:
    statistics, y = make_answers()
    weights = fit_stack(statistics, y, folds=np.arange(1500) % 5).weights
    assert np.abs(weights[2] - weights[:2].mean(axis=0))[:2].max() < 0.5


def test_one_fold_cannot_be_judged() -> None:
    statistics, y = make_answers(clips=20)
    with pytest.raises(InputError, match="got 1 folds, wanted 2 or more"):
        fit_stack(statistics, y, folds=np.zeros(20, int))
