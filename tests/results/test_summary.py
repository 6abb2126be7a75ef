from dataclasses import replace
from pathlib import Path

import pandas as pd

from primatrix.results.columns import complete_facts
from primatrix.results.results import Results
from primatrix.results.summary import summarise, summarise_movement

SKIP = {
    "task": "skip",
    "score": "blank",
    "threshold": 0.9,
    "max_loss": 0.05,
    "confidence": 0.9,
    "unit": "sites",
}
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
    chances = pd.DataFrame({name: [None if n is None else 0.4 for n in lengths] for name in SPECIES})
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
        "seen in videos (expected in, not calibrated): no animal reaches its threshold in any video: s0 0 (1.2), "
        "s1 0 (1.2), s2 0 (1.2), s3 0 (1.2), s4 0 (1.2), s5 0 (1.2) and 2 species more",
        "to watch: not calibrated: watch all, 2 min in 3 videos, 3 of them unknown; 2 could not be read: look at them "
        "by hand",
        "recorded: no time known (see --modified-time, --deployments); no site known (see --site-from, --deployments)",
        "written to out: predictions.csv, clips.csv, sightings.csv, failures.csv, run.json",
    ]


def test_a_species_counts_once_a_video_and_only_the_six_most_frequent_are_named() -> None:
    stretches = [("a.mp4", "s0", 0.0, 1.0), ("a.mp4", "s0", 5.0, 6.0), ("b.mp4", "s0", 0.0, 1.0)]
    stretches += [("a.mp4", f"s{i}", 0.0, 1.0) for i in range(1, 8)]
    lines = summarise(make_results([10.0, 10.0], stretches=stretches), Path("out"), seconds=1).splitlines()
    assert lines[1].startswith("seen in videos (expected in, not calibrated): s0 2 (0.8), s1 1 (0.8), ")
    assert lines[1].endswith(" 1 (0.8) and 2 species more; for 3 s in all")


def test_a_species_expected_in_less_than_half_a_video_and_seen_in_none_is_not_named() -> None:
    results = make_results([10.0], stretches=[("a.mp4", "s3", 0.0, 1.0)])
    lines = summarise(results, Path("out"), seconds=1).splitlines()
    assert lines[1] == "seen in videos (expected in, not calibrated): s3 1 (0.4); for 1 s in all"
    lines = summarise(make_results([10.0], stretches=[]), Path("out"), seconds=1).splitlines()
    assert lines[1].endswith("not calibrated): no animal reaches its threshold in any video (3.2 in all)")


def test_seconds_that_several_species_share_are_watched_once() -> None:
    stretches = [("a.mp4", "s0", 0.0, 10.0), ("a.mp4", "s1", 5.0, 15.0), ("a.mp4", "s2", 6.0, 8.0),
                 ("a.mp4", "s0", 20.0, 25.0), ("b.mp4", "s0", 0.0, 4.0)]  # fmt: skip
    lines = summarise(
        make_results([30.0, 10.0, 60.0], stretches=stretches), Path("out"), seconds=1
    ).splitlines()
    assert lines[1].endswith("; for 24 s in all")


def test_what_is_to_be_watched_is_what_the_proven_point_leaves_and_its_promise_is_named() -> None:
    results = make_results([3600.0, 3600.0, 60.0], stretches=[], watch=["yes", "yes", "no"])
    results = replace(results, facts={**results.facts, "operating_points": {"skip blank": SKIP}})
    lines = summarise(results, Path("out"), seconds=1).splitlines()
    assert lines[1].startswith("seen in videos (expected in): ")
    assert lines[2] == (
        "to watch: 2.0 h in 2 videos of 3, 2 of them unknown; to skip the others loses at most 5 % of clips with "
        "animals, with 90 % confidence over sites"
    )


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


def watched(example: Results, movement: list[float | None], group: list[str]) -> str:
    clips = example.clips.assign(movement=movement, first_seconds=None, last_seconds=None, group=group)
    found = replace(example, clips=clips.assign(representative=""))
    return summarise_movement(found, Path("out"), seconds=1.0).splitlines()[1]


def test_what_moves_is_told_with_what_that_does_not_tell(example: Results) -> None:
    assert watched(example, [0.5, None], ["1", ""]).startswith(
        "something moves in 1 of 1 video, plants in the wind among it"
    )
    assert watched(example, [0.0, None], ["nothing moves", ""]) == (
        "something moves in 0 of 1 video; animals that stand still or fill the picture are not found so"
    )
    assert watched(example, [None, None], ["1", ""]) == (
        "something moves in 0 of 0 videos; 1 single picture cannot tell"
    )
