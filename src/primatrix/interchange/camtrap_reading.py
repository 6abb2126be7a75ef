"""Labels and stretches in a Camtrap DP package, ours or another program's."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from primatrix.disk import read_text_table
from primatrix.interchange.camtrap_package import ADDRESS, find_table, open_package, read_description
from primatrix.interchange.camtrap_rules import MISSING, RULES
from primatrix.interchange.camtrap_words import (
    BOX_COLUMNS,
    FAILED_COMMENT,
    NAME_COMMENT,
    read_comments,
    read_tags,
)
from primatrix.interchange.reading import MalformedError, Reading, make_table, settle_labels, to_number
from primatrix.labels import BLANK
from primatrix.results import NO_BOX

__all__ = ["read_camtrap"]

Row = Mapping[str, str]


def read_camtrap(path: Path) -> Reading:
    """Labels and stretches of a package: its folder, its datapackage.json or a zip archive of it.

    The label is the tag `label`, which our exports have, else the scientific name; `blank` and `human` stand for
    themselves, unknown and unclassified observations give no label. Observations of an event give their label to the
    media of its deployment that were taken from its start to its end and have no label of their own; they give
    no stretches. A file is named by its path, one that lies at an address by its `fileName`.
    """
    with open_package(path) as folder:
        described = read_description(folder)
        media, deployments, observations = (
            _read_rows(find_table(described, name, folder), name)
            for name in ("media", "deployments", "observations")
        )
    names = _name_media(media)
    sites = {key: row["locationName"] or row["locationID"] or key for key, row in deployments.items()}
    own, of_events = _share_out(observations, media)
    labels = [(key, label) for key, row in own if (label := _label_of(row))]
    judged = {key for key, _ in labels}
    labels += [(key, label) for key, several in of_events.items() if key not in judged for label in several]
    labels += [(key, "") for key in media if key not in judged and key not in of_events]
    places = {key: row["deploymentID"] for key, row in media.items()}
    rows = [(names[key], label, sites.get(places[key], places[key])) for key, label in labels]
    stretches = [
        _make_stretch(row, names[key], began=media[key]["timestamp"])
        for key, row in own
        if _label_of(row) not in ("", BLANK)
    ]
    return Reading(
        "camtrap-dp",
        pd.DataFrame(rows, columns=["filepath", "label", "site"]).drop_duplicates(["filepath", "label"]),
        make_table(stretches, "sightings"),
        make_table(_list_failures(media, names), "failures"),
    )


def _read_rows(path: Path, name: str) -> dict[str, Row]:
    """A table's rows by their first column, every column of the format in each."""
    table = read_text_table(path, needed=[column for column, rule in RULES[name].items() if rule.required])
    table = table.reindex(columns=list(RULES[name]), fill_value="")
    return {
        row[0]: dict(zip(RULES[name], row, strict=True)) for row in table.itertuples(index=False, name=None)
    }


def _name_media(media: Mapping[str, Row]) -> dict[str, str]:
    """Each file's name; those of the same name at addresses have their deployment before it."""
    names = {key: _true_name(row) for key, row in media.items()}
    counts = Counter(names.values())
    for key, row in media.items():
        if counts[names[key]] > 1 and ADDRESS.match(row["filePath"]):
            names[key] = f"{row['deploymentID']}/{names[key]}"
    twice = next((name for name, count in Counter(names.values()).items() if count > 1), None)
    if twice is not None and any(
        ADDRESS.match(media[key]["filePath"]) for key in names if names[key] == twice
    ):
        raise MalformedError(
            f"media: several are called {twice}; wanted a fileName of its own for each in a deployment"
        )
    return names


def _true_name(row: Row) -> str:
    own = next(read_comments(row["mediaComments"], NAME_COMMENT), "")
    return own or (row["fileName"] if ADDRESS.match(row["filePath"]) else "") or row["filePath"]


def _share_out(
    observations: Mapping[str, Row], media: Mapping[str, Row]
) -> tuple[list[tuple[str, Row]], dict[str, list[str]]]:
    """Observations of single media, each with its mediaID; and, by mediaID, the labels of events it was taken in."""
    own: list[tuple[str, Row]] = []
    found: dict[str, list[str]] = {}
    has_events = any(row["observationLevel"] == "event" for row in observations.values())
    taken = _order_media(media) if has_events else {}
    for row in observations.values():
        if row["mediaID"] in media:
            own.append((row["mediaID"], row))
        elif row["observationLevel"] == "event":
            times, keys = taken.get(row["deploymentID"], ([], []))
            start, end = (
                _read_time(row[column], f"observations: {column}") for column in ("eventStart", "eventEnd")
            )
            for key in keys[bisect_left(times, start) : bisect_right(times, end)]:
                found.setdefault(key, []).append(_label_of(row))
    return own, {key: settle_labels(labels) for key, labels in found.items()}


def _order_media(media: Mapping[str, Row]) -> dict[str, tuple[list[datetime], list[str]]]:
    """Times and mediaIDs of each deployment's media, in order of time."""
    dated: dict[str, list[tuple[datetime, str]]] = {}
    for key, row in media.items():
        time = _read_time(row["timestamp"], f"media {key}: timestamp")
        dated.setdefault(row["deploymentID"], []).append((time, key))
    ordered = {name: sorted(pairs) for name, pairs in dated.items()}
    return {name: ([time for time, _ in pairs], [key for _, key in pairs]) for name, pairs in ordered.items()}


def _read_time(text: str, what: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise MalformedError(f"{what}: got {text!r}, wanted ISO 8601 with a zone") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _label_of(row: Row) -> str:
    kind = row["observationType"]
    if kind in ("unknown", "unclassified", *MISSING):
        return ""
    return read_tags(row["observationTags"]).get("label") or (
        kind if kind != "animal" else row["scientificName"] or kind
    )


def _make_stretch(row: Row, name: str, *, began: str) -> tuple[object, ...]:
    chance = row["classificationProbability"]
    number = np.nan if chance in MISSING else to_number(chance, "observations: classificationProbability")
    return (name, _label_of(row), *_times_of(row, began), number, *_box_of(row))


def _box_of(row: Row) -> tuple[float, ...]:
    """Where in the picture it is, where the row has all of a box."""
    edges = [row.get(name, "") for name in BOX_COLUMNS]
    if any(edge in MISSING for edge in edges):
        return NO_BOX
    return tuple(
        to_number(edge, f"observations: {name}") for name, edge in zip(BOX_COLUMNS, edges, strict=True)
    )


def _times_of(row: Row, began: str) -> tuple[float, float, float]:
    tags = read_tags(row["observationTags"])
    if "startSeconds" in tags:
        start, end, best = (
            to_number(tags.get(f"{key}Seconds"), f"observationTags: {key}Seconds")
            for key in ("start", "end", "best")
        )
        return start, end, best
    zero = _read_time(began, "media: timestamp")
    start, end = (
        max(0.0, (_read_time(row[key], f"observations: {key}") - zero).total_seconds())
        for key in ("eventStart", "eventEnd")
    )
    return start, end, (start + end) / 2


def _list_failures(media: Mapping[str, Row], names: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for key, row in media.items():
        for comment in read_comments(row["mediaComments"], FAILED_COMMENT):
            stage, _, reason = comment.partition(": ")
            yield names[key], stage, reason
