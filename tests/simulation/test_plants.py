from dataclasses import replace

import numpy as np
import pytest

from primatrix.simulation.plants import make_plants, make_strays, sprites_of_plants, sprites_of_strays
from primatrix.simulation.sites import Site, make_site

SECONDS = np.linspace(0, 14, 57, dtype=np.float32)
CALM = np.zeros(57, np.float32)


@pytest.fixture(scope="module")
def site() -> Site:
    return replace(make_site(0, 4), plants=(1, 2, 3))


def test_a_sites_plants_are_its_own_and_each_clip_has_them_in_its_own_phase(site: Site) -> None:
    first, second = (make_plants(site, np.random.default_rng(clip)) for clip in (0, 1))
    assert len(first) == 3
    for one, other in zip(first, second, strict=True):
        assert (one.root, one.depth_m, one.blur) == (other.root, other.depth_m, other.blur)
        np.testing.assert_array_equal(one.blades[:, :5], other.blades[:, :5])
        assert not np.array_equal(one.blades[:, 5], other.blades[:, 5])
    assert make_plants(replace(site, plants=()), np.random.default_rng(0)) == ()


def test_plants_hang_still_in_calm_air_and_swing_without_growing_in_wind(site: Site) -> None:
    plants = make_plants(site, np.random.default_rng(0))
    calm = sprites_of_plants(plants, SECONDS, CALM, night=False)
    windy = sprites_of_plants(plants, SECONDS, CALM + 1, night=False)
    for plant, still, swinging in zip(plants, calm, windy, strict=True):
        assert np.ptp(still.end, axis=1).max() == 0
        assert np.ptp(swinging.end, axis=1).max() > 0.001
        length = np.linalg.norm(swinging.end - swinging.start, axis=-1)
        np.testing.assert_allclose(length, np.broadcast_to(plant.blades[:, 1:2], length.shape), rtol=1e-4)
        assert np.ptp(swinging.start, axis=1).max() == 0  # the root stays


def test_plants_are_near_the_lens_and_lit_up_by_the_flash(site: Site) -> None:
    plants = make_plants(site, np.random.default_rng(0))
    by_day, by_night = (sprites_of_plants(plants, SECONDS, CALM, night=night) for night in (False, True))
    assert all(0.5 <= sprite.order_m <= 1.4 for sprite in by_day)
    assert {sprite.light[0] for sprite in by_day} == {1.0}
    assert {round(float(sprite.light[0]), 6) for sprite in by_night} == {2.2}


def test_strays_come_as_often_as_they_are_to_and_are_few() -> None:
    rng = np.random.default_rng(0)
    assert make_strays(rng, night=False, chance=0.0) == ()
    counts = [len(make_strays(rng, night=False, chance=0.3)) for _ in range(4000)]
    assert np.mean(np.array(counts) > 0) == pytest.approx(0.3, abs=0.03)
    assert set(counts) == {0, 1, 2, 3}


def test_by_night_insects_are_white_in_the_flash_and_by_day_dark_or_a_leaf_that_falls() -> None:
    rng = np.random.default_rng(0)
    by_night = [stray for _ in range(40) for stray in make_strays(rng, night=True, chance=1.0)]
    assert {tuple(stray.tint.tolist()) for stray in by_night} == {(np.float32(0.9).item(),) * 3}
    by_day = [stray for _ in range(40) for stray in make_strays(rng, night=False, chance=1.0)]
    leaves = [stray for stray in by_day if stray.lasts == 8.0]
    assert 0.3 < len(leaves) / len(by_day) < 0.9
    assert all(leaf.path[3] > 0 for leaf in leaves)  # down


def test_a_stray_is_there_from_its_first_second_to_its_last() -> None:
    rng = np.random.default_rng(1)
    [stray, *_] = make_strays(rng, night=True, chance=1.0)
    stray = replace(stray, begins=3.0, lasts=4.0)
    [sprite] = sprites_of_strays((stray,), SECONDS)
    there = (SECONDS >= 3) & (SECONDS < 7)
    assert (sprite.radius[0, 0] > 0).tolist() == there.tolist()
    assert (sprite.light > 0).tolist() == there.tolist()
