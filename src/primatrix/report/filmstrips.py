"""Filmstrips: a few frames of a clip around its best second, side by side, as one small WebP picture.

Clips are decoded selectively, in worker processes with limits. A file that has gone or cannot be read
gives its reason instead of a picture.
"""

import io
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from primatrix.errors import InputError
from primatrix.footage import leads_outside
from primatrix.records import ClipSpec, Failure, OnProgress, Progress, Video
from primatrix.report.selection import Strip
from primatrix.video import FilePool, PoolOptions, decode_clip, describe_video, find_videos, probe_video

__all__ = ["BUDGET_BYTES", "Filmstrip", "choose_moments", "cut_filmstrip", "draw_filmstrips", "list_reasons"]

FRAMES = 5
STEP_SECONDS = 1.0  # between frames, less in a clip shorter than that takes
TILE_WIDTH_PX, TILE_HEIGHT_PX = 200, 150  # the most of one frame
GAP_PX = 2
QUALITY = 60
OUTSIDE = "its path leads outside the folder of footage, so it was not opened"
BUDGET_BYTES = 13_500_000  # of all pictures: a third more as text in the page, which must stay below 20 MB


@dataclass(frozen=True, slots=True)
class Filmstrip:
    """Frames of one clip side by side: the picture as WebP, its size and the second of each frame."""

    webp: bytes
    width_px: int
    height_px: int
    seconds: tuple[float, ...]


def draw_filmstrips(
    strips: Sequence[Strip],
    folder: str | Path,
    *,
    workers: int | None = None,
    budget_bytes: int = BUDGET_BYTES,
    on_progress: OnProgress | None = None,
) -> dict[Strip, Filmstrip | str]:
    """For every strip its picture, or the reason why there is none.

    Strips come in the order of their worth: once the pictures are as large as the budget, the rest go without.

    >>> draw_filmstrips([Strip("gone.mp4", "hog", "surest", 0.9)], "nowhere", workers=0)
    {Strip(...): 'no folder nowhere here; say with --videos where the clips are'}
    """
    moments: dict[str, dict[float | None, None]] = {}  # clip -> the seconds wanted of it, in order
    for strip in strips:
        moments.setdefault(strip.filepath, {})[strip.centre_seconds] = None
    if not Path(folder).is_dir():
        return dict.fromkeys(strips, f"no folder {folder} here; say with --videos where the clips are")
    found, drawn = _find_clips(moments, Path(folder))
    options = PoolOptions(batch=1) if workers is None else PoolOptions(workers=workers, batch=1)
    cut = partial(_cut_all, {name: tuple(seconds) for name, seconds in moments.items()})
    size_bytes = 0
    with FilePool(cut, options=options) as pool:
        for done, (video, result) in enumerate(zip(found, pool.map(found), strict=True), start=1):
            drawn[video.name] = f"{result.stage}: {result.reason}" if isinstance(result, Failure) else result
            if on_progress:
                on_progress(Progress("pictures", done, len(found)))
            size_bytes += _size(drawn[video.name])
            if size_bytes > budget_bytes:
                break
    return _share_budget(strips, drawn, budget_bytes)


def cut_filmstrip(path: str | Path, *, centre_seconds: float | None = None) -> Filmstrip:
    """Five frames around a second of a video (None: its middle). Raises DecodeError."""
    facts = probe_video(path)
    width, height = facts.width_px, facts.height_px
    if facts.rotation_degrees % 180:
        width, height = height, width
    scale = min(TILE_WIDTH_PX / width, TILE_HEIGHT_PX / height, 1.0)
    spec = ClipSpec(FRAMES, max(round(height * scale), 1), max(round(width * scale), 1), "rgb")

    def choose(pts_seconds: Sequence[float], _: Sequence[int]) -> list[int]:
        return choose_moments(pts_seconds, centre_seconds)

    clip = decode_clip(path, spec, choose=choose)
    count, height, width, _ = clip.frames.shape
    picture = np.full((height, count * (width + GAP_PX) - GAP_PX, 3), 255, np.uint8)
    for i, frame in enumerate(clip.frames):
        picture[:, i * (width + GAP_PX) : i * (width + GAP_PX) + width] = frame
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "WEBP", quality=QUALITY, method=4)
    seconds = tuple(float(second) for second in clip.pts_seconds)
    return Filmstrip(file.getvalue(), picture.shape[1], picture.shape[0], seconds)


def choose_moments(pts_seconds: Sequence[float], centre_seconds: float | None) -> list[int]:
    """Indices of up to five frames a second apart around a moment, none twice, all within the clip.

    >>> choose_moments([i / 2 for i in range(20)], 4.0)
    [4, 6, 8, 10, 12]
    >>> choose_moments([0.0, 0.5], 0.0), choose_moments([0.0], None)
    ([0, 1], [0])
    """
    first, last = pts_seconds[0], pts_seconds[-1]
    step = min(STEP_SECONDS, (last - first) / (FRAMES - 1))
    centre = (first + last) / 2 if centre_seconds is None else centre_seconds
    start = max(min(centre - step * (FRAMES // 2), last - step * (FRAMES - 1)), first)
    nearest = (_find_nearest(pts_seconds, start + step * i) for i in range(FRAMES))
    return list(dict.fromkeys(nearest))


def _find_nearest(rising: Sequence[float], value: float) -> int:
    after = bisect_left(rising, value)
    around = range(max(after - 1, 0), min(after + 1, len(rising)))
    return min(around, key=lambda i: abs(rising[i] - value))


def _cut_all(moments: Mapping[str, tuple[float | None, ...]], video: Video) -> dict[float | None, Filmstrip]:
    return {second: cut_filmstrip(video.path, centre_seconds=second) for second in moments[video.name]}


Drawn = dict[float | None, Filmstrip] | str


def _find_clips(names: Iterable[str], folder: Path) -> tuple[list[Video], dict[str, Drawn]]:
    """The videos that are there, and for the others why not. Only files below the folder are looked at."""
    found: list[Video] = []
    missing: dict[str, Drawn] = {}
    for name in names:
        if leads_outside(name):
            missing[name] = OUTSIDE
            continue
        try:
            found.append(describe_video(folder / name, name=name))
        except InputError as error:
            missing[name] = str(error).removeprefix(f"{folder / name}: ")
    spelt_out = {name for name in missing if "\\x" in name}  # bytes that are no UTF-8: listed to be found
    if spelt_out and folder.is_dir():
        listed = [video for video in find_videos(folder, media="both") if video.name in spelt_out]
        found += listed
        for video in listed:
            del missing[video.name]
    return found, missing


def _size(drawn: Drawn) -> int:
    return 0 if isinstance(drawn, str) else sum(len(strip.webp) for strip in drawn.values())


def _share_budget(
    strips: Iterable[Strip], drawn: Mapping[str, Drawn], budget_bytes: int
) -> dict[Strip, Filmstrip | str]:
    """Pictures in the order of the strips until the budget is spent; one shown twice counts twice."""
    shared: dict[Strip, Filmstrip | str] = {}
    for strip in strips:
        result = drawn.get(strip.filepath, "left out to keep the page small")
        picture = result if isinstance(result, str) else result[strip.centre_seconds]
        if isinstance(picture, Filmstrip):
            budget_bytes -= len(picture.webp)
            if budget_bytes < 0:
                picture = "left out to keep the page small"
        shared[strip] = picture
    return shared


def list_reasons(pictures: Mapping[Strip, Filmstrip | str]) -> Iterator[tuple[str, str]]:
    """Each clip without picture, once, and why."""
    yield from dict.fromkeys((strip.filepath, why) for strip, why in pictures.items() if isinstance(why, str))
