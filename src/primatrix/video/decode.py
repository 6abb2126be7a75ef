"""One video file to one clip: the wanted frames, decoded exactly and at the size the spec asks for.

Where the container's times can be trusted (see `packets`), only the groups of pictures that hold wanted
frames are decoded; the frames are the very ones that decoding everything and indexing would give. Where
they cannot, everything is decoded in order, tolerant of errors, and what decodes is counted: header
counts lie.
"""

import logging
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.error import FFmpegError

from primatrix.errors import DecodeError
from primatrix.records import Clip, ClipSpec
from primatrix.video.closeups import Taken, Taker, open_taker, place_frames
from primatrix.video.files import is_still
from primatrix.video.order import FrameOrder, order_frames
from primatrix.video.packets import (
    INTRA_IN_ANY_ORDER,
    PacketTable,
    Source,
    VideoPacket,
    is_sound,
    open_video,
    packets_between,
    read_data,
    read_packets,
    tells_references,
    time_packets,
)
from primatrix.video.pixels import is_painted
from primatrix.video.samplers import choose_frames
from primatrix.video.stills import read_still

__all__ = [
    "Choose",
    "Counted",
    "FrameList",
    "FrameReader",
    "Request",
    "TimesLieError",
    "count_frames",
    "decode_clip",
    "decode_still",
    "guess_frames",
    "list_frames",
    "make_clip",
    "say_damage",
    "select_frames",
]

MOST_PASSES = 4  # over a file whose count of frames is not known before, nor whether it is damaged
# Errors that libav would conceal, with what depends on the frames decoded before, are told instead.
STRICT = {"err_detect": "crccheck+bitstream+explode"}  # "buffer" makes msmpeg4 give other pictures
# Their pictures painted by half keep whatever lay in that memory. Of the others, a picture that libav conceals is
# worth having in a clip that says it is damaged.
NEVER_CONCEALED = INTRA_IN_ANY_ORDER | {"hevc"}

Choose = Callable[[Sequence[float], Sequence[int]], list[int]]

_log = logging.getLogger(__name__)


class TimesLieError(Exception):
    """The container's times did not lead to the frames they promised: decode in order instead."""


class _UnpaintedError(TimesLieError):
    """Part of a picture was never painted, and its decoder called it good."""


@dataclass(slots=True)
class FrameList:
    """Times and keyframes of a video's frames in the order they are shown, and how many were damaged.

    `note` says which of the times were put right.
    """

    pts_seconds: list[float] = field(default_factory=list)
    keyframes: list[int] = field(default_factory=list)
    damaged: int = 0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted of a video: frames chosen by `choose` from its times and keyframes, as the spec has them."""

    spec: ClipSpec
    name: str
    choose: Choose


@dataclass(frozen=True, slots=True)
class Counted:
    """A clip from decoding everything, and all frames that decoded, `strict` or else with what libav conceals."""

    clip: Clip
    seen: FrameList
    strict: bool


def decode_clip(
    path: str | Path, spec: ClipSpec, *, name: str | None = None, choose: Choose | None = None
) -> Clip:
    """The clip that the spec asks for; `name` is the file's own unless given.

    `choose` takes the place of the spec's sampler and count: given the frames' seconds and the indices of
    keyframes, it says which frames to take.

    A still (jpg, png, tif, webp) is a clip of one frame. A still that is damaged or cut short is an error,
    a video that ended early or holds damaged frames gives what decodes, and `Clip.note` says so. Raises
    DecodeError with its stage: "open", "probe", "decode" or "convert".

    >>> decode_clip("nothing.mp4", ClipSpec())
    Traceback (most recent call last):
    primatrix.errors.DecodeError: nothing.mp4: not readable as video: No such file or directory
    """
    path = Path(path)
    request = Request(spec, name or path.name, choose or partial(_choose_by_spec, spec))
    if is_still(path):
        return decode_still(path, request)
    with open_video(path) as source:
        if source.is_still:
            return decode_still(path, request)
        table = read_packets(source)
        order = order_frames(source, table)
        damage = ""
        if order is not None:
            try:
                listed = list_frames(source, table, order)
                chosen = request.choose(listed.pts_seconds, listed.keyframes)
                seconds = [listed.pts_seconds[i] for i in chosen]
                taker = open_taker(spec, seconds)
                select_frames(source, table, order, chosen, taker)
                return make_clip(request.name, taker.finish(), seconds, table.loss, may_pass=table.may_pass)
            except TimesLieError as reason:
                _log.debug("%s: decoded in order: %s", path, reason)
                damage = say_damage(reason)
        guess = guess_frames(source, table)
    return count_frames(path, table, request, guess=guess, damage=damage).clip


def _choose_by_spec(spec: ClipSpec, pts_seconds: Sequence[float], keyframes: Sequence[int]) -> list[int]:
    return choose_frames(spec.sampler, spec.sampled, pts_seconds=pts_seconds, keyframes=keyframes)


def decode_still(path: Path, request: Request) -> Clip:
    """A clip of one picture, in as many places as the sampler gives it."""
    seconds = [0.0] * len(request.choose([0.0], [0]))
    taker = open_taker(request.spec, seconds)
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(read_still(path)), format="rgb24")
    taker.add(picture, range(len(seconds)))
    return make_clip(request.name, taker.finish(), seconds)


def make_clip(
    name: str, taken: Taken, seconds: Sequence[float], note: str = "", *, may_pass: bool = False
) -> Clip:
    """The clip of what was taken of pictures at these seconds."""
    times = np.asarray(seconds, np.float64)[taken.places]
    return Clip(name, taken.frames, times, note, may_pass, taken.boxes)


# ---- decoding only what is wanted


def list_frames(source: Source, table: PacketTable, order: FrameOrder) -> FrameList:
    """The frames as the container, which can be trusted, has them."""
    tick = source.seconds_per_tick
    seconds = [(pts - order.pts[0]) * tick for pts in order.pts]
    return FrameList(seconds, [i for i, packet in enumerate(order.packet) if table.keyframe[packet]])


def select_frames(
    source: Source, table: PacketTable, order: FrameOrder, chosen: Sequence[int], taker: Taker
) -> None:
    """Hand the frames with these indices to `taker`, from the groups of pictures that hold them.

    Raises TimesLieError where they are not what the packets promised.
    """
    places = place_frames(chosen)
    groups: dict[int, dict[int, int]] = {}  # packet to start at -> {packet wanted: frame it holds}
    for frame_index in places:
        groups.setdefault(order.start_of(frame_index), {})[order.packet[frame_index]] = frame_index
    for start, wanted in groups.items():
        frame_at = {order.pts[i]: i for i in wanted.values()}
        packets = packets_between(source, table, start=start, last=max(wanted))
        with _take_decoder(source) as context:
            for number, frame in enumerate(_decode_group(context, packets, wanted)):
                if number == 0 and not frame.key_frame:
                    raise TimesLieError(f"packet {start} is no keyframe")
                frame_index = frame_at.pop(cast(int, frame.pts), -1)
                if context.name == "hevc" and not is_painted(frame):
                    raise _UnpaintedError(f"a picture painted in part, in the group of packet {start}")
                if frame_index >= 0 and not frame.is_corrupt:
                    taker.add(frame, places[frame_index])
                elif frame_index >= 0:
                    raise TimesLieError(f"frame {frame_index} is damaged")
        if frame_at:
            raise TimesLieError(f"no frame {min(frame_at.values())}")


def say_damage(reason: TimesLieError) -> str:
    """What decoding in order would not find out about a file."""
    return str(reason) if isinstance(reason, _UnpaintedError) else ""


@contextmanager
def _take_decoder(source: Source) -> Iterator[av.VideoCodecContext]:
    """The decoder for one group of pictures.

    In HEVC a new one, whose memory is all zero: libav notices no slice that ends early, but `is_painted` then does.
    """
    if source.stream.codec_context.name != "hevc":
        yield source.stream.codec_context
        return
    with open_video(source.path) as again:
        yield again.stream.codec_context


def _decode_group(
    context: av.VideoCodecContext, packets: Iterable[tuple[int, VideoPacket]], wanted: Container[int]
) -> Iterator[av.VideoFrame]:
    """Frames decoded from consecutive packets that begin at a keyframe; leaves the decoder empty.

    Pictures that no other leans on are skipped unless wanted.
    """
    skipping, can_skip = False, tells_references(context)
    is_jpeg = context.name == "mjpeg"
    if not context.is_open:
        context.options = STRICT
    try:
        for index, packet in packets:
            if can_skip and (index in wanted) == skipping:
                skipping = not skipping
                context.skip_frame = "NONREF" if skipping else "DEFAULT"
            if is_jpeg and not is_sound(packet):
                raise TimesLieError(f"packet {index} is damaged")
            yield from context.decode(packet)
        yield from context.decode(None)
    except FFmpegError as error:
        if isinstance(error, MemoryError):
            raise
        raise TimesLieError(error.strerror) from error
    context.flush_buffers()
    context.skip_frame = "DEFAULT"


# ---- decoding everything, in order


def guess_frames(source: Source, table: PacketTable) -> FrameList:
    """The frames as the packets tell of them, which decoding everything mostly bears out."""
    times = time_packets(source, table).pts_seconds
    keyframes = [
        i for i, (key, shown) in enumerate(zip(table.keyframe, table.shown, strict=True)) if key and shown
    ]
    return FrameList(times, keyframes)


def count_frames(
    path: Path, table: PacketTable, request: Request, *, guess: FrameList, damage: str
) -> Counted:
    """The clip from decoding every frame: first by what the packets tell, again where that was wrong.

    Where there is damage, decode again with concealment and say so in the clip's note.
    """
    seen, strict = guess, True
    for _ in range(MOST_PASSES):
        # Where nothing decoded, or no picture is shown, a sampler has one frame to choose from all the same.
        chosen = request.choose(seen.pts_seconds or [0.0], seen.keyframes)
        before = seen.pts_seconds or [0.0]
        taker = open_taker(request.spec, [before[i] for i in chosen])
        seen = _decode_in_order(path, chosen, taker, strict=strict)
        if seen.damaged and strict:
            strict, damage = False, f"{seen.damaged} pictures not decodable without an error"
            continue
        if not seen.pts_seconds:
            raise DecodeError(f"{path}: none of its {len(table)} pictures can be decoded", stage="decode")
        if request.choose(seen.pts_seconds, seen.keyframes) == chosen:
            seconds = [seen.pts_seconds[i] for i in chosen]
            loss = _say_loss(table, seen, damage)
            clip = make_clip(request.name, taker.finish(), seconds, loss, may_pass=table.may_pass)
            return Counted(clip, seen, strict)
    raise DecodeError(f"{path}: its frames differ from one reading to the next", stage="decode")


def _decode_in_order(path: Path, chosen: list[int], taker: Taker, *, strict: bool) -> FrameList:
    """Hand the frames with these indices to `taker`; the list of all that decoded."""
    places = place_frames(chosen)
    pts: list[int | None] = []
    seen = FrameList()
    with open_video(path) as source:
        for frame in _decode_all(source, seen, strict=strict):
            if len(pts) in places:
                taker.add(frame, places[len(pts)])
            if frame.key_frame:
                seen.keyframes.append(len(pts))
            pts.append(frame.dts if frame.pts is None else frame.pts)
        times = source.time_frames(pts)
        seen.pts_seconds, seen.note = times.pts_seconds, times.note
    return seen


class FrameReader:
    """Decodes a video in order, once and no further than asked: its file stays open until `close`.

    `strict` as `count_frames` found that the video must be decoded.
    """

    def __init__(self, path: Path, *, strict: bool) -> None:
        self.path = path
        self._opened = ExitStack()
        source = self._opened.enter_context(open_video(path))
        self._frames = enumerate(_decode_all(source, FrameList(), strict=strict))
        self._last: tuple[int, av.VideoFrame] | None = None

    def read(self, chosen: Sequence[int], taker: Taker) -> None:
        """Hand frames with these indices to `taker`, none before the last one that was read. Raises DecodeError."""
        for index, places in sorted(place_frames(chosen).items()):
            if self._last is None or index != self._last[0]:
                self._last = next((pair for pair in self._frames if pair[0] == index), None)
            if self._last is None:
                raise DecodeError(
                    f"{self.path}: its frames differ from one reading to the next", stage="decode"
                )
            taker.add(self._last[1], places)

    def close(self) -> None:
        """Let go of the file."""
        self._opened.close()


def _decode_all(source: Source, seen: FrameList, *, strict: bool) -> Iterator[av.VideoFrame]:
    """Every frame that decodes, in the decoder's order; damaged ones are counted and left out.

    Not `strict`, what libav conceals counts as decoded.
    """
    context = source.stream.codec_context
    is_jpeg = context.name == "mjpeg"
    if strict or context.name in NEVER_CONCEALED:
        context.options = STRICT
    for packet in chain(read_data(source), [None]):
        if is_jpeg and packet is not None and not is_sound(packet):
            seen.damaged += 1
            continue
        try:
            decoded = context.decode(packet)
        except FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
            seen.damaged += 1
            continue
        for frame in decoded:
            if frame.is_corrupt:
                seen.damaged += 1
            else:
                yield frame


def _say_loss(table: PacketTable, seen: FrameList, damage: str) -> str:
    left_out = f"{seen.damaged} damaged frames left out" if seen.damaged else ""
    return "; ".join(part for part in (table.loss, left_out or damage, seen.note) if part)
