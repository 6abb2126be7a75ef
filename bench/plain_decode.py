"""The fuzzer's witness: a file decoded plainly from its first packet to its last, for comparison."""

from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np
from av.error import FFmpegError

from primatrix.packets import Source, open_video
from primatrix.pixels import FrameWriter
from primatrix.records import ClipSpec, Video

MOST_KEYFRAMES = 30


@dataclass(frozen=True, slots=True)
class Witness:
    """What plain decoding of a file gives: its frames at clip size, and how many were damaged."""

    frames: frozenset[bytes]
    complaints: int


def decode_plainly(spec: ClipSpec, video: Video) -> Witness:
    """Every frame of the first video stream, decoded in one go and again with a new decoder at each keyframe.

    The second because damage in one group of pictures can spoil the next one where the decoder goes on: a damaged
    H.264 packet may be read as new parameters. A frame decoded from its own keyframe is then the true one.
    """
    frames: set[bytes] = set()
    complaints, keyframes = _decode(spec, video, frames, start=0)
    for start in keyframes[1:MOST_KEYFRAMES]:
        _decode(spec, video, frames, start=start)
    return Witness(frozenset(frames), complaints)


def _decode(spec: ClipSpec, video: Video, frames: set[bytes], *, start: int) -> tuple[int, list[int]]:
    """Add each whole frame from packet `start` on to `frames`; how many were damaged, and which are keyframes."""
    writer, complaints, keyframes = FrameWriter(spec), 0, []
    with open_video(video.path) as source:
        context = source.stream.codec_context
        if context.name == "mjpeg":
            context.options = {"err_detect": "explode"}  # a picture decoded by half holds pixels of another
        for index, packet in enumerate(_read_packets(source)):
            if packet is not None and packet.is_keyframe and context.name != "mjpeg":
                keyframes.append(index)
            if packet is not None and index < start:
                continue
            try:
                decoded = context.decode(packet)
            except FFmpegError:
                complaints, decoded = complaints + 1, []
            complaints += sum(frame.is_corrupt for frame in decoded)
            for frame in decoded:
                if not frame.is_corrupt:
                    pixels = np.empty(spec.shape[1:], np.uint8)
                    writer.write(frame, pixels)
                    frames.add(pixels.tobytes())
    return complaints, keyframes


def _read_packets(source: Source) -> Iterator[av.Packet | None]:
    """The packets that hold data, up to a read error, then None."""
    try:
        for packet in source.container.demux(source.stream):
            if packet.size:
                yield packet
    except FFmpegError:
        pass
    yield None
