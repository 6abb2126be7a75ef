"""Windows of a video answered by the model: probabilities per window, per frame and for the clip."""

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primatrix.labels import BLANK
from primatrix.models import Model, Processor, compile_network, predict_frames, predict_one
from primatrix.results import DEFAULT_THRESHOLD
from primatrix.video import DEFAULT_WINDOW_SECONDS

__all__ = ["answer_windows", "combine_windows", "find_thresholds", "find_window_seconds", "slide_frames"]

LOOKED_AT_ONCE = 5  # windows; six looks each make a batch of 30
WORTH_A_LOOK = 0.5  # of its threshold: a window where some animal has less is not looked at more closely

Floats = NDArray[np.float32]


def combine_windows(probabilities: NDArray[np.float32], *, species: Sequence[str]) -> NDArray[np.float32]:
    """A clip's probabilities (S,) from its windows' (W, S): the highest; for `blank` the lowest.

    The highest and not 1 - prod(1 - p): windows of one clip share background, light and animal, so their mistakes
    come together, and eight windows that each say 0.1 would make 0.57 of nothing.

    >>> combine_windows(np.array([[0.9, 0.1], [0.2, 0.8]], np.float32), species=["blank", "hog"]).tolist()
    [0.2..., 0.8...]
    """
    combined: NDArray[np.float32] = probabilities.max(axis=0)
    if BLANK in species:
        column = list(species).index(BLANK)
        combined[column] = probabilities[:, column].min()
    return combined


def slide_frames(frames: int) -> NDArray[np.int64]:
    """Short looks within a window of `frames` frames, for models that give no answer per frame: (K, frames) indices.

    Each look covers a third of the window, a sixth after the one before; its frames are repeated to make a whole
    clip, so nothing has to be decoded again.

    >>> slide_frames(6)
    array([[0, 0, 0, 1, 1, 1], [1, 1, 1, 2, 2, 2], [2, 2, 2, 3, 3, 3], [3, 3, 3, 4, 4, 4], [4, 4, 4, 5, 5, 5]])
    """
    length, step = max(1, math.ceil(frames / 3)), max(1, frames // 6)
    starts = [*range(0, frames - length, step), frames - length]
    return np.array([[start + i * length // frames for i in range(frames)] for start in starts])


def answer_windows(
    model: Model, batches: Iterator[NDArray[np.uint8]], *, processor: Processor, clips: int
) -> Iterator[tuple[Floats, Floats]]:
    """Probabilities of windows (B, S) and of their frames (B, T, S), batch by batch, each before the next is drawn.

    A model without answers per frame is asked about short looks within the window, where the window's own answer
    makes that worth while; a frame's probability is the mean of the looks that cover it.
    """
    if model.gives_frames:
        yield from predict_frames(model, batches, device=processor.kind, precision=processor.precision)
    else:
        yield from _slide_over(model, batches, processor=processor, clips=clips)


def _slide_over(
    model: Model, batches: Iterator[NDArray[np.uint8]], *, processor: Processor, clips: int
) -> Iterator[tuple[Floats, Floats]]:
    """The same by short looks."""
    looks = slide_frames(model.spec.frames)
    covers = np.stack([np.isin(np.arange(model.spec.frames), look) for look in looks]).astype(np.float32)
    covers /= covers.sum(axis=0)  # (K, T), each frame's weights sum to 1
    thresholds = np.array([find_thresholds(model)[name] for name in model.species])
    animals = np.array([name != BLANK for name in model.species])
    with model.running_on(processor.torch_device, training=False):
        call = compile_network(model.network, choice="auto", clips=clips)
        ask = partial(_ask, model, call, processor)
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


def _ask(
    model: Model,
    call: Any,  # Any: compiled or not
    processor: Processor,
    batch: NDArray[np.uint8],
) -> Floats:
    own = predict_one(call, batch, processor=processor, fill=call is not model.network)
    return model.calibration.apply(own) if model.calibration else own


def find_thresholds(model: Model) -> dict[str, float]:
    """The probability from which each species counts as seen: the calibration's, else 0.5."""
    return (
        dict(model.calibration.thresholds)
        if model.calibration
        else dict.fromkeys(model.species, DEFAULT_THRESHOLD)
    )


def find_window_seconds(model: Model) -> float:
    """How long the windows are: as the clips the model was trained on."""
    if model.spec.sampler == "per_second":
        return float(model.spec.sampled)
    return model.clip_seconds or DEFAULT_WINDOW_SECONDS
