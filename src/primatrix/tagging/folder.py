"""A folder of footage to a folder of results: every video walked in windows, answered by the model, and put in place.

Answers are kept in a hidden folder in the results: killed at any moment, the same call goes on, and when the card has
grown only what is new is looked at.
"""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import Any

from primatrix.choices import Device
from primatrix.disk import hold_alone
from primatrix.errors import InputError
from primatrix.models import Model, choose_processor
from primatrix.progress import ShowProgress, show_progress
from primatrix.records import Failure, say_lost
from primatrix.results import Results, note_watching, summarise
from primatrix.tagging.answers import pack_answers, unpack_answers
from primatrix.tagging.card import ANSWERS, Footage, check_out, complete_tables, remove_left_over
from primatrix.tagging.fingerprint import fingerprint_walk
from primatrix.tagging.gather import find_places, gather_results, list_frames
from primatrix.tagging.growth import Growth, compare_with_last, keep_gone, list_gone_frames
from primatrix.tagging.kept import KeptAnswers
from primatrix.tagging.looks import find_thresholds, find_window_seconds
from primatrix.tagging.spec import TagSpec
from primatrix.tagging.tagger import Tagger
from primatrix.video import search_folder

__all__ = ["TagRun", "predict_folder"]


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
    began, spec, out = perf_counter(), spec or TagSpec(), check_out(Path(out), folder, with_model=True)
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
        pack = partial(pack_answers, species_count=len(model.species))
        kept = KeptAnswers(out / ANSWERS, made_by=made_by, pack=pack, unpack=unpack_answers)
        tell = stack.enter_context(show_progress(on_progress))
        tagger = Tagger(model, kept, processor, tell)
        pending = footage.list_pending(kept.find_keys(with_failed=not retry_failed))
        tagger.tag(pending, footage.keys, workers=workers)
        footage = footage.add(tagger.passing)
        results = gather_results(
            found.videos, lambda: footage.read_answers(kept), spec, places=places, facts=facts
        )
        results = complete_tables(results, footage, found.failures)
        results = note_watching(keep_gone(results, growth, interval_minutes=spec.interval_minutes))
        remove_left_over(out)
        frames = None
        if spec.per_frame:
            own = list_frames(found.videos, footage.read_answers(kept), species=model.species)
            frames = chain(own, list(list_gone_frames(out, growth)))  # read before they are replaced
        results.write(out, frames=frames)
        kept.remove_others()
    return TagRun(results, out, perf_counter() - began, growth)


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
