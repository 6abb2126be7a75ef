"""Simulated camera-trap footage in the shape of the benchmark: tables, and real H.264 files, from a seed."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd

from primatrix.disk import hold_alone, read_json, write_json, write_table
from primatrix.errors import InputError
from primatrix.labels import BENCHMARK_SPECIES
from primatrix.progress import ShowProgress, show_progress
from primatrix.records import DatasetType
from primatrix.simulation.drawing import draw_all, list_drawings
from primatrix.simulation.survey import SimulationSpec, Survey, draw_survey

__all__ = ["Simulation", "claim_folder", "simulate", "write_tables"]

SETTINGS, LOCK = "simulation.json", ".lock"
VERSION = 2  # of what a seed draws; 2: labelled animals can be seen


@dataclass(frozen=True, slots=True)
class Simulation:
    """What `simulate` made: files written now and found from before, and the names of those broken on
    purpose."""

    folder: Path
    spec: SimulationSpec
    sizes: tuple[DatasetType, ...]
    files_written: int
    files_found: int
    broken: tuple[str, ...]


def simulate(
    folder: Path | str,
    *,
    spec: SimulationSpec,
    sizes: Sequence[DatasetType] = ("nano",),
    workers: int | None = None,
    on_progress: ShowProgress = "auto",
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
        if size not in get_args(DatasetType):
            raise InputError(f"sizes: got {size!r}, wanted some of {', '.join(get_args(DatasetType))}")
    folder, survey = Path(folder), draw_survey(spec)
    try:
        claim_folder(folder, spec, sizes)
        with hold_alone(folder / LOCK, doing="simulation"), show_progress(on_progress) as tell:
            drawings = [one for size in sizes for one in list_drawings(folder, survey, size)]
            draw_all(drawings, spec, workers=workers, on_progress=tell)
            write_tables(folder, survey=survey)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot write there ({error}); make room or choose another folder, then run this again"
        ) from error
    found = len(survey.names) * len(sizes) - len(drawings)
    broken = tuple(survey.names[row] for row in np.flatnonzero(survey.damage))
    return Simulation(folder, spec, tuple(sizes), len(drawings), found, broken)


def claim_folder(folder: Path, spec: SimulationSpec, sizes: Iterable[DatasetType]) -> None:
    """Make the folders and note the settings; refuse a folder made with others."""
    settings = {"version": VERSION, **asdict(spec)}
    for size in sizes:
        (folder / size).mkdir(parents=True, exist_ok=True)
    path = folder / SETTINGS
    if not path.exists():
        write_json(path, settings)
        return
    try:
        before = read_json(path)
    except InputError:  # no JSON object: of no simulation
        before = {}
    changed = [name for name, value in settings.items() if before.get(name) != value]
    if changed:
        raise InputError(
            f"{folder}: holds another simulation ({', '.join(changed)} changed); "
            "use its settings or another folder"
        )


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
