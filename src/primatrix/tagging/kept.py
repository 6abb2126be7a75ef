"""Answers about videos kept on disk beside the results, so that a card that grows is only looked at where it is new.

Answers lie in parts of some hundred videos, each written once and whole, in a folder per model (and all else that
decides an answer). A video is found by what its file is: one that was moved or renamed is known, one that changed is
not. What a disk did not give is not kept.
"""

import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from primatrix.disk import whole_file
from primatrix.tagging.answers import Answer

__all__ = ["KeptAnswers"]

KEY_BYTES = 16
NAME_DIGITS = 16  # of a folder, by what made its answers
DAMAGE = (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error)

Arrays = dict[str, NDArray[Any]]  # Any: arrays of several types
Pack = Callable[[Sequence[Answer]], Arrays]
Unpack = Callable[[Arrays], Sequence[Answer]]


class KeptAnswers:
    """The answers in `folder` that were made by the model and machine that `made_by` names.

    `pack` makes arrays of answers, `unpack` answers of such arrays.

    >>> import tempfile
    >>> from functools import partial
    >>> from primatrix.tagging.answers import pack_answers, unpack_answers
    >>> folder, pack = Path(tempfile.mkdtemp(), "answers"), partial(pack_answers, species_count=2)
    >>> kept = KeptAnswers(folder, made_by="lrcn", pack=pack, unpack=unpack_answers)
    >>> kept.write([b"what the file is"], [Answer("failed", "open", "empty file")])
    >>> [(places, answer.reason) for part in kept.read({b"what the file is": [3]}) for places, answer in part]
    [([3], 'empty file')]
    """

    def __init__(self, folder: Path, *, made_by: str, pack: Pack, unpack: Unpack) -> None:
        self._all = folder
        self._pack, self._unpack = pack, unpack
        self.folder = folder / sha256(made_by.encode()).hexdigest()[:NAME_DIGITS]
        self._next = -1  # number of the next part; found out when one is first written

    def find_keys(self, *, with_failed: bool = True) -> set[bytes]:
        """What the files are that there are answers about; a part that is damaged counts as not there.

        Not `with_failed`, those are left out of which there is only a failure.
        """
        found: dict[bytes, bool] = {}
        for path in self._list_parts():
            found |= dict(_read_keys(path))  # an answer given later goes before an earlier one
        return {key for key, failed in found.items() if with_failed or not failed}

    def write(self, keys: Sequence[bytes], answers: Sequence[Answer]) -> None:
        """Keep answers about files that are these: after a kill they are there whole or not at all."""
        if not keys:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        arrays = self._pack(answers)
        arrays["keys"] = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, KEY_BYTES)
        arrays["failed"] = np.array([answer.status == "failed" for answer in answers])
        self._next = len(self._list_parts()) if self._next < 0 else self._next + 1
        digest = sha256(b"".join(keys)).hexdigest()
        path = self.folder / f"{self._next:06}-{digest[:NAME_DIGITS]}.npz"
        with whole_file(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # its stub takes the names for its options

    def read(self, places: Mapping[bytes, list[int]]) -> Iterator[list[tuple[list[int], Answer]]]:
        """Part by part, the answers about the files in `places`, each with its places there and once only."""
        keys_of = {path: [key for key, _ in _read_keys(path)] for path in self._list_parts()}
        newest = {key: path for path, keys in keys_of.items() for key in keys if key in places}
        used = set(newest.values())
        for path, keys in keys_of.items():
            if path not in used:
                continue
            try:
                answers = self._unpack(_read_arrays(path))
            except DAMAGE:
                path.unlink(missing_ok=True)  # and asked for again by the next run
                continue
            here = zip(keys, answers, strict=True)
            yield [(places[key], answer) for key, answer in here if newest.get(key) == path]

    def remove_others(self) -> None:
        """Delete what other models answered, or this one under other settings: results of theirs are replaced."""
        for folder in self._all.glob("*/"):
            if folder != self.folder:
                shutil.rmtree(folder, ignore_errors=True)

    def _list_parts(self) -> list[Path]:
        return sorted(self.folder.glob("*.npz"))


def _read_keys(path: Path) -> list[tuple[bytes, bool]]:
    """What each file of a part is, and whether it failed."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return [
                (row.tobytes(), bool(failed))
                for row, failed in zip(arrays["keys"], arrays["failed"], strict=True)
            ]
    except DAMAGE:  # it is answered again
        return []


def _read_arrays(path: Path) -> Arrays:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return dict(arrays)
