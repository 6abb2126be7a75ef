"""A folder of footage to a folder of results: every video walked in windows, answered by the model, and put in place.

Answers are kept in a hidden folder in the results: killed at any moment, the same call goes on, and when the card has
grown only what is new is looked at.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import Any

import pandas as pd

from primatrix.choices import Device
from primatrix.disk import FACTS, check_output_folder, hold_alone, refuse_strange_files
from primatrix.errors import InputError
from primatrix.models import Model, choose_processor
from primatrix.progress import ShowProgress, show_progress
from primatrix.records import Failure, Video, say_lost
from primatrix.results import Results, note_watching, summarise
from primatrix.tagging.answers import Answer
from primatrix.tagging.fingerprint import fingerprint_walk
from primatrix.tagging.gather import Placed, find_places, gather_results, list_frames
from primatrix.tagging.growth import Growth, compare_with_last, keep_gone, list_gone_frames
from primatrix.tagging.kept import KeptAnswers
from primatrix.tagging.looks import find_thresholds, find_window_seconds
from primatrix.tagging.spec import TagSpec
from primatrix.tagging.tagger import Tagger
from primatrix.video import identify_all, search_folder

__all__ = ["TagRun", "predict_folder"]

ANSWERS = ".answers"  # below the results
TABLES = ("predictions.csv", "clips.csv", "sightings.csv", "failures.csv", "frames.parquet")


@dataclass(frozen=True, slots=True, eq=False)
class TagRun:
    """What `predict_folder` found, the folder it is written in, how long it took and what is new since the last run.

    The rows of frames, where they were asked for, are in the folder only: `Results.read(run.path)` has them.
    """

    results: Results
    path: Path
    seconds: float
    growth: Growth

    def summary(self) -> str:
        """Lines for the terminal: what was read, what is seen, what is left to watch, where and when, files.

        Before them stands what is new since the last run, and first of all that many videos could not be read.
        """
        failures = [Failure(*row) for row in self.results.failures.itertuples(index=False, name=None)]
        lost = say_lost(failures, len(self.results.clips), unit="videos")
        lines = [lost, self.growth.summary(), summarise(self.results, self.path, seconds=self.seconds)]
        return "\n".join(line for line in lines if line)


def predict_folder(
    folder: str | Path,
    model: Model,
    out: str | Path,
    *,
    spec: TagSpec | None = None,
    device: Device = "auto",
    retry_failed: bool = False,
    workers: int | None = None,
    on_progress: ShowProgress = "auto",
) -> TagRun:
    """Tag every video below `folder` and write the results folder `out`: predictions, clips, sightings, failures.

    A clip is walked in windows of about the length the model was trained on; `workers` processes decode (default: one
    per core). Nothing is written into `folder`. Killed at any moment, the same call goes on. Results that are there
    already grow: only new and changed files are looked at, those that the disk did not give, and with `retry_failed`
    those that failed. Raises InputError before any work where the folder, the pattern or the table in `spec` cannot be
    used, or `out` has the results of another card.

    >>> from primatrix.models import build_model
    >>> from primatrix.records import ClipSpec
    >>> predict_folder("nowhere", build_model("lrcn", species=["hog"], spec=ClipSpec()), "results")
    Traceback (most recent call last):
    primatrix.errors.InputError: nowhere: got no such folder, wanted a folder of videos; check the path
    """
    began, spec, out = perf_counter(), spec or TagSpec(), _check_out(Path(out), folder)
    found = search_folder(folder, media=spec.media)
    footage = Footage.look_at(found.videos)
    places = find_places(found.videos, spec)
    if spec.neighbours:
        spec = replace(spec, neighbours=spec.neighbours.order_for(model.species))
    processor = choose_processor(device)
    made_by = fingerprint_walk(model, processor)
    facts = _name_run(model, spec, folder, made_by=made_by)
    growth = compare_with_last(out, folder, videos=found.videos, digests=footage.digests, made_by=made_by)
    footage = footage.believe(growth)
    with ExitStack() as stack:
        stack.enter_context(hold_alone(out / ANSWERS / "lock", doing="prediction", place=out))
        kept = KeptAnswers(out / ANSWERS, made_by=made_by)
        tell = stack.enter_context(show_progress(on_progress))
        tagger = Tagger(model, kept, processor, tell)
        pending = footage.list_pending(kept.find_keys(with_failed=not retry_failed))
        tagger.tag(pending, footage.keys, workers=workers)
        footage = footage.add(tagger.passing)
        results = gather_results(
            found.videos, lambda: footage.read_answers(kept), spec, places=places, facts=facts
        )
        results = _add_folders(_add_digests(results, footage), found.failures)
        results = note_watching(keep_gone(results, growth, interval_minutes=spec.interval_minutes))
        for left_over in chain.from_iterable(out.glob(f".{name}.*.part") for name in TABLES):
            left_over.unlink(missing_ok=True)  # of a run killed while it wrote
        frames = None
        if spec.per_frame:
            own = list_frames(found.videos, footage.read_answers(kept), species=model.species)
            frames = chain(own, list(list_gone_frames(out, growth)))  # read before they are replaced
        results.write(out, frames=frames)
        kept.remove_others()
    return TagRun(results, out, perf_counter() - began, growth)


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


def _check_out(out: Path, folder: str | Path) -> Path:
    """The results folder, where it can be written and nothing of others is lost; else InputError, before the work."""
    if out.is_file() or out.suffix.lower() == ".csv":
        raise InputError(f"{out}: wanted a folder for the results of {folder}, in which predictions.csv will be; "
                         f"name it without .csv, as {out.with_suffix('')}")  # fmt: skip
    check_output_folder(out)
    refuse_strange_files(out, (*TABLES, FACTS), marks=("run.json", ANSWERS), what="an earlier prediction")
    return out


def _add_digests(results: Results, footage: Footage) -> Results:
    return replace(results, clips=results.clips.assign(digest=footage.digests))


def _add_folders(results: Results, failures: Sequence[Failure]) -> Results:
    """The results with a failure for each folder that may not be listed: what is in it nobody knows."""
    rows = pd.DataFrame(
        [(f.name, f.stage, f.reason) for f in failures], columns=["filename", "stage", "reason"]
    )
    return replace(results, failures=pd.concat([results.failures, rows], ignore_index=True))


def _name_run(model: Model, spec: TagSpec, folder: str | Path, *, made_by: str) -> dict[str, Any]:
    """The facts of run.json."""
    unknown = sorted(set(spec.thresholds or {}) - set(model.species))
    if unknown:
        raise InputError(
            f"thresholds: got {unknown[0]!r}, wanted species of the model: {', '.join(model.species)}"
        )
    thresholds = {**find_thresholds(model), **(spec.thresholds or {})}
    points = model.calibration.to_dict()["operating_points"] if model.calibration else {}
    if spec.neighbours and spec.neighbours.used:
        # What skips is decided before neighbours weigh in; what finds a species would not be proven any more.
        points = {name: point for name, point in points.items() if point["task"] == "skip"}
    settings = {
        **spec.to_dict(), "window_seconds": find_window_seconds(model), "clip": model.spec.to_dict(),
        "made_by": made_by,
    }  # fmt: skip
    return {
        "model": model.name, "folder": str(Path(folder).absolute()), "species": list(model.species),
        "thresholds": thresholds, "operating_points": points, "timezone": spec.times.timezone, "settings": settings,
        "calibration": {"fitted": model.calibration.summary()} if model.calibration else {},
        "model_digest": model.digest,
    }  # fmt: skip
