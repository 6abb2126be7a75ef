"""MegaDetector's batch output, format 1.6, of video: what Timelapse and AddaxAI read.

A sighting is a detection on the full frame, with the frame in which the species is seen best. A clip in which nothing
is seen has a detection, too, as sure as that it shows something: at or above the typical threshold where nobody can
tell that it is empty, below it where the run's proven point skips it. So a reader's slider goes along the clips in the
order in which they are best watched, and what it calls empty is what may be skipped. Keys of our own (`start_seconds`,
`end_seconds`, `best_seconds` of a sighting, `verdict` and `clip_classifications` of a file, `to_watch` of the whole)
stand beside the format's; its readers pass over them, ours gets everything back from them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from primatrix.disk import read_json, write_json_lists
from primatrix.errors import InputError
from primatrix.interchange.findings import Finding, find_all
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
from primatrix.labels import BLANK, fold_name
from primatrix.records import Box
from primatrix.results import NO_BOX, Results, Sighting, say_watching
from primatrix.video import is_still

__all__ = ["read_megadetector", "write_megadetector"]

CATEGORIES = {"1": "animal", "2": "person", "3": "vehicle"}
BOX_DIGITS = 4  # as MegaDetector writes them
FULL_FRAME = [0.0, 0.0, 1.0, 1.0]
UNKNOWN_RATE = -1.0  # of a file that failed, as MegaDetector itself writes it
DEFAULT_THRESHOLD = 0.2  # MegaDetector 5's own, for files that do not state theirs
OLD_DETECTOR, OLD_THRESHOLD = re.compile(r"v[1-4](?!\d)"), 0.8  # of MegaDetector 4, whose page states that
SECONDS = ("start_seconds", "end_seconds", "best_seconds")
LEAST_CONFIDENCE = 0.005  # of a species that is written, as MegaDetector's own output has it


def write_megadetector(results: Results, path: Path, options: ExportOptions) -> Path:
    """Write the JSON. Raises InputError for a video whose frame rate is not known: the format requires it."""
    findings = find_all(results)
    ids = {name: str(i) for i, name in enumerate(results.species)}
    looked = _list_frames(results)
    categories = {name: options.taxonomy[name].category for name in results.species}
    least = min((chance for finding in findings for chance in _list_meant(finding)), default=1.0)
    writer = _Writer(ids, categories, least)
    images = [writer.make_image(finding, looked.get(finding.filepath)) for finding in findings]
    head = {
        "info": _make_info(results, least=least),
        "detection_categories": CATEGORIES,
        "classification_categories": {number: name for name, number in ids.items()},
        "classification_category_descriptions": {
            number: options.taxonomy[name].speciesnet_label for name, number in ids.items()
        },
    }
    return write_json_lists(path, head, {"images": images})


def _list_meant(finding: Finding) -> list[float]:
    """How sure the detections are that a reader is to show: sightings, and of clips of which nobody can tell."""
    if finding.verdict == "unknown":
        return [_show_something(finding)]
    return [sighting.probability for sighting in finding.sightings]


def _show_something(finding: Finding) -> float:
    """The probability that a clip shows something: 1 - blank, or without `blank` the likeliest species'."""
    blank = finding.blank_probability
    if blank is None:
        return max(finding.probabilities.values(), default=0.0)
    return round(1 - blank, 7)


def _make_info(results: Results, *, least: float) -> dict[str, Any]:  # Any: JSON values of several types
    thresholds = {name: results.threshold_of(name) for name in results.species}
    animals = [threshold for name, threshold in thresholds.items() if name != BLANK]
    info: dict[str, Any] = {
        "format_version": "1.6",
        "classifier": f"primatrix {results.facts['primatrix_version']} {results.facts['model']}".strip(),
        "detector_metadata": {
            "typical_detection_threshold": least,
            "conservative_detection_threshold": least,
        },
        "classifier_metadata": {
            "typical_classification_threshold": min(animals, default=1.0),
            "thresholds": thresholds,
        },
        "to_watch": say_watching(results),
    }
    if results.facts["created"]:
        made = datetime.fromisoformat(results.facts["created"])
        info["classification_completion_time"] = made.strftime("%Y-%m-%d %H:%M:%S")
    return info


def _list_frames(results: Results) -> dict[str, tuple[list[float], float]]:
    """The seconds the model looked at and the best of them, per clip, where the run kept its answers per frame."""
    if results.frames is None:
        return {}
    table = results.frames
    animals = [name for name in results.species if name != BLANK]
    shows = 1 - table[BLANK] if BLANK in table.columns else table[animals].max(axis=1)
    grouped = table.assign(shows=shows)[["filepath", "pts_seconds", "shows"]].groupby("filepath", sort=False)
    looks: dict[str, tuple[list[float], float]] = {}
    for name, rows in grouped:
        seconds = rows["pts_seconds"].tolist()
        looks[str(name)] = (seconds, float(seconds[int(rows["shows"].to_numpy().argmax())]))
    return looks


@dataclass(frozen=True, slots=True)
class _Writer:
    """How findings are written: species' numbers and MegaDetector's categories, and from where on detections count."""

    ids: Mapping[str, str]
    categories: Mapping[str, str]
    least: float

    def make_image(
        self, finding: Finding, looked: tuple[list[float], float] | None
    ) -> dict[str, Any]:  # Any: JSON values of several types
        still = is_still(finding.filepath)
        image: dict[str, Any] = {"file": finding.filepath}
        if finding.verdict == "failed":
            video = {} if still else {"frame_rate": UNKNOWN_RATE, "frames_processed": []}
            return {**image, **video, "failure": finding.reason, "detections": None}
        rate = 1.0 if still else _rate_of(finding)
        detections = [(seen.best_seconds, self.make_sighting(seen)) for seen in finding.sightings]
        if not detections:
            detections = list(self.make_look(finding, best_seconds=_find_best(finding, looked)))
        frames = [_frame_at(second, rate, finding.facts["frame_count"]) for second, _ in detections]
        if not still:
            seconds, _ = looked or ([], 0.0)
            seen = [_frame_at(second, rate, finding.facts["frame_count"]) for second in seconds]
            image |= {"frame_rate": rate, "frames_processed": sorted({*seen, *frames})}
        image["detections"] = [
            detection if still else {**detection, "frame_number": frame}
            for (_, detection), frame in zip(detections, frames, strict=True)
        ]
        ranked = sorted(finding.probabilities.items(), key=lambda pair: -pair[1])
        chances = [[self.ids[name], chance] for name, chance in ranked]
        return {**image, "verdict": finding.verdict, "clip_classifications": chances}

    def make_sighting(self, seen: Sighting) -> dict[str, Any]:  # Any: JSON values of several types
        return {
            **self.make_detection(
                seen.species, seen.probability, [(seen.species, seen.probability)], box=seen.box
            ),
            "start_seconds": seen.start_seconds,
            "end_seconds": seen.end_seconds,
            "best_seconds": seen.best_seconds,
        }

    def make_look(
        self, finding: Finding, *, best_seconds: float
    ) -> Iterator[tuple[float, dict[str, Any]]]:  # Any: JSON values of several types
        """The detection of a clip in which nothing is seen; none where an empty one would be taken for another."""
        sure = _show_something(finding)
        if finding.verdict == "blank" and sure >= self.least:
            return
        ranked = sorted(finding.probabilities.items(), key=lambda pair: -pair[1])
        animals = [(name, chance) for name, chance in ranked if name != BLANK]
        told = [(name, chance) for name, chance in animals if chance >= LEAST_CONFIDENCE]
        likeliest = animals[0][0] if animals else ""
        yield best_seconds, self.make_detection(likeliest, sure, told)

    def make_detection(
        self, species: str, confidence: float, told: Sequence[tuple[str, float]], *, box: Box | None = None
    ) -> dict[str, Any]:  # Any: JSON values of several types
        numbers = {name: number for number, name in CATEGORIES.items()}
        return {
            "category": numbers.get(self.categories.get(species, ""), "1"),
            "conf": confidence,
            "bbox": [round(edge, BOX_DIGITS) for edge in box] if box else FULL_FRAME,
            "classifications": [[self.ids[name], chance] for name, chance in told],
        }


def _find_best(finding: Finding, looked: tuple[list[float], float] | None) -> float:
    """The second at which a clip is best looked at: its surest frame's, else the middle."""
    if looked is not None:
        return looked[1]
    seconds = finding.facts["duration_seconds"]
    return 0.0 if pd.isna(seconds) else float(seconds) / 2


def _rate_of(finding: Finding) -> float:
    """Frames per second: the file's own, or how many frames it has in how many seconds."""
    rate, count, seconds = (finding.facts[name] for name in ("frame_rate", "frame_count", "duration_seconds"))
    if pd.notna(rate) and rate > 0:
        return float(rate)
    if pd.notna(count) and pd.notna(seconds) and count > 0 and seconds > 0:
        return float(count / seconds)
    raise InputError(
        f"clips: no frame rate, and no count and length to tell it by, for {finding.filepath}; "
        "megadetector wants one for every video: write it into clips.csv, or choose another format"
    )


def _frame_at(seconds: float, rate: float, count: Any) -> int:  # Any: a whole number or pandas' missing one
    frame = round(seconds * rate)
    return frame if pd.isna(count) else max(0, min(frame, int(count) - 1))


def read_megadetector(path: Path) -> Reading:
    """Labels of detections at or above the confidence the file calls typical, else 0.2, of MegaDetector 4 or older 0.8.

    A detection's label is its surest classification, where that reaches the confidence the file calls typical of its
    classifier, else its category; a file without such detections is blank. Categories and classifications that the
    file does not list are none. Ours give probabilities and stretches; others' detections become stretches of one
    frame, where the file says how many frames a second has. Versions from 1.0 on are read, and what they may lack.
    """
    found = read_json(path)
    scale = _Scale(found)
    images = list_entries(found, "images", name="file")
    images = images if scale.is_ours else [_turn_slashes(image) for image in images]
    rows = [(image["file"], label) for image in images for label in scale.list_labels(image)]
    stretches = [row for image in images for row in scale.list_stretches(image)]
    failed = [(image["file"], *_split(str(image["failure"]))) for image in images if image.get("failure")]
    return Reading(
        "megadetector",
        pd.DataFrame(rows, columns=["filepath", "label"]),
        make_table(stretches, "sightings"),
        make_table(failed, "failures"),
        scale.list_probabilities(images),
    )


def _take_box(found: Mapping[str, Json], file: object) -> tuple[float, ...]:
    """Where a detection is in its picture; nothing where it is the whole picture, which says nothing."""
    box = found.get("bbox")
    if not isinstance(box, list) or len(box) != len(FULL_FRAME) or box == FULL_FRAME:
        return NO_BOX
    return tuple(to_number(edge, f"{file}: bbox") for edge in box)


class _Scale:
    """How a file's numbers are to be read: its names and thresholds."""

    def __init__(self, found: Mapping[str, Json]) -> None:
        info = take_object(found, "info")
        _check_version(info.get("format_version"))
        detector, classifier = (
            take_object(info, f"{part}_metadata", where="info.") for part in ("detector", "classifier")
        )
        is_old = OLD_DETECTOR.search(str(info.get("detector") or ""))
        default = OLD_THRESHOLD if is_old else DEFAULT_THRESHOLD
        self.threshold = _take_threshold(detector, "typical_detection_threshold", default)
        self.names = {
            str(key): str(name) for key, name in take_object(found, "classification_categories").items()
        }
        self.categories = {
            str(key): str(name) for key, name in take_object(found, "detection_categories").items()
        }
        if "detection_categories" not in found:
            raise MalformedError("no `detection_categories`, wanted names by number")
        stated = take_object(classifier, "thresholds", where="info.classifier_metadata.")
        self.is_ours = bool(stated)
        least = _take_threshold(classifier, "typical_classification_threshold", 0.0)
        self.class_threshold = 0.0 if self.is_ours else least  # a stretch of ours is of the species it names

    def name(self, detection: Mapping[str, Json], file: str) -> str:
        ranked = _take_pairs(detection.get("classifications"), f"{file}: classifications")
        sure = [
            (chance, self.names[key])
            for key, chance in ranked
            if key in self.names and chance >= self.class_threshold
        ]
        chosen = max(sure, key=lambda pair: pair[0])[1] if sure else ""
        category = self.categories[str(detection["category"])]
        return category if not chosen or (chosen == NO_ANSWER and not self.is_ours) else chosen

    def choose(self, image: Mapping[str, Json]) -> list[Mapping[str, Json]]:
        """The detections that count: sure enough, of a category that is listed and not called empty."""
        listed = {key for key, name in self.categories.items() if fold_name(name) != BLANK}
        found, file = image.get("detections") or [], image["file"]
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise MalformedError(f"{file}: detections: wanted a list of objects")
        found = [one for one in found if str(one.get("category")) in listed]
        if self.is_ours:  # the others are for a slider
            return [one for one in found if "start_seconds" in one]
        return [one for one in found if to_number(one.get("conf"), f"{file}: conf") >= self.threshold]

    def list_labels(self, image: Mapping[str, Json]) -> list[str]:
        if image.get("failure"):
            return [""]
        labels = list(dict.fromkeys(self.name(found, image["file"]) for found in self.choose(image)))
        if not self.is_ours:
            return settle_labels(labels) if image.get("detections") is not None else [""]
        return labels or ([""] if image.get("verdict") == "unknown" else [BLANK])

    def list_stretches(self, image: Mapping[str, Json]) -> Iterator[tuple[object, ...]]:
        file = image["file"]
        rate = (
            to_number(image["frame_rate"], f"{file}: frame_rate")
            if image.get("frame_rate") is not None
            else 0.0
        )
        for found in self.choose(image) if not image.get("failure") else []:
            name = self.name(found, file)
            if "start_seconds" in found:
                times = tuple(to_number(found.get(key), f"{file}: {key}") for key in SECONDS)
            elif found.get("frame_number") is not None and rate > 0:
                times = (to_number(found["frame_number"], f"{file}: frame_number") / rate,) * 3
            else:
                continue
            if self.is_ours or fold_name(name) != BLANK:
                yield (file, name, *times, to_number(found["conf"], f"{file}: conf"), *_take_box(found, file))

    def list_probabilities(self, images: Sequence[Mapping[str, Json]]) -> pd.DataFrame | None:
        if not self.is_ours:
            return None
        table = pd.DataFrame(
            [self._take_chances(image) for image in images], columns=list(self.names.values())
        )
        table.index = pd.Index([image["file"] for image in images], name="filepath")
        return table.astype(np.float32)

    def _take_chances(self, image: Mapping[str, Json]) -> dict[str, float]:
        pairs = _take_pairs(image.get("clip_classifications"), f"{image['file']}: clip_classifications")
        return {self.names[key]: chance for key, chance in pairs if key in self.names}


def _check_version(version: Json) -> None:
    """MalformedError for a version before 1.0 or from 2 on; files of others often state none."""
    if version is not None and not 1 <= to_number(version, "info.format_version") < 2:
        raise MalformedError(f"info.format_version {version}, wanted 1.0 to 1.6")


def _take_threshold(stated: Mapping[str, Json], key: str, default: float) -> float:
    return default if stated.get(key) is None else to_number(stated[key], key)


def _take_pairs(value: Json, what: str) -> list[tuple[str, float]]:
    """Numbers of categories, each with its confidence."""
    pairs = [] if value is None else value
    if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise MalformedError(f"{what}: wanted a list of [number, confidence]")
    return [(str(key), to_number(chance, what)) for key, chance in pairs]


def _turn_slashes(image: Mapping[str, Json]) -> Mapping[str, Json]:
    """Others may write paths as Windows has them."""
    return {**image, "file": image["file"].replace("\\", "/")}


def _split(failure: str) -> tuple[str, str]:
    stage, found, reason = failure.partition(": ")
    return (stage, reason) if found and re.fullmatch(r"[\w ]+", stage) else ("", failure)
