"""What Camtrap DP needs and no video holds: where cameras stood, whose project it is. Asked for, never invented."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from primatrix.errors import InputError
from primatrix.footage import CAMTRAP_NAMES, Deployments, parse_zone, put_in_zone, read_deployments
from primatrix.interchange.camtrap_rules import (
    CAPTURE_METHODS,
    CONTRIBUTOR_ROLES,
    RULES,
    SAMPLING_DESIGNS,
    check_column,
)
from primatrix.interchange.options import ExportOptions
from primatrix.results import Results

__all__ = ["Field", "gather_fieldwork"]

NEEDED_FACTS = {
    "title": "the project's title",
    "samplingDesign": f"one of {', '.join(SAMPLING_DESIGNS)}",
    "captureMethod": f"some of {', '.join(CAPTURE_METHODS)}",
    "individualAnimals": "true or false: whether individuals are told apart",
    "contributors": "a list of {title: name, role: contact, …}",
}
PACKAGE_FACTS = (
    "contributors", "licenses", "bibliographicCitation", "references", "relatedIdentifiers", "keywords", "version",
    "coordinatePrecision", "homepage",
)  # fmt: skip
PROJECT_FACTS = (
    "id",
    "title",
    "acronym",
    "description",
    "path",
    "samplingDesign",
    "captureMethod",
    "individualAnimals",
)


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """What the user told about the fieldwork, checked.

    `deployment_of` names each clip's deployment, `deployments` has their rows (index: deploymentID), `started` the
    time of recording of each clip that has one. `project` and `package` are parts of datapackage.json.
    """

    deployment_of: "pd.Series[str]"
    deployments: pd.DataFrame
    started: Mapping[str, datetime]
    project: Mapping[str, Any]  # Any: JSON values of several types
    package: Mapping[str, Any]


def gather_fieldwork(results: Results, options: ExportOptions) -> Field:
    """Read the files of `options`; all that is missing is asked for in one line (InputError)."""
    asks: list[str] = []
    facts = _read_project(options.project)
    missing = [f"{name} ({what})" for name, what in NEEDED_FACTS.items() if name not in facts]
    if missing:
        asks.append(f"--project FILE.json with {'; '.join(missing)}")
    zone_name = options.timezone or str(results.facts["timezone"] or "")
    zone = parse_zone(zone_name) if zone_name else None
    given = read_deployments(options.deployments) if options.deployments else None
    table = _list_deployments(given, zone, asks)
    deployment_of = _name_deployments(results, given, table)
    table = _place_deployments(results, table, deployment_of)
    absent = [name for name in deployment_of.unique() if name and name not in table.index]
    if absent or not len(table):
        which = ", ".join(absent[:5]) + (", …" if len(absent) > 5 else "") if absent else "the camera"
        asks.append(f"--deployments FILE.csv with deployment, latitude, longitude of {which}")
    started = _date_clips(results, options, zone, asks)
    if asks:
        raise InputError(f"camtrap-dp needs what the videos do not hold: {'; and '.join(asks)}")
    if (deployment_of == "").any():
        clip = deployment_of[deployment_of == ""].index[0]
        raise InputError(f"clips: {clip} has no site or deployment, and there are {len(table)} deployments; run "
                         "`primatrix predict` with --site-from, or give one deployment")  # fmt: skip
    _check_project(facts, options.project)
    project = {key: facts[key] for key in PROJECT_FACTS if key in facts} | {"observationLevel": ["media"]}
    return Field(
        deployment_of, table, started, project, {key: facts[key] for key in PACKAGE_FACTS if key in facts}
    )


def _name_deployments(results: Results, given: Deployments | None, table: pd.DataFrame) -> "pd.Series[str]":
    """Each clip's deployment, else its site, else what the table says of it, else the only deployment there is."""
    clips = results.clips.set_index("filepath")
    named = clips["deployment"].where(clips["deployment"] != "", clips["site"])
    if given:
        named = named.where(named != "", given.look_up(clips.index)["deployment"])
    only = str(table.index[0]) if len(table) == 1 else ""
    return named.where(named != "", only)


def _place_deployments(
    results: Results, table: pd.DataFrame, deployment_of: "pd.Series[str]"
) -> pd.DataFrame:
    """The user's rows with `locationID` filled by the site, and a row for each visit to a site that has one."""
    sites = results.clips.set_index("filepath")["site"].groupby(deployment_of).unique()
    rows = {str(name): dict(row) for name, row in table.to_dict("index").items()}
    for name, found in sites.items():
        place = str(found[0]) if len(found) == 1 else ""
        row = rows.get(str(name)) or rows.get(place)
        if row is not None and place:
            rows[str(name)] = {**row, "locationID": row.get("locationID") or place}
    columns = [column for column in RULES["deployments"] if column == "locationID" or column in table.columns]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _list_deployments(given: Deployments | None, zone: tzinfo | None, asks: list[str]) -> pd.DataFrame:
    """The rows with coordinates, by deploymentID, in Camtrap DP's columns; times without a zone are put into `zone`."""
    rules = RULES["deployments"]
    if given is None:
        return pd.DataFrame(columns=list(rules)[1:])
    others = [name for name in rules if name not in CAMTRAP_NAMES.values()]
    table = given.by_deployment(others=others).rename(columns=CAMTRAP_NAMES)
    table = table[(table["latitude"] != "") & (table["longitude"] != "")].copy()
    for column in ("deploymentStart", "deploymentEnd"):  # may be left empty: the recordings tell
        moments = [datetime.fromisoformat(text) if text else None for text in table[column]]
        if zone is None and any(moment and moment.tzinfo is None for moment in moments):
            asks.append(f"--timezone, as Africa/Abidjan: {given.path} has times without zone")
            moments = [None] * len(moments)
        table[column] = [
            put_in_zone(moment, zone).isoformat(timespec="seconds") if moment else "" for moment in moments
        ]
    for column in table.columns:
        wrong = [line for line in check_column(table[column], rules[column]) if "nothing in row" not in line]
        if wrong:
            raise InputError(f"{given.path}: {wrong[0]}")
    return table


def _date_clips(
    results: Results, options: ExportOptions, zone: tzinfo | None, asks: list[str]
) -> dict[str, datetime]:
    """When each dated clip began, with its zone; a missing zone, and undated clips, are asked for."""
    started, zoneless, undated = {}, [], []
    for name, text in zip(results.clips["filepath"], results.clips["recorded_at"], strict=True):
        if not text:
            undated.append(name)
            continue
        time = datetime.fromisoformat(text)
        if time.tzinfo is None and zone is None:
            zoneless.append(name)
        started[name] = put_in_zone(time, zone) if time.tzinfo is None else time
    if zoneless:
        asks.append(
            f"--timezone, as Africa/Abidjan: {len(zoneless)} clips ({zoneless[0]}, …) have times without zone"
        )
    if undated and not options.skip_undated:
        asks.append(f"a time of recording of {len(undated)} clips ({undated[0]}, …): `primatrix predict --help` tells "
                    "where times come from; or --skip-undated leaves them out")  # fmt: skip
    return started


def _read_project(path: Path | None) -> dict[str, Any]:  # Any: JSON values of several types
    if path is None:
        return {}
    is_yaml = path.suffix.lower() in (".yaml", ".yml")
    try:
        text = path.read_text(encoding="utf-8-sig")
        facts = _parse_yaml(text) if is_yaml else json.loads(text)
    except (OSError, ValueError, TypeError, RecursionError, yaml.YAMLError) as error:
        what = f"not {'YAML' if is_yaml else 'JSON'} ({' '.join(str(error).split())})"
        reason = error.strerror if isinstance(error, OSError) else what
        raise InputError(f"{path}: {reason}; wanted {', '.join(NEEDED_FACTS)}") from error
    known = {*PACKAGE_FACTS, *PROJECT_FACTS}
    if not isinstance(facts, dict) or set(facts) - known:
        what = (
            f"`{min(set(facts) - known)}` is not known"
            if isinstance(facts, dict)
            else f"got a {type(facts).__name__}"
        )
        raise InputError(f"{path}: {what}; wanted some of {', '.join(sorted(known))}")
    return facts


def _parse_yaml(text: str) -> object:
    """What a YAML text says in kinds that JSON has too: an unquoted date is its text."""
    return json.loads(json.dumps(yaml.safe_load(text), default=str))


def _check_project(facts: Mapping[str, Any], path: Path | None) -> None:
    methods, contributors = facts["captureMethod"], facts["contributors"]
    wrong = [
        ("title", isinstance(facts["title"], str) and bool(facts["title"].strip())),
        ("samplingDesign", facts["samplingDesign"] in SAMPLING_DESIGNS),
        (
            "captureMethod",
            isinstance(methods, list) and bool(methods) and all(m in CAPTURE_METHODS for m in methods),
        ),
        ("individualAnimals", isinstance(facts["individualAnimals"], bool)),
        (
            "contributors",
            isinstance(contributors, list) and bool(contributors) and all(map(_is_contributor, contributors)),
        ),
    ]
    for name, right in wrong:
        if not right:
            raise InputError(f"{path}: {name}: got {facts[name]!r}; wanted {NEEDED_FACTS[name]}")


def _is_contributor(value: object) -> bool:
    if not isinstance(value, dict) or not value.get("title"):
        return False
    return "role" not in value or value["role"] in CONTRIBUTOR_ROLES
