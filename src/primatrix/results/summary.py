"""What a run found, in five lines for the terminal."""

import shlex
from pathlib import Path

import pandas as pd

from primatrix.labels import BLANK
from primatrix.results.advice import find_seen, is_calibrated, say_count, say_duration, say_watching
from primatrix.results.results import Results

__all__ = ["summarise", "summarise_movement"]

MOST_SPECIES = 6
LEAST_EXPECTED = 0.5  # clips: of fewer, a species that is nowhere seen is not named
FILES = ("predictions.csv", "clips.csv", "sightings.csv", "movements.csv", "failures.csv", "frames.parquet",
         "run.json")  # fmt: skip
MOST_SIZES = 6  # of groups that are named


def summarise(results: Results, path: Path, *, seconds: float) -> str:
    """What was read, what is seen, what is left to watch, where and when, and the files: five lines.

    >>> # `example` is a run of two clips: a duiker in one, the other broken
    >>> print(summarise(example, Path("out"), seconds=2.0))
    2 videos, 15 s of footage, done in 2 s: 1 read, 1 not (failures.csv says why)
    seen in videos (expected in, not calibrated): duiker 1 (0.9); for 6 s in all
    to watch: not calibrated: watch all, 15 s in 1 video, 0 of them unknown; 1 could not be read: look at it by hand
    recorded: 1 of 2 at a known time (container 1), none with an odd clock; 1 site, 1 event
    written to out: predictions.csv, clips.csv, sightings.csv, failures.csv, run.json
    """
    watch = f"to watch: {say_watching(results)}"
    lines = [_say_read(results, seconds), _say_seen(results), watch, _say_where(results)]
    return "\n".join([*lines, _say_files(results, path)])


def summarise_movement(results: Results, path: Path, *, seconds: float) -> str:
    """The same of footage that was watched without a model: what moves, what looks alike, and what to do next.

    >>> # `example` is a run of two clips: a duiker in one, the other broken
    >>> from dataclasses import replace
    >>> clips = example.clips.assign(movement=[0.25, None], first_seconds=[2.0, None], last_seconds=[4.0, None],
    ...                              group=["1", ""], representative=["yes", ""])
    >>> print(summarise_movement(replace(example, clips=clips), Path("out"), seconds=2.0))
    2 videos, 15 s of footage, done in 2 s: 1 read, 1 not (failures.csv says why)
    something moves in 1 of 1 video, plants in the wind among it (clips.csv: `movement` is the higher the more is new)
    what looks alike: 1 group, of 1 clip (pictures in out/groups)
    recorded: 1 of 2 at a known time (container 1), none with an odd clock; 1 site, 1 event
    no species, since there is no model: label some clips from the groups, say 20 of each species, then run
      primatrix train ... --labels FILE
    written to out: predictions.csv, clips.csv, sightings.csv, failures.csv, run.json
    """
    clips = results.clips[(results.predictions["status"] != "failed").to_numpy()]
    moving = clips["movement"] > 0
    told = clips["movement"].notna()
    moves = _say_moving(int(moving.sum()), told=int(told.sum()), untold=int((~told).sum()))
    next_step = (
        "no species, since there is no model: label some clips from the groups, say 20 of each species, then run\n"
        f"  primatrix train {shlex.quote(results.facts['folder'] or '...')} --labels FILE"
    )
    alike = _say_groups(clips.loc[moving | ~told, "group"], path)
    lines = [_say_read(results, seconds), moves, *alike, _say_where(results), next_step]
    return "\n".join([*lines, _say_files(results, path)])


def _say_moving(count: int, *, told: int, untold: int) -> str:
    text = f"something moves in {count} of {say_count(told, 'video')}"
    if count:
        text += ", plants in the wind among it (clips.csv: `movement` is the higher the more is new)"
    elif told:
        text += "; animals that stand still or fill the picture are not found so"
    return text + (f"; {say_count(untold, 'single picture')} cannot tell" if untold else "")


def _say_groups(group: "pd.Series[str]", path: Path) -> list[str]:
    sizes = group.value_counts().tolist()
    if not sizes:
        return []
    listed = ", ".join(f"{size}" for size in sizes[:MOST_SIZES])
    listed += " ..." if len(sizes) > MOST_SIZES else f" clip{'' if sizes == [1] else 's'}"
    return [
        f"what looks alike: {say_count(len(sizes), 'group')}, of {listed} (pictures in {path / 'groups'})"
    ]


def _say_read(results: Results, seconds: float) -> str:
    status = results.predictions["status"].value_counts()
    counts = [f"{status.get('ok', 0)} read"]
    if "partial" in status:
        counts.append(f"{status['partial']} in part (clips.csv says why)")
    if "failed" in status:
        counts.append(f"{status['failed']} not (failures.csv says why)")
    total = say_duration(results.clips["duration_seconds"].sum())
    videos = say_count(len(results.clips), "video")
    return f"{videos}, {total} of footage, done in {say_duration(seconds)}: {', '.join(counts)}"


def _say_seen(results: Results) -> str:
    """How many videos each species is seen in, and how many are expected to hold it."""
    seen = find_seen(results).sum()
    expected = results.probabilities.astype(float).sum().drop(BLANK, errors="ignore")
    table = pd.DataFrame({"seen": seen, "expected": expected})
    table = table[(table["seen"] > 0) | (table["expected"] >= LEAST_EXPECTED)]
    table = table.sort_values(["seen", "expected"], ascending=False, kind="stable")
    trusted = "" if is_calibrated(results) else ", not calibrated"
    head = f"seen in videos (expected in{trusted}): "
    if table.empty:
        return f"{head}no animal reaches its threshold in any video ({_say_number(float(expected.sum()))} in all)"
    none = "" if seen.any() else "no animal reaches its threshold in any video: "
    rows = table.head(MOST_SPECIES)
    counts = zip(rows.index, rows["seen"].tolist(), rows["expected"].tolist(), strict=True)
    names = ", ".join(f"{name} {count} ({_say_number(number)})" for name, count, number in counts)
    more = f" and {len(table) - MOST_SPECIES} species more" if len(table) > MOST_SPECIES else ""
    shown = _count_seconds_seen(results.sightings)
    return f"{head}{none}{names}{more}" + (f"; for {say_duration(shown)} in all" if shown else "")


def _say_number(expected: float) -> str:
    return f"{expected:.1f}" if expected < 9.95 else f"{expected:,.0f}"


def _count_seconds_seen(sightings: pd.DataFrame) -> float:
    """Seconds in which any species is seen; those shared by several species count once."""
    total = 0.0
    for _, clip in sightings.sort_values("start_seconds").groupby("filepath"):
        end = 0.0
        for start, stop in zip(clip["start_seconds"], clip["end_seconds"], strict=True):
            total += max(0.0, stop - max(start, end))
            end = max(end, stop)
    return total


def _say_where(results: Results) -> str:
    clips = results.clips
    sources = clips["time_source"][clips["time_source"] != ""].value_counts()
    odd = (clips["time_warning"] != "").sum()
    text = "recorded: no time known (see --modified-time, --deployments)"
    if len(sources):
        listed = ", ".join(f"{name} {count}" for name, count in sources.items())
        text = f"recorded: {sources.sum()} of {len(clips)} at a known time ({listed}), "
        text += f"{odd or 'none'} with an odd clock"
    known = clips["site"][clips["site"] != ""]
    unplaced = len(clips) - len(known)
    sites = "no site known (see --site-from, --deployments)"
    if len(known):
        sites = say_count(known.nunique(), "site") + (
            f" and {say_count(unplaced, 'video')} of none" if unplaced else ""
        )
    events = clips["event"][clips["event"] != ""].nunique()
    return f"{text}; {sites}" + (f", {say_count(events, 'event')}" if events else "")


def _say_files(results: Results, path: Path) -> str:
    absent = {"failures.csv"} if results.failures.empty else set()
    absent |= {"movements.csv"} if results.movements is None else set()
    absent |= set() if (path / "frames.parquet").is_file() else {"frames.parquet"}
    return f"written to {path}: {', '.join(name for name in FILES if name not in absent)}"
