from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primatrix.report.watching import count_points, count_watching, measure_footage
from primatrix.results import Results

Make = Callable[..., Results]
SKIP = {
    "task": "skip",
    "score": "blank",
    "threshold": 0.9,
    "max_loss": 0.05,
    "confidence": 0.9,
    "unit": "clips",
}


def test_hours_to_watch_keep_what_they_say(
    tmp_path: Path, make_results: Make, odd_names: tuple[str, ...]
) -> None:
    results = make_results(tmp_path)
    shows = pd.Series(1.0, index=list(odd_names[:2]))
    rows = {row.name: row for row in count_watching(measure_footage(results), shows=shows)}
    assert (rows["everything"].clips, round(rows["everything"].hours, 6)) == (4, 4.0)
    # 0.98 + 0.95 of 2.03 expected clips are in the two likeliest
    assert (rows["95 %"].clips, round(rows["95 %"].kept, 4), rows["95 %"].labelled_kept) == (2, 0.9507, 1.0)
    skip, find = count_points(measure_footage(results), results.facts["operating_points"])
    assert (skip.clips, find.clips) == (2, 1)
    assert skip.promise == "loses at most 5 % of clips with animals, with 90 % confidence over clips"


def test_footage_is_what_could_be_read_and_an_unknown_length_counts_as_the_mean_of_the_others(
    tmp_path: Path, make_results: Make
) -> None:
    results = make_results(tmp_path)
    clips = results.clips.assign(duration_seconds=[1800.0, np.nan, 3600.0, 900.0, np.nan])
    footage = measure_footage(replace(results, clips=clips))
    assert footage.names.tolist() == results.clips["filepath"].tolist()[:4]
    assert footage.hours.tolist() == pytest.approx([0.5, 7 / 12, 1.0, 0.25])
    assert footage.rank().tolist() == [1, 0, 2, 3]
    unknown = measure_footage(replace(results, clips=clips.assign(duration_seconds=np.nan)))
    assert unknown.hours.tolist() == [0, 0, 0, 0]


def test_shares_are_of_hours_and_clips_as_likely_as_the_last_one_are_watched_too(
    tmp_path: Path, make_results: Make
) -> None:
    rows = count_watching(measure_footage(make_results(tmp_path)))
    assert [(row.name, row.clips, row.hours, row.share) for row in rows] == [
        ("everything", 4, 4.0, 1.0), ("99 %", 4, 4.0, 1.0), ("95 %", 2, 2.0, 0.5), ("90 %", 2, 2.0, 0.5),
        ("80 %", 2, 2.0, 0.5),
    ]  # fmt: skip
    assert [row.labelled_kept for row in rows] == [None] * 5
    assert rows[2].threshold == pytest.approx(0.95)


def test_labels_of_clips_that_could_not_be_read_say_nothing_about_what_is_kept(
    tmp_path: Path, make_results: Make
) -> None:
    footage = measure_footage(make_results(tmp_path))
    broken = pd.Series({"b/broken.mp4": 1.0, footage.names[0]: 0.0})
    assert [row.labelled_kept for row in count_watching(footage, shows=broken)] == [None] * 5
    half = pd.Series({"b/broken.mp4": 1.0, footage.names[0]: 1.0, footage.names[2]: 1.0})
    assert [row.labelled_kept for row in count_watching(footage, shows=half)] == [1.0, 1.0, 0.5, 0.5, 0.5]


def test_no_readable_clip_leaves_nothing_to_watch(tmp_path: Path, make_results: Make) -> None:
    results = make_results(tmp_path)
    failed = results.predictions.tail(1)
    clips, sightings = results.clips.tail(1), results.sightings.head(0)
    alone = replace(results, predictions=failed, clips=clips, sightings=sightings)
    assert count_watching(measure_footage(alone)) == []


def test_points_are_judged_by_what_they_are_for(tmp_path: Path, make_results: Make) -> None:
    footage = measure_footage(make_results(tmp_path))
    labels = pd.DataFrame(
        {"blank": [0.0, 0.0, 1.0], "duiker": [1.0, 1.0, 0.0], "hog<b>": 0.0}, index=footage.names[:3]
    )
    find = {**SKIP, "task": "find", "score": "duiker", "threshold": 0.9}
    skip, found = count_points(footage, {"skip": SKIP, "find": find}, labels=labels)
    assert (skip.threshold, skip.clips, skip.labelled_kept) == (pytest.approx(0.1), 2, 1.0)
    assert skip.kept == pytest.approx((0.95 + 0.98) / 2.03)
    assert (found.threshold, found.clips, found.labelled_kept) == (0.9, 1, 0.5)
    assert found.kept == pytest.approx(0.93 / 1.57)


def test_a_point_without_a_threshold_skips_nothing(tmp_path: Path, make_results: Make) -> None:
    [row] = count_points(measure_footage(make_results(tmp_path)), {"skip": {**SKIP, "threshold": None}})
    assert (row.threshold, row.clips, row.promise) == (
        None, 4, "too few labelled clips to promise anything, so nothing is skipped")  # fmt: skip


def test_where_nothing_is_expected_everything_is_kept_by_watching_all(
    tmp_path: Path, make_results: Make
) -> None:
    results = make_results(tmp_path)
    blank = results.predictions.assign(blank=[1.0, 1.0, 1.0, 1.0, None])
    rows = count_watching(measure_footage(replace(results, predictions=blank)))
    assert [(row.clips, row.kept) for row in rows] == [(4, 0.0)] * 5
