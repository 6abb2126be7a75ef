"""A folder of footage to a folder of results: every video walked in windows, answered by the model, and put in place.

Answers are kept on disk chunk by chunk, in a hidden folder in the results, until all is written: killed at any
moment, the same call goes on.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primatrix.disk.parts import Answers
from primatrix.errors import InputError
from primatrix.labels.species import BLANK
from primatrix.models import Model
from primatrix.models.batches import fingerprint, predict_frames, predict_one
from primatrix.models.devices import Device, DeviceName, choose_device, compile_network
from primatrix.records import Failure, OnProgress, Progress, Video
from primatrix.results.results import DEFAULT_THRESHOLD, Results
from primatrix.results.summary import summarise
from primatrix.tagging.gather import (
    Answer,
    TagSpec,
    cut_chunks,
    find_places,
    gather_results,
    list_frames,
    name_facts,
    pack_answers,
    unpack_answers,
)
from primatrix.video.files import find_videos
from primatrix.video.walk import Walk, walk_videos
from primatrix.video.windows import DEFAULT_WINDOW_SECONDS, combine_windows, slide_frames

__all__ = ["TagRun", "predict_folder"]

CHUNK_VIDEOS, CHUNK_BYTES = 256, 1 << 30  # what a kill may cost: some minutes of work at most
WINDOWS_AT_ONCE, BYTES_AT_ONCE = 256, 64 << 20
LOOKED_AT_ONCE = 5  # windows; six looks each make a batch of 30
WORTH_A_LOOK = 0.5  # of its threshold: a window where some animal has less is not looked at more closely

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
    chosen = choose_device(device)
    answers = Answers(out / ".parts", made_by=_digest(model, chosen))
    chunks = list(cut_chunks(videos, most=CHUNK_VIDEOS, most_bytes=CHUNK_BYTES))
    _Tagger(model, answers, chosen, on_progress).tag(chunks, workers=workers)
    read_chunks = partial(_read_chunks, answers, chunks)
    results = gather_results(videos, read_chunks, spec, places=places, facts=facts)
    for left_over in out.glob(".*.part"):  # of a run killed while it wrote
        left_over.unlink(missing_ok=True)
    frames = list_frames(videos, read_chunks(), species=model.species) if spec.frames else None
    results.write(out, frames=frames)
    answers.remove()
    return TagRun(results, out, perf_counter() - began)


def answer_windows(
    model: Model, batches: Iterator[NDArray[np.uint8]], *, device: Device, clips: int
) -> Iterator[tuple[Floats, Floats]]:
    """Probabilities of windows (B, S) and of their frames (B, T, S), batch by batch, each before the next is drawn.

    A model without answers per frame is asked about short looks within the window, where the window's own answer
    makes that worth while; a frame's probability is the mean of the looks that cover it.
    """
    if model.gives_frames:
        yield from predict_frames(model, batches, device=device)
    else:
        yield from _slide_over(model, batches, device=device, clips=clips)


def _slide_over(
    model: Model, batches: Iterator[NDArray[np.uint8]], *, device: Device, clips: int
) -> Iterator[tuple[Floats, Floats]]:
    """The same by short looks."""
    looks = slide_frames(model.spec.frames)
    covers = np.stack([np.isin(np.arange(model.spec.frames), look) for look in looks]).astype(np.float32)
    covers /= covers.sum(axis=0)  # (K, T), each frame's weights sum to 1
    thresholds = np.array([find_thresholds(model)[name] for name in model.species])
    animals = np.array([name != BLANK for name in model.species])
    with model.running_on(device.torch_device, training=False):
        call = compile_network(model.network, choice="auto", clips=clips)
        ask = partial(_ask, model, call, device)
        for batch in batches:
            windows = ask(batch)
            frames = np.repeat(windows[:, None], model.spec.frames, axis=1)
            near = (windows / thresholds)[:, animals].max(axis=1, initial=0) >= WORTH_A_LOOK
            for start in range(0, np.count_nonzero(near), LOOKED_AT_ONCE):
                rows = np.flatnonzero(near)[start : start + LOOKED_AT_ONCE]
                closer = batch[rows][:, looks]  # (R, K, T, H, W, C)
                seen = ask(closer.reshape(-1, *batch.shape[1:]))
                frames[rows] = covers.T @ seen.reshape(*closer.shape[:2], -1)  # (R, K, S) -> (R, T, S)
            yield windows, frames


def _ask(model: Model, call: Any, device: Device, batch: NDArray[np.uint8]) -> Floats:  # Any: compiled or not
    own = predict_one(call, batch, device=device, fill=call is not model.network)
    return model.calibration.apply(own) if model.calibration else own


def find_thresholds(model: Model) -> dict[str, float]:
    """The probability from which each species counts as seen: the calibration's, else 0.5."""
    return (
        dict(model.calibration.thresholds)
        if model.calibration
        else dict.fromkeys(model.species, DEFAULT_THRESHOLD)
    )


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
        self, model: Model, answers: Answers, device: Device, on_progress: OnProgress | None
    ) -> None:
        self.model, self.answers, self.device = model, answers, device
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
        for windows, frames in answer_windows(self.model, batches, device=self.device, clips=total):
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
            self.on_progress(Progress("predict", done, self._total, unit="videos", message=self.device.short))


def find_window_seconds(model: Model) -> float:
    """How long the windows are: as the clips the model was trained on."""
    if model.spec.sampler == "per_second":
        return float(model.spec.frames)
    return model.clip_seconds or DEFAULT_WINDOW_SECONDS


def _read_chunks(answers: Answers, chunks: Sequence[list[Video]]) -> Iterator[list[Answer]]:
    """The answers kept, chunk by chunk."""
    for chunk in chunks:
        arrays = answers.read_arrays(_identify(chunk))
        if arrays is None:
            raise InputError(
                f"{answers.folder}: answers kept there were deleted meanwhile; run the same command again"
            )
        yield unpack_answers(arrays)


def _identify(chunk: Sequence[Video]) -> list[tuple[str, int, int]]:
    return [video.identity for video in chunk]


def _spare_others(out: Path, folder: str | Path) -> None:
    """Results of the same footage are replaced; InputError where another folder's lie there."""
    try:
        before = str(json.loads((out / "run.json").read_text(encoding="utf-8"))["folder"])
    except (OSError, ValueError, KeyError, TypeError):  # nothing finished that could be lost
        return
    if before and Path(before).resolve() != Path(folder).resolve():
        raise InputError(f"{out}: holds the results of {before}, wanted a place for those of {folder}: give another "
                         "--out, or delete it")  # fmt: skip


def _digest(model: Model, device: Device) -> str:
    made_by = [fingerprint(model, device), find_window_seconds(model), find_thresholds(model)]
    return hashlib.sha256(json.dumps(made_by).encode()).hexdigest()


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
