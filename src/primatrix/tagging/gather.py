"""From a model's answers for the videos of a folder to results people use: when, where, in which event, what is seen.

Answers come in chunks that are read from disk one after the other, so what is held in memory is a row per video and
sighting and the answers of one chunk.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primatrix.errors import InputError
from primatrix.footage import (
    PLACE_COLUMNS,
    find_events,
    find_recorded_time,
    group_sites,
    match_sites,
    parse_times,
    read_deployments,
)
from primatrix.records import Video
from primatrix.results import COLUMNS, Results, complete_facts
from primatrix.tagging.answers import Answer
from primatrix.tagging.sightings import find_sightings
from primatrix.tagging.spec import TagSpec

__all__ = ["find_places", "gather_results", "list_frames"]


def find_places(videos: Sequence[Video], spec: TagSpec) -> pd.DataFrame:
    """Site, deployment and, from a table, recorded_at of each video (index: name); empty where not known.

    What the table says goes before what the pattern finds. Raises InputError where either cannot be used.
    """
    names = [video.name for video in videos]
    places = pd.DataFrame("", index=pd.Index(names), columns=[*PLACE_COLUMNS, "recorded_at"])
    if spec.site_from:
        places[list(PLACE_COLUMNS)] = match_sites(names, spec.site_from)
    if spec.deployments:
        table = read_deployments(spec.deployments).look_up(names, known=places)
        if not (table != "").any(axis=None):
            raise InputError(f"--deployments: {spec.deployments} has none of the {len(names)} files, the first "
                             f"{names[0]!r}; wanted their paths below the folder as `filepath`, its folders as "
                             "`folder`, or deployments that --site-from finds in the paths")  # fmt: skip
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

    >>> from pathlib import Path
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
