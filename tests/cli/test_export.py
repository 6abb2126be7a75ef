import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from primatrix.results import Results

Run = Callable[..., Any]  # Any: conftest's Ended
TABLES = ("predictions", "clips", "sightings", "failures")


@pytest.fixture
def results(example: Results, tmp_path: Path) -> Path:
    return example.write(tmp_path / "results")


@pytest.mark.parametrize("to", ["csv", "long-csv", "megadetector", "speciesnet"])
def test_what_is_written_is_valid(results: Path, tmp_path: Path, run: Run, to: str) -> None:
    ended = run("export", results, "--to", to, "--out", tmp_path / "out", "-q")
    assert (ended.code, ended.out, ended.err) == (0, f"2 clips as {to}: {tmp_path / 'out'}\n", "")
    checked = run("export", "--check", tmp_path / "out")
    assert (checked.code, checked.out) == (0, f"{tmp_path / 'out'}: valid {to}, by primatrix' own checks\n")


def test_what_is_wrong_is_listed_line_by_line_with_code_1(tmp_path: Path, run: Run) -> None:
    (tmp_path / "seen.csv").write_text("filepath,label\na,hog\na,blank\nb,hog\nb,blank\n")
    ended = run("export", "--check", tmp_path / "seen.csv")
    assert (ended.code, ended.out) == (
        1,
        "a: `blank` together with a species\nb: `blank` together with a species\n",
    )
    assert ended.err == f"primatrix: {tmp_path / 'seen.csv'}: long-csv with 2 problems\n"


def test_a_taxonomy_is_copied_edited_and_used(results: Path, tmp_path: Path, run: Run) -> None:
    ended = run("export", "--copy-taxonomy", tmp_path / "names.csv")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == f"{tmp_path / 'names.csv'}: the names used now; edit it and give it as --taxonomy\n"
    table = (tmp_path / "names.csv").read_text()
    (tmp_path / "names.csv").write_text(table.replace("duiker,Cephalophinae", "duiker,Cephalophus"))
    words = ("export", results, "--to", "speciesnet", "--out", tmp_path / "out.json")
    assert run(*words, "--taxonomy", tmp_path / "names.csv").err == ""


def test_what_is_missing_is_said_in_one_line(results: Path, tmp_path: Path, run: Run) -> None:
    for words, message in (
        ((), "export: got no RESULTS; wanted the folder that `predict` wrote and --out, or --check FILE"),
        ((results,), "export: got no --out; wanted"),
        (
            (results, "--to", "camtrap-dp", "--out", tmp_path / "p"),
            "--deployments FILE.csv with deployment, latitude",
        ),
    ):
        ended = run("export", *words)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert message in ended.err


def test_a_name_that_is_a_formula_is_quoted_for_a_spreadsheet_only(
    example: Results, tmp_path: Path, run: Run
) -> None:
    name = example.clips["filepath"].iloc[0]
    tables = {part: getattr(example, part).replace(name, "=cmd|calc.MP4") for part in TABLES}
    folder = dataclasses.replace(example, **tables).write(tmp_path / "run")
    for to in ("csv", "long-csv"):
        words = ("export", folder, "--to", to, "--out", tmp_path / f"{to}.csv")
        assert run(*words).code == 0
        assert "=cmd|calc.MP4" in pd.read_csv(tmp_path / f"{to}.csv")["filepath"].tolist()
        assert run(*words, "--for-spreadsheet").code == 0
        names = pd.read_csv(tmp_path / f"{to}.csv")["filepath"].tolist()
        assert "'=cmd|calc.MP4" in names
        assert "=cmd|calc.MP4" not in names
    ended = run("export", folder, "--to", "speciesnet", "--out", tmp_path / "s.json", "--for-spreadsheet")
    assert (ended.code, ended.err) == (
        2,
        "primatrix: --for-spreadsheet: got --to speciesnet, which programs read; wanted csv or long-csv\n",
    )
