import csv
from pathlib import Path

import pandas as pd
import pytest

from primatrix.disk.tables import name_failures, read_failures, read_table, write_failures, write_table
from primatrix.errors import InputError
from primatrix.records import Failure


def test_a_name_with_a_carriage_return_stays_one_cell(tmp_path: Path) -> None:
    table = pd.DataFrame({"filepath": ["a\r.mp4", "b.mp4"], "hog": [0.5, 1.0]})
    write_table(table, tmp_path / "t.csv", index=False)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "t.csv"), table)


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    table = pd.DataFrame({"hog": [1]}, index=pd.Index(["a"], name="filename"))
    path = write_table(table, tmp_path / "new" / "t.csv")
    assert path.read_text() == "filename,hog\na,1\n"
    pd.testing.assert_frame_equal(read_table(path), table.reset_index(), check_dtype=False)


def test_failures_are_listed_and_an_old_list_goes_when_there_are_none(tmp_path: Path) -> None:
    path = tmp_path / "failures.csv"
    assert write_failures([Failure("a,b.mp4", "open", "empty file")], path) == path
    assert path.read_text() == 'filename,stage,reason\n"a,b.mp4",open,empty file\n'
    assert write_failures([], path) is None
    assert not path.exists()


def test_two_tables_of_a_folder_have_two_lists_of_failures() -> None:
    assert name_failures(Path("runs", "first.csv")) == Path("runs", "first.failures.csv")
    assert name_failures("second.v2.csv") == Path("second.v2.failures.csv")


def test_failures_are_read_as_they_were_written(tmp_path: Path) -> None:
    failures = [
        Failure("NA", "read", "not readable: Permission denied"),
        Failure('a "b"\r.mp4', "open", "empty"),
    ]
    write_failures(failures, tmp_path / "f.csv")
    assert read_failures(tmp_path / "f.csv") == failures
    assert read_failures(tmp_path / "none.csv") == []


@pytest.mark.parametrize("text", ["", "name,why\na,b\n", "filename,stage,reason,mine\n"])
def test_a_file_of_another_is_neither_replaced_nor_deleted(tmp_path: Path, text: str) -> None:
    path = tmp_path / "failures.csv"
    path.write_text(text)
    for failures in ([], [Failure("a.mp4", "open", "empty file")]):
        with pytest.raises(InputError, match="is no list of failures that primatrix wrote"):
            write_failures(failures, path)
    assert path.read_text() == text


def test_what_is_no_table_gets_one_line(tmp_path: Path) -> None:
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x80,\n")
    with pytest.raises(InputError, match="not a CSV table"):
        read_table(tmp_path / "binary.csv")


def test_only_an_empty_cell_of_text_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("filepath,label,site,hog\nnull,None,NA,NA\nb.mp4,,,0.5\n")
    table = read_table(path)
    assert table.loc[0, ["filepath", "label", "site"]].tolist() == ["null", "None", "NA"]
    assert table.loc[1, ["label", "site"]].isna().all()
    assert table["hog"].isna().tolist() == [True, False]


def test_for_a_spreadsheet_no_cell_begins_as_a_formula_and_numbers_stay(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"=site": ["=1+1", "+49", "-2.5", "@SUM(A1)", "\t=1", "-north", "＝1", "a=b", ""], "hog": [-1.5] * 9},
        index=pd.Index(["-a.mp4", *"bcdefghi"], name="filepath"),
    )
    path = write_table(table, tmp_path / "t.csv", for_spreadsheet=True)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["filepath", "'=site", "hog"]
    assert [row[1] for row in rows[1:]] == [
        "'=1+1", "+49", "-2.5", "'@SUM(A1)", "'\t=1", "'-north", "'＝1", "a=b", "",
    ]  # fmt: skip
    assert (rows[1][0], {row[2] for row in rows[1:]}) == ("'-a.mp4", {"-1.5"})
    assert table.columns[0] == "=site"
    plain = write_table(table, tmp_path / "plain.csv")
    assert pd.read_csv(plain, dtype=str, keep_default_na=False)["=site"].tolist() == table["=site"].tolist()
