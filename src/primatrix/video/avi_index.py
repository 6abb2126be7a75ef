"""Whether an AVI's index can stand for the file: every chunk of every stream in it, nothing unlisted between.

An index that leaves chunks out, as a camera that lost power writes it, would give fewer pictures than reading
the file does. Only what lies between listed chunks is read. Format: RIFF, OpenDML AVI extensions 1.02.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

__all__ = ["HEAD_BYTES", "lists_everything"]

HEAD_BYTES = 8  # four letters and a length
LIST_HEAD_BYTES = 12  # and four letters more
OPENED_LISTS = {b"AVI ", b"AVIX", b"movi", b"rec "}
MOST_UNLISTED = 100_000


def lists_everything(path: Path, chunks: Sequence[tuple[int, int]]) -> bool:
    """Whether the file holds exactly these chunks (place, size of the content) of stream data, and all whole.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.avi")
    >>> _ = path.write_bytes(b"RIFF\\x1a\\0\\0\\0AVI LIST\\x0e\\0\\0\\0movi00dc\\2\\0\\0\\0ab")
    >>> lists_everything(path, [(24, 2)]), lists_everything(path, [])
    (True, False)
    """
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        place = 0
        for start, length in sorted(chunks):
            if start != place and not _holds_no_data(file, place, start):
                return False
            place = start + HEAD_BYTES + length
        return _holds_no_data(file, place, size_bytes)


def _holds_no_data(file: BinaryIO, place: int, end: int) -> bool:
    """Whether what lies between is whole and no stream's data: headers, lists, fillers, the index itself."""
    for _ in range(MOST_UNLISTED):
        if end - place in (0, place % 2):  # a chunk of odd length may be filled up by a byte, or not
            return True
        place += place % 2
        file.seek(place)
        head = file.read(LIST_HEAD_BYTES)
        kind, length = head[:4], int.from_bytes(head[4:8], "little")
        if place + HEAD_BYTES > end or not kind.isascii() or (kind[:2].isdigit() and length):
            return False
        opened = kind in (b"RIFF", b"LIST") and head[8:] in OPENED_LISTS
        place += LIST_HEAD_BYTES if opened else HEAD_BYTES + length
    return False
