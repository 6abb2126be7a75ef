import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primatrix.report.counts import count_distribution, estimate_count


@settings(max_examples=30)
@given(st.lists(st.floats(0, 1), max_size=40))
def test_the_distribution_of_a_count_has_its_mean_and_variance(values: list[float]) -> None:
    distribution = count_distribution(values)
    p, k = np.array(values), np.arange(len(values) + 1)
    assert distribution.sum() == pytest.approx(1)
    assert (k * distribution).sum() == pytest.approx(p.sum(), abs=1e-9)
    assert (k**2 * distribution).sum() - p.sum() ** 2 == pytest.approx((p * (1 - p)).sum(), abs=1e-7)


def test_equal_probabilities_give_the_binomial_interval() -> None:
    count = estimate_count(np.full(100, 0.1))
    assert (round(count.expected, 9), count.low, count.high) == (
        10.0,
        5,
        16,
    )  # scipy's binom(100, .1).interval(.95)


def test_ten_thousand_clips_are_counted_as_exactly_as_few() -> None:
    values = np.random.default_rng(0).beta(0.1, 2, 10_000)
    count, deviation = estimate_count(values), np.sqrt((values * (1 - values)).sum())
    assert count.low == pytest.approx(count.expected - 1.96 * deviation, abs=1.5)
    assert count.high == pytest.approx(count.expected + 1.96 * deviation, abs=1.5)


def test_sure_clips_leave_no_doubt_and_no_clips_count_none() -> None:
    assert (estimate_count([1, 1, 0]).low, estimate_count([1, 1, 0]).high) == (2, 2)
    assert estimate_count([]).high == 0
