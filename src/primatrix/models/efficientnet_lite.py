"""EfficientNet-Lite: small picture networks for processors without a GPU (Liu and Tan, Google, 2020).

EfficientNet (Tan and Le, 2019) without squeeze and excitation and with ReLU6; in the wider ones stem, head and the
depth of the first and last stage stay as in lite0. Padding is TensorFlow's, which the published weights were
trained with.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch.nn.functional as F
from torch import Tensor, nn

from primatrix.errors import ModelError

__all__ = ["Block", "EfficientNetLite", "PaddedConv", "Variant"]

Variant = Literal["lite0", "lite1", "lite2"]
FEATURES = 1280
NORM_EPSILON = 1e-3
Tensors = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Stage:
    """Blocks of one resolution."""

    blocks: int
    kernel_px: int
    stride_px: int
    expansion: int
    channels: int


STEM_CHANNELS = 32
STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
SCALES = {"lite0": (1.0, 1.0), "lite1": (1.0, 1.1), "lite2": (1.1, 1.2)}  # of width and of depth


class EfficientNetLite(nn.Module):
    """Pictures (N, 3, h, w), pixels about -1 to 1 -> features (N, 1280). Made of published weights.

    Batch norms are part of the convolutions before them: what they gathered in training does not change any more.

    >>> import torch
    >>> network = EfficientNetLite("lite0")
    >>> network(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 1280])
    """

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        if variant not in get_args(Variant):
            raise ModelError(f"EfficientNet: got {variant!r}, wanted one of {', '.join(get_args(Variant))}")
        self.stem = PaddedConv(3, STEM_CHANNELS, kernel_px=3, stride_px=2)
        blocks = list_blocks(*SCALES[variant])
        self.blocks = nn.ModuleList(blocks)
        self.head = PaddedConv(blocks[-1].project.out_channels, FEATURES, kernel_px=1)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (N, 3, h, w), pixels about -1 to 1 -> features (N, 1280), the mean over the last map."""
        x = F.relu6(self.stem(x))
        for block in self.blocks:
            x = block(x)
        return F.relu6(self.head(x)).mean((2, 3))

    def load_published(self, weights: Tensors) -> None:
        """Take the weights as they are published, with each batch norm folded into its convolution.

        Raises ModelError where they are of another network.
        """
        wanted = dict(self._published_names())
        try:
            state: Tensors = {}
            for layer, (convolution, norm) in wanted.items():
                state[f"{layer}.weight"], state[f"{layer}.bias"] = fold_norm(weights, convolution, norm)
            self.load_state_dict(state)
        except (KeyError, RuntimeError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise ModelError(f"EfficientNet: these weights are of another network ({reason})") from None

    def _published_names(self) -> list[tuple[str, tuple[str, str]]]:
        """For each layer here the names of its convolution and of the batch norm after it."""
        names = [("stem", ("_conv_stem", "_bn0")), ("head", ("_conv_head", "_bn1"))]
        for i, block in enumerate(self.blocks):
            if isinstance(block, Block) and block.expand is not None:
                names.append((f"blocks.{i}.expand", (f"_blocks.{i}._expand_conv", f"_blocks.{i}._bn0")))
            names.append((f"blocks.{i}.spread", (f"_blocks.{i}._depthwise_conv", f"_blocks.{i}._bn1")))
            names.append((f"blocks.{i}.project", (f"_blocks.{i}._project_conv", f"_blocks.{i}._bn2")))
        return names


class PaddedConv(nn.Conv2d):
    """A convolution that pads as TensorFlow's "same" does: an odd pixel too many goes right and below."""

    def __init__(self, ins: int, outs: int, *, kernel_px: int, stride_px: int = 1, groups: int = 1) -> None:
        super().__init__(ins, outs, kernel_px, stride_px, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """(N, ins, h, w) -> (N, outs, h / stride_px rounded up, w / stride_px rounded up)."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        missing = [max((math.ceil(size / stride) - 1) * stride + kernel - size, 0) for size in x.shape[:1:-1]]
        if any(missing):
            x = F.pad(x, [edge for total in missing for edge in (total // 2, total - total // 2)])
        return super().forward(x)


class Block(nn.Module):
    """An inverted bottleneck: more channels, a depthwise convolution, fewer again; added to what came in."""

    def __init__(self, ins: int, outs: int, *, stage: Stage, stride_px: int) -> None:
        super().__init__()
        inner = ins * stage.expansion
        self.expand = PaddedConv(ins, inner, kernel_px=1) if stage.expansion > 1 else None
        self.spread = PaddedConv(inner, inner, kernel_px=stage.kernel_px, stride_px=stride_px, groups=inner)
        self.project = PaddedConv(inner, outs, kernel_px=1)
        self.adds = stride_px == 1 and ins == outs

    def forward(self, x: Tensor) -> Tensor:
        """(N, ins, h, w) -> (N, outs, h', w')."""
        inner = x if self.expand is None else F.relu6(self.expand(x))
        out: Tensor = self.project(F.relu6(self.spread(inner)))
        return x + out if self.adds else out


def list_blocks(width: float, depth: float) -> list[Block]:
    """All blocks of a network that is so much wider and deeper than lite0."""
    blocks, ins = [], STEM_CHANNELS
    for stage in STAGES:
        outs = round_channels(stage.channels * width)
        ends = stage in (STAGES[0], STAGES[-1])
        for i in range(stage.blocks if ends else math.ceil(stage.blocks * depth)):
            blocks.append(Block(ins, outs, stage=stage, stride_px=1 if i else stage.stride_px))
            ins = outs
    return blocks


def round_channels(channels: float) -> int:
    """The multiple of 8 that is nearest and no more than a tenth below.

    >>> round_channels(24 * 1.1), round_channels(112 * 1.1)
    (24, 120)
    """
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def fold_norm(weights: Tensors, convolution: str, norm: str) -> tuple[Tensor, Tensor]:
    """Kernel and bias that do what a convolution and the batch norm after it do."""
    spread = (weights[f"{norm}.running_var"] + NORM_EPSILON).sqrt()
    scale = weights[f"{norm}.weight"] / spread
    kernel = weights[f"{convolution}.weight"] * scale.view(-1, 1, 1, 1)
    return kernel, weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
