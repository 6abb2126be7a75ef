"""Results with odd names, of which the report's parts are made."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primatrix.results import Results, complete_facts

ODD_NAMES = (
    "a/<script>alert(1)</script>.mp4",
    "a/\"quoted\" & 'odd'.mp4",
    "b/été 日本 ☃.mp4",
    "b/x](y){{z}}%s.mp4",
)
SPECIES = ["blank", "duiker", "hog<b>"]


def write_results(folder: Path, *, names: tuple[str, ...] = ODD_NAMES) -> Results:
    """Readable clips of these names and a failed one; the first shows a duiker, the second both species."""
    count = len(names)
    probabilities = np.full((count + 1, 3), 0.02)
    probabilities[:, 0] = 0.95
    probabilities[0], probabilities[1] = (0.05, 0.93, 0.01), (0.02, 0.6, 0.97)
    probabilities[count] = np.nan
    clips = [*names, "b/broken.mp4"]
    table = pd.DataFrame(probabilities, columns=SPECIES)
    table.insert(0, "status", ["ok"] * (count - 1) + ["partial", "failed"])
    table.insert(0, "filepath", clips)
    sightings = pd.DataFrame(
        [(clips[0], "duiker", 0.2, 1.0, 0.5, 0.93), (clips[1], "hog<b>", 0.0, 1.0, 0.8, 0.97)],
        columns=["filepath", "species", "start_seconds", "end_seconds", "best_seconds", "probability"],
    )
    facts = pd.DataFrame({
        "filepath": clips, "duration_seconds": [*[3600.0] * count, np.nan], "frame_rate": 25.0, "frame_count": 30,
        "width_px": 64, "height_px": 48, "codec": "h264",
        "recorded_at": [*[f"2026-03-01T{(6 + i) % 24:02}:30:00+01:00" for i in range(count)], ""],
        "time_source": [*["container"] * count, ""], "time_warning": ["in the future", *[""] * count],
        "site": [name.split("/")[0] for name in clips], "deployment": "", "event": "",
        "note": [*[""] * (count - 1), "the <end> is missing", ""],
    })  # fmt: skip
    failures = pd.DataFrame(
        [(clips[-1], "open", "not <readable> & empty")], columns=["filename", "stage", "reason"]
    )
    point = {
        "task": "skip",
        "score": "blank",
        "threshold": 0.9,
        "max_loss": 0.05,
        "confidence": 0.9,
        "unit": "clips",
    }
    known = {
        "model": "lrcn", "folder": str(folder), "species": SPECIES, "thresholds": {"duiker": 0.5, "hog<b>": 0.5},
        "operating_points": {"skip blank": point, "find duiker": {**point, "task": "find", "score": "duiker"}},
    }  # fmt: skip
    return Results(table, failures, facts, sightings, None, complete_facts(known))


@pytest.fixture(scope="session")
def odd_names() -> tuple[str, ...]:
    """Names of clips that a page could trip over, of two sites, `a` and `b`."""
    return ODD_NAMES


@pytest.fixture(scope="session")
def make_results() -> Callable[..., Results]:
    """`make_results(folder, names=…)`: clips of these names an hour each, an hour apart, and one that failed.

    The first shows a duiker, the second both species, the others nothing; the last readable one is partial.
    """
    return write_results
