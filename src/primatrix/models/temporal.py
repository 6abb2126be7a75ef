"""From features of frames to answers: one logit per species for each frame, pooled to one for the clip."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from primatrix.errors import ModelError

__all__ = ["Pooling", "TemporalHead"]

Pooling = Literal["logits", "features", "both"]
STATISTICS = 3  # mean, smooth maximum, maximum - minimum


class TemporalHead(nn.Module):
    """Features (B, T, D) -> clip logits (B, S) and frame logits (B, T, S), whatever the frames' order.

    Clip logits are a weighted sum, learned per species, of three statistics of logits over frames: mean, smooth
    maximum and (maximum - minimum). `pooling` "both" adds what mean, maximum and an attention gather from the
    features, "features" uses that alone. A frame's logit is what a clip of this frame alone would get.
    With `context_frames` above 1 each frame first looks at its neighbours.

    >>> clip, frames = TemporalHead(8, species_count=2)(torch.zeros(3, 5, 8))
    >>> clip.shape, frames.shape
    (torch.Size([3, 2]), torch.Size([3, 5, 2]))
    """

    def __init__(
        self,
        features: int,
        *,
        species_count: int,
        pooling: Pooling = "both",
        context_frames: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if context_frames < 1:
            raise ModelError(f"context_frames: got {context_frames}, wanted 1 or more")
        if not 0 <= dropout < 1:
            raise ModelError(f"dropout: got {dropout}, wanted 0 to below 1")
        if pooling not in get_args(Pooling):
            raise ModelError(f"pooling: got {pooling!r}, wanted one of {', '.join(get_args(Pooling))}")
        self.pooling, self.species_count = pooling, species_count
        self.norm = nn.LayerNorm(features)
        self.dropout = nn.Dropout(dropout)
        self.context = None
        if context_frames > 1:
            padding = context_frames // 2
            self.context = nn.Conv1d(features, features, context_frames, padding=padding, groups=features)
            nn.init.zeros_(self.context.weight)  # at first every frame speaks for itself
        if pooling != "features":
            self.frame = nn.Linear(features, species_count)
            self.weights = nn.Parameter(torch.tensor([[0.3], [0.7], [0.0]]).repeat(1, species_count))
        # One species in `species_count`: far nearer to the truth than 1/2, for which common and rare ones must unlearn.
        self.bias = nn.Parameter(torch.full((species_count,), -math.log(max(1, species_count - 1))))
        if pooling != "logits":
            self.attention = nn.Linear(features, 1)
            self.clip = nn.Linear(3 * features, species_count)
            nn.init.zeros_(self.clip.weight)
            nn.init.zeros_(self.clip.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, T, D) -> clip logits (B, S), frame logits (B, T, S), both float32."""
        x = self.norm(x.float())
        if self.context is not None:
            around: Tensor = self.context(x.transpose(1, 2)).transpose(1, 2).float()
            x = x + around[:, : x.shape[1]]  # an even number of neighbours gives one frame too many
        x = self.dropout(x)
        alone = x.flatten(0, 1)[:, None]  # (B, T, D) -> (B*T, 1, D): clips of one frame
        frames = self.combine(alone).view(*x.shape[:2], -1)
        return self.combine(x), frames

    def combine(self, x: Tensor) -> Tensor:
        """Features of frames (B, T, D) -> logits of the clips they make (B, S)."""
        clip: Tensor = self.bias
        if self.pooling != "features":
            clip = clip + (pool_frames(self.frame(x).float()) * self.weights).sum(1)
        if self.pooling != "logits":
            weight = self.attention(x).float().softmax(1)
            pooled = torch.cat([x.mean(1), x.amax(1), (x * weight).sum(1)], 1)  # (B, T, D) -> (B, 3*D)
            clip = clip + self.clip(pooled).float()
        return clip


def pool_frames(frames: Tensor) -> Tensor:
    """Frame logits (B, T, S) -> their mean, smooth maximum and maximum - minimum, (B, 3, S)."""
    smooth = frames.logsumexp(1) - math.log(frames.shape[1])
    return torch.stack([frames.mean(1), smooth, frames.amax(1) - frames.amin(1)], 1)
