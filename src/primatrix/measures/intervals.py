"""The exact interval of a share."""

import numpy as np
from scipy.special import betaincinv

__all__ = ["clopper_pearson"]


def clopper_pearson(hits: int, clips: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """The exact binomial interval of a share (Clopper and Pearson, 1934); (nan, nan) of no clips.

    >>> [round(edge, 3) for edge in clopper_pearson(5, 100)]
    [0.016, 0.113]
    """
    if not clips:
        return (np.nan, np.nan)
    tail = (1 - confidence) / 2
    low = betaincinv(hits, clips - hits + 1, tail) if hits else 0.0
    high = betaincinv(hits + 1, clips - hits, 1 - tail) if hits < clips else 1.0
    return (float(low), float(high))
