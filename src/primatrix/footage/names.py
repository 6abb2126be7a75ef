"""Day and time of day in the names of files, and counters that only look like them."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

from primatrix.video import count_hours

__all__ = ["read_time_in_name", "read_times_in_names"]

_DAY = r"(?<!\d)(?P<a>{a})(?P<s>[-_.]?)(?P<b>\d\d)(?P=s)(?P<c>{c})"
_HALF = r"[AaPp]\.?[Mm](?![A-Za-z0-9])\.?"
_CLOCK = (
    rf"(?P<gap>[T _/-]*| at )(?:(?P<before>{_HALF})[ _.-]?)?"
    r"(?P<h>\d\d|\d(?=[-_.:h]\d\d[-_.:m]\d\d[ _.]?[AaPp]))(?P<cut>[-_.:h]?)(?P<m>\d\d)[-_.:m]?(?P<sec>\d\d)(?!\d)"
    rf"(?:[ _.]?(?P<half>{_HALF}))?(?P<zone>(?:Z|[ _]?(?:UTC|GMT))(?![A-Za-z0-9])|\+(?:0\d|1[0-4]):?[0-5]\d(?!\d))?"
)
YEAR_FIRST = re.compile(_DAY.format(a=r"(?:19|20)\d\d", c=r"\d\d") + _CLOCK)
YEAR_LAST = re.compile(_DAY.format(a=r"\d\d", c=r"(?:19|20)\d\d") + _CLOCK)
COUNTER_START = "000"  # six digits that begin so are more often a counter than a time before 0:10
LEAST_IN_A_ROW = 10  # files of a folder: a burst of stills a second apart is shorter


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a name says. `digits` are six in a row after a day, which may be a counter as well; else it is empty."""

    moment: datetime | None
    digits: str = ""


def read_time_in_name(name: str) -> datetime | None:
    """Date and time of day written in a file's name, or in folder and name together; None where there is none.

    Year first (`20230415_063012`, `2023-04-15 06-30-12`, `IMG_20230415063012`), or last where only one reading is a
    date: `15-04-2023_06-30-12` is, `05-04-2023_06-30-12` could be in April or May and is not read. A date alone
    tells no time of day, so it is not read either. AM and PM are heeded; a Z (or UTC) at the end says UTC. Six digits
    after a day that begin with 000 may be a counter, and are read only beside others (`read_times_in_names`).

    >>> read_time_in_name("north/PICT_20230415_063012.AVI"), read_time_in_name("2023-04-15 06-30-12 PM.mp4")
    (datetime.datetime(2023, 4, 15, 6, 30, 12), datetime.datetime(2023, 4, 15, 18, 30, 12))
    >>> read_time_in_name("2023-04-15/06-30-12.mp4"), read_time_in_name("EK000016_20231399_063012.AVI")
    (datetime.datetime(2023, 4, 15, 6, 30, 12), None)
    """
    return read_times_in_names([name]).get(name)


def read_times_in_names(names: Sequence[str]) -> dict[str, datetime]:
    """The time in each name that has one, counters told from times by the names beside them.

    Six digits after a day are a counter in all names of one pattern where one of them is no time of day, where all
    begin with 000, or where the ten or more of a folder follow each other one by one.

    >>> sorted(read_times_in_names(["20230415_000159.avi", "20230415_000160.avi"]))
    []
    >>> len(read_times_in_names(["20230415_000159.avi", "20230415_181207.avi"]))
    2
    """
    readings = {name: _read(name) for name in names}
    patterns: dict[str, list[str]] = defaultdict(list)
    for name, reading in readings.items():
        if reading.digits:
            patterns[re.sub(r"\d", "#", name)].append(name)
    counters = {name for alike in patterns.values() if _count_on(alike, readings) for name in alike}
    return {
        name: reading.moment for name, reading in readings.items() if reading.moment and name not in counters
    }


def _count_on(alike: Sequence[str], readings: dict[str, _Reading]) -> bool:
    """Whether the digits in names of one pattern are a counter."""
    if any(readings[name].moment is None for name in alike):
        return True
    if all(readings[name].digits.startswith(COUNTER_START) for name in alike):
        return True
    folders: dict[str, set[int]] = defaultdict(set)
    for name in alike:
        folders[name.rpartition("/")[0]].add(int(readings[name].digits))
    numbers = [sorted(found) for found in folders.values() if len(found) >= LEAST_IN_A_ROW]
    return any(found[-1] - found[0] == len(found) - 1 for found in numbers)


def _read(name: str) -> _Reading:
    parts = name.split("/")
    for text in (parts[-1], "/".join(parts[-2:])):
        for pattern in (YEAR_FIRST, YEAR_LAST):
            for match in pattern.finditer(text):
                reading = _read_match(match, year_first=pattern is YEAR_FIRST)
                if reading.moment or reading.digits:
                    return reading
    return _Reading(None)


def _read_match(match: re.Match[str], *, year_first: bool) -> _Reading:
    a, b, c, hour, minute, second = (int(match[group]) for group in ("a", "b", "c", "h", "m", "sec"))
    half = match["half"] or match["before"] or ""
    days = list(_make_moments({(a, b, c)} if year_first else {(c, a, b), (c, b, a)}))
    if len(days) != 1:
        return _Reading(None)
    bare = match["gap"].strip("T") and not (match["cut"] or half or match["zone"])
    digits = match["h"] + match["m"] + match["sec"] if bare else ""
    hours = count_hours(hour, half)
    if hours is None or hours > 23 or minute > 59 or second > 59:
        return _Reading(None, digits)
    zone = _read_zone(match["zone"])
    return _Reading(days[0].replace(hour=hours, minute=minute, second=second, tzinfo=zone), digits)


def _make_moments(readings: set[tuple[int, int, int]]) -> Iterator[datetime]:
    for year, month, day in readings:
        try:
            yield datetime(year, month, day)
        except ValueError:
            continue


def _read_zone(text: str | None) -> timezone | None:
    if not text:
        return None
    if text[0] != "+":
        return UTC
    return timezone(timedelta(hours=int(text[1:3]), minutes=int(text[-2:])))
