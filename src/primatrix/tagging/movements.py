"""When and where something moves: stretches of seconds from the close-ups of a clip.

Something moves where a close-up could be cut (`video/crops.py`). Plants in the wind move too, so movement is a score to
rank clips by and no word about animals.
"""

import numpy as np
from numpy.typing import NDArray

from primatrix.tagging.sights import Sight

__all__ = ["Stretch", "find_stretches"]

REST_SECONDS = 4.0  # between close-ups of two stretches; of what moves all along six lie 2.5 s apart in 15 s

Stretch = tuple[float, float, float, float, float, float, float, float]
"""start_seconds, end_seconds, best_seconds, then left, top, width, height and novelty of the best close-up."""


def find_stretches(sight: Sight) -> list[Stretch]:
    """The stretches of seconds in which something moves, in time.

    One goes from its first close-up to its last and says where the most telling one is. Between two of them are more
    than 4 s without any.

    >>> closeups = np.array([[9, 0, 0, 0.5, 0.5, 0.125], [1, 0, 0, 0.5, 1, 0.25], [3, 0.5, 0, 0.5, 1, 0.5]])
    >>> find_stretches(Sight("ok", closeups=closeups))
    [(1.0, 3.0, 3.0, 0.5, 0.0, 0.5, 1.0, 0.5), (9.0, 9.0, 9.0, 0.0, 0.0, 0.5, 0.5, 0.125)]
    """
    closeups = sight.closeups[np.argsort(sight.closeups[:, 0], kind="stable")]
    if not len(closeups):
        return []
    rests = np.flatnonzero(np.diff(closeups[:, 0]) > REST_SECONDS) + 1
    return [_sum_up(stretch) for stretch in np.split(closeups, rests)]


def _sum_up(closeups: NDArray[np.float64]) -> Stretch:
    """One stretch of close-ups (F, 6)."""
    seconds, best = closeups[:, 0], closeups[closeups[:, 5].argmax()]
    left, top, width, height = (round(share, 4) for share in best[1:5].tolist())
    start, end, at = (round(second, 3) for second in (float(seconds[0]), float(seconds[-1]), float(best[0])))
    return (start, end, at, left, top, width, height, round(float(best[5]), 6))
