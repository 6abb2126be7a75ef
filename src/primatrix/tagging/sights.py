"""What was seen to move in a video, without a model: close-ups and where they were cut, and what they look like."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from primatrix.tagging.answers import Answer

__all__ = ["PICTURE_PX", "Sight", "draw_picture", "pack_sights", "unpack_sights"]

PICTURE_PX = 160  # sides of the close-up that a contact sheet shows
QUALITY = 75

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Sight(Answer):
    """What is known of one video that no model was asked about.

    `closeups` (F, 6) are the close-ups of what moves: second, left, top, width and height in shares of the upright
    picture, novelty. `features` (D,) say what they look like, the mean of what an encoder makes of them, each weighed
    by its novelty; none where nothing moves. `movement` is how much is new in them, added up over the 15 s in which it
    is most; 0 where nothing moves. `picture` is the most telling one as JPEG, a whole picture where nothing moves. A
    single picture cannot tell what moves: its movement is NaN, its features are those of the whole.
    """

    closeups: NDArray[Any] = field(default_factory=partial(np.zeros, (0, 6)))
    features: NDArray[Any] = field(default_factory=partial(np.zeros, 0))
    movement: float = 0.0
    picture: bytes = b""


def draw_picture(frame: NDArray[np.uint8]) -> bytes:
    """A frame (H, W, 3) as a small JPEG.

    >>> draw_picture(np.zeros((224, 224, 3), np.uint8))[:2]
    b'\\xff\\xd8'
    """
    file = io.BytesIO()
    Image.fromarray(frame).resize((PICTURE_PX, PICTURE_PX)).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def pack_sights(answers: Sequence[Answer], *, width: int) -> dict[str, NDArray[Any]]:
    """Sights as a few arrays to keep on disk, their features of this width; `unpack_sights` gives them back."""
    sights = [one for one in answers if isinstance(one, Sight)]  # all of them are
    nothing = np.zeros(width, np.float16)
    words = [(one.status, one.stage, one.reason, dict(one.facts)) for one in sights]
    return {
        "features": np.array([one.features if len(one.features) else nothing for one in sights], np.float16),
        "count": np.array([len(one.closeups) for one in sights]),
        "closeups": np.concatenate([one.closeups for one in sights]),
        "movement": np.array([one.movement for one in sights]),
        "picture_bytes": np.array([len(one.picture) for one in sights]),
        "pictures": np.frombuffer(b"".join(one.picture for one in sights), np.uint8),
        "words": np.frombuffer(json.dumps(words).encode(), np.uint8),
    }


def unpack_sights(arrays: Mapping[str, NDArray[Any]]) -> list[Sight]:
    """The sights that `pack_sights` packed."""
    rows = zip(
        json.loads(arrays["words"].tobytes()),
        np.split(arrays["closeups"], np.cumsum(arrays["count"])[:-1]),
        arrays["features"].astype(np.float32),
        arrays["movement"].tolist(),
        np.split(arrays["pictures"], np.cumsum(arrays["picture_bytes"])[:-1]),
        strict=True,
    )
    return [
        Sight(
            status, stage, reason, facts,
            closeups=closeups, features=features if features.any() else features[:0], movement=movement,
            picture=picture.tobytes(),
        )
        for (status, stage, reason, facts), closeups, features, movement, picture in rows
    ]  # fmt: skip
