"""What goes out and what comes back: options of an export, and what a file of any format says."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from primatrix.disk.tables import write_whole
from primatrix.errors import InputError
from primatrix.interchange.taxonomy import Taxonomy, read_taxonomy
from primatrix.results.results import COLUMNS

__all__ = ["ExportOptions", "ExportRun", "Format", "Reading", "make_table", "read_json", "write_json"]

Format = Literal["csv", "long-csv", "camtrap-dp", "megadetector", "speciesnet"]


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What an export needs besides the results; all but the taxonomy is for Camtrap DP.

    `deployments` is a CSV with latitude and longitude per deployment, `project` a JSON or YAML file about the project,
    `timezone` the zone of times that have none, as `Africa/Abidjan`. `skip_undated` leaves out, and lists, the clips
    whose time of recording is not known; otherwise they stop the export.
    """

    taxonomy: Taxonomy = field(default_factory=read_taxonomy)
    deployments: Path | None = None
    project: Path | None = None
    timezone: str = ""
    skip_undated: bool = False


@dataclass(frozen=True, slots=True)
class ExportRun:
    """What an export wrote, and what the user should know about it."""

    path: Path
    format: Format
    clips: int
    unknown_species: tuple[str, ...] = ()  # labels the taxonomy does not have
    left_out: tuple[str, ...] = ()  # clips without a time of recording

    def summary(self) -> str:
        """Lines for the terminal."""
        lines = [f"{self.clips} clips as {self.format}: {self.path}"]
        if self.unknown_species:
            lines.append(
                f"no scientific name for {', '.join(self.unknown_species)}; give one with --taxonomy FILE "
                "(columns species, scientific_name, …)"
            )
        if self.left_out:
            some = ", ".join(self.left_out[:3]) + (", …" if len(self.left_out) > 3 else "")
            lines.append(f"{len(self.left_out)} clips left out, their time of recording is not known: {some}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What a file of any format says about clips.

    `rows` has one row per label of a clip (`filepath`, `label`, and `site` where the format has one); the label is
    empty for a clip nobody answered for. `sightings` are stretches of seconds, `failures` the files that could not be
    read, both with the columns of `results.COLUMNS`. `probabilities` (index: filepath) is None where there are none.
    """

    format: str
    rows: pd.DataFrame
    sightings: pd.DataFrame
    failures: pd.DataFrame
    probabilities: pd.DataFrame | None = None


def make_table(rows: Iterable[tuple[object, ...]], name: Literal["sightings", "failures"]) -> pd.DataFrame:
    """Rows as one of the results' tables; numbers as numbers.

    >>> make_table([("a.mp4", "open", "empty file")], "failures").columns.tolist()
    ['filename', 'stage', 'reason']
    """
    table = pd.DataFrame(list(rows), columns=list(COLUMNS[name]))
    kinds = {"text": "str", "number": "float64", "probability": "float32"}
    return table.astype({column: kinds[kind] for column, kind in COLUMNS[name].items()})


def read_json(path: Path) -> dict[str, Any]:  # Any: JSON values of several types
    """The object in a JSON file, or an InputError in one line."""
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"not JSON ({error})"
        raise InputError(f"{path}: {reason}; wanted a JSON file") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: got a JSON {type(found).__name__}, wanted an object")
    return found


def write_json(
    path: Path, head: Mapping[str, object], rows: Mapping[str, list[Any]]
) -> Path:  # Any: JSON values
    """Write `head` and then each list of `rows`, an element a line: whole, and small enough for 10,000 clips."""
    parts = [f'"{key}": {json.dumps(value, ensure_ascii=False)}' for key, value in head.items()]
    for key, values in rows.items():
        lines = ",\n".join(json.dumps(value, ensure_ascii=False) for value in values)
        parts.append(f'"{key}": [\n{lines}\n]')
    text = "{\n" + ",\n".join(parts) + "\n}\n"
    return write_whole(path, lambda file: file.write_text(text, encoding="utf-8"))
