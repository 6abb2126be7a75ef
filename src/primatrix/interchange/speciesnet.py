"""SpeciesNet's predictions.json: one answer per file, no seconds.

SpeciesNet 4 put `classifications` and `prediction` on each file, SpeciesNet 5 (format 20261015) puts the same on a
detection of the whole picture. Both stand in what is written, so that the readers of either find theirs. Scores are
probabilities of each species on its own: they do not add up to 1.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from primatrix.disk import read_json, write_json_lists
from primatrix.errors import InputError
from primatrix.interchange.findings import Finding, find_all, list_labels
from primatrix.interchange.options import ExportOptions
from primatrix.interchange.reading import (
    NO_ANSWER,
    Json,
    MalformedError,
    Reading,
    list_entries,
    make_table,
    settle_labels,
    take_object,
    to_number,
)
from primatrix.interchange.taxonomy import Taxonomy
from primatrix.labels import BLANK
from primatrix.results import DEFAULT_THRESHOLD, Results

__all__ = ["read_speciesnet", "write_speciesnet"]

FORMAT_VERSION = "20261015"
UNKNOWN = "f2efdae9-efb8-48fb-8a91-eccf79ab4ffb" + ";no cv result" * 6  # SpeciesNet's word for "cannot tell"
FAILED_PART = "CLASSIFIER"
DETECTION_THRESHOLD = 0.2
ANSWERS = ("raw_classifications", "classifications")  # of a detection


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
    """Labels and probabilities of SpeciesNet's file, of version 4 or 5, of one of its parts alone, or of ours.

    A file's label is its prediction's common name; without one, that of each detection whose confidence is 0.2 or more,
    or of the surest classification, where its score is 0.5 or more, or the kind of each such detection (animal, human,
    vehicle). "no cv result" is no label. A file whose location alone failed has its prediction all the same; of one of
    which the classifier or the detector failed, the other's answer is taken.
    """
    found = read_json(path)
    names = take_object(take_object(found, "info"), "species", where="info: ")
    images = list_entries(found, "predictions", name="filepath")
    labels = [_read_labels(image, names) for image in images]
    rows = [
        (image["filepath"], label) for image, several in zip(images, labels, strict=True) for label in several
    ]
    failed = [(image["filepath"], *_read_failure(image)) for image in images if _has_failed(image)]
    return Reading(
        "speciesnet",
        pd.DataFrame(rows, columns=["filepath", "label"]),
        make_table([], "sightings"),
        make_table(failed, "failures"),
        _read_probabilities(images, names),
    )


def _name_of(label: Json, names: Mapping[str, Json]) -> str:
    """The common name in a label, else its lowest taxon; "" for "no cv result"."""
    text = str(label or "")
    if text in names:
        return str(names[text])
    parts = [part.strip() for part in text.split(";")]
    taxa = [*parts[1:4], " ".join(parts[4:6]).strip()] if len(parts) == 7 else []
    name = parts[-1] or next((taxon for taxon in reversed(taxa) if taxon), "")
    return "" if name == NO_ANSWER else name


def _read_labels(image: Mapping[str, Json], names: Mapping[str, Json]) -> list[str]:
    file = image["filepath"]
    if "labels" in image:  # ours
        return [str(label) for label in image["labels"] or [""]]
    if image.get("prediction"):
        return [_name_of(image["prediction"], names)]
    detections = _list_detections(image)
    classified = [_choose_class(found, file, names) for found in detections or []]
    if any(label is not None for label in classified):
        return settle_labels(label for label in classified if label is not None)
    kinds = None if detections is None else settle_labels(map(_kind_of, detections))
    surest = settle_labels(_list_sure(image, file, "classifications", names)[:1] or [""])
    if surest == [""] or (surest == [BLANK] and detections):
        return kinds or surest
    return surest


def _choose_class(found: Mapping[str, Json], file: str, names: Mapping[str, Json]) -> str | None:
    """What a detection was classified as by itself; None where it was not."""
    processed = take_object(found, "processed_classification", where=f"{file}: ")
    chosen = processed.get("class") or found.get("prediction")
    if chosen:
        return _name_of(chosen, names)
    sure = [name for key in ANSWERS for name in _list_sure(found, file, key, names)]
    return sure[0] if sure else None


def _kind_of(found: Mapping[str, Json]) -> str:
    """Animal, human or vehicle."""
    return str(found.get("label") or "animal")


def _list_sure(owner: Mapping[str, Json], file: str, key: str, names: Mapping[str, Json]) -> list[str]:
    """The names in an answer whose score is enough, the surest first."""
    ranked = sorted(_take_answer(owner, file, key), key=lambda pair: -pair[1])
    return [_name_of(label, names) for label, score in ranked if score >= DEFAULT_THRESHOLD]


def _list_detections(image: Mapping[str, Json]) -> list[Mapping[str, Json]] | None:
    """The detections of a file whose confidence is enough; None where the detector did not answer."""
    if image.get("detections") is None:
        return None
    detections, name = image["detections"], image["filepath"]
    if not isinstance(detections, list) or not all(isinstance(found, dict) for found in detections):
        raise MalformedError(f"{name}: detections: wanted a list of objects")
    return [
        found for found in detections if to_number(found.get("conf"), f"{name}: conf") >= DETECTION_THRESHOLD
    ]


def _take_answer(owner: Mapping[str, Json], name: str, key: str) -> list[tuple[str, float]]:
    """Labels and scores of a classifier's answer about a file or a detection."""
    answer = take_object(owner, key, where=f"{name}: ")
    labels, scores = answer.get("classes") or [], answer.get("scores") or []
    if not isinstance(labels, list) or not isinstance(scores, list) or len(labels) != len(scores):
        raise MalformedError(f"{name}: {key}: wanted as many scores as classes")
    return [
        (str(label), to_number(score, f"{name}: score")) for label, score in zip(labels, scores, strict=True)
    ]


def _has_failed(image: Mapping[str, Json]) -> bool:
    """Whether a file has failures and no answer of any part."""
    answers = ("prediction", "labels", "classifications")
    return (
        bool(image.get("failures")) and image.get("detections") is None and not any(map(image.get, answers))
    )


def _read_failure(image: Mapping[str, Json]) -> tuple[str, str]:
    if "failure_reason" in image:
        stage, _, reason = str(image["failure_reason"]).partition(": ")
        return stage, reason
    failures = image["failures"]
    return "", " ".join(map(str, failures)) if isinstance(failures, list) else str(failures)


def _read_probabilities(images: list[Mapping[str, Json]], names: Mapping[str, Json]) -> pd.DataFrame | None:
    rows = [_take_scores(image, names) for image in images]
    if not any(rows) and not names:
        return None
    columns = list(names.values()) or list(dict.fromkeys(name for row in rows for name in row))
    table = pd.DataFrame(
        rows, columns=columns, index=pd.Index([image["filepath"] for image in images], name="filepath")
    )
    return table.astype(np.float32)


def _take_scores(image: Mapping[str, Json], names: Mapping[str, Json]) -> dict[str, float]:
    """Each species' highest score in the file's answer, or in those of its detections."""
    file = image["filepath"]
    whole = _take_answer(image, file, "classifications")
    parts = [] if whole else image.get("detections") or []
    answers = [whole, *(_take_answer(found, file, key) for found in parts for key in ANSWERS)]
    best: dict[str, float] = {}
    for label, score in (pair for answer in answers for pair in answer):
        name = _name_of(label, names)
        if name:
            best[name] = max(score, best.get(name, 0.0))
    return best
