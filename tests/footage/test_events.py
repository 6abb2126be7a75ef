import pandas as pd
import pytest

from primatrix.errors import InputError
from primatrix.footage.events import find_events, list_species_events


def make_clips(*rows: tuple[str, str, str]) -> pd.DataFrame:
    clips = pd.DataFrame(rows, columns=["filepath", "site", "clock"])
    clips["recorded_at"] = [f"2023-04-{clock}" if clock else "" for clock in clips.pop("clock")]
    return clips


def test_clips_of_a_site_within_the_interval_are_one_event_whatever_their_order() -> None:
    clips = make_clips(
        ("c", "n", "15T07:31:00"),
        ("a", "n", "15T06:30:00"),
        ("b", "n", "15T07:00:00"),
        ("d", "s", "15T06:31:00"),
    )
    assert find_events(clips) == ["n-2", "n-1", "n-1", "s-1"]  # 30 min to the minute is within
    assert find_events(clips, interval_minutes=31) == ["n-1", "n-1", "n-1", "s-1"]
    assert find_events(clips, interval_minutes=0) == ["n-3", "n-1", "n-2", "s-1"]


def test_without_a_site_the_folder_stands_in_and_without_a_time_there_is_no_event() -> None:
    clips = make_clips(
        ("x/a", "", "15T06:30:00"), ("y/b", "", "15T06:31:00"), ("c", "", "16T01:00:00"), ("d", "", "")
    )
    assert find_events(clips) == ["x-1", "y-1", "event-1", ""]
    assert find_events(clips.iloc[3:]) == [""]
    assert find_events(clips.iloc[:0]) == []


def test_a_negative_interval_is_refused() -> None:
    with pytest.raises(InputError, match="interval: got -1 minutes"):
        find_events(make_clips(("a", "n", "15T06:30:00")), interval_minutes=-1)


def test_events_of_a_species_pass_over_what_lies_between() -> None:
    clips = make_clips(
        ("a", "n", "15T06:00:00"), ("b", "n", "15T06:20:00"), ("c", "n", "15T06:40:00"), ("d", "n", "")
    )
    sightings = pd.DataFrame(
        {"filepath": ["a", "a", "b", "c", "d"], "species": ["hog", "hog", "bird", "hog", "hog"],
         "probability": [0.6, 0.7, 0.9, 0.8, 0.9]}
    )  # fmt: skip
    rows = list_species_events(clips, sightings).to_numpy().tolist()
    assert rows == [
        ["bird", "n", "2023-04-15T06:20:00", "2023-04-15T06:20:00", 1, 0.9],
        ["hog", "n", "2023-04-15T06:00:00", "2023-04-15T06:00:00", 1, 0.7],
        ["hog", "n", "2023-04-15T06:40:00", "2023-04-15T06:40:00", 1, 0.8],
    ]
    joined = list_species_events(clips, sightings, interval_minutes=40)
    assert joined["clips"].tolist() == [1, 2]
    assert list_species_events(clips, sightings.iloc[:0]).empty
