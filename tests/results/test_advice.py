from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from primatrix.errors import InputError
from primatrix.results.advice import (
    find_promise,
    find_seen,
    find_skipped,
    find_verdicts,
    is_calibrated,
    note_watching,
    say_duration,
    say_watching,
)
from primatrix.results.columns import complete_facts
from primatrix.results.results import Results
from primatrix.results.sighting import NO_BOX

SKIP = {
    "task": "skip",
    "score": "blank",
    "threshold": 0.9,
    "max_loss": 0.05,
    "confidence": 0.9,
    "unit": "clips",
}
UNPROVEN = {**SKIP, "threshold": None}
FIND = {**SKIP, "task": "find", "score": "hog", "threshold": 0.2}


def make_results(
    blank: list[float],
    hog: list[float],
    *,
    points: Mapping[str, Any],
    calibration: Mapping[str, Any] | None = None,
    **columns: object,
) -> Results:
    """Clips 0.mp4, 1.mp4, ... of ten minutes each; one of NaN could not be read."""
    names = [f"{i}.mp4" for i in range(len(blank))]
    failed = [name for name, chance in zip(names, blank, strict=True) if np.isnan(chance)]
    states = ["failed" if name in failed else "ok" for name in names]
    clips = {"filepath": names, "duration_seconds": [None if n in failed else 600.0 for n in names],
             "frame_rate": None, "frame_count": None, "width_px": None, "height_px": None, "codec": "",
             "recorded_at": "", "time_source": "", "time_warning": "", "site": "", "deployment": "", "event": "",
             "note": "", **columns}  # fmt: skip
    return Results(
        pd.DataFrame({"filepath": names, "status": states, "blank": blank, "hog": hog}),
        pd.DataFrame({"filename": failed, "stage": "open", "reason": "empty"}),
        pd.DataFrame(clips),
        pd.DataFrame(columns=["filepath", "species", "start_seconds", "end_seconds", "best_seconds", "probability"]),
        None,
        complete_facts({"species": ["blank", "hog"], "operating_points": dict(points),
                        "calibration": dict(calibration or {})}),
    )  # fmt: skip


def test_without_calibration_all_42_clips_are_to_be_watched_though_none_reaches_a_threshold() -> None:
    results = make_results([0.97] * 42, [0.03] * 42, points={})
    assert say_watching(results) == "not calibrated: watch all, 7.0 h in 42 videos, 42 of them unknown"
    assert set(find_verdicts(results)) == {"unknown"}


def test_a_proven_point_says_what_is_watched_though_fewer_clips_reach_a_threshold() -> None:
    blank, hog = [0.95, 0.92, 0.6, 0.3, 0.1], [0.01, 0.02, 0.3, 0.4, 0.9]
    results = make_results(blank, hog, points={"find hog": FIND, "skip blank": SKIP})
    assert find_verdicts(results).tolist() == ["blank", "blank", "unknown", "unknown", "seen"]
    assert say_watching(results) == (
        "30 min in 3 videos of 5, 2 of them unknown; to skip the others loses at most 5 % of clips with animals, "
        "with 90 % confidence over clips"
    )


def test_a_calibration_on_too_few_clips_skips_nothing_and_says_why() -> None:
    results = make_results([0.95, 0.5], [0.01, 0.5], points={"skip blank": UNPROVEN, "find hog": FIND})
    assert find_promise(results.facts["operating_points"]) is None
    assert not find_skipped(results).any()
    assert say_watching(results) == (
        "too few labelled clips to promise anything: watch all, 20 min in 2 videos, 1 of them unknown"
    )


def test_probabilities_count_as_calibrated_where_a_calibration_or_its_points_are_there() -> None:
    assert not is_calibrated(make_results([0.5], [0.5], points={}))
    assert is_calibrated(make_results([0.5], [0.5], points={"skip blank": UNPROVEN}))
    assert is_calibrated(make_results([0.5], [0.5], points={}, calibration={"fitted": "on 100 clips"}))


def test_what_was_decided_when_clips_were_tagged_goes_before_their_probabilities() -> None:
    results = make_results(
        [0.95, 0.1, 0.95], [0.0, 0.0, 0.0], points={"skip blank": SKIP}, watch=["yes", "no", ""]
    )
    assert find_skipped(results).tolist() == [False, True, True]
    unproven = replace(results, facts={**results.facts, "operating_points": {}})
    assert not find_skipped(unproven).any()


def test_a_clip_that_could_not_be_read_is_neither_skipped_nor_unknown_and_asked_for_by_hand() -> None:
    results = make_results([0.95, np.nan], [0.01, np.nan], points={"skip blank": SKIP})
    assert find_skipped(results).tolist() == [True, False]
    assert find_verdicts(results).tolist() == ["blank", "failed"]
    assert say_watching(results).endswith("over clips; 1 could not be read: look at it by hand")
    assert say_watching(results).startswith("0 s in 0 videos of 1, 0 of them unknown; ")


def test_a_sighting_below_the_threshold_of_its_clip_counts_as_seen() -> None:
    results = make_results([0.5, 0.5], [0.4, 0.6], points={})
    row = ("0.mp4", "hog", 0.0, 1.0, 0.5, 0.7, *NO_BOX)
    sighted = replace(results, sightings=pd.DataFrame([row], columns=results.sightings.columns))
    assert find_seen(results)["hog"].tolist() == [False, True]
    assert find_seen(sighted)["hog"].tolist() == [True, True]


def test_run_json_says_what_the_terminal_says(example: Results) -> None:
    assert note_watching(example).facts["to_watch"] == say_watching(example)


def test_a_word_about_watching_that_is_none_is_refused(example: Results) -> None:
    with pytest.raises(InputError, match="maybe"):
        replace(example, clips=example.clips.assign(watch="maybe"))


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2.0 h")]
)
def test_a_length_of_time_is_said_in_the_unit_that_suits_it(seconds: float, words: str) -> None:
    assert say_duration(seconds) == words
