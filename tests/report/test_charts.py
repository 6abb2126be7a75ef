import numpy as np
import pandas as pd
import pytest

from primatrix.report.charts import (
    chart_hours,
    chart_sites,
    chart_species,
    chart_species_by_hour,
    chart_watching,
)
from primatrix.report.counts import ClipCount
from primatrix.report.tallies import Group, SpeciesRow
from primatrix.report.watching import Footage


def make_footage(something: list[float], hours: list[float]) -> Footage:
    names = pd.Index([f"{i}.mp4" for i in range(len(something))])
    chances = np.array(something)
    nothing = np.zeros(len(names), np.bool_)
    return Footage(
        names, np.array(hours), chances, pd.DataFrame({"blank": 1 - chances}, index=names), nothing
    )


def test_footage_expected_to_show_nothing_is_drawn() -> None:
    assert chart_watching(make_footage([0.0], [1.0])).alt.endswith("95 % is kept in 1 hours.")


def test_watching_says_in_how_many_hours_95_of_100_are_kept_the_likeliest_first() -> None:
    chart = chart_watching(make_footage([0.02, 1.0, 0.03], [10.0, 2.0, 3.0]))
    assert chart.alt == "Share kept against hours watched, of 15 hours: 95 % is kept in 2 hours."
    assert chart.legend == ("likeliest first", "in any order")
    assert chart_watching(make_footage([0.02, 0.95, 0.08], [10.0, 2.0, 3.0])).alt.endswith("kept in 5 hours.")


def test_a_curve_of_thousands_of_clips_has_200_points() -> None:
    chart = chart_watching(make_footage([0.5] * 5000, [1.0] * 5000))
    [line] = [part for part in chart.svg.split("<") if "line l0" in part]
    assert line.count(",") == 200


def test_species_are_told_by_their_expected_clips_with_a_mark_where_they_reach_the_threshold() -> None:
    rows = [
        SpeciesRow("hog", ClipCount(12.34, 9, 16), 0.5, 11, 3),
        SpeciesRow("blank", ClipCount(0.25, 0, 1), 0.5, 0, None),
    ]
    chart = chart_species(rows)
    assert chart.alt == "Expected clips per species: hog 12; blank 0.25. The table below has the intervals."
    assert chart.svg.count('class="mark"') == 2


def test_sites_are_told_by_their_clips_and_drawn_by_what_these_show() -> None:
    chart = chart_sites([Group("north", 10, 1.0, 4.0, 1), Group("south", 2, 0.5, 0.0, 2)])
    assert chart.alt == "Clips per site: north 10; south 2."
    assert chart.legend == ("show something (expected)", "failed", "show nothing (expected)")
    widths = [
        part.split('width="')[1].split('"')[0] for part in chart.svg.split("<") if part.startswith("rect")
    ]
    assert [float(width) for width in widths] == pytest.approx([94.4, 23.6, 118.0, 0.0, 47.2, 0.0])


def test_the_busiest_hour_is_the_one_with_most_in_it_not_the_one_with_most_clips() -> None:
    groups = [Group(f"{hour:02}", 0, 0.0, 0.0, 0) for hour in range(24)]
    groups[6], groups[12] = Group("06", 5, 1.0, 4.0, 0), Group("12", 50, 1.0, 1.0, 0)
    assert chart_hours(groups).alt == (
        "Clips by hour of the day, 55 in all; the most with something in them around 06 h."
    )


def test_each_species_is_told_by_its_own_hour() -> None:
    sums = pd.DataFrame(0.0, index=["hog", "bat"], columns=range(24))
    sums.loc["hog", 7], sums.loc["bat", 22] = 9.0, 0.5
    chart = chart_species_by_hour(sums)
    assert chart.alt == "Expected clips by hour of the day: hog most around 07 h; bat most around 22 h."
    assert chart.svg.count('fill-opacity="1.00"') == 2
