"""Motion: what differs from a clip's own background, seen frame by frame and pooled over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from primatrix.errors import ModelError
from primatrix.models.background import (
    find_background,
    find_usual_change,
    fold_pixels,
    follow_light,
    level_contrast,
    measure_change,
    measure_novelty,
)
from primatrix.models.network import LayerRow, Network, count_parameters, max_pool
from primatrix.models.temporal import Pooling, TemporalHead
from primatrix.models.training_frames import choose_frames, take_frames
from primatrix.records import ClipSpec

__all__ = ["Motion", "MotionOptions"]

View = Literal["whole", "window", "both", "none"]
WIDENING = (1, 2, 4, 6)  # channels of the four stages, in units of `width`
STEM_SIDE_PX = 32  # about what the fold brings a picture's shorter side down to
MIDDLE_GREY, CONTRAST = 112.0, 64.0
MUCH_CHANGE, SOME_CHANGE = 40.0, 12.0  # grey levels: of a pixel's largest and of its mean change over a clip
MOST_CHANGE = 5.0  # of either: beyond that a flash is no stronger evidence


@dataclass(frozen=True, slots=True)
class MotionOptions:
    """What may be changed in Motion.

    `width` is the number of channels of the first of four stages, `depth` how many further convolutions each later
    stage has. `view` "whole" looks at all of each frame, "window" only where most is new, a quarter of the pixels;
    "both" looks through such a window and at the whole in half the size, with the same weights: half the pixels. With
    `place` the background, its contrast levelled, and how much each pixel changes are seen too, once per clip: for what
    stands in the scene, not for animals, where it learns the training sites by heart (bench/learn/motion.md); with
    `view` "none" the place is all that is seen, and there is no answer per frame. Without `appearance` frames are seen
    as differences from the background only. In training it looks at `training_frames` of a clip's frames, half of them
    where most is new; the background is that of all. `pooling`, `context_frames` and `dropout` are those of
    `TemporalHead`.
    """

    width: int = 24
    depth: int = 1
    view: View = "both"
    place: bool = False
    appearance: bool = True
    pooling: Pooling = "both"
    context_frames: int = 1
    dropout: float = 0.2
    training_frames: int = 6

    def __post_init__(self) -> None:
        for name, least in (("width", 1), ("depth", 0), ("training_frames", 1)):
            if getattr(self, name) < least:
                raise ModelError(f"motion: {name}: got {getattr(self, name)}, wanted {least} or more")
        if self.view not in get_args(View):
            raise ModelError(f"motion: view: got {self.view!r}, wanted one of {', '.join(get_args(View))}")
        if self.view == "none" and not self.place:
            raise ModelError("motion: view: got 'none' without place, wanted place=True with it")


class Motion(Network):
    """A small convolutional network on each frame, and if asked one on the place, once per clip.

    It looks through a window where most is new, and at the whole in half the size. There it sees the picture, its
    difference from the clip's background, and how new that is; of the place, the background in levelled contrast and
    how much each pixel changes, at most and in the mean. Takes any number of frames of any size; gives an answer for
    each frame too. Pixels are folded so that large pictures cost no more than small ones.

    >>> network = Motion(ClipSpec(30, 64, 64, "rgb"), species_count=24, options=MotionOptions())
    >>> sum(p.numel() for p in network.parameters())
    531409
    """

    options_type = MotionOptions

    def __init__(self, spec: ClipSpec, *, species_count: int, options: MotionOptions) -> None:
        super().__init__()
        self.spec, self.options = spec, options
        self.fold_px = choose_fold(spec)
        places = self.fold_px**2
        seen = spec.channels * (1 + options.appearance) + 1
        self.moving: Tower | None = None
        self.place: Tower | None = None
        features = 0
        if options.view != "none":
            self.moving = Tower(seen * places + 2, width=options.width, depth=options.depth)
            features += self.moving.features * (2 if options.view == "both" else 1)
        if options.place:
            self.place = Tower(3 * places, width=max(1, options.width // 2), depth=options.depth)
            features += self.place.features
        self.head = TemporalHead(
            features, species_count=species_count, pooling=options.pooling,
            context_frames=options.context_frames, dropout=options.dropout,
        )  # fmt: skip
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in torch's stubs

    @property
    def gives_frames(self) -> bool:  # type: ignore[override]  # of the place there is one answer for all frames
        """Whether it looks at frames."""
        return self.moving is not None

    def forward(self, x: Tensor) -> Tensor:
        """Clips uint8 or float (B, T, H, W, C), pixels 0-255 -> logits (B, S)."""
        return self.answer(x)[0]

    def forward_frames(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Clips uint8 or float (B, T, H, W, C), pixels 0-255 -> clip logits (B, S), frame logits (B, T, S)."""
        if not self.gives_frames:
            raise ModelError(
                "motion: got asked for an answer per frame with view 'none', which has one per clip; use another view"
            )
        return self.answer(x)

    def answer(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Clip logits (B, S) and those of the frames looked at (B, t, S), of the place alone (B, 1, S)."""
        with torch.no_grad():
            moving, place = self.make_input(x)
        features = []
        if self.moving is not None and moving is not None:
            # (B, T, V, h, w, C') -> (B*T*V, C', h, w), channels_last
            each = self.moving(moving.flatten(0, 2).permute(0, 3, 1, 2))
            features.append(each.view(*moving.shape[:2], -1))  # (B*T*V, D) -> (B, T, V*D)
        if self.place is not None and place is not None:
            once = self.place(place.permute(0, 3, 1, 2))[:, None]  # (B, 1, D')
            features.append(once.expand(-1, features[0].shape[1] if features else 1, -1))
        clip, frames = self.head(torch.cat(features, -1))
        return clip, frames

    def make_input(self, x: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Clips (B, T, H, W, C) -> views of frames (B, T, V, h, w, C') and places (B, h', w', C''); None: not seen."""
        x = fold_pixels(x, side_px=self.fold_px)
        background = find_background(x)
        still = follow_light(x, background, colours=self.spec.channels)
        change = measure_change(x, still, colours=self.spec.channels)
        place = None if self.place is None else self.look_at_place(background, change).to(working_dtype(x))
        moving = None if self.moving is None else self.look_at_frames(x, still, change)
        return moving, place

    def look_at_place(self, background: Tensor, change: Tensor) -> Tensor:
        """The background (B, h, w, C) in levelled contrast and changes (B, T, h, w, n) over time: (B, h, w, 3*n)."""
        picture = level_contrast(background, colours=self.spec.channels)
        most, mean = change.amax(1).float() / MUCH_CHANGE, change.float().mean(1) / SOME_CHANGE
        return torch.cat([picture, most.clamp(max=MOST_CHANGE), mean.clamp(max=MOST_CHANGE)], -1)

    def look_at_frames(self, x: Tensor, still: Tensor, change: Tensor) -> Tensor:
        """Folded clips, their background in each frame's light, and changes from it -> views (B, T, V, h, w, C')."""
        dtype = working_dtype(x)
        novelty = measure_novelty(change, find_usual_change(change).to(dtype))  # (B, T, h, w, places)
        peaks = novelty.amax(-1)
        if self.training and self.options.training_frames < x.shape[1]:
            chosen = choose_frames(measure_activity(peaks), count=self.options.training_frames)
            x, still, novelty, peaks = (take_frames(part, chosen) for part in (x, still, novelty, peaks))
        parts = [(x.to(dtype) - still.to(dtype)) / (CONTRAST / 2), novelty]
        if self.options.appearance:
            parts.append((x.to(dtype) - MIDDLE_GREY) / CONTRAST)
        return self.look(parts, peaks)

    def look(self, parts: list[Tensor], peaks: Tensor) -> Tensor:
        """What is seen of frames, parts (B, T, h, w, C) and where most is new (B, T, h, w): (B, T, V, h', w', C')."""
        # How low in the picture something stands tells how near it is, and so how large.
        low = torch.linspace(-1, 1, peaks.shape[2], dtype=parts[0].dtype, device=peaks.device)
        low = low.view(1, 1, -1, 1, 1).expand(*peaks.shape, 1)
        whole = torch.cat([*parts, low, torch.zeros_like(low)], -1)
        if self.options.view == "whole":
            return whole[:, :, None]
        window = cut_windows(whole, find_windows(peaks))
        if self.options.view == "window":
            return window[:, :, None]
        halved = [halve(part, side_px=self.fold_px) for part in parts]
        rest = low[:, :, 1::2, 1::2]
        small = torch.cat([*halved, rest, torch.ones_like(rest)], -1)
        sides = [a - b for a, b in zip(window.shape[2:4], small.shape[2:4], strict=True)]
        small = F.pad(small, (0, 0, 0, sides[1], 0, sides[0]))  # of tiny pictures a window is more than half
        return torch.stack([window, small], 2)

    def layer_rows(self) -> list[LayerRow]:
        """(layer, output shape of a clip, parameters) from the pixels to the logits."""
        sizes = [self.spec.height_px // self.fold_px, self.spec.width_px // self.fold_px]
        window = sizes if self.options.view == "whole" else window_sides(sizes[0], sizes[1])
        shape = (self.spec.frames, 2) if self.options.view == "both" else (self.spec.frames,)
        rows: list[LayerRow] = []
        if self.moving is not None:
            rows += self.moving.layer_rows("frame", shape=shape, sides=window)
        if self.place is not None:
            rows += self.place.layer_rows("place", shape=(), sides=sizes)
        return [*rows, ("head (TemporalHead)", (self.head.species_count,), count_parameters(self.head))]


class Tower(nn.Module):
    """Four stages of 3x3 convolutions with pooling between: pictures (N, C, h, w) -> features (N, D)."""

    def __init__(self, channels: int, *, width: int, depth: int) -> None:
        super().__init__()
        self.widths = [times * width for times in WIDENING]
        before = [channels, *self.widths]
        self.stages = nn.ModuleList(
            Stage(before[i], after, depth=depth if i else 0) for i, after in enumerate(self.widths)
        )
        self.features = 2 * self.widths[-1]

    def forward(self, x: Tensor) -> Tensor:
        """Mean and maximum over what is left of the picture."""
        for i, stage in enumerate(self.stages):
            if i and min(x.shape[2:]) > 1:
                x = max_pool(x, stride_px=2)
            x = stage(x)
        return torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)

    def layer_rows(self, name: str, *, shape: tuple[int, ...], sides: Sequence[int]) -> list[LayerRow]:
        """(layer, output shape, parameters) of each stage, for pictures of these sides."""
        height, width = sides
        rows: list[LayerRow] = []
        for i, (stage, channels) in enumerate(zip(self.stages, self.widths, strict=True)):
            if i and min(height, width) > 1:
                height, width = height // 2, width // 2
            rows.append(
                (f"{name}_{i + 1} (Conv2D)", (*shape, height, width, channels), count_parameters(stage))
            )
        return rows


class Stage(nn.Module):
    """A 3x3 convolution to another width, then `depth` more with a way around each."""

    def __init__(self, channels: int, width: int, *, depth: int) -> None:
        super().__init__()
        # No stride: in bf16 on a CPU the gradient of a strided convolution takes ten times as long.
        self.first = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(depth)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(depth))

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, h, w) -> (N, width, h, w)."""
        x = F.relu(self.norm(self.first(x)), inplace=True)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = F.relu(x + norm(convolution(x)), inplace=True)
        return x


def window_sides(height: int, width: int) -> tuple[int, int]:
    """The sides of a window: half the picture, at least 8 where it has them.

    >>> window_sides(32, 40), window_sides(12, 6)
    ((16, 20), (8, 6))
    """
    return max(height // 2, min(8, height)), max(width // 2, min(8, width))


def measure_activity(peaks: Tensor) -> Tensor:
    """How much of each frame is new beyond the usual, (B, T, h, w) -> float32 (B, T)."""
    return F.relu(peaks.float() - 1).mean((2, 3))


def find_windows(peaks: Tensor) -> Tensor:
    """How new each place is (B, T, h, w) -> the top left corner (2, B, T) of the window in which most is new."""
    clips, frames, height, width = peaks.shape
    window = window_sides(height, width)
    spread = (2 * (height // 12) + 1, 2 * (width // 12) + 1)  # an animal, not a single pixel
    blurred = F.avg_pool2d(peaks.flatten(0, 1)[:, None], spread, 1, (spread[0] // 2, spread[1] // 2))
    best = blurred.flatten(1).argmax(1).view(clips, frames)
    corner = [best // width - window[0] // 2, best % width - window[1] // 2]
    return torch.stack([corner[0].clamp(0, height - window[0]), corner[1].clamp(0, width - window[1])])


def cut_windows(x: Tensor, corners: Tensor) -> Tensor:
    """The windows of (B, T, h, w, C) at these corners (2, B, T): (B, T, h', w', C)."""
    clips, frames, height, width = x.shape[:4]
    sides, device = window_sides(height, width), x.device
    rows = corners[0][..., None] + torch.arange(sides[0], device=device)  # (B, T, h')
    columns = corners[1][..., None] + torch.arange(sides[1], device=device)  # (B, T, w')
    frame = torch.arange(clips * frames, device=device).view(clips, frames, 1, 1)
    index = ((frame * height + rows[..., None]) * width + columns[..., None, :]).flatten()
    return x.reshape(-1, x.shape[-1]).index_select(0, index).view(clips, frames, *sides, -1)


def halve(x: Tensor, *, side_px: int) -> Tensor:
    """Folded pictures (B, T, h, w, C*side*side) in half the size, folded alike: (B, T, h/2, w/2, C*side*side).

    >>> halve(torch.tensor([1.0, 3, 5, 7]).view(1, 1, 2, 2, 1), side_px=1).flatten().tolist()
    [4.0]
    """
    height, width = x.shape[2] // 2, x.shape[3] // 2
    x = x[:, :, : 2 * height, : 2 * width]
    if side_px == 1:
        return x.reshape(*x.shape[:2], height, 2, width, 2, -1).mean((3, 5))
    half = side_px // 2
    x = x.reshape(*x.shape[:4], -1, half, 2, half, 2).mean((6, 8))  # (B, T, 2h', 2w', C, s/2, s/2)
    squares = [x[:, :, top::2, left::2] for top in range(2) for left in range(2)]
    x = torch.stack(squares, -1)  # (B, T, h', w', C, s/2, s/2, 4)
    x = x.view(*x.shape[:-1], 2, 2)
    return x.permute(0, 1, 2, 3, 4, 7, 5, 8, 6).flatten(4)


def working_dtype(x: Tensor) -> torch.dtype:
    """The dtype that autocast runs convolutions in on the device of `x`; float32 outside of it."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.float32


def choose_fold(spec: ClipSpec) -> int:
    """The side of the squares that pixels are folded in: a power of 2 that leaves about 32 pixels.

    >>> [choose_fold(ClipSpec(1, side, 2 * side)) for side in (16, 47, 48, 64, 96, 404)]
    [1, 1, 2, 2, 4, 16]
    """
    side_px = 1
    while min(spec.height_px, spec.width_px) / side_px >= 1.5 * STEM_SIDE_PX:
        side_px *= 2
    return side_px
