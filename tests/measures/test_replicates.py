import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score, log_loss, roc_auc_score

from primatrix.measures.jackknife import Jackknife
from primatrix.measures.replicates import hit_shares, measure, measure_skipping

RNG = np.random.default_rng(0)
TRUE = (RNG.random((400, 3)) < [0.5, 0.2, 0.0]).astype(float)
PROB = np.clip(0.15 + 0.5 * TRUE + 0.3 * RNG.random(TRUE.shape), 0, 1)
NAMES = pd.Index([f"{i}.mp4" for i in range(400)])
SITES = pd.Series([f"s{i % 8}" for i in range(400)], index=NAMES)
HALF = np.full(3, 0.5)


def test_each_measure_equals_scikit_learns() -> None:
    groups = Jackknife.over(NAMES, sites=None)
    measured = measure(TRUE, PROB, thresholds=np.array([0.5, 0.4, 0.5]), groups=groups)
    for s, threshold in ((0, 0.5), (1, 0.4)):
        true, prob = TRUE[:, s], PROB[:, s]
        wanted = {
            "log_loss": log_loss(true, prob), "brier": brier_score_loss(true, prob),
            "average_precision": average_precision_score(true, prob), "roc_auc": roc_auc_score(true, prob),
            "f1": f1_score(true, prob >= threshold),
        }  # fmt: skip
        for name, value in wanted.items():
            assert measured.species[name][0, s] == pytest.approx(value), name
    for name in ("average_precision", "roc_auc", "f1", "precision", "recall"):
        assert np.isnan(measured.species[name][:, 2]).all(), name  # nobody shows it: no number, not 0
        assert np.isnan(measured.species_interval(name)[0][2]), name
        assert measured.overall[name][0] == pytest.approx(measured.species[name][0, :2].mean())


def test_a_replicate_is_the_measure_without_a_site() -> None:
    measured = measure(TRUE, PROB, thresholds=HALF, groups=Jackknife.over(NAMES, sites=SITES))
    rows = np.arange(400) % 8 != 1  # the second site's clips left out: the third row
    for s in (0, 1):
        true, prob = TRUE[rows, s], PROB[rows, s]
        assert measured.species["log_loss"][2, s] == pytest.approx(log_loss(true, prob))
        assert measured.species["f1"][2, s] == pytest.approx(f1_score(true, prob >= 0.5))
        assert measured.species["average_precision"][2, s] == pytest.approx(
            average_precision_score(true, prob)
        )
        assert measured.species["roc_auc"][2, s] == pytest.approx(roc_auc_score(true, prob), abs=1e-6)


def test_a_value_lies_in_its_interval_also_of_a_species_at_few_sites() -> None:
    """Drawn anew, most samples had no such clip, and the interval of the others excluded the value itself."""
    rng = np.random.default_rng(5)
    for at in range(1, 9):
        true = np.zeros((400, 1))
        true[rng.choice(np.flatnonzero(np.arange(400) % 8 < at), size=6, replace=False), 0] = 1
        prob = np.clip(0.2 * rng.random((400, 1)) + 0.15 * true, 0, 1)
        measured = measure(true, prob, thresholds=HALF[:1], groups=Jackknife.over(NAMES, sites=SITES))
        for name in ("average_precision", "roc_auc", "recall", "f1", "log_loss", "brier"):
            low, high = (float(end[0]) for end in measured.species_interval(name))
            value = float(measured.species[name][0, 0])
            assert np.isnan(low) or low <= value <= high, (at, name)
        if at < 4:
            assert np.isnan(measured.species_interval("average_precision")[0][0])


def test_a_species_at_one_site_widens_the_mean_over_species() -> None:
    groups = Jackknife.over(NAMES, sites=SITES)
    rare = np.zeros((400, 1))
    rare[[3, 11, 19], 0] = 1  # of one site
    both, guess = np.hstack([TRUE[:, :1], rare]), np.hstack([PROB[:, :1], 0.5 * rare + 0.1])
    alone = measure(TRUE[:, :1], PROB[:, :1], thresholds=HALF[:1], groups=groups)
    with_rare = measure(both, guess, thresholds=HALF[:2], groups=groups)
    (low, high), (lower, higher) = (m.overall_interval("average_precision") for m in (alone, with_rare))
    assert lower < low < high <= higher
    assert with_rare.overall["average_precision"][0] > lower


def test_calibration_errors_have_no_interval() -> None:
    measured = measure(TRUE, PROB, thresholds=HALF, groups=Jackknife.over(NAMES, sites=SITES))
    for name in ("calibration_error", "pooled_calibration_error", "top_label_calibration_error"):
        assert measured.overall[name].shape == (1,)
        assert np.isnan(measured.overall_interval(name)).all()
        assert np.isnan(measured.overall_difference(measured, name)).all()
    assert np.isnan(measured.species_interval("calibration_error")[0]).all()


def test_a_model_differs_from_itself_by_nothing() -> None:
    measured = measure(TRUE, PROB, thresholds=HALF, groups=Jackknife.over(NAMES, sites=SITES))
    assert measured.overall_difference(measured, "log_loss") == (0, 0)
    low, high = measured.species_difference(measured, "average_precision")
    assert (low[:2].tolist(), high[:2].tolist()) == ([0, 0], [0, 0])


def test_clips_of_one_site_are_measured_without_an_interval() -> None:
    sites = pd.Series("only", index=NAMES)
    measured = measure(TRUE, PROB, thresholds=HALF, groups=Jackknife.over(NAMES, sites=sites))
    for name in ("log_loss", "brier", "average_precision"):
        assert np.isfinite(measured.overall[name][0]), name
        assert np.isnan(measured.overall_interval(name)).all(), name


def test_a_clip_with_n_species_is_asked_for_n() -> None:
    true = np.array([[1.0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]])
    prob = np.array([[0.9, 0.2, 0.8, 0.1], [0.1, 0.5, 0.4, 0.3], [0.9, 0.9, 0.9, 0.9]])
    np.testing.assert_allclose(hit_shares(true, prob), [0.5, 0, 0])
    np.testing.assert_allclose(hit_shares(true, prob, extra=1), [1, 1, 0])
    groups = Jackknife.over(NAMES[:3], sites=None)
    overall = measure(true, prob, thresholds=np.full(4, 0.5), groups=groups).overall
    assert overall["top_n"][0] == pytest.approx(0.25)  # the clip without any species is not asked


def test_skipping_counts_blanks_above_the_score_that_loses_a_twentieth() -> None:
    rng = np.random.default_rng(3)
    keep = rng.random(400) < 0.5
    scores = np.where(keep, rng.normal(0, 1, 400), rng.normal(1.5, 1, 400))
    groups = Jackknife.over(NAMES, sites=SITES)

    def count(rows: np.ndarray) -> float:
        allowed = int(0.05 * keep[rows].sum())
        cut = np.sort(scores[rows][keep[rows]])[::-1][allowed]
        return float((scores[rows][~keep[rows]] > cut).mean())

    values, basis = measure_skipping(scores, keep, groups=groups)
    assert values[0] == pytest.approx(count(np.arange(400)))
    assert values[5] == pytest.approx(count(np.flatnonzero(np.arange(400) % 8 != 4)))
    assert basis.clips == (~keep).sum()
    assert measure_skipping(np.full(400, 0.5), keep, groups=groups)[0][0] == 0
    assert np.isnan(measure_skipping(scores, np.zeros(400, bool), groups=groups)[0]).all()
