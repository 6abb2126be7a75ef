"""Plants near the lens, insects and falling leaves: what trips a camera when no animal is there."""

from dataclasses import dataclass

import numpy as np

from primatrix.simulation.shapes import ASPECT, Floats, Sprite
from primatrix.simulation.sites import Site

__all__ = ["Plant", "Stray", "make_plants", "make_strays", "sprites_of_plants", "sprites_of_strays"]

BLADES = 5


@dataclass(frozen=True, slots=True, eq=False)
class Plant:
    """A branch or a tuft near the lens: blades from one root, each (angle, length, width, swing, rate,
    phase)."""

    root: tuple[float, float]
    blades: Floats
    tint: Floats
    tone: Floats
    depth_m: float
    blur: float


@dataclass(frozen=True, slots=True, eq=False)
class Stray:
    """An insect or a leaf: `path` is start x, start y, speed x, speed y, wobble, rate, phase (scene units,
    s)."""

    path: tuple[float, ...]
    begins: float
    lasts: float
    radius: float
    tint: Floats
    bright: float
    blur: float


def make_plants(site: Site, rng: np.random.Generator) -> tuple[Plant, ...]:
    """The site's own plants; each clip has them in its own phase."""
    return tuple(make_plant(site, number, rng) for number in site.plants)


def make_plant(site: Site, number: int, rng: np.random.Generator) -> Plant:
    """A tuft from below, or a branch from above or from a side."""
    own = np.random.default_rng([site.seed, site.number, number])
    where = float(own.uniform(0, ASPECT))
    kind = int(own.integers(3))
    root, angle = {
        0: ((where, 1.03), -np.pi / 2),
        1: ((where, -0.03), np.pi / 2),
        2: ((ASPECT * round(where / ASPECT), float(own.uniform(0, 0.8))), np.pi * round(where / ASPECT)),
    }[kind]
    size = float(own.uniform(0.15, 0.45))
    blades = np.column_stack(
        [
            angle + own.normal(0, 0.45, BLADES),
            size * own.uniform(0.5, 1.1, BLADES),
            own.uniform(0.006, 0.022, BLADES) * (1 + size),
            own.uniform(0.08, 0.3, BLADES),
            own.uniform(0.3, 1.3, BLADES),
            rng.uniform(0, 6.28, BLADES),
        ]
    )
    return Plant(
        root=root,
        blades=blades.astype(np.float32),
        tint=np.asarray(site.foliage * own.uniform(0.7, 1.4), np.float32),
        tone=own.uniform(0.7, 1.2, BLADES).astype(np.float32),
        depth_m=float(own.uniform(0.5, 1.4)),
        blur=float(own.uniform(0.002, 0.014)),
    )


def sprites_of_plants(
    plants: tuple[Plant, ...], seconds: Floats, wind: Floats, *, night: bool
) -> list[Sprite]:
    """Plants bent by `wind` (T,)."""
    sprites = []
    for plant in plants:
        angle, length, width, swing, rate, phase = (column[:, None] for column in plant.blades.T)
        bend = swing * wind * np.sin(2 * np.pi * rate * seconds + phase) + 0.15 * swing * wind
        tip = np.stack([np.cos(angle + bend), np.sin(angle + bend)], axis=-1) * length[..., None]
        root = np.broadcast_to(np.asarray(plant.root, np.float32), tip.shape)
        thick = np.broadcast_to(width, tip.shape[:2])
        sprites.append(
            Sprite(
                start=root,
                end=np.asarray(root + tip, np.float32),
                radius=np.stack([thick, thick * np.float32(0.35)], axis=1),
                tone=np.broadcast_to(plant.tone[:, None], thick.shape),
                textured=np.zeros(thick.shape, np.bool_),
                tint=plant.tint,
                light=np.full(len(seconds), 2.2 if night else 1.0, np.float32),
                depth_m=np.full(len(seconds), plant.depth_m, np.float32),
                order_m=plant.depth_m,
                blur=plant.blur,
                shading=0.0,
            )
        )
    return sprites


def make_strays(rng: np.random.Generator, *, night: bool, chance: float) -> tuple[Stray, ...]:
    """Mostly nothing; else an insect lit by the flash, or a leaf coming down."""
    if rng.random() >= chance:
        return ()
    return tuple(
        make_insect(rng, night=night) if night or rng.random() < 0.4 else make_leaf(rng)
        for _ in range(int(rng.integers(1, 4)))
    )


def make_insect(rng: np.random.Generator, *, night: bool) -> Stray:
    """Small, near, fast and out of focus; white in the flash."""
    return Stray(
        path=(
            rng.uniform(0, ASPECT),
            rng.uniform(0, 1),
            rng.normal(0, 0.25),
            rng.normal(0, 0.15),
            rng.uniform(0.02, 0.2),
            rng.uniform(0.3, 1.2),
            rng.uniform(0, 6.28),
        ),
        begins=float(rng.uniform(-2, 12)),
        lasts=float(rng.uniform(1, 6)),
        radius=float(rng.uniform(0.008, 0.035)),
        tint=np.full(3, 0.9 if night else 0.2, np.float32),
        bright=float(rng.uniform(0.5, 2.0)) if night else 1.0,
        blur=float(rng.uniform(0.01, 0.03)),
    )


def make_leaf(rng: np.random.Generator) -> Stray:
    """A leaf that swings as it falls."""
    return Stray(
        path=(
            rng.uniform(0, ASPECT),
            rng.uniform(-0.1, 0.2),
            rng.normal(0, 0.05),
            rng.uniform(0.15, 0.5),
            rng.uniform(0.02, 0.1),
            rng.uniform(0.3, 0.9),
            rng.uniform(0, 6.28),
        ),
        begins=float(rng.uniform(-1, 12)),
        lasts=8.0,
        radius=float(rng.uniform(0.006, 0.02)),
        tint=np.asarray(rng.uniform(0.15, 0.6) * np.array([1.1, 1.0, 0.6]), np.float32),
        bright=1.0,
        blur=0.004,
    )


def sprites_of_strays(strays: tuple[Stray, ...], seconds: Floats) -> list[Sprite]:
    """Insects and leaves while they are there (their radius is 0 before and after)."""
    sprites = []
    for stray in strays:
        x, y, speed_x, speed_y, wobble, rate, phase = stray.path
        age = seconds - stray.begins
        turn = 2 * np.pi * rate * age + phase
        place = np.stack(
            [x + speed_x * age + wobble * np.sin(turn), y + speed_y * age + 0.3 * wobble * np.sin(2 * turn)],
            axis=-1,
        )
        there = ((age >= 0) & (age < stray.lasts)).astype(np.float32)
        along = np.stack([np.cos(turn), np.sin(turn)], axis=-1) * stray.radius
        sprites.append(
            Sprite(
                start=(place - along)[None].astype(np.float32),
                end=(place + along)[None].astype(np.float32),
                radius=np.broadcast_to(stray.radius * there, (1, 2, len(seconds))).astype(np.float32),
                tone=np.ones((1, len(seconds)), np.float32),
                textured=np.zeros((1, len(seconds)), np.bool_),
                tint=stray.tint,
                light=stray.bright * there,
                depth_m=np.full(len(seconds), 0.4, np.float32),
                order_m=0.4,
                opacity=0.85,
                blur=stray.blur,
                shading=0.0,
            )
        )
    return sprites
