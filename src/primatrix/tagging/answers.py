"""A video's answers, and how they are packed to be kept."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primatrix.video import VideoFacts

__all__ = ["Answer", "name_facts", "pack_answers", "unpack_answers"]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What is known of one video: its facts, and the model's probabilities for the clip (S,) and for `frames` (F, S)
    at `pts_seconds` (F,), and of close-ups their `boxes` (F, 5) as `Clip` has them. A failed one has none of these, but
    a stage and a reason."""

    status: str
    stage: str = ""
    reason: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    clip: NDArray[Any] = field(default_factory=partial(np.zeros, 0))
    pts_seconds: NDArray[Any] = field(default_factory=partial(np.zeros, 0))
    frames: NDArray[Any] = field(default_factory=partial(np.zeros, 0))
    boxes: NDArray[Any] = field(default_factory=partial(np.zeros, (0, 5)))


def name_facts(facts: VideoFacts) -> dict[str, Any]:  # Any: values of several types
    """The facts that clips.csv has, and what is needed to find the time of recording."""
    return {
        "duration_seconds": round(facts.duration_seconds, 3),
        "frame_rate": round(facts.frames_per_second, 3),
        "frame_count": facts.frames,
        "width_px": facts.width_px,
        "height_px": facts.height_px,
        "codec": facts.codec,
        "recorded": facts.recorded.isoformat() if facts.recorded else "",
        "is_still": facts.container == "still",
    }


def pack_answers(answers: Sequence[Answer], *, species_count: int) -> dict[str, NDArray[Any]]:
    """Answers as a few arrays to keep on disk; `unpack_answers` gives them back."""
    nothing = np.full(species_count, np.nan, np.float32)
    words = [(a.status, a.stage, a.reason, dict(a.facts)) for a in answers]
    return {
        "clip": np.array([a.clip if len(a.clip) else nothing for a in answers], np.float32),
        "count": np.array([len(a.pts_seconds) for a in answers]),
        "pts_seconds": np.concatenate([a.pts_seconds for a in answers]),
        "frames": np.concatenate([a.frames.reshape(-1, species_count) for a in answers]).astype(np.float32),
        "boxes": np.concatenate([a.boxes.reshape(-1, 5) for a in answers]).astype(np.float32),
        "box_count": np.array([len(a.boxes) for a in answers]),
        "words": np.frombuffer(json.dumps(words).encode(), np.uint8),
    }


def unpack_answers(arrays: Mapping[str, NDArray[Any]]) -> list[Answer]:
    """The answers that `pack_answers` packed."""
    cuts, box_cuts = (np.cumsum(arrays[name])[:-1] for name in ("count", "box_count"))
    rows = zip(
        json.loads(arrays["words"].tobytes()),
        arrays["clip"],
        np.split(arrays["pts_seconds"], cuts),
        np.split(arrays["frames"], cuts),
        np.split(arrays["boxes"], box_cuts),
        strict=True,
    )
    return [
        Answer(status, stage, reason, facts, clip=clip, pts_seconds=pts_seconds, frames=frames, boxes=boxes)
        for (status, stage, reason, facts), clip, pts_seconds, frames, boxes in rows
    ]
