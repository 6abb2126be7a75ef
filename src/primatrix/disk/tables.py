"""CSV tables in and out: read as spreadsheets write them, with one clear line for what is no table; written whole.

Read are rows separated by commas, semicolons or tabs, as the header shows, in UTF-8, in UTF-16 or, where neither fits,
in Windows-1252. Where cells are not separated by commas, numbers may have decimal commas.
"""

import codecs
import csv
import io
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from primatrix.disk.whole import write_whole
from primatrix.errors import InputError
from primatrix.records import Failure

__all__ = [
    "NAME_COLUMNS",
    "name_failures",
    "parse_table",
    "quote_formulas",
    "read_failures",
    "read_header",
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
)  # the last: as wide as Chinese letters
# `007` is a name, not the number 7.
TEXT_COLUMNS = (*NAME_COLUMNS, "label", "labels", "site", "split")
# What stands for no number, as spreadsheets, R and pandas write it. In text only an empty cell is none: a site may be
# called NA, and a label None.
NO_NUMBER = ("", "NA", "N/A", "n/a", "#N/A", "nan", "NaN", "-nan", "-NaN", "null", "NULL", "None", "<NA>")
WANTED = "wanted a header and rows separated by commas, semicolons or tabs: save it as CSV"
MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
WORKBOOKS = {b"PK\x03\x04": "a zip archive or Excel workbook", b"\xd0\xcf\x11\xe0": "an Excel workbook"}
NO_TEXT = "not text in UTF-8, UTF-16 or Windows-1252"
SEPARATORS = (",", ";", "\t")
HINT = re.compile(
    r"sep=(.)\r?\n", re.IGNORECASE
)  # a first line that Excel reads, and writes for some countries
DECIMAL_COMMA = re.compile(r"([+-]?\d+),(\d+)")


def read_table(path: str | Path) -> pd.DataFrame:
    """A CSV file as pandas reads it; clip names, labels and sites stay text. InputError where it is none."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; wanted a CSV table with a column `filename` or `filepath`")

    def list_missing(column: str) -> Sequence[str]:
        return [""] if column in TEXT_COLUMNS else NO_NUMBER

    raw = parse_table(path, dtype=dict.fromkeys(TEXT_COLUMNS, str), missing=list_missing)
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
    table = parse_table(path, dtype=str)
    missing = [column for column in needed if column not in table.columns]
    extra = [str(column) for column in table.columns if known and column not in known]
    if missing or extra:
        what = f"no column `{missing[0]}`" if missing else f"column `{extra[0]}` is not known"
        raise InputError(f"{path}: {what}; wanted {wanted}")
    return table


def read_header(path: str | Path) -> list[str]:
    """The columns of a CSV table, without its rows.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp(), "t.csv")
    >>> _ = file.write_bytes("filepath;label\\na.mp4;hog\\n".encode("utf-16"))
    >>> read_header(file)
    ['filepath', 'label']
    """
    text, separator = _open_text(Path(path), WANTED)
    return _split_header(text, separator)


def parse_table(
    path: Path,
    *,
    dtype: type[str] | Mapping[str, type[str]],
    missing: Callable[[str], Sequence[str]] = lambda _: (),
    advice: str = WANTED,
) -> pd.DataFrame:
    """The table in a file; `missing` says what stands for nothing in a column. Empty rows and columns are left out.

    Raises InputError, which ends in `advice`, where it is none: not text, a column twice, more cells than columns.
    """
    text, separator = _open_text(path, advice)
    header = _split_header(text, separator)
    twice = [name for name in header if name and header.count(name) > 1]
    if twice:
        raise InputError(f"{path}: column `{twice[0]}` stands there twice; wanted each once")
    options: dict[str, Any] = {"dtype": dtype, "keep_default_na": False, "sep": separator}
    options["na_values"] = {name: list(missing(name)) for name in header}
    options["decimal"] = "." if separator == "," else ","
    try:
        with warnings.catch_warnings():  # of cells that no column holds
            warnings.simplefilter("error", pd.errors.ParserWarning)
            table: pd.DataFrame = pd.read_csv(io.StringIO(text), index_col=False, **options)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, pd.errors.ParserWarning) as error:
        reason = str(error).strip().splitlines()[0]
        if isinstance(error, pd.errors.ParserWarning):
            reason = f"its rows have more cells than the {len(header)} columns of its header"
        raise InputError(f"{path}: not a CSV table ({reason}); {advice}") from error
    table = _drop_empty(table)
    return table if separator == "," else _point_numbers(table)


def _open_text(path: Path, advice: str) -> tuple[str, str]:
    """The text in a file, without Excel's hint, and what separates its cells."""
    data = path.read_bytes()
    workbook = next((name for mark, name in WORKBOOKS.items() if data.startswith(mark)), "")
    text = None if workbook else _decode(data)
    if text is None:
        raise InputError(f"{path}: not a CSV table ({workbook or NO_TEXT}); {advice}")
    hint = HINT.match(text)
    if hint:
        return text[hint.end() :], hint[1]
    header = re.sub(r'"[^"]*"', "", text.lstrip().partition("\n")[0])
    return text, max(SEPARATORS, key=header.count)  # the first of those that are there as often


def _decode(data: bytes) -> str | None:
    encoding = next((name for mark, name in MARKS if data.startswith(mark)), "")
    if not encoding and b"\0" in data[:2]:  # a header is of letters that UTF-16 writes with a zero byte
        encoding = "utf-16-le" if data[1] == 0 else "utf-16-be"
    for name in [encoding] if encoding else ["utf-8", "cp1252"]:
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        if "\0" in text or (name.startswith("utf-16") and not {"\n", "\r"} & set(text)):
            break
        return text
    return None


def _split_header(text: str, separator: str) -> list[str]:
    rows = csv.reader(io.StringIO(text.lstrip("\r\n"), newline=""), delimiter=separator)
    try:
        return next(rows, [])
    except csv.Error:  # pandas says what it is
        return []


def _drop_empty(table: pd.DataFrame) -> pd.DataFrame:
    """Without the empty rows and nameless empty columns that spreadsheets add."""
    empty = (table.isna() | (table == "")).to_numpy(bool)
    rows = table.index[np.flatnonzero(empty.all(axis=1))]
    columns = table.columns[np.flatnonzero(empty.all(axis=0))]
    nameless = [name for name in columns if str(name).startswith("Unnamed: ")]
    if not len(rows) and not nameless:
        return table
    return table.drop(index=rows, columns=nameless).reset_index(drop=True)


def _point_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Text cells that are numbers with a decimal comma, with a point; names of clips, labels and sites stay."""
    words = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    numbers = [name for name in words if name not in TEXT_COLUMNS]
    return table.assign(
        **{name: table[name].str.replace(DECIMAL_COMMA, _point, regex=True) for name in numbers}
    )


def _point(found: re.Match[str]) -> str:
    return f"{found[1]}.{found[2]}" if found[0] == found.string else found[0]


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
