"""The clips a model was trained on, as the model itself keeps them: what their files are, and their names.

Cards repeat names, so a clip is known by what its file is; its name counts only where nothing says what the file is.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from primatrix.disk import read_facts
from primatrix.errors import InputError

__all__ = ["TrainingClips", "read_training_clips"]

DIGITS = (
    12  # hexadecimal, of each: of 100,000 clips and as many others none is taken for another in 28,000 tries
)


@dataclass(frozen=True, slots=True)
class TrainingClips:
    """Short digests of clips' files and of their names."""

    files: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    @classmethod
    def of(cls, clips: Mapping[str, str]) -> "TrainingClips":
        """Those of clips by name, with the digest of each one's file (`video.identify`), empty where not known."""
        return cls(frozenset(file[:DIGITS] for file in clips.values() if file), frozenset(map(_fold, clips)))

    def __or__(self, other: "TrainingClips") -> "TrainingClips":
        """The clips of both."""
        return TrainingClips(self.files | other.files, self.names | other.names)

    def find(self, names: Iterable[str], *, files: Mapping[str, str]) -> list[str]:
        """Which of these clips are among them: by file where `files` (name -> digest) has it, else by name.

        >>> trained = TrainingClips.of({"IMG_1.MP4": "00" * 16})
        >>> trained.find(["IMG_1.MP4"], files={"IMG_1.MP4": "11" * 16}), trained.find(["IMG_1.MP4"], files={})
        ([], ['IMG_1.MP4'])
        """
        return [name for name in names if self._holds(name, files.get(name, ""))]

    def _holds(self, name: str, file: str) -> bool:
        if file and self.files:
            return file[:DIGITS] in self.files
        return _fold(name) in self.names

    def to_dict(self) -> dict[str, Any]:  # Any: JSON values of several types
        """Plain values for JSON: all digests of a kind as one text."""
        return {
            "clips": len(self.names),
            "files": "".join(sorted(self.files)),
            "names": "".join(sorted(self.names)),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TrainingClips":  # Any: JSON values of several types
        """The clips that `to_dict` wrote; InputError where these are none."""
        try:
            files, names = (_cut(values[key]) for key in ("files", "names"))
        except (KeyError, TypeError) as error:
            raise InputError(
                f"trained_on: got values that are none ({error}); save the model again"
            ) from None
        return cls(files, names)


def read_training_clips(folder: Path | str) -> TrainingClips:
    """The clips a saved model was trained on, an ensemble's members' too; none where nothing is known of them."""
    facts = read_facts(folder)
    known = TrainingClips.from_dict(facts["trained_on"]) if facts.get("trained_on") else TrainingClips()
    for name in (name for family in facts.get("members") or [] for name in family):
        known |= read_training_clips(Path(folder) / name)
    return known


def _fold(name: str) -> str:
    """A digest of a name, however its slashes and letters are written."""
    text = str(name).replace("\\", "/").casefold()
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=DIGITS // 2).hexdigest()


def _cut(text: str) -> frozenset[str]:
    return frozenset(text[i : i + DIGITS] for i in range(0, len(text), DIGITS))
