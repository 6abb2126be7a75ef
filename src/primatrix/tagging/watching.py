"""A folder of footage watched without a model: what moves, when and where, and which clips look alike.

No species is named and no probability given. Answers are kept as `predict_folder` keeps them: killed at any moment, the
same call goes on, and when the card has grown only what is new is looked at. Clips are grouped anew each time, since
a new clip may change which ones look most alike.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd

from primatrix.choices import Device
from primatrix.disk import hold_alone
from primatrix.errors import InputError
from primatrix.models import Features, choose_processor, look_closely
from primatrix.progress import ShowProgress, show_progress
from primatrix.records import Failure, say_lost
from primatrix.results import COLUMNS, Results, note_watching, summarise_movement
from primatrix.tagging.card import ANSWERS, Footage, check_out, complete_tables, remove_left_over
from primatrix.tagging.fingerprint import fingerprint_features
from primatrix.tagging.gather import find_places, gather_results
from primatrix.tagging.group_sheets import write_sheets
from primatrix.tagging.groups import group_clips
from primatrix.tagging.growth import Growth, compare_with_last, keep_gone
from primatrix.tagging.kept import KeptAnswers
from primatrix.tagging.movements import Stretch, find_stretches
from primatrix.tagging.sights import Sight, pack_sights, unpack_sights
from primatrix.tagging.spec import TagSpec
from primatrix.tagging.watcher import Watcher
from primatrix.video import DEFAULT_WINDOW_SECONDS, search_folder

__all__ = ["WatchRun", "watch_folder"]

NOTHING_MOVES = "nothing moves"


@dataclass(frozen=True, slots=True, eq=False)
class WatchRun:
    """What `watch_folder` found, the folder it is written in, how long it took and what is new since the last run."""

    results: Results
    path: Path
    seconds: float
    growth: Growth

    def summary(self) -> str:
        """Lines for the terminal: what was read, what moves, what looks alike, where and when, what to do next."""
        failures = [Failure(*row) for row in self.results.failures.itertuples(index=False, name=None)]
        lost = say_lost(failures, len(self.results.clips), unit="videos")
        found = summarise_movement(self.results, self.path, seconds=self.seconds)
        return "\n".join(line for line in (lost, self.growth.summary(), found) if line)


def watch_folder(
    folder: str | Path,
    out: str | Path,
    *,
    spec: TagSpec | None = None,
    features: Features | None = None,
    device: Device = "auto",
    retry_failed: bool = False,
    workers: int | None = None,
    on_progress: ShowProgress = "auto",
) -> WatchRun:
    """Watch every video below `folder` without a model and write the results folder `out`: what moves, what is alike.

    `clips.csv` says for each clip how much moves, when first and last, and which `group` it is in; `movements.csv` when
    and where; `groups/` has a contact sheet for each group. Of `spec` what is about places and times counts. `features`
    say how clips are looked at (default: `look_closely()`); `workers` processes decode (default: one per core). Nothing
    is written into `folder`. Raises InputError before any work where the folder, the pattern or the table in `spec`
    cannot be used, or `out` has the results of another card, or of a model.

    >>> watch_folder("nowhere", "watched")
    Traceback (most recent call last):
    primatrix.errors.InputError: nowhere: got no such folder, wanted a folder of videos; check the path
    """
    began, spec, out = perf_counter(), spec or TagSpec(), check_out(Path(out), folder, with_model=False)
    found = search_folder(folder, media=spec.media)
    footage = Footage.look_at(found.videos)
    places = find_places(found.videos, spec)
    processor = choose_processor(device)
    features = _check_features(features or look_closely(processor=processor))
    made_by = fingerprint_features(features, processor)
    facts = _name_run(features, spec, folder, made_by=made_by)
    growth = compare_with_last(out, folder, videos=found.videos, digests=footage.digests, made_by=made_by)
    footage = footage.believe(growth)
    with ExitStack() as stack:
        stack.enter_context(hold_alone(out / ANSWERS / "lock", doing="prediction", place=out))
        pack = partial(pack_sights, width=features.facts.features)
        kept = KeptAnswers(out / ANSWERS, made_by=made_by, pack=pack, unpack=unpack_sights)
        watcher = Watcher(features, kept, stack.enter_context(show_progress(on_progress)))
        watcher.watch(
            footage.list_pending(kept.find_keys(with_failed=not retry_failed)), footage.keys, workers=workers
        )
        footage = footage.add(watcher.passing)
        results = gather_results(
            found.videos, lambda: footage.read_answers(kept), spec, places=places, facts=facts
        )
        results = _add_movements(complete_tables(results, footage, found.failures), footage, kept)
        results = keep_gone(results, growth, interval_minutes=spec.interval_minutes)
        results = note_watching(_group(results, footage, kept, out))
        remove_left_over(out)
        results.write(out)
        kept.remove_others()
    return WatchRun(results, out, perf_counter() - began, growth)


def _check_features(features: Features) -> Features:
    """The features, where they are of close-ups of what moves; else InputError."""
    if not features.spec.closeups or features.spec.detector:
        raise InputError(f"features: got {features.spec.describe()}, wanted close-ups of what moves; make them by "
                         "look_closely() without a detector")  # fmt: skip
    return features


def _name_run(features: Features, spec: TagSpec, folder: str | Path, *, made_by: str) -> dict[str, Any]:
    """The facts of run.json: no model, no species."""
    settings = {
        **spec.to_dict(), "window_seconds": DEFAULT_WINDOW_SECONDS, "clip": features.spec.to_dict(),
        "made_by": made_by, **features.describe(),
    }  # fmt: skip
    return {
        "model": "", "folder": str(Path(folder).absolute()), "species": [], "timezone": spec.times.timezone,
        "settings": settings,
    }  # fmt: skip


def _add_movements(results: Results, footage: Footage, kept: KeptAnswers) -> Results:
    """The results with what moves in each clip: a row per stretch; beside the clip how much, first and last when."""
    stretches: list[list[Stretch]] = [[] for _ in footage.videos]
    movement = np.full(len(footage.videos), np.nan)
    for part in footage.read_answers(kept):
        for rows, sight in part:
            if isinstance(sight, Sight) and sight.status != "failed":
                movement[rows] = sight.movement
                for row in rows:
                    stretches[row] = find_stretches(sight)
    names = results.clips["filepath"]
    table = [(name, *one) for name, found in zip(names, stretches, strict=True) for one in found]
    clips = results.clips.assign(
        movement=movement, first_seconds=[found[0][0] if found else np.nan for found in stretches],
        last_seconds=[found[-1][1] if found else np.nan for found in stretches], group="", representative="",
    )  # fmt: skip
    movements = pd.DataFrame(table, columns=list(COLUMNS["movements"]))
    return replace(results, clips=clips, movements=movements)


def _group(results: Results, footage: Footage, kept: KeptAnswers, out: Path) -> Results:
    """The results with the group of each clip, and the contact sheets, for which all is read once more."""
    clips = results.clips
    read = partial(_read_sights, clips, footage, kept)
    still = np.flatnonzero(clips["movement"] == 0)
    groups = group_clips(lambda: ((row, sight.features) for row, sight in read() if len(sight.features)))
    members = {str(number): groups.list_members(number) for number in range(1, groups.count + 1)}
    if len(still):
        members[NOTHING_MOVES] = still.tolist()
    write_sheets(out, members, clips["filepath"].tolist(), lambda rows: read(set(rows)))
    return replace(results, clips=_name_groups(clips, members))


def _name_groups(clips: pd.DataFrame, members: dict[str, list[int]]) -> pd.DataFrame:
    """The table with the name of each clip's group, and a mark at the clip nearest to its middle."""
    group, representative = np.full(len(clips), "", object), np.full(len(clips), "", object)
    for name, rows in members.items():
        group[rows] = name
        if name != NOTHING_MOVES:
            representative[rows[0]] = "yes"
    return clips.assign(group=group, representative=representative)


def _read_sights(
    clips: pd.DataFrame, footage: Footage, kept: KeptAnswers, wanted: set[int] | None = None
) -> Iterator[tuple[int, Sight]]:
    """What was seen in each clip of the table, with its row: of files that are there, and of those that are gone."""
    here = {video.name for video in footage.videos}
    row_of = {name: row for row, name in enumerate(clips["filepath"])}
    gone: dict[bytes, list[int]] = {}
    for name, digest in zip(clips["filepath"], clips["digest"], strict=True):
        if name not in here and digest:
            gone.setdefault(bytes.fromhex(digest), []).append(row_of[name])
    for part in kept.read(gone):
        yield from _pick(part, wanted)
    for part in footage.read_answers(kept):
        there = [([row_of[footage.videos[place].name] for place in places], sight) for places, sight in part]
        yield from _pick(there, wanted)


def _pick(part: Iterable[tuple[list[int], Any]], wanted: set[int] | None) -> Iterator[tuple[int, Sight]]:
    """The rows that are wanted (None: all) of a part, each with what was seen."""
    for rows, sight in part:
        if isinstance(sight, Sight):
            yield from ((row, sight) for row in rows if wanted is None or row in wanted)
