"""What training makes small: binary cross-entropy over all clips and species, made tolerant of wrong labels."""

import math

import torch.nn.functional as F
from torch import Tensor

__all__ = ["LossMean", "clip_loss"]


def clip_loss(y: Tensor, logits: Tensor, *, smoothing: float = 0.0, bootstrap: float = 0.0) -> Tensor:
    """Mean binary cross-entropy of logits (B, S) against labels y (B, S) of 0/1.

    `smoothing` draws labels towards 1/2 by this share (Szegedy et al., 2016): 0.02 asks for 0.01 and 0.99.
    `bootstrap` puts the model's own probability in place of this share of each label (Reed et al., 2015, "Training
    deep neural networks on noisy labels with bootstrapping", soft form): a label the model is sure is wrong pulls less.

    >>> import torch
    >>> round(clip_loss(torch.tensor([[0.0, 1.0]]), torch.zeros(1, 2)).item(), 4)
    0.6931
    >>> wrong = torch.tensor([[1.0]]), torch.tensor([[-4.0]])
    >>> round(clip_loss(*wrong).item(), 2), round(clip_loss(*wrong, bootstrap=0.2).item(), 2)
    (4.02, 3.23)
    """
    if smoothing:
        y = y * (1 - smoothing) + smoothing / 2
    if bootstrap:
        y = y * (1 - bootstrap) + logits.detach().sigmoid() * bootstrap
    return F.binary_cross_entropy_with_logits(logits, y)


class LossMean:
    """The mean of losses that lie on the device, read one behind so that a GPU is not waited for."""

    def __init__(self, total: float = 0.0, count: float = 0) -> None:
        self.total, self.count = total, count
        self.pending: tuple[Tensor, int] | None = None

    def add(self, loss: Tensor, *, clips: int) -> None:
        """Count in a batch's mean loss with this weight."""
        self.read_pending()
        self.pending = (loss, clips)

    def mean(self, *, wait: bool) -> float:
        """The mean so far, nan at first; `wait` counts the newest loss in."""
        if wait:
            self.read_pending()
        return self.total / self.count if self.count else math.nan

    def read_pending(self) -> None:
        """Read the loss that was added last."""
        if self.pending is not None:
            loss, clips = self.pending
            self.total, self.count, self.pending = self.total + float(loss) * clips, self.count + clips, None
