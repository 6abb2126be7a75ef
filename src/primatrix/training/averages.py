"""Weights averaged over training, and a scope in which a network holds other weights than its own."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["WeightAverage", "copy_weights", "holding_weights"]


class WeightAverage:
    """An exponential moving average of all weights and running statistics of a network.

    After step t (from 0) it moves by 1 - min(decay, (1 + t) / (10 + t)) towards the network, so that the first
    steps are soon forgotten (as tf.train.ExponentialMovingAverage with num_updates).

    >>> layer = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.zeros_(layer.weight)
    >>> average = WeightAverage(layer, decay=0.99)
    >>> _ = nn.init.ones_(layer.weight)
    >>> average.update(layer, step=0)
    >>> round(average.weights["weight"].item(), 3)
    0.9
    """

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        self.decay = decay
        self.weights = copy_weights(network)

    @torch.no_grad()
    def update(self, network: nn.Module, *, step: int) -> None:
        """Move towards the network's weights as they are after a step."""
        decay = min(self.decay, (1 + step) / (10 + step))
        pairs = [(self.weights[name], tensor) for name, tensor in network.state_dict().items()]
        floats = [pair for pair in pairs if pair[0].is_floating_point()]
        torch._foreach_lerp_([mine for mine, _ in floats], [new for _, new in floats], 1 - decay)
        for mine, new in pairs:
            if not mine.is_floating_point():  # counters
                mine.copy_(new)

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Take up a saved average, in the memory layout of the network's own weights."""
        for name, tensor in weights.items():
            self.weights[name].copy_(tensor)


def copy_weights(network: nn.Module) -> dict[str, Tensor]:
    """A copy of all weights and running statistics, where they lie."""
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


@contextmanager
def holding_weights(network: nn.Module, weights: Mapping[str, Tensor] | None) -> Iterator[None]:
    """A scope in which the network holds these weights; None leaves it its own.

    >>> layer = nn.Linear(1, 1, bias=False)
    >>> before = layer.weight.item()
    >>> with holding_weights(layer, {"weight": torch.full((1, 1), 7.0)}):
    ...     layer.weight.item()
    7.0
    >>> layer.weight.item() == before
    True
    """
    if weights is None:
        yield
        return
    own = copy_weights(network)
    network.load_state_dict(weights)
    try:
        yield
    finally:
        network.load_state_dict(own)
