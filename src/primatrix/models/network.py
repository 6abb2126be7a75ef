"""What every architecture has, and the layers that several share."""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from primatrix.errors import ModelError
from primatrix.models.devices import Processor
from primatrix.models.features import Features
from primatrix.records import ClipSpec

__all__ = ["LayerRow", "Network", "count_parameters", "initialise_like_keras", "max_pool", "pooled"]

LayerRow = tuple[str, tuple[int, ...], int]  # layer, output shape of a clip, parameters


class Network(nn.Module):
    """Base of the architectures, made as `network_class(spec, species_count=, options=)`.

    One that looks through a frozen encoder has an `input_shape` and `make_features` of its own.

    A network that `gives_frames` has a `forward_frames` of its own; `forward` gives its clip logits.
    """

    options_type: ClassVar[type]
    gives_frames: ClassVar[bool] = False
    spec: ClipSpec
    options: Any  # Any: a frozen dataclass, of another type in each architecture

    def forward_frames(self, x: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ARG002  # those that do use it
        """Clips (B, T, H, W, C), pixels 0-255 -> clip logits (B, S), frame logits (B, T, S)."""
        raise ModelError(
            f"{type(self).__name__.lower()}: got asked for an answer per frame, which it does not give; "
            "use a model that does, such as motion"
        )

    @property
    def input_shape(self) -> tuple[int, ...]:
        """What it takes of a clip: of pixels (T, H, W, C)."""
        return self.spec.shape

    def make_features(self, processor: Processor | None = None) -> Features | None:  # noqa: ARG002  # those that do
        """What turns clips into what it takes; None where it takes their pixels."""
        return None

    def prepare_epoch(self, epoch: int) -> None:
        """Called before each epoch of training, counted from 0: which weights learn in it."""

    def layer_rows(self) -> list[LayerRow]:
        """The layers from the pixels to the logits."""
        raise NotImplementedError


def count_parameters(module: nn.Module) -> int:
    """How many numbers a layer learns.

    >>> count_parameters(nn.Linear(3, 2))
    8
    """
    return sum(p.numel() for p in module.parameters())


def initialise_like_keras(network: nn.Module) -> None:
    """Glorot uniform kernels and zero biases for all convolutions and dense layers."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def max_pool(x: Tensor, *, stride_px: int) -> Tensor:
    """2x2 max-pooling without padding: (N, C, H, W) -> (N, C, H', W').

    On a CPU without gradients it is the maximum of shifted views: the same numbers in a fifth of the time
    (channels_last, bf16, 2 cores). With gradients max_pool2d sends each to one pixel, as Keras does.
    """
    if x.device.type != "cpu" or torch.is_grad_enabled():
        return F.max_pool2d(x, 2, stride_px)
    bottom, right = (pooled(size, stride_px) * stride_px for size in x.shape[2:])
    x = torch.maximum(x[:, :, 0:bottom:stride_px], x[:, :, 1 : bottom + 1 : stride_px])
    return torch.maximum(x[..., 0:right:stride_px], x[..., 1 : right + 1 : stride_px])


def pooled(size_px: int, stride_px: int) -> int:
    """The size a 2-pixel window with this stride leaves.

    >>> pooled(13, 2)
    6
    """
    return (size_px - 2) // stride_px + 1
