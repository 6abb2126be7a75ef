"""The frictionless library as an outside judge of a Camtrap DP package, where it is installed (extra `camtrap`)."""

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from primatrix.disk import read_json
from primatrix.errors import InputError
from primatrix.interchange.camtrap_package import DESCRIPTION, open_package

__all__ = ["ask_frictionless", "has_frictionless"]

PROFILE = "camtrap-dp-profile.json"
GEOJSON = '"$ref": "http://json.schemastore.org/geojson.json"'


def has_frictionless() -> bool:
    """Whether the library is installed."""
    return find_spec("frictionless") is not None


def ask_frictionless(path: Path, *, schemas: Path | None = None) -> list[str]:
    """What frictionless finds wrong with a package, a line each.

    The published schemas are fetched from where the package says, or read from the folder `schemas`, which holds the
    four files of https://github.com/tdwg/camtrap-dp under their own names. Their profile refers to two schemas
    elsewhere (Data Package, which frictionless knows, and GeoJSON): with `schemas`, nothing is fetched.
    Raises InputError where the library is not installed or the schemas cannot be had.
    """
    if not has_frictionless():
        raise InputError("frictionless is not installed; pip install 'primatrix[camtrap]'")
    with open_package(path) as folder:
        return _judge(folder, schemas)


def _judge(folder: Path, schemas: Path | None) -> list[str]:
    from frictionless import FrictionlessException, Package

    descriptor = read_json(folder / DESCRIPTION)
    problems = [] if schemas is None else _ask_profile(descriptor, schemas / PROFILE)
    if schemas is not None and not _names_resources(descriptor):
        return [*problems, "$.resources: wanted a list of the package's tables, each with its name"]
    local = descriptor if schemas is None else _name_schemas(descriptor, schemas)
    try:
        report = Package.from_descriptor(local, basepath=str(folder)).validate()
    except FrictionlessException as error:
        reasons = [str(reason.note) for reason in (error.reasons or [error.error])]
        if schemas is None and "cannot retrieve" in reasons[0]:
            raise InputError(f"frictionless was not asked: {reasons[0]}; name a folder with the four published files "
                             "with --schemas") from error  # fmt: skip
        return [*problems, *reasons]
    found = [*report.errors, *(error for task in report.tasks for error in task.errors)]
    return problems + [" ".join(str(error.message).split()) for error in found]


def _names_resources(descriptor: dict[str, Any]) -> bool:  # Any: JSON values of several types
    """Whether the package lists its tables by name, as it must."""
    resources = descriptor.get("resources")
    return isinstance(resources, list) and all(
        isinstance(part, dict) and isinstance(part.get("name"), str) for part in resources
    )


def _name_schemas(
    descriptor: dict[str, Any], schemas: Path
) -> dict[str, Any]:  # Any: JSON values of several types
    """The package with the schemas themselves in it, where it has their addresses."""
    resources = [
        {**part, "schema": read_json(schemas / f"{part['name']}-table-schema.json")}
        for part in descriptor["resources"]
    ]
    return {**descriptor, "profile": "data-package", "resources": resources}


def _ask_profile(descriptor: dict[str, Any], path: Path) -> list[str]:  # Any: JSON values of several types
    """The published profile, through jsonschema (which frictionless brings), without what it refers to elsewhere."""
    import jsonschema

    profile = read_json(path)
    own = {**profile, "allOf": [part for part in profile["allOf"] if "$ref" not in part]}
    rules = json.loads(json.dumps(own).replace(GEOJSON, '"type": "object"'))
    judge = jsonschema.Draft7Validator(rules, format_checker=jsonschema.FormatChecker())
    return [f"{error.json_path}: {error.message}" for error in judge.iter_errors(descriptor)]
