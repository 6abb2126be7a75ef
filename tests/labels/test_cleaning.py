"""Spellings of a species are one, words for blank are blank, words for nothing are no label."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primatrix.errors import InputError
from primatrix.interchange import read_labels
from primatrix.labels.cleaning import clean_names, fold_name, match_species


def write(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "word",
    ["Blank", "BLANK", "blank ", "empty", "Empty", "none", "None", "nothing", "Nothing here", "no_animal",
     "No-Animal", "vide", "Vacío", "\u00a0blank", "EMPTY\u200b"],
)  # fmt: skip
def test_every_word_for_a_blank_clip_is_blank(tmp_path: Path, word: str) -> None:
    labels = read_labels(write(tmp_path, f"filepath,label\na.mp4,hog\nb.mp4,{word}\n"))
    assert labels.table.to_dict("index") == {"a.mp4": {"blank": 0, "hog": 1}, "b.mp4": {"blank": 1, "hog": 0}}
    wide = read_labels(write(tmp_path, f"filename,hog,{word}\na.mp4,1,0\nb.mp4,0,1\n"))
    assert wide.table.to_dict("index") == {"a.mp4": {"hog": 1, "blank": 0}, "b.mp4": {"hog": 0, "blank": 1}}


@pytest.mark.parametrize("word", ["NA", "N/A", "NaN", "nan", "null", "NULL", "#N/A", "<NA>", "", "  "])
def test_a_word_for_no_label_is_no_species(tmp_path: Path, word: str) -> None:
    labels = read_labels(write(tmp_path, f"filepath,label\na.mp4,hog\nb.mp4,{word}\n"))
    assert labels.table.to_dict("index") == {"a.mp4": {"hog": 1}}
    lists = read_labels(write(tmp_path, f'filepath,labels\na.mp4,"hog;{word}"\nb.mp4,{word}\n'))
    assert lists.table.to_dict("index") == {"a.mp4": {"hog": 1}}
    with pytest.raises(InputError, match="no row has a label; wanted at least one"):
        read_labels(write(tmp_path, f"filepath,label\na.mp4,{word}\n"))


def test_a_clip_of_which_only_a_column_for_no_label_speaks_is_left_out(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path, "filename,hog,NA\na.mp4,1,0\nb.mp4,0,1\nc.mp4,0,0\nd.mp4,1,1\n"))
    assert labels.table.to_dict("index") == {"a.mp4": {"hog": 1}, "c.mp4": {"hog": 0}, "d.mp4": {"hog": 1}}


def test_the_first_spelling_of_a_species_is_kept_and_a_clip_counts_once(tmp_path: Path) -> None:
    text = "filepath,label\na,Red_Duiker\nb,red duiker \nc,RED  DUIKER\na,red duiker\nd,hog\n"
    labels = read_labels(write(tmp_path, text))
    assert labels.table.to_dict() == {
        "Red_Duiker": {"a": 1, "b": 1, "c": 1, "d": 0},
        "hog": {"a": 0, "b": 0, "c": 0, "d": 1},
    }
    wide = read_labels(write(tmp_path, "filename,Hog,hog,HOG ,lion\na,1,0,0,0\nb,0,1,1,0\nc,0,0,0,1\n"))
    assert wide.table.to_dict("index") == {
        "a": {"Hog": 1, "lion": 0}, "b": {"Hog": 1, "lion": 0}, "c": {"Hog": 0, "lion": 1},
    }  # fmt: skip


def test_species_that_are_wanted_keep_the_spelling_wanted(tmp_path: Path) -> None:
    path = write(tmp_path, "filepath,label\na,HOG\nb,Empty\n")
    assert read_labels(path, species=["hog", "blank", "lion"]).table.to_dict("index") == {
        "a": {"hog": 1, "blank": 0, "lion": 0},
        "b": {"hog": 0, "blank": 1, "lion": 0},
    }
    assert read_labels(path).spell(["blank", "Hog"]).species == ("Hog", "blank")


def test_a_site_is_one_however_it_is_spelt_and_may_be_called_na(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path, "filepath,label,site\na,hog,North\nb,hog,north \nc,hog,NA\n"))
    assert labels.sites is not None
    assert labels.sites.to_dict() == {"a": "North", "b": "North", "c": "NA"}


def test_what_was_done_is_said_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path, "filepath,label,site\na,hog,N\nb,Hog,N\nc,hog ,n\nd,Empty,N\ne,none,N\nf,NA,N\n")
    with caplog.at_level(logging.WARNING):
        read_labels(path)
    assert caplog.messages == [
        f"{path}: n taken for N (1 row); Hog, 'hog ' taken for hog (2 rows); Empty, none taken for blank (2 rows); "
        "NA taken for no label (1 row)"
    ]
    caplog.clear()
    read_labels(write(tmp_path, "filepath,label\na,hog\nb,blank\nc,\n"))
    assert caplog.messages == []


def test_blank_under_another_name_excludes_a_species_too(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`blank` together with a species"):
        read_labels(write(tmp_path, "filepath,label\na,hog\na,Nothing\n"))


def test_a_name_of_two_known_species_is_neither() -> None:
    assert match_species(["ZEBRA", "zebra"], ["Zebra", "zebra"]) == {"zebra": "zebra"}


name = st.text(st.characters(codec="utf-8"), max_size=8)
spellings = st.sampled_from([str, str.upper, str.lower, str.title, lambda text: f" {text} ", lambda text: f"{text}\t",
                             lambda text: text.replace(" ", "_"), lambda text: text.replace(" ", "  ")])  # fmt: skip
ascii_name = st.text("abc xyz", min_size=1, max_size=8).filter(lambda text: text.strip() == text)


@given(name)
def test_a_name_is_folded_once_and_for_all(text: str) -> None:
    assert fold_name(fold_name(text)) == fold_name(text)
    assert fold_name(text) == fold_name(f"  {text} ")


@given(st.lists(st.tuples(ascii_name, spellings), min_size=1, max_size=8))
def test_cleaning_finds_as_many_species_as_there_are(drawn: list[tuple[str, object]]) -> None:
    column = pd.Series([spell(name) for name, spell in drawn])  # type: ignore[operator]
    cleaned = clean_names(column).names
    assert cleaned.nunique() == len({" ".join(name.split()) for name, _ in drawn})
    again = clean_names(cleaned)
    assert (again.names.tolist(), again.notes) == (cleaned.tolist(), ())


@given(st.lists(st.one_of(name, st.just(np.nan)), max_size=8))
def test_cleaning_loses_no_row_and_makes_no_label(cells: list[str | float]) -> None:
    cleaned = clean_names(pd.Series(cells, dtype=object)).names
    assert len(cleaned) == len(cells)
    for before, after in zip(cells, cleaned, strict=True):
        if isinstance(after, str):
            assert isinstance(before, str)
            assert fold_name(before) == fold_name(after)
