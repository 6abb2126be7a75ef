"""What a video file says about itself, and what is really in it: its packets are read, one frame decoded."""

from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path

from av.error import FFmpegError

from primatrix.errors import DecodeError
from primatrix.video.clock import FrameTimes
from primatrix.video.dates import parse_date, read_idit
from primatrix.video.files import is_still
from primatrix.video.packets import PacketTable, Source, open_video, read_data, read_packets, time_packets
from primatrix.video.stills import find_still_time, open_still, read_still

__all__ = ["VideoFacts", "gather_facts", "probe_still", "probe_video"]

RECORDED_TIME_KEYS = ("com.apple.quicktime.creationdate", "creation_time", "date")


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """One file: what its header declares, and `frames` and `duration_seconds` as counted in it.

    `frames` counts the pictures that are there, not all of which need decode. `rotation_degrees` is
    how far the camera's picture is turned counterclockwise to stand upright; width and height are before
    that. `recorded` is the container's time of recording where it has one, be it plausible or not, with a zone
    only where it names one. `loss` says how much of a file that was cut short is there, and which of its times were
    wrong.
    """

    container: str
    codec: str
    pixel_format: str
    width_px: int
    height_px: int
    frames_per_second: float
    frames: int
    declared_frames: int
    duration_seconds: float
    rotation_degrees: int
    recorded: datetime | None
    has_audio: bool
    loss: str


def probe_video(path: str | Path) -> VideoFacts:
    """The facts of a video; decodes one frame, so that what cannot be decoded is found out.

    Raises DecodeError with its stage: "open", "probe" or "decode".

    >>> probe_video("nothing.mp4")
    Traceback (most recent call last):
    primatrix.errors.DecodeError: nothing.mp4: not readable as video: No such file or directory
    """
    if is_still(path):
        return probe_still(path)
    with open_video(path) as source:
        if source.is_still:
            return probe_still(path)
        return gather_facts(source, read_packets(source))


def gather_facts(source: Source, table: PacketTable) -> VideoFacts:
    """The facts of a video whose packets have been read. Raises DecodeError where none of its pictures decodes."""
    stream, times = source.stream, time_packets(source, table)
    facts = {
        "container": source.container_name,
        "codec": stream.codec_context.name,
        "frames_per_second": _measure_rate(source, times),
        "frames": sum(table.shown),
        "declared_frames": stream.frames,
        "duration_seconds": times.duration_seconds,
        "recorded": _find_recorded_time(source),
        "has_audio": bool(source.container.streams.audio),
        "loss": "; ".join(part for part in (table.loss, times.note) if part),
    }
    return VideoFacts(**facts, **_look_at_frame(source.path))  # type: ignore[arg-type]  # values of several types


def probe_still(path: str | Path) -> VideoFacts:
    """The facts of a still, which is one frame and lasts no time; its size is that of the upright picture."""
    with open_still(path) as picture:
        height_px, width_px = read_still(path).shape[:2]
        return VideoFacts(
            container="still",
            codec=str(picture.format).lower(),
            pixel_format=picture.mode,
            width_px=width_px,
            height_px=height_px,
            frames_per_second=0.0,
            frames=1,
            declared_frames=1,
            duration_seconds=0.0,
            rotation_degrees=0,
            recorded=find_still_time(picture),
            has_audio=False,
            loss="",
        )


def _look_at_frame(path: str | Path) -> dict[str, int | str]:
    """Size, format and rotation of the first frame that decodes."""
    with open_video(path) as source:
        for packet in chain(read_data(source), [None]):
            try:
                frames = source.stream.codec_context.decode(packet)
            except FFmpegError as error:
                if isinstance(error, MemoryError):
                    raise
                continue
            for frame in frames:
                return {
                    "pixel_format": frame.format.name,
                    "width_px": frame.width,
                    "height_px": frame.height,
                    "rotation_degrees": frame.rotation,
                }
    raise DecodeError(f"{path}: none of its pictures can be decoded", stage="decode")


def _measure_rate(source: Source, times: FrameTimes) -> float:
    """Frames per second as the container has it, as counted where its times are wrong; 0 where nothing tells."""
    if times.note:
        return len(times.pts_seconds) / times.duration_seconds
    rate = source.stream.average_rate or source.stream.guessed_rate
    return float(rate) if rate else 0.0


def _find_recorded_time(source: Source) -> datetime | None:
    metadata = {**source.container.metadata, **source.stream.metadata}
    texts = [metadata.get(key, "") for key in RECORDED_TIME_KEYS]
    if source.container_name == "avi":
        texts.append(read_idit(source.path))
    return next((moment for text in texts if (moment := parse_date(text))), None)
