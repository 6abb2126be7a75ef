"""The files of a simulated benchmark that are still to be drawn, drawn in worker processes."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from primatrix.errors import DecodeError, PrimatrixError
from primatrix.labels import BENCHMARK_SPECIES, BLANK
from primatrix.records import SIZES_PX, DatasetType, Failure, OnProgress, Progress
from primatrix.simulation.damage import DAMAGES, damage_file
from primatrix.simulation.render import draw_clip
from primatrix.simulation.scenes import ClipPlan
from primatrix.simulation.survey import SimulationSpec, Survey
from primatrix.simulation.visibility import make_visible_scene
from primatrix.video import FilePool, PoolOptions, write_clip

__all__ = ["Drawing", "draw_all", "list_drawings"]

FRAMES_PER_SECOND = 2  # of nano and micro clips
# A raw clip of the benchmark's size takes 4 s, a minute at 2160x3840 about 8 min: what takes an hour hangs.
OPTIONS = PoolOptions(time_limit_seconds=3600.0, memory_limit_bytes=8 << 30)


@dataclass(frozen=True, slots=True)
class Drawing:
    """One file to draw: where, at which of the benchmark's sizes, what it shows and how it is spoiled."""

    path: Path
    size: DatasetType
    plan: ClipPlan
    frames: int
    damage: int

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def size_bytes(self) -> int:
        """A guess: a byte for each pixel and second."""
        height_px, width_px = SIZES_PX[self.size]
        return height_px * width_px * self.frames // FRAMES_PER_SECOND


def list_drawings(folder: Path, survey: Survey, size: DatasetType) -> list[Drawing]:
    """Files of one size that are still missing in `folder`/`size`, site by site; half-written ones are removed."""
    present = _list_present(folder / size)
    minutes = survey.time.astype("datetime64[m]").astype(np.int64) % (24 * 60)
    order = np.lexsort((minutes, survey.site))
    species = np.array(BENCHMARK_SPECIES)
    return [
        Drawing(
            path=folder / size / survey.names[clip],
            size=size,
            plan=ClipPlan(
                clip=clip,
                species=tuple(name for name in species[survey.shown[clip]].tolist() if name != BLANK),
                site=int(survey.site[clip]),
                event=int(survey.event[clip]),
                minute=int(minutes[clip]),
            ),
            frames=int(survey.frames[clip]),
            damage=int(survey.damage[clip]),
        )
        for clip in order.tolist()
        if survey.names[clip] not in present
    ]


def _list_present(folder: Path) -> set[str]:
    """Names of the files of a folder; what a killed run left half written is removed."""
    names = {entry.name for entry in os.scandir(folder)}
    halves = {name for name in names if name.startswith(".") and name.endswith((".part", ".spoiled"))}
    for name in halves:
        (folder / name).unlink(missing_ok=True)
    return names - halves


def draw_all(
    drawings: Sequence[Drawing],
    spec: SimulationSpec,
    *,
    workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> None:
    """Draw every file, in this process (`workers` 0 or 1) or in several.

    A worker process that dies is replaced, and what it was drawing drawn once more. Raises OSError where the disk
    refuses, PrimatrixError where a file cannot be drawn.
    """
    asked = replace(OPTIONS, workers=OPTIONS.workers if workers is None else workers)
    count = min(asked.workers, len(drawings))
    options = replace(asked, workers=count if count > 1 else 0)
    with FilePool(partial(_draw_file, spec), options=options) as pool:
        for done, result in enumerate(pool.map(drawings), start=1):
            if isinstance(result, Failure):
                raise _explain(result)
            if on_progress:
                on_progress(Progress("simulate", done, len(drawings)))


def _explain(failure: Failure) -> Exception:
    """No other file would fare better: the disk is full, or memory, or a process is killed twice."""
    if failure.stage == "write":
        return OSError(failure.reason)
    return PrimatrixError(f"{failure.name}: cannot be drawn: {failure.reason}; run this again to go on")


def _draw_file(spec: SimulationSpec, drawing: Drawing) -> None:
    """Draw, encode and write one file; a broken one is made whole beside its place and then spoiled."""
    seconds = max(spec.seconds, drawing.frames / FRAMES_PER_SECOND)
    scene = make_visible_scene(drawing.plan, seed=spec.seed, seconds=seconds)
    rate = spec.raw_frames_per_second if drawing.size == "raw" else FRAMES_PER_SECOND
    raw_px = (spec.raw_height_px, spec.raw_width_px)
    height_px, width_px = raw_px if drawing.size == "raw" else SIZES_PX[drawing.size]
    pictures = draw_clip(
        scene,
        height_px=height_px,
        width_px=width_px,
        frames=drawing.frames * rate // FRAMES_PER_SECOND,
        frames_per_second=rate,
    )
    path = drawing.path
    target = path.with_name(f".{path.name}.spoiled") if drawing.damage else path
    try:
        write_clip(target, pictures, frames_per_second=rate, quantiser=scene.site.quantiser)
        if drawing.damage:
            damage_file(target, DAMAGES[drawing.damage], seed=(spec.seed, drawing.plan.clip))
            target.replace(path)
    except OSError as error:
        raise DecodeError(error.strerror or str(error), stage="write") from error
