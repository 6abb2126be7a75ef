"""Running statistics of batch norms, measured over training clips for the very weights that are kept.

What a batch norm gathers on the way belongs to weights that went by, of few steps mostly to those at the start. So it
is measured anew before weights are validated or saved (as for stochastic weight averaging: Izmailov et al., 2018).
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["find_norms", "measure_statistics"]


def find_norms(network: nn.Module) -> list[_BatchNorm]:
    """The batch norms that gather statistics, of a network in training mode: not those of a frozen body."""
    modules = network.modules()
    return [
        one for one in modules if isinstance(one, _BatchNorm) and one.training and one.track_running_stats
    ]


def measure_statistics(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Put the mean over these batches into the batch norms of a network in training mode, each batch counting alike.

    `batches` are clips where the network lies. Batch norms meet them as they do in training, a choice of frames and
    dropout included, which is what the weights have learned with (the random state decides what is drawn).

    >>> network = nn.BatchNorm1d(1)
    >>> measure_statistics(network, [torch.tensor([[1.0], [3.0]]), torch.tensor([[5.0], [7.0]])])
    >>> network.running_mean.item(), network.training
    (4.0, True)
    """
    norms = find_norms(network)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
    with torch.no_grad():
        for x in batches:
            network(x)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
