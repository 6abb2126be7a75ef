"""Answers to other programs and labels from them: CSV, Camtrap DP, MegaDetector's and SpeciesNet's JSON.

One module per format, each with a writer and a reader of one shape; `checking` holds the published rules.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import get_args

from primatrix.choices import Format
from primatrix.disk import (
    check_output_file,
    check_output_folder,
    read_header,
    read_json,
    refuse_strange_files,
)
from primatrix.errors import InputError
from primatrix.interchange.camtrap import write_camtrap
from primatrix.interchange.camtrap_package import is_archive, is_package
from primatrix.interchange.camtrap_reading import read_camtrap
from primatrix.interchange.checks import check_camtrap, check_megadetector, check_speciesnet
from primatrix.interchange.frictionless_judge import ask_frictionless, has_frictionless
from primatrix.interchange.megadetector import read_megadetector, write_megadetector
from primatrix.interchange.options import ExportOptions, ExportRun
from primatrix.interchange.reading import MalformedError, Reading
from primatrix.interchange.speciesnet import read_speciesnet, write_speciesnet
from primatrix.interchange.tabular import (
    check_table,
    is_long,
    read_lists,
    read_long,
    read_wide,
    write_long,
    write_wide,
)
from primatrix.results import Results

__all__ = [
    "ExportOptions",
    "ExportRun",
    "Reading",
    "ask_frictionless",
    "check_export",
    "export_results",
    "find_format",
    "has_frictionless",
    "read_export",
]

WRITERS: Mapping[str, Callable[[Results, Path, ExportOptions], object]] = {
    "csv": write_wide,
    "long-csv": write_long,
    "camtrap-dp": write_camtrap,
    "megadetector": write_megadetector,
    "speciesnet": write_speciesnet,
}
READERS: Mapping[str, Callable[[Path], Reading]] = {
    "csv": read_wide,
    "long-csv": read_long,
    "list-csv": read_lists,
    "camtrap-dp": read_camtrap,
    "megadetector": read_megadetector,
    "speciesnet": read_speciesnet,
}
CHECKS: Mapping[str, Callable[[Path], list[str]]] = {
    "csv": check_table,
    "long-csv": check_table,
    "list-csv": check_table,
    "camtrap-dp": check_camtrap,
    "megadetector": check_megadetector,
    "speciesnet": check_speciesnet,
}
SPECIES_NAMED_BY = ("camtrap-dp", "megadetector", "speciesnet")  # formats that use the taxonomy
# What reading a file gives whose parts are of other kinds than its format says: a number for a list, say.
MALFORMED = (KeyError, TypeError, AttributeError, IndexError, ValueError)


def export_results(
    results: Results | str | Path, to: Format, out: str | Path, *, options: ExportOptions | None = None
) -> ExportRun:
    """Write results (or those of a folder) in a format other programs read: a file, or a folder for Camtrap DP.

    >>> # `example` is a run of two clips: a duiker in one, the other broken
    >>> import tempfile
    >>> out = Path(tempfile.mkdtemp(), "seen.csv")
    >>> export_results(example, "long-csv", out).clips
    2
    >>> read_export(out).sightings[["species", "start_seconds", "end_seconds"]]
      species  start_seconds  end_seconds
    0  duiker            2.0          7.5
    """
    if to not in WRITERS:
        raise InputError(f"--to: got {to!r}, wanted one of {', '.join(get_args(Format))}")
    options, out = options or ExportOptions(), check_place(Path(out), to)
    if options.for_spreadsheet and to not in ("csv", "long-csv"):
        raise InputError(f"--for-spreadsheet: got --to {to}, which programs read; wanted csv or long-csv")
    if not isinstance(results, Results):
        results = Results.read(results, frames=to == "megadetector")  # no other tells of single frames
    left_out = WRITERS[to](results, out, options)
    unknown = options.taxonomy.find_unknown(results.species) if to in SPECIES_NAMED_BY else ()
    skipped = tuple(left_out) if isinstance(left_out, list) else ()
    return ExportRun(out, to, len(results.predictions) - len(skipped), unknown, skipped)


def check_place(out: Path, to: Format) -> Path:
    """The place, where this format can be written there and nothing of others is lost; else InputError."""
    if to != "camtrap-dp":
        return check_output_file(out)
    check_output_folder(out)
    tables = ("deployments.csv", "media.csv", "observations.csv")
    refuse_strange_files(out, tables, marks=("datapackage.json",), what="a Camtrap DP package")
    return out


def find_format(path: str | Path) -> str:
    """Which format a file or folder has, by what stands in it.

    >>> find_format("nowhere.json")
    Traceback (most recent call last):
    primatrix.errors.InputError: nowhere.json: no such file; check the path
    """
    path = Path(path)
    if is_package(path):
        return "camtrap-dp"
    if path.is_dir() or is_archive(path):
        kind = "folder" if path.is_dir() else "zip archive"
        raise InputError(f"{path}: a {kind} without datapackage.json; wanted a Camtrap DP package, or a file")
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    with path.open("rb") as file:  # UTF-16, as some programs write it, has zero bytes between
        first = file.read(64).lstrip(b"\xef\xbb\xbf\xff\xfe\0 \t\r\n")[:1]
    if first in (b"{", b"["):
        found = read_json(path)
        for key, name in (
            ("images", "megadetector"),
            ("predictions", "speciesnet"),
            ("resources", "camtrap-dp"),
        ):
            if key in found:
                return name
        raise InputError(f"{path}: JSON with {', '.join(list(found)[:5]) or 'nothing'}; wanted `images` (MegaDetector)"
                         ", `predictions` (SpeciesNet) or `resources` (Camtrap DP)")  # fmt: skip
    columns = read_header(path)
    return "long-csv" if is_long(columns) else "list-csv" if "labels" in columns else "csv"


def read_export(path: str | Path) -> Reading:
    """Labels, stretches, probabilities and failures of a file of any format, which its content tells.

    Raises InputError where it is not what its format says.
    """
    kind = find_format(path)
    try:
        return READERS[kind](Path(path))
    except MALFORMED as error:
        raise InputError(
            f"{path}: {_describe(error, kind)}; run `primatrix export --check {path}`"
        ) from error


def check_export(path: str | Path, *, schemas: str | Path | None = None, outside: bool = True) -> list[str]:
    """What is wrong with a file or folder of any format, a line each; nothing where it is valid.

    Camtrap DP is also given to the frictionless library where that is installed, unless `outside` is False; `schemas`
    names a folder with the published schemas, so that nothing need be fetched.
    """
    path = Path(path)
    kind = find_format(path)
    try:
        problems = CHECKS[kind](path)
    except MALFORMED as error:
        return [f"{path}: {_describe(error, kind)}"]
    if kind == "camtrap-dp" and outside and has_frictionless():
        problems += ask_frictionless(path, schemas=Path(schemas) if schemas else None)
    return problems


def _describe(error: Exception, kind: str) -> str:
    known = isinstance(error, MalformedError)
    return f"not built as {kind} is: {error if known else 'a part of it is of another kind than the format says'}"
