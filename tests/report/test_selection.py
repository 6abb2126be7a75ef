from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from primatrix.report.selection import Strip, centre_by_frames, choose_strips, list_shown_species
from primatrix.results import Results

Make = Callable[..., Results]
SPECIES = ["blank", "duiker", "hog<b>"]


def test_sheets_show_the_surest_the_least_sure_and_the_wrong(
    tmp_path: Path, make_results: Make, odd_names: tuple[str, ...]
) -> None:
    labels = pd.DataFrame(0.0, index=list(odd_names), columns=SPECIES)
    labels.loc[odd_names[0], "hog<b>"] = labels.loc[odd_names[1], "hog<b>"] = 1
    labels.loc[odd_names[2], "duiker"] = 1
    strips = choose_strips(make_results(tmp_path), labels=labels, count=1)
    chosen = {(strip.species, strip.kind): strip for strip in strips}
    assert chosen["duiker", "surest"].filepath == odd_names[0]
    assert chosen["duiker", "surest"].centre_seconds == 0.5
    assert chosen["duiker", "least sure"].filepath == odd_names[1]
    assert chosen["duiker", "not labelled so"].filepath == odd_names[0]
    assert chosen["duiker", "missed"].filepath == odd_names[2]
    assert chosen["hog<b>", "missed"].filepath == odd_names[0]
    assert ("hog<b>", "not labelled so") not in chosen


def test_what_every_sheet_should_have_comes_first(tmp_path: Path, make_results: Make) -> None:
    strips = choose_strips(make_results(tmp_path), count=2)
    assert [(strip.species, strip.kind) for strip in strips[:6]] == [
        ("duiker", "surest"), ("duiker", "least sure"), ("hog<b>", "surest"), ("hog<b>", "least sure"),
        ("blank", "surest"), ("blank", "least sure"),
    ]  # fmt: skip
    assert "hog<b>" not in {
        strip.species for strip in strips[6:] if strip.kind == "surest"
    }  # only one is sure
    assert len({(strip.filepath, strip.species) for strip in strips}) == len(strips)
    assert choose_strips(make_results(tmp_path), count=0) == []


def test_a_rare_species_has_a_sheet_only_where_it_reaches_its_threshold_or_is_labelled(
    tmp_path: Path, make_results: Make
) -> None:
    results = make_results(tmp_path)
    rare = replace(results, predictions=results.predictions.assign(duiker=[0.2, 0.1, 0.1, 0.05, None]))
    assert list_shown_species(rare) == ["hog<b>", "blank"]
    low = replace(rare, facts={**rare.facts, "thresholds": {"duiker": 0.2}})
    assert list_shown_species(low) == ["hog<b>", "duiker", "blank"]
    labels = pd.DataFrame(0.0, index=rare.clips["filepath"][:1], columns=SPECIES).assign(duiker=1.0)
    assert list_shown_species(rare, labels=labels) == ["hog<b>", "duiker", "blank"]
    assert list_shown_species(rare, labels=labels * 0) == ["hog<b>", "blank"]


def test_clips_nobody_labelled_are_neither_wrong_nor_missed(tmp_path: Path, make_results: Make) -> None:
    results = make_results(tmp_path)
    labels = pd.DataFrame(0.0, index=results.clips["filepath"][3:4], columns=SPECIES).assign(blank=1.0)
    assert {strip.kind for strip in choose_strips(results, labels=labels)} == {"surest", "least sure"}


def test_of_several_sightings_the_surest_is_shown(tmp_path: Path, make_results: Make) -> None:
    results = make_results(tmp_path)
    first = results.sightings.iloc[:1]
    more = [first.assign(probability=0.5), first.assign(best_seconds=0.9, probability=0.99), first]
    strips = choose_strips(replace(results, sightings=pd.concat(more)), count=1)
    assert {strip.centre_seconds for strip in strips if strip.species == "duiker"} == {0.9, None}


def test_frames_tell_only_of_strips_that_have_no_second_yet() -> None:
    looks = pd.DataFrame(
        {"filepath": ["b.mp4", "a.mp4", "a.mp4"], "pts_seconds": [9.0, 0.5, 1.5], "hog": [1.0, 0.1, 0.3]}
    )
    strips = [Strip("a.mp4", "hog", "surest", 0.3), Strip("a.mp4", "hog", "missed", 0.3, 7.0),
              Strip("c.mp4", "hog", "surest", 0.3)]  # fmt: skip
    assert [strip.centre_seconds for strip in centre_by_frames(strips, looks)] == [1.5, 7.0, None]
    assert centre_by_frames(strips, None) == strips


def test_the_least_sure_are_nearest_to_the_threshold_in_odds_and_a_clip_at_it_is_tagged(
    tmp_path: Path, make_results: Make
) -> None:
    results = make_results(tmp_path)
    chances = results.predictions.assign(duiker=[0.97, 0.8, 0.1, 0.75, None])
    strict = replace(results, predictions=chances, facts={**results.facts, "thresholds": {"duiker": 0.9}})
    names = results.clips["filepath"].tolist()
    chosen = {(s.species, s.kind): s.filepath for s in choose_strips(strict, count=1)}
    assert chosen["duiker", "surest"] == names[0]
    assert chosen["duiker", "least sure"] == names[1]
    at = replace(results, predictions=chances, facts={**results.facts, "thresholds": {"duiker": 0.75}})
    for truth, kind in ((0.0, "not labelled so"), (1.0, "missed")):
        labels = pd.DataFrame(0.0, index=[names[3]], columns=SPECIES).assign(duiker=truth)
        kinds = {s.kind for s in choose_strips(at, labels=labels) if s.species == "duiker"}
        assert (kind in kinds) == (kind == "not labelled so")
