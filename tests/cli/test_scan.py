import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]  # Any: conftest's Ended


def test_scan_says_what_is_on_a_card(data: Path, run: Run) -> None:
    ended = run("scan", data / "nano", "--workers", 0)
    assert ended.code == 1
    rows = ended.out.splitlines()
    assert rows[0].startswith("filename,status,size_bytes,")
    assert len(rows) == 1 + 165
    assert "165 videos: 160 readable" in ended.err


def test_scan_writes_json_where_the_name_says_so(footage: Path, tmp_path: Path, run: Run) -> None:
    ended = run("scan", footage, "--out", tmp_path / "card.json", "--workers", 0, "--quiet")
    assert (ended.code, ended.out) == (0, "")
    rows = json.loads((tmp_path / "card.json").read_text())
    assert [row["filename"] for row in rows[:2]] == ["0.avi", "1.avi"]
    assert {row["status"] for row in rows} == {"ok"}
    ended = run("scan", footage, "--out", tmp_path / "card.txt", "--workers", 0)
    assert (ended.code, "wanted .csv or .json" in ended.err) == (2, True)


def test_a_file_whose_name_is_a_formula_is_quoted_for_a_spreadsheet_only(
    run: Run, make_video: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "card"
    folder.mkdir()
    make_video(folder / "=HYPERLINK(A1).avi", frames=3, size=(16, 16), codec="mpeg4")
    words = ("scan", folder, "--workers", 0)
    assert run(*words).out.splitlines()[1].startswith("=HYPERLINK(A1).avi,")
    assert run(*words, "--for-spreadsheet").out.splitlines()[1].startswith("'=HYPERLINK(A1).avi,")
    assert run(*words, "--for-spreadsheet", "--out", tmp_path / "card.csv").code == 0
    assert (tmp_path / "card.csv").read_text().splitlines()[1].startswith("'=HYPERLINK(A1).avi,")
    ended = run(*words, "--for-spreadsheet", "--out", tmp_path / "card.json")
    assert (ended.code, ended.err) == (
        2, f"primatrix: --for-spreadsheet: got {tmp_path / 'card.json'}, wanted a .csv\n",
    )  # fmt: skip
