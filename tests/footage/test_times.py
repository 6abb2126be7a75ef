from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from primatrix.errors import InputError
from primatrix.footage.times import TimeSpec, find_recorded_time, is_doubted, read_time_in_name
from primatrix.records import Video

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def name_video(name: str, *, mtime_ns: int = 0) -> Video:
    return Video(Path(name), name, 0, mtime_ns)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("20230415_063012.mp4", datetime(2023, 4, 15, 6, 30, 12)),
        ("2023-04-15 06-30-12.AVI", datetime(2023, 4, 15, 6, 30, 12)),
        ("IMG_20230415_063012.jpg", datetime(2023, 4, 15, 6, 30, 12)),
        ("PICT-2023.04.15T06.30.12.mov", datetime(2023, 4, 15, 6, 30, 12)),
        ("cam7_20230415063012_x.mp4", datetime(2023, 4, 15, 6, 30, 12)),
        ("20180416_073420_Cephalophus_258705_1326046.MP4", datetime(2018, 4, 16, 7, 34, 20)),
        ("2023-04-15/06-30-12.mp4", datetime(2023, 4, 15, 6, 30, 12)),
        ("15-04-2023 06-30-12.mp4", datetime(2023, 4, 15, 6, 30, 12)),
        ("04-15-2023 06-30-12.mp4", datetime(2023, 4, 15, 6, 30, 12)),
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


def test_sources_come_in_their_order() -> None:
    video = name_video("20230102_030405.mp4", mtime_ns=10**18)
    everything = {"recorded": datetime(2022, 1, 1), "in_table": datetime(2024, 1, 1), "now": NOW}
    spec = TimeSpec(modified=True)
    assert find_recorded_time(video, spec, **everything).source == "container"
    assert find_recorded_time(video, spec, is_still=True, **everything).source == "exif"
    del everything["recorded"]
    assert find_recorded_time(video, spec, **everything).text == "2023-01-02T03:04:05"
    unnamed = name_video("a.mp4", mtime_ns=10**18)
    assert find_recorded_time(unnamed, spec, **everything).source == "table"
    found = find_recorded_time(unnamed, spec, now=NOW)
    assert (found.text, found.source) == ("2001-09-09T01:46:40+00:00", "modified")
    assert find_recorded_time(unnamed, TimeSpec(), now=NOW).text == ""


def test_a_containers_utc_is_the_cameras_own_clock_unless_asked_otherwise() -> None:
    video, utc = name_video("a.mp4"), datetime(2023, 7, 1, 6, 30, tzinfo=UTC)
    local = find_recorded_time(video, TimeSpec("Europe/Berlin"), recorded=utc, now=NOW)
    assert local.text == "2023-07-01T06:30:00+02:00"
    strict = TimeSpec("Europe/Berlin", container_clock="utc")
    assert find_recorded_time(video, strict, recorded=utc, now=NOW).text == "2023-07-01T08:30:00+02:00"
    assert find_recorded_time(video, TimeSpec(), recorded=utc, now=NOW).text == "2023-07-01T06:30:00"
    phone = utc.replace(tzinfo=timezone(timedelta(hours=3)))
    assert find_recorded_time(video, TimeSpec(), recorded=phone, now=NOW).text == "2023-07-01T06:30:00+03:00"


def test_clocks_plainly_wrong_are_said_and_passed_over() -> None:
    reset, future = datetime(2000, 1, 1, 0, 7), datetime(2062, 1, 1)
    found = find_recorded_time(name_video("20230102_030405.mp4"), TimeSpec(), recorded=future, now=NOW)
    assert (found.text, found.source) == ("2023-01-02T03:04:05", "name")
    assert found.warning == "container says 2062-01-01T00:00:00: that is in the future"
    found = find_recorded_time(name_video("a.mp4"), TimeSpec("UTC"), recorded=reset, now=NOW)
    assert (found.text, found.source) == ("2000-01-01T00:07:00+00:00", "container")
    assert found.warning.endswith("its clock was not set")


def test_offsets_have_whole_minutes_in_zones_that_once_had_seconds() -> None:
    spec = TimeSpec("Africa/Monrovia")  # -00:44:30 until 1972, the year that reset clocks fall into
    found = find_recorded_time(name_video("a.mp4"), spec, recorded=datetime(1970, 1, 1, 0, 3), now=NOW)
    assert found.text == "1970-01-01T00:03:00-00:44"
    assert is_doubted(found.source, found.warning)


def test_unknown_zones_are_refused_in_one_line() -> None:
    for name in ("Mars/Olympus", "../etc", "CET+1"):
        with pytest.raises(InputError, match=r"timezone: got .* wanted a name as Africa/Abidjan"):
            TimeSpec(name)
