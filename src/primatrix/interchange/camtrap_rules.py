"""Camtrap DP 1.0.2's rules for its three tables, as data: https://camtrap-dp.tdwg.org/data (TDWG, MIT)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

__all__ = [
    "CAPTURE_METHODS",
    "CONTRIBUTOR_ROLES",
    "MISSING",
    "RANKS",
    "RULES",
    "SAMPLING_DESIGNS",
    "Rule",
    "check_column",
]

MISSING = ("", "NA", "NaN", "nan")  # what the published schemas read as "nothing stands here"
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%z"
CAPTURE_METHODS = ("activityDetection", "timeLapse")
SAMPLING_DESIGNS = (
    "simpleRandom", "systematicRandom", "clusteredRandom", "experimental", "targeted", "opportunistic",
)  # fmt: skip
CONTRIBUTOR_ROLES = ("contact", "principalInvestigator", "rightsHolder", "publisher", "contributor")
RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species", "subspecies")


@dataclass(frozen=True, slots=True)
class Rule:
    """What a column may hold: its kind, whether it must be filled, unique, one of some words, in a range."""

    kind: str = "text"  # text, number, integer, boolean, time
    required: bool = False
    unique: bool = False
    words: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    pattern: str = ""


def _range(least: float, most: float | None = None, kind: str = "number") -> Rule:
    return Rule(kind, least=least, most=most)


TEXT, FLAG = Rule(), Rule("boolean")
KEY, NEEDED, TIME = Rule(required=True, unique=True), Rule(required=True), Rule("time", required=True)

RULES: Mapping[str, Mapping[str, Rule]] = {
    "deployments": {
        "deploymentID": KEY, "locationID": TEXT, "locationName": TEXT,
        "latitude": Rule("number", required=True, least=-90, most=90),
        "longitude": Rule("number", required=True, least=-180, most=180),
        "coordinateUncertainty": _range(1, kind="integer"), "deploymentStart": TIME, "deploymentEnd": TIME,
        "setupBy": TEXT, "cameraID": TEXT, "cameraModel": TEXT, "cameraDelay": _range(0, kind="integer"),
        "cameraHeight": _range(0), "cameraDepth": _range(0), "cameraTilt": _range(-90, 90, "integer"),
        "cameraHeading": _range(0, 360, "integer"), "detectionDistance": _range(0), "timestampIssues": FLAG,
        "baitUse": FLAG,
        "featureType": Rule(words=(
            "roadPaved", "roadDirt", "trailHiking", "trailGame", "roadUnderpass", "roadOverpass", "roadBridge",
            "culvert", "burrow", "nestSite", "carcass", "waterSource", "fruitingTree")),
        "habitat": TEXT, "deploymentGroups": TEXT, "deploymentTags": TEXT, "deploymentComments": TEXT,
    },
    "media": {
        "mediaID": KEY, "deploymentID": NEEDED, "captureMethod": Rule(words=CAPTURE_METHODS), "timestamp": TIME,
        "filePath": Rule(required=True, pattern=r"^(?=^[^./~])(^((?!\.{2}).)*$).*$"),
        "filePublic": Rule("boolean", required=True), "fileName": TEXT,
        "fileMediatype": Rule(required=True, pattern=r"^(image|video|audio)/.*$"),
        "exifData": TEXT, "favorite": FLAG, "mediaComments": TEXT,
    },
    "observations": {
        "observationID": KEY, "deploymentID": NEEDED, "mediaID": TEXT, "eventID": TEXT, "eventStart": TIME,
        "eventEnd": TIME, "observationLevel": Rule(required=True, words=("media", "event")),
        "observationType": Rule(
            required=True, words=("animal", "human", "vehicle", "blank", "unknown", "unclassified")),
        "cameraSetupType": Rule(words=("setup", "calibration")), "scientificName": TEXT,
        "count": _range(1, kind="integer"), "lifeStage": Rule(words=("adult", "subadult", "juvenile")),
        "sex": Rule(words=("female", "male")), "behavior": TEXT, "individualID": TEXT,
        "individualPositionRadius": _range(0), "individualPositionAngle": _range(-90, 90),
        "individualSpeed": _range(0), "bboxX": _range(0, 1), "bboxY": _range(0, 1), "bboxWidth": _range(1e-15, 1),
        "bboxHeight": _range(1e-15, 1), "classificationMethod": Rule(words=("human", "machine")), "classifiedBy": TEXT,
        "classificationTimestamp": Rule("time"), "classificationProbability": _range(0, 1), "observationTags": TEXT,
        "observationComments": TEXT,
    },
}  # fmt: skip


def check_column(column: "pd.Series[str]", rule: Rule) -> list[str]:
    """What is wrong with a column of text cells, a line for each kind of wrong, naming the first such cell.

    >>> check_column(pd.Series(["a", "a", ""], name="mediaID"), Rule(required=True, unique=True))
    ['mediaID: nothing in row 4; wanted a value in every row', "mediaID: 'a' twice; wanted each once"]
    """
    empty = column.isin(MISSING)
    filled, problems = column[~empty], []
    if rule.required and empty.any():
        row = int(empty.to_numpy().argmax()) + 2  # the header is row 1
        problems.append(f"{column.name}: nothing in row {row}; wanted a value in every row")
    if rule.unique and filled.duplicated().any():
        problems.append(f"{column.name}: {filled[filled.duplicated()].iloc[0]!r} twice; wanted each once")
    wanted, fits = _make_test(rule)
    wrong = [cell for cell in filled.unique() if not fits(cell)]
    if wrong:
        problems.append(f"{column.name}: {wrong[0]!r}; wanted {wanted}")
    return problems


def _make_test(rule: Rule) -> tuple[str, Callable[[str], bool]]:
    if rule.words:
        return f"one of {', '.join(rule.words)}", lambda cell: cell in rule.words
    if rule.pattern:
        return f"text like {rule.pattern}", lambda cell: re.match(rule.pattern, cell) is not None
    if rule.kind == "boolean":
        return (
            "true or false",
            lambda cell: cell in ("true", "True", "TRUE", "1", "false", "False", "FALSE", "0"),
        )
    if rule.kind == "time":
        return "a time with its zone, as 2026-03-01T06:30:00+01:00", _is_time
    if rule.kind in ("number", "integer"):
        least, most = rule.least, rule.most
        kind = "a whole number" if rule.kind == "integer" else "a number"
        return f"{kind} from {least} to {most if most is not None else '…'}", lambda cell: _is_number(
            cell, rule
        )
    return "text", lambda _: True


def _is_time(cell: str) -> bool:
    try:
        datetime.strptime(cell, TIME_FORMAT)  # the format demands a zone
    except ValueError:
        return False
    return True


def _is_number(cell: str, rule: Rule) -> bool:
    try:
        value = int(cell) if rule.kind == "integer" else float(cell)
    except ValueError:
        return False
    return (rule.least is None or value >= rule.least) and (rule.most is None or value <= rule.most)
