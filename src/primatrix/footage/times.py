"""When a clip was recorded: by a table, its container, its EXIF, its name, or, where asked for, its file's date.

Camera traps have a clock and, nearly all, no time zone: they write what the clock shows, and MP4's creation_time
calls that UTC. So a time that says UTC is read as the camera's own clock, in the zone the user names;
`container_clock="utc"` takes it at its word. A time with another offset (phones, QuickTime's creationdate) is kept, and
so is a Z that people or programs wrote into a table or a name. A clock that went wrong is put right by a shift.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primatrix.choices import ContainerClock
from primatrix.errors import InputError
from primatrix.footage.names import read_time_in_name
from primatrix.footage.shifts import format_shift, parse_shift
from primatrix.records import Video

__all__ = ["RecordedTime", "TimeSource", "TimeSpec", "find_recorded_time", "is_doubted",
           "parse_times", "parse_zone", "put_in_zone", "warn_of_clock"]  # fmt: skip

TimeSource = Literal["container", "exif", "name", "table", "modified", ""]

# No trap filmed before. Clocks that were never set start at 1904, 1970, 1980 or 2000 and run on from there.
FIRST_DAY = datetime(2001, 1, 1)
FUTURE_LEEWAY = timedelta(days=1)  # a camera may hang east of this machine
# A battery is changed, and the clock runs on from 1 January of the year in which its firmware was made.
RESET_MONTH = 1
LONG_BEFORE = timedelta(days=400)  # a card is read, and its files named by that day, within a year

OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?([0-5]\d))?", re.IGNORECASE)
MOST_OFFSET = timedelta(hours=14)


@dataclass(frozen=True, slots=True)
class TimeSpec:
    """How times are read: the zone of the cameras' clocks ("" where it is not known), what a container's UTC means,
    whether a file's date of change may stand in, and how much to add to clocks that went wrong.

    >>> TimeSpec("Africa/Abidjan", time_shift="-01:00").zone
    zoneinfo.ZoneInfo(key='Africa/Abidjan')
    """

    timezone: str = ""
    container_clock: ContainerClock = "local"
    modified: bool = False
    time_shift: str = ""

    def __post_init__(self) -> None:
        if self.container_clock not in get_args(ContainerClock):
            raise InputError(f"container_clock: got {self.container_clock!r}, wanted 'local' or 'utc'")
        _ = self.zone, self.shift

    @property
    def zone(self) -> tzinfo | None:
        """The time zone, or None where none is named. Raises InputError where there is no such zone."""
        return parse_zone(self.timezone) if self.timezone else None

    @property
    def shift(self) -> timedelta:
        """What is added to every clock. Raises InputError where that is no length of time."""
        return parse_shift(self.time_shift) if self.time_shift else timedelta(0)


@dataclass(frozen=True, slots=True)
class RecordedTime:
    """When a clip began, where that is known from, what is odd about it, and what was added to what the clock said.

    Without a zone it is wall-clock time.
    """

    moment: datetime | None = None
    source: TimeSource = ""
    warning: str = ""
    shift: timedelta = field(default=timedelta(0))

    @property
    def text(self) -> str:
        """ISO 8601 to the second, with its offset where the zone is known; empty where there is no time."""
        return self.moment.isoformat(timespec="seconds") if self.moment else ""

    @property
    def shift_text(self) -> str:
        """What was added, as `+1d 02:00:00`; empty where nothing was."""
        return format_shift(self.shift)


def find_recorded_time(
    video: Video,
    spec: TimeSpec,
    *,
    recorded: datetime | None = None,
    is_still: bool = False,
    in_table: datetime | None = None,
    named: Mapping[str, datetime] | None = None,
    shift: timedelta | None = None,
    now: datetime | None = None,
) -> RecordedTime:
    """The first plausible time among a table, container or EXIF (`recorded`), the name and, if asked, the file.

    `named` has the times in the names of all videos (`read_times_in_names`); without it the name is read by itself. A
    `shift` of this video takes the place of the spec's; what people wrote into a table is not shifted.
    A clock that is plainly wrong (never set, in the future, or set back to a 1 January while the name says otherwise)
    is passed over for the next source and said in `warning`; where no source is plausible the first one's time is
    kept, with its warning, for its differences may still be right.

    >>> from pathlib import Path
    >>> video = Video(Path("a"), "north/IMG_20230415_063012.mp4", 0, 0)
    >>> found = find_recorded_time(video, TimeSpec("Africa/Abidjan"), recorded=datetime(1970, 1, 1))
    >>> found.text, found.source, found.warning
    ('2023-04-15T06:30:12+00:00', 'name', 'container says 1970-01-01T00:00:00+00:00: its clock was not set')
    """
    now = now or datetime.now(UTC)
    shift = spec.shift if shift is None else shift
    name = read_time_in_name(video.name) if named is None else named.get(video.name)
    said = _list_sources(video, spec, recorded, is_still, in_table, name)
    times = [
        RecordedTime(put_in_zone(_add(moment, added), spec.zone), source, shift=added)
        for source, moment in said
        for added in (timedelta(0) if source == "table" else shift,)
    ]
    doubts: list[RecordedTime] = []
    for place, time in enumerate(times):
        doubt = _doubt(time, times[place + 1 :], now)
        if not doubt:
            return replace(time, warning="; ".join(found.warning for found in doubts))
        doubts.append(replace(time, warning=f"{time.source} says {time.text}: {doubt}"))
    if not doubts:
        return RecordedTime()
    return replace(doubts[0], warning="; ".join(found.warning for found in doubts))


def _list_sources(
    video: Video,
    spec: TimeSpec,
    recorded: datetime | None,
    is_still: bool,
    in_table: datetime | None,
    named: datetime | None,
) -> Iterator[tuple[TimeSource, datetime]]:
    """What each source says, the best first."""
    if in_table:
        yield "table", in_table
    if recorded:
        is_utc = recorded.utcoffset() == timedelta(0)
        if is_utc and spec.container_clock == "local":
            recorded = recorded.replace(tzinfo=None)
        yield "exif" if is_still else "container", recorded
    if named:
        yield "name", named
    if spec.modified:
        yield "modified", datetime.fromtimestamp(video.mtime_ns // 10**9, UTC)


def _add(moment: datetime, shift: timedelta) -> datetime:
    try:
        return moment + shift
    except OverflowError:  # beyond year 9999: no clock that a shift could put right
        return moment


def _doubt(time: RecordedTime, others: Sequence[RecordedTime], now: datetime) -> str:
    """Why a time cannot be right, by itself or beside what the name says; empty where it can."""
    if time.moment is None:
        return ""
    doubt = warn_of_clock(time.moment, now=now)
    if doubt or time.source not in ("container", "exif"):
        return doubt
    clock = (time.moment - time.shift).replace(tzinfo=None)
    for other in others:
        if other.source == "name" and other.moment and clock.month == RESET_MONTH:
            later = (other.moment - other.shift).replace(tzinfo=None) - clock
            if later > LONG_BEFORE and not warn_of_clock(other.moment, now=now):
                return "its clock looks reset"
    return ""


def parse_zone(name: str) -> tzinfo:
    """A time zone by its name, or by its offset from UTC; InputError where there is none of that name.

    >>> parse_zone("Africa/Abidjan").key
    'Africa/Abidjan'
    >>> parse_zone("+01:00"), parse_zone("UTC-3")
    (datetime.timezone(datetime.timedelta(seconds=3600)), datetime.timezone(datetime.timedelta(days=-1, seconds=75600)))
    """
    offset = OFFSET.fullmatch(name.strip().replace("\N{MINUS SIGN}", "-"))
    if offset:
        length = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        if length <= MOST_OFFSET:
            return timezone(-length if offset[1] == "-" else length)
    try:
        return UTC if name.strip() in ("Z", "z") else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InputError(
            f"timezone: got {name!r}, wanted a name as Africa/Abidjan or UTC, or an offset as +01:00"
        ) from None


def put_in_zone(moment: datetime, zone: tzinfo | None) -> datetime:
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
