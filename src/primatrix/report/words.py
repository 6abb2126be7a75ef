"""Numbers and lengths as they are read."""

__all__ = [
    "format_clock",
    "format_count",
    "format_length",
    "format_number",
    "format_probability",
    "format_share",
]


def format_clock(seconds: float) -> str:
    """A moment of a clip in minutes and seconds.

    >>> format_clock(4.25), format_clock(59.96), format_clock(754.0)
    ('0:04.2', '1:00.0', '12:34.0')
    """
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{minutes:.0f}:{rest:04.1f}"


def format_count(expected: float) -> str:
    """An expected number of clips.

    >>> format_count(0.0), format_count(0.004), format_count(1.26), format_count(1234.5)
    ('0', '<0.1', '1.3', '1,234')
    """
    return "<0.1" if 0 < expected < 0.05 else format_number(round(expected, 1))


def format_length(hours: float) -> str:
    """Hours of film, minutes or seconds where there is less.

    >>> format_length(41.2), format_length(1.25), format_length(0.5), format_length(0.004)
    ('41 h', '1.2 h', '30 min', '14 s')
    """
    if hours >= 1:
        return f"{format_number(hours)} h"
    return f"{hours * 60:.0f} min" if hours >= 1 / 30 else f"{hours * 3600:.0f} s"


def format_share(share: float) -> str:
    """A share in per cent, so that "100 %" is all of it.

    >>> format_share(0.5), format_share(0.9996), format_share(1.0)
    ('50 %', '>99.9 %', '100 %')
    """
    if 0.9995 <= share < 1:
        return ">99.9 %"
    return f"{share * 100:.1f} %" if 0.995 <= share < 1 else f"{share * 100:.0f} %"


def format_probability(value: float) -> str:
    """A probability in two digits, three near 0 and 1.

    >>> format_probability(0.25), format_probability(0.9991), format_probability(0.0)
    ('0.25', '0.999', '0')
    """
    if value == 0:
        return "0"
    return f"{value:.3f}" if value < 0.1 or value > 0.99 else f"{value:.2f}"


def format_number(value: float) -> str:
    """Few digits, as many as are read at a glance.

    >>> [format_number(value) for value in (0, 0.25, 3.14159, 9.97, 12345.0)]
    ['0', '0.25', '3.1', '10', '12,345']
    """
    if abs(value) >= 9.95 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"
