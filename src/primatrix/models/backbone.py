"""Backbone: any vision model of Hugging Face transformers on each frame, and the head of `motion` over time."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from primatrix.errors import ModelError
from primatrix.models.hub import MEAN, SPREAD, make_body, read_model, see
from primatrix.models.network import LayerRow, Network, count_parameters
from primatrix.models.temporal import Pooling, TemporalHead
from primatrix.models.training_frames import draw_frames
from primatrix.records import ClipSpec

__all__ = ["Backbone", "BackboneOptions"]

LEAST = {"side_px": 0, "unfrozen_stages": 0, "unfreeze_per_epoch": 0, "training_frames": 1}
Config = dict[str, Any]  # Any: JSON values of several types


@dataclass(frozen=True, slots=True)
class BackboneOptions:
    """What may be changed in Backbone.

    `pretrained` is a name on the Hugging Face hub or a local folder, with weights as safetensors. What is read there
    fills `config`, `mean`, `spread` and `side_px`, so that a saved model needs neither hub nor folder.
    Frames are resized to `side_px` (0: as the config says, else as the clips are). The last
    `unfrozen_stages` blocks learn and all that comes after them, at 0 the head alone; every further epoch thaws
    `unfreeze_per_epoch` more, from the last to the first.
    """

    pretrained: str = ""
    config: Config | None = None
    side_px: int = 0
    mean: tuple[float, float, float] = MEAN
    spread: tuple[float, float, float] = SPREAD
    unfrozen_stages: int = 0
    unfreeze_per_epoch: int = 0
    training_frames: int = 8
    pooling: Pooling = "both"
    context_frames: int = 1
    dropout: float = 0.2

    def __post_init__(self) -> None:
        for name in ("mean", "spread"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not self.pretrained and self.config is None:
            raise ModelError(
                "backbone: got no pretrained weights, wanted pretrained=NAME of a model on the Hugging Face hub, "
                "or a folder with one"
            )
        for name, least in LEAST.items():
            if getattr(self, name) < least:
                raise ModelError(f"backbone: {name}: got {getattr(self, name)}, wanted {least} or more")


class Backbone(Network):
    """A pretrained picture model, frozen or in part, and a temporal head that learns.

    Weights are read as safetensors only and no code comes with them. Raises ModelError without the extra
    `pretrained`, where nothing can be read under that name, or where it is no model of pictures.
    """

    options_type = BackboneOptions
    gives_frames = True
    mean: Tensor
    spread: Tensor

    def __init__(self, spec: ClipSpec, *, species_count: int, options: BackboneOptions) -> None:
        super().__init__()
        self.spec = spec
        if options.config is None:
            self.body, options = read_pretrained(options)
        else:
            self.body = make_body(options.config)
        self.options = options
        self.body.eval()
        self.head = TemporalHead(
            self.count_features(), species_count=species_count, pooling=options.pooling,
            context_frames=options.context_frames, dropout=options.dropout,
        )  # fmt: skip
        for name in ("mean", "spread"):
            values = torch.tensor(getattr(options, name)).view(1, -1, 1, 1) * 255
            self.register_buffer(name, values, persistent=False)
        self.unfreeze(options.unfrozen_stages)

    def forward(self, x: Tensor) -> Tensor:
        """Clips uint8 or float (B, T, H, W, C), pixels 0-255 -> logits (B, S)."""
        return self.forward_frames(x)[0]

    def forward_frames(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Clips uint8 or float (B, T, H, W, C), pixels 0-255 -> clip logits (B, S), frame logits (B, T, S)."""
        if self.training and self.options.training_frames < x.shape[1]:
            x = draw_frames(x, count=self.options.training_frames)
        frames = x.flatten(0, 1).permute(0, 3, 1, 2).float()  # (B, T, H, W, C) -> (B*T, C, H, W)
        if self.options.side_px:
            size = (self.options.side_px, self.options.side_px)
            frames = F.interpolate(frames, size, mode="bilinear", antialias=True)
        frames = (frames.expand(-1, 3, -1, -1) - self.mean) / self.spread  # grey becomes three equal colours
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.learns):
            features = self.see(frames)
        clip, answers = self.head(features.view(*x.shape[:2], -1))
        return clip, answers

    def see(self, frames: Tensor) -> Tensor:
        """Normalised frames (N, 3, h, w) -> features (N, D): the mean over what is left of the picture."""
        return see(self.body, frames)

    def count_features(self) -> int:
        """D of `see`, found by trying; ModelError for a body that does not take pictures."""
        side_px = self.options.side_px
        sides = (side_px, side_px) if side_px else self.spec.shape[1:3]
        try:
            with torch.no_grad():
                return self.see(torch.zeros(1, 3, *sides)).shape[-1]
        except (TypeError, ValueError, RuntimeError, AttributeError) as error:
            kind = type(self.body).__name__
            raise ModelError(
                f"backbone: got a {kind}, which does not take pictures of {sides[0]}x{sides[1]} ({error}); name a "
                "vision model, or another side_px"
            ) from None

    @property
    def learns(self) -> bool:
        """Whether any part of the body does."""
        return any(p.requires_grad for p in self.body.parameters())

    def unfreeze(self, stages: int) -> None:
        """Let the last `stages` blocks of the body learn, and all that comes after them."""
        parameters = list(self.body.parameters())
        blocks = find_blocks(self.body)
        first = len(parameters)
        if stages >= max(1, len(blocks)):
            first = 0
        elif stages > 0:
            start = next(blocks[-stages].parameters())
            first = next(i for i, p in enumerate(parameters) if p is start)
        for i, (name, p) in enumerate(self.body.named_parameters()):
            # `see` takes the mean in place of the body's own pooler, which would never get a gradient.
            p.requires_grad_(i >= first and not name.startswith("pooler."))

    def prepare_epoch(self, epoch: int) -> None:
        """Thaw the blocks that learn from this epoch on, counted from 0."""
        self.unfreeze(self.options.unfrozen_stages + epoch * self.options.unfreeze_per_epoch)

    def train(self, mode: bool = True) -> "Backbone":
        """Training mode for the head; the body keeps its statistics and drops nothing out."""
        super().train(mode)
        self.body.eval()
        return self

    def layer_rows(self) -> list[LayerRow]:
        """(layer, output shape of a clip, parameters): body and head."""
        features = self.head.norm.normalized_shape[0]
        name = type(self.body).__name__
        return [
            (name, (self.spec.frames, features), count_parameters(self.body)),
            ("head (TemporalHead)", (self.head.species_count,), count_parameters(self.head)),
        ]


def find_blocks(body: nn.Module) -> list[nn.Module]:
    """The blocks a body is made of, first to last: the list of modules that holds most of its parameters."""
    lists = [module for module in body.modules() if isinstance(module, nn.ModuleList) and len(module)]
    return list(max(lists, key=lambda blocks: count_parameters(blocks), default=[]))


def read_pretrained(options: BackboneOptions) -> tuple[nn.Module, BackboneOptions]:
    """The body from hub or folder, and the options with all that is needed to make it again."""
    found = read_model(options.pretrained)
    filled = dataclasses.replace(
        options,
        config=found.config,
        side_px=options.side_px or found.side_px,
        mean=found.mean,
        spread=found.spread,
    )
    return found.body, filled
