"""How much a camera's clock was wrong: a length of time to add, as people write it."""

import re
from datetime import timedelta

from primatrix.errors import InputError

__all__ = ["WANTED_SHIFT", "format_shift", "parse_shift"]

SIGN = r"(?P<sign>[+-]?)\s*"
CLOCKED = re.compile(
    SIGN + r"(?:(?P<d>\d+)\s*d(?:ays?)?[\s,]*)?(?P<h>\d+):(?P<m>[0-5]\d)(?::(?P<s>[0-5]\d))?"
)
WORDED = re.compile(
    SIGN + r"(?:(?P<d>\d+)\s*d(?:ays?)?[\s,]*)?(?:(?P<h>\d+)\s*h(?:ours?)?[\s,]*)?"
    r"(?:(?P<m>\d+)\s*m(?:in(?:utes?)?)?[\s,]*)?(?:(?P<s>\d+)\s*s(?:ec(?:onds?)?)?)?"
)
MOST_DAYS = 200 * 366
WANTED_SHIFT = "hours and minutes to add, as +01:00, -00:05:30 or +8497d 21:00"


def parse_shift(text: str) -> timedelta:
    """A length of time to add to a clock, below 0 where the clock was fast. Raises InputError.

    >>> parse_shift("-00:05:30") == -timedelta(minutes=5, seconds=30), parse_shift("+1d 02:00") == timedelta(hours=26)
    (True, True)
    >>> parse_shift("2h30m") == timedelta(hours=2, minutes=30)
    True
    """
    plain = text.strip().lower().replace("\N{MINUS SIGN}", "-")
    found = CLOCKED.fullmatch(plain) or WORDED.fullmatch(plain)
    numbers = {unit: int(found[unit] or 0) for unit in "dhms"} if found and re.search(r"\d", plain) else None
    if numbers is None or max(numbers.values()) > MOST_DAYS * 86400:
        raise InputError(f"time shift: got {text!r}, wanted {WANTED_SHIFT}")
    length = timedelta(numbers["d"], hours=numbers["h"], minutes=numbers["m"], seconds=numbers["s"])
    if length > timedelta(MOST_DAYS):
        raise InputError(f"time shift: got {text!r}, wanted at most {MOST_DAYS} days")
    return -length if plain.startswith("-") else length


def format_shift(shift: timedelta) -> str:
    """What was added, as `+1d 02:00:00`; empty where nothing was.

    >>> format_shift(timedelta(hours=26)), format_shift(-timedelta(minutes=5)), format_shift(timedelta(0))
    ('+1d 02:00:00', '-00:05:00', '')
    """
    if not shift:
        return ""
    length = abs(shift)
    minutes, seconds = divmod(length.seconds, 60)
    days = f"{length.days}d " if length.days else ""
    return f"{'-' if shift < timedelta(0) else '+'}{days}{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"
