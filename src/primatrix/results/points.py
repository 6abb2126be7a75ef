"""Operating points as a run has them: which clips one drops, by which score, and its promise in words."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from primatrix.labels import BLANK

__all__ = ["Task", "describe_promise", "drop_clips", "say_share", "skip_scores"]

ROUNDING = 1e-6  # tables hold 7 digits: a clip at the threshold itself must not be dropped for its last one

Task = Literal["skip", "find"]


def drop_clips(
    scores: NDArray[Any],  # Any: float32 or float64
    *,
    task: Task,
    threshold: float | None,
) -> NDArray[np.bool_]:
    """Which clips (N,) an operating point drops: "skip" those above the threshold, "find" those below it.

    Scores within a millionth of the threshold count as equal to it, and none is dropped without a threshold.

    >>> drop_clips(np.array([0.2, 0.5, 0.5000001, 0.6]), task="skip", threshold=0.5).tolist()
    [False, False, False, True]
    """
    if threshold is None:
        return np.zeros(len(scores), bool)
    dropped: NDArray[np.bool_] = (
        scores > threshold * (1 + ROUNDING) if task == "skip" else scores < threshold * (1 - ROUNDING)
    )
    return dropped


def skip_scores(
    probabilities: NDArray[Any],  # Any: float32 or float64
    species: Sequence[str],
) -> tuple[NDArray[Any], str]:
    """What says that a clip may be skipped, (N,), higher is emptier, and its name.

    The model's own p(blank) where it has that species: one probability that was trained on this very question,
    where the largest of many animals' probabilities adds up their noise. Without it, 1 - the largest.

    >>> skip_scores(np.array([[0.9, 0.2]]), ["blank", "hog"])[1]
    'blank'
    """
    if BLANK in species:
        return probabilities[:, list(species).index(BLANK)], BLANK
    return 1 - probabilities.max(axis=1), "1 - max animal"


def say_share(share: float) -> str:
    """A promised share in percent, with all its digits: a promise must not be rounded into another.

    >>> say_share(0.05), say_share(0.9999999), say_share(1 - 0.9)
    ('5%', '99.99999%', '10%')
    """
    return f"{100 * share:.10g}%"


def describe_promise(
    point: Mapping[str, Any], *, what: str = "them"
) -> str:  # Any: JSON values of several types
    """What an operating point promises of `what` it must keep, in words.

    >>> describe_promise({"threshold": 0.9, "max_loss": 0.05, "confidence": 0.9, "unit": "clips"})
    'loses at most 5 % of them, with 90 % confidence over clips'
    """
    if point["threshold"] is None:
        return "too few labelled clips to promise anything, so nothing is skipped"
    sure = f"with {say_share(point['confidence'])} confidence" if point["confidence"] else "in the mean"
    text = f"loses at most {say_share(point['max_loss'])} of {what}, {sure} over {point['unit'].split()[0]}"
    return text.replace("%", " %")
