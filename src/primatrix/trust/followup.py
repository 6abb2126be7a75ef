"""What operating points did on labelled clips, beside what they promised."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primatrix.results import skip_scores
from primatrix.trust.calibration import Calibration, OperatingPoint
from primatrix.trust.points import share_skipped, shows_something

__all__ = ["follow_points"]

Floats = NDArray[np.float64]


def follow_points(
    true: pd.DataFrame,
    prob: Floats,
    calibration: Calibration | None,
    *,
    sites: "pd.Series[str] | None",
    seconds: "pd.Series[float] | None",
) -> pd.DataFrame:
    """What each operating point did on these clips, beside what it promised; no row without a calibration."""
    points = calibration.operating_points.values() if calibration else ()
    rows = [follow_point(point, true, prob, sites=sites, seconds=seconds) for point in points]
    return pd.DataFrame(rows).set_index("point") if rows else pd.DataFrame()


def follow_point(
    point: OperatingPoint,
    true: pd.DataFrame,
    prob: Floats,
    *,
    sites: "pd.Series[str] | None",
    seconds: "pd.Series[float] | None",
) -> dict[str, Any]:  # Any: numbers and text
    """One row: clips that had to be kept, how many were lost, and what was saved."""
    skip = point.task == "skip"
    scores = skip_scores(prob, tuple(true.columns))[0] if skip else prob[:, true.columns.get_loc(point.score)]
    keep = shows_something(true).to_numpy() if skip else true[point.score].to_numpy() == 1
    dropped = point.drops(scores)
    lost, clips = int((dropped & keep).sum()), int(keep.sum())
    row = {"point": point.name, "threshold": point.threshold, "promised_loss": point.max_loss,
           "confidence": point.confidence, "unit": point.unit, "clips": clips, "lost": lost,
           **name_share("loss", dropped[keep], true.index[keep], sites=sites)}  # fmt: skip
    if skip:
        row |= name_share("blanks_skipped", dropped[~keep], true.index[~keep], sites=sites)
        row |= name_share("footage_skipped", dropped, true.index, sites=sites)
        if seconds is not None:
            row |= hours_saved(dropped, true.index, sites=sites, seconds=seconds)
    return row


def name_share(
    name: str, dropped: NDArray[np.bool_], index: pd.Index, *, sites: "pd.Series[str] | None"
) -> dict[str, float]:
    """A skipped share and its interval as three columns; NaN of no clips, ends also where sites are too few."""
    share = share_skipped(dropped, index, sites=sites) or (np.nan, None, None)
    return {f"{name}{end}": fill(value) for end, value in zip(("", "_low", "_high"), share, strict=True)}


def hours_saved(
    dropped: NDArray[np.bool_],
    index: pd.Index,
    *,
    sites: "pd.Series[str] | None",
    seconds: "pd.Series[float]",
) -> dict[str, float]:
    """Hours of footage skipped, with interval; clips of unknown length count as none."""
    length = np.asarray(seconds.fillna(0), np.float64)
    share = share_skipped(dropped, index, sites=sites, seconds=length) or (np.nan, None, None)
    hours = length.sum() / 3600
    names = ("hours_saved", "hours_saved_low", "hours_saved_high")
    return {**{name: fill(value) * hours for name, value in zip(names, share, strict=True)}, "hours": hours}


def fill(value: float | None) -> float:
    """NaN for what there is not."""
    return np.nan if value is None else value
