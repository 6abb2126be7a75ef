import numpy as np
import pytest

from primatrix.simulation.sites import FAR_M, draw_backdrop, draw_cloud, make_site, soft_step


def shrink(picture: np.ndarray, factor: int) -> np.ndarray:
    height, width = (size // factor for size in picture.shape)
    return (
        picture[: height * factor, : width * factor].reshape(height, factor, width, factor).mean(axis=(1, 3))
    )


def test_a_site_is_that_of_its_seed_and_number() -> None:
    make_site.cache_clear()
    first = make_site(0, 3)
    make_site.cache_clear()
    again = make_site(0, 3)
    assert first is not again
    assert (first.focal, first.horizon, first.plants) == (again.focal, again.horizon, again.plants)
    assert np.array_equal(first.trees, again.trees)
    assert len({make_site(seed, number).focal for seed in range(3) for number in range(10)}) == 30


def test_sites_are_places_where_a_camera_could_hang() -> None:
    sites = [make_site(0, number) for number in range(200)]
    for site in sites:
        assert 0 < site.horizon < 0.5
        assert 0.5 <= site.camera_height_m <= 1.3
        assert 0 < site.ground.min() <= site.ground.max() < 1
        assert site.trees.shape[1] == site.bushes.shape[1] == 5
        if len(site.trees):
            assert np.abs(site.trees[:, 0]).max() <= 0.75
            assert site.trees[:, 1].min() >= 2.4  # metres: no trunk fills the picture
        assert len(site.plants) <= 2
    closed = [len(site.trees) for site in sites if site.open_country < 0.2]
    open_ = [len(site.trees) for site in sites if site.open_country > 0.7]
    assert np.mean(closed) > 1.5 * np.mean(open_)


def test_the_ground_rises_in_the_picture_to_the_horizon() -> None:
    site = make_site(0, 3)
    y = site.foot_y(np.array([1.0, 2.0, 10.0, 1e6], np.float32))
    assert (np.diff(y) < 0).all()
    assert y[0] - site.horizon == pytest.approx(site.focal * site.camera_height_m)
    assert y[3] == pytest.approx(site.horizon, abs=1e-4)


def test_a_soft_step_is_a_straight_ramp_around_0() -> None:
    values = np.array([-1, -0.5, -0.25, 0, 0.25, 0.5, 1], np.float32)
    assert soft_step(values, 1.0).tolist() == [0, 0, 0.25, 0.5, 0.75, 1, 1]
    assert soft_step(values, 0.5).tolist() == [0, 0, 0, 0.5, 1, 1, 1]


def test_clouds_are_the_same_picture_at_every_size_of_about_unit_spread() -> None:
    spreads = []
    for key in range(8):
        small, large = (
            draw_cloud((key, 1), height, 2 * height, coarsest=2, finest=16, roughness=0.8)
            for height in (32, 128)
        )
        assert np.corrcoef(small.ravel(), shrink(large, 4).ravel())[0, 1] > 0.98
        spreads.append(large.std())
    assert 0.7 < np.mean(spreads) < 1.4
    other = draw_cloud((9, 2), 32, 64, coarsest=2, finest=16, roughness=0.8)
    assert abs(np.corrcoef(small.ravel(), other.ravel())[0, 1]) < 0.5


def test_cells_smaller_than_a_pixel_are_left_out() -> None:
    coarse, fine = (draw_cloud((1,), 8, 16, coarsest=2, finest=finest, roughness=0.5) for finest in (8, 256))
    power = [sum(0.25**i for i in range(count)) for count in (3, 8)]
    np.testing.assert_allclose(fine * power[1] ** 0.5, coarse * power[0] ** 0.5, rtol=1e-5)


@pytest.mark.parametrize("number", range(6))
def test_a_backdrop_is_near_below_and_far_above_with_obstacles_in_between(number: int) -> None:
    site = make_site(0, number)
    backdrop = draw_backdrop(site, 48, 86)
    assert backdrop.albedo.shape == (48, 86, 3)
    for layer in (backdrop.depth_m, backdrop.growth, backdrop.obstacles):
        assert layer.shape == (48, 86)
    assert backdrop.albedo.min() >= np.float32(0.02)
    assert backdrop.albedo.max() <= 1
    assert backdrop.growth.min() >= 0
    assert backdrop.growth.max() <= 1
    assert backdrop.depth_m.min() >= 0.5
    assert backdrop.obstacles.max() <= FAR_M
    assert np.median(backdrop.depth_m[-1]) < 6 < np.median(backdrop.depth_m[0])
    blocked = backdrop.obstacles < FAR_M
    np.testing.assert_array_equal(backdrop.depth_m[blocked], backdrop.obstacles[blocked])


def test_backdrops_of_one_site_agree_at_every_size() -> None:
    site = make_site(0, 2)
    small, large = draw_backdrop(site, 16, 28), draw_backdrop(site, 64, 112)
    greys = [backdrop.albedo.mean(axis=-1) for backdrop in (small, large)]
    alike = np.corrcoef(greys[0].ravel(), shrink(greys[1], 4).ravel())[0, 1]
    assert alike > 0.85  # a leaf less wide than a pixel is lost
