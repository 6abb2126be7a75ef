from pathlib import Path

import pandas as pd
import pytest

from primatrix.interchange.formats import (
    check_export,
    find_format,
    read_export,
)
from primatrix.interchange.labels import read_labels


def test_tables_as_r_writes_them_are_read(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text('\ufeff"filepath","labels"\n"a.mp4","hog;duiker"\n', encoding="utf-8")
    assert read_labels(path).species == ("duiker", "hog")
    path.write_text('"filepath","label","start_seconds","end_seconds","best_seconds","probability"\n'
                    '"a.mp4","hog",1,2,1.5,\n"a.mp4","hog",5,6,5.5,\n')  # fmt: skip
    assert read_labels(path).table.to_dict("index") == {"a.mp4": {"hog": 1}}
    assert read_export(path).sightings["probability"].isna().all()


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
    assert labels.unlabelled == ("c.mp4",)
    assert find_format(path) == "list-csv"
    assert check_export(path) == []
