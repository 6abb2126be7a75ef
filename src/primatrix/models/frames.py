"""Which of a clip's frames a training step looks at."""

import torch
from torch import Tensor

__all__ = ["draw_frames"]


def draw_frames(x: Tensor, *, count: int) -> Tensor:
    """`count` frames of each clip (B, T, ...), evenly spread from a start of its own, drawn from torch's state.

    >>> draw_frames(torch.arange(12).view(1, 12), count=3).shape
    torch.Size([1, 3])
    """
    clips, frames = x.shape[:2]
    start = torch.rand(clips, 1).to(x.device)
    places = ((torch.arange(count, device=x.device) + start) * frames / count).long().clamp(max=frames - 1)
    return x[torch.arange(clips, device=x.device)[:, None], places]
