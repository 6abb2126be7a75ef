"""What everything that moves in a simulated clip is made of: capsules, in scene units.

The scene is 1 high and ASPECT wide at every picture size, so one description serves nano, micro and raw.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primatrix.records import SIZES_PX

__all__ = ["ASPECT", "Floats", "Sprite", "Values"]

Floats = NDArray[np.float32]
Values = NDArray[np.floating[Any]]  # Any: floats of either width, before they are stored
ASPECT = SIZES_PX["raw"][1] / SIZES_PX["raw"][0]
"""Width of the scene in units of its height: that of the benchmark's raw clips."""


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """Capsules (thick lines with round ends) that belong together, over T moments, drawn one over the other.

    `start`, `end` (P, T, 2) are x and y of their ends, `radius` (P, 2, T) the half widths there, in scene
    units, y downwards. `tone` (P, T) is each one's brightness, `textured` (P, T) whether it carries
    `pattern`; `tint` (3,) the colour of all. `light` (T,) multiplies the brightness, `depth_m` (T,) says what
    stands in front, `order_m` the same among sprites for the whole clip, so that frames do not depend on
    those drawn with them. `blur` is how far out of focus it is (scene units), `opacity` 1 for solid.
    """

    start: Floats
    end: Floats
    radius: Floats
    tone: Floats
    textured: NDArray[np.bool_]
    tint: Floats
    light: Floats
    depth_m: Floats
    order_m: float
    pattern: str = "plain"
    pattern_phase: float = 0.0
    opacity: float = 1.0
    blur: float = 0.0
    shading: float = 0.25
