"""Labelled animals can be seen: the simulator redraws those that nobody could have labelled."""

from dataclasses import replace

import numpy as np

from primatrix.simulation.scenes import ClipPlan, make_scene
from primatrix.simulation.visibility import (
    SEEN_MOMENTS,
    count_seen_moments,
    group_by_species,
    make_visible_scene,
)

SEED = 11
NOON, MIDNIGHT = 720, 0


def plans(species: tuple[str, ...], count: int) -> list[ClipPlan]:
    return [
        ClipPlan(clip, species, site=clip % 5, event=clip, minute=NOON if clip % 2 else MIDNIGHT)
        for clip in range(count)
    ]


def seen(scene, species: tuple[str, ...]) -> int:
    groups = group_by_species(scene, species)
    return min(count_seen_moments(scene, actors, seconds=15.0) for actors in groups)


def test_rodents_that_nobody_could_see_are_drawn_on_another_way():
    shown = ("rodent",)
    before = [seen(make_scene(s, seed=SEED), shown) for s in plans(shown, 40)]
    after = [seen(make_visible_scene(s, seed=SEED), shown) for s in plans(shown, 40)]
    assert min(before) < SEEN_MOMENTS
    assert min(after) >= SEEN_MOMENTS


def test_each_of_two_species_is_seen():
    shown = ("rodent", "elephant")
    scenes = [make_visible_scene(s, seed=SEED) for s in plans(shown, 6)]
    assert min(seen(scene, shown) for scene in scenes) >= SEEN_MOMENTS


def test_a_scene_in_which_all_are_seen_is_left_as_it_is():
    [plan] = plans(("elephant",), 1)
    first, kept = make_scene(plan, seed=SEED), make_visible_scene(plan, seed=SEED)
    assert seen(first, ("elephant",)) >= SEEN_MOMENTS
    assert all(np.array_equal(a.track, b.track) for a, b in zip(first.actors, kept.actors, strict=True))


def test_a_blank_stays_blank_and_no_actor_counts_as_seen():
    scene = make_visible_scene(ClipPlan(3, (), site=1, event=3, minute=NOON), seed=SEED)
    assert scene.actors == ()
    assert count_seen_moments(replace(scene, actors=()), (), seconds=15.0) == 0
