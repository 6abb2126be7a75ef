"""One sighting: a row of sightings.csv."""

import math
from dataclasses import dataclass

from primatrix.records import Box

__all__ = ["NO_BOX", "Sighting"]

NO_BOX = (math.nan,) * 4


@dataclass(frozen=True, slots=True)
class Sighting:
    """A species seen from `start_seconds` to `end_seconds` of a clip, best at `best_seconds`.

    Seconds count from the video's first frame. `probability` is that of its best frame. `box` is where it is in that
    frame, or in the surest of the stretch that has one; None where nobody knows.
    """

    species: str
    start_seconds: float
    end_seconds: float
    best_seconds: float
    probability: float
    box: Box | None = None

    def to_row(self) -> tuple[object, ...]:
        """What sightings.csv has of it, after the clip's name."""
        seconds = (self.start_seconds, self.end_seconds, self.best_seconds)
        return (self.species, *seconds, self.probability, *(self.box or NO_BOX))
