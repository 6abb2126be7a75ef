"""Results to export, and what people must tell about their fieldwork."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from primatrix.interchange import ExportOptions
from primatrix.results import COLUMNS, NO_BOX, Results, complete_facts

PROJECT = {
    "title": "Tests of the forest",
    "samplingDesign": "opportunistic",
    "captureMethod": ["activityDetection"],
    "individualAnimals": False,
    "contributors": [{"title": "A. Ranger", "role": "contact"}],
}
PLACES = "deploymentID,latitude,longitude,locationName\na,5.5,-3.25,Taï\n"
SKIP = {
    "task": "skip",
    "score": "blank",
    "threshold": 0.9,
    "max_loss": 0.05,
    "confidence": 0.9,
    "unit": "clips",
}
CUT = "the last 3 of 10 s | 50 % are missing"


def write_results(
    clips: list[tuple[str, str, dict[str, float]]],
    stretches: list[tuple[str, str, float, float, float, float]],
    *,
    species: list[str],
    began: str = "2026-03-01T06:30:00+01:00",
    **facts: Any,
) -> Results:
    """Results of clips (name, status, probabilities) and stretches (rows of sightings); 10 s each, 25 frames/s."""
    names = [name for name, _, _ in clips]
    failed = [name for name, status, _ in clips if status == "failed"]
    chances = pd.DataFrame([chance for _, _, chance in clips], columns=species)
    states = pd.DataFrame({"filepath": names, "status": [status for _, status, _ in clips]})
    read = np.array([status != "failed" for _, status, _ in clips])
    return Results(
        pd.concat([states, chances], axis=1),
        pd.DataFrame([(name, "open", "moov | atom: not 50 %, at all") for name in failed],
                     columns=["filename", "stage", "reason"]),
        pd.DataFrame({
            "filepath": names, "duration_seconds": np.where(read, 10.0, np.nan),
            "frame_rate": np.where(read, 25, np.nan),
            "frame_count": pd.array(np.where(read, 250, None), dtype="Int64"), "width_px": 64, "height_px": 48,
            "codec": "h264", "recorded_at": began, "time_source": "name", "time_warning": "", "site": "a",
            "deployment": "", "event": "e1", "note": [CUT if state == "partial" else "" for _, state, _ in clips]}),
        pd.DataFrame([(*row, *NO_BOX)[: len(COLUMNS["sightings"])] for row in stretches],
                     columns=list(COLUMNS["sightings"])),
        None,
        complete_facts({"species": species, "model": "lrcn", "thresholds": {"hog": 0.4}, **facts}),
    )  # fmt: skip


@pytest.fixture(scope="session")
def make_results() -> Callable[..., Results]:
    """`make_results(clips, stretches, species=…)`: clips are (name, status, probabilities), stretches rows."""
    return write_results


@pytest.fixture(scope="session")
def small() -> Results:
    """One clip of each kind: two species, a species for the whole clip, blank, unknown, failed, and a still."""
    species = ["blank", "duiker", "hog", "human", "okapi"]
    chances = [
        ("a/two species.MP4", "ok", [0.01, 0.9, 0.45, 0.02, 0.0]),
        ("a/whole.avi", "partial", [0.1, 0.1, 0.1, 0.8, 0.7]),
        ("b/blank.mp4", "ok", [0.97, 0.01, 0.01, 0.02, 0.0]),
        ("b/unknown.mp4", "ok", [0.3, 0.3, 0.3, 0.1, 0.1]),
        ("~b/../odd, é.mp4", "failed", [np.nan] * 5),
        ("c/still.jpg", "ok", [0.0, 0.6, 0.0, 0.0, 0.0]),
    ]
    stretches = [
        ("a/two species.MP4", "duiker", 0.0, 4.2, 1.0, 0.93),
        ("a/two species.MP4", "hog", 3.04, 5.0, 4.0, 0.61),
        ("a/two species.MP4", "duiker", 8.0, 9.96, 9.96, 0.55),
        ("c/still.jpg", "duiker", 0.0, 0.0, 0.0, 0.6),
    ]
    rows = [(name, status, dict(zip(species, values, strict=True))) for name, status, values in chances]
    return write_results(rows, stretches, species=species, operating_points={"skip blank": SKIP})


@pytest.fixture(scope="session")
def make_dated(example: Results) -> Callable[..., Results]:
    """`make_dated(time, site=…)`: the smallest results, both clips recorded at a time, other columns as given."""

    def make(time: str = "2026-03-01T06:30:00+01:00", **columns: object) -> Results:
        return replace(example, clips=example.clips.assign(recorded_at=time, **columns))

    return make


@pytest.fixture(scope="session")
def give() -> Callable[..., ExportOptions]:
    """`give(folder, project={…}, places="…", timezone=…)`: options of an export, their files written into `folder`.

    `project` holds changes of a project that has all that is needed; of a list, the file is that list.
    """

    def write(folder: Path, *, project: Any = None, places: str = PLACES, **options: Any) -> ExportOptions:
        folder.mkdir(parents=True, exist_ok=True)
        facts = project if isinstance(project, list) else {**PROJECT, **(project or {})}
        (folder / "project.json").write_text(json.dumps(facts))
        (folder / "places.csv").write_text(places)
        files = {"deployments": folder / "places.csv", "project": folder / "project.json"}
        return ExportOptions(**{**files, **options})

    return write


@pytest.fixture(scope="session")
def schemas(shared_data: Path) -> Path:
    """The folder with Camtrap DP's published schemas."""
    return shared_data / "camtrap_dp_schemas"
