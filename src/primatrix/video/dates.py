"""Day and time of day as cameras write them into files: ISO 8601, EXIF, a RIFF file's `IDIT` however it is spelled."""

import re
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from pathlib import Path

__all__ = ["count_hours", "parse_date", "read_idit"]

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
CLOCK = re.compile(
    r"(?<![\d:])(?P<h>\d{1,2}): ?(?P<m>\d\d)(?:: ?(?P<s>\d\d)(?:[.,]\d+)?)?"
    r"\s*(?P<half>[AP]\.?M\.?(?![A-Z]))?\s*(?P<zone>Z(?![A-Z])|UTC|GMT|[+-]\d\d:?\d\d)?",
    re.IGNORECASE,
)
YEAR_FIRST = re.compile(r"(?P<y>(?:19|20)\d\d)[-/:. ] ?(?P<m>\d{1,2})[-/:. ] ?(?P<d>\d{1,2})(?!\d)")
MONTH_FIRST = re.compile(
    r"\b(?P<m>[A-Z]{3})[A-Z]*[-. ]+(?P<d>\d{1,2})\b.*?\b(?P<y>(?:19|20)\d\d)\b", re.IGNORECASE
)
NUMBERS = re.compile(r"(?<!\d)(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<y>(?:19|20)\d\d)(?!\d)")
DAY_FIRST = re.compile(
    r"\b(?P<d>\d{1,2})[-. ]+(?P<m>[A-Z]{3})[A-Z]*[-., ]+(?P<y>(?:19|20)\d\d)\b", re.IGNORECASE
)

FIRST_YEAR = 1900  # a zone cannot be put before year 1
MOST_DATE_ALONE = len("2023-04-15")
HEAD_BYTES = 8  # of a chunk: four letters and a length
MOST_CHUNKS = 10_000
MOST_DATE_BYTES = 64


def parse_date(text: str) -> datetime | None:
    """Day and time of day out of what a file says, with a time zone only where it names one; None where it is no time.

    Cameras spell it in many ways: `2023-04-15T06:30:12Z`, `2023:04:15 06:30:12`, `Sat Apr 15 06:30:12 2023` (the
    standard of `IDIT`), `2023/04/15/ 06:30`, `2023/ 4/15  6:30PM`, `15-APR-2023 06:30:12`; `15/04/2023 06:30:12` where
    only one reading is a date. A date alone tells no time of day.

    >>> parse_date("2023/ 4/15  6:30PM"), parse_date("2023-04-15")
    (datetime.datetime(2023, 4, 15, 18, 30), None)
    """
    text = text.strip("\0 \r\n\t")
    try:
        moment = datetime.fromisoformat(text) if len(text) > MOST_DATE_ALONE else None
    except ValueError:
        moment = _parse_parts(text)
    return moment if moment and moment.year >= FIRST_YEAR else None


def _parse_parts(text: str) -> datetime | None:
    year_first = YEAR_FIRST.match(text)
    rest = text[year_first.end() :] if year_first else text
    clock = CLOCK.search(rest)
    if clock is None:
        return None
    words = rest[: clock.start()] + " " + rest[clock.end() :]
    days = [(year_first["y"], year_first["m"], year_first["d"])] if year_first else _read_days(words)
    hour = count_hours(int(clock["h"]), clock["half"] or "")
    if hour is None:
        return None
    zone = _read_zone((clock["zone"] or "").upper(), words.upper())
    found = set()
    for year, month, day in days:
        with suppress(ValueError):
            found.add(datetime(int(year), int(month), int(day), hour, int(clock["m"]), int(clock["s"] or 0)))
    return found.pop().replace(tzinfo=zone) if len(found) == 1 else None


def _read_days(words: str) -> list[tuple[str, str, str]]:
    """The readings of a day that does not begin with its year: year, month and day."""
    named = MONTH_FIRST.search(words) or DAY_FIRST.search(words)
    if named and named["m"].lower() in MONTHS:
        return [(named["y"], str(MONTHS.index(named["m"].lower()) + 1), named["d"])]
    numbers = NUMBERS.search(words)
    return (
        [(numbers["y"], *pair) for pair in ((numbers["a"], numbers["b"]), (numbers["b"], numbers["a"]))]
        if numbers
        else []
    )


def _read_zone(zone: str, words: str) -> tzinfo | None:
    if zone in ("Z", "UTC", "GMT") or (not zone and re.search(r"\b(UTC|GMT)\b", words)):
        return UTC
    return datetime.strptime(zone, "%z").tzinfo if zone else None


def count_hours(hour: int, half: str) -> int | None:
    """The hour of 24 where `half` says AM or PM; None where both cannot be, as for 13 AM.

    >>> count_hours(6, "PM"), count_hours(12, "a.m."), count_hours(13, "AM"), count_hours(18, "pm"), count_hours(6, "")
    (18, 0, None, 18, 6)
    """
    if not half:
        return hour
    if half[0] in "aA":
        return None if hour > 12 else hour % 12
    return None if hour == 0 else hour if hour > 12 else hour % 12 + 12


def read_idit(path: Path) -> str:
    """The text of a RIFF file's chunk `IDIT`, in which an AVI says when it was recorded; empty where there is none.

    libav reads two of its spellings and passes over the others. What lies among the pictures is not looked at.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.avi")
    >>> _ = path.write_bytes(b"RIFF\\x20\\0\\0\\0AVI LIST\\x14\\0\\0\\0hdrlIDIT\\x07\\0\\0\\0Sat Apr\\0")
    >>> read_idit(path)
    'Sat Apr'
    """
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        place = 0
        for _ in range(MOST_CHUNKS):
            file.seek(place)
            head = file.read(HEAD_BYTES + 4)
            kind, length = head[:4].upper(), int.from_bytes(head[4:8], "little")
            if kind == b"IDIT":
                file.seek(place + HEAD_BYTES)
                text = file.read(min(length, MOST_DATE_BYTES)).partition(b"\0")[0]
                return text.decode("latin-1").strip()
            opened = kind in (b"RIFF", b"LIST") and head[8:12] != b"movi"
            place += HEAD_BYTES + (4 if opened else length + length % 2)
            if place >= size_bytes:
                break
    return ""
