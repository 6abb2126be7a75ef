"""Scenes: everything that happens in one clip as functions of time, whatever the picture's size."""

from dataclasses import dataclass

import numpy as np

from primatrix.actors import Actor, make_actor, sprites_of_actor
from primatrix.plants import Plant, Stray, make_plants, make_strays, sprites_of_plants, sprites_of_strays
from primatrix.shapes import Floats, Sprite
from primatrix.sites import Site, make_site

__all__ = ["LAYERS", "Scene", "list_sprites", "make_scene", "mix_layers", "overall_light"]

SCENE_STREAM, EVENT_STREAM = 103, 104
SHIFTS, TWINKLES, DAPPLES = 3, 4, 3
LAYERS = 1 + DAPPLES + SHIFTS + TWINKLES + 2
"""Layers of a backdrop: plain light, sun through leaves, growth pushed by wind, leaves turning, camera
shake."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One clip before it is drawn. `waves` (LAYERS, 4) are two frequencies and two phases per layer."""

    site: Site
    night: bool
    exposure: float
    wind: float
    gust: Floats
    sun: Floats
    flicker: float
    shake: float
    ramp: Floats
    waves: Floats
    actors: tuple[Actor, ...]
    plants: tuple[Plant, ...]
    strays: tuple[Stray, ...]
    noise_seed: int


def make_scene(
    seed: int,
    clip: int,
    *,
    species: tuple[str, ...],
    site: int,
    event: int,
    minute: int,
    seconds: float = 15.0,
) -> Scene:
    """The scene of clip number `clip`: a function of these values alone.

    `species` are those to be seen (none for a blank), `site` the camera's number, `event` the visit it
    belongs to (clips of one visit show the same animals), `minute` the time of day in minutes after midnight.

    >>> make_scene(0, 5, species=("duiker",), site=2, event=9, minute=600).night
    False
    """
    rng = np.random.default_rng([seed, SCENE_STREAM, clip])
    place = make_site(seed, site)
    night = not 6 * 60 + place.night_below <= minute < 18 * 60 - place.night_below
    actors: list[Actor] = []
    for order, name in enumerate(species):
        visit = np.random.default_rng([seed, EVENT_STREAM, event, order])
        actors += make_actor(name, place, rng=rng, visit=visit, seconds=seconds, night=night)
    blank = not actors
    wind = float(rng.gamma(1.5, 0.48) if blank else rng.gamma(1.4, 0.42))
    sunny = (not night) and rng.random() < 0.6
    sun = np.zeros(DAPPLES, np.float32)
    if sunny:
        hour = (minute - 360) / 720 * (DAPPLES - 1)
        sun = np.float32(rng.uniform(0.4, 1.3)) * np.maximum(0, 1 - np.abs(np.arange(DAPPLES) - hour)).astype(
            np.float32
        )
    waves = np.column_stack(
        [
            rng.uniform(0.15, 0.7, (LAYERS, 1)),
            rng.uniform(0.5, 1.7, (LAYERS, 1)),
            rng.uniform(0, 6.28, (LAYERS, 2)),
        ]
    )
    return Scene(
        site=place,
        night=night,
        exposure=float(np.exp(rng.normal(0, 0.15))),
        wind=wind,
        gust=np.array([rng.uniform(0.05, 0.14), rng.uniform(0, 6.28), rng.uniform(0.2, 1.0)], np.float32),
        sun=sun,
        flicker=float(rng.gamma(1.2, 0.12)),
        shake=float(0.0006 * rng.gamma(1.2, 1.0) + (0.004 if rng.random() < 0.04 else 0.0)),
        ramp=np.array(
            [
                rng.normal(0, 0.05 if blank else 0.035),
                rng.gamma(1.2, 0.02),
                rng.uniform(0, 6.28),
                rng.normal(0, 0.06),
            ],
            np.float32,
        ),
        waves=waves.astype(np.float32),
        actors=tuple(actors),
        plants=make_plants(place, rng),
        strays=make_strays(rng, night=night, chance=0.22 if blank else 0.08),
        noise_seed=int(rng.integers(2**31)),
    )


def mix_layers(scene: Scene, seconds: Floats) -> Floats:
    """How strong each layer of the backdrop is at T moments, (T, LAYERS)."""
    angle = 2 * np.pi * seconds[:, None]
    first, second, phase, other = scene.waves.T
    wave = np.sin(angle * first + phase) + 0.6 * np.sin(angle * second + other)
    mix = np.empty((len(seconds), LAYERS), np.float32)
    mix[:, 0] = 1
    suns = slice(1, 1 + DAPPLES)
    mix[:, suns] = scene.sun * (1 + scene.flicker * wave[:, suns])
    push = scene.wind * gust_at(scene, seconds)[:, None]
    shifts = slice(suns.stop, suns.stop + SHIFTS)
    mix[:, shifts] = 0.012 * push * wave[:, shifts]
    twinkles = slice(shifts.stop, shifts.stop + TWINKLES)
    mix[:, twinkles] = 0.16 * push * wave[:, twinkles]
    mix[:, -2:] = scene.shake * (0.3 + push) * wave[:, -2:]
    return mix


def gust_at(scene: Scene, seconds: Floats) -> Floats:
    """How hard the wind blows just now, (T,) around 0.7."""
    rate, phase, depth = scene.gust
    return np.asarray(1 - depth * (0.5 + 0.5 * np.sin(2 * np.pi * rate * seconds + phase)), np.float32)


def overall_light(scene: Scene, seconds: Floats) -> Floats:
    """Brightness of the whole picture over time (T,): clouds, and the camera settling after its start."""
    ramp, cloud, phase, settle = scene.ramp
    light = (
        1
        + ramp * (seconds / 15 - 0.5)
        + cloud * np.sin(0.9 * seconds + phase)
        + settle * np.exp(-seconds / 0.8)
    )
    return np.asarray(scene.exposure * light, np.float32)


def list_sprites(scene: Scene, seconds: Floats) -> list[Sprite]:
    """All that moves by itself at T moments, the farthest first."""
    sprites = [
        sprite
        for actor in scene.actors
        for sprite in sprites_of_actor(actor, scene.site, seconds, night=scene.night)
    ]
    gust = scene.wind * gust_at(scene, seconds)
    sprites += sprites_of_plants(scene.plants, seconds, gust, night=scene.night)
    sprites += sprites_of_strays(scene.strays, seconds)
    return sorted(sprites, key=lambda sprite: -float(sprite.depth_m.mean()))
