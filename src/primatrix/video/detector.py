"""Finds animals, people and vehicles in pictures, with a detector in an ONNX file. For decoding workers: no torch."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from primatrix.errors import ModelError
from primatrix.records import Box
from primatrix.video.categories import CATEGORIES, Category
from primatrix.video.detector_facts import DetectorFacts
from primatrix.video.detector_rows import Rows, read_rows, suppress_doubles
from primatrix.video.letterbox import find_place, fit_picture, undo_place
from primatrix.video.onnx_files import run_session, start_session

__all__ = ["Detector", "Found"]


class Found(NamedTuple):
    """Something that a detector found: where, in shares of the upright picture, what it is, and how surely, 0 to 1."""

    box: Box
    category: Category
    confidence: float


class Detector:
    """Finds what is in pictures, with the detector that these facts are of (`read_detector` gives them).

    The file is opened with the first picture: until then a detector can be sent to another process. `threads` of the
    processor are used for one picture; 0: all.
    """

    def __init__(self, facts: DetectorFacts, *, threads: int = 1) -> None:
        self.facts = facts
        self.threads = threads
        self._session: Any = None  # Any: an optional library, not typed here

    def find(self, picture: NDArray[np.uint8]) -> list[Found]:
        """What is in an upright RGB picture (H, W, 3), most confident first.

        Raises ModelError where the file is no longer the one that the facts are of.
        """
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
            raise ModelError(
                f"got a picture of {picture.dtype} {picture.shape}, wanted uint8 (height, width, 3)"
            )
        if self._session is None:
            self._session = reopen(self.facts, threads=self.threads)
        facts, size_px = self.facts, self.facts.size_px
        place = find_place((picture.shape[0], picture.shape[1]), within_px=size_px, layout=facts.layout)
        shown = fit_picture(picture, place, within_px=size_px, scale=facts.scale)
        outputs = run_session(self._session, shown[np.newaxis], path=facts.path, names=facts.outputs)
        rows = read_rows(outputs, rows=facts.rows, size_px=size_px, kept=sorted(facts.categories))
        return list_found(rows._replace(corners=undo_place(rows.corners, place)), facts=facts)


def list_found(rows: Rows, *, facts: DetectorFacts) -> list[Found]:
    """What rows in shares of the picture say: sure enough, each thing once, cut to the picture."""
    categories = [facts.categories[number] for number in rows.classes.tolist()]
    groups = np.array([CATEGORIES.index(category) for category in categories], np.int64)
    found = []
    for i in suppress_doubles(rows, groups=groups, least=facts.confidence, overlap=facts.overlap):
        left, top, right, bottom = np.clip(rows.corners[i], 0, 1).tolist()
        if right > left and bottom > top:  # else it lies in the bands beside the picture
            box = Box(left, top, right - left, bottom - top)
            found.append(Found(box, categories[i], min(float(rows.confidence[i]), 1.0)))
    return found


def reopen(facts: DetectorFacts, *, threads: int) -> Any:  # Any: an optional library, not typed here
    """A session of the very file that the facts are of, whose bytes were looked through when it was first read."""
    try:
        data = Path(facts.path).read_bytes()
    except OSError as error:
        raise ModelError(f"{facts.path}: cannot be read ({error.strerror})") from None
    if hashlib.sha256(data).hexdigest() != facts.digest:
        raise ModelError(f"{facts.path}: changed since it was first read; start again")
    return start_session(data, path=facts.path, threads=threads)
