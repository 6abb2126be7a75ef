import numpy as np
import pandas as pd
import pytest

from primatrix.measures.bootstrap import Resample, percentiles

NAMES = pd.Index([f"{i}.mp4" for i in range(300)])


def test_a_site_is_drawn_whole() -> None:
    sites = pd.Series([f"site{i % 10}" for i in range(300)], index=NAMES)
    drawn = Resample.draw(NAMES, sites=sites, replicates=50)
    assert drawn.unit == "sites"
    assert drawn.weights.shape == (50, 10)
    assert (drawn.weights.sum(axis=1) == 10).all()
    values = np.random.default_rng(0).random((300, 3))
    by_hand = [sum(w * values[i::10].sum(axis=0) for i, w in enumerate(row)) for row in drawn.weights]
    np.testing.assert_allclose(drawn.replicate_sums(values), by_hand)


def test_clips_without_a_site_are_not_called_sites() -> None:
    nowhere = pd.Series("", index=NAMES)
    assert Resample.draw(NAMES, sites=nowhere, replicates=2).unit == "clips"
    assert Resample.draw(NAMES, sites=nowhere.rename(lambda name: f"x/{name}"), replicates=2).unit == "clips"
    partly = nowhere.where(NAMES[0] != NAMES, "north")
    assert Resample.draw(NAMES, sites=partly, replicates=2).unit == "sites and clips without one"


def test_interval_of_a_mean_over_clips_is_the_textbooks() -> None:
    names = pd.Index([f"{i}.mp4" for i in range(5000)])
    values = np.random.default_rng(1).normal(size=5000)
    drawn = Resample.draw(names, sites=None, replicates=2000)
    assert drawn.weights.shape[1] == 1000  # clips are dealt into groups
    means = drawn.replicate_sums(values) / drawn.replicate_sums(np.ones(5000))
    low, high = percentiles(means)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(5000), rel=0.1)


@pytest.mark.parametrize("sized", [1, 3000, 5000])
def test_more_units_than_are_drawn_one_by_one_are_drawn_in_groups(sized: int) -> None:
    names = pd.Index([f"{i}.mp4" for i in range(5000)])
    sites = pd.Series([f"s{i // 2}" if i < sized else "" for i in range(5000)], index=names)
    values = np.random.default_rng(1).normal(size=5000)
    drawn = Resample.draw(names, sites=sites, replicates=2000)
    assert drawn.weights.shape == (2000, 1000)
    whole = sized // 2 * 2
    assert (drawn.unit_of_clip[0:whole:2] == drawn.unit_of_clip[1:whole:2]).all()  # sites stay whole
    means = drawn.replicate_sums(values) / drawn.replicate_sums(np.ones(5000))
    low, high = percentiles(means)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(5000), rel=0.1)


def test_sites_that_differ_widen_the_interval() -> None:
    rng = np.random.default_rng(2)
    values = np.repeat(rng.normal(size=30), 10) + 0.1 * rng.normal(size=300)
    sites = pd.Series(np.repeat([f"s{i}" for i in range(30)], 10), index=NAMES)
    widths = []
    for known in (sites, None):
        drawn = Resample.draw(NAMES, sites=known)
        low, high = percentiles(drawn.replicate_sums(values) / drawn.replicate_sums(np.ones(300)))
        widths.append(high - low)
    assert widths[0] > 2.5 * widths[1]


def test_replicates_without_a_value_are_left_out() -> None:
    low, high = percentiles(
        np.array([[1.0, np.nan], [2.0, np.nan], [3.0, 1.0], [np.nan, np.nan]]), confidence=0.5
    )
    assert (low[0], high[0]) == (1.5, 2.5)
    assert np.isnan([low[1], high[1]]).all()
