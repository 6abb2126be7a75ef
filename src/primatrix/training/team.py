"""The processors that train together: one, or several through Lightning Fabric."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from primatrix.errors import InputError
from primatrix.models import Processor

__all__ = ["Team", "gather_team", "is_leader"]


class Team:
    """One processor by itself: number 0 of 1.

    >>> from primatrix.models import choose_processor
    >>> team = Team(choose_processor("cpu"))
    >>> team.rank, team.size, team.add_up([1.0, 2.0])
    (0, 1, [1.0, 2.0])
    """

    rank, size = 0, 1

    def __init__(self, processor: Processor) -> None:
        self.processor = processor

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

    def wait(self) -> None:
        """Wait until all are here."""


class FabricTeam(Team):
    """Several processors, a process each, in which Lightning Fabric averages gradients (DDP).

    Making it starts the other processes: the program that runs is run again, once for each of them.
    """

    def __init__(self, processor: Processor, *, size: int) -> None:
        super().__init__(processor)
        try:
            from lightning_fabric import Fabric
        except ImportError:
            raise InputError(
                f"devices: got {size}, which needs Lightning Fabric; install primatrix[lightning], or use 1"
            ) from None
        self.fabric: Any = Fabric(
            accelerator=processor.kind, devices=size, strategy="ddp"
        )  # Any: it has no types
        self.fabric.launch()
        self.rank, self.size = self.fabric.global_rank, self.fabric.world_size

    def share(self, call: Callable[..., Tensor], network: nn.Module) -> Callable[..., Tensor]:  # noqa: ARG002
        """The network wrapped in DistributedDataParallel."""
        shared: Callable[..., Tensor] = self.fabric.setup_module(network)
        return shared

    def backward(self, loss: Tensor) -> None:
        """Add the loss's gradients, averaged over the team."""
        self.fabric.backward(loss)

    def holding_back(self, call: Callable[..., Tensor]) -> AbstractContextManager[object]:
        """A scope in which gradients are not averaged yet."""
        scope: AbstractContextManager[object] = self.fabric.no_backward_sync(call)
        return scope

    def add_up(self, values: Sequence[float]) -> list[float]:
        """The sums of the processors' values."""
        sums: list[float] = self.fabric.all_reduce(
            torch.tensor(values, dtype=torch.float64), reduce_op="sum"
        ).tolist()
        return sums

    def wait(self) -> None:
        """Wait until all are here."""
        self.fabric.barrier()


@cache  # processes are started once, however often is trained
def gather_team(processor: Processor, *, size: int) -> Team:
    """The team of `size` processors like this one; InputError where several are asked for without Lightning."""
    return Team(processor) if size == 1 else FabricTeam(processor, size=size)


def is_leader() -> bool:
    """Whether this process is alone or the first of its team: the one that writes and prints."""
    several = torch.distributed.is_available() and torch.distributed.is_initialized()
    return not several or torch.distributed.get_rank() == 0
