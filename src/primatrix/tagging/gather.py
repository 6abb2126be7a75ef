"""From a model's answers for the videos of a folder to results people use: when, where, in which event, what is seen.

Answers come in chunks that are read from disk one after the other, so what is held in memory is a row per video and
sighting and the answers of one chunk.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primatrix.errors import InputError
from primatrix.footage.events import INTERVAL_MINUTES, check_interval, find_events, group_sites
from primatrix.footage.places import PLACE_COLUMNS, match_sites, read_deployments
from primatrix.footage.times import TimeSpec, find_recorded_time, parse_times
from primatrix.records import Media, Video
from primatrix.results.results import COLUMNS, Results, complete_facts
from primatrix.tagging.neighbours import Neighbours
from primatrix.tagging.sightings import find_sightings
from primatrix.video.probe import VideoFacts

__all__ = [
    "Answer",
    "TagSpec",
    "find_places",
    "gather_results",
    "list_frames",
    "pack_answers",
    "unpack_answers",
]


@dataclass(frozen=True, slots=True)
class TagSpec:
    """What `predict_folder` is to find out beside the species.

    `site_from` is a pattern as `{site}/{visit}/{file}`, `deployments` a table of places and times. Clips within
    `interval_minutes` at a site are one event. `thresholds` (species -> probability) take the place of the model's
    own; `neighbours` weigh clips close in time, where given. `frames` keeps the probabilities of single frames.
    """

    media: Media = "videos"
    times: TimeSpec = field(default_factory=TimeSpec)
    site_from: str = ""
    deployments: Path | None = None
    interval_minutes: float = INTERVAL_MINUTES
    thresholds: Mapping[str, float] | None = None
    neighbours: Neighbours | None = None
    frames: bool = False

    def __post_init__(self) -> None:
        check_interval(self.interval_minutes)

    def to_dict(self) -> dict[str, Any]:  # Any: JSON values of several types
        """Plain values for run.json."""
        return {
            "media": self.media,
            **asdict(self.times),
            "site_from": self.site_from,
            "deployments": str(self.deployments or ""),
            "interval_minutes": self.interval_minutes,
            "neighbours": asdict(self.neighbours) if self.neighbours else None,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What is known of one video: its facts, and the model's probabilities for the clip (S,) and for `frames` (F, S)
    at `pts_seconds` (F,). A failed one has neither, but a stage and a reason."""

    status: str
    stage: str = ""
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    clip: NDArray[Any] = field(default_factory=partial(np.zeros, 0))
    pts_seconds: NDArray[Any] = field(default_factory=partial(np.zeros, 0))
    frames: NDArray[Any] = field(default_factory=partial(np.zeros, 0))


def name_facts(facts: VideoFacts) -> dict[str, Any]:  # Any: values of several types
    """The facts that clips.csv has, and what is needed to find the time of recording."""
    return {
        "duration_seconds": round(facts.duration_seconds, 3),
        "frame_rate": round(facts.frames_per_second, 3),
        "frame_count": facts.frames,
        "width_px": facts.width_px,
        "height_px": facts.height_px,
        "codec": facts.codec,
        "recorded": facts.recorded.isoformat() if facts.recorded else "",
        "is_still": facts.container == "still",
    }


def pack_answers(answers: Sequence[Answer], *, species_count: int) -> dict[str, NDArray[Any]]:
    """Answers as a few arrays to keep on disk; `unpack_answers` gives them back."""
    nothing = np.full(species_count, np.nan, np.float32)
    words = [(a.status, a.stage, a.reason, dict(a.facts)) for a in answers]
    return {
        "clip": np.array([a.clip if len(a.clip) else nothing for a in answers], np.float32),
        "count": np.array([len(a.pts_seconds) for a in answers]),
        "pts_seconds": np.concatenate([a.pts_seconds for a in answers]),
        "frames": np.concatenate([a.frames.reshape(-1, species_count) for a in answers]).astype(np.float32),
        "words": np.frombuffer(json.dumps(words).encode(), np.uint8),
    }


def unpack_answers(arrays: Mapping[str, NDArray[Any]]) -> list[Answer]:
    """The answers that `pack_answers` packed."""
    cuts = np.cumsum(arrays["count"])[:-1]
    rows = zip(
        json.loads(arrays["words"].tobytes()),
        arrays["clip"],
        np.split(arrays["pts_seconds"], cuts),
        np.split(arrays["frames"], cuts),
        strict=True,
    )
    return [
        Answer(status, stage, reason, facts, clip=clip, pts_seconds=pts_seconds, frames=frames)
        for (status, stage, reason, facts), clip, pts_seconds, frames in rows
    ]


def find_places(videos: Sequence[Video], spec: TagSpec) -> pd.DataFrame:
    """Site, deployment and, from a table, recorded_at of each video (index: name); empty where not known.

    What the table says goes before what the pattern finds. Raises InputError where either cannot be used.
    """
    names = [video.name for video in videos]
    places = pd.DataFrame("", index=pd.Index(names), columns=[*PLACE_COLUMNS, "recorded_at"])
    if spec.site_from:
        places[list(PLACE_COLUMNS)] = match_sites(names, spec.site_from)
    if spec.deployments:
        table = read_deployments(spec.deployments).look_up(names)
        if not (table != "").any(axis=None):
            raise InputError(f"--deployments: {spec.deployments} has none of the {len(names)} files, the first "
                             f"{names[0]!r}; wanted their paths below the folder as `filepath`, or its folders as "
                             "`folder`")  # fmt: skip
        places = table.where(table != "", places)
    return places


def gather_results(
    videos: Sequence[Video],
    read_chunks: Callable[[], Iterable[list[Answer]]],
    spec: TagSpec,
    *,
    places: pd.DataFrame,
    facts: Mapping[str, Any],
) -> Results:
    """The results of a folder, without its frames, which `list_frames` gives.

    `read_chunks` gives the answers of all videos in order, and is called twice.
    """
    species = list(facts["species"])
    clips, words, chances = _list_clips(videos, read_chunks(), spec, places)
    if spec.neighbours:
        chances = spec.neighbours.apply(
            chances, sites=group_sites(clips).to_numpy(), times=parse_times(clips["recorded_at"])
        )
    thresholds = [float(facts["thresholds"][name]) for name in species]
    sightings = []
    for row, answer in enumerate(answer for chunk in read_chunks() for answer in chunk):
        if answer.status == "failed":
            continue
        found = find_sightings(
            answer.pts_seconds, answer.frames, clip=chances[row].astype(np.float32), species=species,
            thresholds=thresholds, duration_seconds=clips["duration_seconds"].iloc[row],
        )  # fmt: skip
        sightings += [(videos[row].name, *asdict(one).values()) for one in found]
    predictions = pd.DataFrame(chances, columns=species)
    predictions.insert(0, "filepath", clips["filepath"])
    predictions.insert(1, "status", words["status"])
    failed = words[words["status"] == "failed"]
    return Results(
        predictions,
        pd.DataFrame({"filename": failed["filepath"], "stage": failed["stage"], "reason": failed["reason"]}),
        clips,
        pd.DataFrame(sightings, columns=list(COLUMNS["sightings"])),
        None,
        complete_facts(facts),
    )


def _list_clips(
    videos: Sequence[Video], chunks: Iterable[list[Answer]], spec: TagSpec, places: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame, NDArray[np.float64]]:
    """clips.csv, status with stage and reason of each video, and the probabilities (N, S)."""
    rows, words, chances = [], [], []
    answers = (answer for chunk in chunks for answer in chunk)
    for video, answer, place in zip(videos, answers, places.itertuples(index=False), strict=True):
        recorded = answer.facts.get("recorded")
        found = find_recorded_time(
            video, spec.times, recorded=datetime.fromisoformat(recorded) if recorded else None,
            is_still=bool(answer.facts.get("is_still")),
            in_table=datetime.fromisoformat(str(place.recorded_at)) if place.recorded_at else None,
        )  # fmt: skip
        rows.append({
            "filepath": video.name, **answer.facts, "recorded_at": found.text, "time_source": found.source,
            "time_warning": found.warning, "site": place.site, "deployment": place.deployment,
            "note": answer.reason if answer.status == "partial" else "",
        })  # fmt: skip
        words.append((video.name, answer.status, answer.stage, answer.reason))
        chances.append(answer.clip)
    clips = pd.DataFrame(rows).reindex(columns=list(COLUMNS["clips"]))
    clips["event"] = find_events(clips, interval_minutes=spec.interval_minutes)
    table = pd.DataFrame(words, columns=["filepath", "status", "stage", "reason"])
    return clips, table, np.array(chances, np.float64)


def list_frames(
    videos: Sequence[Video], chunks: Iterable[list[Answer]], *, species: Sequence[str]
) -> Iterator[pd.DataFrame]:
    """The rows of frames.parquet, a table per chunk of answers; `chunks` hold those of all videos in order.

    >>> answer = Answer("ok", pts_seconds=np.array([0.0, 0.5]), frames=np.array([[0.25], [0.5]]))
    >>> next(list_frames([Video(Path("a.mp4"), "a.mp4", 10, 0)], [[answer]], species=["hog"]))
      filepath  pts_seconds   hog
    0    a.mp4          0.0  0.25
    1    a.mp4          0.5  0.50
    """
    names = iter([video.name for video in videos])
    for chunk in chunks:
        seen = [(name, answer) for answer, name in zip(chunk, names, strict=False) if len(answer.pts_seconds)]
        if seen:
            table = pd.DataFrame(np.concatenate([answer.frames for _, answer in seen]), columns=list(species))
            counts = [len(answer.pts_seconds) for _, answer in seen]
            table.insert(0, "filepath", np.repeat(np.array([name for name, _ in seen], object), counts))
            table.insert(1, "pts_seconds", np.concatenate([answer.pts_seconds for _, answer in seen]))
            yield table


def cut_chunks(videos: Sequence[Video], *, most: int, most_bytes: int) -> Iterator[list[Video]]:
    """Neighbours together, at most so many and, but for single ones, so many bytes of files."""
    chunk: list[Video] = []
    size_bytes = 0
    for video in videos:
        if chunk and (len(chunk) == most or size_bytes + video.size_bytes > most_bytes):
            yield chunk
            chunk, size_bytes = [], 0
        chunk.append(video)
        size_bytes += video.size_bytes
    if chunk:
        yield chunk
