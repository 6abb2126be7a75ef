"""Packages in folders and archives; tables that lie elsewhere, and other versions, are refused by name."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from primatrix.errors import InputError
from primatrix.interchange.camtrap_package import find_version
from primatrix.interchange.formats import (
    ExportOptions,
    check_export,
    export_results,
    find_format,
    read_export,
)
from primatrix.interchange.labels import read_labels
from primatrix.results import Results

Give = Callable[..., ExportOptions]
Make = Callable[..., Results]
PROFILE = "https://raw.githubusercontent.com/tdwg/camtrap-dp/{}/camtrap-dp-profile.json"


@pytest.fixture
def package(tmp_path: Path, give: Give, make_dated: Make) -> Path:
    return export_results(make_dated(), "camtrap-dp", tmp_path / "package", options=give(tmp_path)).path


def describe(package: Path, change: Callable[[dict[str, Any]], object]) -> None:
    described = json.loads((package / "datapackage.json").read_text())
    change(described)
    (package / "datapackage.json").write_text(json.dumps(described))


def pack(package: Path, archive: Path, *, top: str = "") -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(package.iterdir()):
            file.write(path, top + path.name)
        file.writestr("__MACOSX/datapackage.json", "{}")
        file.writestr("media/a.mp4", b"no table")
    return archive


@pytest.mark.parametrize("top", ["", "survey 2024/"])
def test_a_zipped_package_is_read_as_its_folder_is(tmp_path: Path, package: Path, top: str) -> None:
    archive = pack(package, tmp_path / "package.zip", top=top)
    assert find_format(archive) == "camtrap-dp"
    assert check_export(archive, outside=False) == []
    zipped, plain = read_export(archive), read_export(package)
    assert zipped.rows.to_numpy().tolist() == plain.rows.to_numpy().tolist()
    assert zipped.sightings.equals(plain.sightings)
    assert read_labels(archive).table.equals(read_labels(package).table)


def test_frictionless_is_given_what_is_in_the_archive(tmp_path: Path, package: Path, schemas: Path) -> None:
    pytest.importorskip("frictionless")
    assert check_export(pack(package, tmp_path / "package.zip"), schemas=schemas) == []


def test_a_table_of_an_archive_that_is_none_is_named_with_the_archive(tmp_path: Path, package: Path) -> None:
    (package / "media.csv").write_text("mediaID\nm1\n")
    archive = pack(package, tmp_path / "package.zip")
    with pytest.raises(InputError) as caught:
        read_export(archive)
    assert str(caught.value).startswith(f"{archive}/media.csv: no column `deploymentID`")
    assert any(line.startswith(f"{archive}/media.csv") for line in check_export(archive, outside=False))


def test_archives_without_a_package_are_refused_in_one_line(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
        file.writestr("labels.csv", "filepath,label\n")
    (tmp_path / "cut.zip").write_bytes((tmp_path / "other.zip").read_bytes()[:30])
    for name, message in (("other", "a zip archive without datapackage.json; wanted a Camtrap DP package"),
                          ("cut", "cannot be unpacked (File is not a zip file); unpack it")):  # fmt: skip
        with pytest.raises(InputError) as caught:
            read_export(tmp_path / f"{name}.zip")
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("version", ["0.1.6", "0.6", "1.0-rc.1", "2.0"])
def test_another_version_is_refused_by_its_name(package: Path, version: str) -> None:
    describe(package, lambda described: described.update(profile=PROFILE.format(version)))
    with pytest.raises(
        InputError, match=f"Camtrap DP {version}, whose tables are others; wanted 1.0, 1.0.1 or 1.0.2"
    ):
        read_export(package)
    assert any(f"profile of Camtrap DP {version}" in line for line in check_export(package, outside=False))


def test_a_version_is_found_in_the_profile_or_in_a_schema() -> None:
    assert find_version({"profile": PROFILE.format("1.0.2")}) == "1.0.2"
    schema = {"schema": "https://raw.githubusercontent.com/tdwg/camtrap-dp/0.1.6/media-table-schema.json"}
    assert find_version({"profile": "tabular-data-package", "resources": [schema]}) == "0.1.6"
    assert find_version({"profile": "https://raw.githubusercontent.com/tdwg/camtrap-dp/main/x.json"}) == ""
    assert find_version({"resources": None}) == ""


@pytest.mark.parametrize("version", ["1.0", "1.0.1", "1.0.2"])
def test_every_release_of_version_1_is_read(package: Path, version: str) -> None:
    describe(package, lambda described: described.update(profile=PROFILE.format(version)))
    assert len(read_export(package).rows) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": "../private/media.csv"}, "resources: media: ../private/media.csv leads outside the package"),
        ({"path": "/etc/media.csv"}, "resources: media: /etc/media.csv leads outside the package"),
        ({"path": "C:\\private\\media.csv"}, "resources: media: C:\\private\\media.csv leads outside the package"),
        ({"path": "a/../../media.csv"}, "resources: media: a/../../media.csv leads outside the package"),
        ({"path": "https://example.org/media.csv"}, "resources: media lies at https://example.org/media.csv; wanted"),
        ({"path": ["media-1.csv", "media-2.csv"]}, "resources: media is in several files; wanted the path of one file"),
        ({"path": None, "data": []}, "resources: media is at null; wanted the path of one file"),
        ({"name": "multimedia"}, "resources: no media; wanted deployments, media and observations"),
    ],
)  # fmt: skip
def test_tables_that_do_not_lie_in_the_package_are_refused(
    package: Path, change: dict[str, object], message: str
) -> None:
    private = package.parent / "private"
    private.mkdir()
    (private / "media.csv").write_text("mediaID,secret\nm1,opened\n")
    describe(package, lambda described: described["resources"][1].update(change))
    with pytest.raises(InputError) as caught:
        read_export(package)
    assert f"not built as camtrap-dp is: {message}" in str(caught.value)
    problems = check_export(package, outside=False)
    assert any(message in line for line in problems)
    assert not any("secret" in line or "opened" in line for line in problems)


def test_a_package_may_be_named_by_its_description_and_list_one_path(package: Path) -> None:
    describe(package, lambda described: described["resources"][1].update(path=["media.csv"]))
    assert read_export(package / "datapackage.json").rows["filepath"].tolist() == [
        "a/IMG_1.MP4",
        "a/IMG_2.MP4",
    ]


@pytest.mark.parametrize("path", ["../private/x.jpg", "/etc/x.jpg", "C:\\x.jpg"])
def test_the_check_finds_media_outside_the_package(package: Path, path: str) -> None:
    text = (package / "media.csv").read_text().replace("a/IMG_1.MP4", path)
    (package / "media.csv").write_text(text)
    assert f"media.filePath: {path!r} leads outside the package" in check_export(package, outside=False)
