"""Conv3D, the small network that reached 0.0308 on the benchmark's micro clips; the reference to beat."""

import itertools
import math
from contextlib import nullcontext
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from primatrix.errors import ModelError
from primatrix.models.background import find_background
from primatrix.models.network import LayerRow, Network, count_parameters, initialise_like_keras
from primatrix.records import ClipSpec

__all__ = ["Conv3d", "Conv3dOptions"]

FILTERS = (16, 32, 64)
UNITS = 128
CROP_OF_TIME, CROP_OF_SIDE = 24 / 30, 56 / 64
LEAST_CROP = 8  # frames and pixels: three poolings leave one
GREY, GAIN = 127.5, 2.0  # where nothing changes; most changes are small


@dataclass(frozen=True, slots=True)
class Conv3dOptions:
    """What may be changed in Conv3D; the defaults are those of the entry that it follows.

    `shift` is how far the light of a training clip is moved at most, as a fraction of white. A prediction is the
    mean over `views_per_axis` crops along each of time, height and width: 27 by default.

    With `difference` it sees by how much each frame differs from the clip's background in place of the frame. The
    entry did not: it had 200,000 clips, of cameras that it was also scored on, and time (bench/learn/conv3d.md).
    """

    dropout: float = 0.5
    shift: float = 0.05
    views_per_axis: int = 3
    difference: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise ModelError(f"conv3d: dropout: got {self.dropout}, wanted 0 to below 1")
        if not 0 <= self.shift < 1:
            raise ModelError(f"conv3d: shift: got {self.shift}, wanted 0 to below 1")
        if self.views_per_axis < 1:
            raise ModelError(f"conv3d: views_per_axis: got {self.views_per_axis}, wanted 1 or more")


class Conv3d(Network):
    """Pairs of 3x3x3 convolutions with 16, 32 and 64 filters, pooled by 2 after each, and two dense layers.

    In training mode it sees one random crop of each clip (24x56x56 of 30x64x64), mirrored half the time, its
    light shifted a little; in eval mode the logit of the mean probability over crops that cover the clip.
    Raises ModelError for clips too small for it.

    >>> network = Conv3d(ClipSpec(30, 64, 64, "rgb"), species_count=24, options=Conv3dOptions())
    >>> network.crop, sum(p.numel() for p in network.parameters())
    ((24, 56, 56), 1439752)
    """

    options_type = Conv3dOptions

    def __init__(self, spec: ClipSpec, *, species_count: int, options: Conv3dOptions) -> None:
        super().__init__()
        self.spec, self.options, self.crop = spec, options, crop_size(spec)
        self.filters = [filters for filters in FILTERS for _ in range(2)]
        widths = [spec.channels, *self.filters]
        self.convolutions = nn.ModuleList(
            nn.Conv3d(before, after, 3, padding=1) for before, after in itertools.pairwise(widths)
        )
        features = FILTERS[-1] * math.prod(size // 2 ** len(FILTERS) for size in self.crop)
        self.dense = nn.ModuleList([nn.Linear(features, UNITS), nn.Linear(UNITS, UNITS)])
        self.head = nn.Linear(UNITS, species_count)
        initialise_like_keras(self)
        # One species in `species_count`, as `TemporalHead` begins: the way there from 1/2 is long at a low rate.
        nn.init.constant_(self.head.bias, -math.log(max(1, species_count - 1)))
        self.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # not in torch's stubs

    def forward(self, x: Tensor) -> Tensor:
        """Clips uint8 or float (B, T, H, W, C), pixels 0-255 -> logits (B, S)."""
        x = remove_background(x) if self.options.difference else x
        if self.training:
            return self.classify(self.draw_crops(x))
        views = [self.classify(view) for view in self.list_crops(x)]
        return mean_logit(torch.stack(views).float())

    def classify(self, x: Tensor) -> Tensor:
        """Crops (B, t, h, w, C), pixels 0-255 -> logits (B, S)."""
        x = x.permute(0, 4, 1, 2, 3)  # (B, t, h, w, C) -> (B, C, t, h, w), channels_last_3d
        x = x.to(torch.float32) / 255 - 0.5
        for i, convolution in enumerate(self.convolutions):
            x = F.relu(convolve(convolution, x))
            if i % 2:
                x = F.max_pool3d(x, 2)
        x = x.flatten(1)
        for layer in self.dense:
            x = F.dropout(F.relu(layer(x)), self.options.dropout, self.training)
        logits: Tensor = self.head(x)
        return logits

    def draw_crops(self, x: Tensor) -> Tensor:
        """One crop of each clip at a place, with a mirroring and a light of its own, from torch's random state."""
        places = [
            torch.randint(0, whole - part + 1, (len(x),)).tolist()
            for whole, part in zip(x.shape[1:4], self.crop, strict=True)
        ]
        parts = [
            cut(clip, place, self.crop) for clip, place in zip(x, zip(*places, strict=True), strict=True)
        ]
        mirrored = torch.rand(len(x)) < 0.5
        batch = torch.stack([c.flip(2) if m else c for c, m in zip(parts, mirrored.tolist(), strict=True)])
        shift = (2 * torch.rand(len(x), 1, 1, 1, 1) - 1) * 255 * self.options.shift
        crops: Tensor = batch.to(torch.float32) + shift.to(x.device)
        return crops

    def list_crops(self, x: Tensor) -> list[Tensor]:
        """The crops that a prediction is averaged over: evenly spaced along each axis, where it has room."""
        count = self.options.views_per_axis
        places = [
            spread(whole - part, count=count) for whole, part in zip(x.shape[1:4], self.crop, strict=True)
        ]
        return [
            torch.stack([cut(clip, place, self.crop) for clip in x]) for place in itertools.product(*places)
        ]

    def layer_rows(self) -> list[LayerRow]:
        """(layer, output shape of a crop, parameters) from the pixels to the logits."""
        size = self.crop
        rows: list[LayerRow] = []
        for i, (convolution, filters) in enumerate(zip(self.convolutions, self.filters, strict=True)):
            rows.append((f"conv_{i + 1} (Conv3D)", (*size, filters), count_parameters(convolution)))
            if i % 2:
                size = (size[0] // 2, size[1] // 2, size[2] // 2)
                rows.append((f"pool_{i // 2 + 1} (MaxPool)", (*size, filters), 0))
        for i, layer in enumerate(self.dense):
            rows.append((f"dense_{i + 1} (Dense)", (UNITS,), count_parameters(layer)))
        rows.append(("head (Dense)", (self.head.out_features,), count_parameters(self.head)))
        return rows


def remove_background(x: Tensor) -> Tensor:
    """Clips (B, T, H, W, C) -> twice their difference from their own background, float32, grey where there is none.

    >>> remove_background(torch.tensor([9, 1, 5, 7, 5]).view(1, 5, 1, 1, 1)).flatten().tolist()
    [135.5, 119.5, 127.5, 131.5, 127.5]
    """
    difference: Tensor = x.to(torch.float32) - find_background(x).to(torch.float32).unsqueeze(1)
    return difference * GAIN + GREY


def convolve(layer: nn.Module, x: Tensor) -> Tensor:
    """The layer's answer, in float32 where x (B, C, t, h, w) has two frames on a CPU.

    There the weights' gradient in bf16 reads memory that nobody wrote (torch 2.13, oneDNN): not the same twice, at
    times nan. Of 1, 3, 4 and more frames it is right.
    """
    with torch.autocast(x.device.type, enabled=False) if is_broken(x) else nullcontext():
        result: Tensor = layer(x.float() if is_broken(x) else x)
    return result


def is_broken(x: Tensor) -> bool:
    """Whether bf16 cannot be trusted for this volume."""
    return x.device.type == "cpu" and x.shape[2] == 2


def cut(clip: Tensor, place: tuple[int, ...], size: tuple[int, int, int]) -> Tensor:
    """The part (t, h, w, C) of a clip (T, H, W, C) that starts at `place`."""
    slices = tuple(slice(start, start + length) for start, length in zip(place, size, strict=True))
    return clip[slices]


def spread(room: int, *, count: int) -> list[int]:
    """At most `count` places evenly from 0 to `room`, the middle where it is only one; none twice.

    >>> spread(8, count=3), spread(1, count=3), spread(8, count=1)
    ([0, 4, 8], [0, 1], [4])
    """
    if count == 1:
        return [room // 2]
    return sorted({round(i * room / (count - 1)) for i in range(count)})


def mean_logit(logits: Tensor) -> Tensor:
    """Logits of V views (V, B, S) -> the logit of their mean probability (B, S), exact far into the tails.

    >>> mean_logit(torch.tensor([[[2.0]], [[2.0]]])).item()
    2.0
    """
    yes: Tensor = F.logsigmoid(logits).logsumexp(0)
    no: Tensor = F.logsigmoid(-logits).logsumexp(0)
    return yes - no


def crop_size(spec: ClipSpec) -> tuple[int, int, int]:
    """(frames, height, width) of a crop: 0.8 of the frames, 0.875 of each side.

    >>> crop_size(ClipSpec(30, 64, 64, "rgb"))
    (24, 56, 56)
    """
    size = (
        round(spec.frames * CROP_OF_TIME), round(spec.height_px * CROP_OF_SIDE),
        round(spec.width_px * CROP_OF_SIDE),
    )  # fmt: skip
    if min(size) < LEAST_CROP:
        got = f"{spec.frames} frames of {spec.height_px}x{spec.width_px}"
        raise ModelError(
            f"conv3d: got clips of {got} pixels, wanted at least 10 frames of 9x9; use a larger ClipSpec"
        )
    return size
