"""One sighting: a row of sightings.csv."""

from dataclasses import dataclass

__all__ = ["Sighting"]


@dataclass(frozen=True, slots=True)
class Sighting:
    """A species seen from `start_seconds` to `end_seconds` of a clip, best at `best_seconds`.

    Seconds count from the video's first frame. `probability` is that of its best frame.
    """

    species: str
    start_seconds: float
    end_seconds: float
    best_seconds: float
    probability: float
