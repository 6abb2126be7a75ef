from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from primatrix.errors import InputError
from primatrix.footage import TimeSpec
from primatrix.records import Video
from primatrix.results import Results
from primatrix.tagging.answers import Answer
from primatrix.tagging.gather import Placed, find_places, gather_results, list_frames
from primatrix.tagging.neighbours import Neighbours
from primatrix.tagging.spec import TagSpec

SPECIES = ["blank", "hog"]
NAMES = ("north/20230415_063000.avi", "north/20230415_063100.avi", "south/a.avi", "b.avi")
KNOWN = {"duration_seconds": 4.0, "frame_rate": 25.0, "frame_count": 100, "width_px": 64, "height_px": 48,
         "codec": "h264", "recorded": "", "is_still": False}  # fmt: skip
SECONDS = np.arange(4) + 0.5


def name_videos(*names: str) -> list[Video]:
    return [Video(Path(name), name, 10, 0) for name in names]


def make_answer(hog: list[float], *, status: str = "ok", reason: str = "", **facts: object) -> Answer:
    """An answer of which the frames show a hog with these probabilities, the clip with the highest."""
    frames = np.stack([1 - np.array(hog), hog], axis=1).astype(np.float32)
    clip = np.array([1 - max(hog), max(hog)], np.float32)
    return Answer(
        status, "", reason, {**KNOWN, **facts}, clip=clip, pts_seconds=SECONDS[: len(hog)], frames=frames
    )


ANSWERS = (
    make_answer([0.1, 0.9, 0.8, 0.1]),
    make_answer([0.1, 0.1, 0.1, 0.3]),
    make_answer(
        [0.6, 0.1, 0.1, 0.1],
        status="partial",
        reason="cut short: 4 of 9 s are there",
        recorded="2023-04-16T06:30:00",
    ),
    Answer("failed", "open", "empty", clip=np.full(2, np.nan, np.float32)),
)


def place(*answers: Answer, first: int = 0) -> Placed:
    """Answers about neighbouring videos."""
    return [([row], answer) for row, answer in enumerate(answers, start=first)]


def gather(
    spec: TagSpec, *, thresholds: dict[str, float] | None = None, **known: object
) -> tuple[Results, int]:
    """The results of the answers above in chunks of two, and how often they were read."""
    videos, read = name_videos(*NAMES), []

    def read_chunks() -> Iterator[Placed]:
        read.append(1)
        yield [([2], ANSWERS[2]), ([3], ANSWERS[3])]  # in whatever order they were kept
        yield [([0], ANSWERS[0]), ([1], ANSWERS[1])]

    facts: dict[str, Any] = {
        "species": SPECIES,
        "thresholds": thresholds or dict.fromkeys(SPECIES, 0.5),
        "model": "lrcn",
        **known,
    }
    results = gather_results(videos, read_chunks, spec, places=find_places(videos, spec), facts=facts)
    return results, len(read)


def test_every_video_has_a_row_with_what_is_known_of_it() -> None:
    results, times_read = gather(TagSpec(site_from="{site}/{file}"))
    assert times_read == 2
    assert results.predictions["status"].tolist() == ["ok", "ok", "partial", "failed"]
    assert results.probabilities["hog"].tolist()[:3] == pytest.approx([0.9, 0.3, 0.6])
    assert results.failures.to_numpy().tolist() == [["b.avi", "open", "empty"]]
    clips = results.clips
    assert clips["note"].tolist() == ["", "", "cut short: 4 of 9 s are there", ""]
    assert clips["recorded_at"].tolist() == [
        "2023-04-15T06:30:00", "2023-04-15T06:31:00", "2023-04-16T06:30:00", ""]  # fmt: skip
    assert clips["time_source"].tolist() == ["name", "name", "container", ""]
    assert clips["site"].tolist() == ["north", "north", "south", ""]
    assert clips["event"].tolist() == ["north-1", "north-1", "south-1", ""]
    assert results.frames is None
    assert results.facts["model"] == "lrcn"


def test_stretches_are_those_at_or_above_the_runs_own_threshold() -> None:
    results, _ = gather(TagSpec())
    assert results.sightings[["filepath", "start_seconds", "end_seconds", "best_seconds"]].to_numpy().tolist() == [
        ["north/20230415_063000.avi", 1.0, 3.0, 1.5], ["south/a.avi", 0.0, 1.0, 0.5]]  # fmt: skip
    low, _ = gather(TagSpec(), thresholds={"blank": 0.5, "hog": 0.25})
    assert low.sightings["filepath"].tolist() == list(NAMES[:3])
    assert low.sightings["probability"].tolist() == pytest.approx([0.9, 0.3, 0.6])


def test_neighbours_change_what_a_clip_shows_before_it_is_held_against_the_threshold() -> None:
    learned = Neighbours(tuple(SPECIES), usual=(0.0, -2.0), others=1.0, lag_minutes=5)
    results, _ = gather(TagSpec(site_from="{site}/{file}", neighbours=learned))
    plain, _ = gather(TagSpec(site_from="{site}/{file}"))
    changed = results.probabilities["hog"] - plain.probabilities["hog"]
    assert changed.iloc[1] > 0.4  # a hog a minute before
    assert changed.iloc[2] == 0  # alone
    assert NAMES[1] in set(results.sightings["filepath"])


def test_what_is_watched_is_decided_by_the_models_own_probabilities_before_neighbours_weigh_in() -> None:
    learned = Neighbours(tuple(SPECIES), usual=(0.0, -2.0), others=1.0, lag_minutes=5)
    points = {"skip blank": {"task": "skip", "score": "blank", "threshold": 0.6, "max_loss": 0.05,
                             "confidence": 0.9, "unit": "clips"}}  # fmt: skip
    results, _ = gather(TagSpec(site_from="{site}/{file}", neighbours=learned), operating_points=points)
    assert results.probabilities["blank"].iloc[1] < 0.6
    assert results.clips["watch"].tolist() == ["yes", "no", "yes", "yes"]
    unproven, _ = gather(TagSpec(), operating_points={})
    assert set(unproven.clips["watch"]) == {"yes"}


def test_clips_within_the_interval_are_one_event() -> None:
    results, _ = gather(TagSpec(site_from="{site}/{file}", interval_minutes=0.5))
    assert results.clips["event"].tolist() == ["north-1", "north-2", "south-1", ""]


def test_a_video_without_an_answer_is_no_silent_loss() -> None:
    videos = name_videos(*NAMES)
    spec = TagSpec()
    with pytest.raises(KeyError):
        gather_results(videos, lambda: [place(*ANSWERS[:3])], spec, places=find_places(videos, spec),
                       facts={"species": SPECIES, "thresholds": dict.fromkeys(SPECIES, 0.5)})  # fmt: skip


def test_a_table_of_places_goes_before_the_pattern_and_fills_in_where_it_is_silent(tmp_path: Path) -> None:
    table = tmp_path / "places.csv"
    table.write_text(
        "filepath,site,recorded_at\nnorth/20230415_063000.avi,ridge,\nb.avi,,2023-04-17T06:30:00\n"
    )
    spec = TagSpec(site_from="{site}/{file}", deployments=table)
    places = find_places(name_videos(*NAMES), spec)
    assert places.index.tolist() == list(NAMES)
    assert places["site"].tolist() == ["ridge", "north", "south", ""]
    assert places["deployment"].tolist() == ["ridge", "north", "south", ""]
    assert places["recorded_at"].tolist() == ["", "", "", "2023-04-17T06:30:00"]
    results, _ = gather(spec)
    assert results.clips["time_source"].tolist() == ["name", "name", "container", "table"]


def test_a_table_corrects_the_clock_of_a_deployment_and_clips_say_so(tmp_path: Path) -> None:
    table = tmp_path / "deployments.csv"
    table.write_text("deployment,time_shift\nnorth,-00:05\n")
    spec = TagSpec(site_from="{site}/{file}", deployments=table, times=TimeSpec(time_shift="+1d"))
    results, _ = gather(spec)
    assert results.clips["recorded_at"].tolist() == [
        "2023-04-15T06:25:00", "2023-04-15T06:26:00", "2023-04-17T06:30:00", ""]  # fmt: skip
    assert results.clips["time_shift"].tolist() == ["-00:05:00", "-00:05:00", "+1d 00:00:00", ""]
    assert results.clips["time_source"].tolist() == ["name", "name", "container", ""]


def test_a_time_in_the_table_goes_before_all_others(tmp_path: Path) -> None:
    table = tmp_path / "times.csv"
    table.write_text(
        f"filepath,recorded_at\n{NAMES[0]},2023-05-01T12:00:00\nsouth/a.avi,2023-05-02T12:00:00Z\n"
    )
    results, _ = gather(TagSpec(deployments=table, times=TimeSpec("+01:00")))
    assert results.clips["recorded_at"].tolist() == [
        "2023-05-01T12:00:00+01:00", "2023-04-15T06:31:00+01:00", "2023-05-02T13:00:00+01:00", ""]  # fmt: skip
    assert results.clips["time_source"].tolist() == ["table", "name", "table", ""]


def test_counters_in_the_names_of_a_card_are_no_times() -> None:
    videos = name_videos("20230415_012359.avi", "20230415_012360.avi")
    spec = TagSpec()
    results = gather_results(videos, lambda: [place(*ANSWERS[:2])], spec, places=find_places(videos, spec),
                             facts={"species": SPECIES, "thresholds": dict.fromkeys(SPECIES, 0.5)})  # fmt: skip
    assert results.clips["recorded_at"].tolist() == ["", ""]


def test_nothing_is_known_of_places_where_nothing_is_told() -> None:
    assert (find_places(name_videos(*NAMES), TagSpec()) == "").all(axis=None)


def test_a_table_of_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "places.csv").write_text("filepath,site\nother.avi,north\n")
    with pytest.raises(
        InputError, match=r"has none of the 4 files, the first 'north/20230415_063000\.avi'; wanted"
    ):
        find_places(name_videos(*NAMES), TagSpec(deployments=tmp_path / "places.csv"))


def test_frames_come_a_table_per_chunk_without_those_of_failed_clips() -> None:
    videos = name_videos(*NAMES)
    first, second = list_frames(videos, [place(*ANSWERS[:2]), place(*ANSWERS[2:], first=2)], species=SPECIES)
    assert first["filepath"].tolist() == [NAMES[0]] * 4 + [NAMES[1]] * 4
    assert second["filepath"].tolist() == [NAMES[2]] * 4
    assert second["pts_seconds"].tolist() == SECONDS.tolist()
    assert second["hog"].tolist() == pytest.approx([0.6, 0.1, 0.1, 0.1])
    assert list(list_frames(videos[3:], [place(ANSWERS[3])], species=SPECIES)) == []
