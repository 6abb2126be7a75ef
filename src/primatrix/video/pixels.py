"""One decoded picture to the pixels of a clip: cut, turn upright, resize, write into the clip's array.

The same resizer (swscale's area averaging) serves training and prediction: others differ by 2-5 of 255.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import NamedTuple, cast

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from primatrix.errors import DecodeError
from primatrix.records import Box, ClipSpec

__all__ = ["FrameWriter", "find_edges", "is_painted", "measure_upright"]

LEAST_PX = 4  # sides of a part of a picture
AREA = int(Interpolation.AREA)
ANY_TIME_BASE = Fraction(1, 1000)  # libav wants one to cut a picture, also of a still


class Turn(NamedTuple):
    """What brings a coded picture upright: rows and columns exchanged first, then the order of either turned."""

    exchanged: bool
    rows_reversed: bool
    columns_reversed: bool


AS_IT_IS = Turn(False, False, False)


SMALLEST_TREE_PX = 16  # H.265: the smallest coding tree unit


def is_painted(frame: av.VideoFrame) -> bool:
    """False where part of a picture is what new memory is: zero in every plane, a green that no camera sees.

    Only YUV pictures of three planes can tell; of the others, black may be zero.
    """
    name = frame.format.name
    if not name.startswith("yuv") or len(frame.planes) != 3:
        return True
    pixel = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
    zero = []
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), pixel).reshape(-1, plane.line_size // pixel().itemsize)
        step_y, step_x = (
            SMALLEST_TREE_PX * plane.height // frame.height,
            SMALLEST_TREE_PX * plane.width // frame.width,
        )
        zero.append(rows[: plane.height : max(1, step_y), : plane.width : max(1, step_x)] == 0)
    height, width = (min(part.shape[axis] for part in zero) for axis in (0, 1))
    return not np.logical_and.reduce([part[:height, :width] for part in zero]).any()


class FrameWriter:
    """Writes decoded frames into a clip as its spec wants them. For one thread: sharing a resizer crashes."""

    def __init__(self, spec: ClipSpec) -> None:
        self.spec = spec
        self._reformatter = VideoReformatter()
        self._format = "gray8" if spec.colour == "grey" else "rgb24"
        self._cutters: dict[tuple[int, int, str, Turn], Callable[[av.VideoFrame], av.VideoFrame]] = {}

    def write(self, frame: av.VideoFrame, out: NDArray[np.uint8]) -> None:
        """Fill `out` (H, W, C) with the frame. Raises DecodeError (stage "convert") where it cannot."""
        with _explaining(frame):
            self._write(frame, out)

    def write_picture(self, picture: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
        """Fill `out` (H, W, C) with an upright RGB picture (height, width, 3)."""
        self.write(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24"), out)

    def write_part(self, frame: av.VideoFrame, box: Box, out: NDArray[np.uint8]) -> None:
        """Fill `out` (H, W, C) with the part of the upright frame, info bars and all, that a box shows."""
        with _explaining(frame):
            turn = find_turn(frame)
            self._scale(_cut_box(frame, turn, box), turn, out)

    def _write(self, frame: av.VideoFrame, out: NDArray[np.uint8]) -> None:
        turn = find_turn(frame)
        if any(self.spec.crop):
            frame = self._cut(frame, turn)
        self._scale(frame, turn, out)

    def _scale(self, frame: av.VideoFrame, turn: Turn, out: NDArray[np.uint8]) -> None:
        height, width, channels = out.shape
        if turn.exchanged:
            height, width = width, height
        scaled = self._reformatter.reformat(
            frame, width=width, height=height, format=self._format, interpolation=AREA, threads=1
        )
        plane = scaled.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[
            :height, : width * channels
        ]
        pixels = rows.reshape(height, width, channels)
        out[:] = pixels if turn is AS_IT_IS else _apply_turn(pixels, turn)

    def _cut(self, frame: av.VideoFrame, turn: Turn) -> av.VideoFrame:
        """The frame without its info bars."""
        key = (frame.width, frame.height, frame.format.name, turn)
        if key not in self._cutters:
            self._cutters[key] = _make_cutter(frame, self.spec.crop, turn)
        return self._cutters[key](frame)


@contextmanager
def _explaining(frame: av.VideoFrame) -> Iterator[None]:
    """What goes wrong with a frame as a DecodeError (stage "convert")."""
    try:
        yield
    except MemoryError:
        raise
    except (FFmpegError, ValueError, OSError) as error:
        raise DecodeError(
            f"a {frame.width}x{frame.height} {frame.format.name} picture cannot be resized: {error}",
            stage="convert",
        ) from error


def _cut_box(frame: av.VideoFrame, turn: Turn, box: Box) -> av.VideoFrame:
    """The part of a coded frame that an upright box shows."""
    left, top, width, height = box
    if turn.rows_reversed:
        top = 1 - top - height
    if turn.columns_reversed:
        left = 1 - left - width
    if turn.exchanged:
        left, top, width, height = top, left, height, width
    first, last = find_edges(left, width, frame.width)
    upper, lower = find_edges(top, height, frame.height)
    return _open_cutter(frame, f"{last - first}:{lower - upper}:{first}:{upper}")(frame)


def find_edges(start: float, length: float, size_px: int) -> tuple[int, int]:
    """First and last pixel (not included) of a stretch in shares of a side, at least LEAST_PX of it.

    >>> find_edges(0.25, 0.5, 100), find_edges(0.99, 0.01, 100)
    ((25, 75), (96, 100))
    """
    first = min(max(round(start * size_px), 0), max(size_px - LEAST_PX, 0))
    return first, min(max(round((start + length) * size_px), first + LEAST_PX), size_px)


def measure_upright(frame: av.VideoFrame, crop: tuple[float, float] = (0.0, 0.0)) -> tuple[int, int]:
    """Height and width in pixels of the picture turned upright, without the info bars in `crop`."""
    sides = (frame.width, frame.height) if find_turn(frame).exchanged else (frame.height, frame.width)
    top, bottom = _count_rows(sides[0], crop)
    return max(sides[0] - top - bottom, 1), sides[1]


def _count_rows(height: int, crop: tuple[float, float]) -> tuple[int, int]:
    """How many rows of pixels are cut off at top and bottom; the top at an even row."""
    top, bottom = (round(share * height) for share in crop)
    return top - top % 2, bottom  # pictures with halved colour planes can only be cut there


def find_turn(frame: av.VideoFrame) -> Turn:
    """How the container says the picture must be turned or mirrored, to the nearest quarter turn."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return AS_IT_IS
    # libavutil/display.h: 9 integers (a, b, u, c, d, v, x, y, w); x' = a x + c y and y' = b x + d y.
    a, b, _, c, d = np.frombuffer(cast(bytes, data), np.int32, count=5).tolist()
    exchanged = abs(b) > abs(a)
    turn = Turn(exchanged, (b if exchanged else d) < 0, (c if exchanged else a) < 0)
    return AS_IT_IS if turn == AS_IT_IS else turn


def _apply_turn(pixels: NDArray[np.uint8], turn: Turn) -> NDArray[np.uint8]:
    turned = pixels.swapaxes(0, 1) if turn.exchanged else pixels
    return turned[:: -1 if turn.rows_reversed else 1, :: -1 if turn.columns_reversed else 1]


def _make_cutter(
    frame: av.VideoFrame, crop: tuple[float, float], turn: Turn
) -> Callable[[av.VideoFrame], av.VideoFrame]:
    """A filter that takes top and bottom of the upright picture off; the top is cut at an even row."""
    height = frame.width if turn.exchanged else frame.height
    top, bottom = _count_rows(height, crop)
    if top + bottom >= height:
        raise DecodeError(
            f"crop of {top} + {bottom} px leaves nothing of a picture {height} px high; give smaller shares",
            stage="convert",
        )
    ends = (bottom, top) if turn.rows_reversed else (top, bottom)
    left_right, top_bottom = (ends, (0, 0)) if turn.exchanged else ((0, 0), ends)
    size = f"{frame.width - sum(left_right)}:{frame.height - sum(top_bottom)}"
    return _open_cutter(frame, f"{size}:{left_right[0]}:{top_bottom[0]}")


def _open_cutter(frame: av.VideoFrame, part: str) -> Callable[[av.VideoFrame], av.VideoFrame]:
    """libav's crop filter for frames like this one, which moves pointers and copies no pixel.

    `part` is width, height, left and top in pixels, with colons.
    """
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base or ANY_TIME_BASE,
    )
    graph.link_nodes(source, graph.add("crop", part), graph.add("buffersink")).configure()

    def cut(frame: av.VideoFrame) -> av.VideoFrame:
        graph.vpush(frame)
        return graph.vpull()

    return cut
