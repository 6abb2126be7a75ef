"""A table of probabilities as CSV, checked."""

from pathlib import Path

import numpy as np
import pandas as pd

from primatrix.disk import NAME_COLUMNS, name_failures, read_failures, read_table
from primatrix.errors import InputError
from primatrix.records import Failure

__all__ = ["find_failures", "read_predictions"]

BESIDE = ("status", "fold", "site")  # columns that stand beside those of species


def read_predictions(path: str | Path) -> pd.DataFrame:
    """Probabilities by clip (index) and species (columns); a clip that failed has empty cells (NaN).

    Columns `status`, `fold` and `site` may stand beside the species. Raises InputError for a file that is no table,
    without clips, without their names, or with a cell that is not a probability.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp(), "predictions.csv")
    >>> _ = file.write_text("filepath,status,hog\\na.mp4,ok,0.9\\nb.mp4,failed,\\n")
    >>> read_predictions(file)["hog"].to_dict()
    {'a.mp4': 0.9, 'b.mp4': nan}
    """
    raw = read_table(Path(path))
    names = next((name for name in NAME_COLUMNS if name in raw.columns), None)
    table = raw if names is None else raw.set_index(names).drop(columns=list(BESIDE), errors="ignore")
    if names is None or not table.shape[1]:
        raise InputError(f"{path}: got columns {', '.join(map(str, raw.columns[:5]))}; wanted `filename` (or "
                         "`filepath`) and one column of probabilities per species")  # fmt: skip
    if table.index.hasnans:
        raise InputError(
            f"{path}: {np.count_nonzero(table.index.isna())} rows have no clip name; wanted one in every row"
        )
    numbers: pd.DataFrame = table.apply(pd.to_numeric, errors="coerce")
    wrong = (numbers.isna() & table.notna()).to_numpy() | ((numbers < 0) | (numbers > 1)).to_numpy()
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise InputError(f"{path}: {table.iloc[row, column]} for {table.index[row]}, column {table.columns[column]}, "
                         "is not a probability; wanted 0 to 1, or nothing where a clip failed")  # fmt: skip
    return numbers


def find_failures(path: str | Path) -> list[Failure]:
    """The failures listed beside a table of probabilities: beside a submission, or in the folder of results.

    >>> find_failures("nowhere/predictions.csv")
    []
    """
    path = Path(path)
    is_results = path.name == "predictions.csv" and path.with_name("run.json").is_file()
    return read_failures(path.with_name("failures.csv") if is_results else name_failures(path))
