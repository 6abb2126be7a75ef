"""Probabilities for many clips, as fast as the processor gives them."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from primatrix.choices import Device
from primatrix.models.devices import (
    Compile,
    Precision,
    Processor,
    choose_processor,
    compile_network,
)
from primatrix.models.model import Model
from primatrix.records import ClipSpec

__all__ = ["predict_batches", "predict_frames"]

CLIPS_READ_AT_ONCE = 1024
BYTES_READ_AT_ONCE = 256 << 20

# Clips that pass through the network at once. On 2 CPU cores LRCN gives 736 clips/s at 32, 635 at 64 and 500
# at 512, where the layers' outputs no longer fit the cache; GPUs want more, but 512 micro clips take 3 to 7 GiB
# of theirs (bench/learn/gpu.md), which small ones do not have.
CLIPS_AT_ONCE = {"cpu": 32, "cuda": 512, "mps": 128}
GPU_BYTES_AT_ONCE = 48 << 20


def predict_batches(
    model: Model,
    batches: Iterable[NDArray[Any]],  # Any: pixels of any dtype
    *,
    device: Device = "auto",
    precision: Precision = "auto",
    compile: Compile = "auto",  # noqa: A002  # torch's word for it
    clips: int = 0,
) -> Iterator[NDArray[np.float32]]:
    """Turn batches of clips (B, T, H, W, C) into probabilities (B, S), one array per batch, in order.

    They are calibrated where the model has a calibration; set `model.calibration = None` for the model's own.
    `clips` is how many will come in all, if known: a long job is worth compiling for. A clip's probabilities
    do not depend on its batch beyond rounding (a test measures it). The model is in eval mode meanwhile and,
    after the last batch, where and as it was.

    >>> from primatrix.models.registry import build_model
    >>> from primatrix.records import ClipSpec
    >>> model = build_model("lrcn", species=["blank", "duiker"], spec=ClipSpec(15, 16, 16))
    >>> clips = np.zeros((5, 15, 16, 16, 1), np.uint8)
    >>> [p.shape for p in predict_batches(model, [clips[:3], clips[3:]])]
    [(3, 2), (2, 2)]
    """
    processor = choose_processor(device, precision=precision)
    with model.running_on(processor.torch_device, training=False):
        call = compile_network(model.network, choice=compile, clips=clips)
        compiled = call is not model.network
        for batch in batches:
            model.check_clips(batch.shape)
            own = predict_one(call, batch, processor=processor, fill=compiled)
            yield model.calibration.apply(own) if model.calibration else own


def predict_one(
    call: Any,  # Any: a network or its compiled form
    batch: NDArray[Any],  # Any: pixels of any dtype
    *,
    processor: Processor,
    fill: bool,
) -> NDArray[np.float32]:
    """Probabilities (B, S) of one batch, in pieces that fit the processor; `fill` makes all pieces one size."""
    size = count_at_once(processor, batch.shape[1:])
    parts = []
    for start in range(0, len(batch), size):
        piece = np.ascontiguousarray(batch[start : start + size])
        count = len(piece)
        if fill and count < size:  # a compiled network would be compiled anew for another size
            piece = np.concatenate([piece, np.zeros((size - count, *piece.shape[1:]), piece.dtype)])
        with torch.inference_mode(), processor.autocast():
            logits = call(torch.from_numpy(piece).to(processor.torch_device))
            parts.append(logits[:count].float().sigmoid())
    return torch.cat(parts).cpu().numpy()


def count_at_once(processor: Processor, shape: Sequence[int]) -> int:
    """How many clips of one shape pass through a network at once: what suits the processor, and fits a small GPU.

    >>> nano, micro = (15, 16, 16, 1), (30, 64, 64, 3)
    >>> [count_at_once(Processor(kind, "fp32"), shape) for kind in ("cpu", "cuda") for shape in (nano, micro)]
    [32, 32, 512, 136]
    """
    most = CLIPS_AT_ONCE[processor.kind]
    return most if processor.kind == "cpu" else max(1, min(most, GPU_BYTES_AT_ONCE // math.prod(shape)))


def predict_frames(
    model: Model,
    batches: Iterable[NDArray[Any]],  # Any: pixels of any dtype
    *,
    device: Device = "auto",
    precision: Precision = "auto",
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Turn batches of clips (B, T, H, W, C) into probabilities per clip (B, S) and per frame (B, T, S), in order.

    The clips' probabilities are those of `predict_batches`; a calibration maps frames as it maps clips, so that the
    same thresholds fit, though it was fitted to clips alone. Raises ModelError for a model that does not give
    frames (`model.gives_frames`).

    >>> from primatrix.models.registry import build_model
    >>> from primatrix.records import ClipSpec
    >>> model = build_model("motion", species=["blank", "duiker"], spec=ClipSpec(5, 32, 32))
    >>> clips = np.zeros((3, 5, 32, 32, 1), np.uint8)
    >>> [(p.shape, q.shape) for p, q in predict_frames(model, [clips])]
    [((3, 2), (3, 5, 2))]
    """
    processor = choose_processor(device, precision=precision)
    size = count_at_once(processor, model.network.input_shape)
    with model.running_on(processor.torch_device, training=False):
        for batch in batches:
            parts = []
            for start in range(0, len(batch), size):
                piece = torch.from_numpy(np.ascontiguousarray(batch[start : start + size]))
                with torch.inference_mode(), processor.autocast():
                    parts.append(model.forward_frames(piece.to(processor.torch_device)))
            clips, frames = (
                torch.cat(part).float().sigmoid().cpu().numpy() for part in zip(*parts, strict=True)
            )
            if model.calibration:
                clips, frames = model.calibration.apply(clips), model.calibration.apply(frames)
            yield clips, frames


def count_clips_at_once(spec: ClipSpec) -> int:
    """How many clips are read into memory together: few where clips are large.

    >>> count_clips_at_once(ClipSpec(15, 16, 16)), count_clips_at_once(ClipSpec(30, 404, 720, "rgb"))
    (1024, 10)
    """
    return max(1, min(CLIPS_READ_AT_ONCE, BYTES_READ_AT_ONCE // math.prod(spec.shape)))
