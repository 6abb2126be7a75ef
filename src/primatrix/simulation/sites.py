"""Camera sites: what stands before a camera, how it hangs and how it sees. All from (seed, site number)."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from primatrix.simulation.shapes import ASPECT, Floats

__all__ = ["FAR_M", "Backdrop", "Site", "draw_backdrop", "draw_cloud", "make_site", "soft_step"]

FAR_M = 30.0
FOLIAGE_M = 22.0
SITE_STREAM, CLOUD_STREAM = 101, 102


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """One camera's place and settings.

    `horizon` is its height in the picture (scene units from the top), `focal` the height in the picture of 1
    m at 1 m distance, `camera_height_m` above the ground. `open_country` is 0 for closed forest, 1 for
    savanna. Colours are (3,) 0..1. `trees` are rows of (place across the picture,
    -0.75 to 0.75, distance, width in metres, lean, tone), `bushes` rows of (place, distance, width, height,
    tone), `plants` the seeds of plants near the lens.
    """

    seed: int
    number: int
    horizon: float
    focal: float
    camera_height_m: float
    open_country: float
    ground: Floats
    foliage: Floats
    white_balance: Floats
    day_level: float
    night_level: float
    contrast: float
    flash_reach_m: float
    vignette: float
    noise_day: float
    noise_night: float
    roughness: float
    grass: float
    night_below: float
    quantiser: int
    trees: Floats
    bushes: Floats
    plants: tuple[int, ...]

    def foot_y(self, depth_m: Floats | float) -> Floats:
        """Where the ground is in the picture at a distance (scene units, downwards)."""
        return np.asarray(self.horizon + self.focal * self.camera_height_m / depth_m, np.float32)


@lru_cache(maxsize=512)
def make_site(seed: int, number: int) -> Site:
    """The site with this number in the simulation with this seed.

    >>> make_site(0, 3).focal == make_site(0, 3).focal
    True
    """
    rng = np.random.default_rng([seed, SITE_STREAM, number])
    open_country = float(rng.beta(0.9, 1.4))
    trees = int(rng.integers(1, 7) * (1.1 - 0.7 * open_country))
    bushes = int(rng.integers(2, 8))
    focal = float(rng.uniform(1.0, 1.7))
    dry = rng.uniform(0, 1)
    green = np.array([0.33, 0.37, 0.25]) * (1 - dry) + np.array([0.44, 0.40, 0.30]) * dry
    soil = np.array([0.40, 0.34, 0.28]) * rng.uniform(0.7, 1.3)
    grass = float(rng.uniform(0.1, 1.0))
    return Site(
        seed=seed,
        number=number,
        horizon=float(rng.uniform(0.12, 0.42)),
        focal=focal,
        camera_height_m=float(rng.uniform(0.5, 1.3)),
        open_country=open_country,
        ground=np.asarray((soil * (1 - grass) + green * grass) * rng.uniform(0.92, 1.08, 3), np.float32),
        foliage=np.asarray(green * rng.uniform(0.6, 1.0) * rng.uniform(0.93, 1.07, 3), np.float32),
        white_balance=np.asarray(rng.normal(1.0, 0.07, 3), np.float32),
        day_level=float(rng.uniform(0.30, 0.52)),
        night_level=float(rng.uniform(0.14, 0.32)),
        contrast=float(rng.uniform(0.8, 1.25)),
        flash_reach_m=float(rng.uniform(3.0, 8.0)),
        vignette=float(rng.uniform(0.2, 0.9)),
        noise_day=float(rng.uniform(2.0, 5.0)),
        noise_night=float(rng.uniform(5.0, 12.0)),
        roughness=float(rng.uniform(0.75, 0.95)),
        grass=grass,
        night_below=float(rng.uniform(-25, 35)),
        quantiser=int(rng.integers(18, 25)),
        trees=draw_trees(rng, trees),
        bushes=draw_bushes(rng, bushes),
        plants=tuple(int(value) for value in rng.integers(0, 2**31, int(rng.integers(0, 3)))),
    )


def draw_trees(rng: np.random.Generator, count: int) -> Floats:
    """Trees (count, 5): place across, distance in metres, width in metres, lean, tone."""
    columns = [
        rng.uniform(-0.75, 0.75, count),
        np.exp(rng.uniform(np.log(2.5), np.log(18), count)),
        rng.gamma(3, 0.08, count) + 0.05,
        rng.normal(0, 0.08, count),
        rng.uniform(0.5, 1.1, count),
    ]
    return np.column_stack(columns).astype(np.float32)


def draw_bushes(rng: np.random.Generator, count: int) -> Floats:
    """Bushes (count, 5): place across, distance, width and height in metres, tone."""
    columns = [
        rng.uniform(-0.9, 0.9, count),
        np.exp(rng.uniform(np.log(2.5), np.log(16), count)),
        rng.uniform(0.5, 2.2, count),
        rng.uniform(0.2, 1.3, count),
        rng.uniform(0.7, 1.4, count),
    ]
    return np.column_stack(columns).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Backdrop:
    """A site without light, at one picture size: `albedo` (H, W, 3), `depth_m` (H, W) of what is seen,
    `growth` (H, W) how freely it moves in wind, 0..1, `obstacles` (H, W) distance of trees and bushes (FAR_M
    where there are none)."""

    albedo: Floats
    depth_m: Floats
    growth: Floats
    obstacles: Floats


def soft_step(value: Floats, width: Floats | float) -> Floats:
    """0 below, 1 above, a straight ramp of this width around 0."""
    return np.asarray(np.clip(value / width + np.float32(0.5), 0, 1), np.float32)


def draw_cloud(
    key: tuple[int, ...], height_px: int, width_px: int, *, coarsest: int, finest: int, roughness: float
) -> Floats:
    """Smooth random values (H, W) of about unit spread, the same picture at every size.

    Sums lattices of `coarsest`, twice as many, ... `finest` cells per picture height, each weaker by
    `roughness`; cells smaller than a pixel average out and are left out.
    """
    total = np.zeros((height_px, width_px), np.float32)
    weight, power, cells = 1.0, 0.0, coarsest
    while cells <= finest:
        power += weight * weight
        if cells <= height_px:
            rng = np.random.default_rng([*key, CLOUD_STREAM, cells])
            lattice = rng.standard_normal((cells + 2, int(cells * ASPECT) + 3), np.float32)
            total += np.float32(weight) * read_lattice(lattice, total.shape, cells)
        weight *= roughness
        cells *= 2
    return total * np.float32(1.6 / np.sqrt(power))


def read_lattice(lattice: Floats, shape: tuple[int, ...], cells: int) -> Floats:
    """Values (H, W) between the knots of a lattice of `cells` cells per picture height."""
    # No matrix product: BLAS starts threads for these, which wait for each other on a busy machine.
    top, down = place_knots(shape[0], lattice.shape[0], cells)
    left, right = place_knots(shape[1], lattice.shape[1], cells * ASPECT)
    rows = lattice[top] * (1 - down)[:, None] + lattice[top + 1] * down[:, None]
    return np.asarray(rows[:, left] * (1 - right) + rows[:, left + 1] * right, np.float32)


def place_knots(pixels: int, knots: int, cells: float) -> tuple[NDArray[np.int64], Floats]:
    """The knot before each pixel centre, and how far (0..1, eased) the pixel is from it to the next."""
    place = (np.arange(pixels, dtype=np.float32) + 0.5) * np.float32(cells / pixels)
    before = np.minimum(place.astype(np.int64), knots - 2)
    part = (place - before).astype(np.float32)
    return before, part * part * (3 - 2 * part)


def draw_backdrop(site: Site, height_px: int, width_px: int) -> Backdrop:
    """Ground, far foliage, bushes and trees of a site, far things first."""
    x = ((np.arange(width_px, dtype=np.float32) + 0.5) * np.float32(ASPECT / width_px))[None, :]
    y = ((np.arange(height_px, dtype=np.float32) + 0.5) / np.float32(height_px))[:, None]
    pixel = 1 / height_px
    key = (site.seed, site.number)
    rough = draw_cloud((*key, 1), height_px, width_px, coarsest=4, finest=256, roughness=site.roughness)
    leaves = draw_cloud((*key, 2), height_px, width_px, coarsest=3, finest=128, roughness=0.8)
    edge = y - site.horizon - 0.02 * draw_cloud((*key, 3), 1, width_px, coarsest=2, finest=32, roughness=0.7)
    below = soft_step(edge, max(0.03, pixel))
    backdrop = Backdrop(
        albedo=below[..., None] * draw_ground(site, rough, leaves)
        + (1 - below[..., None]) * draw_far(site, leaves, rough),
        depth_m=np.where(
            edge > 0,
            np.clip(site.focal * site.camera_height_m / np.maximum(edge, 1e-3), 0.5, FAR_M),
            FOLIAGE_M,
        ).astype(np.float32),
        growth=below * np.float32(0.45 * site.grass) * soft_step(leaves + 0.3, 1.0)
        + (1 - below) * np.float32(0.6),
        obstacles=np.full((height_px, width_px), FAR_M, np.float32),
    )
    for cover, colour, depth_m, growth in draw_obstacles(site, x, y, leaves, rough):
        backdrop.albedo[:] += cover[..., None] * (colour - backdrop.albedo)
        backdrop.growth[:] += cover * (growth - backdrop.growth)
        inside = cover > 0.5
        backdrop.depth_m[inside] = depth_m
        backdrop.obstacles[inside] = depth_m
    np.clip(backdrop.albedo, 0.02, 1.0, out=backdrop.albedo)
    return backdrop


def draw_ground(site: Site, rough: Floats, leaves: Floats) -> Floats:
    """Soil and grass (H, W, 3): litter in light and dark patches."""
    tone = 1 + 0.19 * rough + 0.09 * leaves
    dry = 0.05 * leaves[..., None] * np.array([1.0, 0.3, -0.6], np.float32)
    return np.asarray(tone[..., None] * site.ground * (1 + dry), np.float32)


def draw_far(site: Site, leaves: Floats, rough: Floats) -> Floats:
    """The far wall of leaves (H, W, 3), with gaps of sky where the country is open."""
    wall = site.foliage * (0.75 + 0.3 * leaves + 0.12 * rough)[..., None]
    sky = soft_step(leaves - np.float32(1.6 - 2.6 * site.open_country), 0.5)[..., None]
    return np.asarray(wall + sky * (np.array([0.80, 0.84, 0.88], np.float32) - wall), np.float32)


def draw_obstacles(
    site: Site, x: Floats, y: Floats, leaves: Floats, rough: Floats
) -> Iterator[tuple[Floats, Floats, float, float]]:
    """Cover (H, W), colour (H, W, 3), distance and growth of each tree and bush, the farthest first."""
    pixel = 1 / len(y)
    rows = [(float(row[1]), "tree", row) for row in site.trees] + [
        (float(row[1]), "bush", row) for row in site.bushes
    ]
    for depth_m, kind, row in sorted(rows, key=lambda entry: -entry[0]):
        scale = site.focal / depth_m
        middle, foot = ASPECT * (0.5 + float(row[0]) / 1.5), float(site.foot_y(depth_m))
        if kind == "tree":
            half = 0.5 * float(row[2]) * scale
            away = (x - middle - float(row[3]) * (foot - y)) / half
            ragged = np.float32(half * (1 + 0.04 * float(row[3])))
            cover = soft_step(ragged * (1 - np.abs(away)), pixel) * soft_step(foot - y, max(0.02, pixel))
            bark = np.float32(row[4]) * (0.9 - 0.35 * away + 0.16 * rough)
            yield cover, bark[..., None] * np.array([0.33, 0.28, 0.22], np.float32), depth_m, 0.0
        else:
            half, high = 0.5 * float(row[2]) * scale, float(row[3]) * scale
            inside = 1 - ((x - middle) / half) ** 2 - ((y - foot + 0.45 * high) / (0.55 * high)) ** 2
            cover = soft_step(inside + 0.35 * leaves, max(0.25, pixel / min(half, high)))
            tone = np.float32(row[4]) * (0.85 + 0.32 * leaves + 0.12 * rough)
            yield cover, tone[..., None] * site.foliage, depth_m, 1.0
