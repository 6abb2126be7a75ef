"""Scenes: everything that happens in one clip as functions of time, whatever the picture's size."""

from dataclasses import dataclass

import numpy as np

from primatrix.simulation.actors import Actor, make_actors, sprites_of_actor
from primatrix.simulation.plants import (
    Plant,
    Stray,
    make_plants,
    make_strays,
    sprites_of_plants,
    sprites_of_strays,
)
from primatrix.simulation.shapes import Floats, Sprite
from primatrix.simulation.sites import Site, make_site

__all__ = [
    "DAPPLES",
    "LAYERS",
    "SHIFTS",
    "TWINKLES",
    "ClipPlan",
    "Scene",
    "list_sprites",
    "make_scene",
    "mix_layers",
    "overall_light",
]

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


@dataclass(frozen=True, slots=True)
class ClipPlan:
    """What clip number `clip` is to show.

    `species` (none for a blank), the camera's number, the visit it belongs to (clips of one visit show the
    same animals), the time of day in minutes after midnight.
    """

    clip: int
    species: tuple[str, ...]
    site: int
    event: int
    minute: int


def make_scene(plan: ClipPlan, *, seed: int, seconds: float = 15.0, attempt: int = 0) -> Scene:
    """The scene of a clip: a function of these values alone. Another `attempt` draws other ways for the same animals.

    >>> make_scene(ClipPlan(clip=5, species=("duiker",), site=2, event=9, minute=600), seed=0).night
    False
    """
    rng = np.random.default_rng([seed, SCENE_STREAM, plan.clip, *([attempt] if attempt else [])])
    site = make_site(seed, plan.site)
    night = not 6 * 60 + site.night_below <= plan.minute < 18 * 60 - site.night_below
    actors: list[Actor] = []
    for order, name in enumerate(plan.species):
        visit = np.random.default_rng([seed, EVENT_STREAM, plan.event, order])
        actors += make_actors(name, site, rng=rng, visit=visit, seconds=seconds, night=night)
    blank = not actors
    return Scene(
        site=site,
        night=night,
        exposure=float(np.exp(rng.normal(0, 0.15))),
        wind=float(rng.gamma(1.5, 0.48) if blank else rng.gamma(1.4, 0.42)),
        gust=np.asarray(rng.uniform((0.05, 0, 0.2), (0.14, 6.28, 1.0)), np.float32),
        sun=draw_sun(rng, plan.minute, night=night),
        flicker=float(rng.gamma(1.2, 0.12)),
        shake=float(0.0006 * rng.gamma(1.2, 1.0) + 0.004 * (rng.random() < 0.04)),
        ramp=draw_ramp(rng, spread=0.05 if blank else 0.035),
        waves=rng.uniform((0.15, 0.5, 0, 0), (0.7, 1.7, 6.28, 6.28), (LAYERS, 4)).astype(np.float32),
        actors=tuple(actors),
        plants=make_plants(site, rng),
        strays=make_strays(rng, night=night, chance=0.22 if blank else 0.08),
        noise_seed=int(rng.integers(2**31)),
    )


def draw_sun(rng: np.random.Generator, minute: int, *, night: bool) -> Floats:
    """Strength of each pattern of sun through leaves (DAPPLES,): they change with the hour, most days."""
    strength = rng.uniform(0.3, 1.0) * (rng.random() < 0.6) * (not night)
    hour = (minute - 6 * 60) / (12 * 60) * (DAPPLES - 1)
    return np.asarray(strength * np.clip(1 - np.abs(np.arange(DAPPLES) - hour), 0, 1), np.float32)


def draw_ramp(rng: np.random.Generator, *, spread: float) -> Floats:
    """How light changes (4,): slope over the clip, depth and phase of clouds, the camera's settling."""
    clouds = rng.gamma(1.2, 0.02), rng.uniform(0, 6.28)
    return np.array([rng.normal(0, spread), *clouds, rng.normal(0, 0.06)], np.float32)


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
    return sorted(sprites, key=lambda sprite: -sprite.order_m)
