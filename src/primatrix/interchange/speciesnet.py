"""SpeciesNet's predictions.json: one answer per file, no seconds.

SpeciesNet 4 put `classifications` and `prediction` on each file, SpeciesNet 5 (format 20261015) puts the same on a
detection of the whole picture. Both stand in what is written, so that the readers of either find theirs. Scores are
probabilities of each species on its own: they do not add up to 1.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from primatrix.disk import read_json, write_json_lists
from primatrix.errors import InputError
from primatrix.interchange.findings import Finding, find_all, list_labels
from primatrix.interchange.options import ExportOptions
from primatrix.interchange.reading import Reading, make_table
from primatrix.interchange.taxonomy import Taxonomy
from primatrix.labels import BLANK
from primatrix.results import Results

__all__ = ["read_speciesnet", "write_speciesnet"]

FORMAT_VERSION = "20261015"
UNKNOWN = "f2efdae9-efb8-48fb-8a91-eccf79ab4ffb" + ";no cv result" * 6  # SpeciesNet's word for "cannot tell"
FAILED_PART = "CLASSIFIER"
DETECTION_THRESHOLD = 0.2


def write_speciesnet(results: Results, path: Path, options: ExportOptions) -> Path:
    """Write the JSON. Raises InputError where two species would have the same label."""
    labels = _make_labels(results, options.taxonomy)
    version = f"primatrix {results.facts['primatrix_version']} {results.facts['model']}".strip()
    predictions = [_make_prediction(finding, labels, version) for finding in find_all(results)]
    info = {"format_version": FORMAT_VERSION, "species": {label: name for name, label in labels.items()}}
    return write_json_lists(path, {"info": info}, {"predictions": predictions})


def _make_labels(results: Results, taxonomy: Taxonomy) -> dict[str, str]:
    labels = {name: taxonomy[name].speciesnet_label for name in results.species}
    twice = [name for name, label in labels.items() if list(labels.values()).count(label) > 1]
    if twice:
        raise InputError(f"species {', '.join(twice[:2])} have the same SpeciesNet label {labels[twice[0]]!r}; wanted "
                         "names that differ by more than upper and lower case")  # fmt: skip
    return labels


def _make_prediction(
    finding: Finding, labels: Mapping[str, str], version: str
) -> dict[str, Any]:  # Any: JSON values of several types
    if finding.verdict == "failed":
        reason = {"failure_reason": finding.reason}
        return {"filepath": finding.filepath, "failures": [FAILED_PART], **reason, "model_version": version}
    ranked = sorted(finding.probabilities.items(), key=lambda pair: -pair[1])
    answer = {"classes": [labels[name] for name, _ in ranked], "scores": [chance for _, chance in ranked]}
    label, score = _choose(finding, labels)
    return {
        "filepath": finding.filepath,
        "classifications": answer,
        "detections": [
            {
                "category": "0",
                "label": "whole_image_classification",
                "conf": 1.0,
                "bbox": [0.0, 0.0, 1.0, 1.0],
                "raw_classifications": answer,
                "processed_classification": {"class": label, "score": score, "source": "classifier"},
            }
        ],
        "prediction": label,
        "prediction_score": score,
        "prediction_source": "classifier",
        "model_version": version,
        "labels": list_labels(finding),
    }


def _choose(finding: Finding, labels: Mapping[str, str]) -> tuple[str, float]:
    """The one answer the format has room for: the surest species seen, `blank`, or SpeciesNet's unknown."""
    if finding.sightings:
        surest = max(finding.sightings, key=lambda sighting: sighting.probability)
        return labels[surest.species], surest.probability
    if finding.verdict == "blank" and finding.blank_probability is not None:
        return labels[BLANK], finding.blank_probability
    return UNKNOWN, max(finding.probabilities.values(), default=0.0)


def read_speciesnet(path: Path) -> Reading:
    """Labels and probabilities of SpeciesNet's file, of version 4 or 5, or of ours.

    A file's label is its prediction's common name (5: of each classified detection whose confidence is 0.2 or
    more); "no cv result" is no label.
    """
    found = read_json(path)
    names: dict[str, str] = found.get("info", {}).get("species", {})
    rows = [
        (image["filepath"], label) for image in found["predictions"] for label in _read_labels(image, names)
    ]
    failed = [
        (image["filepath"], *_read_failure(image)) for image in found["predictions"] if image.get("failures")
    ]
    chances = _read_probabilities(found["predictions"], names)
    return Reading(
        "speciesnet",
        pd.DataFrame(rows, columns=["filepath", "label"]),
        make_table([], "sightings"),
        make_table(failed, "failures"),
        chances,
    )


def _name_of(label: str, names: Mapping[str, str]) -> str:
    common = label.split(";")[-1]
    return names.get(label) or ("" if common == "no cv result" else common)


def _read_labels(image: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:  # Any: JSON
    if image.get("failures"):
        return [""]
    if "labels" in image:
        return image["labels"] or [""]
    if "prediction" in image:
        return [_name_of(image["prediction"], names)]
    processed = [
        found["processed_classification"]["class"]
        for found in image.get("detections", [])
        if "processed_classification" in found and found["conf"] >= DETECTION_THRESHOLD
    ]
    return list(dict.fromkeys(_name_of(label, names) for label in processed)) or [BLANK]


def _read_failure(image: Mapping[str, Any]) -> tuple[str, str]:  # Any: JSON values of several types
    if "failure_reason" in image:
        stage, _, reason = image["failure_reason"].partition(": ")
        return stage, reason
    return "", " ".join(image["failures"])


def _read_probabilities(
    images: list[Mapping[str, Any]], names: Mapping[str, str]
) -> pd.DataFrame | None:  # Any: JSON
    rows = [dict(_list_scores(image, names)) for image in images]
    if not any(rows) and not names:
        return None
    columns = list(names.values()) or list(dict.fromkeys(name for row in rows for name in row))
    table = pd.DataFrame(
        rows, columns=columns, index=pd.Index([image["filepath"] for image in images], name="filepath")
    )
    return table.astype(np.float32)


def _list_scores(
    image: Mapping[str, Any], names: Mapping[str, str]
) -> Iterator[tuple[str, float]]:  # Any: JSON
    """Each species' highest score in the file's answer, or in those of its detections."""
    answers = [image["classifications"]] if "classifications" in image else [
        found["raw_classifications"] for found in image.get("detections") or [] if "raw_classifications" in found
    ]  # fmt: skip
    best: dict[str, float] = {}
    for answer in answers:
        for label, score in zip(answer["classes"], answer["scores"], strict=True):
            name = _name_of(label, names)
            best[name] = max(score, best.get(name, 0.0))
    yield from best.items()
