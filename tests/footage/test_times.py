from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from primatrix.errors import InputError
from primatrix.footage.times import TimeSpec, find_recorded_time, is_doubted
from primatrix.records import Video

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def name_video(name: str, *, mtime_ns: int = 0) -> Video:
    return Video(Path(name), name, 0, mtime_ns)


def test_sources_come_in_their_order() -> None:
    video = name_video("20230102_030405.mp4", mtime_ns=1_700_000_000 * 10**9)
    spec = TimeSpec(modified=True)
    of_file = {"recorded": datetime(2022, 1, 1), "now": NOW}
    found = find_recorded_time(video, spec, in_table=datetime(2024, 1, 1), **of_file)
    assert (found.text, found.source, found.warning) == ("2024-01-01T00:00:00", "table", "")
    assert find_recorded_time(video, spec, **of_file).source == "container"
    assert find_recorded_time(video, spec, is_still=True, **of_file).source == "exif"
    assert find_recorded_time(video, spec, now=NOW).text == "2023-01-02T03:04:05"
    unnamed = name_video("a.mp4", mtime_ns=1_700_000_000 * 10**9)
    found = find_recorded_time(unnamed, spec, now=NOW)
    assert (found.text, found.source) == ("2023-11-14T22:13:20+00:00", "modified")
    assert find_recorded_time(unnamed, TimeSpec(), now=NOW).text == ""


def test_a_name_read_beside_others_goes_before_reading_it_alone() -> None:
    video = name_video("20230415_010203.mp4")
    assert find_recorded_time(video, TimeSpec(), now=NOW).source == "name"
    assert find_recorded_time(video, TimeSpec(), named={}, now=NOW).source == ""


def test_utc_in_a_table_or_a_name_is_taken_at_its_word() -> None:
    spec, noon = TimeSpec("Europe/Berlin"), datetime(2023, 7, 1, 12, tzinfo=UTC)
    assert (
        find_recorded_time(name_video("a.mp4"), spec, in_table=noon, now=NOW).text
        == "2023-07-01T14:00:00+02:00"
    )
    named = name_video("20230701T120000Z.mp4")
    assert find_recorded_time(named, spec, now=NOW).text == "2023-07-01T14:00:00+02:00"


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


@pytest.mark.parametrize(
    ("clock", "warning"),
    [
        (datetime(2000, 1, 9, 11, 5), "its clock was not set"),
        (datetime(2000, 6, 1), "its clock was not set"),
        (datetime(1980, 1, 1), "its clock was not set"),
        (datetime(2012, 1, 1, 0, 7), "its clock looks reset"),
        (datetime(2022, 1, 29), "its clock looks reset"),
        (datetime(2021, 1, 1, tzinfo=UTC), "its clock looks reset"),
    ],
)
@pytest.mark.parametrize("is_still", [False, True])
def test_a_clock_set_back_to_a_default_date_does_not_beat_a_plausible_name(
    clock: datetime, warning: str, is_still: bool
) -> None:
    video = name_video("20230415_063012.mp4")
    found = find_recorded_time(video, TimeSpec(), recorded=clock, is_still=is_still, now=NOW)
    assert (found.text, found.source) == ("2023-04-15T06:30:12", "name")
    assert found.warning.endswith(warning)


@pytest.mark.parametrize(
    ("name", "clock"),
    [
        ("20230415_063012.mp4", datetime(2022, 6, 1)),  # named when the card was read
        ("20230415_063012.mp4", datetime(2023, 1, 9)),
        ("20230415_063012.mp4", datetime(2012, 6, 1)),  # no clock starts in June
        ("20120101_000730.mp4", datetime(2012, 1, 1, 0, 7)),  # both by the same clock
        ("20620415_063012.mp4", datetime(2012, 1, 1)),  # the name is no better
        ("a.mp4", datetime(2012, 1, 1)),
    ],
)
def test_a_time_in_january_stays_where_nothing_speaks_against_it(name: str, clock: datetime) -> None:
    found = find_recorded_time(name_video(name), TimeSpec(), recorded=clock, now=NOW)
    assert (found.moment, found.source, found.warning) == (clock, "container", "")


def test_a_shift_puts_every_clock_right_and_stays_visible() -> None:
    spec = TimeSpec("Africa/Abidjan", time_shift="+8497d 21:00")
    reset = datetime(2000, 1, 9, 9, 30, 12)
    found = find_recorded_time(name_video("a.mp4"), spec, recorded=reset, now=NOW)
    assert (found.text, found.source, found.warning, found.shift_text) == (
        "2023-04-16T06:30:12+00:00", "container", "", "+8497d 21:00:00")  # fmt: skip
    hour = TimeSpec(time_shift="-01:00", modified=True)
    named = find_recorded_time(name_video("20230415_063012.mp4"), hour, now=NOW)
    assert (named.text, named.shift_text) == ("2023-04-15T05:30:12", "-01:00:00")
    changed = find_recorded_time(name_video("a.mp4", mtime_ns=1_700_000_000 * 10**9), hour, now=NOW)
    assert changed.text == "2023-11-14T21:13:20+00:00"
    in_table = find_recorded_time(name_video("a.mp4"), hour, in_table=datetime(2023, 4, 15), now=NOW)
    assert (in_table.text, in_table.shift_text) == ("2023-04-15T00:00:00", "")  # people wrote it


def test_a_shift_of_the_video_takes_the_place_of_that_for_all() -> None:
    spec, recorded = TimeSpec(time_shift="+01:00"), datetime(2023, 4, 15, 6)
    for own, text in ((timedelta(minutes=-5), "2023-04-15T05:55:00"), (timedelta(0), "2023-04-15T06:00:00")):
        assert (
            find_recorded_time(name_video("a.mp4"), spec, recorded=recorded, shift=own, now=NOW).text == text
        )
    far = datetime(9999, 12, 31, 23, 59)
    assert find_recorded_time(name_video("a.mp4"), spec, recorded=far, now=NOW).warning.endswith(
        "in the future"
    )


@pytest.mark.parametrize(
    ("name", "minutes"),
    [("+01:00", 60), ("-05:30", -330), ("+0100", 60), ("+1", 60), ("UTC+1", 60), ("GMT-03:00", -180), ("−03:00", -180),
     ("+14:00", 840), ("Z", 0), ("UTC", 0)],
)  # fmt: skip
def test_a_zone_may_be_an_offset_from_utc(name: str, minutes: int) -> None:
    spec = TimeSpec(name)
    found = find_recorded_time(name_video("a.mp4"), spec, recorded=datetime(2023, 7, 1, 6, 30), now=NOW)
    assert found.moment is not None
    assert (found.text[:16], found.moment.utcoffset()) == ("2023-07-01T06:30", timedelta(minutes=minutes))


def test_offsets_have_whole_minutes_in_zones_that_once_had_seconds() -> None:
    spec = TimeSpec("Africa/Monrovia")  # -00:44:30 until 1972, the year that reset clocks fall into
    found = find_recorded_time(name_video("a.mp4"), spec, recorded=datetime(1970, 1, 1, 0, 3), now=NOW)
    assert found.text == "1970-01-01T00:03:00-00:44"
    assert is_doubted(found.source, found.warning)


def test_unknown_zones_are_refused_in_one_line() -> None:
    for name in ("Mars/Olympus", "../etc", "CET+1", "+15:00", "+01:75", "one hour"):
        with pytest.raises(InputError, match=r"timezone: got .* wanted a name as Africa/Abidjan"):
            TimeSpec(name)
