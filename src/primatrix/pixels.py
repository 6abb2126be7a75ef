"""One decoded picture to the pixels of a clip: cut, turn upright, resize, write into the clip's array.

The same resizer (swscale's area averaging) serves training and prediction: others differ by 2-5 of 255.
"""

from collections.abc import Callable

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from primatrix.errors import DecodeError
from primatrix.records import ClipSpec

__all__ = ["FrameWriter"]

AREA = int(Interpolation.AREA)


class FrameWriter:
    """Writes decoded frames into a clip as its spec wants them. For one thread: sharing a resizer crashes."""

    def __init__(self, spec: ClipSpec) -> None:
        self.spec = spec
        self._reformatter = VideoReformatter()
        self._format = "gray8" if spec.colour == "grey" else "rgb24"
        self._cutters: dict[tuple[int, int, str, int], Callable[[av.VideoFrame], av.VideoFrame]] = {}

    def write(self, frame: av.VideoFrame, out: NDArray[np.uint8]) -> None:
        """Fill `out` (H, W, C) with the frame. Raises DecodeError (stage "convert") where it cannot."""
        try:
            self._write(frame, out)
        except MemoryError:
            raise
        except (FFmpegError, ValueError, OSError) as error:
            raise DecodeError(
                f"a {frame.width}x{frame.height} {frame.format.name} picture cannot be resized: {error}",
                stage="convert",
            ) from error

    def _write(self, frame: av.VideoFrame, out: NDArray[np.uint8]) -> None:
        height, width, channels = out.shape
        quarter_turns = round(frame.rotation / 90) % 4  # counterclockwise
        if any(self.spec.crop):
            frame = self._cut(frame, quarter_turns)
        if quarter_turns % 2:
            height, width = width, height
        scaled = self._reformatter.reformat(
            frame, width=width, height=height, format=self._format, interpolation=AREA, threads=1
        )
        plane = scaled.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[
            :height, : width * channels
        ]
        pixels = rows.reshape(height, width, channels)
        out[:] = np.rot90(pixels, quarter_turns) if quarter_turns else pixels

    def _cut(self, frame: av.VideoFrame, quarter_turns: int) -> av.VideoFrame:
        """The frame without its info bars: libav's crop filter moves pointers, it copies no pixel."""
        key = (frame.width, frame.height, frame.format.name, quarter_turns)
        if key not in self._cutters:
            self._cutters[key] = _make_cutter(frame, self.spec.crop, quarter_turns)
        return self._cutters[key](frame)


def _make_cutter(
    frame: av.VideoFrame, crop: tuple[float, float], quarter_turns: int
) -> Callable[[av.VideoFrame], av.VideoFrame]:
    """A filter that takes top and bottom of the upright picture off; the top is cut at an even row."""
    height = frame.width if quarter_turns % 2 else frame.height
    top, bottom = (round(value * height) if value < 1 else round(value) for value in crop)
    top -= top % 2  # pictures with halved colour planes can only be cut there
    if top + bottom >= height:
        raise DecodeError(
            f"crop of {top} + {bottom} px leaves nothing of a picture {height} px high; "
            "give a smaller crop or a fraction of the height",
            stage="convert",
        )
    left_right = [(0, 0), (bottom, top), (0, 0), (top, bottom)][quarter_turns]
    top_bottom = [(top, bottom), (0, 0), (bottom, top), (0, 0)][quarter_turns]
    size = f"{frame.width - sum(left_right)}:{frame.height - sum(top_bottom)}"
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    graph.link_nodes(
        source, graph.add("crop", f"{size}:{left_right[0]}:{top_bottom[0]}"), graph.add("buffersink")
    ).configure()

    def cut(frame: av.VideoFrame) -> av.VideoFrame:
        graph.vpush(frame)
        return graph.vpull()

    return cut
