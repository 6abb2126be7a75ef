"""What a file of any format says about clips, and how JSON of other programs is taken apart."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from primatrix.labels import BLANK, fold_name
from primatrix.results import COLUMNS

__all__ = [
    "NO_ANSWER",
    "Json",
    "MalformedError",
    "Reading",
    "list_entries",
    "make_table",
    "say_kind",
    "settle_labels",
    "take_object",
    "to_number",
]

Json = Any  # JSON values of several types
KINDS = {dict: "an object", list: "a list", str: "text", type(None): "null"}
NO_ANSWER = "no cv result"  # SpeciesNet's word for "cannot tell"


class MalformedError(ValueError):
    """A part of a file is not as its format says, in the file's own words."""


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
    """Rows as one of the results' tables; numbers as numbers. Rows may lack the last columns.

    >>> make_table([("a.mp4", "open", "empty file")], "failures").columns.tolist()
    ['filename', 'stage', 'reason']
    """
    table = pd.DataFrame(list(rows))
    table = table.set_axis(list(COLUMNS[name])[: table.shape[1]], axis=1).reindex(columns=list(COLUMNS[name]))
    kinds = {"text": "str", "number": "float64", "probability": "float32"}
    return table.astype({column: kinds[kind] for column, kind in COLUMNS[name].items()})


def list_entries(found: Mapping[str, Json], key: str, *, name: str) -> list[Mapping[str, Json]]:
    """The objects in a list, each of which must have a name of a file under `name`.

    >>> list_entries({"images": [{"file": "a.mp4"}, {}]}, "images", name="file")
    Traceback (most recent call last):
    primatrix.interchange.reading.MalformedError: images: entry 1 has no `file`, wanted a path
    """
    entries = found.get(key)
    if not isinstance(entries, list):
        raise MalformedError(f"{key}: got {say_kind(entries)}, wanted a list")
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise MalformedError(f"{key}: entry {number} is {say_kind(entry)}, wanted an object")
        if not isinstance(entry.get(name), str) or not entry[name]:
            raise MalformedError(f"{key}: entry {number} has no `{name}`, wanted a path")
    return entries


def take_object(found: Mapping[str, Json], key: str, *, where: str = "") -> Mapping[str, Json]:
    """The object under a key; an empty one where there is none, or null.

    >>> take_object({"info": None}, "info")
    {}
    """
    value = found.get(key)
    if value is not None and not isinstance(value, dict):
        raise MalformedError(f"{where}{key}: got {say_kind(value)}, wanted an object")
    return value or {}


def to_number(value: Json, what: str) -> float:
    """A number, also one written as text.

    >>> to_number("0.9", "a.mp4: conf"), to_number(1, "a.mp4: conf")
    (0.9, 1.0)
    """
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise MalformedError(f"{what}: got {say_kind(value)}, wanted a number")
    return number


def settle_labels(labels: Iterable[str]) -> list[str]:
    """What the answers about parts of a clip make of it: its species, else `blank`, or "" where nobody can tell.

    >>> settle_labels(["hog", "empty", "hog"]), settle_labels([]), settle_labels([""]), settle_labels(["Empty"])
    (['hog'], ['blank'], [''], ['blank'])
    """
    listed = list(dict.fromkeys(labels))
    species = [label for label in listed if label and fold_name(label) not in (BLANK, NO_ANSWER)]
    unknown = bool(listed) and not any(fold_name(label) == BLANK for label in listed)
    return species or ([""] if unknown else [BLANK])


def say_kind(value: Json) -> str:
    """What a JSON value is, in words."""
    if isinstance(value, bool):
        return str(value).lower()
    kind = KINDS.get(type(value), "a number")
    return f"{kind} {value!r}" if isinstance(value, str | int | float) else kind
