from pathlib import Path

import pandas as pd
import pytest

from primatrix.results.columns import complete_facts
from primatrix.results.results import Results
from primatrix.results.summary import say_duration, summarise

SPECIES = ["blank", *(f"s{i}" for i in range(8))]


def make_results(
    lengths: list[float | None],
    *,
    stretches: list[tuple[str, str, float, float]],
    partial: tuple[str, ...] = (),
    **columns: object,
) -> Results:
    """Clips a.mp4, b.mp4, … of these lengths (None: could not be read), and stretches of seconds in them."""
    names = [f"{letter}.mp4" for letter in "abcdefgh"[: len(lengths)]]
    failed = [name for name, length in zip(names, lengths, strict=True) if length is None]
    states = ["failed" if name in failed else "partial" if name in partial else "ok" for name in names]
    chances = pd.DataFrame({name: [None if n is None else 0.5 for n in lengths] for name in SPECIES})
    clips = {"filepath": names, "duration_seconds": lengths, "frame_rate": None, "frame_count": None, "width_px": None,
             "height_px": None, "codec": "", "recorded_at": "", "time_source": "", "time_warning": "", "site": "",
             "deployment": "", "event": "", "note": "", **columns}  # fmt: skip
    sightings = pd.DataFrame(stretches, columns=["filepath", "species", "start_seconds", "end_seconds"])
    return Results(
        pd.concat([pd.DataFrame({"filepath": names, "status": states}), chances], axis=1),
        pd.DataFrame({"filename": failed, "stage": "open", "reason": "empty"}),
        pd.DataFrame(clips),
        sightings.assign(best_seconds=sightings["start_seconds"], probability=0.5),
        None,
        complete_facts({"species": SPECIES}),
    )


def test_clips_are_counted_by_what_became_of_them() -> None:
    results = make_results([60.0, 30.0, 30.0, None, None], stretches=[], partial=("b.mp4",))
    assert summarise(results, Path("out"), seconds=7200).splitlines() == [
        "5 videos, 2 min of footage, done in 2.0 h: 2 read, 1 in part (clips.csv says why), "
        "2 not (failures.csv says why)",
        "seen: no animal reaches its threshold in any video",
        "to watch: nothing, by these thresholds (run.json has them)",
        "recorded: no time known (see --modified-time, --deployments); no site known (see --site-from, --deployments)",
        "written to out: predictions.csv, clips.csv, sightings.csv, failures.csv, run.json",
    ]


def test_a_species_counts_once_a_video_and_only_the_six_most_frequent_are_named() -> None:
    stretches = [("a.mp4", "s0", 0.0, 1.0), ("a.mp4", "s0", 5.0, 6.0), ("b.mp4", "s0", 0.0, 1.0)]
    stretches += [("a.mp4", f"s{i}", 0.0, 1.0) for i in range(1, 8)]
    lines = summarise(make_results([10.0, 10.0], stretches=stretches), Path("out"), seconds=1).splitlines()
    assert lines[1].startswith("seen (videos): s0 2, s")
    assert lines[1].endswith(" 1 and 2 species more")
    six = [name for name in stretches if name[1] != "s7" and name[1] != "s6"]
    lines = summarise(make_results([10.0, 10.0], stretches=six), Path("out"), seconds=1).splitlines()
    assert lines[1] == "seen (videos): s0 2, s1 1, s2 1, s3 1, s4 1, s5 1"


def test_seconds_that_several_species_share_are_watched_once() -> None:
    stretches = [("a.mp4", "s0", 0.0, 10.0), ("a.mp4", "s1", 5.0, 15.0), ("a.mp4", "s2", 6.0, 8.0),
                 ("a.mp4", "s0", 20.0, 25.0), ("b.mp4", "s0", 0.0, 4.0)]  # fmt: skip
    lines = summarise(
        make_results([30.0, 10.0, 60.0], stretches=stretches), Path("out"), seconds=1
    ).splitlines()
    assert lines[2] == "to watch: 40 s in 2 videos with animals, 24 s of it where they are seen"


def test_times_sites_and_events_are_told_as_far_as_they_are_known() -> None:
    results = make_results(
        [1.0, 1.0, 1.0], stretches=[], site=["north", "south", ""], event=["north-1", "", ""],
        recorded_at="2026-03-01T06:30:00", time_source=["container", "name", "container"],
        time_warning=["its clock was not set", "", ""],
    )  # fmt: skip
    lines = summarise(results, Path("out"), seconds=1).splitlines()
    assert lines[3] == (
        "recorded: 3 of 3 at a known time (container 2, name 1), 1 with an odd clock; 2 sites and "
        "1 video of none, 1 event"
    )


def test_files_that_are_not_there_are_not_said_to_be(example: Results, tmp_path: Path) -> None:
    (tmp_path / "frames.parquet").touch()
    text = summarise(example, tmp_path, seconds=1)
    assert text.endswith("sightings.csv, failures.csv, frames.parquet, run.json")
    whole = make_results([1.0], stretches=[])
    assert summarise(whole, Path("out"), seconds=1).endswith(
        "out: predictions.csv, clips.csv, sightings.csv, run.json"
    )


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2.0 h")]
)
def test_a_length_of_time_is_said_in_the_unit_that_suits_it(seconds: float, words: str) -> None:
    assert say_duration(seconds) == words
