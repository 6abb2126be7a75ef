"""The columns of a run's tables, checked."""

import math
import re
from collections.abc import Callable, Mapping, Sequence, Set
from copy import deepcopy
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

import primatrix
from primatrix.errors import InputError
from primatrix.labels import BLANK

__all__ = [
    "ARROW_TYPES",
    "COLUMNS",
    "DEFAULT_THRESHOLD",
    "FACTS_MAY_LACK",
    "RUN_FACTS",
    "check_clips",
    "check_facts",
    "check_known",
    "check_names",
    "check_predictions",
    "check_sightings",
    "columns_of",
    "complete_facts",
    "type_table",
]

Kind = Literal["text", "number", "count", "probability"]
ROUNDING = 1e-3  # of boxes: a side may end so much outside the picture
MOST_SHOWN = 60  # characters of a value in a message


BOX: Mapping[str, Kind] = (
    MappingProxyType(  # in shares of the upright picture, from its top left; empty: not known
        {"left": "number", "top": "number", "width": "number", "height": "number"}
    )
)
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
        "time_shift": "text",  # what was added to what the clock said, as `+1d 02:00:00`; empty where nothing was
        "site": "text",
        "deployment": "text",
        "event": "text",
        "digest": "text",  # what the file is (`video.identify`), in hexadecimal digits; empty where it was not read
        "note": "text",  # of a partial clip: what of it could not be read
        "watch": "text",  # "no" where the run's proven point skips it, else "yes"; empty where that was not decided
    },
    "sightings": {
        "filepath": "text",
        "species": "text",
        "start_seconds": "number",
        "end_seconds": "number",
        "best_seconds": "number",
        "probability": "probability",
        **BOX,  # of what is seen, where it is known
    },
    "frames": {"filepath": "text", "pts_seconds": "number", **BOX},  # then one probability per species
})  # fmt: skip
"""The columns of each table, in order, and what each holds. Numbers may be missing, text may be empty."""


MAY_LACK = {
    "clips": ("time_shift", "digest", "watch"),
    "sightings": tuple(BOX),
    "frames": tuple(BOX),
}  # columns that tables made by hand may do without
PER_SPECIES = ("predictions", "frames")  # tables with a column of probabilities for each species


RESERVED = ("", "filepath", "filename", "status", "fold", "pts_seconds", "label", "labels", "site", "split",
            *BOX)  # fmt: skip


STATUSES = ("ok", "partial", "failed")


WATCH = ("", "yes", "no")


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
    "model_digest": "",  # of the model's weights
    "calibration": {},  # what the probabilities were calibrated on; empty where they are the model's own
    "to_watch": "",  # in words, and by what promise
    "primatrix_version": "",
    "created": "",  # UTC, ISO 8601
    "timezone": "",  # of times without their own
    "settings": {},
})  # fmt: skip
"""What run.json says, and what stands there for what is not known."""


FACTS_MAY_LACK = ("model_digest", "calibration", "to_watch")  # of a run.json that was made by hand


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


def check_facts(facts: Mapping[str, Any]) -> None:  # Any: JSON values of several types
    """InputError for what run.json cannot say: a fact that is missing, or none of its kind.

    >>> check_facts({**RUN_FACTS, "species": "hog"})
    Traceback (most recent call last):
    primatrix.errors.InputError: run.json: species: got 'hog', wanted a list of names
    """
    missing = [name for name in RUN_FACTS if name not in facts]
    if missing:
        raise InputError(f"run.json: no `{missing[0]}`; wanted {', '.join(RUN_FACTS)}")
    for name, (is_right, wanted) in RIGHT_FACTS.items():
        if not is_right(facts[name]):
            raise InputError(f"run.json: {name}: got {_shorten(facts[name])}, wanted {wanted}")
    check_names(facts["species"])
    strange = [p["score"] for p in facts["operating_points"].values() if p["task"] == "find"]
    strange = [score for score in strange if score not in facts["species"]]
    if strange:
        raise InputError(f"run.json: operating_points: got score {strange[0]!r}, wanted one of its species")


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}…"


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _is_point(value: object) -> bool:
    """Whether it is an operating point: what it is for, by which score, from where on (None: nowhere)."""
    if not isinstance(value, Mapping) or value.get("task") not in ("skip", "find"):
        return False
    if not isinstance(value.get("score"), str) or "threshold" not in value:
        return False
    return value["threshold"] is None or (_is_share(value["threshold"]) and _is_promise(value))


def _is_promise(value: Mapping[str, Any]) -> bool:  # Any: JSON values of several types
    """Whether an operating point says what share it loses, how surely (nothing: in the mean), and of what."""
    confidence, unit = value.get("confidence", ""), value.get("unit")
    sure = confidence is None or _is_share(confidence)
    return _is_share(value.get("max_loss")) and sure and isinstance(unit, str) and bool(unit.split())


def _is_moment(value: object) -> bool:
    try:
        return value == "" or bool(datetime.fromisoformat(value))  # type: ignore[arg-type]  # as just tried
    except (TypeError, ValueError):
        return False


def _is_settings(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    minutes = value.get("interval_minutes", 1)
    return isinstance(minutes, int | float) and not isinstance(minutes, bool) and 0 < minutes < math.inf


def _is_text(value: object) -> bool:
    return isinstance(value, str)


RIGHT_FACTS: Mapping[str, tuple[Callable[[Any], bool], str]] = MappingProxyType({  # Any: a JSON value
    "model": (_is_text, "a name"),
    "folder": (_is_text, "the folder of the footage"),
    "species": (lambda value: isinstance(value, list | tuple) and all(map(_is_text, value)), "a list of names"),
    "thresholds": (
        lambda value: isinstance(value, Mapping) and all(map(_is_share, value.values())),
        "a number from 0 to 1 by species",
    ),
    "operating_points": (
        lambda value: isinstance(value, Mapping) and all(map(_is_point, value.values())),
        "task, score, threshold and promise by name",
    ),
    "model_digest": (_is_text, "a digest, or nothing"),
    "calibration": (lambda value: isinstance(value, Mapping), "what the probabilities were calibrated on, by name"),
    "to_watch": (_is_text, "words, or nothing"),
    "primatrix_version": (_is_text, "a version"),
    "created": (_is_moment, "a time in ISO 8601, or nothing"),
    "timezone": (_is_text, "the name of a time zone, or nothing"),
    "settings": (_is_settings, "settings by name, interval_minutes above 0 among them"),
})  # fmt: skip


def check_names(species: Sequence[str]) -> None:
    """InputError for a species that could be taken for a column, or comes twice."""
    bad = [
        name for name in species if name in RESERVED or name != str(name).strip() or species.count(name) > 1
    ]
    if bad:
        raise InputError(f"run.json: species {bad[0]!r}; wanted each once, not one of {', '.join(RESERVED[1:])}, "
                         "no blanks at its ends")  # fmt: skip


def columns_of(name: str, species: Sequence[str]) -> dict[str, Kind]:
    """The columns of a table in order, those of species included, and what each holds."""
    own = dict(COLUMNS[name])
    if name in PER_SPECIES:
        own.update(dict.fromkeys(species, "probability"))
    return own


def type_table(table: pd.DataFrame, name: str, species: Sequence[str]) -> pd.DataFrame:
    """The table with its columns in order and of their types, or an InputError that names the column."""
    wanted = columns_of(name, species)
    table = table.assign(**dict.fromkeys([c for c in MAY_LACK.get(name, ()) if c not in table.columns], ""))
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


def check_known(table: pd.DataFrame, name: str, clips: Set[str]) -> None:
    """Rows are of clips that there are. The work is as much as the rows, however many clips there are."""
    column = table["filename" if name == "failures" else "filepath"]
    stranger = next((clip for clip in column.unique() if clip not in clips), None)
    if stranger is not None:
        raise InputError(f"{name}: {stranger} is no clip of predictions; wanted only clips that are there")


def check_predictions(table: pd.DataFrame, species: Sequence[str], failed: set[str]) -> None:
    """InputError where a probability is none, or a clip that failed has one."""
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


def check_sightings(table: pd.DataFrame, species: Sequence[str]) -> None:
    """InputError where a stretch of seconds or its species cannot be."""
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
    _check_boxes(table)


def _check_boxes(table: pd.DataFrame) -> None:
    """InputError where part of a box is missing, or it lies outside the picture."""
    boxes = table[list(BOX)].to_numpy(np.float64)
    empty = np.isnan(boxes)
    left, top, width, height = boxes.T
    most = 1 + ROUNDING
    inside = (
        (boxes >= 0).all(1) & (width > 0) & (height > 0) & (left + width <= most) & (top + height <= most)
    )
    wrong = ~(empty.all(1) | inside)
    if wrong.any():
        row = table[wrong].iloc[0]
        box = ", ".join(f"{name} {row[name]}" for name in BOX)
        raise InputError(
            f"sightings: {row['species']} in {row['filepath']}: {box}; wanted shares of the picture, or none of them"
        )


def check_clips(table: pd.DataFrame) -> None:
    """InputError where a time of recording, its source or a word about watching is none."""
    _check_words(table, "clips", column="time_source", words=TIME_SOURCES)
    _check_words(table, "clips", column="watch", words=WATCH)
    wrong = ~table["recorded_at"].map(_is_time).to_numpy(bool)
    if wrong.any():
        row = table[wrong].iloc[0]
        raise InputError(
            f"clips: recorded_at {row['recorded_at']!r} of {row['filepath']}; wanted ISO 8601, as "
            "2026-03-01T06:30:00+01:00, or nothing"
        )


def _is_time(text: str) -> bool:
    """Whether it is empty or a moment that there is: 2026-02-30 has the form and is none."""
    try:
        return not text or bool(re.fullmatch(ISO_TIME, text) and datetime.fromisoformat(text))
    except ValueError:
        return False


def _check_words(table: pd.DataFrame, name: str, *, column: str, words: Sequence[str]) -> None:
    strange = table.loc[~table[column].isin(words), column]
    if len(strange):
        raise InputError(f"{name}: {column} {strange.iloc[0]!r}; wanted one of {', '.join(map(repr, words))}")
