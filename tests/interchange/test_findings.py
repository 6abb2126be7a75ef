from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from primatrix.interchange.findings import Finding, find_all, list_labels
from primatrix.results import Results

Make = Callable[..., Results]


def spans(finding: Finding) -> list[tuple[str, float, float, float, float]]:
    return [
        (s.species, s.start_seconds, s.end_seconds, s.best_seconds, s.probability) for s in finding.sightings
    ]


def test_every_clip_has_one_verdict_in_the_order_of_predictions(small: Results) -> None:
    findings = find_all(small)
    assert [(finding.filepath, finding.verdict) for finding in findings] == [
        ("a/two species.MP4", "seen"), ("a/whole.avi", "seen"), ("b/blank.mp4", "blank"),
        ("b/unknown.mp4", "unknown"), ("~b/../odd, é.mp4", "failed"), ("c/still.jpg", "seen"),
    ]  # fmt: skip
    assert [list_labels(finding) for finding in findings] == [
        ["duiker", "hog"], ["human", "okapi"], ["blank"], [], [], ["duiker"]]  # fmt: skip


def test_a_failed_clip_has_its_reason_and_nothing_else(small: Results) -> None:
    failed = find_all(small)[4]
    assert failed.reason == "open: moov | atom: not 50 %, at all"
    assert (failed.sightings, dict(failed.probabilities), failed.blank_probability) == ((), {}, None)


def test_a_partial_clip_says_what_could_not_be_read(small: Results) -> None:
    whole, partial = find_all(small)[:2]
    assert (whole.partial, whole.note) == (False, "")
    assert (partial.partial, partial.note) == (True, "the last 3 of 10 s | 50 % are missing")


def test_stretches_come_in_order_of_time_and_numbers_have_no_more_digits_than_they_had(
    small: Results,
) -> None:
    shuffled = replace(small, sightings=small.sightings[::-1])
    first = find_all(shuffled)[0]
    assert spans(first) == [
        ("duiker", 0.0, 4.2, 1.0, 0.93), ("hog", 3.04, 5.0, 4.0, 0.61), ("duiker", 8.0, 9.96, 9.96, 0.55)]  # fmt: skip
    assert dict(first.probabilities) == {
        "blank": 0.01,
        "duiker": 0.9,
        "hog": 0.45,
        "human": 0.02,
        "okapi": 0.0,
    }
    assert first.blank_probability == 0.01


def test_a_species_without_stretches_is_seen_all_along_and_best_in_the_middle(small: Results) -> None:
    assert spans(find_all(small)[1]) == [("human", 0.0, 10.0, 5.0, 0.8), ("okapi", 0.0, 10.0, 5.0, 0.7)]
    unknown_length = replace(small, clips=small.clips.assign(duration_seconds=np.nan))
    assert spans(find_all(unknown_length)[1]) == [
        ("human", 0.0, 0.0, 0.0, 0.8),
        ("okapi", 0.0, 0.0, 0.0, 0.7),
    ]


@pytest.mark.parametrize(("threshold", "verdict"), [(0.7, "seen"), (0.7000001, "unknown")])
def test_a_probability_that_is_its_threshold_reaches_it(
    make_results: Make, threshold: float, verdict: str
) -> None:
    thresholds = {"hog": threshold, "blank": 0.1}
    clips = [("a.mp4", "ok", {"blank": 0.2, "hog": 0.7})]
    [finding] = find_all(make_results(clips, [], species=["blank", "hog"], thresholds=thresholds))
    assert finding.verdict == verdict


def test_blank_beside_a_species_is_no_stretch(make_results: Make) -> None:
    clips = [("a.mp4", "ok", {"blank": 0.9, "hog": 0.9})]
    [both] = find_all(make_results(clips, [], species=["blank", "hog"]))
    assert (both.verdict, list_labels(both)) == ("seen", ["hog"])


@pytest.mark.parametrize("chances", [{"blank": 0.999, "hog": 0.001}, {"hog": 0.001}])
def test_without_a_proven_point_no_clip_is_blank(make_results: Make, chances: dict[str, float]) -> None:
    [finding] = find_all(make_results([("a.mp4", "ok", chances)], [], species=list(chances)))
    assert (finding.verdict, list_labels(finding)) == ("unknown", [])


def test_a_model_without_blank_has_blank_clips_where_its_point_skips_them(make_results: Make) -> None:
    clips = [("a.mp4", "ok", {"hog": 0.05}), ("b.mp4", "ok", {"hog": 0.2})]
    points = {"skip blank": {"task": "skip", "score": "1 - max animal", "threshold": 0.9, "max_loss": 0.05,
                             "confidence": 0.9, "unit": "clips"}}  # fmt: skip
    first, second = find_all(make_results(clips, [], species=["hog"], operating_points=points))
    assert (first.verdict, first.blank_probability, list_labels(first)) == ("blank", None, ["blank"])
    assert (second.verdict, list_labels(second)) == ("unknown", [])
