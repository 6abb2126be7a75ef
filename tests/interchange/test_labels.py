from pathlib import Path

import pytest

from primatrix.interchange.formats import find_format, read_export
from primatrix.interchange.labels import read_labels


def test_tables_as_r_writes_them_are_read(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text('\ufeff"filepath","labels"\n"a.mp4","hog;duiker"\n', encoding="utf-8")
    assert read_labels(path).species == ("duiker", "hog")
    path.write_text('"filepath","label","start_seconds","end_seconds","best_seconds","probability"\n'
                    '"a.mp4","hog",1,2,1.5,\n"a.mp4","hog",5,6,5.5,\n')  # fmt: skip
    assert read_labels(path).table.to_dict("index") == {"a.mp4": {"hog": 1}}
    assert read_export(path).sightings["probability"].isna().all()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("filepath;label;site\né.mp4;hog;Taï\né.mp4;lion;Taï\n", "long-csv"),
        ("filename;site;hog;lion\né.mp4;Taï;1;1\n", "csv"),
        ("filepath;labels;site\né.mp4;hog, lion;Taï\n", "list-csv"),
        ('filepath\tlabels\tsite\né.mp4\t"hog;lion"\tTaï\n', "list-csv"),
    ],
)
def test_label_files_of_every_shape_are_read_as_excel_writes_them(
    tmp_path: Path, encoding: str, text: str, kind: str
) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(text.replace("\n", "\r\n").encode(encoding))
    labels = read_labels(path)
    assert labels.table.to_dict("index") == {"é.mp4": {"hog": 1, "lion": 1}}
    assert labels.sites is not None
    assert labels.sites.to_dict() == {"é.mp4": "Taï"}
    assert find_format(path) == kind
