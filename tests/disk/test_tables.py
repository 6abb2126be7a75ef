import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from primatrix.disk.tables import read_table, write_failures, write_table
from primatrix.disk.whole import write_whole
from primatrix.errors import InputError
from primatrix.records import Failure


def test_a_table_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "new" / "t.csv"
    write_table(pd.DataFrame({"hog": [1]}, index=pd.Index(["a"], name="filename")), path)

    def fail(temporary: Path) -> None:
        temporary.write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_whole(path, fail)
    assert path.read_text() == "filename,hog\na,1\n"
    assert [p.name for p in path.parent.iterdir()] == ["t.csv"]


def test_a_name_with_a_carriage_return_stays_one_cell(tmp_path: Path) -> None:
    table = pd.DataFrame({"filepath": ["a\r.mp4", "b.mp4"], "hog": [0.5, 1.0]})
    write_table(table, tmp_path / "t.csv", index=False)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "t.csv"), table)


def test_failures_are_listed_and_an_old_list_goes_when_there_are_none(tmp_path: Path) -> None:
    path = tmp_path / "failures.csv"
    assert write_failures([Failure("a,b.mp4", "open", "empty file")], path) == path
    assert path.read_text() == 'filename,stage,reason\n"a,b.mp4",open,empty file\n'
    assert write_failures([], path) is None
    assert not path.exists()


def test_what_is_no_table_gets_one_line(tmp_path: Path) -> None:
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00\x80,\n")
    with pytest.raises(InputError, match="not a CSV table"):
        read_table(tmp_path / "binary.csv")


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path: Path) -> None:
    code = "import os, sys; from pathlib import Path; from primatrix.disk.tables import write_whole\n"
    code += "write_whole(sys.argv[1], lambda path: (path.write_text('half'), os.kill(os.getpid(), 9)))"
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.csv")], check=False)
    assert killed.returncode == -9
    assert [path.name.split(".")[1] for path in tmp_path.iterdir()] == ["a"]  # .a.csv.….part
    write_whole(tmp_path / "a.csv", lambda path: path.write_text("whole"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_only_an_empty_cell_of_text_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("filepath,label,site,hog\nnull,None,NA,NA\nb.mp4,,,0.5\n")
    table = read_table(path)
    assert table.loc[0, ["filepath", "label", "site"]].tolist() == ["null", "None", "NA"]
    assert table.loc[1, ["label", "site"]].isna().all()
    assert table["hog"].isna().tolist() == [True, False]
