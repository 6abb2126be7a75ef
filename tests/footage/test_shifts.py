from datetime import timedelta

import pytest

from primatrix.errors import InputError
from primatrix.footage.shifts import format_shift, parse_shift


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("+01:00", timedelta(hours=1)),
        ("01:00", timedelta(hours=1)),
        ("-00:05:30", -timedelta(minutes=5, seconds=30)),
        ("−1:00", -timedelta(hours=1)),  # a minus sign, as word processors write it
        ("+8497d 21:00", timedelta(days=8497, hours=21)),
        ("-1 day, 2:30:00", -timedelta(days=1, hours=2, minutes=30)),
        ("+36:00", timedelta(hours=36)),
        ("2h", timedelta(hours=2)),
        ("-90s", -timedelta(seconds=90)),
        ("+3d", timedelta(days=3)),
        ("1d 2h 3m 4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("00:00", timedelta(0)),
    ],
)
def test_a_shift_is_read_as_people_write_it(text: str, length: timedelta) -> None:
    assert parse_shift(text) == length
    assert parse_shift(format_shift(length) or "0s") == length


@pytest.mark.parametrize(
    "text", ["", "+", "an hour", "1", "+1.5h", "01:75", "2023-04-15", "99999999d", "1" * 400 + "d"]
)
def test_what_is_no_length_of_time_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InputError, match="time shift: got") as caught:
        parse_shift(text)
    assert "\n" not in str(caught.value)
