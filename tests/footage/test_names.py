from datetime import UTC, datetime, timedelta, timezone

import pytest

from primatrix.footage.names import read_time_in_name, read_times_in_names

MORNING, EVENING = datetime(2023, 4, 15, 6, 30, 12), datetime(2023, 4, 15, 18, 30, 12)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("20230415_063012.mp4", MORNING),
        ("2023-04-15 06-30-12.AVI", MORNING),
        ("IMG_20230415_063012.jpg", MORNING),
        ("PICT-2023.04.15T06.30.12.mov", MORNING),
        ("cam7_20230415063012_x.mp4", MORNING),
        ("20180416_073420_Cephalophus_258705_1326046.MP4", datetime(2018, 4, 16, 7, 34, 20)),
        ("2023-04-15/06-30-12.mp4", MORNING),
        ("15-04-2023 06-30-12.mp4", MORNING),
        ("04-15-2023 06-30-12.mp4", MORNING),
        ("05-04-2023 06-30-12.mp4", None),  # April or May?
        ("05-05-2023 06-30-12.mp4", datetime(2023, 5, 5, 6, 30, 12)),
        ("20231304_063012.mp4", None),  # no month 13
        ("20230230_063012.mp4", None),
        ("20230415_256012.mp4", None),
        ("PICT0146.AVI", None),
        ("FID_15_Emeli_2013-9-11_0028.AVI", None),
        ("20230415.mp4", None),  # a date tells no time of day
        ("120230415063012.mp4", None),
        ("01250030.AVI", None),
    ],
)
def test_times_in_names_are_read_only_where_they_are_whole_and_have_one_reading(
    name: str, expected: datetime | None
) -> None:
    assert read_time_in_name(f"north/{name}") == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("2023-04-15 06-30-12 PM.mp4", EVENING),
        ("2023-04-15 06-30-12 AM.mp4", MORNING),
        ("20230415_063012PM.AVI", EVENING),
        ("20230415_063012_pm_x.AVI", EVENING),
        ("2023-04-15 06.30.12 p.m..mov", EVENING),
        ("15-04-2023 06-30-12 PM.mp4", EVENING),
        ("2023-04-15 at 6.30.12 PM.mov", EVENING),
        ("2023-04-15 PM 06-30-12.mp4", EVENING),
        ("2023-04-15 12-30-12 AM.mp4", datetime(2023, 4, 15, 0, 30, 12)),
        ("2023-04-15 12-30-12 PM.mp4", datetime(2023, 4, 15, 12, 30, 12)),
        ("2023-04-15 18-30-12 PM.mp4", EVENING),  # said twice
        ("2023-04-15 18-30-12 AM.mp4", None),
        ("2023-04-15 00-30-12 PM.mp4", None),
        ("20230415_063012_PMR.mp4", MORNING),  # somebody's initials
        ("20230415_063012_Amur.mp4", MORNING),
    ],
)
def test_am_and_pm_in_names_are_heeded(name: str, expected: datetime | None) -> None:
    assert read_time_in_name(name) == expected


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        ("20230415T063012Z.mp4", UTC),
        ("2023-04-15_06-30-12Z.mp4", UTC),
        ("20230415_063012_UTC.mp4", UTC),
        ("20230415T063012+0200.mp4", timezone(timedelta(hours=2))),
        ("20230415_063012_Zebra.mp4", None),
        ("20230415_063012-0200.mp4", None),  # a counter, as likely
        ("20230415_063012+9900.mp4", None),
    ],
)
def test_a_zone_at_the_end_of_a_names_time_counts(name: str, zone: timezone | None) -> None:
    assert read_time_in_name(name) == MORNING.replace(tzinfo=zone)


@pytest.mark.parametrize("name", ["20230415_000123.avi", "2023-04-15/000123.avi", "15-04-2023_000001.mp4"])
def test_six_digits_from_000_on_may_be_a_counter_and_are_not_read_alone(name: str) -> None:
    assert read_time_in_name(name) is None


def test_what_is_surely_a_time_just_after_midnight_is_read() -> None:
    for name in ("20230415T000123.avi", "20230415000123.avi", "2023-04-15 00-01-23.avi"):
        assert read_time_in_name(name) == datetime(2023, 4, 15, 0, 1, 23)
    names = ["a/20230415_000123.avi", "a/20230415_214501.avi"]
    assert read_times_in_names(names)[names[0]] == datetime(2023, 4, 15, 0, 1, 23)


def test_digits_are_a_counter_where_a_file_of_the_same_pattern_shows_it() -> None:
    beyond_a_minute = [f"a/20230415_0123{number}.avi" for number in (58, 59, 60)]
    assert read_times_in_names([*beyond_a_minute, "b/20230415_063012.mp4"]) == {
        "b/20230415_063012.mp4": MORNING
    }
    one_by_one = [f"2023041{number % 10}_0123{number}.avi" for number in range(10, 20)]
    assert read_times_in_names(one_by_one) == {}
    minutes_apart = [f"20230415_063{number}12.avi" for number in range(10)]
    assert len(read_times_in_names(minutes_apart)) == 10
