"""Events: clips of one site that follow each other within an interval count as one visit.

The interval is counted from the start of a clip to the start of the next, so an animal that stays for hours in view
is one event however long it stays. Where a site is not known, the clips of one folder are taken to be of one camera.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primatrix.errors import InputError
from primatrix.footage.times import parse_times

__all__ = ["INTERVAL_MINUTES", "check_interval", "find_events", "group_sites", "list_species_events"]

INTERVAL_MINUTES = 30.0  # the usual independence interval of camera-trap studies


def find_events(clips: pd.DataFrame, *, interval_minutes: float = INTERVAL_MINUTES) -> list[str]:
    """The event of each clip, named by its site and a number rising with time; "" where its time is not known.

    `clips` has the columns filepath, site and recorded_at (ISO 8601 or ""). Raises InputError for an interval below 0.

    >>> clips = pd.DataFrame({"filepath": ["a", "b", "c"], "site": "north",
    ...     "recorded_at": ["2023-04-15T06:30:00", "2023-04-15T06:50:00", "2023-04-15T07:21:00"]})
    >>> find_events(clips)
    ['north-1', 'north-1', 'north-2']
    """
    groups = group_sites(clips)
    numbers = _number_events(groups, parse_times(clips["recorded_at"]), interval_minutes)
    return [f"{group or 'event'}-{n}" if n else "" for group, n in zip(groups, numbers.tolist(), strict=True)]


def list_species_events(
    clips: pd.DataFrame, sightings: pd.DataFrame, *, interval_minutes: float = INTERVAL_MINUTES
) -> pd.DataFrame:
    """Independent events of each species: one row per species, site and visit of that species.

    Two clips of a species belong together where they follow within the interval, whatever lay between. Columns:
    species, site, start and end (times of the first and last clip, ISO 8601), clips, probability (the highest).
    Clips without a time are left out.
    """
    seen = sightings.groupby(["filepath", "species"], as_index=False)["probability"].max()
    table = seen.merge(clips[["filepath", "site", "recorded_at"]], on="filepath")
    table = table[table["recorded_at"].fillna("") != ""]
    sites = group_sites(table)
    pairs = table["species"] + "\0" + sites
    time = parse_times(table["recorded_at"])
    table = table.assign(visit=_number_events(pairs, time, interval_minutes), site=sites, time=time)
    table = table.sort_values(["species", "site", "time"], kind="stable")
    groups = table.groupby(["species", "site", "visit"], as_index=False)
    rows: pd.DataFrame = groups.agg(
        start=("recorded_at", "first"),
        end=("recorded_at", "last"),
        clips=("filepath", "size"),
        probability=("probability", "max"),
    )
    return rows.drop(columns="visit")


def check_interval(minutes: float) -> None:
    """Refuse an interval below 0, or that is no number.

    >>> check_interval(-1)
    Traceback (most recent call last):
    primatrix.errors.InputError: interval: got -1 minutes, wanted 0 or more
    """
    if not minutes >= 0:
        raise InputError(f"interval: got {minutes} minutes, wanted 0 or more")


def group_sites(clips: pd.DataFrame) -> "pd.Series[str]":
    """The site of each clip or, where that is not known, its folder."""
    folders = clips["filepath"].str.replace(r"/?[^/]*$", "", regex=True)
    sites = clips["site"].fillna("")
    return sites.where(sites != "", folders)


def _number_events(
    groups: "pd.Series[str]", time: NDArray[np.datetime64], interval_minutes: float
) -> NDArray[np.int64]:
    """1, 2, … of each row (N,) within its group by time; 0 where there is no time."""
    check_interval(interval_minutes)
    code, _ = pd.factorize(groups)
    numbers = np.zeros(len(code), np.int64)
    rows = np.flatnonzero(~np.isnat(time))
    if not len(rows):
        return numbers
    order = rows[np.lexsort((time[rows], code[rows]))]
    new_group = np.append(True, np.diff(code[order]) != 0)
    gap_minutes = np.append(0, np.diff(time[order]).astype(float) / 60)
    count = np.cumsum(new_group | (gap_minutes > interval_minutes))
    first = np.maximum.accumulate(np.where(new_group, count, 0))
    numbers[order] = count - first + 1
    return numbers
