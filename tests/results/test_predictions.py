from pathlib import Path

import pytest

from primatrix.errors import InputError
from primatrix.results.predictions import read_predictions


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_is_read_by_either_name_with_a_clip_that_failed_empty(tmp_path: Path) -> None:
    text = "filepath,status,hog,lion\nb/é.mp4,ok,0.25,1\na.mp4,failed,,NA\n"
    table = read_predictions(write(tmp_path / "p.csv", text))
    assert (table.index.tolist(), table.columns.tolist()) == (["b/é.mp4", "a.mp4"], ["hog", "lion"])
    assert table.loc["b/é.mp4"].tolist() == [0.25, 1.0]
    assert table.loc["a.mp4"].isna().all()
    table = read_predictions(write(tmp_path / "oof.csv", "filename,fold,hog\n007,0,0.5\n"))
    assert table.to_dict() == {"hog": {"007": 0.5}}


def test_a_table_saved_by_excel_is_read(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_bytes("filepath;hog;lion\r\né.mp4;0,25;1\r\nb.mp4;;\r\n".encode("cp1252"))
    table = read_predictions(tmp_path / "p.csv")
    assert table.loc["é.mp4"].tolist() == [0.25, 1.0]
    assert table.loc["b.mp4"].isna().all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clip,hog\na,0.5\n", "got columns clip, hog; wanted `filename`"),
        ("filename,status,fold\na,ok,1\n", "got columns filename, status, fold; wanted `filename`"),
        ("filename,hog\na,-0.1\n", "-0.1 for a, column hog, is not a probability; wanted 0 to 1"),
        ("filename,hog,lion\na,0,0\nb,0,inf\n", "inf for b, column lion, is not a probability"),
        ("filename,hog\na,1.5\n", "1.5 for a, column hog, is not a probability"),
        ("filename,hog\na,often\n", "often for a, column hog, is not a probability"),
    ],
)
def test_bad_predictions_get_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_predictions(tmp_path / "p.csv")
    assert "\n" not in str(caught.value)
