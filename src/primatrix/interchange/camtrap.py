"""Camtrap DP 1.0.2 of video: deployments, media, observations, datapackage.json (TDWG, https://camtrap-dp.tdwg.org).

One media row per clip with the time it began; one media-level observation per sighting, from its first second to its
last on the clock; a `blank`, `unknown` or, for a file that could not be read, `unclassified` observation where
nothing is seen. Clock times have whole seconds there (a sighting is rounded outwards); the exact ones stand in
observationTags.
"""

import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd

import primatrix
from primatrix.disk import write_json_lists, write_table
from primatrix.errors import InputError
from primatrix.footage import is_doubted
from primatrix.interchange.camtrap_package import DESCRIPTION
from primatrix.interchange.camtrap_rules import MISSING, RANKS, RULES
from primatrix.interchange.camtrap_words import (
    FAILED_COMMENT,
    NAME_COMMENT,
    PARTIAL_COMMENT,
    escape,
    write_box,
    write_tags,
)
from primatrix.interchange.fieldwork import Field, gather_fieldwork
from primatrix.interchange.findings import Finding, find_all
from primatrix.interchange.options import ExportOptions
from primatrix.interchange.taxonomy import Taxonomy
from primatrix.results import Results

__all__ = ["write_camtrap"]

PUBLISHED = "https://raw.githubusercontent.com/tdwg/camtrap-dp/1.0.2"
MEDIA_TYPES = {
    ".mp4": "video/mp4", ".avi": "video/x-msvideo", ".mov": "video/quicktime", ".mkv": "video/x-matroska",
    ".asf": "video/x-ms-asf", ".wmv": "video/x-ms-wmv", ".m4v": "video/x-m4v", ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg", ".mts": "video/mp2t", ".m2ts": "video/mp2t", ".3gp": "video/3gpp",
    ".webm": "video/webm", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png",
    ".tif": "image/tiff", ".tiff": "image/tiff", ".webp": "image/webp",
}  # fmt: skip


def write_camtrap(results: Results, folder: Path, options: ExportOptions) -> list[str]:
    """Write the package into `folder`, datapackage.json last; gives the clips left out for want of a time.

    Raises InputError naming all that is needed and not there: coordinates, time zone, facts of the project.
    """
    field = gather_fieldwork(results, options)
    findings = [finding for finding in find_all(results) if finding.filepath in field.started]
    if not findings:
        raise InputError("clips: no clip has a time of recording; camtrap-dp needs one of every clip")
    tables = {
        "deployments": _make_deployments(findings, field),
        "media": _make_media(findings, field),
        "observations": _make_observations(findings, field, results, options.taxonomy),
    }
    (folder / DESCRIPTION).unlink(missing_ok=True)  # not done until it is there again
    for name, table in tables.items():
        write_table(table, folder / f"{name}.csv", index=False)
    head = _describe_package(tables, field, results, options.taxonomy)
    write_json_lists(folder / DESCRIPTION, head, {})
    return [name for name in results.clips["filepath"] if name not in field.started]


def _make_media(findings: list[Finding], field: Field) -> pd.DataFrame:
    methods = field.project["captureMethod"]
    rows = []
    for finding in findings:
        path, comments = _safe_path(finding.filepath), []
        if path != finding.filepath:
            comments.append(NAME_COMMENT + escape(finding.filepath))
        if finding.reason:
            comments.append(FAILED_COMMENT + escape(finding.reason))
        elif finding.partial:
            comments.append(PARTIAL_COMMENT + escape(finding.note or "damaged or cut short"))
        if finding.facts["time_warning"]:
            comments.append(f"time: {finding.facts['time_warning']}")
        rows.append({
            "mediaID": _media_id(finding.filepath),
            "deploymentID": field.deployment_of[finding.filepath],
            "captureMethod": methods[0] if len(methods) == 1 else "",
            "timestamp": _write_time(field.started[finding.filepath]),
            "filePath": path,
            "filePublic": "false",
            "fileName": PurePosixPath(finding.filepath).name,
            "fileMediatype": MEDIA_TYPES.get(PurePosixPath(finding.filepath).suffix.lower(), "video/mp4"),
            "mediaComments": " | ".join(comments),
        })  # fmt: skip
    return _make_frame(rows, "media")


def _make_observations(
    findings: list[Finding], field: Field, results: Results, taxonomy: Taxonomy
) -> pd.DataFrame:
    made = results.facts["created"]
    by = {
        "classificationMethod": "machine",
        "classifiedBy": f"primatrix {results.facts['primatrix_version']} {results.facts['model']}".strip(),
        "classificationTimestamp": _write_time(datetime.fromisoformat(made)) if made else "",
    }
    taxa = {name: taxonomy[name] for name in results.species}
    rows = []
    for finding in findings:
        began, medium = field.started[finding.filepath], _media_id(finding.filepath)
        event = str(finding.facts["event"])
        shared = {
            "deploymentID": field.deployment_of[finding.filepath],
            "mediaID": medium,
            "eventID": "" if event in MISSING else event,
            "observationLevel": "media",
        }
        for number, seen in enumerate(finding.sightings, start=1):
            taxon = taxa[seen.species]
            kind = taxon.observation_type
            rows.append(shared | by | {
                "observationID": f"{medium}-{number}",
                **_clock(began, seen.start_seconds, seen.end_seconds),
                "observationType": kind,
                "scientificName": taxon.scientific_name,
                "classificationProbability": str(seen.probability),
                "observationTags": write_tags(seen),
                **write_box(seen),
            })  # fmt: skip
        if not finding.sightings:
            rows.append(
                shared
                | (by if finding.verdict != "failed" else {})
                | _describe_unseen(finding, began, medium)
            )
    return _make_frame(rows, "observations")


def _describe_unseen(finding: Finding, began: datetime, medium: str) -> dict[str, str]:
    seconds = finding.facts["duration_seconds"]
    row = {"observationID": f"{medium}-0", **_clock(began, 0.0, 0.0 if pd.isna(seconds) else float(seconds))}
    if finding.verdict == "failed":
        return {
            **row,
            "observationType": "unclassified",
            "observationComments": FAILED_COMMENT + finding.reason,
        }
    chance = finding.blank_probability
    written = "" if chance is None or finding.verdict != "blank" else str(chance)
    return {**row, "observationType": finding.verdict, "classificationProbability": written}


def _make_deployments(findings: list[Finding], field: Field) -> pd.DataFrame:
    """The user's rows of the deployments with clips; where they give no start or end, the recordings do.

    Where a clock was plainly wrong, `timestampIssues` says so.
    """
    doubted = {field.deployment_of[finding.filepath] for finding in findings if _is_doubted(finding)}
    times: dict[str, list[datetime]] = {}
    for finding in findings:
        began, seconds = field.started[finding.filepath], finding.facts["duration_seconds"]
        ended = began + timedelta(seconds=0.0 if pd.isna(seconds) else float(np.ceil(seconds)))
        times.setdefault(field.deployment_of[finding.filepath], []).extend((began, ended))
    rows = []
    for name, moments in times.items():
        if name in MISSING:
            raise InputError(f"deployment {name!r}: Camtrap DP reads this as nothing; wanted another name")
        given = {str(key): str(value) for key, value in field.deployments.loc[name].fillna("").items()}
        if name in doubted and given.get("timestampIssues", "") in MISSING:
            given["timestampIssues"] = "true"
        derived = {"deploymentStart": _write_time(min(moments)), "deploymentEnd": _write_time(max(moments))}
        late = [key for key in derived if given.get(key, "") in MISSING]
        note = f"{' and '.join(late)} from the first and last recording" if late else ""
        comments = " | ".join(text for text in (given.get("deploymentComments", ""), note) if text)
        rows.append(
            {
                "deploymentID": name,
                **given,
                **{key: derived[key] for key in late},
                "deploymentComments": comments,
            }
        )
    return _make_frame(rows, "deployments")


def _is_doubted(finding: Finding) -> bool:
    return is_doubted(finding.facts["time_source"], finding.facts["time_warning"])


def _describe_package(
    tables: Mapping[str, pd.DataFrame], field: Field, results: Results, taxonomy: Taxonomy
) -> dict[str, Any]:  # Any: JSON values of several types
    places = (
        tables["deployments"][["longitude", "latitude"]].astype(float).drop_duplicates().to_numpy().tolist()
    )
    starts = [datetime.fromisoformat(text) for text in tables["deployments"]["deploymentStart"]]
    ends = [datetime.fromisoformat(text) for text in tables["deployments"]["deploymentEnd"]]
    names = set(tables["observations"]["scientificName"])
    return {
        "resources": [
            {"name": name, "path": f"{name}.csv", "profile": "tabular-data-resource", "format": "csv",
             "mediatype": "text/csv", "encoding": "utf-8", "schema": f"{PUBLISHED}/{name}-table-schema.json"}
            for name in tables
        ],
        "profile": f"{PUBLISHED}/camtrap-dp-profile.json",
        "created": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        **field.package,
        "sources": [{"title": f"primatrix, model {results.facts['model']}", "version": primatrix.__version__}],
        "project": dict(field.project),
        "spatial": {"type": "Point", "coordinates": places[0]} if len(places) == 1
        else {"type": "MultiPoint", "coordinates": places},
        "temporal": {"start": min(starts).date().isoformat(), "end": max(ends).date().isoformat()},
        "taxonomic": list(_list_taxa(results, taxonomy, names)),
    }  # fmt: skip


def _list_taxa(
    results: Results, taxonomy: Taxonomy, names: set[str]
) -> Iterator[dict[str, Any]]:  # Any: JSON
    """Each scientific name once; ranks the format has no word for (subfamily, tribe) are left out."""
    for name in results.species:
        taxon = taxonomy[name]
        if not taxon.scientific_name or taxon.scientific_name not in names:
            continue
        names = names - {taxon.scientific_name}
        ranks = {"class": taxon.class_, "order": taxon.order, "family": taxon.family, "genus": taxon.genus}
        rank = {"taxonRank": taxon.taxon_rank} if taxon.taxon_rank in RANKS else {}
        known = {"taxonID": f"https://www.gbif.org/species/{taxon.gbif_id}"} if taxon.gbif_id else {}
        common = {"vernacularNames": {"eng": taxon.common_name}} if taxon.common_name else {}
        yield {
            "scientificName": taxon.scientific_name, **known, **rank,
            **{key: value for key, value in ranks.items() if value}, **common,
        }  # fmt: skip


def _make_frame(rows: list[dict[str, str]], name: str) -> pd.DataFrame:
    columns = list(RULES[name])
    return pd.DataFrame(
        [[row.get(column, "") for column in columns] for row in rows], columns=columns, dtype=str
    )


def _media_id(filepath: str) -> str:
    """The same for the same path, in every export."""
    return hashlib.sha256(filepath.encode()).hexdigest()[:16]


def _safe_path(filepath: str) -> str:
    """The path as the format allows it: not beginning with . / or ~, without `..`."""
    path = filepath.replace("..", "%2E%2E").replace("\n", "%0A")
    return f"%{ord(path[0]):02X}{path[1:]}" if path[:1] in (".", "/", "~") else path


def _write_time(time: datetime) -> str:
    return time.replace(microsecond=0).isoformat()


def _clock(began: datetime, start_seconds: float, end_seconds: float) -> dict[str, str]:
    """The sighting on the clock, in whole seconds that hold all of it."""
    start, end = began + timedelta(seconds=start_seconds), began + timedelta(seconds=end_seconds)
    if end.microsecond:
        end += timedelta(seconds=1)
    return {"eventStart": _write_time(start), "eventEnd": _write_time(end)}
