import numpy as np
import pytest

from primatrix.measures.reliability import BINS, bin_probabilities, calibration_error, reliability_table


def test_bins_hold_about_equally_many_clips_or_positives() -> None:
    prob = np.random.default_rng(0).beta(0.2, 5, 30_000)
    bins = bin_probabilities(prob)
    assert bins.max() < BINS
    clips, mass = np.bincount(bins), np.bincount(bins, weights=prob)
    assert clips.max() <= 1.01 * len(prob) / 15
    assert mass.max() <= 1.05 * prob.sum() / 10


def test_error_is_the_mean_gap_weighted_by_clips() -> None:
    prob, true = np.repeat([0.2, 0.6], 50), np.concatenate([np.zeros(50), np.ones(50)])
    table = reliability_table(true, prob)
    assert table["clips"].tolist() == [50, 50]
    np.testing.assert_allclose(table["probability"], [0.2, 0.6])
    np.testing.assert_allclose(table["share"], [0, 1])
    gaps = (table["clips"] * (table["probability"] - table["share"])).to_numpy()
    assert calibration_error(gaps, 100) == pytest.approx((0.2 + 0.4) / 2)


def test_probabilities_that_come_true_have_a_small_error_and_others_have_not() -> None:
    rng = np.random.default_rng(1)
    prob = rng.beta(0.3, 3, 50_000)
    for given, low, high in ((prob, 0, 0.006), (prob**0.5, 0.1, 0.4)):
        table = reliability_table((rng.random(len(prob)) < prob).astype(float), given)
        gaps = (table["clips"] * (table["probability"] - table["share"])).to_numpy()
        assert low < calibration_error(gaps, len(prob)) < high
