"""What packages of ours say in comments and tags of Camtrap DP: all that the format has no other room for."""

import re
from collections.abc import Iterator

from primatrix.results import Sighting

__all__ = [
    "BOX_COLUMNS",
    "FAILED_COMMENT",
    "NAME_COMMENT",
    "PARTIAL_COMMENT",
    "escape",
    "read_comments",
    "read_tags",
    "write_box",
    "write_tags",
]

BOX_COLUMNS = ("bboxX", "bboxY", "bboxWidth", "bboxHeight")
NAME_COMMENT = "file: "  # before the true name of a file whose path the format does not allow
FAILED_COMMENT = "could not be read: "
PARTIAL_COMMENT = "read in part: "


def write_box(seen: Sighting) -> dict[str, str]:
    """The columns that say where in the picture something is; none where that is not known.

    >>> from primatrix.records import Box
    >>> write_box(Sighting("hog", 2.0, 7.5, 4.0, 0.9, Box(0.25, 0.5, 0.125, 0.25)))
    {'bboxX': '0.25', 'bboxY': '0.5', 'bboxWidth': '0.125', 'bboxHeight': '0.25'}
    """
    return {name: f"{edge:.4g}" for name, edge in zip(BOX_COLUMNS, seen.box or (), strict=False)}


def write_tags(seen: Sighting) -> str:
    """The label and the exact seconds of a sighting, as tags.

    >>> write_tags(Sighting("hog", 2.0, 7.5, 4.0, 0.9))
    'label:hog | startSeconds:2.0 | endSeconds:7.5 | bestSeconds:4.0'
    """
    times = {
        "startSeconds": seen.start_seconds,
        "endSeconds": seen.end_seconds,
        "bestSeconds": seen.best_seconds,
    }
    return " | ".join([f"label:{escape(seen.species)}", *(f"{key}:{value}" for key, value in times.items())])


def read_tags(text: str) -> dict[str, str]:
    """The tags of an observation that have a name.

    >>> read_tags("label:hog | at night | startSeconds:2.0")
    {'label': 'hog', 'startSeconds': '2.0'}
    """
    pairs = (tag.partition(":") for tag in text.split("|"))
    return {key.strip(): unescape(value.strip()) for key, _, value in pairs if value}


def read_comments(text: str, kind: str) -> Iterator[str]:
    """What comments of one kind say, as `NAME_COMMENT`.

    >>> list(read_comments("read by us | file: ~a%7Cb.mp4", NAME_COMMENT))
    ['~a|b.mp4']
    """
    parts = text.split(" | ")
    yield from (unescape(part.removeprefix(kind)) for part in parts if part.startswith(kind))


def escape(text: str) -> str:
    """Text without the bar that parts tags and comments; `unescape` gives it back.

    >>> escape("50 % a|b %7C"), unescape("50 % a%7Cb %257C")
    ('50 % a%7Cb %257C', '50 % a|b %7C')
    """
    return re.sub("%(?=7C|25)", "%25", text).replace("|", "%7C")


def unescape(text: str) -> str:
    """The text that `escape` was given."""
    return re.sub("%7C|%25", lambda found: "|" if found[0] == "%7C" else "%", text)
