"""Motion: what differs from a clip's own background, seen frame by frame and pooled over time."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from primatrix.errors import ModelError
from primatrix.models.background import find_background, fold_pixels, measure_novelty
from primatrix.models.network import LayerRow, Network, count_parameters, max_pool
from primatrix.models.temporal import Pooling, TemporalHead
from primatrix.records import ClipSpec

__all__ = ["Motion", "MotionOptions"]

WIDENING = (1, 2, 4, 6)  # channels of the four stages, in units of `width`
STEM_SIDE_PX = 32  # about what the fold brings a picture's shorter side down to
MIDDLE_GREY = 112.0


@dataclass(frozen=True, slots=True)
class MotionOptions:
    """What may be changed in Motion.

    `width` is the number of channels of the first of four stages, `depth` how many further convolutions each later
    stage has. Without `appearance` it sees differences from the background only, not the picture itself. In
    training it draws `training_frames` of a clip's frames; the background is that of all. `pooling`,
    `context_frames` and `dropout` are those of `TemporalHead`.
    """

    width: int = 24
    depth: int = 1
    appearance: bool = True
    pooling: Pooling = "both"
    context_frames: int = 1
    dropout: float = 0.2
    training_frames: int = 12

    def __post_init__(self) -> None:
        for name, least in (("width", 1), ("depth", 0), ("training_frames", 1)):
            if getattr(self, name) < least:
                raise ModelError(f"motion: {name}: got {getattr(self, name)}, wanted {least} or more")


class Motion(Network):
    """A small convolutional network on each frame and its difference from the clip's background.

    Takes any number of frames of any size; gives an answer for each frame too. The pixels are folded so that
    large pictures cost no more than small ones.

    >>> network = Motion(ClipSpec(30, 64, 64, "rgb"), species_count=24, options=MotionOptions())
    >>> sum(p.numel() for p in network.parameters())
    502465
    """

    options_type = MotionOptions
    gives_frames = True

    def __init__(self, spec: ClipSpec, *, species_count: int, options: MotionOptions) -> None:
        super().__init__()
        self.spec, self.options = spec, options
        self.fold_px = choose_fold(spec)
        channels = (spec.channels * (1 + options.appearance) + 1) * self.fold_px**2
        self.stages = nn.ModuleList()
        self.widths = [times * options.width for times in WIDENING]
        for i, width in enumerate(self.widths):
            self.stages.append(Stage(channels, width, depth=options.depth if i else 0))
            channels = width
        self.head = TemporalHead(
            2 * channels, species_count=species_count, pooling=options.pooling,
            context_frames=options.context_frames, dropout=options.dropout,
        )  # fmt: skip
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in torch's stubs

    def forward(self, x: Tensor) -> Tensor:
        """Clips uint8 or float (B, T, H, W, C), pixels 0-255 -> logits (B, S)."""
        return self.forward_frames(x)[0]

    def forward_frames(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Clips uint8 or float (B, T, H, W, C), pixels 0-255 -> clip logits (B, S), frame logits (B, T, S)."""
        with torch.no_grad():
            pixels = self.make_input(x)
        frames = pixels.flatten(0, 1).permute(
            0, 3, 1, 2
        )  # (B, T, h, w, C') -> (B*T, C', h, w), channels_last
        features = self.see(frames).view(*pixels.shape[:2], -1)  # (B*T, D) -> (B, T, D)
        clip, answers = self.head(features)
        return clip, answers

    def make_input(self, x: Tensor) -> Tensor:
        """Clips (B, T, H, W, C) -> difference, novelty and picture as channels (B, T, h, w, C'), scaled to about 1."""
        x = fold_pixels(x, side_px=self.fold_px)
        background = find_background(x)
        if self.training and self.options.training_frames < x.shape[1]:
            x = draw_frames(x, count=self.options.training_frames)
        dtype = working_dtype(x)
        x, background = x.to(dtype), background.to(dtype)
        difference, novelty = measure_novelty(x, background, colours=self.spec.channels)
        parts = [difference.mul_(1 / 32), novelty]
        if self.options.appearance:
            parts.append(x.sub_(MIDDLE_GREY).mul_(1 / 64))
        return torch.cat(parts, -1)

    def see(self, x: Tensor) -> Tensor:
        """Frames (N, C', h, w) -> features (N, D): mean and maximum over what is left of the picture."""
        for i, stage in enumerate(self.stages):
            if i and min(x.shape[2:]) > 1:
                x = max_pool(x, stride_px=2)
            x = stage(x)
        return torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1)

    def layer_rows(self) -> list[LayerRow]:
        """(layer, output shape of a clip, parameters) from the pixels to the logits."""
        frames, height_px, width_px = (
            self.spec.frames,
            *(side // self.fold_px for side in (self.spec.height_px, self.spec.width_px)),
        )
        rows: list[LayerRow] = []
        for i, (stage, width) in enumerate(zip(self.stages, self.widths, strict=True)):
            if i and min(height_px, width_px) > 1:
                height_px, width_px = height_px // 2, width_px // 2
            shape = (frames, height_px, width_px, width)
            rows.append((f"stage_{i + 1} (Conv2D)", shape, count_parameters(stage)))
        rows.append(("head (TemporalHead)", (self.head.species_count,), count_parameters(self.head)))
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


def draw_frames(x: Tensor, *, count: int) -> Tensor:
    """`count` frames of each clip (B, T, ...), evenly spread from a start of its own, drawn from torch's state."""
    clips, frames = x.shape[:2]
    start = torch.rand(clips, 1).to(x.device)
    places = ((torch.arange(count, device=x.device) + start) * frames / count).long().clamp(max=frames - 1)
    return x[torch.arange(clips, device=x.device)[:, None], places]


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
