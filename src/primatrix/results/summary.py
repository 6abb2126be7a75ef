"""What a run found, in five lines for the terminal."""

from pathlib import Path

import pandas as pd

from primatrix.results.results import Results

__all__ = ["say_duration", "summarise"]

MOST_SPECIES = 6
FILES = ("predictions.csv", "clips.csv", "sightings.csv", "failures.csv", "frames.parquet", "run.json")


def summarise(results: Results, path: Path, *, seconds: float) -> str:
    """What was read, what is seen, what is left to watch, where and when, and the files: five lines.

    >>> # `example` is a run of two clips: a duiker in one, the other broken
    >>> print(summarise(example, Path("out"), seconds=2.0))
    2 videos, 15 s of footage, done in 2 s: 1 read, 1 not (failures.csv says why)
    seen (videos): duiker 1
    to watch: 15 s in 1 video with animals, 6 s of it where they are seen
    recorded: 1 of 2 at a known time (container 1), none with an odd clock; 1 site, 1 event
    written to out: predictions.csv, clips.csv, sightings.csv, failures.csv, run.json
    """
    lines = [_say_read(results, seconds), _say_seen(results), _say_watch(results), _say_where(results)]
    return "\n".join([*lines, _say_files(results, path)])


def say_duration(seconds: float) -> str:
    """A length of time in words: `42 s`, `12 min`, `3.5 h`.

    >>> say_duration(42), say_duration(720), say_duration(12_600)
    ('42 s', '12 min', '3.5 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _say_read(results: Results, seconds: float) -> str:
    status = results.predictions["status"].value_counts()
    counts = [f"{status.get('ok', 0)} read"]
    if "partial" in status:
        counts.append(f"{status['partial']} in part (clips.csv says why)")
    if "failed" in status:
        counts.append(f"{status['failed']} not (failures.csv says why)")
    total = say_duration(results.clips["duration_seconds"].sum())
    videos = _count(len(results.clips), "video")
    return f"{videos}, {total} of footage, done in {say_duration(seconds)}: {', '.join(counts)}"


def _say_seen(results: Results) -> str:
    seen = results.sightings.drop_duplicates(["filepath", "species"])["species"].value_counts()
    if seen.empty:
        return "seen: no animal reaches its threshold in any video"
    names = [f"{name} {count}" for name, count in seen.items()]
    more = f" and {len(names) - MOST_SPECIES} species more" if len(names) > MOST_SPECIES else ""
    return f"seen (videos): {', '.join(names[:MOST_SPECIES])}{more}"


def _say_watch(results: Results) -> str:
    if results.sightings.empty:
        return "to watch: nothing, by these thresholds (run.json has them)"
    seen = results.clips["filepath"].isin(results.sightings["filepath"])
    length = say_duration(results.clips.loc[seen, "duration_seconds"].sum())
    shown = say_duration(_count_seconds_seen(results.sightings))
    return (
        f"to watch: {length} in {_count(seen.sum(), 'video')} with animals, {shown} of it where they are seen"
    )


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
        sites = _count(known.nunique(), "site") + (
            f" and {_count(unplaced, 'video')} of none" if unplaced else ""
        )
    events = clips["event"][clips["event"] != ""].nunique()
    return f"{text}; {sites}" + (f", {_count(events, 'event')}" if events else "")


def _say_files(results: Results, path: Path) -> str:
    absent = {"failures.csv"} if results.failures.empty else set()
    absent |= set() if (path / "frames.parquet").is_file() else {"frames.parquet"}
    return f"written to {path}: {', '.join(name for name in FILES if name not in absent)}"


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
