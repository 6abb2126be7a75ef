import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from typer.testing import CliRunner

from primatrix.cli import app
from primatrix.errors import InputError
from primatrix.interchange.formats import ExportOptions, check_export, export_results, read_export
from primatrix.results import Results

Give = Callable[..., ExportOptions]
Make = Callable[..., Results]


def read_rows(path: Path) -> list[dict[str, str]]:
    return pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")


def test_a_stretch_is_an_observation_with_its_seconds_on_the_clock(
    tmp_path: Path, give: Give, make_dated: Make
) -> None:
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


def test_the_command_writes_asks_and_checks(tmp_path: Path, give: Give, example: Results) -> None:
    example.write(tmp_path / "run")
    give(tmp_path)
    run = CliRunner()
    words = ["export", str(tmp_path / "run"), "--to", "camtrap-dp", "--out", str(tmp_path / "package"), "--deployments",
             str(tmp_path / "places.csv"), "--project", str(tmp_path / "project.json")]  # fmt: skip
    refused = run.invoke(app, words)
    assert isinstance(refused.exception, InputError)
    assert run.invoke(app, ["export", "--copy-taxonomy", str(tmp_path / "names.csv")]).exit_code == 0
    done = run.invoke(app, [*words, "--skip-undated", "--taxonomy", str(tmp_path / "names.csv")])
    assert (done.exit_code, "1 clips as camtrap-dp" in done.stdout) == (1, True)
    other = run.invoke(
        app, ["export", str(tmp_path / "run"), "--to", "long-csv", "--out", str(tmp_path / "seen.csv")]
    )
    assert other.exit_code == 0
    checked = run.invoke(app, ["export", "--check", str(tmp_path / "seen.csv")])
    assert (checked.exit_code, "valid long-csv, by primatrix' own checks" in checked.stdout) == (0, True)
    (tmp_path / "seen.csv").write_text("filepath,label\na,hog\na,blank\n")
    assert run.invoke(app, ["export", "--check", str(tmp_path / "seen.csv")]).exit_code == 1
    assert isinstance(run.invoke(app, ["export"]).exception, InputError)


def test_a_deployment_whose_clock_was_wrong_says_so(tmp_path: Path, give: Give, make_dated: Make) -> None:
    warning = "container says 1970-01-01T00:03:00+01:00: its clock was not set"
    for source, said in (("container", "true"), ("name", "")):
        results = make_dated("1970-01-01T00:03:00+01:00", time_warning=warning, time_source=source)
        out = export_results(results, "camtrap-dp", tmp_path / source, options=give(tmp_path)).path
        assert [row["timestampIssues"] for row in read_rows(out / "deployments.csv")] == [said]
        assert check_export(out, outside=False) == []


def test_zones_that_once_had_seconds_give_valid_times(tmp_path: Path, give: Give, make_dated: Make) -> None:
    options = give(tmp_path, timezone="Africa/Monrovia")
    out = export_results(
        make_dated("1970-01-01T00:03:00"), "camtrap-dp", tmp_path / "package", options=options
    ).path
    assert read_rows(out / "media.csv")[0]["timestamp"] == "1970-01-01T00:03:00-00:44"
    assert check_export(out, outside=False) == []
