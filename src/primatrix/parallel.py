"""The processors that train together: one, or several through Lightning Fabric."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from primatrix.devices import Device

__all__ = ["Team"]


class Team:
    """One processor by itself: number 0 of 1.

    >>> from primatrix.devices import choose_device
    >>> team = Team(choose_device("cpu"))
    >>> team.rank, team.size, team.add_up([1.0, 2.0])
    (0, 1, [1.0, 2.0])
    """

    rank, size = 0, 1

    def __init__(self, device: Device) -> None:
        self.device = device

    def share(self, call: Callable[..., Tensor], network: nn.Module) -> Callable[..., Tensor]:  # noqa: ARG002
        """The network's call in a form whose gradients are averaged over the team."""
        return call

    def backward(self, loss: Tensor) -> None:
        """Add the loss's gradients to those of the weights."""
        loss.backward()  # type: ignore[no-untyped-call]

    def holding_back(self, call: Callable[..., Tensor]) -> AbstractContextManager[object]:  # noqa: ARG002
        """A scope in which gradients stay with this processor: more batches of the same step follow."""
        return nullcontext()

    def add_up(self, values: Sequence[float]) -> list[float]:
        """The sums of the processors' values."""
        return list(values)

    def clip(self, parameters: Sequence[Tensor], *, longest: float) -> None:
        """Shorten the gradients, taken as one vector, to at most this length."""
        torch.nn.utils.clip_grad_norm_(parameters, longest)
