"""The nouns that pass from stage to stage: Video, ClipSpec, Clip, Failure. No torch, no codec."""

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from numbers import Real
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from primatrix.errors import InputError

if TYPE_CHECKING:  # NumPy takes longer to load than a line of help may take
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "SIZES_PX",
    "Box",
    "Clip",
    "ClipSpec",
    "Colour",
    "Crop",
    "DatasetType",
    "Failure",
    "Media",
    "OnProgress",
    "Progress",
    "Sampler",
    "Video",
    "say_lost",
    "shows_patch",
]

Colour = Literal["grey", "rgb"]
Sampler = Literal["uniform", "keyframes", "per_second"]
Media = Literal["videos", "stills", "both"]  # what is looked for in a folder
DatasetType = Literal["nano", "micro", "raw"]  # the benchmark's sizes of the same clips
SIZES_PX: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"nano": (16, 16), "micro": (64, 64), "raw": (404, 720)}
)
"""Height and width of the benchmark's clips."""
MAX_SIDE_PX = 8192
WHOLE_PICTURES = 2  # at least, beside close-ups
CLOSEUP_FIELDS = frozenset({"closeups", "looks", "detector"})
MUCH_LOST = 0.03  # share of the inputs: a few broken files are usual, more is a fault of card, disk or copy


@dataclass(frozen=True, slots=True)
class ClipSpec:
    """Which frames of a clip are taken and what they look like: all that decides a stored clip's pixels.

    `crop` (top, bottom) is what to cut off the upright picture before resizing, the camera's info bars, as shares of
    its height: a bar takes the same share of a camera's 720 and 1080 lines and of a small copy, though not as many
    pixels. Whole numbers of any type do for `frames`, `height_px` and `width_px`, and give the same key.

    With `closeups`, up to so many of the frames are crops of what moves, cut from the full-size picture and resized as
    the others are; the rest are whole pictures, the first and the last of them at the ends of the clip. They are sought
    among `looks` pictures that the sampler takes; by a detector, where `detector` has its facts (see
    `video.DetectorFacts.to_text`), which is known by its digest, wherever its file lies. Without one the close-ups of a
    still are parts that cover it.

    >>> spec = ClipSpec(frames=15, height_px=16, width_px=16)
    >>> spec.shape
    (15, 16, 16, 1)
    >>> spec.key == ClipSpec(frames=15, height_px=16, width_px=16, colour="rgb").key
    False
    """

    frames: int = 15
    height_px: int = 16
    width_px: int = 16
    colour: Colour = "grey"
    sampler: Sampler = "uniform"
    crop: tuple[float, float] = (0.0, 0.0)
    closeups: int = 0
    looks: int = 15
    detector: str = ""

    def __post_init__(self) -> None:
        for name in ("frames", "height_px", "width_px", "closeups", "looks"):
            object.__setattr__(self, name, _to_whole(f"ClipSpec.{name}", getattr(self, name)))
        object.__setattr__(self, "crop", _to_crop(self.crop))
        if self.frames < 1:
            raise InputError(f"ClipSpec.frames: got {self.frames}, wanted 1 or more")
        if self.closeups and not 0 < self.closeups <= self.frames - WHOLE_PICTURES:
            raise InputError(
                f"ClipSpec.closeups: got {self.closeups} of {self.frames} frames, wanted 0 or more, and "
                f"{WHOLE_PICTURES} fewer than frames"
            )
        if self.detector and not self.closeups:
            raise InputError(
                "ClipSpec.detector: got a detector and no closeups, wanted how many it is to give"
            )
        if self.looks < 1:
            raise InputError(f"ClipSpec.looks: got {self.looks}, wanted 1 or more")
        for name in ("height_px", "width_px"):
            if not 1 <= getattr(self, name) <= MAX_SIDE_PX:
                raise InputError(f"ClipSpec.{name}: got {getattr(self, name)}, wanted 1 to {MAX_SIDE_PX}")
        for name, words in (("colour", get_args(Colour)), ("sampler", get_args(Sampler))):
            if getattr(self, name) not in words:
                raise InputError(
                    f"ClipSpec.{name}: got {getattr(self, name)!r}, wanted one of {', '.join(words)}"
                )

    @property
    def channels(self) -> int:
        """1 for grey, 3 for colour."""
        return 1 if self.colour == "grey" else 3

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(frames, height_px, width_px, channels), the shape of `Clip.frames`."""
        return (self.frames, self.height_px, self.width_px, self.channels)

    @property
    def sampled(self) -> int:
        """How many pictures of a video the sampler takes."""
        return self.looks if self.closeups else self.frames

    @property
    def key(self) -> str:
        """A short name that depends on the values alone, readable at its start: `15x16x16-grey-…`."""
        facts = self.to_dict()
        if self.detector:
            facts["detector"] = json.loads(self.detector) | {"path": ""}
        values = json.dumps(facts, sort_keys=True)
        digest = hashlib.sha256(values.encode()).hexdigest()[:8]
        return f"{self.frames}x{self.height_px}x{self.width_px}-{self.colour}-{digest}"

    def describe(self) -> str:
        """The clips in a few words.

        >>> ClipSpec(frames=15).describe()
        '15 grey frames of 16x16 (uniform)'
        """
        kind = f"{self.closeups} of them close-ups, {self.sampler}" if self.closeups else self.sampler
        return f"{self.frames} {self.colour} frames of {self.height_px}x{self.width_px} ({kind})"

    def to_dict(self) -> dict[str, Any]:  # Any: JSON values of several types
        """Plain values for JSON. Those of close-ups are named only where there are some."""
        values = {**asdict(self), "crop": list(self.crop)}
        return values if self.closeups else {k: v for k, v in values.items() if k not in CLOSEUP_FIELDS}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ClipSpec":  # Any: JSON values of several types
        """The spec that `to_dict` wrote.

        >>> ClipSpec.from_dict(ClipSpec(frames=3).to_dict()) == ClipSpec(frames=3)
        True
        """
        known = set(cls.__dataclass_fields__)
        if set(values) not in (known, known - CLOSEUP_FIELDS):
            raise InputError(f"ClipSpec: got fields {sorted(values)}, wanted {sorted(known)}")
        return cls(**{**values, "crop": tuple(values["crop"])})


def _to_whole(name: str, value: Any) -> int:  # Any: numbers of any type
    """A whole number of any type as an int: 15.0 and NumPy's 15 are 15, so that they make one key."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or value % 1:  # of infinity the rest is not a number, which is true
        raise InputError(f"{name}: got {value!r}, wanted a whole number")
    return int(value)


def _to_crop(value: object) -> tuple[float, float]:
    try:
        top, bottom = (float(share) + 0.0 for share in value)  # type: ignore[attr-defined]  # + 0.0: no -0.0
    except (TypeError, ValueError):
        top, bottom = math.nan, math.nan
    if not (min(top, bottom) >= 0 and top + bottom < 1):
        raise InputError(f"ClipSpec.crop: got {value!r}, wanted (top, bottom) as shares of the picture's height, "
                         "0 or more and together below 1, as (0, 0.06)")  # fmt: skip
    return (top, bottom)


@dataclass(frozen=True, slots=True)
class Video:
    """One video file as found on disk. `name` is its path below the folder it was found in, with `/`.

    `name` may stand on another card too, and so says nothing about what the file is: `video.identify` does. `stamp` is
    16 bytes for the file as it was found at its place: while that is the same, the file need not be read to be known
    again. By default path, size and time of change; `video.stamp_file` knows more.
    """

    path: Path
    name: str
    size_bytes: int
    mtime_ns: int
    stamp: bytes = b""

    def __post_init__(self) -> None:
        if not self.stamp:
            facts = f"{self.path.absolute()}\0{self.size_bytes}\0{self.mtime_ns}".encode(
                "utf-8", "surrogateescape"
            )
            object.__setattr__(self, "stamp", hashlib.blake2b(facts, digest_size=16).digest())


class Box(NamedTuple):
    """A part of an upright picture, in shares of its width and height from the top left.

    >>> Box(0.0, 0.0, 0.5, 1.0).share_with(Box(0.25, 0.0, 0.5, 1.0))
    0.3333333333333333
    """

    left: float
    top: float
    width: float
    height: float

    def share_with(self, other: "Box") -> float:
        """What both cover, as a share of what either covers (intersection over union)."""
        wide = min(self.left + self.width, other.left + other.width) - max(self.left, other.left)
        high = min(self.top + self.height, other.top + other.height) - max(self.top, other.top)
        both = max(wide, 0.0) * max(high, 0.0)
        return both / (self.width * self.height + other.width * other.height - both)


@dataclass(frozen=True, slots=True)
class Crop:
    """Where to look closely: a frame of a clip, when it was, which part of it, and how much is new there.

    `novelty`, 0 to 4, is what is new in the patch, spread over the whole frame (see `video.crops`); 0: no patch at all.
    `box` is what to cut, `patch` the part of it that is new, without what lies around. All of a still counts as new.
    """

    frame: int
    seconds: float
    box: Box
    novelty: float
    patch: Box


def shows_patch(boxes: "NDArray[np.float32]") -> "NDArray[np.bool_]":
    """Which frames with boxes (..., 5) are close-ups of a patch somewhere in the picture.

    Whole pictures are none, nor parts of a still, of which nobody knows where in them something is.

    >>> import numpy as np
    >>> shows_patch(np.array([[0.5, 0.5, 0.1, 0.1, 0.2], [0, 0, 1, 1, 0], [0, 0, 1, 1, 0.3]])).tolist()
    [True, False, False]
    """
    return (boxes[..., 4] > 0) & (boxes[..., 2] < 1)


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Decoded, sampled, resized frames of one video.

    `frames` is uint8 (T, H, W, C); `pts_seconds` float64 (T,), seconds from the video's first frame. Where the spec
    asks for close-ups, `boxes` float32 (T, 5) says what each frame is about: the patch that is new in it (left, top,
    width and height in shares of the upright picture) and how new it is (see `Crop`); else it is None.
    `note` is empty for a whole file, else says what part of it could be decoded (status "partial"). `may_pass`: what is
    missing could not be read just now (a drive that answers no more, say), and may be there another time.
    """

    name: str
    frames: "NDArray[np.uint8]"
    pts_seconds: "NDArray[np.float64]"
    note: str = ""
    may_pass: bool = False
    boxes: "NDArray[np.float32] | None" = None

    @property
    def status(self) -> Literal["ok", "partial"]:
        """ "partial" where the file ended early, frames in it were damaged or times in it were wrong."""
        return "partial" if self.note else "ok"


@dataclass(frozen=True, slots=True)
class Failure:
    """A video that gave no clip: where it stopped (`stage`) and why, in one line.

    The stages are "find" (no such file where one was named), "read" (the disk or the permission failed, not the file),
    "open", "probe", "decode", "convert", "write", and of the process around them "memory", "time limit" and "worker".
    """

    name: str
    stage: str
    reason: str
    status: Literal["failed"] = field(default="failed", init=False)

    @property
    def may_pass(self) -> bool:
        """Whether the same file may well be readable another time.

        >>> Failure("a.mp4", "read", "Permission denied").may_pass, Failure("a.mp4", "open", "empty file").may_pass
        (True, False)
        """
        return self.stage == "read"


def say_lost(failures: Iterable[Failure], total: int, *, unit: str = "clips") -> str:
    """One line where more than 3 % of `total` inputs failed, with the commonest reason; else nothing.

    Reasons that differ in numbers only are one. Folders that may not be listed, whose names end in `/`, count as no
    input: nobody knows what is in them.

    >>> say_lost([Failure(f"{i}.mp4", "open", "empty file") for i in range(1684)], 1840)
    '1,684 of 1,840 clips (92 %) could not be read: empty file'
    >>> say_lost([Failure("a.mp4", "open", "empty file")], 100)
    ''
    """
    lost = [failure for failure in failures if not failure.name.endswith("/")]
    if len(lost) <= MUCH_LOST * total:
        return ""
    kinds = [re.sub(r"\d+", "0", failure.reason) for failure in lost]
    kind, count = Counter(kinds).most_common(1)[0]
    reason = lost[kinds.index(kind)].reason
    often = f", {count:,} of them" if count < len(lost) else ""
    share = f"{100 * len(lost) / total:.0f} %"
    return f"{len(lost):,} of {total:,} {unit} ({share}) could not be read{often}: {reason}"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long job is: `done` of `total` units and what to show beside the bar."""

    stage: str
    done: int
    total: int
    unit: str = "clips"
    message: str = ""


OnProgress = Callable[[Progress], None]
