"""Which labelled clips train and which validate."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from primatrix.errors import InputError
from primatrix.labels import Labels

__all__ = ["split_clips", "split_sites"]


def split_clips(
    table: pd.DataFrame, *, val_size: float = 0.3, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split a label table at random into training and validation, as the benchmark does.

    One positive of every species goes to validation first (where there is one), then clips are drawn
    uniformly until validation holds `val_size` of all rows. Both parts keep the table's order.

    >>> table = pd.DataFrame({"hog": [1, 0, 0, 0], "lion": [0, 1, 0, 0]}, index=list("abcd"))
    >>> train, val = split_clips(table, val_size=0.5)
    >>> sorted(val.index)
    ['a', 'b']
    """
    if not 0 < val_size < 1:
        raise InputError(f"val_size: got {val_size}, wanted a share above 0 and below 1")
    clips = len(table)
    wanted = round(clips * val_size)
    rng = np.random.default_rng(seed)
    in_val = np.zeros(clips, dtype=bool)
    for column in table.to_numpy().T:
        positives = np.flatnonzero(column)
        if len(positives) and not in_val[positives].any():
            in_val[rng.choice(positives)] = True
    missing = wanted - int(in_val.sum())
    if missing > 0:
        in_val[rng.choice(np.flatnonzero(~in_val), size=missing, replace=False)] = True
    if in_val.all() or not in_val.any():
        raise InputError(
            f"{clips} labelled clips with val_size {val_size} leave one part empty; label more clips"
        )
    return table[~in_val], table[in_val]


def split_sites(labels: Labels, *, held_out: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split so that the clips of the `held_out` sites validate and all others train."""
    if labels.sites is None:
        raise InputError("no site is known for any clip; wanted a `site` column in the label file")
    unknown = sorted(set(held_out) - set(labels.sites))
    if unknown:
        raise InputError(
            f"sites {', '.join(unknown)} have no clip; got {', '.join(sorted(set(labels.sites)))}"
        )
    in_val = labels.sites.isin(list(held_out)).to_numpy()
    if in_val.all() or not in_val.any():
        raise InputError(f"holding out {', '.join(held_out)} leaves one part empty; wanted sites in both")
    return labels.table[~in_val], labels.table[in_val]
