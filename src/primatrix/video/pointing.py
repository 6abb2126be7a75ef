"""Close-ups of what a detector finds, in place of what moves."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from primatrix.errors import ModelError
from primatrix.records import ClipSpec, Crop
from primatrix.video.crops import Movers, pick_crops
from primatrix.video.detector import Detector, Found
from primatrix.video.detector_facts import read_detector, read_facts

__all__ = ["check_detector", "find_detector_again", "point_at", "point_crops"]

FINE = 10_000  # parts of a side in which boxes are measured
MOST_SURE = 4.0  # a box that is certain counts as what is as new as can be


def point_crops(
    pictures: Iterable[NDArray[np.uint8]],
    seconds: Sequence[float] | NDArray[np.float64],
    *,
    detector: str,
    count: int,
    aspect: float,
) -> list[Crop]:
    """Up to `count` crops of what a detector finds in upright pictures (H, W, 3) at these seconds, the surest first.

    `detector` is its facts as text (`DetectorFacts.to_text`); it is opened once in each process. Raises ModelError
    where its file is not there, or another.
    """
    opened = open_detector(detector)
    return point_at([opened.find(picture) for picture in pictures], seconds, count=count, aspect=aspect)


def check_detector(spec: ClipSpec) -> None:
    """ModelError where the spec asks for a detector that is not here, before the work."""
    if spec.detector:
        facts = read_facts(spec.detector)
        path = Path(facts.path)
        if not path.is_file():
            raise ModelError(f"{path}: the detector is not there; say where it is by --detector")
        if hashlib.sha256(path.read_bytes()).hexdigest() != facts.digest:
            raise ModelError(
                f"{path}: is another detector than the one that was used; name that by --detector"
            )


def find_detector_again(spec: ClipSpec, path: str | Path) -> ClipSpec:
    """The same spec with its detector read from this file or folder. ModelError where it is another one."""
    if not spec.detector:
        raise ModelError(
            f"{path}: got a detector, but the model looks at what moves; train one with --detector"
        )
    facts, known = read_detector(path), read_facts(spec.detector)
    if facts.digest != known.digest:
        raise ModelError(
            f"{path}: got detector {facts.digest[:12]}…, wanted {known.digest[:12]}…, as the model was trained with"
        )
    return replace(spec, detector=replace(known, path=facts.path).to_text())


@lru_cache(maxsize=1)
def open_detector(text: str) -> Detector:
    """The detector that these facts are of."""
    return Detector(read_facts(text))


def point_at(
    found: Sequence[Sequence[Found]],
    seconds: Sequence[float] | NDArray[np.float64],
    *,
    count: int,
    aspect: float,
) -> list[Crop]:
    """Crops of what was found in each picture: spread over time and over what stands apart, as those of what moves.

    >>> from primatrix.records import Box
    >>> deer = Found(Box(0.5, 0.25, 0.2, 0.5), "animal", 0.75)
    >>> crop, = point_at([[], [deer]], [0.0, 1.0], count=3, aspect=1.5)
    >>> crop.frame, crop.patch, crop.novelty
    (1, Box(left=0.5, top=0.25, width=0.2, height=0.5), 3.0)
    """
    rows = [(frame, one) for frame, several in enumerate(found) for one in several]
    rows.sort(key=lambda row: -row[1].confidence)
    edges = np.array([(b.top, b.left, b.top + b.height, b.left + b.width) for _, (b, _, _) in rows]).reshape(
        -1, 4
    )
    top, left, bottom, right = np.round(edges * FINE).astype(np.int64).T
    movers = Movers(
        np.array([frame for frame, _ in rows], np.int64), top, left, np.maximum(bottom, top + 1),
        np.maximum(right, left + 1), np.array([one.confidence for _, one in rows]) * MOST_SURE * FINE**2,
    )  # fmt: skip
    return pick_crops(movers, np.asarray(seconds, np.float64), size=(FINE, FINE), count=count, aspect=aspect)
