"""The linear head: strength chosen over sites, rare species weighed, probabilities put right where it helps."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from primatrix.errors import InputError
from primatrix.training import head as module
from primatrix.training.head import fit_head


def make_clips(
    count: int, *, features: int = 20, species: int = 3, seed: int = 0, shift: float = 1.0
) -> tuple:
    """Features (N, F) of clips of one species each, 0/1 labels (N, S)."""
    rng = np.random.default_rng(seed)
    which = rng.integers(0, species, count)
    centres = np.random.default_rng(99).normal(0, shift, (species, features))
    x = (centres[which] + rng.normal(size=(count, features))).astype(np.float32)
    return x, np.eye(species, dtype=np.float32)[which]


def answer(head: module.Head, x: np.ndarray) -> np.ndarray:
    return (x - head.shift) / head.scale @ head.weights.T + head.bias


def test_what_was_learned_holds_for_clips_not_seen() -> None:
    x, y = make_clips(300)
    head = fit_head(x, y, folds=np.arange(300) % 4)
    new, true = make_clips(500, seed=1)
    assert (answer(head, new).argmax(1) == true.argmax(1)).mean() > 0.95
    assert head.loss < 0.15


def test_the_solution_is_that_of_a_known_library() -> None:
    """With the same weights of clips and the same penalty scikit-learn finds the same logits."""
    x, y = make_clips(120, features=8)
    z = (x - x.mean(0)) / x.std(0)
    weights, bias = module._fit(*[z, y], penalty=30.0)
    for species in range(3):
        known = LogisticRegression(C=1 / 30, class_weight="balanced", tol=1e-8, max_iter=1000)
        known.fit(z, y[:, species])
        np.testing.assert_allclose(
            z @ weights[species] + bias[species], known.decision_function(z), atol=0.02
        )


@pytest.mark.parametrize(("count", "features"), [(30, 200), (200, 30)])
def test_turning_features_changes_no_answer(count: int, features: int) -> None:
    x, _ = make_clips(count, features=features)
    z = (x - x.mean(0)) / x.std(0)
    turned, directions = module._turn(z)
    np.testing.assert_allclose(turned @ directions, z, atol=1e-3)
    np.testing.assert_allclose(directions @ directions.T, np.eye(len(directions)), atol=1e-3)


def test_a_rare_species_is_found_among_many_clips_of_others() -> None:
    rng = np.random.default_rng(0)
    y = np.zeros((200, 1), np.float32)
    y[:8] = 1
    x = (rng.normal(size=(200, 10)) + 2 * y).astype(np.float32)
    head = fit_head(x, y, folds=np.arange(200) % 4)
    new = (rng.normal(size=(50, 10)) + 2).astype(np.float32)
    assert (answer(head, new) > answer(head, new - 2)).mean() > 0.99


def test_answers_left_out_know_nothing_of_their_own_fold() -> None:
    """Labels drawn by lot cannot be told: a head that saw the clip would tell them."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 300)).astype(np.float32)
    y = (rng.random((80, 1)) < 0.5).astype(np.float32)
    head = fit_head(x, y, folds=np.arange(80) % 4)
    told = ((head.left_out > 0) == y).mean()
    assert 0.3 < told < 0.7


def test_a_species_of_one_site_alone_keeps_its_answers() -> None:
    """Left out, its site is answered by heads that never saw it: they must not decide that it is nowhere."""
    x, y = make_clips(200)
    site = np.where(y[:, 0] > 0, 0, 1 + np.arange(200) % 3)
    head = fit_head(x, y, folds=site)
    new, true = make_clips(300, seed=1)
    answers = answer(head, new)[:, 0]
    assert answers[true[:, 0] > 0].mean() > 0 > answers[true[:, 0] == 0].mean()


def test_probabilities_of_many_clips_are_those_of_their_species() -> None:
    """One clip in twenty shows the species, of 2,000: without a map its mean probability is several times that."""
    rng = np.random.default_rng(0)
    y = (rng.random((2000, 1)) < 0.05).astype(np.float32)
    x = (rng.normal(size=(2000, 5)) + 0.5 * y).astype(np.float32)
    head = fit_head(x, y, folds=np.arange(2000) % 4)
    probabilities = 1 / (1 + np.exp(-answer(head, x)))
    assert probabilities.mean() == pytest.approx(0.05, abs=0.01)


def test_the_same_input_gives_the_same_head() -> None:
    x, y = make_clips(60)
    one, other = (fit_head(x, y, folds=np.arange(60) % 3) for _ in range(2))
    np.testing.assert_array_equal(one.weights, other.weights)
    np.testing.assert_array_equal(one.bias, other.bias)


def test_too_few_clips_are_refused() -> None:
    x, y = make_clips(3)
    with pytest.raises(InputError, match=r"got 1 clips in 1 parts, wanted 2 or more"):
        fit_head(x[:1], y[:1], folds=np.zeros(1, np.int64))


def test_what_never_differed_in_training_says_little_later() -> None:
    """A feature that was 0 on all clips, and is not on the next one, must not drown what was learned."""
    x, y = make_clips(60)
    x[:, 7] = 0
    head = fit_head(x, y, folds=np.arange(60) % 3)
    new = x.copy()
    new[:, 7] = 3
    assert np.abs(answer(head, new) - answer(head, x)).max() < 0.5
