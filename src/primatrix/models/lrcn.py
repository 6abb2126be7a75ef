"""LRCN, the benchmark's model: three convolutions per frame, an LSTM over frames, one logit per species."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from primatrix.errors import ModelError
from primatrix.models.network import (
    LayerRow,
    Network,
    count_parameters,
    initialise_like_keras,
    max_pool,
    pooled,
)
from primatrix.records import ClipSpec

__all__ = ["Lrcn", "LrcnOptions"]

UNITS = 256


class Stage(NamedTuple):
    """A convolution without padding and the 2x2 max-pooling after it."""

    filters: int
    kernel_px: int
    pool_stride_px: int


STAGES = (Stage(64, 3, 1), Stage(128, 4, 2), Stage(256, 4, 2))


@dataclass(frozen=True, slots=True)
class LrcnOptions:
    """What may be changed in LRCN; the defaults are the benchmark's, which feeds pixels 0-255 unscaled."""

    input_scale: float = 1.0
    frame_dropout: float = 0.2
    lstm_dropout: float = 0.5

    def __post_init__(self) -> None:
        if not (math.isfinite(self.input_scale) and self.input_scale > 0):
            raise ModelError(f"lrcn: input_scale: got {self.input_scale}, wanted a number above 0")
        for name in ("frame_dropout", "lstm_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ModelError(f"lrcn: {name}: got {getattr(self, name)}, wanted 0 to below 1")


class Lrcn(Network):
    """The benchmark's network with the initial weights Keras gives it; 1,187,864 parameters at 15x16x16x1.

    Initial weights come from torch's random state. Raises ModelError for pictures too small for it.

    >>> network = Lrcn(ClipSpec(15, 16, 16), species_count=24, options=LrcnOptions())
    >>> sum(p.numel() for p in network.parameters())
    1187864
    """

    options_type = LrcnOptions

    def __init__(self, spec: ClipSpec, *, species_count: int, options: LrcnOptions) -> None:
        super().__init__()
        self.spec, self.options = spec, options
        self.sizes_px = stage_sizes(spec)
        channels = [spec.channels, *(stage.filters for stage in STAGES)]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(channels[i], stage.filters, stage.kernel_px) for i, stage in enumerate(STAGES)
        )
        height_px, width_px = self.sizes_px[-1]
        self.lstm = KerasLSTM(height_px * width_px * STAGES[-1].filters, UNITS)
        self.head = nn.Linear(UNITS, species_count)
        initialise(self)
        # channels_last is how oneDNN and cuDNN like convolutions and how the pixels arrive.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in torch's stubs

    def forward(self, x: Tensor) -> Tensor:
        """Clips uint8 or float (B, T, H, W, C), pixels 0-255 -> logits (B, S)."""
        clips, frames = x.shape[:2]
        x = x.flatten(0, 1).permute(0, 3, 1, 2)  # (B, T, H, W, C) -> (B*T, C, H, W), channels_last
        x = x.to(torch.float32)
        if self.options.input_scale != 1.0:
            x = x * self.options.input_scale
        for stage, convolution in zip(STAGES, self.convolutions, strict=True):
            # relu after pooling gives the same numbers as before it, on a quarter of the values
            x = F.relu(max_pool(convolution(x), stride_px=stage.pool_stride_px))
        x = x.permute(0, 2, 3, 1).flatten(1)  # (B*T, C, h, w) -> (B*T, h*w*C), in Keras' order
        x = F.dropout(x, self.options.frame_dropout, self.training)
        x = x.view(clips, frames, -1)  # -> (B, T, features)
        # Keras draws the LSTM's input dropout once per clip and uses it for every frame.
        x = x * F.dropout(torch.ones_like(x[:, :1]), self.options.lstm_dropout, self.training)
        last: Tensor = self.lstm(x)[0][:, -1]  # (B, T, 256) -> (B, 256)
        logits: Tensor = self.head(last)
        return logits

    def layer_rows(self) -> list[LayerRow]:
        """(layer, output shape of a clip, parameters), in the order and naming of the benchmark's summary."""
        frames, height_px, width_px, _ = self.spec.shape
        rows: list[LayerRow] = []
        for i, (stage, convolution) in enumerate(zip(STAGES, self.convolutions, strict=True)):
            height_px, width_px = height_px - stage.kernel_px + 1, width_px - stage.kernel_px + 1
            shape = (frames, height_px, width_px, stage.filters)
            rows.append((f"time_distributed_{2 * i + 1} (Conv2D)", shape, count_parameters(convolution)))
            height_px, width_px = self.sizes_px[i]
            rows.append(
                (f"time_distributed_{2 * i + 2} (MaxPool)", (frames, height_px, width_px, shape[3]), 0)
            )
        features = self.lstm.input_size
        rows.append(("time_distributed_7 (Flatten)", (frames, features), 0))
        rows.append(("time_distributed_8 (Dropout)", (frames, features), 0))
        rows.append(("lstm_1 (LSTM)", (UNITS,), count_parameters(self.lstm)))
        rows.append(("dense_1 (Dense)", (self.head.out_features,), count_parameters(self.head)))
        return rows


class KerasLSTM(nn.LSTM):
    """torch's fused LSTM with one bias vector, as Keras has it: the second is a buffer that stays zero."""

    bias_ih_l0: Tensor
    weight_ih_l0: Tensor
    weight_hh_l0: Tensor

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size, batch_first=True)
        del self.bias_hh_l0
        self.register_buffer("bias_hh_l0", torch.zeros(4 * hidden_size), persistent=False)
        self._init_flat_weights()


def initialise(network: Lrcn) -> None:
    """Glorot uniform kernels, orthogonal recurrent kernel, zero biases, forget gate's bias 1."""
    initialise_like_keras(network)
    lstm = network.lstm
    nn.init.xavier_uniform_(lstm.weight_ih_l0)  # over all four gates at once, as Keras does
    nn.init.orthogonal_(lstm.weight_hh_l0)  # (4*units, units): orthonormal columns over all four gates
    nn.init.zeros_(lstm.bias_ih_l0)
    with torch.no_grad():
        lstm.bias_ih_l0[UNITS : 2 * UNITS] = 1.0  # gates lie in the order i, f, c, o in both


def stage_sizes(spec: ClipSpec) -> list[tuple[int, int]]:
    """(height, width) in pixels after each stage; ModelError where nothing would be left.

    >>> stage_sizes(ClipSpec(15, 16, 16))
    [(13, 13), (5, 5), (1, 1)]
    """
    sizes, (height_px, width_px) = [], spec.shape[1:3]
    for stage in STAGES:
        height_px = pooled(height_px - stage.kernel_px + 1, stage.pool_stride_px)
        width_px = pooled(width_px - stage.kernel_px + 1, stage.pool_stride_px)
        sizes.append((height_px, width_px))
    if min(height_px, width_px) < 1:
        got = f"{spec.height_px}x{spec.width_px}"
        raise ModelError(f"lrcn: got clips of {got} pixels, wanted at least 16x16; use a larger ClipSpec")
    return sizes
