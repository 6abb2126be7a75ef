from typing import get_args

import numpy as np
import pandas as pd
import pytest

from primatrix.choices import Unit
from primatrix.errors import InputError
from primatrix.measures import aggregated_log_loss
from primatrix.trust.fit import fit_calibration
from primatrix.trust.points import Promise

SPECIES = ["blank", "duiker", "hog", "lion"]
RATES = np.array([0.6, 0.3, 0.0995, 0.0005])


def draw(clips: int, *, seed: int, sites: int = 50) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """One species per clip, and probabilities twice as sure as they should be."""
    rng = np.random.default_rng(seed)
    index = pd.Index([f"{seed}-{i}.mp4" for i in range(clips)], name="filename")
    true = np.eye(4)[rng.choice(4, p=RATES, size=clips)]
    logits = np.log(RATES) + 4 * true + rng.normal(0, 1.5, true.shape)
    prob = 1 / (1 + np.exp(-2 * logits))
    site = pd.Series([f"site{i}" for i in rng.integers(sites, size=clips)], index=index)
    return pd.DataFrame(true, index, SPECIES), pd.DataFrame(prob, index, SPECIES), site


def test_calibrated_predictions_lose_less_at_new_sites() -> None:
    labels, predictions, sites = draw(6000, seed=0)
    calibration = fit_calibration(labels, predictions, source="validation", sites=sites)
    test, own, _ = draw(20_000, seed=1)
    mapped = pd.DataFrame(calibration.apply(own.to_numpy()), own.index, own.columns)
    assert aggregated_log_loss(test, mapped) < 0.8 * aggregated_log_loss(test, own)
    bins = pd.qcut(mapped["blank"], 15)
    gaps = (mapped["blank"] - test["blank"]).groupby(bins, observed=True).mean().abs()
    assert gaps.mean() < 0.02
    calibration.check_unseen(test.index)
    assert calibration.fitted_on.clips == 6000
    assert calibration.fitted_on.sites == 50
    assert calibration.fitted_on.positives["lion"] == int(labels["lion"].sum())


def test_same_clips_in_another_order_give_the_same_calibration() -> None:
    labels, predictions, sites = draw(1500, seed=2)
    one = fit_calibration(labels, predictions, source="out-of-fold", sites=sites)
    two = fit_calibration(labels, predictions.sample(frac=1, random_state=0)[SPECIES[::-1]],
                          source="out-of-fold", sites=sites)  # fmt: skip
    assert one == two


def test_clips_without_probabilities_are_left_out() -> None:
    labels, predictions, _ = draw(300, seed=3)
    predictions.iloc[:100] = np.nan
    assert fit_calibration(labels, predictions, source="validation").fitted_on.clips == 200
    predictions[:] = np.nan
    with pytest.raises(InputError, match="got 0 labelled clips with probabilities"):
        fit_calibration(labels, predictions, source="validation")


def test_predictions_for_training_clips_are_refused() -> None:
    labels, predictions, _ = draw(100, seed=3)
    with pytest.raises(InputError, match="source: got 'training', wanted out-of-fold or validation"):
        fit_calibration(labels, predictions, source="training")  # type: ignore[arg-type]


def test_one_site_is_calibrated_over_its_clips() -> None:
    labels, predictions, _ = draw(300, seed=4)
    sites = pd.Series("north", index=labels.index)
    assert fit_calibration(labels, predictions, source="validation", sites=sites).fitted_on.sites == 1


def test_clips_of_unknown_sites_are_not_counted_as_sites() -> None:
    labels, predictions, sites = draw(300, seed=4, sites=5)
    sites.iloc[:100] = ""
    assert fit_calibration(labels, predictions, source="validation", sites=sites).fitted_on.sites == 5


@pytest.mark.parametrize("unit", get_args(Unit))
def test_skipping_blanks_keeps_its_promise_on_new_clips(unit: Unit) -> None:
    labels, predictions, sites = draw(4000, seed=5, sites=80)
    calibration = fit_calibration(
        labels, predictions, source="validation", sites=sites, promise=Promise(unit=unit)
    )
    point = calibration.operating_points["skip blank"]
    assert point.score == "blank"
    assert point.unit == unit
    assert point.units == (int((labels["blank"] == 0).sum()) if unit == "clips" else 80)
    test, own, _ = draw(20_000, seed=6)
    dropped = point.drops(calibration.apply(own.to_numpy())[:, 0])
    blank = test["blank"].to_numpy() == 1
    assert dropped[~blank].mean() <= 0.055
    assert point.saved is not None
    assert point.footage is not None
    assert point.saved[1] - 0.02 < dropped[blank].mean() < point.saved[2] + 0.02
    assert point.footage[1] - 0.02 < dropped.mean() < point.footage[2] + 0.02
    assert point.recall["duiker"] == pytest.approx(1 - dropped[test["duiker"] == 1].mean(), abs=0.03)
