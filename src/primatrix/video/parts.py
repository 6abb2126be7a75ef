"""A long video in parts of a few windows: the first part reads the file through, the others only what is theirs.

What the first one finds out goes with the others. Where the container's times can be trusted, that is which packets a
part needs, and its worker seeks them. Where not, it is which of all the frames that decode; one worker then holds the
file open and decodes on from part to part. So the work grows with a video's length and not with its square.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from primatrix.records import Clip, ClipSpec, Video
from primatrix.video.closeups import open_taker
from primatrix.video.decode import (
    FrameReader,
    Request,
    TimesLieError,
    count_frames,
    decode_still,
    guess_frames,
    list_frames,
    make_clip,
    say_damage,
    select_frames,
)
from primatrix.video.files import is_still
from primatrix.video.order import FrameOrder, Passage, cut_passage, order_frames
from primatrix.video.packets import PacketTable, Source, open_video, read_packets
from primatrix.video.probe import VideoFacts, gather_facts, probe_still
from primatrix.video.windows import choose_in_windows, plan_windows

__all__ = ["Part", "PartReader", "Sequel", "Start", "TimesLie", "Windows"]

Floats = NDArray[np.float64]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sequel:
    """Frames of a video that is decoded in order, by their indices among all that decode."""

    chosen: list[int]
    strict: bool


@dataclass(frozen=True, slots=True)
class Part(Video):
    """A video from its window `first` on, or only the `count` windows whose frames `content` tells of.

    `in_order`: its times are not to be trusted, which was found out with this `damage`.
    """

    first: int = 0
    count: int = 0
    content: Passage | Sequel | None = None
    pts_seconds: tuple[float, ...] = ()
    in_order: bool = False
    damage: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Frames of some windows, uint8 (w, T, H, W, C), their seconds (w, T), and of close-ups their boxes (w, T, 5)."""

    frames: NDArray[np.uint8]
    pts_seconds: Floats
    boxes: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """A video's facts, its first windows (or the first of those left), and the parts to be read after them."""

    facts: VideoFacts
    window_count: int
    windows: Windows
    rest: tuple[Part, ...] = ()
    note: str = ""
    may_pass: bool = False


@dataclass(frozen=True, slots=True)
class TimesLie:
    """The frames of a part are not where the container says: from here on the video must be decoded in order."""

    damage: str


class PartReader:
    """Reads parts of videos in a worker, in windows of about `window_seconds`, with the frames that `spec` asks for.

    A part has at most so many windows, and at least one; where everything is decoded in order, as many as `most_bytes`
    of frames. Raises DecodeError where a file cannot be read.
    """

    def __init__(self, spec: ClipSpec, *, window_seconds: float, most_windows: int, most_bytes: int) -> None:
        self.spec, self.window_seconds = spec, window_seconds
        self._step_in_order = max(1, most_bytes // math.prod(spec.shape))
        self._step = min(most_windows, self._step_in_order)
        self._held: tuple[Part, FrameReader] | None = None  # the sequel last read, and its video

    def __call__(self, part: Part) -> Start | Windows | TimesLie:
        """A Start where the part tells of no frames yet, else its Windows, or that they are not there."""
        if isinstance(part.content, Passage):
            return self._read_passage(part, part.content)
        if isinstance(part.content, Sequel):
            return self._read_sequel(part, part.content)
        if is_still(part.path):
            return self._start_still(part)
        with open_video(part.path) as source:
            if source.is_still:
                return self._start_still(part)
            return self._start(part, source, read_packets(source))

    # ---- the first part

    def _start(self, part: Part, source: Source, table: PacketTable) -> Start:
        facts = gather_facts(source, table)
        plan = plan_windows(facts.duration_seconds, window_seconds=self.window_seconds, frames=facts.frames)
        order = None if part.in_order else order_frames(source, table)
        if order is None:
            return self._start_in_order(part, source, table, facts, plan)
        try:
            return self._start_by_times(part, source, table, order, facts, plan)
        except TimesLieError as reason:
            _log.debug("%s: decoded in order: %s", part.path, reason)
            lying = replace(part, in_order=True, damage=say_damage(reason))
            return self._start_in_order(lying, source, table, facts, plan)

    def _start_still(self, part: Part) -> Start:
        facts, plan = probe_still(part.path), plan_windows(0.0)
        clip = decode_still(
            part.path, Request(self.spec, part.name, partial(choose_in_windows, self.spec, plan))
        )
        return Start(facts, 1, self._shape(clip))

    def _start_by_times(
        self,
        part: Part,
        source: Source,
        table: PacketTable,
        order: FrameOrder,
        facts: VideoFacts,
        plan: Floats,
    ) -> Start:
        listed = list_frames(source, table, order)
        chosen = choose_in_windows(self.spec, plan, listed.pts_seconds, listed.keyframes)
        step, size = self._step, self._step * self.spec.sampled
        seconds = [listed.pts_seconds[i] for i in chosen[:size]]
        taker = open_taker(self.spec, seconds)
        select_frames(source, table, order, chosen[:size], taker)
        windows = self._shape(make_clip(part.name, taker.finish(), seconds))
        share = math.ceil(part.size_bytes * step / len(plan))
        rest = self._cut_rest(
            replace(part, size_bytes=share), chosen[size:], listed.pts_seconds, first=step, step=step,
            content=partial(cut_passage, table, order),
        )  # fmt: skip
        return Start(facts, len(plan), windows, rest, table.loss, table.may_pass)

    def _start_in_order(
        self, part: Part, source: Source, table: PacketTable, facts: VideoFacts, plan: Floats
    ) -> Start:
        step = self._step_in_order
        stop = min(part.first + step, len(plan))
        choose = partial(choose_in_windows, self.spec, plan)
        request = Request(self.spec, part.name, partial(choose, part=range(part.first, stop)))
        guess = guess_frames(source, table)
        counted = count_frames(part.path, table, request, guess=guess, damage=part.damage)
        seen, clip = counted.seen, counted.clip
        left = choose(seen.pts_seconds, seen.keyframes, part=range(stop, len(plan)))
        rest = self._cut_rest(
            part,
            left,
            seen.pts_seconds,
            first=stop,
            step=step,
            content=partial(Sequel, strict=counted.strict),
        )
        return Start(facts, len(plan), self._shape(clip), rest, clip.note, clip.may_pass)

    def _cut_rest(
        self,
        part: Part,
        chosen: list[int],
        pts_seconds: Sequence[float],
        *,
        first: int,
        step: int,
        content: Callable[[list[int]], Passage | Sequel],
    ) -> tuple[Part, ...]:
        """The parts of so many windows each that have these frames, from window `first` on."""
        size = step * self.spec.sampled
        pieces = (chosen[start : start + size] for start in range(0, len(chosen), size))
        return tuple(
            replace(
                part, first=first + number * step, count=len(piece) // self.spec.sampled, content=content(piece),
                pts_seconds=tuple(pts_seconds[i] for i in piece),
            )
            for number, piece in enumerate(pieces)
        )  # fmt: skip

    def _shape(self, clip: Clip) -> Windows:
        """Windows of what was taken for all of them: (w * T, ...) -> (w, T, ...)."""
        windows = clip.frames.reshape(-1, *self.spec.shape)
        sides = (len(windows), self.spec.frames)
        boxes = None if clip.boxes is None else clip.boxes.reshape(*sides, -1)
        return Windows(windows, clip.pts_seconds.reshape(sides), boxes)

    # ---- the parts after it

    def _read_passage(self, part: Part, passage: Passage) -> Windows | TimesLie:
        with open_video(part.path) as source:
            taker = open_taker(self.spec, part.pts_seconds)
            try:
                select_frames(source, passage.table, passage.order, passage.chosen, taker)
            except TimesLieError as reason:
                _log.debug("%s: decoded in order: %s", part.path, reason)
                return TimesLie(say_damage(reason))
        return self._shape(make_clip(part.name, taker.finish(), part.pts_seconds))

    def _read_sequel(self, part: Part, sequel: Sequel) -> Windows:
        """Go on where the part before ended, or (after a crash, say) decode up to there once more."""
        held = self._held
        if held is None or held[0].stamp != part.stamp or held[0].first + held[0].count != part.first:
            self.close()
            held = (part, FrameReader(part.path, strict=sequel.strict))
        self._held = (part, held[1])
        taker = open_taker(self.spec, part.pts_seconds)
        try:
            held[1].read(sequel.chosen, taker)
        except BaseException:
            self.close()
            raise
        return self._shape(make_clip(part.name, taker.finish(), part.pts_seconds))

    def close(self) -> None:
        """Let go of the file that is held open."""
        if self._held:
            self._held[1].close()
            self._held = None
