import numpy as np
import pandas as pd
import pytest

from primatrix.trust.calibration import Calibration
from primatrix.trust.fit import fit_calibration
from primatrix.trust.followup import follow_points

SPECIES = ["blank", "duiker"]
INDEX = pd.RangeIndex(400)
SITES = pd.Series([f"site{i % 20}" for i in INDEX], index=INDEX)


@pytest.fixture(scope="module")
def clips() -> tuple[pd.DataFrame, np.ndarray, Calibration]:
    """Labels, calibrated probabilities and the calibration of another 400 clips."""
    rng = np.random.default_rng(0)
    tables = []
    for _ in range(2):
        true = np.eye(2)[(rng.random(400) < 0.5).astype(int)]
        logits = 4 * true - 2 + rng.normal(0, 1.5, true.shape)
        tables.append((pd.DataFrame(true, INDEX, SPECIES), 1 / (1 + np.exp(-logits))))
    (learned, own), (true, prob) = tables
    calibration = fit_calibration(learned, pd.DataFrame(own, INDEX, SPECIES), source="validation")
    return true, calibration.apply(prob), calibration


def test_a_point_is_followed_by_what_it_lost_and_saved(
    clips: tuple[pd.DataFrame, np.ndarray, Calibration],
) -> None:
    true, prob, calibration = clips
    points = follow_points(true, prob, calibration, sites=SITES, seconds=pd.Series(30.0, index=INDEX))
    skip = points.loc["skip blank"]
    cut = calibration.operating_points["skip blank"].threshold
    assert cut is not None
    lost = int(((prob[:, 0] > cut) & (true["duiker"] == 1)).sum())
    assert (skip["lost"], skip["clips"]) == (lost, int(true["duiker"].sum()))
    assert skip["loss"] == skip["lost"] / skip["clips"] < 0.09
    assert skip["loss_low"] <= skip["loss"] <= skip["loss_high"]
    assert skip["blanks_skipped_low"] < skip["blanks_skipped"] < skip["blanks_skipped_high"]
    assert skip["hours"] == pytest.approx(400 * 30 / 3600)
    assert skip["hours_saved"] == pytest.approx(skip["hours"] * skip["footage_skipped"])
    assert points.index.tolist() == ["skip blank", "find duiker"]


def test_what_is_lost_at_one_site_is_less_sure_than_what_is_lost_everywhere(
    clips: tuple[pd.DataFrame, np.ndarray, Calibration],
) -> None:
    """Animals of one site all lost: Clopper and Pearson's interval took them for so many proofs."""
    true, prob, calibration = clips
    lost = (SITES == "site3").to_numpy() & (true["duiker"] == 1).to_numpy()
    prob = np.where(
        lost[:, None], [1.0, 0.0], np.where(true["duiker"].to_numpy()[:, None] == 1, [0.0, 1.0], prob)
    )
    alone = follow_points(true, prob, calibration, sites=SITES, seconds=None).loc["skip blank"]
    ignoring = follow_points(true, prob, calibration, sites=None, seconds=None).loc["skip blank"]
    assert alone["lost"] == ignoring["lost"] == lost.sum()
    assert alone["loss_low"] < ignoring["loss_low"] < ignoring["loss_high"] < alone["loss_high"]
    assert alone["loss_high"] > 2 * ignoring["loss_high"]


def test_with_few_sites_there_is_a_share_and_no_interval(
    clips: tuple[pd.DataFrame, np.ndarray, Calibration],
) -> None:
    true, prob, calibration = clips
    few = pd.Series([f"site{i % 3}" for i in INDEX], index=INDEX)
    skip = follow_points(true, prob, calibration, sites=few, seconds=None).loc["skip blank"]
    assert np.isfinite(skip["loss"])
    assert np.isnan([skip["loss_low"], skip["loss_high"], skip["blanks_skipped_low"]]).all()


def test_without_a_calibration_there_is_nothing_to_follow(
    clips: tuple[pd.DataFrame, np.ndarray, Calibration],
) -> None:
    assert follow_points(clips[0], clips[1], None, sites=None, seconds=None).empty
