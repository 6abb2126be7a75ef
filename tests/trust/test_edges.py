import numpy as np
import pytest
from sklearn.metrics import f1_score

from primatrix.trust.edges import choose_ceilings, choose_floors, choose_thresholds


def test_floor_of_a_species_never_seen_is_laplaces() -> None:
    mapped, counts = np.array([[1e-6], [1e-5]]), np.array([[[600.0], [398.0]], [[0.0], [0.0]]])
    assert choose_floors(mapped, counts)[0] == pytest.approx(1 / 1000)


def test_floor_rises_to_the_share_of_misses_below_it() -> None:
    mapped, counts = np.array([[1e-6], [0.6]]), np.array([[[990.0], [100.0]], [[10.0], [200.0]]])
    assert choose_floors(mapped, counts)[0] == pytest.approx(0.01, rel=0.15)


def test_ceiling_falls_to_the_share_that_was_right_above_it() -> None:
    mapped, counts = np.array([[1e-4], [1 - 1e-6]]), np.array([[[5000.0], [50.0]], [[0.0], [950.0]]])
    ceiling = choose_ceilings(mapped, counts)[0]
    assert ceiling + 0.1 * (1 - ceiling) == pytest.approx(0.95, abs=0.01)  # where the sure clips end up


def test_ceiling_of_a_species_with_few_sure_clips_listens_to_the_others() -> None:
    mapped = np.tile([[1e-4], [1 - 1e-6]], (1, 2))
    counts = np.array([[[5000.0, 5000.0], [100.0, 0.0]], [[0.0, 0.0], [900.0, 2.0]]])
    common, rare = choose_ceilings(mapped, counts)
    assert common + 0.1 * (1 - common) == pytest.approx(0.9, abs=0.01)  # where the sure clips end up
    assert 0.85 < rare < 1 - 1 / (2 + 10 + 2) + 1e-9


def test_threshold_finds_the_best_f1_of_calibrated_probabilities() -> None:
    rng = np.random.default_rng(0)
    prob = rng.beta(0.3, 2, 20_000)
    true = rng.random(len(prob)) < prob
    edges = np.linspace(0, 1, 501)
    clips = np.histogram(prob, edges)[0].astype(float)
    threshold = choose_thresholds(((edges[1:] + edges[:-1]) / 2)[:, None], clips[:, None])[0]
    scores = [f1_score(true, prob >= t) for t in np.linspace(0.05, 0.6, 56)]
    assert f1_score(true, prob >= threshold) > max(scores) - 0.01


def test_threshold_of_a_species_nobody_could_find_is_a_tenth() -> None:
    assert choose_thresholds(np.array([[1e-4], [2e-4]]), np.array([[500.0], [500.0]]))[0] == 0.1
