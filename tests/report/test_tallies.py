from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primatrix.report.tallies import (
    Group,
    count_by_hour,
    count_by_site,
    count_by_species,
    count_overview,
    count_species_by_hour,
    find_something,
    read_plausible_times,
)
from primatrix.results import Results, complete_facts

Make = Callable[..., Results]


def test_sites_hours_and_failures_are_counted(tmp_path: Path, make_results: Make) -> None:
    results = make_results(tmp_path)
    overview = count_overview(results)
    assert overview.statuses == {"ok": 3, "partial": 1, "failed": 1}
    assert overview.reasons == {"open: not <readable> & empty": 1}
    assert [(group.name, group.clips, group.failed) for group in count_by_site(results)] == [
        ("b", 3, 1),
        ("a", 2, 0),
    ]
    hours = count_by_hour(results)
    assert [(group.name, group.clips) for group in hours if group.clips] == [
        ("06", 1), ("07", 1), ("08", 1), ("09", 1),
    ]  # fmt: skip


def test_clocks_that_are_plainly_wrong_are_in_no_hour_and_told_once(
    tmp_path: Path, make_results: Make
) -> None:
    results = make_results(tmp_path)
    clips = results.clips.copy()
    for row in range(2):
        time = f"1970-01-01T00:00:0{row}"
        clips.loc[row, ["recorded_at", "time_warning"]] = [
            time,
            f"container says {time}: its clock was not set",
        ]
    results = replace(results, clips=clips)
    overview = count_overview(results)
    assert overview.time_warnings == {"container: its clock was not set": 2}
    assert overview.first == datetime(2026, 3, 1, 8, 30)
    assert [group.name for group in count_by_hour(results) if group.clips] == ["08", "09"]
    by_hour = count_species_by_hour(results, ["duiker"])
    assert by_hour.columns[by_hour.loc["duiker"] > 0].tolist() == [8, 9]


def test_events_of_a_species_are_counted_by_the_interval_of_the_run(
    tmp_path: Path, make_results: Make
) -> None:
    results = make_results(tmp_path)
    seen = results.sightings.assign(species="duiker")  # at one site, an hour apart
    for minutes, events in ((59, 2), (60, 1)):
        facts = {**results.facts, "settings": {"interval_minutes": minutes}}
        rows = count_by_species(replace(results, sightings=seen, facts=facts))
        assert {row.species: row.events for row in rows} == {"duiker": events, "hog<b>": 0, "blank": None}


def test_an_overview_sums_hours_sites_and_wall_clocks(tmp_path: Path, make_results: Make) -> None:
    overview = count_overview(make_results(tmp_path))
    assert (overview.clips, overview.hours, overview.sites, overview.events) == (5, 4.0, 2, 0)
    assert overview.first == datetime(2026, 3, 1, 6, 30)  # the zone is left out: cameras show none
    assert overview.last == datetime(2026, 3, 1, 9, 30)
    assert overview.time_sources == {"container": 4, "": 1}


def test_a_time_is_left_out_only_where_its_own_clock_is_doubted(tmp_path: Path, make_results: Make) -> None:
    results = make_results(tmp_path)
    clips = results.clips.copy()
    clips.loc[1, ["time_source", "time_warning"]] = [
        "container",
        "container says 2062: that is in the future",
    ]
    clips.loc[2, ["time_source", "time_warning"]] = ["name", "container says 2062: that is in the future"]
    assert read_plausible_times(replace(results, clips=clips)).tolist() == [
        "2026-03-01T06:30:00+01:00", "", "2026-03-01T08:30:00+01:00", "2026-03-01T09:30:00+01:00", ""]  # fmt: skip


def test_a_site_adds_up_its_clips_with_those_of_no_site_together(tmp_path: Path, make_results: Make) -> None:
    results = make_results(tmp_path)
    sites = replace(results, clips=results.clips.assign(site=["north", "", "", "south", "south"]))
    groups = count_by_site(sites)
    assert [(group.name, group.clips, group.hours) for group in groups] == [
        ("site not known", 2, 2.0), ("south", 2, 1.0), ("north", 1, 1.0)]  # fmt: skip
    assert [group.something for group in groups] == pytest.approx([0.98 + 0.05, 0.05, 0.95])
    assert groups[1].nothing == pytest.approx(0.95)  # of the one that could be read
    assert count_by_site(replace(results, clips=results.clips.assign(site=""))) == []


def test_readable_clips_are_never_fewer_than_none_expected_to_show_nothing() -> None:
    assert Group("a", clips=2, hours=1.0, something=1.0 + 1e-9, failed=1).nothing == 0


def test_a_day_has_24_hours_or_none(tmp_path: Path, make_results: Make) -> None:
    hours = count_by_hour(make_results(tmp_path))
    assert [group.name for group in hours] == [f"{hour:02}" for hour in range(24)]
    assert hours[7].something == pytest.approx(0.98)
    assert hours[23] == Group("23", 0, 0.0, 0.0, 0)
    undated = make_results(tmp_path)
    assert count_by_hour(replace(undated, clips=undated.clips.assign(recorded_at="", time_source=""))) == []


def test_species_are_expected_by_the_hour_their_clips_were_recorded(
    tmp_path: Path, make_results: Make
) -> None:
    table = count_species_by_hour(make_results(tmp_path), ["hog<b>", "duiker"])
    assert table.shape == (2, 24)
    assert table.index.tolist() == ["hog<b>", "duiker"]
    assert table.loc["duiker", [6, 7, 8, 10]].tolist() == pytest.approx([0.93, 0.6, 0.02, 0.0])


def test_species_come_by_their_expected_clips_and_blank_last(tmp_path: Path, make_results: Make) -> None:
    rows = count_by_species(make_results(tmp_path))
    assert [(row.species, row.above, row.threshold) for row in rows] == [
        ("duiker", 2, 0.5), ("hog<b>", 1, 0.5), ("blank", 2, 0.5)]  # fmt: skip
    assert [row.count.expected for row in rows] == pytest.approx([1.57, 1.02, 1.97])


def test_a_clip_that_has_just_its_threshold_reaches_it(tmp_path: Path, make_results: Make) -> None:
    results = make_results(tmp_path)
    just = replace(results, predictions=results.predictions.assign(duiker=[0.5, 0.25, 0.25, 0.25, None]))
    assert {row.species: row.above for row in count_by_species(just)}["duiker"] == 1


def test_without_blank_the_likeliest_species_says_whether_a_clip_shows_something(
    tmp_path: Path, make_results: Make
) -> None:
    results = make_results(tmp_path)
    assert find_something(results)[:4] == pytest.approx([0.95, 0.98, 0.05, 0.05])
    assert np.isnan(find_something(results)[4])
    facts = complete_facts({"species": ["duiker", "hog<b>"]})
    without = replace(results, predictions=results.predictions.drop(columns="blank"), facts=facts)
    assert find_something(without)[:4] == pytest.approx([0.93, 0.97, 0.02, 0.02])
    assert pd.isna(find_something(without)[4])
