"""Videos walked in windows, the model asked about batches of them, and the answers kept chunk by chunk."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from primatrix.models import Model, Processor
from primatrix.records import Failure, OnProgress, Progress, Video
from primatrix.tagging.answers import Answer, name_facts
from primatrix.tagging.kept import KeptAnswers
from primatrix.tagging.looks import answer_windows, combine_windows, find_window_seconds
from primatrix.video import Walk, cut_chunks, walk_videos

__all__ = ["Tagger"]

CHUNK_VIDEOS, CHUNK_BYTES = 256, 1 << 30  # what a kill may cost: some minutes of work at most
WINDOWS_AT_ONCE, BYTES_AT_ONCE = 256, 64 << 20

Floats = NDArray[np.float32]


@dataclass(slots=True, eq=False)
class _Entry:
    """A video whose windows are being answered."""

    video: Video
    key: bytes  # what the file is
    failure: Failure | None = None
    may_pass: bool = False  # the failure, or what is missing: the disk failed, not the file
    facts: dict[str, Any] = field(default_factory=dict)  # Any: values of several types
    notes: list[str] = field(default_factory=list)
    pts_seconds: list[NDArray[np.float64]] = field(default_factory=list)
    boxes: list[NDArray[np.float32]] = field(default_factory=list)
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
            boxes=np.concatenate([np.zeros((0, 5), np.float32), *self.boxes]),
        )  # fmt: skip


class _Window(NamedTuple):
    """A window of a video: frames (T, H, W, C), their seconds (T,) and of close-ups their boxes (T, 5)."""

    entry: _Entry
    frames: NDArray[np.uint8]
    pts_seconds: NDArray[np.float64]
    boxes: NDArray[np.float32] | None


class Tagger:
    """Walks videos, asks the model and keeps the answers, chunk by chunk.

    `passing` are answers that are not kept, by the video's name: the disk failed, and may not the next time.
    """

    def __init__(
        self, model: Model, kept: KeptAnswers, processor: Processor, on_progress: OnProgress | None
    ) -> None:
        self.model, self.kept, self.processor = model, kept, processor
        self.on_progress = on_progress
        self._features = model.make_features(processor)
        self.passing: dict[str, Answer] = {}
        self._asked: list[_Entry] = []  # whose windows are in the batch last drawn

    def tag(self, videos: Sequence[Video], keys: Mapping[str, bytes], *, workers: int | None) -> None:
        """Answer the videos; `keys` say what the file of each name is."""
        self._done, self._total = 0, len(videos)
        chunks = list(cut_chunks(videos, most=CHUNK_VIDEOS, most_bytes=CHUNK_BYTES))
        walks = walk_videos(
            (video for chunk in chunks for video in chunk), self.model.spec,
            window_seconds=find_window_seconds(self.model), workers=workers,
        )  # fmt: skip
        batches = self._draw_batches([[_Entry(v, keys[v.name]) for v in chunk] for chunk in chunks], walks)
        for windows, frames in answer_windows(
            self.model, batches, processor=self.processor, clips=len(videos)
        ):
            for entry, window, looked in zip(self._asked, windows, frames, strict=True):
                entry.windows.append(window)
                entry.frames.append(looked)
        self._tell(self._total)

    def _draw_batches(
        self, chunks: Sequence[list[_Entry]], walks: Iterator[Walk | Failure]
    ) -> Iterator[NDArray[Any]]:  # Any: pixels, or features
        """Batches of windows as the model takes them (B, ...).

        A chunk has its own, so that answers do not depend on where a run stopped; it is written when its last batch was
        answered, which is when the next one is drawn.
        """
        most = max(1, min(WINDOWS_AT_ONCE, BYTES_AT_ONCE // int(np.prod(self.model.spec.shape))))
        for entries in chunks:
            waiting: list[_Window] = []
            for entry in entries:
                for window in self._read_entry(entry, walks):
                    waiting.append(window)
                    if len(waiting) == most:
                        yield self._stack(waiting)
                        waiting = []
                self._done += 1
                self._tell(self._done)
            if waiting:
                yield self._stack(waiting)
            self._keep(entries)

    def _keep(self, entries: Sequence[_Entry]) -> None:
        """Keep the answers of a chunk, but those that may be others the next time."""
        answers = [(entry, entry.to_answer(self.model.species)) for entry in entries]
        self.passing |= {entry.video.name: answer for entry, answer in answers if entry.may_pass}
        lasting = [(entry.key, answer) for entry, answer in answers if not entry.may_pass]
        self.kept.write([key for key, _ in lasting], [answer for _, answer in lasting])

    def _read_entry(self, entry: _Entry, walks: Iterator[Walk | Failure]) -> Iterator[_Window]:
        """The windows of the next video, in order."""
        for walk in walks:
            entry.may_pass |= walk.may_pass
            if isinstance(walk, Failure):
                entry.failure = walk
                return
            entry.facts = name_facts(walk.facts)
            entry.notes.append(walk.note)
            entry.pts_seconds += list(walk.pts_seconds)
            boxes = [None] * len(walk.frames) if walk.boxes is None else list(walk.boxes)
            entry.boxes += [one for one in boxes if one is not None]
            for window in zip(walk.frames, walk.pts_seconds, boxes, strict=True):
                yield _Window(entry, *window)
            if walk.is_last:
                return

    def _stack(self, waiting: list[_Window]) -> NDArray[Any]:  # Any: pixels, or features
        self._asked = [window.entry for window in waiting]
        frames = np.stack([window.frames for window in waiting])
        if self._features is None:
            return frames
        boxes = [window.boxes for window in waiting if window.boxes is not None]
        return self._features.encode(frames, np.stack(boxes) if boxes else None)

    def _tell(self, done: int) -> None:
        if self.on_progress:
            self.on_progress(
                Progress("predict", done, self._total, unit="videos", message=self.processor.short)
            )
