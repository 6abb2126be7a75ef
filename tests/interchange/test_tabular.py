from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primatrix.errors import InputError
from primatrix.interchange.formats import check_export, export_results, find_format
from primatrix.interchange.labels import read_labels
from primatrix.interchange.tabular import check_table, is_long, read_lists, read_long, read_wide
from primatrix.results import Results

TIMED = "filepath,label,start_seconds,end_seconds,best_seconds,probability\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "filepath,label,start_seconds,end_seconds,best_seconds,probability\na.mp4,hog,5,2,3,0.5\n",
            "hog from 5.0 to 2.0 s",
        ),
        ("filepath,label,start_seconds\na.mp4,hog,5\n", "no column `end_seconds` beside `start_seconds`"),
        ("filepath,label\na.mp4,hog\na.mp4,blank\n", "a.mp4: `blank` together with a species"),
        ("filepath,hog\na.mp4,1.5\n", "1.5 for a.mp4, column hog, is not a probability"),
        ("filepath,hog\na.mp4,0.5\na.mp4,0.5\n", "a.mp4 stands there twice"),
        ("name,hog\na.mp4,0.5\n", "wanted `filename` (or `filepath`)"),
        ("filepath,labels\na.mp4,[hog\n", "is not a JSON list"),
    ],
)
def test_the_check_finds_what_is_wrong_in_tables(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(content)
    problems = check_export(tmp_path / "t.csv")
    assert any(message in problem for problem in problems), problems


@pytest.mark.parametrize("cell", ["duiker;hog", "duiker | hog", "duiker, hog", '["duiker", "hog"]'])
def test_lists_in_a_cell_are_read(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "labels.csv"
    pd.DataFrame({"filepath": ["a.mp4", "b.mp4", "c.mp4"], "labels": [cell, "blank", ""]}).to_csv(
        path, index=False
    )
    labels = read_labels(path)
    assert labels.table.to_dict("index") == {
        "a.mp4": {"blank": 0, "duiker": 1, "hog": 1},
        "b.mp4": {"blank": 1, "duiker": 0, "hog": 0},
    }
    assert find_format(path) == "list-csv"
    assert check_export(path) == []


def test_a_table_is_long_by_its_columns_alone() -> None:
    assert is_long(["label", "filename"])
    assert not is_long(["label", "name"])
    assert not is_long(["filepath", "labels"])


def test_long_rows_say_what_became_of_each_clip(tmp_path: Path, small: Results) -> None:
    out = export_results(small, "long-csv", tmp_path / "o.csv").path
    rows = pd.read_csv(out, dtype=str, keep_default_na=False)
    assert rows.columns.tolist() == [
        "filepath", "label", "start_seconds", "end_seconds", "best_seconds", "probability", "left", "top", "width",
        "height", "status", "stage", "reason", "site", "deployment", "event", "recorded_at",
    ]  # fmt: skip
    assert (rows[["left", "top", "width", "height"]] == "").all(axis=None)  # of no clip it is known
    assert rows.drop(columns=["left", "top", "width", "height"]).iloc[:, :9].to_numpy().tolist() == [
        ["a/two species.MP4", "duiker", "0.0", "4.2", "1.0", "0.93", "ok", "", ""],
        ["a/two species.MP4", "hog", "3.04", "5.0", "4.0", "0.61", "ok", "", ""],
        ["a/two species.MP4", "duiker", "8.0", "9.96", "9.96", "0.55", "ok", "", ""],
        ["a/whole.avi", "human", "0.0", "10.0", "5.0", "0.8", "partial", "", "the last 3 of 10 s | 50 % are missing"],
        ["a/whole.avi", "okapi", "0.0", "10.0", "5.0", "0.7", "partial", "", "the last 3 of 10 s | 50 % are missing"],
        ["b/blank.mp4", "blank", "", "", "", "0.97", "ok", "", ""],
        ["b/unknown.mp4", "", "", "", "", "", "ok", "", ""],
        ["~b/../odd, é.mp4", "", "", "", "", "", "failed", "open", "moov | atom: not 50 %, at all"],
        ["c/still.jpg", "duiker", "0.0", "0.0", "0.0", "0.6", "ok", "", ""],
    ]  # fmt: skip


def test_a_label_seen_twice_is_one_label_with_two_stretches(tmp_path: Path) -> None:
    path = write(
        tmp_path / "t.csv", TIMED + "a.mp4,hog,1,2,1.5,0.5\na.mp4,hog,5,6,5.5,0.75\nb.mp4,blank,,,,\n"
    )
    reading = read_long(path)
    assert reading.rows.to_numpy().tolist() == [["a.mp4", "hog"], ["b.mp4", "blank"]]
    assert reading.sightings.iloc[:, :6].to_numpy().tolist() == [
        ["a.mp4", "hog", 1.0, 2.0, 1.5, 0.5], ["a.mp4", "hog", 5.0, 6.0, 5.5, 0.75]]  # fmt: skip
    assert reading.sightings[["left", "top", "width", "height"]].isna().all(axis=None)
    assert check_table(path) == []


def test_seconds_that_are_no_numbers_get_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"'soon'.*; wanted seconds and probabilities as numbers") as caught:
        read_long(write(tmp_path / "t.csv", TIMED + "a.mp4,hog,soon,2,1,0.5\n"))
    assert "\n" not in str(caught.value)


def test_people_who_label_stretches_need_give_no_probability(tmp_path: Path) -> None:
    assert check_table(write(tmp_path / "t.csv", TIMED + "a.mp4,hog,1,2,1.5,\n")) == []
    [problem] = check_table(write(tmp_path / "t.csv", TIMED + "a.mp4,hog,1,2,1.5,1.5\n"))
    assert problem == "a.mp4: probability 1.5"


def test_wide_tables_of_0_and_1_are_labels_and_clips_that_failed_do_not_change_that(tmp_path: Path) -> None:
    path = write(tmp_path / "w.csv", "filename,status,hog,lion\na.mp4,ok,1,0\nb.mp4,ok,1,1\nc.mp4,failed,,\n")
    reading = read_wide(path)
    assert reading.rows.to_numpy().tolist() == [["a.mp4", "hog"], ["b.mp4", "hog"], ["b.mp4", "lion"]]
    assert reading.probabilities is not None
    assert reading.probabilities.columns.tolist() == ["hog", "lion"]
    assert reading.probabilities.loc["c.mp4"].isna().all()
    assert reading.probabilities["lion"].dtype == np.float32
    assert read_wide(write(path, "filepath,hog\na.mp4,1\nb.mp4,0.5\n")).rows.empty


def test_a_wide_table_without_species_is_said_to_be_none(tmp_path: Path) -> None:
    path = write(tmp_path / "w.csv", "filepath,site\na.mp4,north\n")
    (problem,) = check_table(path)
    wanted = "wanted `filename` (or `filepath`) and one column of probabilities per species"
    assert problem == f"{path}: got columns filepath, site; {wanted}"


def test_a_list_may_be_empty_repeat_itself_or_have_a_site(tmp_path: Path) -> None:
    text = 'filepath,labels,site\na.mp4,hog; hog ;;lion,north\nb.mp4,"[]",\nc.mp4,NA,south\n'
    reading = read_lists(write(tmp_path / "t.csv", text))
    assert reading.rows.to_numpy().tolist() == [
        ["a.mp4", "hog", "north"], ["a.mp4", "lion", "north"], ["b.mp4", "", ""], ["c.mp4", "NA", "south"],
    ]  # fmt: skip


def test_a_row_without_a_name_is_found(tmp_path: Path) -> None:
    assert "a row has no filepath" in check_table(write(tmp_path / "t.csv", "filepath,label\n,hog\n"))
