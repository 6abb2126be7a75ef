from dataclasses import replace

import numpy as np
import pytest

from primatrix.simulation.scenes import (
    DAPPLES,
    LAYERS,
    SHIFTS,
    TWINKLES,
    ClipPlan,
    Scene,
    list_sprites,
    make_scene,
    mix_layers,
    overall_light,
)

SEED = 11
NOON, MIDNIGHT = 720, 0
SECONDS = np.linspace(0, 15, 31, dtype=np.float32)


def make(*species: str, clip: int = 5, minute: int = NOON, seed: int = SEED) -> Scene:
    return make_scene(ClipPlan(clip, species, site=2, event=9, minute=minute), seed=seed)


def test_clips_of_one_visit_show_the_same_animals_going_another_way() -> None:
    first, second = (
        make_scene(ClipPlan(clip=clip, species=("hog",), site=1, event=7, minute=NOON), seed=0)
        for clip in (1, 2)
    )
    assert [actor.height_m for actor in first.actors] == [actor.height_m for actor in second.actors]
    assert not np.array_equal(first.actors[0].track, second.actors[0].track)


def test_another_attempt_draws_other_ways_for_the_same_animals() -> None:
    sighting = ClipPlan(0, ("duiker",), site=0, event=0, minute=MIDNIGHT)
    first, second = (make_scene(sighting, seed=SEED, attempt=n) for n in (0, 1))
    assert [a.look for a in first.actors] == [a.look for a in second.actors]
    assert not np.array_equal(first.actors[0].track, second.actors[0].track)


def test_a_scene_is_a_function_of_its_sighting_and_the_seed_alone() -> None:
    first, again, other = make("hog"), make("hog"), make("hog", seed=SEED + 1)
    assert (first.exposure, first.wind, first.noise_seed) == (again.exposure, again.wind, again.noise_seed)
    assert np.array_equal(first.waves, again.waves)
    assert first.noise_seed != other.noise_seed
    assert first.site.focal != other.site.focal


def test_night_falls_about_six_in_the_evening_and_ends_about_six_in_the_morning() -> None:
    nights = [make(minute=60 * hour).night for hour in range(24)]
    assert nights[:5] == [True] * 5
    assert nights[7:17] == [False] * 10
    assert nights[19:] == [True] * 5


def test_a_blank_has_no_actors_and_two_species_have_theirs() -> None:
    assert make().actors == ()
    pair = make("rodent", "elephant").actors
    assert {actor.look.height_m > 1 for actor in pair} == {False, True}


def test_what_moves_is_listed_from_far_to_near() -> None:
    scene = make("elephant", "hog", "duiker")
    orders = [sprite.order_m for sprite in list_sprites(scene, SECONDS)]
    assert len(orders) >= 6
    assert orders == sorted(orders, reverse=True)


def test_in_still_air_nothing_pushes_the_backdrop_and_by_night_no_sun_falls_on_it() -> None:
    calm = replace(make(minute=MIDNIGHT), wind=0.0, shake=0.0)
    mix = mix_layers(calm, SECONDS)
    assert mix.shape == (31, LAYERS) == (31, 1 + DAPPLES + SHIFTS + TWINKLES + 2)
    assert (mix[:, 0] == 1).all()
    assert not mix[:, 1:].any()
    windy = mix_layers(replace(calm, wind=1.0), SECONDS)
    assert np.abs(windy[:, 1 + DAPPLES : -2]).max() > 0.05
    assert not windy[:, -2:].any()


def test_the_sun_moves_through_its_patterns_over_the_day_on_most_days() -> None:
    def brightest(minute: int) -> list[int]:
        suns = [make(clip=clip, minute=minute).sun for clip in range(40)]
        return [int(sun.argmax()) for sun in suns if sun.any()]

    morning, noon, evening = brightest(7 * 60), brightest(NOON), brightest(17 * 60)
    assert (set(morning), set(noon), set(evening)) == ({0}, {1}, {2})
    assert 15 <= len(noon) <= 32


def test_light_stays_near_its_exposure_and_moments_do_not_depend_on_each_other() -> None:
    for clip in range(20):
        scene = make(clip=clip)
        light = overall_light(scene, SECONDS)
        assert light == pytest.approx(np.full(31, scene.exposure), rel=0.5)
        assert overall_light(scene, SECONDS[7:8])[0] == light[7]
        np.testing.assert_allclose(
            mix_layers(scene, SECONDS[7:8])[0], mix_layers(scene, SECONDS)[7], atol=1e-6
        )
