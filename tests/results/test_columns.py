from collections.abc import Callable, Iterator, Set
from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd
import pytest

import primatrix
from primatrix.errors import InputError
from primatrix.results.columns import check_known, check_names, columns_of, complete_facts, type_table
from primatrix.results.results import Results


def change(name: str, column: str, values: object) -> Callable[[Results], Results]:
    """What sets a column of a table."""
    return lambda results: replace(results, **{name: getattr(results, name).assign(**{column: values})})


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda r: replace(r, sightings=r.sightings.iloc[:, :3]), "sightings: no column `end_seconds`"),
        (change("clips", "colour", "grey"), "clips: column `colour` is not known; wanted filepath, duration"),
        (change("clips", "frame_count", 2.5), "clips: column `frame_count` holds float64"),
        (change("clips", "frame_rate", "fast"), "clips: column `frame_rate` holds"),
        (change("clips", "recorded_at", "yesterday"), "clips: recorded_at 'yesterday' of a/IMG_1.MP4; wanted ISO 8601"),
        (change("clips", "recorded_at", "2026-02-30T06:30:00"), "recorded_at '2026-02-30T06:30:00' of a/IMG_1.MP4"),
        (change("clips", "recorded_at", "2026-03-01T06:30:00+99:00"), "recorded_at '2026-03-01T06:30:00+99:00' of"),
        (change("clips", "recorded_at", "2026-03-01"), "recorded_at '2026-03-01' of a/IMG_1.MP4; wanted ISO 8601"),
        (change("clips", "time_source", "guess"), "clips: time_source 'guess'; wanted one of"),
        (change("predictions", "status", "odd"), "predictions: status 'odd'; wanted one of 'ok', 'partial', 'failed'"),
        (change("predictions", "status", "ok"), "failures: a/IMG_2.MP4 is failed in one of"),
        (change("predictions", "duiker", [None, None]), "predictions: nan for a/IMG_1.MP4 (ok), column duiker"),
        (change("predictions", "duiker", [0.5, 0.5]), "predictions: 0.5 for a/IMG_2.MP4 (failed), column duiker"),
        (change("predictions", "duiker", [1.5, None]), "predictions: 1.5 for a/IMG_1.MP4 (ok), column duiker"),
        (change("sightings", "species", "blank"), "sightings: species 'blank'; wanted one of 'duiker'"),
        (change("failures", "filename", "z.mp4"), "failures: z.mp4 is no clip of predictions; wanted only clips"),
        (change("sightings", "probability", 1.5), "from 2.0 to 7.5 s, best 4.0 s, probability 1.5; wanted 0 <="),
        (change("sightings", "end_seconds", 1.0), "sightings: duiker in a/IMG_1.MP4 from 2.0 to 1.0 s"),
        (lambda r: replace(r, facts={**r.facts, "species": ["label"]}), "run.json: species 'label'; wanted each"),
    ],
)  # fmt: skip
def test_wrong_columns_get_one_clear_line(
    break_it: Callable[[Results], Results], message: str, example: Results
) -> None:
    with pytest.raises(InputError) as caught:
        break_it(example)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "time",
    [
        "",
        "2026-03-01T06:30:00",
        "2026-03-01T06:30:00.25Z",
        "2026-03-01T06:30:00-00:44",
        "1970-01-01T00:00:00",
    ],
)
def test_times_with_and_without_a_zone_are_taken_as_they_stand(time: str, example: Results) -> None:
    assert change("clips", "recorded_at", time)(example).clips["recorded_at"].tolist() == [time, time]


BOX = ["left", "top", "width", "height"]


def test_columns_come_in_their_order_and_of_their_types() -> None:
    clips = pd.DataFrame(
        {"pts_seconds": ["0.5", 1], "hog": [1, 0], "filepath": ["a.mp4", None]}, index=[7, 3]
    )
    table = type_table(clips, "frames", ["hog"])
    assert table.columns.tolist() == ["filepath", "pts_seconds", *BOX, "hog"]
    assert table[BOX].isna().all(axis=None)  # a table that knows of no boxes may lack them
    assert table.index.tolist() == [0, 1]
    assert table["filepath"].tolist() == ["a.mp4", ""]
    assert table["pts_seconds"].tolist() == [0.5, 1.0]
    assert table["hog"].dtype == np.float32


def test_a_count_may_be_missing_and_stays_whole(example: Results) -> None:
    assert example.clips["frame_count"].dtype == "Int64"
    assert example.clips["frame_count"].isna().tolist() == [False, True]
    assert example.clips["frame_count"].iloc[0] == 360


def test_a_column_twice_is_refused() -> None:
    table = pd.DataFrame(
        [("a.mp4", "open", "empty", "odd")], columns=["filename", "stage", "reason", "reason"]
    )
    with pytest.raises(InputError) as caught:
        type_table(table, "failures", [])
    assert str(caught.value) == "failures: a column stands there twice; wanted filename, stage, reason"


def test_only_predictions_and_frames_have_a_column_for_each_species() -> None:
    assert columns_of("predictions", ["hog"]) == {"filepath": "text", "status": "text", "hog": "probability"}
    assert list(columns_of("frames", ["hog", "lion"])) == ["filepath", "pts_seconds", *BOX, "hog", "lion"]
    assert "hog" not in columns_of("sightings", ["hog"])


@pytest.mark.parametrize("species", [["filepath"], [""], [" hog"], ["hog", "lion", "hog"], ["hog", 5]])
def test_species_that_could_be_taken_for_something_else_are_refused(species: list[str]) -> None:
    with pytest.raises(
        InputError, match=r"run\.json: species .*; wanted each once, not one of filepath, filename"
    ):
        check_names(species)


def test_facts_are_completed_with_this_version_the_time_now_and_values_of_their_own() -> None:
    facts = complete_facts({"species": ["hog"], "timezone": "UTC"})
    assert (facts["species"], facts["timezone"], facts["model"]) == (["hog"], "UTC", "")
    assert facts["primatrix_version"] == primatrix.__version__
    assert datetime.fromisoformat(facts["created"]).tzinfo is not None
    facts["thresholds"]["hog"] = 0.25
    assert complete_facts({"created": "then"})["thresholds"] == {}
    assert complete_facts({"created": "then"})["created"] == "then"
    with pytest.raises(InputError, match=r"run\.json: got `colour`; wanted model, folder, species"):
        complete_facts({"colour": "grey"})


def test_a_moment_is_a_stretch_and_0_and_1_are_probabilities(example: Results) -> None:
    moment = {"start_seconds": 0.0, "best_seconds": 0.0, "end_seconds": 0.0, "probability": 1.0}
    still = replace(example, sightings=example.sightings.assign(**moment))
    assert still.sightings["end_seconds"].tolist() == [0.0]
    sure = replace(example, predictions=example.predictions.assign(blank=[0.0, None], duiker=[1.0, None]))
    assert sure.probabilities.iloc[0].tolist() == [0.0, 1.0]


class Asked(Set[str]):
    """Clips that may be asked for and never gone through."""

    def __contains__(self, name: object) -> bool:
        return name in ("a", "b")

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("went through all clips there are")

    def __len__(self) -> int:
        return 2


def test_rows_are_held_against_the_clips_without_going_through_all_of_them() -> None:
    frames = pd.DataFrame({"filepath": ["a", "a", "b"]})
    check_known(frames, "frames", Asked())
    with pytest.raises(InputError, match="frames: c is no clip of predictions"):
        check_known(pd.DataFrame({"filepath": ["a", "c"]}), "frames", Asked())


@pytest.mark.parametrize(
    "box",
    [
        (0.1, 0.2, 0.3, np.nan),
        (-0.1, 0.2, 0.3, 0.3),
        (0.8, 0.2, 0.3, 0.3),
        (0.1, 0.2, 0.0, 0.3),
        (np.nan, 0.2, 0.3, 0.3),
    ],
)
def test_a_box_that_is_not_whole_or_not_within_the_picture_is_refused(
    box: tuple[float, ...], example: Results
) -> None:
    sightings = example.sightings.assign(**dict(zip(BOX, box, strict=True)))
    with pytest.raises(InputError, match=r"wanted shares of the picture, or none of them"):
        replace(example, sightings=sightings)


def test_a_box_that_ends_outside_by_rounding_alone_is_taken(example: Results) -> None:
    sightings = example.sightings.assign(left=0.5, top=0.0, width=0.5001, height=1.0)
    assert replace(example, sightings=sightings).sightings["width"].iloc[0] == 0.5001
