"""The files of a folder of footage, what each of them is, and the answers about them, wherever they are kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from primatrix.disk import FACTS, check_output_folder, refuse_strange_files
from primatrix.errors import InputError
from primatrix.records import Failure, Video
from primatrix.results import Results
from primatrix.tagging.answers import Answer
from primatrix.tagging.gather import Placed
from primatrix.tagging.growth import Growth
from primatrix.tagging.kept import KeptAnswers
from primatrix.video import identify_all

__all__ = ["ANSWERS", "TABLES", "Footage", "check_out", "complete_tables", "remove_left_over"]

ANSWERS = ".answers"  # below the results
TABLES = ("predictions.csv", "clips.csv", "sightings.csv", "movements.csv", "failures.csv", "frames.parquet")


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """The videos of a folder, what the file of each name is, and answers about those that could not be read."""

    videos: Sequence[Video]
    keys: dict[str, bytes]
    unread: dict[str, Answer]

    @classmethod
    def look_at(cls, videos: Sequence[Video]) -> "Footage":
        """Find out what the files are."""
        keys: dict[str, bytes] = {}
        unread: dict[str, Answer] = {}
        for video, key in zip(videos, identify_all(videos), strict=True):
            if isinstance(key, Failure):
                unread[video.name] = Answer("failed", key.stage, key.reason)
            else:
                keys[video.name] = key
        return cls(videos, keys, unread)

    @property
    def digests(self) -> list[str]:
        """What each file is, in hexadecimal digits; empty where it could not be read."""
        return [self.keys[video.name].hex() if video.name in self.keys else "" for video in self.videos]

    def believe(self, growth: Growth) -> "Footage":
        """Take files that cannot be read just now, but could before, for the ones they were."""
        known = {name: bytes.fromhex(growth.unread[name]) for name in self.unread if name in growth.unread}
        unread = {name: answer for name, answer in self.unread.items() if name not in known}
        return replace(self, keys=self.keys | known, unread=unread)

    def list_pending(self, answered: set[bytes]) -> list[Video]:
        """The videos to look at, each file once."""
        new = {self.keys[video.name]: video for video in reversed(self.videos) if video.name in self.keys}
        return [v for v in reversed(new.values()) if self.keys[v.name] not in answered]

    def add(self, passing: dict[str, Answer]) -> "Footage":
        """The same with answers that are not kept, given to every name of the file."""
        of_file = {self.keys[name]: answer for name, answer in passing.items()}
        more = {name: of_file[key] for name, key in self.keys.items() if key in of_file}
        return replace(self, unread=self.unread | more)

    def read_answers(self, kept: KeptAnswers) -> Iterator[Placed]:
        """All answers, each with its places among the videos: those kept, then those that could not be."""
        places: dict[bytes, list[int]] = {}
        rest: Placed = []
        for row, video in enumerate(self.videos):
            if video.name in self.unread:
                rest.append(([row], self.unread[video.name]))
            else:
                places.setdefault(self.keys[video.name], []).append(row)
        missing = sum(map(len, places.values()))
        for part in kept.read(places):
            missing -= sum(len(rows) for rows, _ in part)
            yield part
        if missing:
            raise InputError(
                f"{kept.folder}: answers kept there were deleted or damaged meanwhile; run the same command again"
            )
        yield rest


def check_out(out: Path, folder: str | Path, *, with_model: bool) -> Path:
    """The results folder, where it can be written and nothing of others is lost; else InputError, before the work."""
    if out.is_file() or out.suffix.lower() == ".csv":
        raise InputError(f"{out}: wanted a folder for the results of {folder}, in which predictions.csv will be; "
                         f"name it without .csv, as {out.with_suffix('')}")  # fmt: skip
    check_output_folder(out)
    refuse_strange_files(out, (*TABLES, FACTS), marks=("run.json", ANSWERS), what="an earlier prediction")
    without_model = (out / "movements.csv").exists()
    if with_model and without_model:
        raise InputError(f"{out}: holds what was found without a model, wanted a place for the model's answers; give "
                         "another --out, or delete it")  # fmt: skip
    if not with_model and not without_model and (out / "predictions.csv").exists():
        raise InputError(f"{out}: holds the answers of a model, wanted a place for what is found without one; give "
                         "another --out, or --model")  # fmt: skip
    return out


def complete_tables(results: Results, footage: Footage, failures: Sequence[Failure]) -> Results:
    """The results with what each file is, and a failure for each folder that may not be listed: who knows what is in
    it."""
    rows = pd.DataFrame(
        [(f.name, f.stage, f.reason) for f in failures], columns=["filename", "stage", "reason"]
    )
    return replace(
        results,
        clips=results.clips.assign(digest=footage.digests),
        failures=pd.concat([results.failures, rows], ignore_index=True),
    )


def remove_left_over(out: Path) -> None:
    """Delete what a run left that was killed while it wrote."""
    for name in TABLES:
        for left_over in out.glob(f".{name}.*.part"):
            left_over.unlink(missing_ok=True)
