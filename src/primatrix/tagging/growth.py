"""Results that grow with a card: what is new since the last run, known, changed or gone; and whose card it is."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from primatrix.errors import InputError
from primatrix.footage import find_events
from primatrix.records import Video
from primatrix.results import COLUMNS, Results, read_frames

__all__ = ["Growth", "compare_with_last", "keep_gone", "list_gone_frames"]


@dataclass(frozen=True, slots=True, eq=False)
class Growth:
    """What became of a folder of footage since the results that lie at the same place were written.

    `known` files are there as they were, whatever they are called now, `changed` ones have other content under the name
    they had; `gone` names rows of files that are no longer there, `unread` (name -> digest) what could be read then and
    cannot just now. `before` are the earlier results, None for a first run.
    """

    before: Results | None = None
    new: int = 0
    known: int = 0
    changed: int = 0
    gone: tuple[str, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)
    kept: bool = (
        True  # whether the rows of files that are gone stay, as they do where the same model gave them
    )

    def summary(self) -> str:
        """One line for the terminal; empty for a first run.

        >>> Growth(new=3).summary()
        ''
        """
        if self.before is None:
            return ""
        text = f"since the last run: {self.new} new, {self.changed} changed, {self.known} known"
        if self.gone:
            fate = "their rows are kept" if self.kept else "their rows are left out: another model gave them"
            text += f"; {len(self.gone)} no longer there ({fate})"
        if self.unread:
            text += f"; {len(self.unread)} cannot be read just now (their earlier answers stand)"
        return text


def compare_with_last(
    out: Path, folder: str | Path, *, videos: Sequence[Video], digests: Sequence[str], made_by: str
) -> Growth:
    """What became of the footage since the results in `out`; `digests` say what each video's file is, empty if unread.

    Raises InputError where those results are of another card: none of their files is here, or more files of the same
    names have another content than are known again. A card of another camera repeats names, so the folder's path proves
    nothing.
    """
    if not (out / "run.json").is_file():  # nothing finished that could be lost
        return Growth(new=len(videos))
    before = Results.read(out, frames=False)
    then = dict(zip(before.clips["filepath"], before.clips["digest"], strict=True))
    now = {video.name: digest for video, digest in zip(videos, digests, strict=True)}
    here, there = set(digests) - {""}, set(then.values()) - {""}
    changed = [name for name in now if then.get(name) and now[name] and now[name] != then[name]]
    moved_away = [name for name in changed if then[name] in here]  # it has another name now
    known = sum(digest in there for digest in digests)
    replaced = len(changed) - len(moved_away)
    if (there and not known and here) or replaced > known:
        raise InputError(
            f"{out}: holds the results of {before.facts['folder']}; of its {len(there)} files {known} are in {folder}, "
            f"and {replaced} of the same names are other files. Another card? Give another --out, or delete it"
        )
    gone = tuple(name for name, digest in then.items() if digest not in here and name not in now)
    same = before.facts["settings"].get("made_by") == made_by
    unread = {name: then[name] for name in now if not now[name] and then.get(name)} if same else {}
    new = len(now) - known - replaced - len(unread)
    return Growth(before, new, known, replaced, gone, unread, kept=same)


def keep_gone(results: Results, growth: Growth, *, interval_minutes: float) -> Results:
    """The results with the rows of files that are gone, as they were; events are counted anew over all."""
    before = growth.before
    if before is None or not growth.gone or not growth.kept:
        return results
    tables = {}
    names = ("predictions", "clips", "sightings", "failures")
    for name in (*names, *(("movements",) if results.movements is not None else ())):
        column = "filename" if name == "failures" else "filepath"
        old = getattr(before, name)
        tables[name] = pd.concat(
            [getattr(results, name), old[old[column].isin(growth.gone)]], ignore_index=True
        )
        tables[name] = tables[name].sort_values(column, kind="stable", ignore_index=True)
    clips = tables["clips"]
    tables["clips"] = clips.assign(event=find_events(clips, interval_minutes=interval_minutes))
    return replace(results, **tables)


def list_gone_frames(out: Path, growth: Growth) -> Iterator[pd.DataFrame]:
    """The probabilities per frame of files that are gone, from the results that are about to be replaced."""
    if growth.before is not None and growth.gone and growth.kept:
        table = read_frames(out, clips=growth.gone)
        if table is not None and len(table):
            yield table[[*COLUMNS["frames"], *growth.before.species]]
