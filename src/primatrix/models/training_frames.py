"""Which of a clip's frames a training step looks at."""

import torch
from torch import Tensor

__all__ = ["choose_frames", "draw_frames", "draw_places", "take_frames"]


def draw_frames(x: Tensor, *, count: int) -> Tensor:
    """`count` frames of each clip (B, T, ...), evenly spread from a start of its own, drawn from torch's state.

    >>> draw_frames(torch.arange(12).view(1, 12), count=3).shape
    torch.Size([1, 3])
    """
    return take_frames(x, draw_places(len(x), frames=x.shape[1], count=count).to(x.device))


def draw_places(clips: int, *, frames: int, count: int) -> Tensor:
    """Places (B, count) of frames, evenly spread from a start of each clip's own, drawn from torch's state."""
    start = torch.rand(clips, 1)
    return ((torch.arange(count) + start) * frames / count).long().clamp(max=frames - 1)


def choose_frames(activity: Tensor, *, count: int) -> Tensor:
    """Places (B, count) in clips of which so much happens in each frame (B, T): half even, half where it is most.

    The first half is drawn as `draw_frames` does; of as many equal stretches of the clip, the frames with most activity
    are the other half, so that an animal seen for a second is among few frames and the empty ones are not left out.

    >>> choose_frames(torch.tensor([[0.0, 0, 0, 9, 0, 0, 7, 0]]), count=4)[0, 2:].tolist()
    [3, 6]
    """
    clips, frames = activity.shape
    even = draw_places(clips, frames=frames, count=count - count // 2).to(activity.device)
    stretches = count // 2
    if not stretches:
        return even
    length = frames // stretches
    first = torch.arange(stretches, device=activity.device) * length
    most = activity[:, : stretches * length].reshape(clips, stretches, length).argmax(2)
    return torch.cat([even, most + first], 1)


def take_frames(x: Tensor, places: Tensor) -> Tensor:
    """The frames of clips (B, T, ...) at places (B, n): (B, n, ...).

    >>> take_frames(torch.arange(12).view(1, 12), torch.tensor([[3, 0]])).tolist()
    [[3, 0]]
    """
    return x[torch.arange(len(x), device=x.device)[:, None], places]
