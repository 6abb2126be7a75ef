"""Simulated camera-trap footage in the shape of the benchmark: tables, and real H.264 files, from a seed."""

import json
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd

from primatrix.disk import write_json, write_table
from primatrix.errors import InputError, PrimatrixError
from primatrix.labels import BENCHMARK_SPECIES, BLANK
from primatrix.records import OnProgress, Progress
from primatrix.simulation.damage import DAMAGES, damage_file
from primatrix.simulation.render import draw_clip
from primatrix.simulation.scenes import Sighting
from primatrix.simulation.survey import SimulationSpec, Survey, draw_survey
from primatrix.simulation.visibility import make_visible_scene
from primatrix.video import main_hidden, write_clip

__all__ = ["Simulation", "SimulationSpec", "Size", "simulate", "write_tables"]

Size = Literal["nano", "micro", "raw"]
SMALL_SIDES_PX = {"nano": 16, "micro": 64}
SMALL_FRAMES_PER_SECOND = 2
CHUNK_CLIPS = 32
SETTINGS = "simulation.json"
VERSION = 2  # of what a seed draws; 2: labelled animals can be seen


@dataclass(frozen=True, slots=True)
class Simulation:
    """What `simulate` made: files written now and found from before, and the names of those broken on
    purpose."""

    folder: Path
    spec: SimulationSpec
    sizes: tuple[Size, ...]
    files_written: int
    files_found: int
    broken: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """One file to draw."""

    name: str
    size: Size
    sighting: Sighting
    frames: int
    damage: int


def simulate(
    folder: Path | str,
    *,
    spec: SimulationSpec,
    sizes: Sequence[Size] = ("nano",),
    workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> Simulation:
    """Write clips and tables of a simulated benchmark; the same command again writes what is missing.

    `folder` gets `<size>/*.mp4` and, last, the tables (see `write_tables`). The same spec gives the same
    bytes whatever the number of `workers` (processes; default one per core), and a clip shows the same scene
    at every size.

    Raises InputError for sizes that do not exist, a folder that holds another simulation, or a full disk.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     made = simulate(name, spec=SimulationSpec(train_clips=2, test_clips=1), workers=1)
    ...     made.files_written, sorted(path.name for path in Path(name).glob("*.csv"))
    (3, ['deployments.csv', 'submission_format.csv', 'test_labels.csv', 'train_labels.csv'])
    """
    for size in sizes or ("",):
        if size not in get_args(Size):
            raise InputError(f"sizes: got {size!r}, wanted some of {', '.join(get_args(Size))}")
    folder, survey = Path(folder), draw_survey(spec)
    try:
        claim_folder(folder, spec, sizes)
        present = {size: list_present(folder / size) for size in sizes}
        tasks = [task for size in sizes for task in list_tasks(survey, size, present[size])]
        written = draw_all(folder, spec, tasks, workers=workers, on_progress=on_progress)
        write_tables(folder, survey=survey)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot write there ({error}); make room or choose another folder, then run this again"
        ) from error
    found = len(survey.names) * len(sizes) - written
    broken = tuple(survey.names[row] for row in np.flatnonzero(survey.damage))
    return Simulation(folder, spec, tuple(sizes), written, found, broken)


def claim_folder(folder: Path, spec: SimulationSpec, sizes: Iterable[Size]) -> None:
    """Make the folders and note the settings; refuse a folder made with others."""
    settings = {"version": VERSION, **asdict(spec)}
    for size in sizes:
        (folder / size).mkdir(parents=True, exist_ok=True)
    path = folder / SETTINGS
    if not path.exists():
        write_json(path, settings)
        return
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        before = {}
    changed = [name for name, value in settings.items() if before.get(name) != value]
    if changed:
        raise InputError(
            f"{folder}: holds another simulation ({', '.join(changed)} changed); "
            "use its settings or another folder"
        )


def list_present(folder: Path) -> set[str]:
    """Names of the files of a folder; what a killed run left half written is removed."""
    names = {entry.name for entry in os.scandir(folder)}
    halves = {name for name in names if name.startswith(".") and name.endswith((".part", ".spoiled"))}
    for name in halves:
        (folder / name).unlink(missing_ok=True)
    return names - halves


def list_tasks(survey: Survey, size: Size, present: set[str]) -> list[Task]:
    """Files of one size that are still missing, site by site."""
    minutes = survey.time.astype("datetime64[m]").astype(np.int64) % (24 * 60)
    order = np.lexsort((minutes, survey.site))
    species = np.array(BENCHMARK_SPECIES)
    return [
        Task(
            name=survey.names[clip],
            size=size,
            sighting=Sighting(
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


def draw_all(
    folder: Path,
    spec: SimulationSpec,
    tasks: Sequence[Task],
    *,
    workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> int:
    """Draw every task, in this process or in several; the number of files written."""
    chunks = (tasks[first : first + CHUNK_CLIPS] for first in range(0, len(tasks), CHUNK_CLIPS))
    count = min(workers or os.cpu_count() or 1, -(-len(tasks) // CHUNK_CLIPS))
    drawn = (
        draw_in_pool(folder, spec, chunks, workers=count)
        if count > 1
        else (draw_tasks(folder, spec, chunk) for chunk in chunks)
    )
    done = 0
    for written in drawn:
        done += written
        if on_progress:
            on_progress(Progress("simulate", done, len(tasks)))
    return done


def draw_in_pool(
    folder: Path, spec: SimulationSpec, chunks: Iterator[Sequence[Task]], *, workers: int
) -> Iterator[int]:
    """Draw chunks in processes, a few ahead of those that are done, so that memory does not grow with their
    number."""
    context = multiprocessing.get_context("spawn")
    waiting: set[Future[int]] = set()
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        try:
            while True:
                with main_hidden():  # the first starts the processes
                    waiting |= {
                        pool.submit(draw_tasks, folder, spec, chunk)
                        for chunk in islice(chunks, 3 * workers - len(waiting))
                    }
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        except BrokenProcessPool as error:
            raise PrimatrixError(
                "a drawing process was killed (out of memory?); run this again to go on"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def draw_tasks(folder: Path, spec: SimulationSpec, tasks: Sequence[Task]) -> int:
    """Draw some files, one after the other; how many."""
    for task in tasks:
        draw_task(folder, spec, task)
    return len(tasks)


def draw_task(folder: Path, spec: SimulationSpec, task: Task) -> None:
    """Draw, encode and write one file; a broken one is made whole beside its place and then spoiled."""
    seconds = max(spec.seconds, task.frames / SMALL_FRAMES_PER_SECOND)
    scene = make_visible_scene(task.sighting, seed=spec.seed, seconds=seconds)
    rate = spec.raw_frames_per_second if task.size == "raw" else SMALL_FRAMES_PER_SECOND
    side = SMALL_SIDES_PX.get(task.size, 0)
    pictures = draw_clip(
        scene,
        height_px=side or spec.raw_height_px,
        width_px=side or spec.raw_width_px,
        frames=task.frames * rate // SMALL_FRAMES_PER_SECOND,
        frames_per_second=rate,
    )
    path = folder / task.size / task.name
    target = path.with_name(f".{task.name}.spoiled") if task.damage else path
    write_clip(target, pictures, frames_per_second=rate, quantiser=scene.site.quantiser)
    if task.damage:
        damage_file(target, DAMAGES[task.damage], seed=(spec.seed, task.sighting.clip))
        target.replace(path)


def write_tables(folder: Path, *, survey: Survey) -> None:
    """Write train_labels.csv, submission_format.csv, test_labels.csv (the truth) and deployments.csv.

    The last has the site, deployment, time and coordinates of every clip, as `read_deployments` reads them. Takes
    `draw_survey`'s tables, so the full benchmark's 291,615 rows can be written without drawing a clip.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     write_tables(Path(name), survey=draw_survey(SimulationSpec(train_clips=300, test_clips=100)))
    ...     len(pd.read_csv(Path(name) / "submission_format.csv", index_col="filename"))
    100
    """
    first = survey.train_clips
    names = np.array(survey.names, dtype=object)
    labels = pd.DataFrame(
        survey.labelled.astype(float), index=pd.Index(names, name="filename"), columns=list(BENCHMARK_SPECIES)
    )
    times = np.datetime_as_string(survey.time, unit="s")
    sites = [f"site{number:03d}" for number in survey.site.tolist()]
    deployments = pd.DataFrame({
        "filename": names,
        "site": sites,
        "deployment": [f"{site}-{time[:4]}" for site, time in zip(sites, times, strict=True)],  # one a year
        "recorded_at": times,
        "latitude": survey.latitude[survey.site],
        "longitude": survey.longitude[survey.site],
    })  # fmt: skip
    write_table(labels[:first], folder / "train_labels.csv")
    write_table(labels[first:] * 0, folder / "submission_format.csv")
    write_table(labels[first:], folder / "test_labels.csv")
    write_table(deployments, folder / "deployments.csv", index=False)
