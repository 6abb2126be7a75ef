"""Whether a file is what its format's published rules say: a line for each thing that is not."""

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from primatrix.disk import read_json, read_text_table
from primatrix.errors import InputError
from primatrix.footage import leads_outside
from primatrix.interchange.camtrap_package import DESCRIPTION, find_table, find_version, open_package
from primatrix.interchange.camtrap_rules import (
    CAPTURE_METHODS,
    CONTRIBUTOR_ROLES,
    MISSING,
    RULES,
    SAMPLING_DESIGNS,
    check_column,
)
from primatrix.interchange.reading import MalformedError
from primatrix.video import STILL_SUFFIXES

__all__ = ["check_camtrap", "check_megadetector", "check_speciesnet"]

PACKAGE_KEYS = (
    "resources",
    "profile",
    "created",
    "contributors",
    "project",
    "spatial",
    "temporal",
    "taxonomic",
)
PROJECT_KEYS = ("title", "samplingDesign", "captureMethod", "individualAnimals", "observationLevel")
Json = Any  # JSON values of several types


def check_megadetector(path: Path) -> list[str]:
    """Problems of a MegaDetector JSON by https://lila.science/megadetector-output-format, 1.0 to 1.6.

    Of videos, versions before 1.4 tell no frames, and those before 1.5 not which frames were looked at.
    """
    found = read_json(path)
    info, images = found.get("info"), found.get("images")
    version = info.get("format_version") if isinstance(info, dict) else None
    problems = []
    if not isinstance(version, str) or not re.fullmatch(r"\d+\.\d+", version):
        problems.append(f"info.format_version: got {version!r}, wanted text such as '1.6'")
    for key in ("detection_categories", "classification_categories"):
        problems += _check_categories(found.get(key, None if key.startswith("det") else {}), key)
    described = found.get("classification_category_descriptions")
    if described is not None and set(described) != set(found.get("classification_categories", {})):
        problems.append("classification_category_descriptions: not the numbers of classification_categories")
    if not isinstance(images, list):
        return [*problems, "images: wanted a list"]
    names = [image.get("file") if isinstance(image, dict) else None for image in images]
    problems += _check_names(names, "file")
    for name, image in zip(names, images, strict=True):
        if isinstance(name, str):
            problems += [f"{name}: {line}" for line in _check_image(image, found)]
    return problems


def _version_of(found: Mapping[str, Json]) -> tuple[int, ...]:
    """The version a file states, the newest where it states none."""
    stated = str((found.get("info") or {}).get("format_version"))
    return tuple(map(int, stated.split("."))) if re.fullmatch(r"\d+\.\d+", stated) else (1, 6)


def _check_categories(found: Json, key: str) -> Iterator[str]:
    if not isinstance(found, dict):
        yield f"{key}: got {type(found).__name__}, wanted names by number"
        return
    for number, name in found.items():
        if not number.isdecimal() or not isinstance(name, str) or not name.strip():
            yield f"{key}: got {number!r}: {name!r}, wanted a whole number as text and a name"


def _check_names(names: list[Json], key: str) -> Iterator[str]:
    for number, name in enumerate(names):
        if not isinstance(name, str) or not name:
            yield f"entry {number}: {key}: got {name!r}, wanted a path"
    counts = Counter(name for name in names if isinstance(name, str))
    yield from (f"{name}: stands there twice" for name, count in counts.items() if count > 1)


def _check_image(image: Mapping[str, Json], found: Mapping[str, Json]) -> Iterator[str]:
    failure, detections = image.get("failure"), image.get("detections")
    if failure is not None and not isinstance(failure, str):
        yield f"failure: got {failure!r}, wanted text or null"
    if failure is not None and detections is not None:
        yield "failure with detections; wanted null, or none of them"
    if failure is None and not isinstance(detections, list):
        yield f"detections: got {detections!r}, wanted a list"
    version = _version_of(found)
    is_video = version >= (1, 4) and Path(image["file"]).suffix.lower() not in STILL_SUFFIXES
    if is_video:
        rate, frames = image.get("frame_rate"), image.get("frames_processed")
        if not isinstance(rate, int | float) or (rate <= 0 and failure is None):
            yield f"frame_rate: got {rate!r}, wanted a number above 0"
        is_listed = isinstance(frames, list) and all(_is_count(frame) for frame in frames)
        if not is_listed and (version >= (1, 5) or frames is not None):
            yield "frames_processed: wanted a list of whole numbers"
    for detection in detections if isinstance(detections, list) else []:
        yield from _check_detection(detection, found, is_video)


def _check_detection(
    detection: Mapping[str, Json], found: Mapping[str, Json], is_video: bool
) -> Iterator[str]:
    if detection.get("category") not in found.get("detection_categories", {}):
        yield f"category: got {detection.get('category')!r}, which detection_categories does not have"
    if not isinstance(detection.get("conf"), float) or not 0 <= detection["conf"] <= 1:
        yield f"conf: got {detection.get('conf')!r}, wanted 0.0 to 1.0"
    if not _is_box(detection.get("bbox")):
        yield f"bbox: got {detection.get('bbox')!r}, wanted [x, y, width, height] within 0 to 1"
    if is_video and not _is_count(detection.get("frame_number")):
        yield f"frame_number: got {detection.get('frame_number')!r}, wanted a whole number of 0 or more"
    ranked = detection.get("classifications") or []
    if any(pair[0] not in found.get("classification_categories", {}) for pair in ranked):
        yield "classifications: a number that classification_categories does not have"
    if any(low[1] > high[1] for high, low in itertools.pairwise(ranked)):
        yield "classifications: not in falling order"


def check_speciesnet(path: Path) -> list[str]:
    """Problems of a SpeciesNet JSON, of version 4 (answers on the file) or 5 (on its detections)."""
    found = read_json(path)
    images = found.get("predictions")
    if not isinstance(images, list):
        return ["predictions: wanted a list"]
    names = [image.get("filepath") if isinstance(image, dict) else None for image in images]
    problems = list(_check_names(names, "filepath"))
    version = found.get("info", {}).get("format_version", "")
    if not isinstance(version, str):
        problems.append(f"info.format_version: got {version!r}, wanted text")
    for name, image in zip(names, images, strict=True):
        if isinstance(name, str):
            problems += [f"{name}: {line}" for line in _check_prediction(image)]
    return problems


def _check_prediction(image: Mapping[str, Json]) -> Iterator[str]:
    alone = "prediction" not in image and ("classifications" in image) != ("detections" in image)
    if (
        not isinstance(image.get("model_version"), str) and not alone
    ):  # of the classifier or the detector alone
        yield f"model_version: got {image.get('model_version')!r}, wanted text"
    failures = image.get("failures")
    if failures is not None and (
        not isinstance(failures, list) or not all(isinstance(part, str) for part in failures)
    ):
        yield f"failures: got {failures!r}, wanted a list of names"
    if failures is None and not {"prediction", "detections", "classifications"} & set(image):
        yield "neither an answer nor failures"
    answers = [image["classifications"]] if "classifications" in image else []
    for detection in image.get("detections") or []:
        if not _is_box(detection.get("bbox")) or not isinstance(detection.get("conf"), float):
            yield f"detection: got {detection!r}, wanted conf and bbox [x, y, width, height] within 0 to 1"
        if not all(isinstance(detection.get(key), str) for key in ("category", "label")):
            yield "detection: wanted category and label as text"
        answers += [detection["raw_classifications"]] if "raw_classifications" in detection else []
        yield from _check_label(detection.get("processed_classification", {}).get("class"))
    for answer in answers:
        yield from _check_answer(answer)
    yield from _check_label(image.get("prediction"))
    if "prediction" in image and not (
        _is_number(image.get("prediction_score")) and image.get("prediction_source")
    ):
        yield "prediction: wanted prediction_score and prediction_source with it"


def _check_answer(answer: Mapping[str, Json]) -> Iterator[str]:
    classes, scores = answer.get("classes", []), answer.get("scores", [])
    if len(classes) != len(scores) or not all(map(_is_number, scores)):
        yield f"classifications: {len(classes)} classes and {len(scores)} scores; wanted a number for each"
    elif any(low > high for high, low in itertools.pairwise(scores)):
        yield "classifications: scores not in falling order"
    for label in classes:
        yield from _check_label(label)


def _check_label(label: Json) -> Iterator[str]:
    if label is not None and (not isinstance(label, str) or label.count(";") != 6 or label != label.lower()):
        yield f"label {label!r}; wanted id;class;order;family;genus;species;common name in lower case"


def check_camtrap(path: Path) -> list[str]:
    """Problems of a Camtrap DP 1.0 package: its description, every column, and what must agree between tables."""
    with open_package(path) as folder:
        return [line.replace(str(folder), str(path)) for line in _check_camtrap(folder)]


def _check_camtrap(folder: Path) -> list[str]:
    package = read_json(folder / DESCRIPTION)
    problems = list(_check_package(package))
    tables = {}
    for name, rules in RULES.items():
        try:
            place = find_table(package, name, folder)
            table = read_text_table(place, needed=[key for key, rule in rules.items() if rule.required])
        except (InputError, MalformedError) as error:
            problems.append(str(error))
            continue
        tables[name] = table
        problems += [f"{name}.{line}" for column in table.columns if column in rules
                     for line in check_column(table[column], rules[column])]  # fmt: skip
        problems += [
            f"{name}: column `{column}` is not known" for column in table.columns if column not in rules
        ]
    return problems + (list(_check_links(tables)) if len(tables) == len(RULES) else [])


def _check_package(package: Mapping[str, Json]) -> Iterator[str]:
    yield from (f"datapackage.json: no `{key}`" for key in PACKAGE_KEYS if not _is_there(package, key))
    project, profile = package.get("project") or {}, str(package.get("profile"))
    design, methods = project.get("samplingDesign"), project.get("captureMethod") or []
    if not re.search(r"1\.0(\.\d+)?/camtrap-dp-profile\.json$", profile):
        version = find_version({"profile": profile})
        got = f"profile of Camtrap DP {version}, {profile!r}" if version else f"profile {profile!r}"
        yield f"datapackage.json: {got}; wanted the address of Camtrap DP 1.0's profile"
    yield from (f"datapackage.json: project: no `{key}`" for key in PROJECT_KEYS if key not in project)
    if design not in (None, *SAMPLING_DESIGNS):
        yield f"datapackage.json: samplingDesign {design!r}; wanted one of {', '.join(SAMPLING_DESIGNS)}"
    if not set(methods) <= set(CAPTURE_METHODS):
        yield f"datapackage.json: captureMethod {methods!r}; wanted some of {', '.join(CAPTURE_METHODS)}"
    for person in package.get("contributors") or []:
        if not person.get("title") or person.get("role", "contributor") not in CONTRIBUTOR_ROLES:
            roles = ", ".join(CONTRIBUTOR_ROLES)
            yield f"datapackage.json: contributor {person!r}; wanted title, and role one of {roles}"
    yield from (
        f"datapackage.json: temporal: no `{key}`"
        for key in ("start", "end")
        if key not in package.get("temporal", {})
    )
    if any("scientificName" not in taxon for taxon in package.get("taxonomic") or []):
        yield "datapackage.json: taxonomic: an entry without scientificName"


def _is_there(package: Mapping[str, Json], key: str) -> bool:
    return key in package and (bool(package[key]) or key == "taxonomic")  # nothing may have been seen


def _check_links(tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    links = [("media", "deploymentID", "deployments"), ("observations", "deploymentID", "deployments"),
             ("observations", "mediaID", "media")]  # fmt: skip
    for name, column, target in links:
        if column not in tables[name]:
            continue
        values = tables[name][column]
        lost = values[~values.isin(tables[target][column]) & ~values.isin(MISSING)]
        if len(lost):
            yield f"{name}.{column}: {lost.iloc[0]!r} is not in {target}"
    for name, start, end in (
        ("deployments", "deploymentStart", "deploymentEnd"),
        ("observations", "eventStart", "eventEnd"),
    ):
        times = [
            pd.to_datetime(tables[name][key], utc=True, errors="coerce", format="ISO8601")
            for key in (start, end)
        ]
        late = times[0] > times[1]
        if late.any():
            yield f"{name}.{end}: {tables[name].loc[late, end].iloc[0]!r} is before {start}"
    outside = [path for path in tables["media"]["filePath"] if leads_outside(path)]
    if outside:
        yield f"media.filePath: {outside[0]!r} leads outside the package"
    seen = tables["observations"]
    if "mediaID" in seen and ((seen["observationLevel"] == "media") & seen["mediaID"].isin(MISSING)).any():
        yield "observations.mediaID: nothing for an observation of level media"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_box(box: Json) -> bool:
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        return False
    x, y, width, height = box
    return bool(min(box) >= 0 and x + width <= 1 + 1e-6 and y + height <= 1 + 1e-6)
