"""What else a prediction of footage is to find out beside the species."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from primatrix.footage import INTERVAL_MINUTES, TimeSpec, check_interval
from primatrix.records import Media
from primatrix.tagging.neighbours import Neighbours

__all__ = ["TagSpec"]


@dataclass(frozen=True, slots=True)
class TagSpec:
    """What `predict_folder` is to find out beside the species.

    `site_from` is a pattern as `{site}/{visit}/{file}`, `deployments` a table of places and times. Clips within
    `interval_minutes` at a site are one event. `thresholds` (species -> probability) take the place of the model's
    own; `neighbours` weigh clips close in time, where given. `per_frame` keeps the probabilities of single frames.
    """

    media: Media = "videos"
    times: TimeSpec = field(default_factory=TimeSpec)
    site_from: str = ""
    deployments: Path | None = None
    interval_minutes: float = INTERVAL_MINUTES
    thresholds: Mapping[str, float] | None = None
    neighbours: Neighbours | None = None
    per_frame: bool = False

    def __post_init__(self) -> None:
        check_interval(self.interval_minutes)

    def to_dict(self) -> dict[str, Any]:  # Any: JSON values of several types
        """Plain values for run.json."""
        return {
            "media": self.media,
            **asdict(self.times),
            "site_from": self.site_from,
            "deployments": str(self.deployments or ""),
            "interval_minutes": self.interval_minutes,
            "neighbours": asdict(self.neighbours) if self.neighbours else None,
        }
