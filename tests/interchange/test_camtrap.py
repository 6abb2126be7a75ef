import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from primatrix.cli import app
from primatrix.errors import InputError
from primatrix.interchange.camtrap_rules import RULES
from primatrix.interchange.formats import (
    ExportOptions,
    ask_frictionless,
    check_export,
    export_results,
    read_export,
)
from primatrix.results import Results, make_example

PROJECT = {
    "title": "Tests of the forest",
    "samplingDesign": "opportunistic",
    "captureMethod": ["activityDetection"],
    "individualAnimals": False,
    "contributors": [{"title": "A. Ranger", "role": "contact"}],
}
PLACES = "deploymentID,latitude,longitude,locationName\na,5.5,-3.25,Taï\n"


def make_dated(time: str = "2026-03-01T06:30:00+01:00", **facts: object) -> Results:
    example = make_example()
    return replace(example, clips=example.clips.assign(recorded_at=time, **facts))


def give(
    folder: Path, *, project: object = PROJECT, places: str = PLACES, **options: object
) -> ExportOptions:
    (folder / "project.json").write_text(json.dumps(project))
    (folder / "places.csv").write_text(places)
    files = {"deployments": folder / "places.csv", "project": folder / "project.json"}
    return ExportOptions(**{**files, **options})  # type: ignore[arg-type]


def read_rows(path: Path) -> list[dict[str, str]]:
    return pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")  # type: ignore[return-value]


@pytest.fixture
def schemas(shared_data: Path) -> Path:
    return shared_data / "camtrap_dp_schemas"


def test_the_rules_are_those_of_the_published_schemas(schemas: Path) -> None:
    for name, rules in RULES.items():
        fields = json.loads((schemas / f"{name}-table-schema.json").read_text())["fields"]
        assert [field["name"] for field in fields] == list(rules)
        for field in fields:
            rule, wanted = rules[field["name"]], field["constraints"]
            assert rule.required == wanted["required"], field
            assert rule.unique == wanted.get("unique", False)
            assert list(rule.words) == wanted.get("enum", [])
            assert (rule.least, rule.most) == (wanted.get("minimum"), wanted.get("maximum"))
            assert rule.pattern == wanted.get("pattern", "").replace(r"\/", "/")
            assert {"datetime": "time", "string": "text", "any": "text"}.get(
                field["type"], field["type"]
            ) == rule.kind


def test_frictionless_finds_no_error_with_the_published_schemas(tmp_path: Path, schemas: Path) -> None:
    pytest.importorskip("frictionless")
    out = export_results(make_dated(), "camtrap-dp", tmp_path / "package", options=give(tmp_path)).path
    assert check_export(out, schemas=schemas) == []
    (out / "media.csv").write_text((out / "media.csv").read_text().replace("video/mp4", "mp4"))
    described = json.loads((out / "datapackage.json").read_text())
    described["project"].pop("title")
    (out / "datapackage.json").write_text(json.dumps(described))
    problems = ask_frictionless(out, schemas=schemas)
    assert any("fileMediatype" in line for line in problems)
    assert any("$.project: 'title' is a required property" in line for line in problems)
    for resources in (None, [{}]):  # no table that could be judged
        (out / "datapackage.json").write_text(json.dumps(described | {"resources": resources}))
        found = ask_frictionless(out, schemas=schemas)
        assert any("resources" in line for line in found), found


def test_a_stretch_is_an_observation_with_its_seconds_on_the_clock(tmp_path: Path) -> None:
    results = make_dated("2026-03-01T23:59:57.500+01:00")
    out = export_results(results, "camtrap-dp", tmp_path / "package", options=give(tmp_path)).path
    first, second = read_rows(out / "media.csv")
    assert (first["timestamp"], first["filePath"], first["fileMediatype"]) == (
        "2026-03-01T23:59:57+01:00", "a/IMG_1.MP4", "video/mp4")  # fmt: skip
    assert second["mediaComments"] == "could not be read: open: empty file"
    seen, failed = read_rows(out / "observations.csv")
    assert (seen["eventStart"], seen["eventEnd"]) == (
        "2026-03-01T23:59:59+01:00",
        "2026-03-02T00:00:05+01:00",
    )
    assert (seen["scientificName"], seen["observationType"], seen["observationLevel"]) == (
        "Cephalophinae", "animal", "media")  # fmt: skip
    assert (seen["classificationMethod"], seen["classificationProbability"]) == ("machine", "0.9")
    assert seen["classifiedBy"].startswith("primatrix ")
    assert seen["observationTags"] == "label:duiker | startSeconds:2.0 | endSeconds:7.5 | bestSeconds:4.0"
    assert (failed["observationType"], failed["classificationMethod"]) == ("unclassified", "")
    described = json.loads((out / "datapackage.json").read_text())
    assert described["temporal"] == {"start": "2026-03-01", "end": "2026-03-02"}
    assert described["spatial"] == {"type": "Point", "coordinates": [-3.25, 5.5]}
    assert [taxon["scientificName"] for taxon in described["taxonomic"]] == ["Cephalophinae"]
    assert "taxonRank" not in described["taxonomic"][0]  # the format has no word for a subfamily
    assert read_export(out).rows["site"].tolist() == ["Taï", "Taï"]


def test_a_zone_is_given_to_times_without_one(tmp_path: Path) -> None:
    options = give(tmp_path, timezone="Europe/Berlin")
    out = export_results(
        make_dated("2026-07-01T06:30:00"), "camtrap-dp", tmp_path / "package", options=options
    ).path
    assert read_rows(out / "media.csv")[0]["timestamp"] == "2026-07-01T06:30:00+02:00"
    with pytest.raises(InputError, match="timezone: got 'Mars/Olympus', wanted a name as Africa/Abidjan"):
        export_results(
            make_dated(), "camtrap-dp", tmp_path / "p", options=give(tmp_path, timezone="Mars/Olympus")
        )


def test_all_that_is_missing_is_asked_for_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        export_results(make_dated("2026-07-01T06:30:00"), "camtrap-dp", tmp_path / "package")
    line = str(caught.value)
    for part in ("--project FILE.json with title", "samplingDesign (one of simpleRandom", "contributors",
                 "--deployments FILE.csv", "latitude, longitude of a", "--timezone, as Africa/Abidjan: 2"):  # fmt: skip
        assert part in line
    assert "\n" not in line
    assert not (tmp_path / "package").exists()


def test_undated_clips_stop_the_export_or_are_left_out_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a time of recording of 1 clips \(a/IMG_2.MP4, …\)"):
        export_results(make_example(), "camtrap-dp", tmp_path / "package", options=give(tmp_path))
    run = export_results(
        make_example(), "camtrap-dp", tmp_path / "package", options=give(tmp_path, skip_undated=True)
    )
    assert (run.clips, run.left_out) == (1, ("a/IMG_2.MP4",))
    assert "1 clips left out, their time of recording is not known: a/IMG_2.MP4" in run.summary()
    assert check_export(run.path, outside=False) == []


@pytest.mark.parametrize(
    ("project", "places", "message"),
    [
        (
            {**PROJECT, "samplingDesign": "random"},
            PLACES,
            "samplingDesign: got 'random'; wanted one of simpleRandom",
        ),
        ({**PROJECT, "captureMethod": "timeLapse"}, PLACES, "captureMethod: got 'timeLapse'; wanted some of"),
        ({**PROJECT, "contributors": [{"name": "A"}]}, PLACES, "contributors: got"),
        ({**PROJECT, "colour": 1}, PLACES, "`colour` is not known; wanted some of"),
        ([], PLACES, "got a list"),
        (PROJECT, "deploymentID,latitude\na,5\n", "with deployment, latitude, longitude of a"),
        (
            PROJECT,
            "latitude,longitude\n5,5\n",
            "wanted a row per clip (`filepath` or `filename`), per `folder` or",
        ),
        (
            PROJECT,
            "site,latitude,longitude\na,95,0\n",
            "latitude '95', wanted degrees as a number from -90 to 90",
        ),
        (PROJECT, "site,latitude,longitude\na,,0\n", "with deployment, latitude, longitude of a"),
        (PROJECT, "site,latitude,longitude,baitUse\na,1,0,much\n", "baitUse: 'much'; wanted true or false"),
        (PROJECT, "site,latitude,longitude\nb,1,0\n", "with deployment, latitude, longitude of a"),
    ],
)
def test_wrong_answers_get_one_clear_line(tmp_path: Path, project: object, places: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        export_results(
            make_dated(), "camtrap-dp", tmp_path / "p", options=give(tmp_path, project=project, places=places)
        )
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_clips_without_a_site_belong_to_the_only_deployment(tmp_path: Path) -> None:
    results = make_dated(site="", deployment="")
    out = export_results(results, "camtrap-dp", tmp_path / "package", options=give(tmp_path)).path
    assert {row["deploymentID"] for row in read_rows(out / "media.csv")} == {"a"}
    two = give(tmp_path, places=PLACES + "b,1,1,\n")
    with pytest.raises(InputError, match="has no site or deployment, and there are 2 deployments"):
        export_results(results, "camtrap-dp", tmp_path / "two", options=two)


def test_visits_stand_where_their_site_does(tmp_path: Path) -> None:
    results = make_dated(deployment=["a/1", "a/2"])
    out = export_results(results, "camtrap-dp", tmp_path / "package", options=give(tmp_path)).path
    rows = read_rows(out / "deployments.csv")
    assert [(row["deploymentID"], row["locationID"], row["latitude"]) for row in rows] == [
        ("a/1", "a", "5.5"), ("a/2", "a", "5.5")]  # fmt: skip
    assert check_export(out, outside=False) == []


def test_a_row_per_clip_says_where_clips_were_that_a_run_knew_no_place_of(tmp_path: Path) -> None:
    places = (
        "filepath,site,deployment,latitude,longitude\na/IMG_1.MP4,n,n-1,5.5,-3\na/IMG_2.MP4,s,s-1,5.6,-3\n"
    )
    results = make_dated(site="", deployment="")
    out = export_results(
        results, "camtrap-dp", tmp_path / "package", options=give(tmp_path, places=places)
    ).path
    assert [row["deploymentID"] for row in read_rows(out / "media.csv")] == ["n-1", "s-1"]
    assert [row["latitude"] for row in read_rows(out / "deployments.csv")] == ["5.5", "5.6"]
    assert check_export(out, outside=False) == []


def test_start_and_end_of_a_deployment_are_put_into_the_zone_of_the_recordings(tmp_path: Path) -> None:
    places = (
        "deployment,latitude,longitude,start,end\na,5.5,-3,2026-02-01T12:00:00,2026-05-01T12:00:00+02:00\n"
    )
    with pytest.raises(
        InputError, match=r"--timezone, as Africa/Abidjan: \S+places\.csv has times without zone"
    ):
        export_results(make_dated(), "camtrap-dp", tmp_path / "p", options=give(tmp_path, places=places))
    options = give(tmp_path, places=places, timezone="Africa/Lagos")
    out = export_results(make_dated(), "camtrap-dp", tmp_path / "package", options=options).path
    (row,) = read_rows(out / "deployments.csv")
    assert (row["deploymentStart"], row["deploymentEnd"], row["deploymentComments"]) == (
        "2026-02-01T12:00:00+01:00",
        "2026-05-01T11:00:00+01:00",
        "",
    )
    assert check_export(out, outside=False) == []


def test_yaml_tells_about_the_project_too(tmp_path: Path) -> None:
    options = give(tmp_path)
    (tmp_path / "project.yaml").write_text(yaml.safe_dump(PROJECT))
    options = replace(options, project=tmp_path / "project.yaml")
    out = export_results(make_dated(), "camtrap-dp", tmp_path / "package", options=options).path
    assert json.loads((out / "datapackage.json").read_text())["project"]["title"] == "Tests of the forest"
    (tmp_path / "project.yaml").write_text("title: [")
    with pytest.raises(InputError, match=r"project\.yaml: not YAML"):
        export_results(make_dated(), "camtrap-dp", tmp_path / "package", options=options)


def test_packages_of_others_give_labels_and_stretches(tmp_path: Path) -> None:
    out = export_results(make_dated(), "camtrap-dp", tmp_path / "package", options=give(tmp_path)).path
    rows = pd.read_csv(out / "observations.csv", dtype=str, keep_default_na=False)
    rows.assign(observationTags="").drop(columns=["sex", "count"]).to_csv(
        out / "observations.csv", index=False
    )
    reading = read_export(out / "datapackage.json")
    assert reading.rows["label"].tolist() == ["Cephalophinae", ""]
    assert reading.sightings[["start_seconds", "end_seconds", "best_seconds"]].to_numpy().tolist() == [
        [2.0, 8.0, 5.0]
    ]


@pytest.mark.parametrize(
    ("table", "old", "new", "message"),
    [
        ("observations.csv", ",a,", ",nowhere,", "observations.deploymentID: 'nowhere' is not in deployments"),
        ("observations.csv", "animal", "beast", "observations.observationType: 'beast'; wanted one of animal"),
        ("observations.csv", "06:30:08+01:00", "05:30:08+01:00", "observations.eventEnd: '2026-03-01T05:30:08"),
        ("observations.csv", "0.9,", "9,", "classificationProbability: '9'; wanted a number from 0 to 1"),
        ("media.csv", "2026-03-01T06:30:00+01:00", "2026-03-01 06:30", "media.timestamp: '2026-03-01 06:30'; wanted"),
        ("media.csv", "a/IMG_1.MP4", "../IMG_1.MP4", "media.filePath: '../IMG_1.MP4'; wanted text like"),
        ("deployments.csv", "latitude", "height", "no column `latitude`"),
        ("datapackage.json", '"opportunistic"', '"random"', "samplingDesign 'random'; wanted one of"),
        ("datapackage.json", '"taxonomic"', '"taxa"', "no `taxonomic`"),
    ],
)  # fmt: skip
def test_the_check_finds_what_is_wrong(tmp_path: Path, table: str, old: str, new: str, message: str) -> None:
    out = export_results(make_dated(), "camtrap-dp", tmp_path / "package", options=give(tmp_path)).path
    text = (out / table).read_text()
    assert old in text
    (out / table).write_text(text.replace(old, new))
    problems = check_export(out, outside=False)
    assert any(message in problem for problem in problems), problems


def test_the_command_writes_asks_and_checks(tmp_path: Path) -> None:
    make_example().write(tmp_path / "run")
    give(tmp_path)
    run = CliRunner()
    words = ["export", str(tmp_path / "run"), "--to", "camtrap-dp", "--out", str(tmp_path / "package"), "--deployments",
             str(tmp_path / "places.csv"), "--project", str(tmp_path / "project.json")]  # fmt: skip
    refused = run.invoke(app, words)
    assert isinstance(refused.exception, InputError)
    done = run.invoke(app, [*words, "--skip-undated", "--taxonomy", str(tmp_path / "names.csv")])
    assert (done.exit_code, "1 clips as camtrap-dp" in done.stdout) == (1, True)
    assert (tmp_path / "names.csv").is_file()
    other = run.invoke(
        app, ["export", str(tmp_path / "run"), "--to", "long-csv", "--out", str(tmp_path / "seen.csv")]
    )
    assert other.exit_code == 0
    checked = run.invoke(app, ["export", "--check", str(tmp_path / "seen.csv")])
    assert (checked.exit_code, "valid long-csv, by primatrix' own checks" in checked.stdout) == (0, True)
    (tmp_path / "seen.csv").write_text("filepath,label\na,hog\na,blank\n")
    assert run.invoke(app, ["export", "--check", str(tmp_path / "seen.csv")]).exit_code == 1
    assert isinstance(run.invoke(app, ["export"]).exception, InputError)


def test_a_deployment_whose_clock_was_wrong_says_so(tmp_path: Path) -> None:
    warning = "container says 1970-01-01T00:03:00+01:00: its clock was not set"
    for source, said in (("container", "true"), ("name", "")):
        results = make_dated("1970-01-01T00:03:00+01:00", time_warning=warning, time_source=source)
        out = export_results(results, "camtrap-dp", tmp_path / source, options=give(tmp_path)).path
        assert [row["timestampIssues"] for row in read_rows(out / "deployments.csv")] == [said]
        assert check_export(out, outside=False) == []


def test_zones_that_once_had_seconds_give_valid_times(tmp_path: Path) -> None:
    options = give(tmp_path, timezone="Africa/Monrovia")
    out = export_results(
        make_dated("1970-01-01T00:03:00"), "camtrap-dp", tmp_path / "package", options=options
    ).path
    assert read_rows(out / "media.csv")[0]["timestamp"] == "1970-01-01T00:03:00-00:44"
    assert check_export(out, outside=False) == []
