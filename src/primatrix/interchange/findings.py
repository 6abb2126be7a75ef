"""What results say about each clip, decided once for all formats: who is seen when, what is blank, what is unknown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from primatrix.labels import BLANK
from primatrix.records import Box
from primatrix.results import Results, Sighting, Verdict, find_verdicts

__all__ = ["Finding", "find_all", "list_labels"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One clip: its row of `clips`, its verdict, its sightings in order of time, a probability per species.

    "blank" is a clip without a sighting that the run's proven point skips; any other without one is "unknown".
    `reason` is `stage: reason` of a failed one; `note` says what of a partial one could not be read.
    """

    filepath: str
    facts: Mapping[str, Any]  # Any: a row of several types
    verdict: Verdict
    sightings: tuple[Sighting, ...]
    probabilities: Mapping[str, float]
    partial: bool = False
    reason: str = ""

    @property
    def note(self) -> str:
        """What of a partial clip could not be read."""
        return str(self.facts["note"])

    @property
    def blank_probability(self) -> float | None:
        """The probability of `blank`, if the model gives one."""
        return self.probabilities.get(BLANK)


def find_all(results: Results) -> list[Finding]:
    """Every clip's finding, in the order of predictions.

    A species whose probability for the clip reaches its threshold but that has no sighting (a model without answers per
    frame) is taken to be seen from the first second to the last, best in the middle.

    >>> # `example` is a run of two clips: a duiker in one, the other broken
    >>> [(finding.verdict, len(finding.sightings)) for finding in find_all(example)]
    [('seen', 1), ('failed', 0)]
    """
    sightings = _group_sightings(results)
    reasons = {row.filename: f"{row.stage}: {row.reason}" for row in results.failures.itertuples(index=False)}
    thresholds = np.array([results.threshold_of(name) for name in results.species], np.float32)
    chances = results.probabilities.to_numpy(np.float32)
    numbers = chances.astype(str).astype(np.float64) if chances.size else chances  # the shortest decimals
    findings = []
    rows = [{str(key): value for key, value in row.items()} for row in results.clips.to_dict("records")]
    verdicts: list[Verdict] = find_verdicts(results).tolist()
    for row, (facts, verdict) in enumerate(zip(rows, verdicts, strict=True)):
        name = str(facts["filepath"])
        if verdict == "failed":
            findings.append(Finding(name, facts, "failed", (), {}, reason=reasons[name]))
            continue
        chance = dict(zip(results.species, numbers[row].tolist(), strict=True))
        reached = [results.species[i] for i in np.flatnonzero(chances[row] >= thresholds)]
        seen = _add_whole(sightings.get(name, []), facts, chance, reached)
        partial = results.predictions["status"].iloc[row] == "partial"
        findings.append(Finding(name, facts, verdict, seen, chance, partial=partial))
    return findings


def list_labels(finding: Finding) -> list[str]:
    """The labels of a clip: its species, `blank`, or none where nobody can tell.

    >>> # `example` is a run of two clips: a duiker in one, the other broken
    >>> [list_labels(finding) for finding in find_all(example)]
    [['duiker'], []]
    """
    if finding.verdict == "blank":
        return [BLANK]
    return list(dict.fromkeys(seen.species for seen in finding.sightings))


def _group_sightings(results: Results) -> dict[str, list[Sighting]]:
    table = results.sightings.sort_values(["start_seconds", "end_seconds", "species"], kind="stable")
    grouped: dict[str, list[Sighting]] = {}
    chances = table["probability"].to_numpy(np.float32)
    times = table[["start_seconds", "end_seconds", "best_seconds"]].to_numpy().tolist()
    boxes = table[["left", "top", "width", "height"]].to_numpy(np.float64).tolist()
    for name, species, (start, end, best), chance, edges in zip(
        table["filepath"], table["species"], times, chances, boxes, strict=True
    ):
        box = None if np.isnan(edges).any() else Box(*edges)
        grouped.setdefault(name, []).append(Sighting(species, start, end, best, float(str(chance)), box))
    return grouped


def _add_whole(
    sightings: list[Sighting], facts: Mapping[str, Any], chance: Mapping[str, float], reached: list[str]
) -> tuple[Sighting, ...]:
    having = {sighting.species for sighting in sightings}
    seconds = facts["duration_seconds"]
    end = 0.0 if pd.isna(seconds) else float(seconds)
    whole = [
        Sighting(name, 0.0, end, end / 2, chance[name])
        for name in reached
        if name != BLANK and name not in having
    ]
    return (*sightings, *whole)
