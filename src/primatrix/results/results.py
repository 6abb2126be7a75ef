"""The results folder: what `predict FOLDER` leaves behind and reports and exports start from.

predictions.csv   one row per clip: status and a probability per species
failures.csv      clips that could not be read, and why (absent where there are none)
clips.csv         one row per clip: length, size, codec, time of recording, site, event, what could not be read
sightings.csv     one row per stretch of seconds in which a species is seen
frames.parquet    probabilities per frame (where they were asked for)
run.json          which model, when, with what thresholds; written last, so its presence means done
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import primatrix
from primatrix.disk.tables import write_failures, write_table, write_whole
from primatrix.errors import InputError
from primatrix.labels.species import BLANK
from primatrix.records import Failure

__all__ = ["COLUMNS", "DEFAULT_THRESHOLD", "RUN_FACTS", "Results", "complete_facts", "read_frames"]

Kind = Literal["text", "number", "count", "probability"]

COLUMNS: Mapping[str, Mapping[str, Kind]] = MappingProxyType({
    "predictions": {"filepath": "text", "status": "text"},  # then one probability per species
    "failures": {"filename": "text", "stage": "text", "reason": "text"},
    "clips": {
        "filepath": "text",
        "duration_seconds": "number",
        "frame_rate": "number",
        "frame_count": "count",
        "width_px": "count",
        "height_px": "count",
        "codec": "text",
        "recorded_at": "text",  # ISO 8601, with its zone where that is known
        "time_source": "text",
        "time_warning": "text",
        "site": "text",
        "deployment": "text",
        "event": "text",
        "note": "text",  # of a partial clip: what of it could not be read
    },
    "sightings": {
        "filepath": "text",
        "species": "text",
        "start_seconds": "number",
        "end_seconds": "number",
        "best_seconds": "number",
        "probability": "probability",
    },
    "frames": {"filepath": "text", "pts_seconds": "number"},  # then one probability per species
})  # fmt: skip
"""The columns of each table, in order, and what each holds. Numbers may be missing, text may be empty."""

PER_SPECIES = ("predictions", "frames")  # tables with a column of probabilities for each species
RESERVED = ("", "filepath", "filename", "status", "pts_seconds", "label", "labels", "site", "split")
STATUSES = ("ok", "partial", "failed")
TIME_SOURCES = ("", "container", "exif", "name", "table", "modified")
DTYPES: dict[Kind, str] = {"text": "str", "number": "float64", "count": "Int64", "probability": "float32"}
ARROW_TYPES = {"text": pa.string(), "number": pa.float64(), "probability": pa.float32()}  # those of frames
ISO_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?"
DEFAULT_THRESHOLD = (
    0.5  # of a species for which a run states none, and of a model that has not been calibrated
)

RUN_FACTS: Mapping[str, object] = MappingProxyType({
    "model": "",  # name of the model
    "folder": "",  # the footage, as it was named
    "species": [],
    "thresholds": {},  # species -> probability from which it counts as seen
    "operating_points": {},
    "primatrix_version": "",
    "created": "",  # UTC, ISO 8601
    "timezone": "",  # of times without their own
    "settings": {},
})  # fmt: skip
"""What run.json says, and what stands there for what is not known."""


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """What a prediction run found, as tables with the columns of `COLUMNS`.

    `predictions` and `clips` have one row per video, in the same order; a failed one has no numbers, and stands in
    `failures` with its reason. `sightings` has one row per stretch in which a species is seen, `frames` one per frame
    the model looked at, or is None where they were not asked for or not read. Seconds count from the video's first
    frame. `facts` says what `RUN_FACTS` lists.
    Raises InputError where a table is not what it should be.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> _ = make_example().write(folder)
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

    def __post_init__(self) -> None:
        missing = [name for name in RUN_FACTS if name not in self.facts]
        if missing:
            raise InputError(f"run.json: no `{missing[0]}`; wanted {', '.join(RUN_FACTS)}")
        _check_names(self.species)
        for name in COLUMNS:
            table = getattr(self, name)
            if table is not None:
                object.__setattr__(self, name, _type_table(table, name, self.species))
        _check_rows(self)

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
        species = [str(name) for name in facts.get("species", [])]
        tables: dict[str, pd.DataFrame | None] = {
            name: _read_csv(folder / f"{name}.csv", name, species) for name in COLUMNS if name != "frames"
        }
        tables["frames"] = read_frames(folder) if frames else None
        try:
            return cls(**tables, facts=facts)  # type: ignore[arg-type]  # only frames may be None
        except InputError as error:
            raise InputError(f"{folder}: {error}; correct it, or run `primatrix predict` again") from error

    def write(self, folder: str | Path, *, frames: Iterable[pd.DataFrame] | None = None) -> Path:
        """Write the folder, each file whole and run.json last; results that were there are replaced.

        Probabilities and seconds come back from `read` as they were, to the last bit. `frames` are tables that are
        written one after the other in the place of the results' own, so that all of them are never in memory.
        """
        folder = Path(folder)
        (folder / "run.json").unlink(missing_ok=True)  # not done until it is there again
        for name in ("predictions", "clips", "sightings"):
            write_table(getattr(self, name), folder / f"{name}.csv", index=False)
        rows = self.failures.itertuples(index=False, name=None)
        write_failures((Failure(*row) for row in rows), folder / "failures.csv")
        own = None if self.frames is None else [self.frames]
        _write_frames(own if frames is None else frames, folder / "frames.parquet", self)
        text = json.dumps(dict(self.facts), indent=1, ensure_ascii=False) + "\n"
        write_whole(folder / "run.json", lambda path: path.write_text(text, encoding="utf-8"))
        return folder


def read_frames(folder: str | Path, *, clips: Collection[str] | None = None) -> pd.DataFrame | None:
    """The probabilities per frame in a results folder, of all clips or of some; None where they were not asked for.

    >>> import tempfile
    >>> looks = pd.DataFrame({"filepath": "a/IMG_1.MP4", "pts_seconds": [0.5], "blank": [0.1], "duiker": [0.9]})
    >>> folder = make_example().write(tempfile.mkdtemp(), frames=[looks])
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
        else _type_table(table, "frames", _read_facts(path.with_name("run.json"))["species"])
    )


def complete_facts(facts: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON values of several types
    """The facts of a run with this version, the time now and empty values for what is not given.

    >>> complete_facts({"species": ["hog"], "model": "lrcn"})["thresholds"]
    {}
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    own = {"primatrix_version": primatrix.__version__, "created": now}
    unknown = set(facts) - set(RUN_FACTS)
    if unknown:
        raise InputError(f"run.json: got `{min(unknown)}`; wanted {', '.join(RUN_FACTS)}")
    return {**deepcopy(dict(RUN_FACTS)), **own, **facts}


def make_example() -> Results:
    """The smallest results there are: two clips, a duiker in one, the other broken."""
    species = ["blank", "duiker"]
    clips = ["a/IMG_1.MP4", "a/IMG_2.MP4"]
    return Results(
        pd.DataFrame({"filepath": clips, "status": ["ok", "failed"], "blank": [0.1, None], "duiker": [0.9, None]}),
        pd.DataFrame({"filename": clips[1:], "stage": ["open"], "reason": ["empty file"]}),
        pd.DataFrame({"filepath": clips, "duration_seconds": [15.0, None], "frame_rate": [24.0, None],
                      "frame_count": [360, None], "width_px": [720, None], "height_px": [404, None],
                      "codec": ["h264", ""], "recorded_at": ["2026-03-01T06:30:00+01:00", ""],
                      "time_source": ["container", ""], "time_warning": "", "site": "a", "deployment": "a",
                      "event": ["a-1", ""], "note": ""}),
        pd.DataFrame({"filepath": clips[:1], "species": ["duiker"], "start_seconds": [2.0], "end_seconds": [7.5],
                      "best_seconds": [4.0], "probability": [0.9]}),
        None,
        complete_facts({"species": species, "model": "lrcn", "thresholds": {"duiker": 0.5}}),
    )  # fmt: skip


def _check_names(species: Sequence[str]) -> None:
    bad = [name for name in species if name in RESERVED or name != name.strip() or species.count(name) > 1]
    if bad:
        raise InputError(f"run.json: species {bad[0]!r}; wanted each once, not one of {', '.join(RESERVED[1:])}, "
                         "no blanks at its ends")  # fmt: skip


def _columns_of(name: str, species: Sequence[str]) -> dict[str, Kind]:
    own = dict(COLUMNS[name])
    if name in PER_SPECIES:
        own.update(dict.fromkeys(species, "probability"))
    return own


def _type_table(table: pd.DataFrame, name: str, species: Sequence[str]) -> pd.DataFrame:
    """The table with its columns in order and of their types, or an InputError that names the column."""
    wanted = _columns_of(name, species)
    missing = [column for column in wanted if column not in table.columns]
    extra = [str(column) for column in table.columns if column not in wanted]
    if missing or extra or table.columns.has_duplicates:
        what = f"no column `{missing[0]}`" if missing else f"column `{(extra or ['?'])[0]}` is not known"
        raise InputError(f"{name}: {what if missing or extra else 'a column stands there twice'}; "
                         f"wanted {', '.join(wanted)}")  # fmt: skip
    return pd.DataFrame({column: _type_column(table[column], name, kind) for column, kind in wanted.items()})


def _type_column(column: "pd.Series[Any]", name: str, kind: Kind) -> "pd.Series[Any]":
    if kind == "text":
        return column.astype(object).where(column.notna(), "").astype(str).reset_index(drop=True)
    try:
        numbers: pd.Series[Any] = pd.to_numeric(column).reset_index(drop=True)
        return numbers.astype(DTYPES[kind])  # type: ignore[call-overload,no-any-return]
    except (TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        wanted = "whole numbers" if kind == "count" else "numbers"
        raise InputError(
            f"{name}: column `{column.name}` holds {column.dtype} ({reason}); wanted {wanted}"
        ) from error


def _check_rows(results: Results) -> None:
    clips = results.predictions["filepath"]
    if clips.duplicated().any():
        raise InputError(
            f"predictions: {clips[clips.duplicated()].iloc[0]} stands there twice; wanted each clip once"
        )
    if clips.tolist() != results.clips["filepath"].tolist():
        raise InputError(f"clips: {len(results.clips)} rows, not those of predictions ({len(clips)}); wanted the same "
                         "clips in the same order")  # fmt: skip
    _check_known(results.failures, "failures", clips)
    _check_known(results.sightings, "sightings", clips)
    if results.frames is not None:
        _check_known(results.frames, "frames", clips)
    _check_predictions(results.predictions, results.species, set(results.failures["filename"]))
    _check_sightings(results.sightings, results.species)
    _check_clips(results.clips)


def _check_known(table: pd.DataFrame, name: str, clips: "pd.Series[str]") -> None:
    """Rows are of clips that there are."""
    column = table["filename" if name == "failures" else "filepath"]
    known = column.isin(clips)
    if not known.all():
        stranger = column[~known].iloc[0]
        raise InputError(f"{name}: {stranger} is no clip of predictions; wanted only clips that are there")


def _check_predictions(table: pd.DataFrame, species: Sequence[str], failed: set[str]) -> None:
    _check_words(table, "predictions", column="status", words=STATUSES)
    broken = table["status"] == "failed"
    if set(table.loc[broken, "filepath"]) != failed:
        odd = min(set(table.loc[broken, "filepath"]) ^ failed)
        raise InputError(
            f"failures: {odd} is failed in one of predictions and failures only; wanted it in both"
        )
    numbers = table[list(species)].to_numpy()
    empty = np.isnan(numbers)
    wrong = (empty != broken.to_numpy()[:, None]) | (numbers < 0) | (numbers > 1)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        clip = table.iloc[row]
        raise InputError(f"predictions: {numbers[row, column]} for {clip['filepath']} ({clip['status']}), column "
                         f"{species[column]}; wanted 0 to 1, and nothing where a clip failed")  # fmt: skip


def _check_sightings(table: pd.DataFrame, species: Sequence[str]) -> None:
    _check_words(table, "sightings", column="species", words=[name for name in species if name != BLANK])
    start, best, end = (table[f"{when}_seconds"] for when in ("start", "best", "end"))
    wrong = ~((start >= 0) & (start <= best) & (best <= end) & table["probability"].between(0, 1))
    if wrong.any():
        row = table[wrong].iloc[0]
        seconds = f"{row['start_seconds']} to {row['end_seconds']} s, best {row['best_seconds']} s"
        raise InputError(
            f"sightings: {row['species']} in {row['filepath']} from {seconds}, probability {row['probability']}; "
            "wanted 0 <= start <= best <= end, probability 0 to 1"
        )


def _check_clips(table: pd.DataFrame) -> None:
    _check_words(table, "clips", column="time_source", words=TIME_SOURCES)
    times = table["recorded_at"]
    wrong = ~(times.str.fullmatch(ISO_TIME) | (times == ""))
    if wrong.any():
        row = table[wrong].iloc[0]
        raise InputError(
            f"clips: recorded_at {row['recorded_at']!r} of {row['filepath']}; wanted ISO 8601, as "
            "2026-03-01T06:30:00+01:00, or nothing"
        )


def _check_words(table: pd.DataFrame, name: str, *, column: str, words: Sequence[str]) -> None:
    strange = table.loc[~table[column].isin(words), column]
    if len(strange):
        raise InputError(f"{name}: {column} {strange.iloc[0]!r}; wanted one of {', '.join(map(repr, words))}")


def _read_facts(path: Path) -> dict[str, Any]:  # Any: JSON values of several types
    if not path.is_file():
        raise InputError(
            f"{path.parent}: no run.json, so no finished results; wanted the folder that `primatrix predict` wrote to "
            "its end: name it, or run the same predict again"
        )
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not JSON ({error}); run `primatrix predict` again") from error
    if not isinstance(facts, dict):
        raise InputError(f"{path}: got a {type(facts).__name__}, wanted {', '.join(RUN_FACTS)}")
    return facts


def _read_csv(path: Path, name: str, species: Sequence[str]) -> pd.DataFrame:
    wanted = _columns_of(name, species)
    if not path.is_file():
        if name == "failures":  # no list: nothing failed
            return pd.DataFrame(columns=list(wanted), dtype=str)
        raise InputError(f"{path}: no such file; run `primatrix predict` again")
    text = [column for column, kind in wanted.items() if kind == "text"]
    empty = {column: [""] for column, kind in wanted.items() if kind != "text"}
    try:
        return pd.read_csv(path, dtype=dict.fromkeys(text, str), keep_default_na=False, na_values=empty)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{path}: not a CSV table ({reason}); run `primatrix predict` again") from error


def _write_frames(tables: Iterable[pd.DataFrame] | None, path: Path, results: Results) -> None:
    """A group of rows per table; without tables, an older file is removed."""
    if tables is None:
        path.unlink(missing_ok=True)
        return
    columns = _columns_of("frames", results.species)
    schema = pa.schema([(column, ARROW_TYPES[kind]) for column, kind in columns.items()])

    def write(temporary: Path) -> None:
        with pq.ParquetWriter(temporary, schema) as writer:
            for table in tables:
                typed = _type_table(table, "frames", results.species)
                _check_known(typed, "frames", results.predictions["filepath"])
                writer.write_table(pa.Table.from_pandas(typed, schema=schema, preserve_index=False))

    write_whole(path, write)
