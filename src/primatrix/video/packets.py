"""The packets of a video: read once without decoding.

A packet is one coded picture as the container holds it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import compress
from pathlib import Path
from typing import TypeAlias, cast

import av
from av.error import FFmpegError
from av.stream import Discard, Disposition

from primatrix.choices import Stage
from primatrix.errors import DecodeError
from primatrix.video.avi_index import HEAD_BYTES, lists_everything
from primatrix.video.clock import FrameTimes, time_frames
from primatrix.video.pictures import find_rule
from primatrix.video.reading import is_away
from primatrix.video.truncation import find_loss

__all__ = [
    "INTRA_IN_ANY_ORDER",
    "UNORDERED_CODECS",
    "PacketTable",
    "Source",
    "VideoPacket",
    "is_sound",
    "open_video",
    "packets_between",
    "read_data",
    "read_packets",
    "tells_references",
    "time_packets",
]

VideoPacket: TypeAlias = "av.Packet[av.VideoStream]"  # in quotes: PyAV's class takes no brackets when run

KEPT_PACKETS_BYTES = 32 << 20  # packets of a larger file are read again instead of kept in memory
PACKET_OVERHEAD_BYTES = 600  # what a kept packet costs beside its data: two hours of tiny ones are many
# In AVI, times are counted, not written: right only where no picture is shown out of the order it was coded.
UNORDERED_CODECS = {"mjpeg", "rawvideo", "png", "huffyuv", "ffvhuff", "ffv1", "dvvideo", "cinepak"}
# Every picture stands alone, so that an AVI's index of them serves without reading the file through.
INDEXED_CODECS = UNORDERED_CODECS - {"ffv1", "cinepak"}
INTRA_IN_ANY_ORDER = {"mjpeg", "rawvideo", "png", "dvvideo", "prores", "dnxhd"}
DEFAULT_FRAMES_PER_SECOND = 25  # where a file says nothing at all about time
HOLD_WHOLE_PICTURES = {
    "mov",
    "matroska",
}  # ISO/IEC 14496-15: an H.264 or HEVC sample is a picture with its slices
STATE_LENGTH = {"mov", "matroska", "avi", "asf", "flv"}
MICROSECOND = 1e-6  # libav's unit for a whole file
JPEG_MARKER, JPEG_SCAN = 0xFF, 0xDA
OPEN_OPTIONS = {"protocol_whitelist": "file"}  # a playlist named .mp4 must not reach for the network


@dataclass(frozen=True, slots=True)
class Source:
    """An opened video file and its first real video stream, the only one that is read."""

    container: av.container.InputContainer
    stream: av.VideoStream
    path: Path

    @property
    def container_name(self) -> str:
        """The container's first name in libav: mov, avi, matroska, asf, mpegts …"""
        return self.container.format.name.partition(",")[0]

    @property
    def is_still(self) -> bool:
        """Whether the file is a picture, whatever its name: libav would fill one that is cut short with grey."""
        return self.container_name == "image2" or self.container_name.endswith("_pipe")

    @property
    def seconds_per_tick(self) -> float:
        """Length of one unit of this stream's time stamps."""
        return float(self.stream.time_base or 0)

    @property
    def stated_seconds(self) -> float:
        """How long the file's header says that the video is; 0 where it says nothing, and libav would guess."""
        if self.container_name not in STATE_LENGTH:
            return 0.0
        if self.stream.duration:
            return self.stream.duration * self.seconds_per_tick
        return (self.container.duration or 0) * MICROSECOND

    def time_frames(self, ticks: Sequence[int | None]) -> FrameTimes:
        """The times of frames that came with these stamps, in the order of showing or of coding."""
        rate = self.stream.average_rate or self.stream.guessed_rate or DEFAULT_FRAMES_PER_SECOND
        return time_frames(
            ticks,
            frame_seconds=float(1 / rate),
            tick_seconds=self.seconds_per_tick,
            stated_seconds=self.stated_seconds,
        )


@dataclass(slots=True)
class PacketTable:
    """One row per packet that holds data, in the file's order.

    `packets` is empty for a large file and one read by its index; `places` then says where in the file each
    packet's data must begin and how long it is, if an index told so.
    """

    pts: list[int | None] = field(default_factory=list)
    dts: list[int | None] = field(default_factory=list)
    keyframe: list[bool] = field(default_factory=list)
    shown: list[bool] = field(default_factory=list)  # False where it has no picture, or an edit list hides it
    damaged: int = 0
    packets: list[VideoPacket] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)
    loss: str = ""  # how much of the file is missing, where that can be told
    may_pass: bool = False  # the loss: the disk failed, not the file
    _index_at: dict[int | None, int] = field(default_factory=dict)
    _times: FrameTimes | None = None

    def find(self, packet: VideoPacket) -> int:
        """The row of a packet that was read again, -1 where it is in none as it was."""
        if not self._index_at:
            self._index_at.update((pts, index) for index, pts in enumerate(self.pts))
        index = self._index_at.get(packet.pts, -1)
        moved = self.places and (packet.pos, packet.size) != self.places[index]
        return -1 if moved else index

    def __len__(self) -> int:
        return len(self.pts)


@contextmanager
def open_video(path: str | Path) -> Iterator[Source]:
    """The file opened for reading; raises DecodeError where it cannot be read ("read") or holds no video ("open")."""
    path = Path(path)
    try:
        if path.stat().st_size == 0:
            raise DecodeError(f"{path}: got an empty file (0 bytes), wanted a video", stage="open")
        # "file:" keeps libav from reading a colon in a name as a protocol.
        container = av.open(f"file:{path}", "r", options=OPEN_OPTIONS, metadata_errors="replace")
    except (OSError, FFmpegError) as error:
        if isinstance(error, MemoryError):
            raise
        reason = error.strerror or type(error).__name__
        stage: Stage = "read" if is_away(path, error) else "open"
        raise DecodeError(f"{path}: not readable as video: {reason}", stage=stage) from error
    with container:
        yield Source(container, _pick_stream(container, path), path)


def _pick_stream(container: av.container.InputContainer, path: Path) -> av.VideoStream:
    """The first video stream that is no cover picture; all others are told to give no packets."""
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        kinds = ", ".join(sorted({s.type for s in container.streams})) or "no stream at all"
        raise DecodeError(f"{path}: got {kinds}, wanted a video stream", stage="open")
    chosen = streams[0]
    if chosen.codec_context is None:
        raise DecodeError(f"{path}: no decoder for its video stream", stage="open")
    for stream in container.streams:
        if stream.index != chosen.index:
            stream.discard = Discard.all
    chosen.thread_type = "NONE"
    chosen.codec_context.thread_count = 1
    return chosen


def _demux(source: Source) -> Iterator[VideoPacket]:
    """The stream's packets that hold data: an empty one would tell the decoder that the file is over."""
    return (packet for packet in source.container.demux(source.stream) if packet.size)


def read_data(source: Source) -> Iterator[VideoPacket]:
    """The stream's packets from where the file is; ends at a read error (`read_packets` has noted it)."""
    try:
        yield from _demux(source)
    except (FFmpegError, OSError) as error:
        if isinstance(error, MemoryError):
            raise


def packets_between(
    source: Source, table: PacketTable, *, start: int, last: int
) -> Iterator[tuple[int, VideoPacket]]:
    """(index, packet) from `start` to `last`, both included; `start` is a keyframe's index.

    Kept packets are handed out again; those of a large file are read again.
    """
    if table.packets:
        return zip(range(start, last + 1), table.packets[start : last + 1], strict=True)
    return _read_again(source, table, start=start, last=last)


def _read_again(
    source: Source, table: PacketTable, *, start: int, last: int
) -> Iterator[tuple[int, VideoPacket]]:
    """Seek to the keyframe, or before it, and read on from there. A part's table begins in the middle of the file."""
    # Some containers are searched by the times of showing, MPEG-TS by those of decoding.
    stamps = [column[row] for row in (start, 0) for column in (table.pts, table.dts or table.pts)]
    for stamp in (value for value in stamps if value is not None):
        source.container.seek(stamp, stream=source.stream, any_frame=bool(table.places))
        packets = _demux(source)
        packet = next(packets, None)
        while packet and packet.pts is not None and packet.pts < cast(int, table.pts[0]):
            packet = next(packets, None)
        index = table.find(packet) if packet else -1
        if 0 <= index <= start:
            break
    else:
        return  # the seek went wrong: the frames stay missing, and the caller decodes in order
    while packet and index <= last:
        if index >= start:
            yield index, packet
        index, packet = index + 1, next(packets, None)


def read_packets(source: Source) -> PacketTable:
    """All packets of the stream, read once, not decoded; a read error ends the table and is noted in it.

    An AVI of pictures that stand alone is not read through: its index says the same, if it is complete.
    """
    table = _read_index(source)
    if table is not None:
        table.loss = find_loss(source.path, source.container_name, listed=len(table), there=len(table))
        return table
    table = PacketTable()
    try:
        _add_packets(table, source)
    except (FFmpegError, OSError) as error:
        if isinstance(error, MemoryError):
            raise
        table.loss = f"reading stopped after {len(table)} frames: {error.strerror or type(error).__name__}"
        table.may_pass = is_away(source.path, error)
    listed = len(source.stream.index_entries)
    name = source.container_name
    table.loss = table.loss or find_loss(source.path, name, listed=listed, there=len(table))
    if not len(table):
        reason = table.loss or "no packet in the video stream"
        stage: Stage = "read" if table.may_pass else "probe"
        raise DecodeError(f"{source.path}: no picture in it: {reason}", stage=stage)
    return table


def time_packets(source: Source, table: PacketTable) -> FrameTimes:
    """The times of the pictures in a file, as its packets have them."""
    if table._times is None:
        pts = list(compress(table.pts, table.shown))
        if None in pts:
            stamps = zip(pts, compress(table.dts or table.pts, table.shown), strict=True)
            pts = [dts if pts is None else pts for pts, dts in stamps]
        table._times = source.time_frames(pts)
    return table._times


def _read_index(source: Source) -> PacketTable | None:
    """The table by the file's index alone, None where that does not serve."""
    if source.container_name != "avi" or source.stream.codec_context.name not in INDEXED_CODECS:
        return None
    chunks = [(e.pos, e.size) for stream in source.container.streams for e in stream.index_entries]
    entries = list(source.stream.index_entries)
    if not entries or not lists_everything(source.path, chunks):
        return None
    stamps: list[int | None] = [e.timestamp for e in entries]
    everywhere = [True] * len(entries)
    table = PacketTable(stamps, stamps, everywhere, everywhere)
    table.places.extend((e.pos + HEAD_BYTES, e.size) for e in entries)
    return table


def _add_packets(table: PacketTable, source: Source) -> None:
    """Add a row per packet: the loop that a clip of many tiny packets spends its time in."""
    add_pts, add_keyframe, add_shown = table.pts.append, table.keyframe.append, table.shown.append
    add_dts = table.dts.append
    context, shows = source.stream.codec_context, None
    if not (source.container_name in HOLD_WHOLE_PICTURES and context.name in ("h264", "hevc")):
        shows = find_rule(context.name, bytes(context.extradata or b""))
    kept, cost_bytes = table.packets, 0
    for packet in _demux(source):
        add_pts(packet.pts)
        add_dts(packet.dts)
        add_keyframe(packet.is_keyframe)
        add_shown((shows is None or shows(memoryview(cast(bytes, packet)))) and not packet.is_discard)
        table.damaged += packet.is_corrupt
        cost_bytes += packet.size + PACKET_OVERHEAD_BYTES
        if cost_bytes <= KEPT_PACKETS_BYTES:
            kept.append(packet)
        elif kept:
            kept.clear()


def is_sound(packet: VideoPacket) -> bool:
    """False for a JPEG whose headers are damaged: libav would give a picture that was never painted for it."""
    content = memoryview(cast(bytes, packet))
    place = 2  # after the start marker
    while place + 4 < len(content) and content[place] == JPEG_MARKER:
        marker, length = content[place + 1], content[place + 2] << 8 | content[place + 3]
        if marker == JPEG_SCAN:  # ITU-T T.81 section B.2.3: one to four components, two bytes each
            components = content[place + 4]
            return 1 <= components <= 4 and length == 6 + 2 * components
        place += 2 + length if marker != JPEG_MARKER else 1
    return False


def tells_references(context: av.VideoCodecContext) -> bool:
    """Whether the decoder can skip pictures that no other leans on, and only those, from one packet to the next.

    The AV1 decoder takes what to skip when it opens and never again.
    In HEVC that is said per temporal layer (H.265 section 7.4.2.2, TRAIL_N and its kin): pictures of higher layers
    may lean on it, so the stream's parameters must say that there is one layer.
    """
    if context.name != "hevc":
        return context.name != "libdav1d"
    # ISO/IEC 14496-15 section 8.3.3.1: version 1, then, 21 bytes on, 3 bits hold the layers' number (0: unknown).
    parameters = context.extradata or b""
    return len(parameters) > 21 and parameters[0] == 1 and parameters[21] >> 3 & 7 == 1
