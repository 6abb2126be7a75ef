from pathlib import Path

from primatrix.interchange.formats import (
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
