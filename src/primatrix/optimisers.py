"""How weights follow their gradients: RMSprop exactly as Keras computes it, or AdamW."""

from collections.abc import Iterable
from typing import Literal, cast

import torch
from torch import Tensor

__all__ = ["KerasRMSprop", "OptimiserName", "build_optimiser", "set_learning_rate"]

OptimiserName = Literal["rmsprop", "adamw"]


def build_optimiser(
    name: OptimiserName, parameters: Iterable[Tensor], *, learning_rate: float, weight_decay: float = 0.0
) -> torch.optim.Optimizer:
    """Keras' RMSprop, or AdamW (Loshchilov and Hutter, 2019), which alone knows weight decay.

    Biases and scales of norms, which have one dimension, do not decay.

    >>> weight = torch.nn.Parameter(torch.zeros(2, 2))
    >>> type(build_optimiser("adamw", [weight], learning_rate=1e-3, weight_decay=0.05)).__name__
    'AdamW'
    """
    if name == "rmsprop":
        return KerasRMSprop(parameters, learning_rate=learning_rate)
    known = list(parameters)
    groups = [
        {"params": [p for p in known if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in known if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=learning_rate)


def set_learning_rate(optimiser: torch.optim.Optimizer, learning_rate: float) -> None:
    """Use this learning rate from the next step on."""
    for group in optimiser.param_groups:
        group["lr"] = learning_rate


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

    def velocity_of(self, parameter: Tensor) -> Tensor:
        """The running mean of a weight's squared gradient, zero at first."""
        state = self.state[parameter]
        if "velocity" not in state:
            state["velocity"] = torch.zeros_like(parameter)
        return cast(Tensor, state["velocity"])
