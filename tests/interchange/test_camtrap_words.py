from hypothesis import given
from hypothesis import strategies as st

from primatrix.interchange.camtrap_words import (
    FAILED_COMMENT,
    NAME_COMMENT,
    escape,
    read_comments,
    read_tags,
    unescape,
    write_tags,
)
from primatrix.results import Sighting


@given(st.text(st.characters(codec="utf-8"), max_size=12))
def test_a_text_with_bars_comes_back_whole(text: str) -> None:
    assert "|" not in escape(text)
    assert unescape(escape(text)) == text


def test_tags_hold_the_label_and_the_exact_seconds() -> None:
    text = write_tags(Sighting("red | duiker", 0.1, 9.96, 4.25, 0.5))
    assert text == "label:red %7C duiker | startSeconds:0.1 | endSeconds:9.96 | bestSeconds:4.25"
    assert read_tags(text) == {
        "label": "red | duiker",
        "startSeconds": "0.1",
        "endSeconds": "9.96",
        "bestSeconds": "4.25",
    }


def test_comments_of_others_say_nothing_of_ours() -> None:
    text = "read by us | could not be read: open: a %7C b"
    assert list(read_comments(text, FAILED_COMMENT)) == ["open: a | b"]
    assert list(read_comments(text, NAME_COMMENT)) == []
