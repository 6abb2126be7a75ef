"""What a file of any format says about clips."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from primatrix.results import COLUMNS

__all__ = ["Reading", "make_table"]


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
