"""The pictures of a clip, taken as they are decoded: resized, or (close-ups) cut from the full-size picture.

Close-ups are chosen in a small copy of the clip once all its looks are there. Until then the full-size pictures are
kept, as many bytes of them as KEPT_BYTES for a clip: above that they are kept smaller.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import av
import numpy as np
from numpy.typing import NDArray

from primatrix.records import Box, ClipSpec, Crop
from primatrix.video.crops import choose_crops
from primatrix.video.pixels import FrameWriter, find_edges, measure_upright
from primatrix.video.pointing import point_crops

__all__ = ["Taken", "Taker", "open_taker", "place_frames"]

KEPT_BYTES = 128 << 20  # of the full-size pictures of a clip: 15 of 1920x1080 are half of it
WHOLE = Box(0.0, 0.0, 1.0, 1.0)
SMALL_PX = 64  # sides of the small copy

Pixels = NDArray[np.uint8]


class Taken(NamedTuple):
    """Frames uint8 (N, H, W, C), for each the place of its picture among those chosen, and boxes as `Clip` has them."""

    frames: Pixels
    places: NDArray[np.int64]
    boxes: NDArray[np.float32] | None


class Taker(Protocol):
    """What becomes of decoded pictures."""

    def add(self, frame: av.VideoFrame, places: Sequence[int]) -> None:
        """Take a picture for these places among those chosen."""

    def finish(self) -> Taken:
        """The frames, once every place has its picture."""


def open_taker(spec: ClipSpec, seconds: Sequence[float]) -> Taker:
    """What takes the pictures at these seconds, chosen for one clip after the other, as the spec says."""
    return CloseupTaker(spec, seconds) if spec.closeups else FrameTaker(spec, len(seconds))


def place_frames(chosen: Sequence[int]) -> dict[int, list[int]]:
    """For each frame of the video that is taken: its places in the clip (several in a short video).

    >>> place_frames([7, 9, 9])
    {7: [0], 9: [1, 2]}
    """
    places: dict[int, list[int]] = {}
    for place, frame_index in enumerate(chosen):
        places.setdefault(frame_index, []).append(place)
    return places


class FrameTaker:
    """Each picture resized into its places."""

    def __init__(self, spec: ClipSpec, count: int) -> None:
        self._writer = FrameWriter(spec)
        self._frames = np.zeros((count, *spec.shape[1:]), np.uint8)

    def add(self, frame: av.VideoFrame, places: Sequence[int]) -> None:
        """Take a picture for these places."""
        self._writer.write(frame, self._frames[places[0]])
        self._frames[list(places[1:])] = self._frames[places[0]]

    def finish(self) -> Taken:
        """All pictures, in their places."""
        return Taken(self._frames, np.arange(len(self._frames)), None)


class CloseupTaker:
    """Close-ups and whole pictures of each clip in turn, `spec.frames` from `spec.looks` pictures looked at.

    >>> taker = CloseupTaker(ClipSpec(4, 32, 32, "rgb", closeups=2, looks=3), [0.0, 1.0, 2.0])
    >>> for place in range(3):
    ...     pixels = np.zeros((96, 128, 3), np.uint8)
    ...     pixels[40:60, 30 * place : 30 * place + 20] = 200
    ...     taker.add(av.VideoFrame.from_ndarray(pixels, format="rgb24"), [place])
    >>> taken = taker.finish()
    >>> taken.frames.shape, len(taken.places), taken.boxes.shape
    ((4, 32, 32, 3), 4, (4, 5))
    """

    def __init__(self, spec: ClipSpec, seconds: Sequence[float]) -> None:
        self.spec, self.seconds = spec, np.asarray(seconds, np.float64)
        count = len(self.seconds)
        self._length = spec.looks if count % spec.looks == 0 else max(count, 1)
        self._small = np.zeros((count, SMALL_PX, SMALL_PX, 3), np.uint8)
        self._kept: dict[int, av.VideoFrame | Pixels] = {}
        self._done: dict[int, Taken] = {}
        # Pictures without their info bars; then crops of those, which have none.
        self._upright = FrameWriter(ClipSpec(colour="rgb", crop=spec.crop))
        self._resizer = FrameWriter(ClipSpec(colour=spec.colour))
        self._whole = FrameWriter(ClipSpec(colour=spec.colour, crop=spec.crop))

    def add(self, frame: av.VideoFrame, places: Sequence[int]) -> None:
        """Take a picture for these places; a clip's crops are cut when it has all of its pictures."""
        self._upright.write(frame, self._small[places[0]])
        self._small[list(places[1:])] = self._small[places[0]]
        kept = self._keep(frame, share=len(places) / self._length)
        self._kept |= dict.fromkeys(places, kept)
        for window in {place // self._length for place in places}:
            clip = range(window * self._length, (window + 1) * self._length)
            if all(place in self._kept for place in clip):
                self._done[window] = self._cut_clip(clip)
                self._kept = {place: one for place, one in self._kept.items() if place not in clip}

    def finish(self) -> Taken:
        """The frames of all clips."""
        done = [self._done[window] for window in sorted(self._done)]
        none = Taken(
            np.zeros((0, *self.spec.shape[1:]), np.uint8), np.zeros(0, np.int64), np.zeros((0, 5), np.float32)
        )
        frames, places, boxes = zip(none, *done, strict=True)
        return Taken(np.concatenate(frames), np.concatenate(places), np.concatenate(boxes))

    def _keep(self, frame: av.VideoFrame, *, share: float) -> av.VideoFrame | Pixels:
        """The picture itself, or where all of a clip would be too large, as smaller upright RGB (H, W, 3)."""
        most = KEPT_BYTES * min(share, 1.0)
        if sum(plane.buffer_size for plane in frame.planes) <= most:
            return frame
        height, width = measure_upright(frame, self.spec.crop)
        scale = min(1.0, math.sqrt(most / (3 * height * width)))
        kept = np.empty((max(1, int(height * scale)), max(1, int(width * scale)), 3), np.uint8)
        self._upright.write(frame, kept)
        return kept

    def _open(self, kept: av.VideoFrame | Pixels) -> Pixels:
        """A kept picture as upright RGB (H, W, 3)."""
        if isinstance(kept, np.ndarray):
            return kept
        picture = np.empty((*measure_upright(kept, self.spec.crop), 3), np.uint8)
        self._upright.write(kept, picture)
        return picture

    def _cut_clip(self, clip: range) -> Taken:
        """The close-ups of a clip, the most telling first, or the parts of a still; then whole pictures."""
        shown = self._choose(clip)
        frames = np.empty((len(shown), *self.spec.shape[1:]), np.uint8)
        for row, crop in zip(frames, shown, strict=True):
            self._cut(self._kept[clip[crop.frame]], crop.box, row)
        boxes = [(*_within(crop.patch, self.spec.crop), crop.novelty) for crop in shown]
        places = np.array([clip[crop.frame] for crop in shown], np.int64)
        return Taken(frames, places, np.array(boxes, np.float32))

    def _cut(self, kept: av.VideoFrame | Pixels, box: Box, out: Pixels) -> None:
        """Fill `out` (H, W, C) with what a box shows of a kept picture."""
        if isinstance(kept, np.ndarray):
            top, bottom = find_edges(box.top, box.height, kept.shape[0])
            left, right = find_edges(box.left, box.width, kept.shape[1])
            self._resizer.write_picture(kept[top:bottom, left:right], out)
        elif box == WHOLE:
            self._whole.write(kept, out)
        else:
            self._resizer.write_part(kept, _within(box, self.spec.crop), out)

    def _choose(self, clip: range) -> list[Crop]:
        rows = slice(clip.start, clip.stop)
        first = self._kept[clip[0]]
        height, width = (
            first.shape[:2] if isinstance(first, np.ndarray) else measure_upright(first, self.spec.crop)
        )
        how = {"count": self.spec.closeups, "aspect": width / height}
        if self.spec.detector:
            pictures = (self._open(self._kept[place]) for place in clip)
            found = point_crops(pictures, self.seconds[rows], detector=self.spec.detector, **how)
        else:
            found = choose_crops(self._small[rows], self.seconds[rows], **how)
        close = [crop for crop in found if crop.novelty > 0]
        places = np.linspace(0, len(clip) - 1, self.spec.frames - len(close)).round().astype(int).tolist()
        return [*close, *(Crop(i, float(self.seconds[clip[i]]), WHOLE, 0.0, WHOLE) for i in places)]


def _within(box: Box, bars: tuple[float, float]) -> Box:
    """A box of a picture without its info bars, as shares of the picture with them."""
    top, bottom = bars
    left = 1 - top - bottom
    return box._replace(top=top + box.top * left, height=box.height * left)
