import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, t

from primatrix.measures.intervals import (
    Spread,
    clopper_pearson,
    count_effective,
    difference_interval,
    loss_interval,
    share_interval,
    share_variance,
)
from primatrix.measures.jackknife import Jackknife

Floats = np.ndarray


def spread_of_share(lost: Floats, of: Floats) -> Spread:
    """The spread of a share over groups that lost so many of so many clips."""
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = np.append(lost.sum() / of.sum(), (lost.sum() - lost) / (of.sum() - of))
    return Spread.of(shares, decide=[of])


def limits(lost: list[float], of: list[float]) -> tuple[float, float]:
    low, high = share_interval(spread_of_share(np.array(lost, float), np.array(of, float)), clips=sum(of))
    return float(low), float(high)


@pytest.mark.parametrize(("hits", "clips"), [(0, 10), (3, 10), (10, 10), (500, 9999)])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_interval_of_single_clips_is_scipys_exact_one(hits: int, clips: int, confidence: float) -> None:
    theirs = binomtest(hits, clips).proportion_ci(confidence, method="exact")
    assert clopper_pearson(hits, clips, confidence=confidence) == pytest.approx((theirs.low, theirs.high))


def test_none_and_all_of_single_clips_end_at_0_and_1_exactly() -> None:
    assert clopper_pearson(0, 7)[0] == 0.0
    assert clopper_pearson(7, 7)[1] == 1.0
    assert np.isnan(clopper_pearson(0, 0)).all()


def test_sites_of_unequal_weight_are_worth_fewer() -> None:
    assert count_effective([5, 5, 5, 5]) == 4
    assert count_effective([9, 1]) == pytest.approx(100 / 82)
    assert count_effective(np.array([[1, 0], [1, 0]])).tolist() == [2, 0]


def test_a_share_that_differs_between_sites_is_less_sure_than_its_clips() -> None:
    alike, apart = limits([2] * 10, [40] * 10), limits([20, *[0] * 9], [40] * 10)
    exact = clopper_pearson(20, 400)
    assert alike == pytest.approx(limits([2] * 10, [40] * 10))
    assert alike[1] - alike[0] > exact[1] - exact[0]
    assert apart[1] - apart[0] > 4 * (exact[1] - exact[0])
    for low, high in (alike, apart):
        assert low < 0.05 < high


def test_none_lost_at_ten_sites_is_not_none_lost_of_400_clips() -> None:
    """Nothing is known of how sites differ: as sure as ten sites that lose all or nothing, 1 - 0.025^(1/10)."""
    low, high = limits([0] * 10, [40] * 10)
    assert low == 0
    assert high == pytest.approx(1 - 0.025 ** (1 / 10))
    assert limits([40] * 10, [40] * 10) == pytest.approx((0.025 ** (1 / 10), 1))


def test_fewer_than_four_sites_have_no_interval() -> None:
    assert np.isnan(limits([1, 2, 3], [40] * 3)).all()
    assert np.isfinite(limits([1, 2, 3, 1], [40] * 4)).all()
    assert np.isnan(limits([1, 2, 3, 1, 0], [400, 1, 1, 1, 1])).all()  # worth one site


def test_a_measure_that_is_nothing_without_a_site_has_an_interval_around_itself() -> None:
    values = np.array([0.6, np.nan, 0.62, 0.6, 0.55, 0.6])
    low, high = share_interval(Spread.of(values, decide=[np.ones(5)]), clips=30)
    assert low < 0.6 < high
    nothing = Spread.of(np.full(6, np.nan), decide=[np.ones(5)])
    assert np.isnan(share_interval(nothing, clips=30)).all()


def test_variance_that_the_jackknife_does_not_see_widens_a_share() -> None:
    spread = spread_of_share(np.array([2.0, 3, 2, 1, 2]), np.full(5, 40.0))
    plain, wider = (share_interval(spread, clips=200, added=added) for added in (0.0, 0.01))
    assert wider[0] < plain[0] < plain[1] < wider[1]
    one_site = Spread.of(np.array([0.5, np.nan, 0.5]), decide=[np.array([3.0, 0])])
    assert one_site.variance == 0
    assert share_variance(one_site, clips=3.0) > 0.0009


def test_a_loss_allows_for_one_more_site_as_bad_as_the_worst() -> None:
    spread = Spread.of(np.array([1.0, 0.9, 1.1, 1.0, 0.95, 1.05]), decide=[np.ones(5)])
    calm, stormy = (loss_interval(spread, worst=worst) for worst in (0.2, 0.8))
    assert calm[0] == stormy[0] < 1 < calm[1] < stormy[1]
    same = Spread.of(np.full(6, 0.3), decide=[np.ones(5)])
    assert loss_interval(same, worst=0.06) == (0.3, 0.3)


def test_a_difference_has_students_interval_on_both_sides() -> None:
    values = np.array([0.1, 0.12, 0.08, 0.11, 0.09, 0.1])
    low, high = difference_interval(Spread.of(values, decide=[np.ones(5)]))
    variance = 4 / 5 * (0.02**2 + 0.02**2 + 0.01**2 + 0.01**2)
    making = (2 * 0.02**2 + 2 * 0.01**2) ** 2 / (2 * 0.02**4 + 2 * 0.01**4)
    half = t.ppf(0.975, min(5, 1.25 * making) - 1) * np.sqrt(variance)
    assert (low, high) == pytest.approx((0.1 - half, 0.1 + half))


def test_intervals_of_a_share_cover_95_percent_over_sites_that_differ() -> None:
    """Site means are logit-normal, half of the variance between sites; Clopper and Pearson's would cover 55 %."""
    rng = np.random.default_rng(0)
    means = 1 / (1 + np.exp(3.5 - 1.2 * rng.normal(size=200_000)))
    truth, held, ignoring = means.mean(), 0, 0
    for _ in range(400):
        of = np.maximum(3, rng.lognormal(3.5, 0.7, 15)).astype(int)
        lost = rng.binomial(of, rng.choice(means, 15))
        low, high = limits(lost.tolist(), of.tolist())
        held += low <= truth <= high
        exact = clopper_pearson(int(lost.sum()), int(of.sum()))
        ignoring += exact[0] <= truth <= exact[1]
    assert held >= 0.93 * 400
    assert ignoring < 0.8 * 400


def test_leaving_groups_of_clips_out_tells_the_spread_of_a_quantile() -> None:
    """The jackknife's bias of a quantile is noise, often larger than its error: no more than that is believed."""
    rng, errors = np.random.default_rng(1), []
    names = pd.RangeIndex(4000)
    for _ in range(20):
        values = rng.normal(size=4000)
        groups = Jackknife.over(names, sites=None, seed=int(rng.integers(99)))
        parts = [
            np.quantile(values, 0.95),
            *(np.quantile(values[groups.group != g], 0.95) for g in range(100)),
        ]
        errors.append(float(np.sqrt(Spread.of(np.array(parts), decide=[np.ones(100)]).variance)))
    true_error = np.sqrt(0.05 * 0.95 / 4000) / 0.1031  # by the density of the normal distribution there
    assert true_error < np.median(errors) < 1.6 * true_error
