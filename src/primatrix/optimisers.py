"""RMSprop exactly as Keras computes it, over all weights at once."""

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor

__all__ = ["KerasRMSprop"]


class KerasRMSprop(torch.optim.Optimizer):
    """v = rho v + (1 - rho) g^2;  p = p - lr g / sqrt(v + eps): epsilon lies inside the root, as in Keras.

    torch's own RMSprop adds epsilon after the root. Source: keras.optimizers.RMSprop, Keras 2 and 3.

    >>> p = torch.nn.Parameter(torch.zeros(1))
    >>> optimiser = KerasRMSprop([p], learning_rate=0.1)
    >>> p.grad = torch.ones(1)
    >>> optimiser.step()
    >>> round(p.item(), 4)  # 0.1 / sqrt(0.1)
    -0.3162
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        *,
        learning_rate: float = 1e-3,
        rho: float = 0.9,
        epsilon: float = 1e-7,
    ) -> None:
        super().__init__(parameters, {"lr": learning_rate, "rho": rho, "epsilon": epsilon})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # a closure would only re-evaluate, which no caller needs
        """Take one step down the gradients that `backward` left."""
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            gradients = [cast(Tensor, p.grad) for p in parameters]
            velocities = [self.velocity_of(p) for p in parameters]
            if not parameters:
                continue
            torch._foreach_mul_(velocities, group["rho"])
            torch._foreach_addcmul_(velocities, gradients, gradients, value=1 - group["rho"])
            roots = torch._foreach_add(velocities, group["epsilon"])
            torch._foreach_sqrt_(roots)
            torch._foreach_addcdiv_(parameters, gradients, roots, value=-group["lr"])

    def set_learning_rate(self, learning_rate: float) -> None:
        """Use this learning rate from the next step on."""
        for group in self.param_groups:
            group["lr"] = learning_rate

    def velocity_of(self, parameter: Tensor) -> Tensor:
        """The running mean of a weight's squared gradient, zero at first."""
        state = self.state[parameter]
        if "velocity" not in state:
            state["velocity"] = torch.zeros_like(parameter)
        return cast(Tensor, state["velocity"])
