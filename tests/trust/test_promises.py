"""The promise is kept as often as stated: calibration sets are drawn from populations whose truth is known."""

from typing import get_args

import numpy as np
import pytest
from scipy.stats import binom, norm

from primatrix.choices import Unit
from primatrix.errors import InputError
from primatrix.trust.promises import certify_cut, count_allowed

SETS = 500


def slack(rate: float) -> int:
    """More failures than this in 500 sets happen once in 10,000 times where the rate is as stated."""
    return int(binom.ppf(0.9999, SETS, rate))


@pytest.mark.parametrize("confidence", [0.9, 0.95])
@pytest.mark.parametrize("clips", [70, 400, 3000])
def test_promise_fails_no_more_often_than_stated(clips: int, confidence: float) -> None:
    draws = np.random.default_rng(clips).normal(size=(SETS, clips))
    cuts = [certify_cut(scores, max_loss=0.05, confidence=confidence) for scores in draws]
    true_loss = norm.sf(np.array(cuts, float))  # the share of all animals above the cut, known exactly
    failed = int((true_loss > 0.05).sum())
    assert failed <= slack(1 - confidence)
    allowed = count_allowed(clips, max_loss=0.05, confidence=confidence)
    exact = binom.cdf(allowed, clips, 0.05)  # how often it fails is known, so it may not be far below either
    assert failed >= binom.ppf(0.0001, SETS, exact)


def test_promise_holds_where_scores_are_tied() -> None:
    rng = np.random.default_rng(1)
    values, shares = np.array([0.0, 0.5, 0.9, 0.99]), np.array([0.8, 0.14, 0.03, 0.03])
    draws = rng.choice(values, p=shares, size=(SETS, 300))
    cuts = np.array([certify_cut(scores, max_loss=0.05, confidence=0.9) for scores in draws], float)
    lost = (shares * (values > cuts[:, None])).sum(axis=1)
    assert (lost > 0.05).sum() <= slack(0.1)


def draw_sites(rng: np.random.Generator, sites: int, clips: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of clips at sites that differ, the site of each, and each site's own mean."""
    means = rng.normal(size=(sites, 1))
    return (means + rng.normal(size=(sites, clips))).ravel(), np.repeat(np.arange(sites), clips), means[:, 0]


@pytest.mark.parametrize("sites", [60, 120])
def test_promise_by_sites_holds_for_new_sites_where_clips_of_a_site_are_alike(sites: int) -> None:
    rng = np.random.default_rng(sites)
    failed = 0
    for _ in range(SETS):
        scores, site, _ = draw_sites(rng, sites, 20)
        cut = certify_cut(scores, max_loss=0.05, confidence=0.9, unit="sites", sites=site)
        failed += cut is not None and norm.sf(cut / np.sqrt(2)) > 0.05  # the mean over all sites there are
    assert failed <= slack(0.1)


def test_counting_single_clips_breaks_the_promise_at_new_sites() -> None:
    """Why there is a unit `sites`: 20 alike clips of a site are not 20 independent ones."""
    rng = np.random.default_rng(0)
    failed = 0
    for _ in range(SETS):
        scores, _, _ = draw_sites(rng, 60, 20)
        cut = certify_cut(scores, max_loss=0.05, confidence=0.9)
        failed += cut is not None and norm.sf(cut / np.sqrt(2)) > 0.05
    assert failed > slack(0.1)


def test_promise_in_the_mean_holds_in_the_mean() -> None:
    rng = np.random.default_rng(2)
    losses = []
    for _ in range(SETS):
        scores, site, _ = draw_sites(rng, 40, 20)
        cut = certify_cut(scores, max_loss=0.05, unit="sites in the mean", sites=site)
        assert cut is not None
        losses.append(norm.sf(cut / np.sqrt(2)))
    assert np.mean(losses) <= 0.05 + 3 * np.std(losses) / np.sqrt(SETS)
    assert np.mean(losses) > 0.02  # and it is not bought by skipping nothing


@pytest.mark.parametrize(("unit", "sites", "enough"), [("sites", 47, False), ("sites", 48, True),
                                                       ("sites in the mean", 18, False),
                                                       ("sites in the mean", 19, True)])  # fmt: skip
def test_too_few_sites_promise_nothing(unit: Unit, sites: int, enough: bool) -> None:
    scores = np.arange(5.0 * sites)
    cut = certify_cut(scores, max_loss=0.05, confidence=0.9, unit=unit, sites=np.arange(5 * sites) % sites)
    assert (cut is not None) is enough


def test_no_clip_promises_nothing_and_wrong_wishes_are_refused() -> None:
    for unit in get_args(Unit):
        assert certify_cut(np.array([]), unit=unit, sites=np.array([], np.int64)) is None
    with pytest.raises(InputError, match="unit: got 'days'"):
        certify_cut(np.ones(9), unit="days")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="max_loss 5"):
        certify_cut(np.ones(9), max_loss=5)
    with pytest.raises(InputError, match="without sites"):
        certify_cut(np.ones(9), unit="sites")
