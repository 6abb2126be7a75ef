"""When a species is seen: stretches of seconds from the probabilities of single frames.

The clip decides whether, its frames say when: a species has sightings where the clip's own probability, which is the
calibrated one, reaches the species' threshold. Its stretches are then the runs of frames at or above the threshold;
where no frame is, the stretch is that of the best frame, with the clip's probability. `blank` is never sighted.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from primatrix.labels import BLANK
from primatrix.records import Box, shows_patch
from primatrix.results import Sighting

__all__ = ["find_sightings"]

MOST_FRAMES_BETWEEN = 1  # frames below the threshold that do not end a stretch

Floats = NDArray[np.float64]


def find_sightings(
    pts_seconds: Floats,
    frames: NDArray[np.float32],
    *,
    clip: NDArray[np.float32],
    species: Sequence[str],
    thresholds: Sequence[float],
    duration_seconds: float,
    boxes: NDArray[np.float32] | None = None,
) -> list[Sighting]:
    """The sightings of a clip, species by species and in time.

    `frames` (T, S) are the probabilities of frames at `pts_seconds` (T,), in any order and with repeats; `clip` (S,)
    those of the clip; `thresholds` (S,). A stretch goes halfway to the frames before and after it, at the clip's
    ends to 0 and `duration_seconds`; one frame below the threshold does not end it. Its probability is that of its
    best frame. `boxes` (T, 5) are those of close-ups, as `Clip` has them: of a stretch with
    close-ups at or above the threshold the surest of those is the best frame.

    >>> frames = np.array([[0.1], [0.8], [0.9], [0.2]], np.float32)
    >>> find_sightings(np.arange(4.0), frames, clip=np.array([0.9], np.float32), species=["hog"],
    ...                thresholds=[0.5], duration_seconds=4.0)
    [Sighting(species='hog', start_seconds=0.5, end_seconds=2.5, best_seconds=2.0, probability=0.9, box=None)]
    """
    seconds, rows = _merge_repeats(pts_seconds, frames)
    is_close = np.zeros(len(pts_seconds), np.bool_) if boxes is None or not len(boxes) else shows_patch(boxes)
    end = max(float(duration_seconds), float(seconds[-1]))
    middle = (seconds[:-1] + seconds[1:]) / 2
    borders = np.concatenate([[0.0], middle, [end]])  # frame i lies from borders[i] to borders[i + 1]
    found = []
    for column, name in enumerate(species):
        if name == BLANK or not clip[column] >= thresholds[column]:
            continue
        values = rows[:, column]
        runs = list(_find_runs(values >= thresholds[column]))
        if not runs:
            best = int(values.argmax())
            runs, values = [(best, best)], np.full_like(values, clip[column])
        for first, last in runs:
            best = first + int(values[first : last + 1].argmax())
            at, chance, box = float(seconds[best]), float(values[best]), None
            within = np.flatnonzero(
                is_close & (pts_seconds >= seconds[first]) & (pts_seconds <= seconds[last])
            )
            sure = within[frames[within, column] >= thresholds[column]]
            if boxes is not None and len(sure):
                surest = sure[frames[sure, column].argmax()]
                at, chance = float(pts_seconds[surest]), float(frames[surest, column])
                box = Box(*(round(float(edge), 4) for edge in boxes[surest, :4]))
            found.append(Sighting(name, round(float(borders[first]), 3), round(float(borders[last + 1]), 3),
                                  round(at, 3), round(chance, 6), box))  # fmt: skip
    return found


def _merge_repeats(pts_seconds: Floats, frames: NDArray[np.float32]) -> tuple[Floats, NDArray[np.float32]]:
    """Rising times (U,) and the highest probabilities at each (U, S): a short video's frames come several times."""
    seconds, place = np.unique(pts_seconds, return_inverse=True)
    rows = np.zeros((len(seconds), frames.shape[1]), np.float32)
    np.maximum.at(rows, place, frames)
    return seconds, rows


def _find_runs(above: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """First and last frame of each run, those joined that only MOST_FRAMES_BETWEEN frames part."""
    places = np.flatnonzero(above)
    if not len(places):
        return
    for run in np.split(places, np.flatnonzero(np.diff(places) > MOST_FRAMES_BETWEEN + 1) + 1):
        yield int(run[0]), int(run[-1])
