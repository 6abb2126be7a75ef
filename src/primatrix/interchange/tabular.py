"""CSV: a probability per clip and species (wide), or one row per stretch (long); and lists of labels in a cell."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from primatrix.disk import NAME_COLUMNS, read_text_table, write_table
from primatrix.errors import InputError
from primatrix.interchange.findings import Finding, find_all
from primatrix.interchange.options import ExportOptions
from primatrix.interchange.reading import Reading, make_table
from primatrix.labels import BLANK, fold_name
from primatrix.results import NO_BOX, Results, read_predictions

__all__ = ["check_table", "is_long", "read_lists", "read_long", "read_wide", "write_long", "write_wide"]

LONG_COLUMNS = (
    "filepath", "label", "start_seconds", "end_seconds", "best_seconds", "probability", "left", "top", "width",
    "height", "status", "stage", "reason", "site", "deployment", "event", "recorded_at",
)  # fmt: skip
BESIDE = ("site", "split")  # what label files may say of a clip beside its labels
LIST_SEPARATORS = (";", "|", ",")


def write_wide(results: Results, path: Path, options: ExportOptions) -> Path:
    """`filepath` and a probability per species, as zamba's predictions; empty cells where a clip failed."""
    return write_table(results.probabilities, path, for_spreadsheet=options.for_spreadsheet)


def write_long(results: Results, path: Path, options: ExportOptions) -> Path:
    """One row per stretch in which a species is seen; one row for a clip that is blank, unknown or failed."""
    rows = [row for finding in find_all(results) for row in _list_rows(finding)]
    table = pd.DataFrame(rows, columns=list(LONG_COLUMNS))
    return write_table(table, path, index=False, for_spreadsheet=options.for_spreadsheet)


def _list_rows(finding: Finding) -> Iterator[tuple[object, ...]]:
    status = "failed" if finding.verdict == "failed" else "partial" if finding.partial else "ok"
    stage, _, reason = finding.reason.partition(": ") if status == "failed" else ("", "", finding.note)
    end = (status, stage, reason, *(finding.facts[column] for column in LONG_COLUMNS[-4:]))
    for seen in finding.sightings:
        times = (seen.start_seconds, seen.end_seconds, seen.best_seconds)
        yield (finding.filepath, seen.species, *times, seen.probability, *(seen.box or NO_BOX), *end)
    if not finding.sightings:
        blank = finding.verdict == "blank"
        chance = finding.blank_probability if blank else None
        yield (finding.filepath, BLANK if blank else "", None, None, None, chance, *NO_BOX, *end)


def is_long(columns: list[str]) -> bool:
    """Whether a header is that of a long table.

    >>> is_long(["filepath", "label", "site"]), is_long(["filename", "hog"])
    (True, False)
    """
    return "label" in columns and bool(set(NAME_COLUMNS) & set(columns))


def read_long(path: Path) -> Reading:
    """A long table; stretches where it has the columns `start_seconds`, `end_seconds` and `best_seconds`."""
    table = read_text_table(path, needed=("label",))
    name = _name_column(table, path)
    rows = table.rename(columns={name: "filepath"})
    timed = pd.DataFrame(columns=rows.columns)
    if "start_seconds" in rows.columns:
        missing = [column for column in LONG_COLUMNS[2:6] if column not in rows.columns]
        if missing:
            raise InputError(f"{path}: no column `{missing[0]}` beside `start_seconds`; wanted both")
        timed = rows[rows["start_seconds"] != ""]
    numbers = timed.reindex(columns=["filepath", "label", *LONG_COLUMNS[2:10]])
    failed = rows[rows["status"] == "failed"] if "status" in rows.columns else rows.iloc[:0]
    failures = failed.reindex(columns=["filepath", "stage", "reason"])
    try:
        sightings = make_table(numbers.replace("", np.nan).itertuples(index=False, name=None), "sightings")
    except ValueError as error:
        raise InputError(f"{path}: {error}; wanted seconds and probabilities as numbers") from error
    kept = [column for column in ("filepath", "label", *BESIDE) if column in rows.columns]
    return Reading(
        "long-csv",
        rows[kept].drop_duplicates(["filepath", "label"]).reset_index(drop=True),
        sightings,
        make_table(failures.itertuples(index=False, name=None), "failures"),
    )


def read_wide(path: Path) -> Reading:
    """A table of probabilities, or of 0 and 1, which are labels too; empty rows are clips that failed."""
    numbers = read_predictions(path).rename_axis("filepath")
    ones = np.argwhere(numbers.to_numpy() == 1)
    rows = [(numbers.index[row], numbers.columns[column]) for row, column in ones]
    certain = bool(numbers.dropna(how="all").isin((0, 1)).all(axis=None))
    labels = pd.DataFrame(rows if certain else [], columns=["filepath", "label"])
    return Reading(
        "csv", labels, make_table([], "sightings"), make_table([], "failures"), numbers.astype(np.float32)
    )


def read_lists(path: Path) -> Reading:
    """A table `filepath,labels` whose cells hold lists: `duiker;hog` (or | or ,) or JSON, `["duiker", "hog"]`."""
    table = read_text_table(path, needed=("labels",))
    name = _name_column(table, path)
    beside = [column for column in BESIDE if column in table.columns]
    rows = []
    for row in table.to_dict("records"):
        for label in _split_labels(str(row["labels"]), path) or [""]:
            rows.append((row[name], label, *(row[column] for column in beside)))
    columns = ["filepath", "label", *beside]
    return Reading(
        "list-csv",
        pd.DataFrame(rows, columns=columns),
        make_table([], "sightings"),
        make_table([], "failures"),
    )


def _split_labels(cell: str, path: Path) -> list[str]:
    text = cell.strip()
    if text.startswith("["):
        try:
            labels = [str(label) for label in json.loads(text) if label is not None]
        except (ValueError, RecursionError) as error:
            raise InputError(
                f'{path}: {text[:60]!r} is not a JSON list; wanted ["duiker", "hog"] or duiker;hog'
            ) from error
    else:
        separator = next((mark for mark in LIST_SEPARATORS if mark in text), ";")
        labels = text.split(separator)
    return list(dict.fromkeys(label.strip() for label in labels if label.strip()))


def _name_column(table: pd.DataFrame, path: Path) -> str:
    names = [column for column in NAME_COLUMNS if column in table.columns]
    if not names:
        raise InputError(
            f"{path}: got columns {', '.join(map(str, table.columns[:5]))}; wanted `filepath` or `filename`"
        )
    return names[0]


def check_table(path: Path) -> list[str]:
    """What is wrong with a wide or long table, a line each."""
    try:
        header = read_text_table(path, needed=()).columns.tolist()
        reading = (
            read_long(path)
            if is_long(header)
            else read_lists(path)
            if "labels" in header
            else read_wide(path)
        )
    except InputError as error:
        return [str(error)]
    problems = []
    table = reading.probabilities.index if reading.probabilities is not None else reading.rows["filepath"]
    if (table == "").any():
        problems.append("a row has no filepath")
    if reading.probabilities is not None and table.has_duplicates:
        problems.append(f"{table[table.duplicated()][0]} stands there twice")
    return problems + check_stretches(reading)


def check_stretches(reading: Reading) -> list[str]:
    """Stretches that end before they begin, labels beside `blank`, probabilities that are none."""
    table = reading.sightings
    wrong = ~(
        (table["start_seconds"] <= table["best_seconds"]) & (table["best_seconds"] <= table["end_seconds"])
    )
    problems = [
        f"{row.filepath}: {row.species} from {row.start_seconds} to {row.end_seconds} s, best {row.best_seconds} s"
        for row in table[wrong].itertuples(index=False)
    ]
    for clip, group in reading.rows.groupby("filepath", sort=False)["label"]:
        folded = {fold_name(label) for label in group}
        if BLANK in folded and len(folded) > 1:
            problems.append(f"{clip}: `blank` together with a species")
    unlikely = table[~(table["probability"].between(0, 1) | table["probability"].isna())]  # people give none
    return problems + [
        f"{row.filepath}: probability {row.probability}" for row in unlikely.itertuples(index=False)
    ]
