import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score, log_loss, roc_auc_score

from primatrix.measures.bootstrap import Resample
from primatrix.measures.replicates import hit_shares, measure, measure_skipping

RNG = np.random.default_rng(0)
TRUE = (RNG.random((400, 3)) < [0.5, 0.2, 0.0]).astype(float)
PROB = np.clip(0.15 + 0.5 * TRUE + 0.3 * RNG.random(TRUE.shape), 0, 1)
NAMES = pd.Index([f"{i}.mp4" for i in range(400)])


def test_each_measure_equals_scikit_learns() -> None:
    drawn = Resample.draw(NAMES, sites=None, replicates=5)
    measured = measure(TRUE, PROB, thresholds=np.array([0.5, 0.4, 0.5]), resample=drawn)
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
        assert measured.overall[name][0] == pytest.approx(measured.species[name][0, :2].mean())


def test_a_replicate_is_the_measure_of_the_clips_drawn() -> None:
    sites = pd.Series([f"s{i % 8}" for i in range(400)], index=NAMES)
    drawn = Resample.draw(NAMES, sites=sites, replicates=3)
    measured = measure(TRUE, PROB, thresholds=np.full(3, 0.5), resample=drawn)
    rows = np.concatenate([np.repeat(np.arange(i, 400, 8), int(n)) for i, n in enumerate(drawn.weights[1])])
    for s in (0, 1):
        true, prob = TRUE[rows, s], PROB[rows, s]
        assert measured.species["log_loss"][2, s] == pytest.approx(log_loss(true, prob))
        assert measured.species["f1"][2, s] == pytest.approx(f1_score(true, prob >= 0.5))
        assert measured.species["average_precision"][2, s] == pytest.approx(
            average_precision_score(true, prob)
        )
        assert measured.species["roc_auc"][2, s] == pytest.approx(roc_auc_score(true, prob), abs=1e-6)


def test_a_clip_with_n_species_is_asked_for_n() -> None:
    true = np.array([[1.0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]])
    prob = np.array([[0.9, 0.2, 0.8, 0.1], [0.1, 0.5, 0.4, 0.3], [0.9, 0.9, 0.9, 0.9]])
    np.testing.assert_allclose(hit_shares(true, prob), [0.5, 0, 0])
    np.testing.assert_allclose(hit_shares(true, prob, extra=1), [1, 1, 0])
    drawn = Resample.draw(NAMES[:3], sites=None, replicates=2)
    overall = measure(true, prob, thresholds=np.full(4, 0.5), resample=drawn).overall
    assert overall["top_n"][0] == pytest.approx(0.25)  # the clip without any species is not asked


def test_skipping_counts_blanks_above_the_score_that_loses_a_twentieth() -> None:
    rng = np.random.default_rng(3)
    keep = rng.random(400) < 0.5
    scores = np.where(keep, rng.normal(0, 1, 400), rng.normal(1.5, 1, 400))
    drawn = Resample.draw(NAMES, sites=None, replicates=20)
    allowed = int(0.05 * keep.sum())
    cut = np.sort(scores[keep])[::-1][allowed]
    values = measure_skipping(scores, keep, resample=drawn)
    assert values[0] == pytest.approx((scores[~keep] > cut).mean(), abs=0.02)
    assert 0.01 < values[1:].std() < 0.15
    assert measure_skipping(np.full(400, 0.5), keep, resample=drawn)[0] == 0
    assert np.isnan(measure_skipping(scores, np.zeros(400, bool), resample=drawn)).all()
