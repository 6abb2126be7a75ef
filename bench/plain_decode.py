"""The fuzzer's witness: a file decoded plainly from its first packet to its last, for comparison."""

from dataclasses import dataclass

import numpy as np
from av.error import FFmpegError

from primatrix.packets import open_video
from primatrix.pixels import FrameWriter
from primatrix.records import ClipSpec, Video


@dataclass(frozen=True, slots=True)
class Witness:
    """What plain sequential decoding of a file gives: its frames at clip size, and how often it complained."""

    frames: frozenset[bytes]
    complaints: int


def decode_plainly(spec: ClipSpec, video: Video) -> Witness:
    """Every frame of the first video stream in the decoder's order, errors counted and passed over."""
    writer, frames, complaints = FrameWriter(spec), set(), 0
    with open_video(video.path) as source:
        context = source.stream.codec_context
        packets = source.container.demux(source.stream)
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError:
                complaints, packet = complaints + 1, None
            if packet is not None and not packet.size:
                continue
            try:
                decoded = context.decode(packet)
            except FFmpegError:
                complaints, decoded = complaints + 1, []
            for frame in decoded:
                if frame.is_corrupt:
                    complaints += 1
                    continue
                pixels = np.empty(spec.shape[1:], np.uint8)
                writer.write(frame, pixels)
                frames.add(pixels.tobytes())
            if packet is None:
                return Witness(frozenset(frames), complaints)
