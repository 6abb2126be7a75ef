"""Actors: one animal's way through a clip, its coat and its capsules in the picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from primatrix.simulation.animals import LOOKS, Look
from primatrix.simulation.bodies import Body, Pose, build_body
from primatrix.simulation.shapes import ASPECT, Floats, Sprite, Values
from primatrix.simulation.sites import Site

__all__ = ["Actor", "make_actors", "sprites_of_actor"]

KNOTS_PER_SECOND = 4
LARGEST_GROUP = 4
NEAREST_M = 0.6
TURNS_BACK = 0.15
FLIGHT_PACE = 5.0


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """One animal. `track` (11, N) holds, at the moments `knots` (N,): x and z in metres, height above ground
    in metres, cosine and sine of its heading, strides, moving, grazing, sitting, flying, sway."""

    look: Look
    height_m: float
    tint: Floats
    limb_tint: Floats
    tone: float
    pattern_phase: float
    knots: Floats
    track: Floats


def make_actors(
    species: str,
    site: Site,
    *,
    rng: np.random.Generator,
    visit: np.random.Generator,
    seconds: float,
    night: bool,
) -> list[Actor]:
    """The animals of one species in a clip: kind, number and coats come from `visit`, the way they go from
    `rng`."""
    looks = LOOKS[species]
    habit = np.array([1 - look.day if night else look.day for look in looks])
    look = looks[int(visit.choice(len(looks), p=habit / habit.sum()))]
    company = min(LARGEST_GROUP, int(visit.geometric(1 / look.company)))
    near, far = look.reach_m
    z = float(np.exp(rng.uniform(np.log(near), np.log(far))))
    x = float(rng.uniform(-0.52, 0.52)) * ASPECT * z / site.focal
    heading = float(rng.choice([0, np.pi]) + rng.normal(0, 0.65))
    actors = []
    for number in range(company):
        body = visit.normal(0, 1, 5)
        height_m = (
            look.height_m * float(np.exp(look.spread * body[0])) * (0.62 if number and body[4] > 0.8 else 1)
        )
        start = (x + rng.normal(0, 1.1) * (number > 0), max(NEAREST_M, z + rng.normal(0, 0.8) * (number > 0)))
        knots, track = draw_track(
            look, height_m, start=start, heading=heading + rng.normal(0, 0.2), rng=rng, seconds=seconds
        )
        tint, limb_tint = draw_coat(look, body, visit)
        actors.append(
            Actor(
                look=look,
                height_m=height_m,
                tint=tint,
                limb_tint=limb_tint,
                tone=1.0,
                pattern_phase=float(visit.uniform(0, 6.28)),
                knots=knots,
                track=track,
            )
        )
    return actors


def draw_coat(look: Look, body: Values, visit: np.random.Generator) -> tuple[Floats, Floats]:
    """Colour of the coat and of the limbs, (3,) each; people wear what they like."""
    shade = min(0.6, look.shade * np.exp(0.3 * body[1]))
    warmth = max(-0.05, look.warmth + 0.25 * body[2])
    if look.form == "human":
        clothes = visit.uniform(0.08, 0.75, 2)[:, None] * np.exp(visit.normal(0, 0.25, (2, 3)))
        return np.asarray(clothes[0], np.float32), np.asarray(clothes[1], np.float32)
    tint = shade * np.array([1 + 0.32 * warmth, 1.0, 1 - 0.42 * warmth])
    return np.asarray(tint, np.float32), np.asarray(tint * np.exp(0.1 * body[3]), np.float32)


def draw_track(
    look: Look,
    height_m: float,
    *,
    start: tuple[float, float],
    heading: float,
    rng: np.random.Generator,
    seconds: float,
) -> tuple[Floats, Floats]:
    """A way through the clip that is at `start` at some moment: pauses, turns, comes near, goes far."""
    count = int(seconds * KNOTS_PER_SECOND) + 2
    knots = np.arange(count, dtype=np.float32) / np.float32(KNOTS_PER_SECOND)
    aloft = float(rng.random() < look.climb)
    flying = aloft * (look.form == "bird")
    moving = np.maximum(draw_spells(count, 1 - look.rest, rng), flying)
    turn = np.cumsum(rng.normal(0, 0.09, count)) + heading
    if rng.random() < TURNS_BACK:
        turn = turn + np.pi * np.clip((knots - rng.uniform(2, 13)) / 1.2, 0, 1)
    pace = look.speed_m_per_s * float(np.exp(rng.normal(-0.1, 0.4))) * (1 + FLIGHT_PACE * flying)
    step = pace * moving / KNOTS_PER_SECOND
    x, z = walk(step, turn, start=start, knot=int(rng.integers(count)))
    still = 1 - moving
    grazing = still * (rng.random() < look.graze) + 0.6 * moving * (rng.random() < 0.4 * look.graze)
    sitting = still * (rng.random() < look.sit)
    lift = aloft * (rng.uniform(0.6, 2.2) + 0.3 * np.sin(knots * 0.8))
    sway = np.convolve(rng.normal(0, 1.1, count + 4), np.full(5, 0.32), "valid")
    strides = np.cumsum(step) / (look.stride * height_m)
    air = np.full(count, flying)
    rows = (x, z, lift, np.cos(turn), np.sin(turn), strides, moving, grazing, sitting, air, sway)
    return knots, np.stack(rows).astype(np.float32)


def walk(step: Values, turn: Values, *, start: tuple[float, float], knot: int) -> tuple[Values, Values]:
    """Places (N,) in metres, right and away, that pass `start` at `knot` and never come into the lens."""
    x, z = np.cumsum(step * np.cos(turn)), np.cumsum(step * np.sin(turn) * 0.7)
    x, z = x - x[knot] + start[0], z - z[knot] + start[1]
    edge = NEAREST_M + 0.5
    return x, np.where(z < edge, NEAREST_M + 0.5 * np.exp(np.minimum((z - edge) / 0.5, 0)), z)


def draw_spells(count: int, share: float, rng: np.random.Generator) -> Floats:
    """0..1 over knots (N,): walking about `share` of the time in spells of some seconds."""
    lengths = np.maximum(1, (rng.exponential(4.0, 12) * KNOTS_PER_SECOND).astype(int))
    states = rng.random(12) < share
    steps = np.repeat(states, lengths)[:count].astype(np.float32)
    steps = np.concatenate([steps, np.full(max(0, count - len(steps)), float(states[-1]), np.float32)])
    padded = np.concatenate([steps[:1], steps, steps[-1:]])
    return np.asarray((padded[:-2] + padded[1:-1] + padded[2:]) / 3, np.float32)


def sprites_of_actor(actor: Actor, site: Site, seconds: Floats, *, night: bool) -> list[Sprite]:
    """The animal's shadow and its body at T moments; limbs of another tint come as a sprite of their own."""
    x, z, lift, forward, away, *gait = sample_track(actor, seconds)
    body = build_body(actor.look, Pose(*gait))
    scale = site.focal * actor.height_m / z
    foot = np.stack(
        [np.float32(ASPECT / 2) + site.focal * x / z, site.foot_y(z) - lift * site.focal / z], axis=-1
    )
    start, depth = project(body.start, forward, away, scale)
    end, far_depth = project(body.end, forward, away, scale)
    light = light_at(site, z, night=night)
    radius = np.swapaxes(body.radius[:, :, None] * scale, 1, 2)  # (P, T, 2), as the ends
    tones = np.broadcast_to(body.tone[:, None], depth.shape)
    textured = np.broadcast_to(body.textured[:, None], depth.shape)
    order_m = float(actor.track[1].mean())
    sprites = [] if night else [draw_shadow(actor, foot, scale, z, site)]
    for parts, tint in split_parts(actor, body):
        # Far parts first, in every frame by itself: animals turn.
        row = np.argsort(-(depth + far_depth)[parts], axis=0, kind="stable")
        sprites.append(
            Sprite(
                start=np.take_along_axis(start[parts], row[..., None], 0) + foot,
                end=np.take_along_axis(end[parts], row[..., None], 0) + foot,
                radius=np.swapaxes(np.take_along_axis(radius[parts], row[..., None], 0), 1, 2),
                tone=np.take_along_axis(tones[parts], row, 0),
                textured=np.take_along_axis(textured[parts], row, 0),
                tint=tint,
                light=light,
                depth_m=z,
                order_m=order_m,
                pattern=actor.look.pattern,
                pattern_phase=actor.pattern_phase,
                shading=0.12 if night else 0.3,
            )
        )
    return sprites


def split_parts(actor: Actor, body: Body) -> list[tuple[NDArray[np.int64], Floats]]:
    """Capsules that share a tint: all of an animal; trousers, then shirt of a human."""
    if actor.look.form == "human":
        return [(np.flatnonzero(body.limb), actor.limb_tint), (np.flatnonzero(~body.limb), actor.tint)]
    return [(np.arange(len(body.tone)), actor.tint)]


def sample_track(actor: Actor, seconds: Floats) -> list[Floats]:
    """The rows of the track at T moments, by straight lines between knots."""
    place = np.clip(seconds * KNOTS_PER_SECOND, 0, len(actor.knots) - 1.001)
    left = place.astype(np.int64)
    part = (place - left).astype(np.float32)
    return list(actor.track[:, left] * (1 - part) + actor.track[:, left + 1] * part)


def project(points: Floats, forward: Floats, away: Floats, scale: Floats) -> tuple[Floats, Floats]:
    """(P, T, 3) in shoulder heights -> (P, T, 2) scene units from the foot, and how far behind it (P, T)."""
    ahead, left, up = points[..., 0], points[..., 1], points[..., 2]
    flat = np.empty((*points.shape[:2], 2), np.float32)
    flat[..., 0] = (ahead * forward - left * away) * scale
    flat[..., 1] = -up * scale
    return flat, ahead * away + left * forward


def light_at(site: Site, depth_m: Floats, *, night: bool) -> Floats:
    """Light that falls on an animal at a distance (T,): the flash at night, the sky by day."""
    if not night:
        return np.full_like(depth_m, 0.85)
    return np.asarray(np.minimum((site.flash_reach_m / np.maximum(depth_m, 0.3)) ** 1.6, 3.5), np.float32)


def draw_shadow(actor: Actor, foot: Floats, scale: Floats, depth_m: Floats, site: Site) -> Sprite:
    """A dark patch under the animal; none under one that flies or climbs."""
    half = np.stack([actor.look.length * 0.55 * scale, np.zeros_like(scale)], axis=-1)
    usual_depth_m = float(actor.track[1].mean())
    return Sprite(
        start=(foot - half)[None],
        end=(foot + half)[None],
        radius=np.broadcast_to(0.1 * scale, (1, 2, len(scale))),
        tone=np.zeros((1, len(scale)), np.float32),
        textured=np.zeros((1, len(scale)), np.bool_),
        tint=np.zeros(3, np.float32),
        light=np.ones_like(scale),
        depth_m=depth_m + np.float32(0.01),
        order_m=usual_depth_m + 0.01,
        opacity=0.4 if float(actor.track[2].max()) < 0.2 else 0.0,
        blur=0.08 * site.focal * actor.height_m / usual_depth_m,
    )
