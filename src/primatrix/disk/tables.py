"""CSV tables in and out: read with one clear line for what is not a table, written whole or not at all."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from primatrix.disk.whole import write_whole
from primatrix.errors import InputError
from primatrix.records import Failure

__all__ = [
    "NAME_COLUMNS",
    "name_failures",
    "quote_formulas",
    "read_failures",
    "read_table",
    "read_text_table",
    "refuse_other_list",
    "write_failures",
    "write_table",
]

NAME_COLUMNS = ("filename", "filepath")
FAILURE_COLUMNS = ["filename", "stage", "reason"]
FORMULA = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "＝",
    "＋",
    "－",
    "＠",
)  # the last are as wide as a Chinese letter
# `007` is a name, not the number 7.
TEXT_COLUMNS = (*NAME_COLUMNS, "label", "site")
# What stands for no number, as spreadsheets, R and pandas write it. In text only an empty cell is none: a site may be
# called NA, and a label None.
NO_NUMBER = ("", "NA", "N/A", "n/a", "#N/A", "nan", "NaN", "-nan", "-NaN", "null", "NULL", "None", "<NA>")


def read_table(path: str | Path) -> pd.DataFrame:
    """A CSV file as pandas reads it; clip names, labels and sites stay text. InputError where it is none."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; wanted a CSV table with a column `filename` or `filepath`")
    try:
        columns = pd.read_csv(path, nrows=0).columns
        none = {name: [""] if name in TEXT_COLUMNS else list(NO_NUMBER) for name in columns}
        text = dict.fromkeys(TEXT_COLUMNS, str)
        raw = pd.read_csv(path, dtype=text, keep_default_na=False, na_values=none)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{path}: not a CSV table ({reason}); wanted comma-separated UTF-8 text") from error
    if raw.empty:
        raise InputError(f"{path}: no rows; wanted one row per clip")
    return raw


def read_text_table(path: str | Path, *, needed: Sequence[str], known: Sequence[str] = ()) -> pd.DataFrame:
    """A CSV file whose every cell is text, empty where nothing stands; `known` are all columns it may have.

    Raises InputError for a file that is no table, a column that is missing and, with `known`, one that is not.
    """
    path, wanted = Path(path), ", ".join(known or needed)
    if not path.is_file():
        raise InputError(
            f"{path}: no such file; wanted a CSV table" + (f" with columns {wanted}" if wanted else "")
        )
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{path}: not a CSV table ({reason}); wanted comma-separated UTF-8 text") from error
    missing = [column for column in needed if column not in table.columns]
    extra = [str(column) for column in table.columns if known and column not in known]
    if missing or extra:
        what = f"no column `{missing[0]}`" if missing else f"column `{extra[0]}` is not known"
        raise InputError(f"{path}: {what}; wanted {wanted}")
    return table


def write_table(
    table: pd.DataFrame,
    path: str | Path,
    *,
    index: bool = True,
    float_format: str | None = None,
    for_spreadsheet: bool = False,
) -> Path:
    """Write a table as CSV, whole or not at all; `for_spreadsheet` with its formulas quoted.

    >>> import tempfile
    >>> path = write_table(pd.DataFrame({"hog": [1]}, index=["a"]), Path(tempfile.mkdtemp(), "t.csv"))
    >>> path.read_text()
    ',hog\\na,1\\n'
    """
    table = quote_formulas(table) if for_spreadsheet else table
    # The csv module leaves a lone "\r" unquoted where lines end in "\n", and readers take it for a line's end.
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if _holds_return(table, index=index) else csv.QUOTE_MINIMAL

    def write(temporary: Path) -> None:
        table.to_csv(temporary, index=index, float_format=float_format, lineterminator="\n", quoting=quoting)

    return write_whole(path, write)


def quote_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """The table with an apostrophe before each text that a spreadsheet would take for a formula.

    That is what begins with = + - @ or a control character (OWASP, CSV injection), column names and index included;
    numbers stay, as texts too. The names are then other names: such a table is for people, not for programs.

    >>> quote_formulas(pd.DataFrame({"site": ["=1+1", "-2.5", "north"]}))["site"].tolist()
    ["'=1+1", '-2.5', 'north']
    """
    quoted = table.rename(columns=_quote, index=_quote)
    texts = [place for place, kind in enumerate(table.dtypes) if not pd.api.types.is_numeric_dtype(kind)]
    for place in texts:
        quoted.isetitem(place, quoted.iloc[:, place].map(_quote).array)
    return quoted


def _quote(cell: Any) -> Any:  # Any: a cell of any type
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) and not _is_number(cell) else cell


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _holds_return(table: pd.DataFrame, *, index: bool) -> bool:
    texts = [table.columns, *([table.index] if index else [])]
    columns = [column for _, column in table.items() if not pd.api.types.is_numeric_dtype(column)]
    return any("\r" in str(cell) for cells in (*texts, *columns) for cell in cells)


def name_failures(path: str | Path) -> Path:
    """Where the list of failures beside a table stands: named after it, so that two tables in a folder have two lists.

    >>> name_failures("runs/submission.csv").name
    'submission.failures.csv'
    """
    path = Path(path)
    return path.with_name(f"{path.stem}.failures.csv")


def write_failures(failures: Iterable[Failure], path: str | Path) -> Path | None:
    """Write `filename,stage,reason` of each failed clip; without failures, remove an older list instead.

    InputError where a file of this name is there that is no such list: it is another's.
    """
    rows = [(failure.name, failure.stage, failure.reason) for failure in failures]
    refuse_other_list(path)
    if not rows:
        Path(path).unlink(missing_ok=True)
        return None
    return write_table(pd.DataFrame(rows, columns=FAILURE_COLUMNS), path, index=False)


def read_failures(path: str | Path) -> list[Failure]:
    """The failures that `write_failures` listed; none where there is no list.

    >>> read_failures("nowhere.failures.csv")
    []
    """
    if not Path(path).is_file():
        return []
    table = read_text_table(path, needed=FAILURE_COLUMNS)
    return [Failure(*row) for row in table[FAILURE_COLUMNS].itertuples(index=False, name=None)]


def refuse_other_list(path: str | Path) -> None:
    """InputError where the file at `path` is no list of failures that this program wrote."""
    path = Path(path)
    if not path.exists():
        return
    head = b",".join(name.encode() for name in FAILURE_COLUMNS)
    with path.open("rb") as file:
        if file.readline().strip().replace(b'"', b"") != head:
            raise InputError(
                f"{path}: is no list of failures that primatrix wrote, wanted its place; move it away"
            )
