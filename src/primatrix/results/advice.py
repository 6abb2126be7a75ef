"""What of a run is seen, what is to be watched and by whose promise: decided and worded once, for all that say it.

A clip may be skipped only where an operating point was proven on labelled clips. Where there is none, nobody knows what
a low probability means, and all is to be watched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primatrix.labels import BLANK
from primatrix.results.points import describe_promise, drop_clips, skip_scores
from primatrix.results.results import Results

__all__ = [
    "Verdict",
    "find_promise",
    "find_seen",
    "find_skipped",
    "find_verdicts",
    "is_calibrated",
    "note_watching",
    "say_count",
    "say_duration",
    "say_watching",
    "skip_clips",
]

Verdict = Literal["seen", "blank", "unknown", "failed"]


def is_calibrated(results: Results) -> bool:
    """Whether the run's probabilities are calibrated ones.

    >>> # `example` is a run of two clips: a duiker in one, the other broken
    >>> is_calibrated(example)
    False
    """
    return bool(results.facts["calibration"] or results.facts["operating_points"])


def find_promise(points: Mapping[str, Any]) -> Mapping[str, Any] | None:  # Any: JSON values of several types
    """That of a run's operating points which skips clips, where it is proven; None where there is no proof.

    >>> find_promise({"skip blank": {"task": "skip", "threshold": None}}) is None
    True
    """
    skipping = (point for point in points.values() if point["task"] == "skip")
    return next((point for point in skipping if point["threshold"] is not None), None)


def skip_clips(
    probabilities: NDArray[Any],  # Any: float32 or float64
    species: Sequence[str],
    *,
    points: Mapping[str, Any],  # Any: JSON values of several types
) -> NDArray[np.bool_]:
    """Which clips (N,) the proven point among `points` skips, by probabilities (N, S); none of NaN, none without one.

    >>> points = {"skip blank": {"task": "skip", "threshold": 0.9}}
    >>> skip_clips(np.array([[0.95, 0.1], [0.5, 0.1]]), ["blank", "hog"], points=points).tolist()
    [True, False]
    """
    promise = find_promise(points)
    if promise is None:
        return np.zeros(len(probabilities), np.bool_)
    scores, _ = skip_scores(probabilities.astype(np.float64), species)
    return drop_clips(np.nan_to_num(scores, nan=-np.inf), task="skip", threshold=promise["threshold"])


def find_skipped(results: Results) -> NDArray[np.bool_]:
    """Which clips (N,) the run's proven point skips: none without one, and none that could not be read.

    What `predict` wrote into clips.csv goes before: it was decided by the probabilities the promise is about, before
    they were weighed by neighbours.

    >>> # `example` is a run of two clips: a duiker in one, the other broken
    >>> find_skipped(example).tolist()
    [False, False]
    """
    decided = results.clips["watch"].to_numpy()
    points = results.facts["operating_points"]
    skipped = skip_clips(results.probabilities.to_numpy(), results.species, points=points)
    return np.where(decided == "", skipped, decided == "no") & (find_promise(points) is not None)


def find_seen(results: Results) -> pd.DataFrame:
    """Which species but `blank` (columns) are seen in which clip (index): at their threshold or above, or sighted.

    >>> # `example` is a run of two clips: a duiker in one, the other broken
    >>> find_seen(example)["duiker"].tolist()
    [True, False]
    """
    animals = [name for name in results.species if name != BLANK]
    table = results.probabilities[animals]
    thresholds = np.array([results.threshold_of(name) for name in animals], np.float32)
    seen = table.to_numpy(np.float32) >= thresholds
    pairs = results.sightings[["filepath", "species"]].drop_duplicates()
    rows = table.index.get_indexer(pd.Index(pairs["filepath"]))
    seen[rows, table.columns.get_indexer(pd.Index(pairs["species"]))] = True
    return pd.DataFrame(seen, table.index, animals)


def find_verdicts(results: Results) -> NDArray[np.object_]:
    """What is known of each clip, (N,): seen, blank, unknown or failed.

    "blank" is a clip in which nothing is seen and that the proven point skips; without one nobody can tell, and it is
    "unknown".

    >>> # `example` is a run of two clips: a duiker in one, the other broken
    >>> find_verdicts(example).tolist()
    ['seen', 'failed']
    """
    verdicts = np.where(find_skipped(results), "blank", "unknown").astype(object)
    verdicts[find_seen(results).any(axis=1).to_numpy()] = "seen"
    verdicts[(results.predictions["status"] == "failed").to_numpy()] = "failed"
    return verdicts


def say_watching(results: Results) -> str:
    """What is to be watched and by what promise, in one line: for the terminal, run.json, the report and exports.

    >>> # `example` is a run of two clips: a duiker in one, the other broken
    >>> say_watching(example)
    'not calibrated: watch all, 15 s in 1 video, 0 of them unknown; 1 could not be read: look at it by hand'
    """
    read = (results.predictions["status"] != "failed").to_numpy()
    watched = read & ~find_skipped(results)
    length = say_duration(results.clips.loc[watched, "duration_seconds"].sum())
    videos = say_count(int(watched.sum()), "video")
    unknown = f"{np.count_nonzero(find_verdicts(results) == 'unknown')} of them unknown"
    promise = find_promise(results.facts["operating_points"])
    if promise is not None:
        kept = describe_promise(promise, what="clips with animals")
        words = f"{length} in {videos} of {read.sum()}, {unknown}; to skip the others {kept}"
    else:
        why = "too few labelled clips to promise anything" if is_calibrated(results) else "not calibrated"
        why = why if results.species else "no model"
        words = f"{why}: watch all, {length} in {videos}, {unknown}"
    failed = int((~read).sum())
    by_hand = f"; {failed} could not be read: look at {'it' if failed == 1 else 'them'} by hand"
    return words + by_hand * bool(failed)


def note_watching(results: Results) -> Results:
    """The results with what is to be watched among their facts, as run.json says it."""
    return replace(results, facts={**results.facts, "to_watch": say_watching(results)})


def say_count(count: int, noun: str) -> str:
    """A number of things.

    >>> say_count(1, "video"), say_count(2, "video")
    ('1 video', '2 videos')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"


def say_duration(seconds: float) -> str:
    """A length of time in words: `42 s`, `12 min`, `3.5 h`.

    >>> say_duration(42), say_duration(720), say_duration(12_600)
    ('42 s', '12 min', '3.5 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
