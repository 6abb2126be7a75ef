"""Videos walked in windows and looked at closely without a model: what moves in each is kept, chunk by chunk."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primatrix.models import ABOUT, Features
from primatrix.records import Failure, OnProgress, Progress, Video, shows_patch
from primatrix.tagging.answers import Answer, name_facts
from primatrix.tagging.kept import KeptAnswers
from primatrix.tagging.sights import Sight, draw_picture
from primatrix.video import DEFAULT_WINDOW_SECONDS, Walk, cut_chunks, walk_videos

__all__ = ["Watcher"]

CHUNK_VIDEOS, CHUNK_BYTES = 256, 1 << 30  # what a kill may cost: some minutes of work at most


@dataclass(slots=True, eq=False)
class _Entry:
    """A video that is being watched; of its pictures only one is held, however long it is."""

    facts: dict[str, Any] = field(default_factory=dict)  # Any: values of several types
    notes: list[str] = field(default_factory=list)
    may_pass: bool = False  # what is missing: the disk failed, not the file
    closeups: list[NDArray[np.float64]] = field(default_factory=list)
    features: NDArray[np.float64] | float = 0.0  # their sum, each weighed by its novelty
    novelty: float = 0.0  # their sum
    movement: float = 0.0
    most_novel: float = -1.0
    picture: bytes = b""

    def add(self, walk: Walk, features: Features) -> None:
        """Take some windows."""
        self.facts, self.may_pass = name_facts(walk.facts), self.may_pass or walk.may_pass
        self.notes.append(walk.note)
        if walk.boxes is None or not len(walk.frames):
            return
        novelty = np.where(shows_patch(walk.boxes), walk.boxes[..., 4], np.float32(0))
        if novelty.max() > self.most_novel:
            self.most_novel = float(novelty.max())
            best = np.unravel_index(novelty.argmax(), novelty.shape)
            # Where nothing moves, the last is a whole picture as good as any.
            self.picture = draw_picture(walk.frames[best] if self.most_novel else walk.frames[0, -1])
        close = novelty > 0  # (w, T)
        if close.any():
            frames, seconds, boxes = walk.frames[close], walk.pts_seconds[close], walk.boxes[close]
            self._weigh(_look(features, frames, boxes), boxes[:, 4])
            self.closeups.append(np.column_stack([seconds, boxes]))
            self.movement = max(self.movement, float(novelty.sum(axis=1).max()))  # of a window
        elif walk.facts.frames == 1:
            whole = np.s_[:1, -1]  # before it stand its parts
            looked = _look(features, walk.frames[whole], walk.boxes[whole])
            self._weigh(looked, np.ones(1, np.float32))
            self.movement = math.nan

    def _weigh(self, looked: NDArray[np.float64], novelty: NDArray[np.float32]) -> None:
        """Take features (F, D) into the mean."""
        self.features += novelty.astype(np.float64) @ looked
        self.novelty += float(novelty.sum())

    def to_sight(self) -> Sight:
        """What is kept of it."""
        notes = "; ".join(dict.fromkeys(note for note in self.notes if note))
        status = "partial" if notes else "ok"
        mean = (
            np.asarray(self.features / self.novelty, np.float32) if self.novelty else np.zeros(0, np.float32)
        )
        return Sight(
            status, reason=notes, facts=self.facts, picture=self.picture, features=mean,
            movement=round(self.movement, 6), closeups=np.concatenate([np.zeros((0, 6)), *self.closeups]),
        )  # fmt: skip


def _look(features: Features, frames: NDArray[np.uint8], boxes: NDArray[np.float32]) -> NDArray[np.float64]:
    """What the encoder makes of pictures (F, H, W, 3), (F, D)."""
    looked = features.encode(frames[None], boxes[None])[0, :, :-ABOUT]
    return looked.astype(np.float64)


class Watcher:
    """Walks videos, looks closely at what moves and keeps what it looks like, chunk by chunk.

    `passing` are answers that are not kept, by the video's name: the disk failed, and may not the next time.
    """

    def __init__(self, features: Features, kept: KeptAnswers, on_progress: OnProgress | None) -> None:
        self.features, self.kept, self.on_progress = features, kept, on_progress
        self.passing: dict[str, Answer] = {}

    def watch(self, videos: Sequence[Video], keys: Mapping[str, bytes], *, workers: int | None) -> None:
        """Watch the videos; `keys` say what the file of each name is."""
        chunks = list(cut_chunks(videos, most=CHUNK_VIDEOS, most_bytes=CHUNK_BYTES))
        walks = walk_videos(
            (video for chunk in chunks for video in chunk), self.features.spec,
            window_seconds=DEFAULT_WINDOW_SECONDS, workers=workers,
        )  # fmt: skip
        done = 0
        for chunk in chunks:
            lasting: list[tuple[bytes, Sight]] = []
            for video in chunk:
                sight, may_pass = self._watch_one(walks)
                if may_pass:
                    self.passing[video.name] = sight
                else:
                    lasting.append((keys[video.name], sight))
                done += 1
                self._tell(done, len(videos))
            self.kept.write([key for key, _ in lasting], [sight for _, sight in lasting])

    def _watch_one(self, walks: Iterator[Walk | Failure]) -> tuple[Sight, bool]:
        """What is seen in the next video, and whether that may be another thing the next time."""
        entry = _Entry()
        for walk in walks:
            if isinstance(walk, Failure):
                return Sight("failed", walk.stage, walk.reason), walk.may_pass
            entry.add(walk, self.features)
            if walk.is_last:
                break
        return entry.to_sight(), entry.may_pass

    def _tell(self, done: int, total: int) -> None:
        if self.on_progress:
            self.on_progress(Progress("watch", done, total, unit="videos"))
