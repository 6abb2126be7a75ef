import numpy as np
import pandas as pd
import pytest

from primatrix.measures.jackknife import Jackknife

NAMES = pd.Index([f"{i}.mp4" for i in range(300)])


def test_a_site_is_left_out_whole() -> None:
    sites = pd.Series([f"site{i % 10}" for i in range(300)], index=NAMES)
    groups = Jackknife.over(NAMES, sites=sites)
    assert (groups.unit, groups.units, groups.groups) == ("sites", 10, 10)
    values = np.random.default_rng(0).random((300, 3))
    by_hand = [
        values.sum(axis=0),
        *(np.delete(values, slice(i, 300, 10), axis=0).sum(axis=0) for i in range(10)),
    ]
    np.testing.assert_allclose(groups.replicate_sums(values), by_hand)
    np.testing.assert_allclose(groups.sum_by_group(values)[3], values[3::10].sum(axis=0))


def test_clips_without_a_site_are_not_called_sites() -> None:
    nowhere = pd.Series("", index=NAMES)
    assert Jackknife.over(NAMES, sites=nowhere).unit == "clips"
    assert Jackknife.over(NAMES, sites=nowhere.rename(lambda name: f"x/{name}")).unit == "clips"
    partly = nowhere.where(NAMES[0] != NAMES, "north")
    assert Jackknife.over(NAMES, sites=partly).unit == "sites and clips without one"


def test_many_units_are_dealt_into_a_hundred_groups_and_a_site_stays_in_one() -> None:
    alone = Jackknife.over(NAMES, sites=None)
    assert np.bincount(alone.group).tolist() == [3] * 100
    assert alone.describe() == "jackknife over 300 clips in 100 groups"
    sites = pd.Series([f"site{i // 2}" for i in range(300)], index=NAMES)
    dealt = Jackknife.over(NAMES, sites=sites)
    assert (dealt.units, dealt.groups) == (150, 100)
    assert (dealt.group[::2] == dealt.group[1::2]).all()


def test_without_replicates_only_the_whole_is_left() -> None:
    groups = Jackknife.over(NAMES, sites=None).leave_nothing_out()
    assert groups.replicate_sums(np.ones((300, 2))).tolist() == [[300.0, 300.0]]


def test_the_variance_of_a_mean_is_the_textbooks() -> None:
    names = pd.Index([f"{i}.mp4" for i in range(5000)])
    values = np.random.default_rng(1).normal(size=5000)
    groups = Jackknife.over(names, sites=None)
    means = groups.replicate_sums(values) / groups.replicate_sums(np.ones(5000))
    left_out = means[1:]
    variance = 99 / 100 * ((left_out - left_out.mean()) ** 2).sum()
    assert np.sqrt(variance) == pytest.approx(values.std() / np.sqrt(5000), rel=0.2)
