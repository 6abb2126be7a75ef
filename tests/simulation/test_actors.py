import numpy as np
import pytest
from numpy.typing import NDArray

from primatrix.simulation.actors import (
    Actor,
    draw_spells,
    light_at,
    make_actors,
    project,
    sample_track,
    split_parts,
    sprites_of_actor,
    walk,
)
from primatrix.simulation.animals import LOOKS
from primatrix.simulation.bodies import Pose, build_body
from primatrix.simulation.scenes import ClipPlan, Scene, make_scene
from primatrix.simulation.sites import Site, make_site

NOON = 720
SECONDS = np.linspace(0, 15, 31, dtype=np.float32)


@pytest.fixture(scope="module")
def site() -> Site:
    return make_site(0, 2)


def draw(species: str, site: Site, *, ways: int = 1, visit: int = 1, night: bool = False) -> list[Actor]:
    return make_actors(
        species,
        site,
        rng=np.random.default_rng(ways),
        visit=np.random.default_rng(visit),
        seconds=15.0,
        night=night,
    )


def scene_of(species: str, *, clip: int) -> Scene:
    return make_scene(ClipPlan(clip=clip, species=(species,), site=2, event=clip, minute=NOON), seed=0)


def test_coats_of_species_overlap() -> None:
    def shades(species: str) -> NDArray[np.float64]:
        actors = [scene_of(species, clip=clip).actors[0] for clip in range(60)]
        return np.array([actor.tint.mean() for actor in actors])

    dark, light = shades("gorilla"), shades("lion")
    assert dark.max() > light.min()
    assert 0.15 < np.std(np.log(light)) < 0.5


def test_the_visit_decides_who_comes_and_the_clip_which_way_they_go(site: Site) -> None:
    def describe(actors: list[Actor]) -> list[tuple[object, ...]]:
        return [(a.look, a.height_m, a.tint.tolist(), a.limb_tint.tolist(), a.pattern_phase) for a in actors]

    first, again, other_way, other_visit = (
        draw("wild dog", site, ways=ways, visit=visit) for ways, visit in ((1, 7), (1, 7), (2, 7), (1, 8))
    )
    assert describe(first) == describe(again) == describe(other_way)
    assert describe(first) != describe(other_visit)
    assert np.array_equal(first[0].track, again[0].track)
    assert not np.array_equal(first[0].track, other_way[0].track)


def test_groups_are_small_and_as_large_as_their_kind_is_known_to_be(site: Site) -> None:
    sizes = {
        name: [len(draw(name, site, visit=visit)) for visit in range(60)] for name in ("wild dog", "leopard")
    }
    assert set(sizes["wild dog"]) == {1, 2, 3, 4}
    assert np.mean(sizes["wild dog"]) > 1.5 * np.mean(sizes["leopard"])


def test_of_a_class_of_several_kinds_those_of_the_night_come_by_night(site: Site) -> None:
    squirrel, rat = (max(LOOKS["rodent"], key=lambda look: sign * look.day) for sign in (1, -1))
    by_day = [draw("rodent", site, visit=visit)[0].look for visit in range(40)]
    by_night = [draw("rodent", site, visit=visit, night=True)[0].look for visit in range(40)]
    assert by_day.count(squirrel) > 30
    assert by_night.count(rat) > 30


@pytest.mark.parametrize("species", ["elephant", "rodent", "bird", "human"])
def test_nobody_comes_into_the_lens_and_every_moment_has_a_place(site: Site, species: str) -> None:
    for ways in range(20):
        for actor in draw(species, site, ways=ways, visit=ways):
            assert actor.track.shape == (11, len(actor.knots))
            assert actor.knots[-1] >= 15.0
            assert np.isfinite(actor.track).all()
            assert actor.track[1].min() >= 0.6
            for shares in (actor.track[6], actor.track[8], actor.track[9]):
                assert shares.min() >= 0
                assert shares.max() <= 1.0001


def test_a_way_passes_its_start_and_turns_aside_before_the_lens() -> None:
    turn = np.full(9, -np.pi / 2)  # straight towards the camera
    x, z = walk(np.full(9, 0.5), turn, start=(1.5, 3.0), knot=4)
    assert (x[4], z[4]) == pytest.approx((1.5, 3.0))
    assert (np.diff(z) < 0).all()
    assert z[0] == pytest.approx(3.0 + 4 * 0.35)
    aside = walk(np.full(9, 0.5), np.full(9, 0.5), start=(0.0, 3.0), knot=4)
    assert np.diff(aside[0]) == pytest.approx(0.5 * np.cos(0.5))
    assert np.diff(aside[1]) == pytest.approx(0.35 * np.sin(0.5))
    near = walk(np.full(60, 0.5), np.full(60, -np.pi / 2), start=(0.0, 3.0), knot=0)[1]
    assert near.min() >= 0.6
    assert near[-1] == pytest.approx(0.6, abs=0.01)


def test_spells_of_walking_take_about_their_share_of_the_time() -> None:
    rng = np.random.default_rng(0)
    spells = [draw_spells(60, 0.7, rng) for _ in range(300)]
    assert {len(spell) for spell in spells} == {60}
    assert np.mean(spells) == pytest.approx(0.7, abs=0.05)
    assert (np.min(spells), np.max(spells)) == (0, 1)
    assert draw_spells(60, 1.0, rng).tolist() == pytest.approx([1.0] * 60)


def test_between_knots_a_track_is_straight_and_it_stays_at_its_ends(site: Site) -> None:
    [actor, *_] = draw("hog", site)
    at_knots = np.stack(sample_track(actor, np.array([1.0, 1.25], np.float32)))
    between = np.stack(sample_track(actor, np.array([1.125], np.float32)))
    np.testing.assert_allclose(between[:, 0], at_knots.mean(axis=1), atol=1e-5)
    late = np.stack(sample_track(actor, np.array([99.0, 999.0], np.float32)))
    np.testing.assert_array_equal(late[:, 0], late[:, 1])


def test_a_body_is_seen_from_its_side_or_its_front_as_it_is_turned() -> None:
    points = np.array([[[1.0, 0.5, 2.0]]], np.float32)  # forward, left, up

    def see(forward: float, away: float) -> tuple[list[float], float]:
        flat, behind = project(points, np.float32([forward]), np.float32([away]), np.float32([0.1]))
        return flat[0, 0].tolist(), behind.item()

    assert see(1, 0) == (pytest.approx([0.1, -0.2]), 0.5)  # going right: its left side is the far one
    assert see(-1, 0) == (pytest.approx([-0.1, -0.2]), -0.5)
    assert see(0, 1) == (pytest.approx([-0.05, -0.2]), 1.0)  # going away


def test_the_flash_reaches_its_distance_and_the_sky_everywhere(site: Site) -> None:
    depth_m = np.array([0.01, 1.0, site.flash_reach_m, 2 * site.flash_reach_m], np.float32)
    assert light_at(site, depth_m, night=False).tolist() == pytest.approx([0.85] * 4)
    light = light_at(site, depth_m, night=True)
    assert light[:2].tolist() == [3.5, 3.5]  # over-exposed, but not without end
    assert light[2:].tolist() == pytest.approx([1.0, 2**-1.6])


def test_by_day_an_animal_has_a_shadow_behind_it_and_by_night_none(site: Site) -> None:
    [actor, *_] = draw("hog", site)
    shadow, body = sprites_of_actor(actor, site, SECONDS, night=False)
    assert shadow.order_m > body.order_m
    assert (shadow.depth_m > body.depth_m).all()
    assert not shadow.tint.any()
    [alone] = sprites_of_actor(actor, site, SECONDS, night=True)
    assert np.array_equal(alone.start, body.start)


def test_a_human_wears_trousers_and_a_shirt_and_an_animal_one_coat(site: Site) -> None:
    [human, *_] = draw("human", site)
    trousers, shirt = sprites_of_actor(human, site, SECONDS, night=True)
    assert trousers.tint.tolist() == human.limb_tint.tolist()
    assert shirt.tint.tolist() == human.tint.tolist()
    still: NDArray[np.float32] = np.zeros(1, np.float32)
    for actor in (human, draw("hog", site)[0]):
        body = build_body(actor.look, Pose(*[still] * 6))
        parts = np.concatenate([rows for rows, _ in split_parts(actor, body)])
        assert sorted(parts.tolist()) == list(range(len(body.tone)))


def test_far_animals_are_small(site: Site) -> None:
    [actor, *_] = draw("elephant", site)
    [body] = sprites_of_actor(actor, site, SECONDS, night=True)
    height = body.end[..., 1].max(axis=0) - body.start[..., 1].min(axis=0)  # (T,)
    assert np.corrcoef(height, 1 / body.depth_m)[0, 1] > 0.9
