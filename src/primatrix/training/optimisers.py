"""How weights follow their gradients: RMSprop exactly as Keras computes it, AdamW, or Muon."""

from collections.abc import Iterable
from typing import Any, Literal, cast

import torch
from torch import Tensor

__all__ = ["KerasRMSprop", "Muon", "OptimiserName", "build_optimiser", "orthogonalise", "set_learning_rate"]

OptimiserName = Literal["rmsprop", "adamw", "muon"]
NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # Jordan's quintic: steep at 0, so that five steps do
NEWTON_SCHULZ_STEPS = 5
KERNEL_RATE = (
    10.0  # of Muon's learning rate to AdamW's: one moves a norm of about 1, the other single weights
)


def build_optimiser(
    name: OptimiserName, parameters: Iterable[Tensor], *, learning_rate: float, weight_decay: float = 0.0
) -> torch.optim.Optimizer:
    """Keras' RMSprop, AdamW (Loshchilov and Hutter, 2019) or Muon, of which the last two know weight decay.

    Biases and scales of norms, which have one dimension, do not decay. With "muon" the kernels of convolutions move by
    Muon at ten times `learning_rate`, all else by AdamW.

    >>> weight = torch.nn.Parameter(torch.zeros(2, 2))
    >>> type(build_optimiser("adamw", [weight], learning_rate=1e-3, weight_decay=0.05)).__name__
    'AdamW'
    """
    if name == "rmsprop":
        return KerasRMSprop(parameters, learning_rate=learning_rate)
    known = list(parameters)
    kernels = [p for p in known if p.ndim > 2] if name == "muon" else []
    matrices = [p for p in known if p.ndim > 1 and not any(p is kernel for kernel in kernels)]
    groups: list[dict[str, Any]] = [
        {"params": kernels, "weight_decay": weight_decay, "rate_factor": KERNEL_RATE},
        {"params": matrices, "weight_decay": weight_decay},
        {"params": [p for p in known if p.ndim <= 1], "weight_decay": 0.0},
    ]
    make = Muon if name == "muon" else torch.optim.AdamW
    optimiser = make([group for group in groups if group["params"]], lr=learning_rate)
    set_learning_rate(optimiser, learning_rate)
    return optimiser


def set_learning_rate(optimiser: torch.optim.Optimizer, learning_rate: float) -> None:
    """Use this learning rate from the next step on, times a group's `rate_factor` where it has one."""
    for group in optimiser.param_groups:
        group["lr"] = learning_rate * group.get("rate_factor", 1.0)


class Muon(torch.optim.AdamW):
    """Kernels of convolutions go along their momentum made orthogonal; all else goes as AdamW has it.

    A kernel (out, in, h, w) counts as a matrix (out, in*h*w). Its step has singular values of about 1, so directions
    that few clips ask for, those of rare species, are not drowned by the few that all ask for. Nesterov momentum 0.95.
    Source: Jordan et al., 2024, "Muon: an optimizer for hidden layers in neural networks".

    >>> kernel = torch.nn.Parameter(torch.zeros(2, 2, 1, 1))
    >>> optimiser = Muon([kernel], lr=0.1, weight_decay=0.0)
    >>> kernel.grad = torch.tensor([[5.0, 0.0], [0.0, 1e-3]]).view(2, 2, 1, 1)
    >>> optimiser.step()
    >>> kernel[0, 0].item() < -0.05
    True
    """

    MOMENTUM = 0.95

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # as above: no closure
        """Take one step down the gradients that `backward` left; those of kernels are used up by it."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.ndim > 2 and p.grad is not None:
                    self.move_kernel(p, rate=group["lr"], decay=group["weight_decay"])
                    p.grad = None  # AdamW passes over weights without a gradient
        super().step()

    def move_kernel(self, kernel: Tensor, *, rate: float, decay: float) -> None:
        """One step of one kernel."""
        gradient, state = cast(Tensor, kernel.grad), self.state[kernel]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(kernel)
        momentum = cast(Tensor, state["momentum"]).lerp_(gradient, 1 - self.MOMENTUM)
        # (out, in, h, w) -> (out, h, w, in), as channels_last has it in memory -> (out, h*w*in)
        last = gradient.lerp(momentum, self.MOMENTUM).movedim(1, -1)
        ahead = last.flatten(1)
        tall = max(1.0, ahead.shape[0] / ahead.shape[1]) ** 0.5
        kernel.mul_(1 - rate * decay)
        kernel.add_(orthogonalise(ahead).view(last.shape).movedim(-1, 1), alpha=-rate * tall)


def orthogonalise(matrix: Tensor) -> Tensor:
    """The matrix with all its singular values brought near 1 (0.7 to 1.2), by Newton-Schulz steps in float32.

    Each step multiplies from the left by a polynomial of x x', so the polynomials are multiplied first, which are as
    small as the matrix is high: kernels are nine times as wide or more, and take 2 to 3 times as long step by step.

    >>> values = torch.linalg.svdvals(orthogonalise(torch.tensor([[3.0, 1.0], [0.0, 0.2]])))
    >>> bool(((values > 0.6) & (values < 1.3)).all())
    True
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.float().T if tall else matrix.float()
    x = x / (x.norm() + 1e-7)
    square = x @ x.T
    factors = factor = newton_schulz_factor(square)
    for _ in range(NEWTON_SCHULZ_STEPS - 1):
        square = factor @ square @ factor  # of the x that is a step on
        factor = newton_schulz_factor(square)
        factors = factor @ factors
    result: Tensor = factors @ x
    return result.T if tall else result


def newton_schulz_factor(square: Tensor) -> Tensor:
    """What a step multiplies x by from the left, of square = x x': a + b square + c square^2."""
    a, b, c = NEWTON_SCHULZ
    factor = torch.addmm(square, square, square, beta=b, alpha=c)
    factor.diagonal().add_(a)
    return factor


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
