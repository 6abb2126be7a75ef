"""The fuzzer's witness: a file decoded plainly from its first packet to its last, for comparison."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import av
import numpy as np
from av.error import FFmpegError

from primatrix.records import ClipSpec, Video
from primatrix.video import FrameWriter, Source, open_video

MOST_KEYFRAMES = 30


@dataclass(frozen=True, slots=True)
class Witness:
    """What plain decoding of a file gives: its frames at clip size.

    `sound` are those that came before the first error of their decoder, which was told to conceal nothing; an error in
    a picture that no other leans on leaves the rest sound.
    """

    frames: frozenset[bytes]
    sound: frozenset[bytes]


def decode_plainly(spec: ClipSpec, video: Video) -> Witness:
    """Every frame of the first video stream, decoded in one go and again with a new decoder at each keyframe.

    The second because damage in one group of pictures can spoil the next one where the decoder goes on: a damaged
    H.264 packet may be read as new parameters. A frame decoded from its own keyframe is then the true one.
    """
    frames: set[bytes] = set()
    sound: set[bytes] = set()
    keyframes = _decode(spec, video, frames)
    for start in [0, *keyframes[1:MOST_KEYFRAMES]]:
        if start:
            _decode(spec, video, frames, start=start)
        _decode(spec, video, sound, start=start, strict=True)
    return Witness(frozenset(frames), frozenset(sound))


def _decode(
    spec: ClipSpec,
    video: Video,
    frames: set[bytes],
    *,
    start: int = 0,
    stop: int | None = None,
    strict: bool = False,
    skipped: frozenset[int] = frozenset(),
) -> list[int]:
    """Add each whole frame of the packets from `start` to `stop` to `frames`; which packets are keyframes.

    `strict` ends before the first packet with an error, except where every picture stands alone. A packet in `skipped`
    is one with an error that may be left out if no other leans on it.
    """
    writer, keyframes, found = FrameWriter(spec), [], set()
    with open_video(video.path) as source:
        context = source.stream.codec_context
        stands_alone = context.name == "mjpeg"
        if strict or stands_alone:  # a picture decoded by half holds pixels of another
            context.options = {"err_detect": "explode"}
        for index, packet in enumerate(islice(_read_packets(source), stop)):
            if packet is not None and packet.is_keyframe and not stands_alone:
                keyframes.append(index)
            if packet is not None and index < start:
                continue
            context.skip_frame = "NONREF" if index in skipped else "DEFAULT"
            try:
                decoded = context.decode(packet)
            except FFmpegError:
                decoded = []
                if strict and not stands_alone and packet is not None:
                    stop, skipped = (index, skipped) if index in skipped else (stop, skipped | {index})
                    return _decode(spec, video, frames, start=start, stop=stop, strict=True, skipped=skipped)
            found |= _convert(writer, spec, decoded)
        if stop is not None:
            found |= _convert(writer, spec, context.decode(None))
    frames |= found
    return keyframes


def _convert(writer: FrameWriter, spec: ClipSpec, decoded: list[av.VideoFrame]) -> set[bytes]:
    found = set()
    for frame in decoded:
        if not frame.is_corrupt:
            pixels = np.empty(spec.shape[1:], np.uint8)
            writer.write(frame, pixels)
            found.add(pixels.tobytes())
    return found


def _read_packets(source: Source) -> Iterator[av.Packet | None]:
    """The packets that hold data, up to a read error, then None."""
    try:
        for packet in source.container.demux(source.stream):
            if packet.size:
                yield packet
    except FFmpegError:
        pass
    yield None
