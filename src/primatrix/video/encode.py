"""Writing H.264 MP4 files, from frames that never need to be in memory all at once."""

import itertools
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from primatrix.disk import whole_file
from primatrix.errors import InputError

__all__ = ["write_clip", "write_tone"]

# x264 builds one motion cost table per quantiser at opening: with a constant one it opens in 1.9 ms, not 3.
FIXED_QUANTISER = "qp={quantiser}:ipratio=1:pbratio=1:threads=1:rc-lookahead=0:bframes=0:weightp=0:no-psy=1"

UNFLUSHED = {"flush_packets": "0"}  # one write to the disk per file, not one per frame


def write_clip(
    path: Path,
    frames: Iterable[NDArray[np.uint8]],
    *,
    frames_per_second: float,
    codec: str = "libx264",
    quantiser: int = 20,
) -> int:
    """Write frames as one H.264 4:2:0 MP4 file and return how many there were.

    `frames` gives uint8 (H, W, 3) pictures one by one; an array (T, H, W, 3) does too. `quantiser` is x264's
    constant quantiser (lower is finer; other codecs ignore it). The file appears under its name only when
    whole: it is written beside it and then moved. The same frames give the same bytes.

    Raises InputError without frames and for an odd height or width, which 4:2:0 cannot hold (padding would
    change the picture), and OSError where the disk refuses.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "clip.mp4"
    ...     write_clip(path, np.zeros((30, 16, 16, 3), np.uint8), frames_per_second=2)
    30
    """
    pictures = iter(frames)
    first = next(pictures, None)
    if first is None:
        raise InputError(f"{path}: got no frames, wanted at least 1")
    check_picture(path, first)
    if codec not in av.codecs_available or av.Codec(codec, "w").type != "video":
        raise InputError(f"codec: got {codec!r}, wanted a video encoder of this PyAV such as 'libx264'")
    rate = Fraction(frames_per_second).limit_denominator(1001)
    with whole_file(path, flush=False) as part:
        return mux_frames(
            part, itertools.chain([first], pictures), rate=rate, codec=codec, quantiser=quantiser
        )


def check_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Refuse a picture that is not uint8 (even height, even width, 3)."""
    shape = picture.shape
    if picture.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3:
        raise InputError(f"{path}: got frames {picture.dtype} {shape}, wanted uint8 (height, width, 3)")
    if shape[0] % 2 or shape[1] % 2 or 0 in shape:
        raise InputError(
            f"{path}: got pictures {shape[0]} high x {shape[1]} wide, wanted even sizes: crop or resize first"
        )


def mux_frames(
    part: Path, frames: Iterable[NDArray[np.uint8]], *, rate: Fraction, codec: str, quantiser: int
) -> int:
    """Encode frames into the MP4 file `part`; the number of frames written."""
    options = {"preset": "ultrafast"}
    if codec == "libx264":
        options["x264-params"] = FIXED_QUANTISER.format(quantiser=quantiser)
    time_base = 1 / rate
    reformatter = VideoReformatter()  # one for all frames: making one costs more than using it
    written = 0
    with av.open(str(part), "w", format="mp4", container_options=UNFLUSHED) as container:
        stream = cast(av.VideoStream, container.add_stream(codec, rate=rate, options=options))
        stream.pix_fmt = "yuv420p"
        stream.thread_count = 1
        for picture in frames:
            if written == 0:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            # One thread: by default swscale starts one per core for each frame, 20 times slower at 16x16.
            frame = reformatter.reformat(frame, format="yuv420p", threads=1)
            frame.pts, frame.time_base = written, time_base
            container.mux(stream.encode(frame))
            written += 1
        container.mux(stream.encode(None))
    return written


def write_tone(path: Path, *, seconds: float = 1.0) -> None:
    """Write an MP4 file that holds a tone and no picture, as cameras leave that failed while recording."""
    rate, frame_samples = 16_000, 1024
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=rate, layout="mono")
        for first in range(0, int(seconds * rate), frame_samples):
            moments = np.arange(first, first + frame_samples) / rate
            wave = (0.2 * np.sin(2 * np.pi * 440 * moments)).astype(np.float32)[None]
            frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = rate, first
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
