"""The seconds at which a video's frames are shown, and what to do about time stamps that cannot be right.

A container writes a time beside each picture, and one wrong time would make a clip of 15 s a day long. So times are
held against each other and against the length and rate that the container states: a jump that neither bears out is
taken away, and the frames after it follow on. So no video is longer than its frames and its container say.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["FrameTimes", "time_frames"]

# B-frames are coded up to 16 pictures before or after they are shown (H.264 table A-1), and fields make it twice that.
MOST_REORDERED = 32
# Cameras lose frames while their card is busy, for seconds. Longer than this, and longer than all the rest of the
# video, no gap is believed.
LONGEST_GAP_SECONDS = 10.0
GAP_FRAMES = 100  # no shorter gap is looked at: time-lapse has seconds between all frames
SAME_SECONDS, SAME_SHARE = 1.0, 0.02  # how near two lengths are that are called the same
MOST_TIMES_AS_LONG = 2.0  # as the container says by its length and by its rate
MOST_AT_ONE_TIME = 2  # frames: two fields of one picture may come apart

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """Rising seconds of a video's frames from its first one on, and how long the video is.

    `note` says which time stamps were put right; empty where none were.
    """

    pts_seconds: list[float]
    duration_seconds: float
    note: str = ""


def time_frames(
    stamps: Sequence[float | None],
    *,
    frame_seconds: float,
    tick_seconds: float = 1.0,
    stated_seconds: float = 0.0,
) -> FrameTimes:
    """The times of frames from their stamps in ticks, in the order of showing or (packets) of coding.

    Stamps that are missing are filled in between the others. `frame_seconds` is what a frame lasts by the container's
    rate, for frames without stamps; `stated_seconds` how long the container says that the video is (0: it says not).
    The last frame lasts as long as the mean one.

    >>> time_frames([0, 1, None, 172800], frame_seconds=0.5, tick_seconds=0.5)
    FrameTimes(pts_seconds=[0.0, 0.5, 1.0, 1.5], duration_seconds=2.0, note='times jump by 86,400 s at 0.5 s: ...')
    """
    sound = _time_sound(stamps, frame_seconds, tick_seconds, stated_seconds)
    return sound or _put_right(stamps, frame_seconds, tick_seconds, stated_seconds)


def _time_sound(
    stamps: Sequence[float | None], frame_seconds: float, tick_seconds: float, stated_seconds: float
) -> FrameTimes | None:
    """The times of frames whose stamps are sound at the first look, as nearly all are; else None."""
    if len(stamps) < 2 or tick_seconds <= 0 or None in stamps:
        return None
    ticks = np.array(stamps)
    rising = np.sort(ticks)
    steps = rising[1:] - rising[:-1]
    shortest, longest = steps.min(), steps.max()
    if not 0 < longest <= min(shortest * float(GAP_FRAMES), LONGEST_GAP_SECONDS / tick_seconds):
        return None
    near = MOST_REORDERED // 2 - 1  # places: no step leads further than MOST_REORDERED then
    if (ticks[:-near] > rising[near:]).any() or (ticks[near:] < rising[:-near]).any():
        return None
    seconds = (rising - rising[0]) * tick_seconds
    duration = float(seconds[-1]) * len(stamps) / (len(stamps) - 1)
    if (
        duration > LONGEST_GAP_SECONDS
        and (ticks[1:] - ticks[:-1]).min() * tick_seconds < -LONGEST_GAP_SECONDS
    ):
        return None
    by_rate = len(stamps) * frame_seconds
    if _is_too_long(duration, by_rate, stated_seconds) or _is_too_short(duration, by_rate, stated_seconds):
        return None
    return FrameTimes(seconds.tolist(), duration)


def _put_right(
    stamps: Sequence[float | None], frame_seconds: float, tick_seconds: float, stated_seconds: float
) -> FrameTimes:
    count = len(stamps)
    base = min((stamp for stamp in stamps if stamp is not None), default=0)
    known = (
        np.array([np.nan if stamp is None else stamp - base for stamp in stamps], np.float64) * tick_seconds
    )
    there = np.flatnonzero(np.isfinite(known))
    by_rate = _time_by_rate(count, frame_seconds, stated_seconds)
    if len(there) < 2 or tick_seconds <= 0:
        return by_rate
    if not known[there].any():
        return replace(by_rate, note=_say_repeats(len(there) - 1, "timed by the frame rate"))
    times, usual, note = _take_jumps_away(known[there], np.diff(there), frame_seconds, stated_seconds)
    seconds = np.sort(_fill(times, there, count, usual))
    seconds, repeats = _part_repeats(seconds - seconds[0], usual)
    if repeats > count // 2:
        return replace(by_rate, note=_say_repeats(repeats, "timed by the frame rate"))
    duration = float(seconds[-1]) * count / (count - 1)
    length = by_rate.duration_seconds
    if _is_too_long(duration, length, stated_seconds) or (
        not note and _is_too_short(duration, length, stated_seconds)
    ):
        said = f"times say {duration:,.3g} s, length and rate of the file {stated_seconds:,.3g} s"
        return replace(by_rate, note=f"{said}: frames are timed by the frame rate")
    shared = _say_repeats(repeats, "spread evenly") if repeats else ""
    return FrameTimes(seconds.tolist(), duration, "; ".join(part for part in (note, shared) if part))


def _time_by_rate(count: int, frame_seconds: float, stated_seconds: float) -> FrameTimes:
    """Frames one after the other, by the container's rate; within its length where that is shorter."""
    if stated_seconds > 0 and count * frame_seconds > MOST_TIMES_AS_LONG * stated_seconds:
        frame_seconds = stated_seconds / count
    return FrameTimes([i * frame_seconds for i in range(count)], count * frame_seconds)


def _is_too_long(duration: float, by_rate: float, stated: float) -> bool:
    """Whether the container's length and rate both say that it is much less.

    By more than a second: of few frames a writer that delays them states less than their times.
    """
    stated_most = max(stated, by_rate)
    is_much = duration > MOST_TIMES_AS_LONG * stated_most
    return stated > 0 and is_much and not _is_same(stated_most, duration)


def _is_too_short(duration: float, by_rate: float, stated: float) -> bool:
    """Whether the container's length and rate agree that it is much more.

    In MP4 both are made from the times and what the last frame lasts, which alone may be a second.
    """
    agree = abs(stated - by_rate) <= SAME_SHARE * stated
    return agree and stated > MOST_TIMES_AS_LONG * duration and not _is_same(stated, duration)


def _take_jumps_away(
    stamps: Floats, frames_on: NDArray[np.int64], frame_seconds: float, stated_seconds: float
) -> tuple[Floats, float, str]:
    """Stamps in seconds without their jumps, the usual step, and what was done; `frames_on` to the next stamp."""
    steps = np.diff(stamps)
    usual = _usual_step(stamps) if len(steps) > 1 else min(abs(float(steps[0])), frame_seconds)
    usual /= float(
        np.quantile(frames_on, 0.5, method="lower")
    )  # so many frames the lower median of steps is long
    bad = _find_steps_back(stamps, steps)
    bad |= _find_leaps(steps, bad, GAP_FRAMES * usual * frames_on, stated_seconds)
    if not bad.any():
        return stamps, usual, ""
    mended = np.concatenate([[0.0], np.cumsum(np.where(bad, usual * frames_on, steps))])
    places = np.flatnonzero(bad)
    return mended, usual, _say(mended[places] - mended.min(), steps[places])


def _usual_step(stamps: Floats, *, share: float = 0.5) -> float:
    """The time from a frame to the next, which no jump moves: the lower median, or that of another share."""
    steps = np.sort(np.diff(np.unique(stamps)))
    return float(steps[int((len(steps) - 1) * share)])


def _find_steps_back(stamps: Floats, steps: Floats) -> NDArray[np.bool_]:
    """Steps back by more than reordered pictures make, and the steps that lead there or back from there."""
    places = np.searchsorted(np.unique(stamps), stamps)  # in the order of time
    seconds = max(LONGEST_GAP_SECONDS, MOST_REORDERED * _usual_step(stamps, share=0.75))
    is_large = (np.abs(np.diff(places)) > MOST_REORDERED) | (np.abs(steps) > seconds)
    bad = is_large & (steps < 0)
    up = is_large & (steps > 0)
    for place in np.flatnonzero(bad).tolist():
        before = slice(max(place - MOST_REORDERED, 0), place)
        after = slice(place + 1, place + 1 + MOST_REORDERED)
        ahead = np.flatnonzero(up[before] & (stamps[before] < stamps[place + 1]))
        behind = np.flatnonzero(up[after] & (stamps[1:][after] > stamps[place]))
        if len(ahead):  # a few frames before it were ahead of their time
            bad[before.start + ahead[-1]] = True
        elif len(behind):  # a few frames after it are behind
            bad[after.start + behind[0]] = True
    return bad


def _find_leaps(
    steps: Floats, bad: NDArray[np.bool_], longest: NDArray[np.floating], stated_seconds: float
) -> NDArray[np.bool_]:
    """Gaps that are longer than all the rest, or that make the video longer than its container and its frames say.

    Steps up to `longest` are no gaps.
    """
    gaps = (steps > longest) & ~bad
    if not gaps.any():
        return gaps
    rest = float(steps[~gaps & ~bad].sum())
    total = rest + float(steps[gaps].sum())
    leaps = gaps & (steps > max(LONGEST_GAP_SECONDS, rest))
    if stated_seconds > 0 and _is_same(stated_seconds, rest) and not _is_same(stated_seconds, total):
        leaps |= gaps
    return leaps


def _is_same(seconds: float, other: float) -> bool:
    return abs(seconds - other) <= max(SAME_SECONDS, SAME_SHARE * max(seconds, other))


def _fill(times: Floats, places: NDArray[np.int64], count: int, usual: float) -> Floats:
    """Times of all frames: those known, between them evenly, before and after them a usual step each."""
    everywhere = np.arange(count)
    filled = np.interp(everywhere, places, times)
    filled -= np.maximum(places[0] - everywhere, 0) * usual
    filled += np.maximum(everywhere - places[-1], 0) * usual
    return filled


def _part_repeats(seconds: Floats, usual: float) -> tuple[Floats, int]:
    """Sorted times of which no two are equal, and how many more than fields share one.

    Frames at one time share the span to the next.
    """
    first = np.flatnonzero(np.diff(seconds, prepend=-np.inf) > 0)
    runs = np.diff(first, append=len(seconds))
    step = usual / float(np.median(runs))
    return _fill(seconds[first], first, len(seconds), step), int((runs[runs > MOST_AT_ONE_TIME] - 1).sum())


def _say_repeats(count: int, done: str) -> str:
    return f"{count} frames have the time of another: they are {done}"


def _say(seconds: Floats, lengths: Floats) -> str:
    """The longest of jumps, at which second it is and by how much."""
    longest = int(np.abs(lengths).argmax())
    often = f" ({len(lengths)} jumps in all)" if len(lengths) > 1 else ""
    return f"times jump by {lengths[longest]:,.0f} s at {seconds[longest]:.1f} s{often}: frames are taken to follow on"
