"""From a model's answers for the videos of a folder to results people use: when, where, in which event, what is seen.

Answers come in chunks that are read from disk one after the other, so what is held in memory is a row per video and
sighting and the answers of one chunk.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from operator import itemgetter
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
    parse_shift,
    parse_times,
    read_deployments,
    read_times_in_names,
)
from primatrix.records import Video, shows_patch
from primatrix.results import COLUMNS, Results, complete_facts, skip_clips
from primatrix.tagging.answers import Answer
from primatrix.tagging.sightings import find_sightings
from primatrix.tagging.spec import TagSpec

__all__ = ["Placed", "find_places", "gather_results", "list_frames"]

Placed = list[tuple[list[int], Answer]]  # answers, each with its places among the videos


def find_places(videos: Sequence[Video], spec: TagSpec) -> pd.DataFrame:
    """Site, deployment and, from a table, recorded_at and time_shift of each video (index: name); empty if not known.

    What the table says goes before what the pattern finds. Raises InputError where either cannot be used.
    """
    names = [video.name for video in videos]
    places = pd.DataFrame("", index=pd.Index(names), columns=[*PLACE_COLUMNS, "recorded_at", "time_shift"])
    if spec.site_from:
        places[list(PLACE_COLUMNS)] = match_sites(names, spec.site_from)
    if spec.deployments:
        root = videos[0].path.parents[names[0].count("/")]
        table = read_deployments(spec.deployments).look_up(names, known=places, root=root)
        if not (table != "").any(axis=None):
            raise InputError(f"--deployments: {spec.deployments} has none of the {len(names)} files, the first "
                             f"{names[0]!r}; wanted their paths below the folder as `filepath`, its folders as "
                             "`folder`, or deployments that --site-from finds in the paths")  # fmt: skip
        places = table.where(table != "", places)
    return places


def gather_results(
    videos: Sequence[Video],
    read_chunks: Callable[[], Iterable[Placed]],
    spec: TagSpec,
    *,
    places: pd.DataFrame,
    facts: Mapping[str, Any],
) -> Results:
    """The results of a folder, without its frames, which `list_frames` gives.

    `read_chunks` gives the answers about all videos, each with its places among them, in any order; it is called twice.
    """
    species = list(facts["species"])
    clips, words, chances = _list_clips(videos, read_chunks(), spec, places, species)
    # Before neighbours weigh in: the promise is about the model's own probabilities.
    skipped = skip_clips(chances, species, points=facts.get("operating_points", {}))
    clips["watch"] = np.where(skipped, "no", "yes")
    if spec.neighbours:
        chances = spec.neighbours.apply(
            chances, sites=group_sites(clips).to_numpy(), times=parse_times(clips["recorded_at"])
        )
    thresholds = [float(facts["thresholds"][name]) for name in species]
    seconds = clips["duration_seconds"].to_numpy(np.float64)
    sightings: list[list[tuple[object, ...]]] = [[] for _ in videos]
    for row, answer in _each(read_chunks()):
        if species and answer.status != "failed":
            found = find_sightings(
                answer.pts_seconds, answer.frames, clip=chances[row].astype(np.float32), species=species,
                thresholds=thresholds, duration_seconds=seconds[row], boxes=answer.boxes,
            )  # fmt: skip
            sightings[row] = [(videos[row].name, *one.to_row()) for one in found]
    predictions = pd.DataFrame(chances, columns=species)
    predictions.insert(0, "filepath", clips["filepath"])
    predictions.insert(1, "status", words["status"])
    failed = words[words["status"] == "failed"]
    return Results(
        predictions,
        pd.DataFrame({"filename": failed["filepath"], "stage": failed["stage"], "reason": failed["reason"]}),
        clips,
        pd.DataFrame(list(chain.from_iterable(sightings)), columns=list(COLUMNS["sightings"])),
        None,
        complete_facts(facts),
    )


def _each(chunks: Iterable[Placed]) -> Iterator[tuple[int, Answer]]:
    """Every place among the videos, with its answer."""
    return ((row, answer) for chunk in chunks for rows, answer in chunk for row in rows)


def _list_clips(
    videos: Sequence[Video],
    chunks: Iterable[Placed],
    spec: TagSpec,
    places: pd.DataFrame,
    species: Sequence[str],
) -> tuple[pd.DataFrame, pd.DataFrame, NDArray[np.float64]]:
    """clips.csv, status with stage and reason of each video, and the probabilities (N, S)."""
    # Without what there is of each frame: of all clips that would be too much to hold.
    found = {row: Answer(a.status, a.stage, a.reason, a.facts, a.clip) for row, a in _each(chunks)}
    named = read_times_in_names([video.name for video in videos])
    rows, words = [], []
    for row, (video, place) in enumerate(zip(videos, places.itertuples(index=False), strict=True)):
        answer = found[row]
        recorded = answer.facts.get("recorded")
        moment = find_recorded_time(
            video, spec.times, recorded=datetime.fromisoformat(recorded) if recorded else None,
            is_still=bool(answer.facts.get("is_still")),
            in_table=datetime.fromisoformat(str(place.recorded_at)) if place.recorded_at else None, named=named,
            shift=parse_shift(str(place.time_shift)) if place.time_shift else None,
        )  # fmt: skip
        rows.append({
            "filepath": video.name, **answer.facts, "recorded_at": moment.text, "time_source": moment.source,
            "time_warning": moment.warning, "time_shift": moment.shift_text, "site": place.site,
            "deployment": place.deployment,
            "note": answer.reason if answer.status == "partial" else "",
        })  # fmt: skip
        words.append((video.name, answer.status, answer.stage, answer.reason))
    clips = pd.DataFrame(rows).reindex(columns=list(COLUMNS["clips"]))
    clips["event"] = find_events(clips, interval_minutes=spec.interval_minutes)
    unknown = np.full(len(species), np.nan)
    chances = np.array(
        [found[row].clip if len(found[row].clip) else unknown for row in range(len(videos))], np.float64
    )
    return clips, pd.DataFrame(words, columns=["filepath", "status", "stage", "reason"]), chances


def list_frames(
    videos: Sequence[Video], chunks: Iterable[Placed], *, species: Sequence[str]
) -> Iterator[pd.DataFrame]:
    """The rows of frames.parquet, a table per chunk of answers, each with its places among the videos.

    >>> from pathlib import Path
    >>> answer = Answer("ok", pts_seconds=np.array([0.0, 0.5]), frames=np.array([[0.25], [0.5]]))
    >>> next(list_frames([Video(Path("a.mp4"), "a.mp4", 10, 0)], [[([0], answer)]], species=["hog"]))
      filepath  pts_seconds   hog
    0    a.mp4          0.0  0.25
    1    a.mp4          0.5  0.50
    """
    for chunk in chunks:
        seen = sorted(
            ((row, answer) for row, answer in _each([chunk]) if len(answer.pts_seconds)), key=itemgetter(0)
        )
        if seen:
            table = pd.DataFrame(np.concatenate([answer.frames for _, answer in seen]), columns=list(species))
            counts = [len(answer.pts_seconds) for _, answer in seen]
            table.insert(
                0, "filepath", np.repeat(np.array([videos[row].name for row, _ in seen], object), counts)
            )
            table.insert(1, "pts_seconds", np.concatenate([answer.pts_seconds for _, answer in seen]))
            if any(len(answer.boxes) for _, answer in seen):
                boxes = [_box_edges(answer) for _, answer in seen]
                table[["left", "top", "width", "height"]] = np.concatenate(boxes)
            yield table


def _box_edges(answer: Answer) -> NDArray[np.float64]:
    """The boxes of an answer's frames (F, 4); nothing where a frame is of no close-up."""
    edges = np.full((len(answer.pts_seconds), 4), np.nan)
    if len(answer.boxes):
        is_close = shows_patch(answer.boxes)
        edges[is_close] = answer.boxes[is_close, :4]
    return edges
