"""Whether what a clip is labelled with can be seen in it at all: people label what they saw."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from primatrix.simulation.actors import Actor
from primatrix.simulation.animals import LOOKS
from primatrix.simulation.render import draw_frames
from primatrix.simulation.scenes import ClipPlan, Scene, make_scene

__all__ = ["count_seen_moments", "make_visible_scene"]

SIDE_PX = 64
MOST_ATTEMPTS = 20
SEEN_LEVELS = 10  # of 255, the largest over the colours: what stands out from the ground
SEEN_PIXELS = 4  # a thousandth of the picture: 17x17 pixels of a raw clip of 404x720
SEEN_MOMENTS = 2  # of those looked at, one per second


def make_visible_scene(plan: ClipPlan, *, seed: int, seconds: float = 15.0) -> Scene:
    """The scene of a clip in which each of its species can be seen for about a second or longer.

    Animals that stay outside the picture, behind a tree or in the dark are drawn on other ways, up to 20 times; then
    the scene in which they are seen longest is taken. A function of these values alone.

    >>> scene = make_visible_scene(ClipPlan(clip=5, species=("duiker",), site=2, event=9, minute=600), seed=0)
    >>> count_seen_moments(scene, scene.actors, seconds=15.0) >= 2
    True
    """
    best, longest = make_scene(plan, seed=seed, seconds=seconds), -1
    for attempt in range(MOST_ATTEMPTS if plan.species else 0):
        scene = make_scene(plan, seed=seed, seconds=seconds, attempt=attempt)
        shortest = min(
            count_seen_moments(scene, actors, seconds=seconds)
            for actors in group_by_species(scene, plan.species)
        )
        if shortest > longest:
            best, longest = scene, shortest
        if longest >= SEEN_MOMENTS:
            break
    return best


def group_by_species(scene: Scene, species: Sequence[str]) -> Iterator[tuple[Actor, ...]]:
    """The actors of each species."""
    for name in species:
        looks = {id(look) for look in LOOKS[name]}
        yield tuple(actor for actor in scene.actors if id(actor.look) in looks)


def count_seen_moments(scene: Scene, actors: tuple[Actor, ...], *, seconds: float) -> int:
    """In how many moments, one per second, these actors change the picture enough to be seen."""
    numbers = np.arange(max(SEEN_MOMENTS, round(seconds)))
    size_px = (SIDE_PX, SIDE_PX)
    with_them, without = (
        draw_frames(replace(scene, actors=shown), numbers, frames_per_second=1.0, size_px=size_px)
        for shown in (actors, ())
    )
    change = np.abs(with_them.astype(np.int16) - without).max(axis=-1)  # (T, H, W, 3) -> (T, H, W)
    return int(((change > SEEN_LEVELS).sum(axis=(1, 2)) >= SEEN_PIXELS).sum())
