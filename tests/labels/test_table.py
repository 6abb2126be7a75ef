from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primatrix.errors import InputError
from primatrix.interchange import read_labels
from primatrix.labels.table import count_species, read_submission_format


def write(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_wide_labels_keep_rows_and_columns_in_file_order(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path, "filename,hog,blank\nb.mp4,1.0,0.0\na.mp4,0,1\n"))
    assert labels.species == ("hog", "blank")
    assert labels.table.index.tolist() == ["b.mp4", "a.mp4"]
    assert labels.table.to_numpy().tolist() == [[1, 0], [0, 1]]
    assert labels.table.to_numpy().dtype == np.float32
    assert labels.sites is None


def test_wide_labels_may_carry_sites(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path, "filename,site,hog,lion\nb.mp4,north,1,0\na.mp4,south,0,1\n"))
    assert labels.species == ("hog", "lion")
    assert labels.sites is not None
    assert labels.sites.to_dict() == {"b.mp4": "north", "a.mp4": "south"}


def test_long_labels_gather_the_species_of_a_clip(tmp_path: Path) -> None:
    text = "filepath,label,site\nx/b.mp4,lion,s1\na.mp4,blank,s2\nx/b.mp4,hog,s1\nnew.mp4,,\n"
    labels = read_labels(write(tmp_path, text))
    assert labels.species == ("blank", "hog", "lion")
    assert labels.table.loc["x/b.mp4"].tolist() == [0, 1, 1]
    assert labels.table.index.tolist() == ["x/b.mp4", "a.mp4"]  # new.mp4 has no label
    assert labels.sites is not None
    assert labels.sites.to_dict() == {"x/b.mp4": "s1", "a.mp4": "s2"}


def test_species_of_a_long_file_can_be_fixed(tmp_path: Path) -> None:
    path = write(tmp_path, "filepath,label\na.mp4,hog\n")
    assert read_labels(path, species=["lion", "hog"]).table.to_numpy().tolist() == [[0, 1]]
    with pytest.raises(InputError, match="labels hog are not among the 1 species"):
        read_labels(path, species=["lion"])


def test_numeric_clip_names_stay_text(tmp_path: Path) -> None:
    assert read_labels(write(tmp_path, "filename,hog\n0012,1\n")).table.index.tolist() == ["0012"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not a CSV table"),
        ("filename,hog\n", "no rows; wanted one row per clip"),
        ("clip,hog\na.mp4,1\n", "got columns clip, hog; wanted `filename`"),
        ("filename\na.mp4\n", "got columns filename; wanted `filename` and one column of 0/1 per species"),
        ("filename,hog\na.mp4,1\na.mp4,0\n", "1 duplicate rows (a.mp4); wanted one row per clip"),
        ("filename,hog\na.mp4,2\nb.mp4,1\n", "1 values are not 0 or 1, the first"),
        ("filename,hog\na.mp4,yes\n", "1 values are not 0 or 1, the first yes for a.mp4, column hog"),
        ("filename,hog\na.mp4,\n", "1 values are not 0 or 1"),
        ("filename,hog\n,1\n", "1 rows have no clip name"),
        ("filename,blank,hog\na.mp4,1,1\n", "1 clips are labelled `blank` together with a species (a.mp4)"),
        ("filepath,label\na.mp4,hog\na.mp4,hog\n", "1 duplicate rows (clip and label), the first a.mp4"),
        ("filepath,label\na.mp4,hog\na.mp4,blank\n", "`blank` together with a species"),
        ("filepath,label\na.mp4,\n", "no row has a label"),
        ("filepath,label,site\na.mp4,hog,x\na.mp4,lion,y\n", "a.mp4 has several sites"),
    ],
)
def test_bad_label_files_get_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_labels(write(tmp_path, text))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_label_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv: no such file; wanted a CSV table"):
        read_labels(tmp_path / "nowhere.csv")


def test_species_are_counted_most_frequent_first(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path, "filename,hog,lion\na,0,1\nb,1,1\nc,0,1\n"))
    assert count_species(labels).to_dict() == {"lion": 3, "hog": 1}
    assert list(count_species(labels).index) == ["lion", "hog"]


def test_submission_format_keeps_its_order(tmp_path: Path) -> None:
    table = read_submission_format(write(tmp_path, "filename,zebra,ant\nq.mp4,0.0,0.0\nb.mp4,0,0\n"))
    assert (table.index.tolist(), table.columns.tolist()) == (["q.mp4", "b.mp4"], ["zebra", "ant"])


def test_real_label_files_are_read(shared_data: Path) -> None:
    clips = read_labels(shared_data / "camera_trap_clips" / "labels.csv")
    assert len(clips.table) == 22  # 20 more have no label
    events = read_labels(shared_data / "fixed_camera_events" / "labels.csv")
    assert (len(events.table), len(events.species)) == (369, 4)
    assert events.sites is not None
    assert events.sites.nunique() == 5


@pytest.mark.parametrize(
    "text",
    [
        "filepath,label,split\na,hog,train\na,lion,train\nb,hog,val\nc,lion,holdout\n",
        "filename,split,hog,lion\na,Training,1,1\nb,validation,1,0\nc,test,0,1\n",
        "filepath,labels,split\na,hog;lion,train\nb,hog,VAL\nc,lion,hold-out\n",
        "filepath,label,start_seconds,end_seconds,best_seconds,probability,split\na,hog,0,1,0.5,,train\n"
        "a,lion,0,1,0.5,,train\nb,hog,0,1,0.5,,valid\nc,lion,0,1,0.5,,held out\n",
    ],
)
def test_a_column_split_says_what_clips_are_for_in_a_file_of_any_shape(tmp_path: Path, text: str) -> None:
    labels = read_labels(write(tmp_path, text))
    assert labels.species == ("hog", "lion")
    assert labels.table.loc[["a", "b", "c"]].to_numpy().tolist() == [[1, 1], [1, 0], [0, 1]]
    assert labels.parts is not None
    assert labels.parts.to_dict() == {"a": "train", "b": "val", "c": "holdout"}
    renamed = labels.rename({"a": "x"}).keep(pd.Index(["x", "c"]))
    assert renamed.parts is not None
    assert renamed.parts.to_dict() == {"x": "train", "c": "holdout"}


def test_a_column_split_without_a_word_says_nothing(tmp_path: Path) -> None:
    assert read_labels(write(tmp_path, "filepath,label,split\na,hog,\nb,lion,\n")).parts is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            "a,hog,train\nb,hog,tain\n",
            "b has 'tain' in its column `split`; wanted train, val or holdout for every",
        ),
        ("a,hog,train\nb,hog,\n", "b has 'nothing' in its column `split`; wanted train, val or holdout"),
        ("a,hog,train\na,lion,val\n", "a is in several parts of the column `split`; wanted one per clip"),
    ],
)
def test_a_column_split_that_does_not_say_is_refused(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read_labels(write(tmp_path, f"filepath,label,split\n{rows}"))
    assert message in str(caught.value)
