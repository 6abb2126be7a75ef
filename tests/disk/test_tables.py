import csv
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primatrix.disk.tables import (
    name_failures,
    read_failures,
    read_header,
    read_table,
    read_text_table,
    write_failures,
    write_table,
)
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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize(("separator", "end"), [(",", "\n"), (";", "\r\n"), ("\t", "\r\n"), (";", "\r")])
def test_a_table_is_read_as_excel_writes_it(tmp_path: Path, encoding: str, separator: str, end: str) -> None:
    rows = ["filepath,label,site", "été/a.mp4,hog,Taï", "b.mp4,,"]
    path = tmp_path / "t.csv"
    path.write_bytes((end.join(rows).replace(",", separator) + end).encode(encoding))
    assert read_header(path) == ["filepath", "label", "site"]
    table = read_table(path)
    assert table.loc[0].tolist() == ["été/a.mp4", "hog", "Taï"]
    assert table.loc[1, ["label", "site"]].isna().all()
    assert read_text_table(path, needed=()).to_numpy().tolist() == [
        ["été/a.mp4", "hog", "Taï"],
        ["b.mp4", "", ""],
    ]


def test_numbers_have_decimal_commas_where_cells_are_not_separated_by_commas(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("filepath;hog;lion;site\na.mp4;0,25;1;1,5\nb,1;0.5;0;2\n")
    table = read_table(path)
    assert pd.to_numeric(table["hog"]).tolist() == [0.25, 0.5]
    assert (table["lion"].tolist(), table["filepath"].tolist()) == ([1, 0], ["a.mp4", "b,1"])
    text = read_text_table(path, needed=())
    assert text["hog"].tolist() == ["0.25", "0.5"]
    assert text["site"].tolist() == ["1,5", "2"]  # a name is no number


def test_what_spreadsheets_add_to_a_table_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("sep=;\nfilepath;label;;\na.mp4;hog;;\n;;;\nb.mp4;lion;;\n;;;\n")
    assert read_table(path).to_dict("list") == {"filepath": ["a.mp4", "b.mp4"], "label": ["hog", "lion"]}
    assert read_header(path)[:2] == ["filepath", "label"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b"PK\x03\x04\x14\x00\x06\x00",
            "not a CSV table (a zip archive or Excel workbook); wanted a header and rows",
        ),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "not a CSV table (an Excel workbook)"),
        (b"filepath,label\n\x81\xfe,hog\n", "not text in UTF-8, UTF-16 or Windows-1252"),
        (b"filepath\0,label\n", "not text in UTF-8, UTF-16 or Windows-1252"),
        (b"filepath,label\na.mp4,hog,north\n", "its rows have more cells than the 2 columns of its header"),
        (b"filepath,hog,hog\na.mp4,1,0\n", "column `hog` stands there twice; wanted each once"),
    ],
)
def test_a_table_that_cannot_be_read_says_why_in_one_line(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "t.csv").write_bytes(data)
    for read in (read_table, lambda path: read_text_table(path, needed=())):
        with pytest.raises(InputError) as caught:
            read(tmp_path / "t.csv")
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


cell = st.text(st.characters(codec="cp1252", categories=("L", "N", "P", "Zs")), max_size=6).map(str.strip)


@given(st.lists(st.tuples(cell.filter(bool), cell), min_size=1, max_size=5), st.sampled_from(",;\t"),
       st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))  # fmt: skip
@settings(max_examples=100)
def test_no_cell_changes_with_the_way_a_table_is_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], separator: str, encoding: str
) -> None:
    path = tmp_path_factory.mktemp("t") / "t.csv"
    table = pd.DataFrame(rows, columns=["filepath", "label"])
    text = table.to_csv(index=False, sep=separator)
    try:
        is_other = encoding == "cp1252" and text.encode("cp1252").decode("utf-8") != text
    except UnicodeDecodeError:
        is_other = False
    if not is_other:  # what is UTF-8 as well is read as that
        path.write_bytes(text.encode(encoding))
        assert read_text_table(path, needed=()).to_numpy().tolist() == table.to_numpy().tolist()


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
