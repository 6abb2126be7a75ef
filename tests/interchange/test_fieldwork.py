import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from primatrix.errors import InputError
from primatrix.interchange.fieldwork import gather_fieldwork
from primatrix.interchange.formats import ExportOptions, check_export, export_results
from primatrix.results import Results

Give = Callable[..., ExportOptions]
Make = Callable[..., Results]
PLACES = "deploymentID,latitude,longitude,locationName\na,5.5,-3.25,Taï\n"


def read_rows(path: Path) -> list[dict[str, str]]:
    return pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")


def test_a_zone_is_given_to_times_without_one(tmp_path: Path, give: Give, make_dated: Make) -> None:
    options = give(tmp_path, timezone="Europe/Berlin")
    out = export_results(
        make_dated("2026-07-01T06:30:00"), "camtrap-dp", tmp_path / "package", options=options
    ).path
    assert read_rows(out / "media.csv")[0]["timestamp"] == "2026-07-01T06:30:00+02:00"
    with pytest.raises(InputError, match="timezone: got 'Mars/Olympus', wanted a name as Africa/Abidjan"):
        export_results(
            make_dated(), "camtrap-dp", tmp_path / "p", options=give(tmp_path, timezone="Mars/Olympus")
        )


def test_all_that_is_missing_is_asked_for_in_one_line(tmp_path: Path, make_dated: Make) -> None:
    with pytest.raises(InputError) as caught:
        export_results(make_dated("2026-07-01T06:30:00"), "camtrap-dp", tmp_path / "package")
    line = str(caught.value)
    for part in ("--project FILE.json with title", "samplingDesign (one of simpleRandom", "contributors",
                 "--deployments FILE.csv", "latitude, longitude of a", "--timezone, as Africa/Abidjan: 2"):  # fmt: skip
        assert part in line
    assert "\n" not in line
    assert not (tmp_path / "package").exists()


def test_undated_clips_stop_the_export_or_are_left_out_by_name(
    tmp_path: Path, give: Give, make_dated: Make
) -> None:
    results = make_dated(["2026-03-01T06:30:00+01:00", ""])
    with pytest.raises(InputError, match=r"a time of recording of 1 clips \(a/IMG_2.MP4, …\)"):
        export_results(results, "camtrap-dp", tmp_path / "package", options=give(tmp_path))
    run = export_results(
        results, "camtrap-dp", tmp_path / "package", options=give(tmp_path, skip_undated=True)
    )
    assert (run.clips, run.left_out) == (1, ("a/IMG_2.MP4",))
    assert "1 clips left out, their time of recording is not known: a/IMG_2.MP4" in run.summary()
    assert check_export(run.path, outside=False) == []


@pytest.mark.parametrize(
    ("project", "places", "message"),
    [
        ({"samplingDesign": "random"}, PLACES, "samplingDesign: got 'random'; wanted one of simpleRandom"),
        ({"title": " "}, PLACES, "title: got ' '; wanted the project's title"),
        ({"individualAnimals": "no"}, PLACES, "individualAnimals: got 'no'; wanted true or false"),
        ({"captureMethod": [["timeLapse"]]}, PLACES, "captureMethod: got [['timeLapse']]; wanted some of"),
        ({"captureMethod": "timeLapse"}, PLACES, "captureMethod: got 'timeLapse'; wanted some of"),
        ({"contributors": [{"name": "A"}]}, PLACES, "contributors: got"),
        ({"colour": 1}, PLACES, "`colour` is not known; wanted some of"),
        ([], PLACES, "got a list"),
        ({}, "deploymentID,latitude\na,5\n", "latitude, longitude of a"),
        ({}, "latitude,longitude\n5,5\n", "got columns latitude, longitude; wanted"),
        (
            {},
            "site,latitude,longitude\na,95,0\n",
            "a: latitude '95', wanted degrees as a number from -90 to 90",
        ),
        ({}, "site,latitude,longitude\na,,0\n", "latitude, longitude of a"),
        ({}, "site,latitude,longitude\na,1,0\na,1,0\n", "deployment 'a' has several rows or no name"),
        ({}, "site,latitude,longitude\nb,1,0\n", "latitude, longitude of a"),
    ],
)
def test_wrong_answers_get_one_clear_line(
    tmp_path: Path, project: object, places: str, message: str, give: Give, make_dated: Make
) -> None:
    with pytest.raises(InputError) as caught:
        gather_fieldwork(make_dated(), give(tmp_path, project=project, places=places))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_clips_without_a_site_belong_to_the_only_deployment(
    tmp_path: Path, give: Give, make_dated: Make
) -> None:
    results = make_dated(site="", deployment="")
    out = export_results(results, "camtrap-dp", tmp_path / "package", options=give(tmp_path)).path
    assert {row["deploymentID"] for row in read_rows(out / "media.csv")} == {"a"}
    two = give(tmp_path, places=PLACES + "b,1,1,\n")
    with pytest.raises(InputError, match="has no site or deployment, and there are 2 deployments"):
        export_results(results, "camtrap-dp", tmp_path / "two", options=two)


def test_visits_stand_where_their_site_does(tmp_path: Path, give: Give, make_dated: Make) -> None:
    results = make_dated(deployment=["a/1", "a/2"])
    out = export_results(results, "camtrap-dp", tmp_path / "package", options=give(tmp_path)).path
    rows = read_rows(out / "deployments.csv")
    assert [(row["deploymentID"], row["locationID"], row["latitude"]) for row in rows] == [
        ("a/1", "a", "5.5"), ("a/2", "a", "5.5")]  # fmt: skip
    assert check_export(out, outside=False) == []


def test_yaml_tells_about_the_project_too(tmp_path: Path, give: Give, make_dated: Make) -> None:
    options = give(tmp_path)
    facts = json.loads((tmp_path / "project.json").read_text())
    (tmp_path / "project.yaml").write_text(yaml.safe_dump(facts) + "version: 2026-03-01\n")
    options = replace(options, project=tmp_path / "project.yaml")
    out = export_results(make_dated(), "camtrap-dp", tmp_path / "package", options=options).path
    described = json.loads((out / "datapackage.json").read_text())
    assert described["project"]["title"] == "Tests of the forest"
    assert described["version"] == "2026-03-01"  # a date to YAML


@pytest.mark.parametrize(
    ("suffix", "content", "message"),
    [
        ("yaml", b"title: [", "not YAML (while parsing"),
        ("yml", b"title: \xff", "not YAML ('utf-8' codec can't decode"),
        ("yaml", b"2026-03-01: x", "not YAML (keys must be str"),
        ("yaml", b"1: x\ncolour: y", "`1` is not known; wanted some of acronym"),
        ("yaml", b"", "got a NoneType; wanted some of acronym"),
        ("json", b"{", "not JSON (Expecting property name"),
    ],
)
def test_a_project_file_that_cannot_be_used_gets_one_line(
    tmp_path: Path, suffix: str, content: bytes, message: str, make_dated: Make
) -> None:
    path = tmp_path / f"project.{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        gather_fieldwork(make_dated(), ExportOptions(project=path))
    assert f"{path}: {message}" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="gone: No such file or directory; wanted title, samplingDesign"):
        gather_fieldwork(make_dated(), ExportOptions(project=tmp_path / "gone"))


def test_what_is_told_goes_where_the_format_has_it(tmp_path: Path, give: Give, make_dated: Make) -> None:
    project = {"acronym": "TF", "keywords": ["forest"], "homepage": "https://example.org"}
    field = gather_fieldwork(make_dated(site="", deployment=""), give(tmp_path, project=project))
    assert field.deployment_of.to_dict() == {"a/IMG_1.MP4": "a", "a/IMG_2.MP4": "a"}
    assert field.deployments.loc["a"].fillna("").to_dict() == {
        "locationID": "", "locationName": "Taï", "latitude": "5.5", "longitude": "-3.25",
        "deploymentStart": "", "deploymentEnd": "",
    }  # fmt: skip
    assert {name: time.isoformat() for name, time in field.started.items()} == {
        "a/IMG_1.MP4": "2026-03-01T06:30:00+01:00", "a/IMG_2.MP4": "2026-03-01T06:30:00+01:00",
    }  # fmt: skip
    assert dict(field.project) == {
        "title": "Tests of the forest", "acronym": "TF", "samplingDesign": "opportunistic",
        "captureMethod": ["activityDetection"], "individualAnimals": False, "observationLevel": ["media"],
    }  # fmt: skip
    assert dict(field.package) == {
        "contributors": [{"title": "A. Ranger", "role": "contact"}], "keywords": ["forest"],
        "homepage": "https://example.org",
    }  # fmt: skip


def test_a_deployment_goes_before_the_site_and_is_placed_at_it_unless_the_table_says_where(
    tmp_path: Path, give: Give, make_dated: Make
) -> None:
    places = "deploymentID,latitude,longitude,locationID\nnorth,1,2,\nvisit,3,4,ridge\n"
    results = make_dated(site=["north", "north"], deployment=["visit", ""])
    field = gather_fieldwork(results, give(tmp_path, places=places))
    assert field.deployment_of.tolist() == ["visit", "north"]
    assert field.deployments["locationID"].to_dict() == {"north": "north", "visit": "ridge"}
    assert field.deployments["latitude"].to_dict() == {"north": "1", "visit": "3"}
