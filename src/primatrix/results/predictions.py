"""A table of probabilities as CSV, checked."""

from pathlib import Path

import numpy as np
import pandas as pd

from primatrix.disk import NAME_COLUMNS, read_table
from primatrix.errors import InputError

__all__ = ["read_predictions"]


def read_predictions(path: str | Path) -> pd.DataFrame:
    """Probabilities by clip (index) and species (columns); a clip that failed has empty cells (NaN)."""
    raw = read_table(Path(path))
    table = raw.set_index(raw.columns[0]).drop(columns=["status", "fold"], errors="ignore")
    if table.index.name not in NAME_COLUMNS or not table.shape[1]:
        raise InputError(f"{path}: got columns {', '.join(map(str, raw.columns[:5]))}; wanted `filename` (or "
                         "`filepath`) and one column of probabilities per species")  # fmt: skip
    numbers: pd.DataFrame = table.apply(pd.to_numeric, errors="coerce")
    wrong = (numbers.isna() & table.notna()).to_numpy() | ((numbers < 0) | (numbers > 1)).to_numpy()
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise InputError(f"{path}: {table.iloc[row, column]} for {table.index[row]}, column "
                         f"{table.columns[column]}, is not a probability; wanted 0 to 1")  # fmt: skip
    return numbers
