"""Probabilities for many clips, as fast as the processor gives them."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from primatrix.devices import Compile, Device, choose_device, compile_network
from primatrix.models import Model

__all__ = ["predict_batches"]

# Clips that pass through the network at once. On 2 CPU cores LRCN gives 736 clips/s at 32, 635 at 64 and 500
# at 512, where the layers' outputs no longer fit the cache; GPUs want more.
CLIPS_AT_ONCE = {"cpu": 32, "cuda": 512, "mps": 128}


def predict_batches(
    model: Model,
    batches: Iterable[NDArray[Any]],  # Any: pixels of any dtype
    *,
    device: Device | None = None,
    compile: Compile = "auto",  # noqa: A002  # torch's word for it
    clips: int = 0,
) -> Iterator[NDArray[np.float32]]:
    """Turn batches of clips (B, T, H, W, C) into probabilities (B, S), one array per batch, in order.

    `clips` is how many will come in all, if known: a long job is worth compiling for. A clip's probabilities
    do not depend on its batch beyond rounding (a test measures it). The model is in eval mode meanwhile and,
    after the last batch, where and as it was.

    >>> from primatrix.models import build_model
    >>> from primatrix.records import ClipSpec
    >>> model = build_model("lrcn", species=["blank", "duiker"], spec=ClipSpec(15, 16, 16))
    >>> clips = np.zeros((5, 15, 16, 16, 1), np.uint8)
    >>> [p.shape for p in predict_batches(model, [clips[:3], clips[3:]])]
    [(3, 2), (2, 2)]
    """
    device = device or choose_device()
    with model.running_on(device.torch_device, training=False):
        call = compile_network(model.network, choice=compile, clips=clips)
        compiled = call is not model.network
        for batch in batches:
            model.check_clips(batch.shape)
            yield predict_one(call, batch, device=device, fill=compiled)


def predict_one(
    call: Any,  # Any: a network or its compiled form
    batch: NDArray[Any],  # Any: pixels of any dtype
    *,
    device: Device,
    fill: bool,
) -> NDArray[np.float32]:
    """Probabilities (B, S) of one batch, in pieces that fit the cache; `fill` makes all pieces one size."""
    size = CLIPS_AT_ONCE[device.kind]
    parts = []
    for start in range(0, len(batch), size):
        piece = np.ascontiguousarray(batch[start : start + size])
        count = len(piece)
        if fill and count < size:  # a compiled network would be compiled anew for another size
            piece = np.concatenate([piece, np.zeros((size - count, *piece.shape[1:]), piece.dtype)])
        with torch.inference_mode(), device.autocast():
            logits = call(torch.from_numpy(piece).to(device.torch_device))
            parts.append(logits[:count].float().sigmoid())
    return torch.cat(parts).cpu().numpy()
