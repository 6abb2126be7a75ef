"""A Camtrap DP package as it lies: a folder or a zip archive, what describes it, where its tables are."""

import re
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from primatrix.disk import read_json
from primatrix.errors import InputError
from primatrix.footage import leads_outside
from primatrix.interchange.reading import Json, MalformedError, say_kind

__all__ = [
    "ADDRESS",
    "DESCRIPTION",
    "find_table",
    "find_version",
    "is_archive",
    "is_package",
    "open_package",
    "read_description",
]

DESCRIPTION = "datapackage.json"
ARCHIVE = b"PK\x03\x04"
MOST_BYTES = 4 << 30  # of what is unpacked: a small archive may hold any number of zeros
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
VERSION = re.compile(r"camtrap-dp/(\d[^/]*)/")


def is_archive(path: Path) -> bool:
    """Whether a file is a zip archive."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(ARCHIVE)) == ARCHIVE


def is_package(path: Path) -> bool:
    """Whether a folder or a zip archive holds a description of a package."""
    if path.is_dir():
        return (path / DESCRIPTION).is_file()
    if not is_archive(path):
        return False
    with _open_archive(path) as archive:
        return _find_top(archive) is not None


@contextmanager
def open_package(path: Path) -> Iterator[Path]:
    """The folder of a package: itself, that of its description, or a temporary one with what its zip archive holds.

    Errors about files of the archive name the archive. Raises InputError for an archive that cannot be unpacked.
    """
    if not is_archive(path):
        yield path if path.is_dir() else path.parent
        return
    with TemporaryDirectory() as temporary:
        try:
            _unpack(path, Path(temporary))
            yield Path(temporary)
        except InputError as error:
            raise InputError(str(error).replace(temporary, str(path))) from error


def find_version(described: Mapping[str, Json]) -> str:
    """The version of Camtrap DP that a package states, as `1.0.2`; empty where it states none.

    >>> find_version({"profile": "https://raw.githubusercontent.com/tdwg/camtrap-dp/0.1.6/camtrap-dp-profile.json"})
    '0.1.6'
    """
    resources = described.get("resources")
    parts = [part for part in resources if isinstance(part, dict)] if isinstance(resources, list) else []
    said = [described.get("profile"), *(part.get("schema") for part in parts)]
    found = (VERSION.search(text) for text in said if isinstance(text, str))
    return next((version[1] for version in found if version), "")


def read_description(folder: Path) -> dict[str, Json]:
    """What describes a package. MalformedError, which names it, for another version than Camtrap DP 1."""
    described = read_json(folder / DESCRIPTION)
    version = find_version(described)
    if version and not re.fullmatch(r"1\.\d+(\.\d+)?", version):
        raise MalformedError(f"Camtrap DP {version}, whose tables are others; wanted 1.0, 1.0.1 or 1.0.2: export it "
                             "anew from where it was made")  # fmt: skip
    return described


def find_table(described: Mapping[str, Json], name: str, folder: Path) -> Path:
    """Where a table of a package lies. MalformedError where it has none, or one that is not a file in its folder."""
    resources = described.get("resources")
    parts = [part for part in resources if isinstance(part, dict)] if isinstance(resources, list) else []
    part = next((part for part in parts if part.get("name") == name), None)
    if part is None:
        raise MalformedError(f"resources: no {name}; wanted deployments, media and observations")
    place = part.get("path")
    if isinstance(place, list) and len(place) == 1:
        place = place[0]
    if not isinstance(place, str) or not place:
        got = "in several files" if isinstance(place, list) else f"at {say_kind(place)}"
        raise MalformedError(f"resources: {name} is {got}; wanted the path of one file")
    if ADDRESS.match(place):
        raise MalformedError(f"resources: {name} lies at {place}; wanted a file in the package: download it")
    if leads_outside(place):
        raise MalformedError(f"resources: {name}: {place} leads outside the package; wanted a file in it")
    return folder / place


@contextmanager
def _open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: cannot be unpacked ({reason}); unpack it, and name its folder") from error


def _find_top(archive: zipfile.ZipFile) -> PurePosixPath | None:
    """The folder in an archive that holds the description nearest to its top."""
    names = [PurePosixPath(name) for name in archive.namelist()]
    found = [name.parent for name in names if name.name == DESCRIPTION and "__MACOSX" not in name.parts]
    return min(found, key=lambda folder: len(folder.parts), default=None)


def _unpack(path: Path, target: Path) -> None:
    """The description and the tables beside it, not the media."""
    with _open_archive(path) as archive:
        top = _find_top(archive)
        if top is None:
            raise InputError(f"{path}: a zip archive without {DESCRIPTION}; wanted a Camtrap DP package")
        wanted = [
            info for info in archive.infolist()
            if PurePosixPath(info.filename).is_relative_to(top) and not leads_outside(info.filename)
            and PurePosixPath(info.filename).suffix.lower() in (".csv", ".json")
        ]  # fmt: skip
        if sum(info.file_size for info in wanted) > MOST_BYTES:
            raise InputError(
                f"{path}: its tables take more than {MOST_BYTES >> 30} GB; unpack it, and name its folder"
            )
        for info in wanted:
            place = target / PurePosixPath(info.filename).relative_to(top)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(archive.read(info))
