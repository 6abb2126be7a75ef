"""The results folder: what `predict FOLDER` leaves behind and reports and exports start from.

predictions.csv   one row per clip: status and a probability per species
failures.csv      clips (and folders, their names ending in /) that could not be read, and why (absent where all could)
clips.csv         one row per clip: length, size, codec, time of recording, site, event, what could not be read
sightings.csv     one row per stretch of seconds in which a species is seen
movements.csv     one row per stretch of seconds in which something moves (of footage watched without a model)
frames.parquet    probabilities per frame (where they were asked for)
run.json          which model, when, with what thresholds; written last, so its presence means done
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from primatrix.disk import parse_table, read_json, write_failures, write_json, write_table, write_whole
from primatrix.errors import InputError
from primatrix.records import Failure
from primatrix.results.columns import (
    ARROW_TYPES,
    COLUMNS,
    DEFAULT_THRESHOLD,
    FACTS_MAY_LACK,
    OF_MOVEMENT,
    RUN_FACTS,
    check_clips,
    check_facts,
    check_known,
    check_movements,
    check_predictions,
    check_sightings,
    columns_of,
    type_table,
)

__all__ = ["Results", "read_frames"]

OPTIONAL = ("movements", "frames")  # tables that a folder may do without


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Results:
    """What a prediction run found, as tables with the columns of `COLUMNS`.

    `predictions` and `clips` have one row per video, in the same order; a failed one has no numbers, and stands in
    `failures` with its reason. `sightings` has one row per stretch in which a species is seen, `frames` one per frame
    the model looked at, or is None where they were not asked for or not read. `movements` has one row per stretch in
    which something moves where no model was used, else it is None. Seconds count from the video's first frame. `facts`
    says what `RUN_FACTS` lists.
    Raises InputError where a table is not what it should be.

    >>> # `example` is a run of two clips: a duiker in one, the other broken
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> _ = example.write(folder)
    >>> Results.read(folder)
    <Results: 2 clips (1 failed), 1 sightings, 2 species, lrcn>
    >>> Results.read(folder).probabilities
                   blank  duiker
    filepath
    a/IMG_1.MP4      0.1     0.9
    a/IMG_2.MP4      NaN     NaN
    """

    predictions: pd.DataFrame
    failures: pd.DataFrame
    clips: pd.DataFrame
    sightings: pd.DataFrame
    frames: pd.DataFrame | None
    facts: Mapping[str, Any]  # Any: JSON values of several types
    movements: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        given = {**{name: RUN_FACTS[name] for name in FACTS_MAY_LACK}, **self.facts}
        check_facts(given)
        object.__setattr__(self, "facts", given)
        for name in COLUMNS:
            table = getattr(self, name)
            if table is not None:
                object.__setattr__(self, name, type_table(table, name, self.species))
        _check_rows(self)

    def __repr__(self) -> str:
        """What it holds, in one line."""
        failed = f" ({len(self.failures)} failed)" if len(self.failures) else ""
        found = f"{len(self.sightings)} sightings, {len(self.species)} species"
        return f"<Results: {len(self.clips)} clips{failed}, {found}, {self.facts['model'] or 'no model'}>"

    @property
    def species(self) -> tuple[str, ...]:
        """Species in column order."""
        return tuple(self.facts["species"])

    @property
    def probabilities(self) -> pd.DataFrame:
        """A probability per clip (index: filepath) and species; NaN where a clip failed."""
        return self.predictions.set_index("filepath")[list(self.species)]

    def threshold_of(self, species: str) -> float:
        """The probability from which a species counts as seen."""
        return float(self.facts["thresholds"].get(species, DEFAULT_THRESHOLD))

    @classmethod
    def read(cls, folder: str | Path, *, frames: bool = True) -> "Results":
        """The results in a folder; `frames=False` leaves out the largest table, of which `read_frames` gives a part.

        Raises InputError where the folder holds none, an unfinished one, or tables that are not as they should be.
        """
        folder = Path(folder)
        facts = _read_facts(folder / "run.json")
        species = facts["species"]
        tables: dict[str, pd.DataFrame | None] = {
            name: _read_csv(folder / f"{name}.csv", name, species) for name in COLUMNS if name not in OPTIONAL
        }
        moving = folder / "movements.csv"
        tables["movements"] = _read_csv(moving, "movements", species) if moving.exists() else None
        tables["frames"] = read_frames(folder) if frames else None
        try:
            return cls(**tables, facts=facts)  # type: ignore[arg-type]  # only frames and movements may be None
        except InputError as error:
            raise InputError(f"{folder}: {error}; correct it, or run `primatrix predict` again") from error

    def write(self, folder: str | Path, *, frames: Iterable[pd.DataFrame] | None = None) -> Path:
        """Write the folder, each file whole and run.json last; results that were there are replaced.

        Probabilities and seconds come back from `read` as they were, to the last bit. `frames` are tables that are
        written one after the other in the place of the results' own, so that all of them are never in memory.
        """
        folder = Path(folder)
        (folder / "run.json").unlink(missing_ok=True)  # not done until it is there again
        names = ("movements",) * (self.movements is not None)  # first: it says that no model was used
        for name in (*names, "predictions", "clips", "sightings"):
            write_table(getattr(self, name), folder / f"{name}.csv", index=False)
        rows = self.failures.itertuples(index=False, name=None)
        write_failures((Failure(*row) for row in rows), folder / "failures.csv")
        own = None if self.frames is None else [self.frames]
        _write_frames(own if frames is None else frames, folder / "frames.parquet", self)
        write_json(folder / "run.json", dict(self.facts))
        return folder


def read_frames(folder: str | Path, *, clips: Collection[str] | None = None) -> pd.DataFrame | None:
    """The probabilities per frame in a results folder, of all clips or of some; None where they were not asked for.

    >>> # `example` is a run of two clips: a duiker in one, the other broken
    >>> import tempfile
    >>> looks = pd.DataFrame({"filepath": "a/IMG_1.MP4", "pts_seconds": [0.5], "blank": [0.1], "duiker": [0.9]})
    >>> folder = example.write(tempfile.mkdtemp(), frames=[looks])
    >>> read_frames(folder, clips=["a/IMG_1.MP4"])["duiker"].tolist(), len(read_frames(folder, clips=["other.MP4"]))
    ([0.8999999761581421], 0)
    """
    path = Path(folder, "frames.parquet")
    if not path.exists():
        return None
    chosen = None if clips is None else [("filepath", "in", list(clips))]
    try:
        table: pd.DataFrame = pq.read_table(path, filters=chosen).to_pandas()
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: not a Parquet table ({reason}); run `primatrix predict` again") from error
    return (
        table
        if clips is None
        else type_table(table, "frames", _read_facts(path.with_name("run.json"))["species"])
    )


def _check_rows(results: Results) -> None:
    clips = results.predictions["filepath"]
    if clips.duplicated().any():
        raise InputError(
            f"predictions: {clips[clips.duplicated()].iloc[0]} stands there twice; wanted each clip once"
        )
    if clips.tolist() != results.clips["filepath"].tolist():
        raise InputError(f"clips: {len(results.clips)} rows, not those of predictions ({len(clips)}); wanted the same "
                         "clips in the same order")  # fmt: skip
    of_clips = results.failures[~results.failures["filename"].str.endswith("/")]  # the others are folders
    known = frozenset(clips)
    check_known(of_clips, "failures", known)
    check_known(results.sightings, "sightings", known)
    if results.frames is not None:
        check_known(results.frames, "frames", known)
    check_predictions(results.predictions, results.species, set(of_clips["filename"]))
    check_sightings(results.sightings, results.species)
    if results.movements is not None:
        check_known(results.movements, "movements", known)
        check_movements(results.movements)
    check_clips(results.clips)


def _read_facts(path: Path) -> dict[str, Any]:  # Any: JSON values of several types
    if not path.is_file():
        raise InputError(
            f"{path.parent}: no run.json, so no finished results; wanted the folder that `primatrix predict` wrote to "
            "its end: name it, or run the same predict again"
        )
    try:
        facts = {**{name: RUN_FACTS[name] for name in FACTS_MAY_LACK}, **read_json(path)}
    except InputError as error:
        raise InputError(f"{error} with {', '.join(RUN_FACTS)}; run `primatrix predict` again") from error
    try:
        check_facts(facts)
    except InputError as error:
        raise InputError(f"{path.parent}: {error}; correct it, or run `primatrix predict` again") from error
    return facts


def _read_csv(path: Path, name: str, species: Sequence[str]) -> pd.DataFrame:
    wanted = columns_of(name, species) | (dict(OF_MOVEMENT) if name == "clips" else {})
    if not path.is_file():
        if name == "failures":  # no list: nothing failed
            return pd.DataFrame(columns=list(wanted), dtype=str)
        raise InputError(f"{path}: no such file; run `primatrix predict` again")
    text = [column for column, kind in wanted.items() if kind == "text"]
    empty = {column: ("",) for column, kind in wanted.items() if kind != "text"}
    return parse_table(
        path, dtype=dict.fromkeys(text, str), missing=lambda column: empty.get(column, ()),
        advice="run `primatrix predict` again",
    )  # fmt: skip


def _write_frames(tables: Iterable[pd.DataFrame] | None, path: Path, results: Results) -> None:
    """A group of rows per table; without tables, an older file is removed."""
    if tables is None:
        path.unlink(missing_ok=True)
        return
    columns = columns_of("frames", results.species)
    schema = pa.schema([(column, ARROW_TYPES[kind]) for column, kind in columns.items()])
    known = frozenset(results.predictions["filepath"])

    def write(temporary: Path) -> None:
        with pq.ParquetWriter(temporary, schema) as writer:
            for table in tables:
                typed = type_table(table, "frames", results.species)
                check_known(typed, "frames", known)
                writer.write_table(pa.Table.from_pandas(typed, schema=schema, preserve_index=False))

    write_whole(path, write)
