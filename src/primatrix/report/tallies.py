"""What a results folder adds up to: clips and hours, failures, species, sites, hours of the day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primatrix.footage import INTERVAL_MINUTES, is_doubted, list_species_events
from primatrix.labels import BLANK
from primatrix.report.counts import ClipCount, estimate_count
from primatrix.results import Results

__all__ = [
    "Group",
    "Overview",
    "SpeciesRow",
    "count_by_hour",
    "count_by_site",
    "count_by_species",
    "count_overview",
    "count_species_by_hour",
    "find_something",
    "read_plausible_times",
]

UNKNOWN_SITE = "site not known"
SAID_TIME = r" says \S+:"  # the part of a warning about a clock that is another for every clip


@dataclass(frozen=True, slots=True)
class Overview:
    """How many clips and hours, what became of them, and when and where they are from."""

    clips: int
    hours: float
    statuses: dict[str, int]
    reasons: dict[str, int]  # stage and reason -> clips
    sites: int
    events: int
    first: datetime | None
    last: datetime | None
    time_sources: dict[str, int]  # "" where no time is known
    time_warnings: dict[str, int]


@dataclass(frozen=True, slots=True)
class SpeciesRow:
    """A species' expected count, how many clips reach its threshold, and its independent events (None: of `blank`)."""

    species: str
    count: ClipCount
    threshold: float
    above: int
    events: int | None


@dataclass(frozen=True, slots=True)
class Group:
    """Clips of one site or hour: how many, their hours, how many are expected to show something, failures."""

    name: str
    clips: int
    hours: float
    something: float
    failed: int

    @property
    def nothing(self) -> float:
        """Readable clips expected to show nothing."""
        return max(self.clips - self.failed - self.something, 0.0)


def count_overview(results: Results) -> Overview:
    """The sums of a run.

    >>> # `example` is a run of two clips: a duiker in one, the other broken
    >>> overview = count_overview(example)
    >>> overview.clips, overview.statuses, overview.reasons
    (2, {'ok': 1, 'failed': 1}, {'open: empty file': 1})
    """
    clips, failures = results.clips, results.failures
    times = [datetime.fromisoformat(text) for text in read_plausible_times(results) if text]
    naive = [time.replace(tzinfo=None) for time in times]  # wall clocks, as the cameras show them
    reasons = (failures["stage"] + ": " + failures["reason"]).value_counts()
    warnings = clips.loc[clips["time_warning"] != "", "time_warning"].str.replace(SAID_TIME, ":", regex=True)
    return Overview(
        clips=len(clips),
        hours=float(clips["duration_seconds"].sum()) / 3600,
        statuses=_tally(results.predictions["status"].value_counts()),
        reasons=_tally(reasons),
        sites=int(clips.loc[clips["site"] != "", "site"].nunique()),
        events=int(clips.loc[clips["event"] != "", "event"].nunique()),
        first=min(naive, default=None),
        last=max(naive, default=None),
        time_sources=_tally(clips["time_source"].value_counts()),
        time_warnings=_tally(warnings.value_counts()),
    )


def read_plausible_times(results: Results) -> "pd.Series[str]":
    """Each clip's time of recording, empty where there is none or its clock is plainly wrong."""
    clips = results.clips
    doubted = [is_doubted(*row) for row in zip(clips["time_source"], clips["time_warning"], strict=True)]
    return clips["recorded_at"].mask(np.array(doubted, bool), "")


def find_something(results: Results) -> NDArray[np.float64]:
    """The probability (N,) that a clip shows something: 1 - blank, or without `blank` the likeliest species'.

    NaN where a clip failed.
    """
    table = results.probabilities.astype(np.float64)
    if BLANK in table.columns:
        return np.asarray(1 - table[BLANK].to_numpy())
    return np.asarray(table.max(axis=1).to_numpy())


def count_by_species(results: Results) -> list[SpeciesRow]:
    """A row per species, the most expected first, `blank` last.

    >>> # `example` is a run of two clips: a duiker in one, the other broken
    >>> [(row.species, row.above) for row in count_by_species(example)]
    [('duiker', 1), ('blank', 0)]
    """
    table, events = results.probabilities.dropna(), _count_events(results)
    rows = []
    for species in results.species:
        threshold = results.threshold_of(species)
        values = table[species].to_numpy(np.float64)
        above = int((values >= threshold).sum())
        visits = None if species == BLANK else events.get(species, 0)
        rows.append(SpeciesRow(species, estimate_count(values), threshold, above, visits))
    return sorted(rows, key=lambda row: (row.species == BLANK, -row.count.expected))


def _count_events(results: Results) -> dict[str, int]:
    """Independent events of each species that was sighted at a known time, by the interval of the run."""
    minutes = float(results.facts["settings"].get("interval_minutes", INTERVAL_MINUTES))
    events = list_species_events(results.clips, results.sightings, interval_minutes=minutes)
    return _tally(events["species"].value_counts())


def count_by_site(results: Results) -> list[Group]:
    """A group per site, the most clips first; none where no clip has a site."""
    sites = results.clips["site"]
    if (sites == "").all():
        return []
    groups = _group(results, sites.where(sites != "", UNKNOWN_SITE))
    return sorted(groups, key=lambda group: (-group.clips, group.name))


def count_by_hour(results: Results) -> list[Group]:
    """24 groups by the hour of recording, on the clock that the time is written in; none without plausible times."""
    hours = read_plausible_times(results).str.slice(11, 13)
    if (hours == "").all():
        return []
    known = {int(group.name): group for group in _group(results, hours) if group.name}
    return [known.get(hour, Group(f"{hour:02}", 0, 0.0, 0.0, 0)) for hour in range(24)]


def count_species_by_hour(results: Results, species: Sequence[str]) -> pd.DataFrame:
    """Expected clips of each species (rows) in each hour of the day (24 columns)."""
    hours = pd.to_numeric(read_plausible_times(results).str.slice(11, 13)).to_numpy()
    sums = results.probabilities[list(species)].groupby(hours).sum()
    return sums.reindex(range(24), fill_value=0.0).T


def _group(results: Results, names: "pd.Series[str]") -> list[Group]:
    table = pd.DataFrame({
        "name": names,
        "clips": 1,
        "hours": results.clips["duration_seconds"] / 3600,
        "something": find_something(results),
        "failed": results.predictions["status"] == "failed",
    })  # fmt: skip
    sums = table.groupby("name").sum()
    columns = (sums[name].tolist() for name in sums.columns)
    return [Group(str(name), *numbers) for name, *numbers in zip(sums.index, *columns, strict=True)]


def _tally(counts: "pd.Series[int]") -> dict[str, int]:
    return {str(name): int(count) for name, count in counts.items()}
