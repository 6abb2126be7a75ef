"""When a clip was recorded: by its container, its EXIF, its name, a table, or, where asked for, its file's date.

Camera traps have a clock and, nearly all, no time zone: they write what the clock shows, and MP4's creation_time
calls that UTC. So a time that says UTC is read as the camera's own clock, in the zone the user names;
`container_clock="utc"` takes it at its word. A time with another offset (phones, QuickTime's creationdate) is kept.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primatrix.choices import ContainerClock
from primatrix.errors import InputError
from primatrix.records import Video

__all__ = ["RecordedTime", "TimeSource", "TimeSpec", "find_recorded_time", "is_doubted",
           "parse_times", "parse_zone", "put_in_zone", "read_time_in_name", "warn_of_clock"]  # fmt: skip

TimeSource = Literal["container", "exif", "name", "table", "modified", ""]

# Clocks that were never set start at 1904, 1970, 1980 or 2000-01-01; no trap filmed before them.
FIRST_DAY = datetime(2000, 1, 2)
FUTURE_LEEWAY = timedelta(days=1)  # a camera may hang east of this machine

_DAY = r"(?<!\d)(?P<a>{a})(?P<s>[-_.]?)(?P<b>\d\d)(?P=s)(?P<c>{c})"
_CLOCK = r"(?P<h>\d\d)[-_.:h]?(?P<m>\d\d)[-_.:m]?(?P<sec>\d\d)(?!\d)"
_DAY_AND_CLOCK = _DAY + r"[T _/-]*" + _CLOCK
YEAR_FIRST = re.compile(_DAY_AND_CLOCK.format(a=r"(?:19|20)\d\d", c=r"\d\d"))
YEAR_LAST = re.compile(_DAY_AND_CLOCK.format(a=r"\d\d", c=r"(?:19|20)\d\d"))


@dataclass(frozen=True, slots=True)
class TimeSpec:
    """How times are read: the zone of the cameras' clocks ("" where it is not known), what a container's UTC means,
    and whether a file's date of change may stand in.

    >>> TimeSpec("Africa/Abidjan").zone
    zoneinfo.ZoneInfo(key='Africa/Abidjan')
    """

    timezone: str = ""
    container_clock: ContainerClock = "local"
    modified: bool = False

    def __post_init__(self) -> None:
        if self.container_clock not in get_args(ContainerClock):
            raise InputError(f"container_clock: got {self.container_clock!r}, wanted 'local' or 'utc'")
        _ = self.zone

    @property
    def zone(self) -> ZoneInfo | None:
        """The time zone, or None where none is named. Raises InputError where there is no such zone."""
        return parse_zone(self.timezone) if self.timezone else None


@dataclass(frozen=True, slots=True)
class RecordedTime:
    """When a clip began, where that is known from, and what is odd about it. Without a zone it is wall-clock time."""

    moment: datetime | None = None
    source: TimeSource = ""
    warning: str = ""

    @property
    def text(self) -> str:
        """ISO 8601 to the second, with its offset where the zone is known; empty where there is no time."""
        return self.moment.isoformat(timespec="seconds") if self.moment else ""


def find_recorded_time(
    video: Video,
    spec: TimeSpec,
    *,
    recorded: datetime | None = None,
    is_still: bool = False,
    in_table: datetime | None = None,
    now: datetime | None = None,
) -> RecordedTime:
    """The first plausible time among container or EXIF (`recorded`), the name, a table and, if asked, the file.

    A clock that is plainly wrong (never set, or in the future) is passed over for the next source and said in
    `warning`; where no source is plausible the first one's time is kept, with its warning, for its differences
    may still be right.

    >>> from pathlib import Path
    >>> video = Video(Path("a"), "north/IMG_20230415_063012.mp4", 0, 0)
    >>> found = find_recorded_time(video, TimeSpec("Africa/Abidjan"), recorded=datetime(1970, 1, 1))
    >>> found.text, found.source, found.warning
    ('2023-04-15T06:30:12+00:00', 'name', 'container says 1970-01-01T00:00:00+00:00: its clock was not set')
    """
    now = now or datetime.now(UTC)
    doubts: list[RecordedTime] = []
    for source, moment in _candidates(video, spec, recorded, is_still, in_table):
        doubt = warn_of_clock(moment, now=now)
        if not doubt:
            return RecordedTime(moment, source, "; ".join(found.warning for found in doubts))
        text = RecordedTime(moment).text
        doubts.append(RecordedTime(moment, source, f"{source} says {text}: {doubt}"))
    if not doubts:
        return RecordedTime()
    return RecordedTime(doubts[0].moment, doubts[0].source, "; ".join(found.warning for found in doubts))


def _candidates(
    video: Video, spec: TimeSpec, recorded: datetime | None, is_still: bool, in_table: datetime | None
) -> Iterator[tuple[TimeSource, datetime]]:
    if recorded:
        is_utc = recorded.utcoffset() == timedelta(0)
        if is_utc and spec.container_clock == "local":
            recorded = recorded.replace(tzinfo=None)
        yield "exif" if is_still else "container", put_in_zone(recorded, spec.zone)
    named = read_time_in_name(video.name)
    if named:
        yield "name", put_in_zone(named, spec.zone)
    if in_table:
        yield "table", put_in_zone(in_table, spec.zone)
    if spec.modified:
        changed = datetime.fromtimestamp(video.mtime_ns // 10**9, UTC)
        yield "modified", put_in_zone(changed, spec.zone)


def parse_zone(name: str) -> ZoneInfo:
    """A time zone by its name; InputError where there is none of that name.

    >>> parse_zone("Africa/Abidjan").key
    'Africa/Abidjan'
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(f"timezone: got {name!r}, wanted a name as Africa/Abidjan or UTC") from None


def put_in_zone(moment: datetime, zone: ZoneInfo | None) -> datetime:
    """A time in a zone: one without zone is what a clock there showed, one with an offset is converted.

    Offsets are cut to whole minutes, as ISO 8601 has them: clocks that were reset to 1970 or 1904 fall into years in
    which some zones (Africa/Monrovia until 1972: -00:44:30) had seconds.

    >>> put_in_zone(datetime(1970, 1, 1), parse_zone("Africa/Monrovia")).isoformat()
    '1970-01-01T00:00:00-00:44'
    """
    if zone is None:
        return moment
    placed = moment.astimezone(zone) if moment.tzinfo else moment.replace(tzinfo=zone)
    offset = placed.utcoffset() or timedelta(0)
    whole = timedelta(minutes=int(offset / timedelta(minutes=1)))
    return placed if whole == offset else placed.replace(tzinfo=timezone(whole))


def read_time_in_name(name: str) -> datetime | None:
    """Date and time of day written in a file's name, or in folder and name together; None where there is none.

    Year first (`20230415_063012`, `2023-04-15 06-30-12`, `IMG_20230415063012`), or last where only one reading is a
    date: `15-04-2023_06-30-12` is, `05-04-2023_06-30-12` could be in April or May and is not read. A date alone
    tells no time of day, so it is not read either.

    >>> read_time_in_name("north/PICT_20230415_063012.AVI")
    datetime.datetime(2023, 4, 15, 6, 30, 12)
    >>> read_time_in_name("2023-04-15/06-30-12.mp4"), read_time_in_name("EK000016_20231399_063012.AVI")
    (datetime.datetime(2023, 4, 15, 6, 30, 12), None)
    """
    parts = name.split("/")
    for text in (parts[-1], "/".join(parts[-2:])):
        for pattern in (YEAR_FIRST, YEAR_LAST):
            for match in pattern.finditer(text):
                moment = _read_match(match, year_first=pattern is YEAR_FIRST)
                if moment:
                    return moment
    return None


def _read_match(match: re.Match[str], *, year_first: bool) -> datetime | None:
    a, b, c, hour, minute, second = (int(match[group]) for group in ("a", "b", "c", "h", "m", "sec"))
    readings = {(a, b, c)} if year_first else {(c, a, b), (c, b, a)}
    found = [moment for reading in readings if (moment := _make_moment(*reading, hour, minute, second))]
    return found[0] if len(found) == 1 else None


def _make_moment(year: int, month: int, day: int, hour: int, minute: int, second: int) -> datetime | None:
    try:
        return datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None


def warn_of_clock(moment: datetime, *, now: datetime) -> str:
    """Why a time cannot be right, or nothing; `now` has a time zone.

    >>> warn_of_clock(datetime(2000, 1, 1, 0, 3), now=datetime(2026, 1, 1, tzinfo=UTC))
    'its clock was not set'
    >>> warn_of_clock(datetime(2031, 5, 1), now=datetime(2026, 1, 1, tzinfo=UTC))
    'that is in the future'
    """
    if moment.replace(tzinfo=None) < FIRST_DAY:
        return "its clock was not set"
    late = now + FUTURE_LEEWAY
    is_future = moment > late if moment.tzinfo else moment > late.replace(tzinfo=None)
    return "that is in the future" if is_future else ""


def is_doubted(source: str, warning: str) -> bool:
    """Whether a time of recording is one that its `warning` speaks of, and not one taken in its place.

    >>> warning = "container says 1970-01-01T00:00:00: its clock was not set"
    >>> is_doubted("container", warning), is_doubted("name", warning)
    (True, False)
    """
    return bool(source) and f"{source} says " in warning


def parse_times(texts: "pd.Series[str]") -> NDArray[np.datetime64]:
    """ISO 8601 times (N,) as datetime64[s], NaT where empty: in UTC where all have a zone, else as the clocks showed.

    >>> parse_times(pd.Series(["2023-04-15T06:30:00+02:00", ""]))
    array(['2023-04-15T04:30:00', 'NaT'], dtype='datetime64[s]')
    >>> parse_times(pd.Series(["2023-04-15T06:30:00+02:00", "2023-04-15T06:31:00"]))
    array(['2023-04-15T06:30:00', '2023-04-15T06:31:00'], dtype='datetime64[s]')
    """
    moments = [datetime.fromisoformat(text) if text else None for text in texts.fillna("")]
    zoned = all(moment.tzinfo for moment in moments if moment)
    plain = [
        (moment.astimezone(UTC) if zoned else moment).replace(tzinfo=None) if moment else None
        for moment in moments
    ]
    return np.array(plain, "datetime64[s]")
