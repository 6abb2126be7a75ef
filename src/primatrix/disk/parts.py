"""The model's answers kept on disk while a long prediction runs, so that one that was killed goes on.

A chunk of answers is found again only by what it was made from: the model that gave it and what the files are that it
was asked about. Another model or a changed file finds nothing.
"""

import hashlib
import json
import shutil
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from primatrix.disk.whole import write_whole

__all__ = ["Answers"]


class Answers:
    """Chunks of probabilities (B, S) in `folder`, given by the model and machine that `made_by` names.

    >>> import tempfile
    >>> kept = Answers(Path(tempfile.mkdtemp(), "parts"), made_by="lrcn")
    >>> kept.write(["9f2c"], np.full((1, 24), 0.5, np.float32))
    >>> kept.read(["9f2c"]).shape, kept.read(["77ab"]) is None
    ((1, 24), True)
    """

    def __init__(self, folder: Path, *, made_by: str) -> None:
        self.folder = folder
        self.made_by = made_by

    def read(self, inputs: Sequence[str]) -> NDArray[np.float32] | None:
        """The answers kept for exactly these inputs in this order; None where there are none."""
        path = self._path(inputs)
        try:
            with path.open("rb") as file:
                answers: NDArray[np.float32] = np.load(file, allow_pickle=False)
        except (OSError, ValueError, EOFError):  # absent, or damaged: they are asked for again
            return None
        return answers if len(answers) == len(inputs) else None

    def write(self, inputs: Sequence[str], answers: NDArray[np.float32]) -> None:
        """Keep the answers to some inputs: after a kill they are there whole or not at all."""

        def save(temporary: Path) -> None:
            with temporary.open("wb") as file:
                np.save(file, answers)

        write_whole(self._path(inputs), save)

    def read_arrays(self, inputs: Sequence[str]) -> dict[str, NDArray[Any]] | None:
        """Named arrays kept for exactly these inputs in this order; None where there are none."""
        try:
            with self._path(inputs, ".npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return dict(arrays)
        except (OSError, ValueError, EOFError, BadZipFile, zlib.error):  # absent, or damaged
            return None

    def write_arrays(self, inputs: Sequence[str], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep named arrays about some inputs: after a kill they are there whole or not at all."""

        def save(temporary: Path) -> None:
            with temporary.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]  # its stub takes the names for its options

        write_whole(self._path(inputs, ".npz"), save)

    def remove(self) -> None:
        """Delete all that is kept, whatever made it: the result is written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, inputs: Sequence[str], suffix: str = ".npy") -> Path:
        key = hashlib.sha256(json.dumps([self.made_by, list(inputs)]).encode()).hexdigest()
        return self.folder / f"{key[:32]}{suffix}"
