"""Draws scenes as pictures, any size, a few frames at a time.

The backdrop of a clip is a sum of few still layers, each with a strength over time, so all its frames are one
matrix product. What moves is drawn in small windows around it, at several samples per pixel for small
pictures.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from primatrix.records import SIZES_PX
from primatrix.simulation.scenes import (
    DAPPLES,
    SHIFTS,
    TWINKLES,
    Scene,
    list_sprites,
    mix_layers,
    overall_light,
)
from primatrix.simulation.shapes import ASPECT, Floats, Sprite
from primatrix.simulation.sites import FAR_M, Site, draw_backdrop, draw_cloud, make_site

__all__ = ["draw_clip", "draw_frames"]

RAW_PIXELS = math.prod(SIZES_PX["raw"])
CHUNK_PIXELS = 4_000_000
AMBIENT = 0.75
BRIGHTEST, BRIGHTEST_BY_NIGHT = 2.0, 5.0  # times the mean
NOISE = 1 << 20
FAINTEST_PX = 0.12
BACKDROP_FINER = (
    3  # backdrops of small pictures are drawn finer than sprites, once per site: sharp things average
)
# Slopes are taken over the length that wind moves leaves: shorter ones look embossed when multiplied by it.
SLOPE_REACH = 0.012


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """A site's backdrop in one light at one picture size: `values` (LAYERS + 1, H * W * 3),
    the last a constant, how far away trees and
    bushes stand at the finer size sprites are drawn at (`obstacles`), and the plain picture's mean."""

    values: Floats
    obstacles: Floats
    nearest_obstacle_m: float
    mean: float


@lru_cache(maxsize=1)
def noise_bank() -> Floats:
    """Unit noise that every frame reads from a place of its own: 30 times cheaper than fresh noise."""
    return np.random.default_rng(1).standard_normal(NOISE + 3 * RAW_PIXELS, np.float32)


def samples_per_pixel(height_px: int) -> int:
    """How finely sprites are drawn along each side of a pixel."""
    return 3 if height_px <= 32 else 2 if height_px <= 128 else 1


def draw_clip(
    scene: Scene, *, height_px: int, width_px: int, frames: int, frames_per_second: float
) -> Iterator[NDArray[np.uint8]]:
    """The pictures (H, W, 3) of a clip one by one; at most a second of raw footage is in memory.

    >>> from primatrix.simulation.scenes import ClipPlan, make_scene
    >>> scene = make_scene(ClipPlan(clip=1, species=("hog",), site=0, event=0, minute=600), seed=0)
    >>> pictures = list(draw_clip(scene, height_px=16, width_px=16, frames=30, frames_per_second=2))
    >>> len(pictures), pictures[0].shape
    (30, (16, 16, 3))
    """
    chunk = max(1, min(frames, CHUNK_PIXELS // (height_px * width_px * 3)))
    for first in range(0, frames, chunk):
        numbers = np.arange(first, min(frames, first + chunk))
        yield from draw_frames(
            scene, numbers, frames_per_second=frames_per_second, size_px=(height_px, width_px)
        )


def draw_frames(
    scene: Scene, numbers: NDArray[np.int64], *, frames_per_second: float, size_px: tuple[int, int]
) -> NDArray[np.uint8]:
    """Frames of these numbers, uint8 (T, H, W, 3)."""
    height_px, width_px = size_px
    seconds = (numbers / frames_per_second).astype(np.float32)
    layers = light_layers(scene.site.seed, scene.site.number, scene.night, height_px, width_px)
    gain = overall_light(scene, seconds) * np.float32(exposure_gain(scene, layers))
    mix = np.column_stack(
        [mix_layers(scene, seconds) * gain[:, None], np.full(len(numbers), black_level(scene))]
    )
    # einsum, not BLAS: as fast on one core, and no threads that wait for each other when cores are busy.
    picture = np.einsum("tk,kv->tv", mix.astype(np.float32), layers.values)
    picture = picture.reshape(len(numbers), height_px, width_px, 3)
    for sprite in list_sprites(scene, seconds):
        paint_sprite(
            picture, expose_sprite(sprite, scene, gain), layers, samples=samples_per_pixel(height_px)
        )
    add_noise(picture, scene, numbers)
    return np.asarray(np.clip(picture, 0, 255, out=picture), np.uint8)


def exposure_gain(scene: Scene, layers: Layers) -> float:
    """From light to 0..255 as the site's camera exposes, contrast included."""
    site = scene.site
    level = site.night_level if scene.night else site.day_level
    return 255 * level * site.contrast / (layers.mean * (1 + 0.3 * float(scene.sun.sum())))


def black_level(scene: Scene) -> float:
    """What no light gives: a camera of low contrast lifts its blacks. The half rounds."""
    level = scene.site.night_level if scene.night else scene.site.day_level
    return float(255 * level * (1 - scene.site.contrast) * 0.8 + 0.5)


def expose_sprite(sprite: Sprite, scene: Scene, gain: Floats) -> Sprite:
    """The sprite as the camera sees it: its colour times gain, grey in the flash."""
    balance = np.ones(3, np.float32) if scene.night else scene.site.white_balance
    tint = np.full(3, sprite.tint.mean(), np.float32) if scene.night else sprite.tint
    return replace(sprite, tint=tint * balance, light=sprite.light * gain)


def add_noise(picture: Floats, scene: Scene, numbers: NDArray[np.int64]) -> None:
    """Add sensor noise to pictures (T, H, W, 3), as little as averaging raw pixels leaves of it."""
    _, height_px, width_px, _ = picture.shape
    spread = scene.site.noise_night if scene.night else scene.site.noise_day
    spread = max(0.4, spread * np.sqrt(height_px * width_px / RAW_PIXELS))
    bank = noise_bank()
    values = height_px * width_px * (1 if scene.night else 3)
    for number, frame in zip(numbers.tolist(), picture, strict=True):
        begin = (scene.noise_seed + number * 1_000_003) % NOISE
        noise = bank[begin : begin + values] * np.float32(spread)
        frame += noise.reshape(height_px, width_px, -1)


@lru_cache(maxsize=3)
def light_layers(seed: int, number: int, night: bool, height_px: int, width_px: int) -> Layers:
    """The layers of a site by day or in its flash. Kept for the last few: clips come site by site."""
    site = make_site(seed, number)
    finer = BACKDROP_FINER if samples_per_pixel(height_px) > 1 else 1
    samples = samples_per_pixel(height_px) * finer
    fine = (height_px * samples, width_px * samples)
    backdrop = draw_backdrop(site, *fine)
    plain = backdrop.albedo * (AMBIENT * site.white_balance)
    if night:
        red, green, blue = np.moveaxis(backdrop.albedo, -1, 0)
        grey = np.float32(0.4) * (red + green) + np.float32(0.2) * blue
        plain = np.repeat((grey * flash_light(site, backdrop.depth_m))[..., None], 3, axis=2)
    # The sky is overexposed anyway; capped here, small pictures average what large ones would clip.
    plain = np.minimum(plain, np.float32(BRIGHTEST_BY_NIGHT if night else BRIGHTEST) * plain.mean())
    rows = [plain]
    key = (site.seed, site.number)
    for number_of_layer in range(DAPPLES):
        shade = draw_cloud((*key, 10 + number_of_layer), *fine, coarsest=3, finest=64, roughness=0.75)
        rows.append(plain * (0.0 if night else 1.0) * np.clip(shade - 0.1, 0, 1)[..., None])
    steep_y, steep_x = slopes(plain)
    for number_of_layer in range(SHIFTS):
        mask = backdrop.growth * draw_cloud(
            (*key, 20 + number_of_layer), *fine, coarsest=2, finest=4, roughness=0.7
        )
        rows.append(steep_x * mask[..., None])
    for number_of_layer in range(TWINKLES):
        leaves = draw_cloud((*key, 30 + number_of_layer), *fine, coarsest=4, finest=64, roughness=0.85)
        rows.append(plain * (backdrop.growth * leaves)[..., None])
    rows += [steep_x, steep_y, np.ones_like(plain)]
    return Layers(
        values=np.stack([pool(row, samples).reshape(-1) for row in rows]).astype(np.float32),
        obstacles=backdrop.obstacles[finer // 2 :: finer, finer // 2 :: finer],
        nearest_obstacle_m=float(backdrop.obstacles.min()),
        mean=float(plain.mean()),
    )


def slopes(picture: Floats) -> tuple[Floats, Floats]:
    """Change of (H, W, 3) per scene unit downwards and to the right."""
    height_px, width_px = picture.shape[:2]
    steps = (max(1, round(SLOPE_REACH * height_px)), max(1, round(SLOPE_REACH / ASPECT * width_px)))
    changes = []
    for axis, step, scale in ((0, steps[0], height_px), (1, steps[1], width_px / ASPECT)):
        ahead, behind = np.roll(picture, -step, axis), np.roll(picture, step, axis)
        changes.append((ahead - behind) * np.float32(scale / (2 * step)))
    return changes[0], changes[1]


def flash_light(site: Site, depth_m: Floats) -> Floats:
    """The flash on what stands at a distance (H, W): weaker with distance and towards the corners."""
    height_px, width_px = depth_m.shape
    y = np.linspace(-1, 1, height_px, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width_px, dtype=np.float32)[None, :]
    falloff = np.clip((site.flash_reach_m / depth_m) ** 1.6, 0.02, 3.5)
    return np.asarray(falloff * (1 - np.float32(0.5 * site.vignette) * (x * x + y * y)), np.float32)


def pool(picture: Floats, samples: int) -> Floats:
    """Means over squares of samples x samples: (..., H, W, C) -> (..., H / samples, W / samples, C)."""
    if samples == 1:
        return picture
    rows = np.add.reduce([picture[..., offset::samples, :, :] for offset in range(samples)])
    both = np.add.reduce([rows[..., offset::samples, :] for offset in range(samples)])
    return np.asarray(both / np.float32(samples * samples), np.float32)


def paint_sprite(picture: Floats, sprite: Sprite, layers: Layers, *, samples: int) -> None:
    """Lay one sprite over pictures (T, H, W, 3), in a window that follows it."""
    height_px, width_px = picture.shape[1] * samples, picture.shape[2] * samples
    per_unit = np.array([width_px / ASPECT, height_px], np.float32)
    reach = sprite.radius.max(axis=1) + np.float32(0.5 * sprite.blur) + 1 / per_unit.min()
    low = np.minimum(sprite.start, sprite.end) - reach[..., None]
    high = np.maximum(sprite.start, sprite.end) + reach[..., None]
    top = (
        np.floor(np.clip(low.min(axis=0) * per_unit, -1, (width_px, height_px)) / samples).astype(int)
        * samples
    )
    bottom = (
        np.ceil(np.clip(high.max(axis=0) * per_unit, 0, (width_px + 1, height_px + 1)) / samples).astype(int)
        * samples
    )
    seen = np.flatnonzero(((bottom > 0) & (top < (width_px, height_px)) & (bottom > top)).all(axis=1))
    if sprite.opacity <= 0 or len(seen) == 0:
        return
    top = np.clip(top[seen], 0, None)
    extent = (np.minimum(bottom[seen], (width_px, height_px)) - top).max(axis=0)
    top = np.minimum(top, np.array((width_px, height_px)) - extent)
    window = Window(sprite, seen, top, extent, per_unit)
    cover, light = window.paint(low[:, seen], high[:, seen])
    hide_behind(cover, light, sprite.depth_m[seen], layers, top)
    cover, light = pool(cover[..., None], samples), pool(light[..., None], samples)
    light = light * (sprite.light[seen][:, None, None, None] * sprite.tint)
    cover = 1 - cover
    for row, (moment, (x, y)) in enumerate(zip(seen.tolist(), (top // samples).tolist(), strict=True)):
        area = picture[moment, y : y + cover.shape[1], x : x + cover.shape[2]]
        area *= cover[row]
        area += light[row]


def hide_behind(
    cover: Floats, light: Floats, depth_m: Floats, layers: Layers, top: NDArray[np.int64]
) -> None:
    """Take away what is behind a tree or a bush, in windows (T, h, w) whose corners are `top` (x, y)."""
    if layers.nearest_obstacle_m > depth_m.max() or depth_m.min() > FAR_M:
        return
    rows = top[:, 1, None] + np.arange(cover.shape[1])
    columns = top[:, 0, None] + np.arange(cover.shape[2])
    open_view = layers.obstacles[rows[:, :, None], columns[:, None, :]] > depth_m[:, None, None]
    cover *= open_view
    light *= open_view


class Window:
    """The part of the picture around a sprite, following it: (T, h, w) samples from corners `top` (T, 2)."""

    def __init__(
        self,
        sprite: Sprite,
        seen: NDArray[np.int64],
        top: NDArray[np.int64],
        extent: NDArray[np.int64],
        per_unit: Floats,
    ) -> None:
        self.sprite, self.seen, self.top, self.extent, self.per_unit = sprite, seen, top, extent, per_unit
        width, height = extent.tolist()
        self.x = ((top[:, 0, None] + np.arange(width) + 0.5) / per_unit[0]).astype(np.float32)[:, None, :]
        self.y = ((top[:, 1, None] + np.arange(height) + 0.5) / per_unit[1]).astype(np.float32)[:, :, None]
        self.cover = np.zeros((len(seen), height, width), np.float32)
        self.light = np.zeros_like(self.cover)
        # A pixel's width where pixels are not square: the geometric mean of both sides.
        self.pixel = float(1 / np.sqrt(per_unit[0] * per_unit[1]))

    def paint(self, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """Cover and brightness (T, h, w) of all capsules, whose boxes are `low` to `high` (P, T, 2)."""
        first = np.floor((low * self.per_unit - self.top).min(axis=1)).astype(int).clip(0)
        last = np.ceil((high * self.per_unit - self.top).max(axis=1)).astype(int)
        last = np.minimum(last, self.extent)
        thick = self.sprite.radius[:, :, self.seen].max(axis=(1, 2)) >= FAINTEST_PX * self.pixel
        for part in np.flatnonzero(thick & (last > first).all(axis=1)).tolist():
            self.paint_capsule(
                part, slice(first[part, 1], last[part, 1]), slice(first[part, 0], last[part, 0])
            )
        return self.cover, self.light

    def paint_capsule(self, part: int, rows: slice, columns: slice) -> None:
        """One capsule over those before it, in rows and columns of the window."""
        sprite, seen = self.sprite, self.seen
        start = sprite.start[part, seen, :, None, None]
        along = sprite.end[part, seen, :, None, None] - start
        radius = sprite.radius[part, 0, seen, None, None]
        taper = sprite.radius[part, 1, seen, None, None] - radius
        away_x, away_y = self.x[:, :, columns] - start[:, 0], self.y[:, rows] - start[:, 1]
        square = np.maximum((along * along).sum(axis=1), 1e-9)
        share = away_x * (along[:, 0] / square) + away_y * (along[:, 1] / square)
        np.clip(share, 0, 1, out=share)
        gap = (away_x - share * along[:, 0]) ** 2
        gap += (away_y - share * along[:, 1]) ** 2
        np.sqrt(gap, out=gap)
        thickness = share * taper
        thickness += radius
        softness = self.pixel + sprite.blur
        cover = (thickness - gap) * np.float32(1 / softness)
        cover += np.float32(0.5)
        # A capsule thinner than the softness cannot cover it: at most its own share.
        np.clip(cover, 0, np.minimum(1, 2 / softness * np.maximum(radius, radius + taper)), out=cover)
        cover *= np.float32(sprite.opacity)
        tone = self.shade(part, away_y, radius + taper * 0.5, along)
        textured = sprite.textured[part, seen]
        if sprite.pattern != "plain" and textured.any():
            visible = textured * np.clip(radius[:, 0, 0] / self.pixel - 2, 0, 1)
            marks = self.draw_pattern(share, (away_y - share * along[:, 1]) / radius)
            tone = tone * (1 + visible[:, None, None] * marks)
        kept = 1 - cover
        self.cover[:, rows, columns] *= kept
        self.cover[:, rows, columns] += cover
        self.light[:, rows, columns] *= kept
        cover *= tone
        self.light[:, rows, columns] += cover

    def shade(self, part: int, away_y: Floats, radius: Floats, along: Floats) -> Floats:
        """Brightness (T, h, 1): lit from above."""
        height = (0.5 * along[:, 1] - away_y) / np.maximum(radius + 0.5 * np.abs(along[:, 1]), 1e-4)
        return np.asarray(
            self.sprite.tone[part, self.seen, None, None]
            * (1 + np.float32(self.sprite.shading) * np.clip(height, -1, 1)),
            np.float32,
        )

    def draw_pattern(self, share: Floats, down: Floats) -> Floats:
        """Marks of the coat over (T, h, w), as what they add to 1."""
        name, phase = self.sprite.pattern, self.sprite.pattern_phase
        if name == "spots":
            marks = np.sin(26 * share + phase + 2 * down) * np.sin(9 * down + phase)
            return np.asarray(-0.45 * np.clip(3 * marks, 0, 1), np.float32)
        if name == "stripes":
            return np.asarray(0.5 * np.clip(4 * np.sin(30 * share + phase + down) - 2.6, 0, 1), np.float32)
        return np.asarray(
            0.7 * np.clip(2 * np.sin(70 * share + 8 * down * share + phase), -0.5, 1), np.float32
        )
