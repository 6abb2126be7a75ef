from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from primatrix.results import Results

Run = Callable[..., Any]  # Any: conftest's Ended


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
