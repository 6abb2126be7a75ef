"""Features of clips: what an encoder makes of each of a clip's pictures, and beside it what the picture is about."""

import hashlib
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray

from primatrix.models.devices import Processor, choose_processor
from primatrix.models.encoders import Encoder, EncoderFacts, load_encoder
from primatrix.records import Clip, ClipSpec

__all__ = ["ABOUT", "Features"]

ABOUT = 5  # numbers after the features: the box (left, top, width, height) and how much is new in it
LARGEST = 60_000.0  # of float16, nearly
PICTURES_AT_ONCE = 64

Half = NDArray[np.float16]


class Features:
    """Makes features of clips, float16 (T, D + 5): D of the encoder for each picture, then its box and how new it is.

    It is what a `Store` keeps of clips (`keeping`), and what a model that looks through an encoder takes. The encoder
    is loaded when first needed, its weights checked against `facts`.

    >>> spec = ClipSpec(4, 32, 32, "rgb", closeups=2)
    >>> facts = load_encoder("efficientnet-lite0").facts
    >>> features = Features(spec, facts)
    >>> features.shape, features.take([Clip("a", np.zeros(spec.shape, np.uint8), np.arange(4.0))]).shape
    ((4, 1285), (1, 4, 1285))
    """

    dtype: DTypeLike = np.float16
    most_in_shard = 256  # some minutes of work

    def __init__(self, spec: ClipSpec, facts: EncoderFacts, *, processor: Processor | None = None) -> None:
        self.spec, self.facts, self.processor = spec, facts, processor
        self.shape: tuple[int, ...] = (spec.frames, facts.features + ABOUT)
        name = re.sub(r"[^a-z0-9]+", "-", facts.name.lower()).strip("-")[-40:]
        self.key = f"{spec.key}-{name}-{facts.digest[:8]}"
        self._encoder: Encoder | None = None

    def describe(self) -> dict[str, Any]:  # Any: JSON values of several types
        """The encoder, for the store."""
        return {"encoder": {"name": self.facts.name, "digest": self.facts.digest}}

    def take(self, clips: Sequence[Clip]) -> Half:
        """Features of clips, float16 (N, T, D + 5)."""
        whole = np.tile(np.array([0, 0, 1, 1, 0], np.float32), (self.spec.frames, 1))
        return self.encode(
            np.stack([clip.frames for clip in clips]),
            np.stack([whole if clip.boxes is None else clip.boxes for clip in clips]),
        )

    def encode(self, frames: NDArray[np.uint8], boxes: NDArray[np.float32] | None) -> Half:
        """Frames uint8 (N, T, h, w, 3) and their boxes (N, T, 5) -> features float16 (N, T, D + 5).

        A picture that comes several times, as those of a short video do, is looked at once.
        """
        about = np.zeros((*frames.shape[:2], ABOUT), np.float32) if boxes is None else boxes
        pictures = frames.reshape(-1, *frames.shape[2:])
        rows, copies = _find_different(pictures)
        features = self._look(pictures[rows])[copies].reshape(*frames.shape[:2], -1)
        return np.concatenate([features, about], axis=-1).clip(-LARGEST, LARGEST).astype(np.float16)

    def _look(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pictures (N, h, w, 3) -> features (N, D)."""
        if self._encoder is None:
            self.processor = self.processor or choose_processor()
            encoder = load_encoder(self.facts.name, digest=self.facts.digest)
            self._encoder = encoder.to(self.processor.torch_device)
        assert self.processor is not None
        place = self.processor.torch_device
        parts = [np.empty((0, self.facts.features), np.float32)]
        for start in range(0, len(pictures), PICTURES_AT_ONCE):
            some = torch.from_numpy(np.ascontiguousarray(pictures[start : start + PICTURES_AT_ONCE]))
            with torch.inference_mode(), self.processor.autocast():
                parts.append(self._encoder(some.to(place)).float().cpu().numpy())
        return np.concatenate(parts)


def _find_different(pictures: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of pictures (N, h, w, 3): the rows of those that differ, and for each picture which of those it is."""
    digests = [hashlib.blake2b(np.ascontiguousarray(one).data, digest_size=16).digest() for one in pictures]
    number = {digest: i for i, digest in enumerate(dict.fromkeys(digests))}
    first = {digest: row for row, digest in reversed(list(enumerate(digests)))}
    rows = [first[digest] for digest in number]
    return np.array(rows, np.int64), np.array([number[digest] for digest in digests], np.int64)
