"""A folder of footage to a folder of results: every video walked in windows, answered by the model, and put in place.

Answers are kept on disk chunk by chunk, in a hidden folder in the results, until all is written: killed at any
moment, the same call goes on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primatrix.choices import DeviceName
from primatrix.disk import Answers, read_json
from primatrix.errors import InputError
from primatrix.models import Model, Processor, choose_processor
from primatrix.records import Failure, OnProgress, Progress, Video
from primatrix.results import Results, summarise
from primatrix.tagging.answers import Answer, name_facts, pack_answers, unpack_answers
from primatrix.tagging.fingerprint import fingerprint_walk
from primatrix.tagging.gather import find_places, gather_results, list_frames
from primatrix.tagging.looks import (
    answer_windows,
    combine_windows,
    find_thresholds,
    find_window_seconds,
)
from primatrix.tagging.spec import TagSpec
from primatrix.video import Walk, cut_chunks, find_videos, walk_videos

__all__ = ["TagRun", "predict_folder"]

CHUNK_VIDEOS, CHUNK_BYTES = 256, 1 << 30  # what a kill may cost: some minutes of work at most
WINDOWS_AT_ONCE, BYTES_AT_ONCE = 256, 64 << 20

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TagRun:
    """What `predict_folder` found, the folder it is written in, and how long it took.

    The rows of frames, where they were asked for, are in the folder only: `Results.read(run.path)` has them.
    """

    results: Results
    path: Path
    seconds: float

    def summary(self) -> str:
        """Five lines for the terminal: what was read, what is seen, what is left to watch, where and when, files."""
        return summarise(self.results, self.path, seconds=self.seconds)


def predict_folder(
    folder: str | Path,
    model: Model,
    out: str | Path,
    *,
    spec: TagSpec | None = None,
    device: DeviceName = "auto",
    workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> TagRun:
    """Tag every video below `folder` and write the results folder `out`: predictions, clips, sightings, failures.

    A clip is walked in windows of about the length the model was trained on; `workers` processes decode (default:
    one per core). Nothing is written into `folder`. Killed at any moment, the same call goes on. Raises InputError
    before any work where the folder, the pattern or the table in `spec` cannot be used, or `out` has another folder's.

    >>> from primatrix.models import build_model
    >>> from primatrix.records import ClipSpec
    >>> predict_folder("nowhere", build_model("lrcn", species=["hog"], spec=ClipSpec()), "results")
    Traceback (most recent call last):
    primatrix.errors.InputError: nowhere: got no such folder, wanted a folder of videos; check the path
    """
    began, spec, out = perf_counter(), spec or TagSpec(), Path(out)
    if out.is_file() or out.suffix.lower() == ".csv":
        raise InputError(f"{out}: wanted a folder for the results of {folder}, in which predictions.csv will be; "
                         f"name it without .csv, as {out.with_suffix('')}")  # fmt: skip
    videos = find_videos(folder, media=spec.media)
    _spare_others(out, folder)
    places = find_places(videos, spec)
    if spec.neighbours:
        spec = replace(spec, neighbours=spec.neighbours.order_for(model.species))
    facts = _name_run(model, spec, folder)
    processor = choose_processor(device)
    answers = Answers(out / ".parts", made_by=fingerprint_walk(model, processor))
    chunks = list(cut_chunks(videos, most=CHUNK_VIDEOS, most_bytes=CHUNK_BYTES))
    _Tagger(model, answers, processor, on_progress).tag(chunks, workers=workers)
    read_chunks = partial(_read_chunks, answers, chunks)
    results = gather_results(videos, read_chunks, spec, places=places, facts=facts)
    for left_over in out.glob(".*.part"):  # of a run killed while it wrote
        left_over.unlink(missing_ok=True)
    frames = list_frames(videos, read_chunks(), species=model.species) if spec.per_frame else None
    results.write(out, frames=frames)
    answers.remove()
    return TagRun(results, out, perf_counter() - began)


# ---- the walk


@dataclass(slots=True, eq=False)
class _Entry:
    """A video whose windows are being answered."""

    video: Video
    failure: Failure | None = None
    facts: dict[str, Any] = field(default_factory=dict)  # Any: values of several types
    notes: list[str] = field(default_factory=list)
    pts_seconds: list[NDArray[np.float64]] = field(default_factory=list)
    windows: list[Floats] = field(default_factory=list)
    frames: list[Floats] = field(default_factory=list)

    def to_answer(self, species: Sequence[str]) -> Answer:
        """What is kept of it. A clip's probabilities are its windows' combined."""
        if self.failure:
            return Answer("failed", self.failure.stage, self.failure.reason)
        notes = "; ".join(dict.fromkeys(note for note in self.notes if note))
        return Answer(
            "partial" if notes else "ok", reason=notes, facts=self.facts,
            clip=combine_windows(np.stack(self.windows), species=species),
            pts_seconds=np.concatenate(self.pts_seconds), frames=np.concatenate(self.frames),
        )  # fmt: skip


class _Tagger:
    """Walks videos, asks the model and keeps the answers, chunk by chunk."""

    def __init__(
        self, model: Model, answers: Answers, processor: Processor, on_progress: OnProgress | None
    ) -> None:
        self.model, self.answers, self.processor = model, answers, processor
        self.on_progress = on_progress
        self._asked: list[_Entry] = []  # whose windows are in the batch last drawn

    def tag(self, chunks: Sequence[list[Video]], *, workers: int | None) -> None:
        """Answer the chunks that have no answers yet."""
        new = [chunk for chunk in chunks if self.answers.read_arrays(_identify(chunk)) is None]
        total = sum(len(chunk) for chunk in chunks)
        self._done, self._total = total - sum(len(chunk) for chunk in new), total
        walks = walk_videos(
            (video for chunk in new for video in chunk), self.model.spec,
            window_seconds=find_window_seconds(self.model), workers=workers,
        )  # fmt: skip
        batches = self._draw_batches(new, walks)
        for windows, frames in answer_windows(self.model, batches, processor=self.processor, clips=total):
            for entry, window, looked in zip(self._asked, windows, frames, strict=True):
                entry.windows.append(window)
                entry.frames.append(looked)
        self._tell(self._total)

    def _draw_batches(
        self, chunks: Sequence[list[Video]], walks: Iterator[Walk | Failure]
    ) -> Iterator[NDArray[np.uint8]]:
        """Batches of windows (B, T, H, W, C). A chunk has its own, so that answers do not depend on where a run
        stopped; it is written when its last batch was answered, which is when the next one is drawn."""
        most = max(1, min(WINDOWS_AT_ONCE, BYTES_AT_ONCE // int(np.prod(self.model.spec.shape))))
        for chunk in chunks:
            entries, waiting = [_Entry(video) for video in chunk], []
            for entry in entries:
                for window in self._read_entry(entry, walks):
                    waiting.append((entry, window))
                    if len(waiting) == most:
                        yield self._stack(waiting)
                        waiting = []
                self._done += 1
                self._tell(self._done)
            if waiting:
                yield self._stack(waiting)
            packed = pack_answers(
                [entry.to_answer(self.model.species) for entry in entries],
                species_count=len(self.model.species),
            )
            self.answers.write_arrays(_identify(chunk), packed)

    def _read_entry(self, entry: _Entry, walks: Iterator[Walk | Failure]) -> Iterator[NDArray[np.uint8]]:
        """The windows (T, H, W, C) of the next video, in order."""
        for walk in walks:
            if isinstance(walk, Failure):
                entry.failure = walk
                return
            entry.facts = name_facts(walk.facts)
            entry.notes.append(walk.note)
            entry.pts_seconds += list(walk.pts_seconds)
            yield from walk.frames
            if walk.is_last:
                return

    def _stack(self, waiting: list[tuple[_Entry, NDArray[np.uint8]]]) -> NDArray[np.uint8]:
        self._asked = [entry for entry, _ in waiting]
        return np.stack([window for _, window in waiting])

    def _tell(self, done: int) -> None:
        if self.on_progress:
            self.on_progress(
                Progress("predict", done, self._total, unit="videos", message=self.processor.short)
            )


def _read_chunks(answers: Answers, chunks: Sequence[list[Video]]) -> Iterator[list[Answer]]:
    """The answers kept, chunk by chunk."""
    for chunk in chunks:
        arrays = answers.read_arrays(_identify(chunk))
        if arrays is None:
            raise InputError(
                f"{answers.folder}: answers kept there were deleted meanwhile; run the same command again"
            )
        yield unpack_answers(arrays)


def _identify(chunk: Sequence[Video]) -> list[str]:
    return [video.stamp.hex() for video in chunk]


def _spare_others(out: Path, folder: str | Path) -> None:
    """Results of the same footage are replaced; InputError where another folder's lie there."""
    try:
        before = str(read_json(out / "run.json")["folder"])
    except (InputError, KeyError):  # nothing finished that could be lost
        return
    if before and Path(before).resolve() != Path(folder).resolve():
        raise InputError(f"{out}: holds the results of {before}, wanted a place for those of {folder}: give another "
                         "--out, or delete it")  # fmt: skip


def _name_run(model: Model, spec: TagSpec, folder: str | Path) -> dict[str, Any]:
    """The facts of run.json."""
    unknown = sorted(set(spec.thresholds or {}) - set(model.species))
    if unknown:
        raise InputError(
            f"thresholds: got {unknown[0]!r}, wanted species of the model: {', '.join(model.species)}"
        )
    thresholds = {**find_thresholds(model), **(spec.thresholds or {})}
    points = model.calibration.to_dict()["operating_points"] if model.calibration else {}
    settings = {**spec.to_dict(), "window_seconds": find_window_seconds(model), "clip": model.spec.to_dict()}
    return {
        "model": model.name, "folder": str(folder), "species": list(model.species), "thresholds": thresholds,
        "operating_points": points, "timezone": spec.times.timezone, "settings": settings,
    }  # fmt: skip
