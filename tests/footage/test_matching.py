"""Names in tables find their files however they are written, and never another file."""

import logging
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from primatrix.errors import InputError
from primatrix.footage.matching import leads_outside, match_names, pick_like

FILES = ["a.MP4", "card 1/b.avi", "card 1/é.mp4", "card 2/b.avi"]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("card 1\\b.avi", "card 1/b.avi"),
        ("./a.MP4", "a.MP4"),
        ("card 2/../card 1//b.avi", "card 1/b.avi"),
        (" a.MP4 ", "a.MP4"),
        ("A.mp4", "a.MP4"),
        ("CARD 1/B.AVI", "card 1/b.avi"),
        ("card 1/" + unicodedata.normalize("NFD", "é") + ".mp4", "card 1/é.mp4"),
        ("CARD 1/" + unicodedata.normalize("NFD", "É") + ".mp4", "card 1/é.mp4"),
        ("a", "a.MP4"),
        ("card 1/b", "card 1/b.avi"),
        ("/data/Footage/card 1/b.avi", "card 1/b.avi"),
        ("D:\\trip\\footage\\card 1\\b.avi", "card 1/b.avi"),
        ("footage/a.MP4", "a.MP4"),
        ("../footage/a", "a.MP4"),
    ],
)
def test_a_name_written_otherwise_is_its_file_in_a_table_of_any_kind(name: str, file: str) -> None:
    root, table = Path("/data/Footage"), Path("/data/tables/labels.csv")
    assert match_names([name], FILES, root=root, table=table) == {name: file}
    assert match_names([name, "card 2/b.avi"], FILES, root=root, table=table)[name] == file


def test_a_name_is_seen_from_the_folder_of_its_table() -> None:
    below = match_names(["b.avi"], FILES, root="/data", table="/data/card 2/labels.csv")
    assert below == {"b.avi": "card 2/b.avi"}
    above = match_names(["data/a.MP4"], FILES, root="/x/data", table="/x/labels.csv")
    assert above == {"data/a.MP4": "a.MP4"}


def test_tables_of_other_folders_match_by_the_folders_all_names_share() -> None:
    names = ["/old/disk/videos/card 1/b.avi", "/old/disk/videos/a.MP4"]
    assert match_names(names, FILES) == {names[0]: "card 1/b.avi", names[1]: "a.MP4"}
    assert match_names(["a.MP4", "é.mp4"], ["x/a.MP4", "x/y/é.mp4", "x/b.mp4"]) == {
        "a.MP4": "x/a.MP4",
        "é.mp4": "x/y/é.mp4",
    }


def test_another_cards_clips_are_not_taken_for_those_of_the_same_name() -> None:
    assert match_names(["card 1/a.mp4", "card 2/a.mp4"], ["a.mp4"], root="/data/card 1") == {
        "card 1/a.mp4": "a.mp4"
    }
    assert match_names(["b.mp4", "card 2/a.mp4"], ["a.mp4", "b.mp4"]) == {"b.mp4": "b.mp4"}
    assert match_names(["a.mp4", "A.mp4"], ["a.mp4"]) == {"a.mp4": "a.mp4"}
    assert match_names(["a.mp4"], ["a.avi"]) == {}


@pytest.mark.parametrize(
    ("names", "files", "message"),
    [
        (["A.mp4"], ["a.mp4", "a.MP4"], "A.mp4 may be a.mp4 or a.MP4"),
        (["a"], ["a.mp4", "a.avi"], "a may be a.mp4 or a.avi"),
        (["b.avi"], ["x/b.avi", "y/b.avi"], "b.avi may be x/b.avi or y/b.avi"),
        (["A.mp4", "a.MP4"], ["a.mp4"], "A.mp4 and a.MP4 may both be a.mp4; wanted one name for each file"),
        (["x\\b.avi", "./x/b.avi"], ["x/b.avi"], "x\\b.avi and ./x/b.avi may both be x/b.avi"),
    ],
)
def test_a_name_with_two_meanings_is_refused_in_one_line(
    names: list[str], files: list[str], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        match_names(names, files, table=Path("t.csv"))
    assert str(caught.value).startswith("t.csv: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_was_taken_for_what_is_said_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        match_names(["a.mp4"], ["a.mp4", "b.mp4"])
        assert caplog.messages == []
        match_names(["a.mp4", "B.mp4", "c.mp4"], ["a.mp4", "b.mp4"], table="labels.csv")
    assert caplog.messages == [
        "labels.csv: 1 of 3 names are written otherwise than the files: B.mp4 is taken for b.mp4"
    ]


def test_a_file_like_the_missing_one_is_shown_beside_it() -> None:
    assert pick_like("x/B.avi", FILES) == "card 1/b.avi"
    assert pick_like("z.mp4", FILES) == "a.MP4"
    assert pick_like("z.mp4", []) == "none"


@pytest.mark.parametrize(
    ("name", "outside"),
    [
        ("../x.jpg", True),
        ("a/../../x.jpg", True),
        ("/etc/x.jpg", True),
        ("\\\\server\\x.jpg", True),
        ("..\\x.jpg", True),
        ("c:/x.jpg", True),
        ("a\0.jpg", True),
        ("a/../x.jpg", False),
        ("..x.jpg", False),
        ("~b/x.jpg", False),
        ("b:x.jpg", False),
    ],
)
def test_paths_that_lead_outside_are_known(name: str, outside: bool) -> None:
    assert leads_outside(name) is outside


part = st.text(st.characters(codec="utf-8", exclude_characters="/\\\x00"), min_size=1, max_size=5).filter(
    lambda text: text == text.strip() and text.strip(".") != ""
)
suffix = st.sampled_from([".mp4", ".MP4", ".avi", ".jpg"])
paths = st.builds(
    lambda folders, stem, end: "/".join([*folders, stem + end]), st.lists(part, max_size=2), part, suffix
)
WRITERS: list[Callable[[str], str]] = [
    lambda name: name,
    lambda name: name.replace("/", "\\"),
    lambda name: f"./{name}",
    lambda name: f"footage/{name}",
    lambda name: f"/data/footage/{name}",
    lambda name: f"C:\\data\\footage\\{name}",
    lambda name: unicodedata.normalize("NFD", name),
    lambda name: unicodedata.normalize("NFC", name),
    str.upper,
    str.lower,
    lambda name: name.rpartition(".")[0],
]


@given(st.lists(paths, min_size=1, max_size=6, unique=True), st.data())
@settings(max_examples=300)
def test_however_a_name_is_written_it_is_never_another_file(files: list[str], data: st.DataObject) -> None:
    written = {data.draw(st.sampled_from(WRITERS))(file): file for file in files}
    assume(len(written) == len(files))
    try:
        found = match_names(written, files, root="/data/footage", table="/data/labels.csv")
    except InputError:  # it may be two files
        return
    assert set(found.values()) <= set(files)
    wrong = {name: file for name, file in found.items() if file != written[name]}
    assert not {
        name for name in wrong if name not in files
    }  # the name of a file is that file, whoever meant what


@given(st.lists(paths, min_size=1, max_size=6, unique_by=lambda name: unicodedata.normalize("NFKC", name).casefold()),
       st.sampled_from(WRITERS[:6]))  # fmt: skip
@settings(max_examples=200)
def test_names_all_written_in_one_way_are_all_found(files: list[str], write: Callable[[str], str]) -> None:
    assume(not any("footage" in file.casefold() for file in files))
    found = match_names(map(write, files), files, root="/data/footage", table="/data/labels.csv")
    assert found == {write(file): file for file in files}
