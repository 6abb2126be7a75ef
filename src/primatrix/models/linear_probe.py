"""Linear probe: a pretrained encoder on close-ups of what moves and on whole pictures, and one layer that learns.

The encoder stays as it is, so its features are made once for each clip (see `features`). A clip's pictures are pooled;
a picture is answered as a clip would be of which it is the only close-up.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from primatrix.errors import ModelError
from primatrix.models.devices import Processor
from primatrix.models.encoders import DEFAULT_ENCODER, load_encoder
from primatrix.models.features import ABOUT, Features
from primatrix.models.network import LayerRow, Network, count_parameters
from primatrix.records import ClipSpec
from primatrix.video import read_detector

__all__ = ["LinearProbe", "LinearProbeOptions", "look_closely", "pool_clips", "pool_pictures"]

PICTURES, CLOSEUPS = 10, 6  # of a clip: more tell little more (bench/learn/eyes.md)


@dataclass(frozen=True, slots=True)
class LinearProbeOptions:
    """What may be changed in LinearProbe.

    `encoder` is one of `list_encoders`, an ONNX file, or a Hugging Face vision model; `digest` that of its weights and
    `features` how many numbers it gives, both found out when the model is built, so that a saved model names the very
    weights it has learned with.
    """

    encoder: str = DEFAULT_ENCODER
    digest: str = ""
    features: int = 0


class LinearProbe(Network):
    """Features of a clip's pictures, pooled, and a linear layer: one logit per species.

    It takes features (B, T, D + 5) as `Features` makes them, not pixels.
    """

    options_type = LinearProbeOptions
    gives_frames = True
    shift: Tensor
    scale: Tensor

    def __init__(self, spec: ClipSpec, *, species_count: int, options: LinearProbeOptions) -> None:
        super().__init__()
        if spec.colour != "rgb":
            raise ModelError(f"linear_probe: got {spec.colour} clips, wanted rgb, as encoders know pictures")
        self.spec = spec
        if not options.features or not options.digest:
            facts = load_encoder(options.encoder, digest=options.digest or None).facts
            options = LinearProbeOptions(options.encoder, facts.digest, facts.features)
        self.options = options
        width = 3 * options.features
        self.layer = nn.Linear(width, species_count)
        nn.init.zeros_(self.layer.weight)
        nn.init.zeros_(self.layer.bias)
        self.register_buffer("shift", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(T, D + 5), of features."""
        return (self.spec.frames, self.options.features + ABOUT)

    def make_features(self, processor: Processor | None = None) -> Features:
        """What turns clips into what it takes. Raises ModelError where the encoder is not here, or another."""
        facts = load_encoder(self.options.encoder, digest=self.options.digest).facts
        return Features(self.spec, facts, processor=processor)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, T, D + 5) -> logits (B, S)."""
        return self.answer(pool_clips(x))

    def forward_frames(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features (B, T, D + 5) -> clip logits (B, S), logits of pictures (B, T, S)."""
        return self.forward(x), self.answer(pool_pictures(x))

    def answer(self, pooled: Tensor) -> Tensor:
        """Pooled features (..., 3 D) -> logits (..., S)."""
        logits: Tensor = self.layer((pooled - self.shift) / self.scale)
        return logits

    def layer_rows(self) -> list[LayerRow]:
        """Pooling and the layer that learns; the encoder's own weights are not the model's."""
        pooled, species = self.layer.in_features, self.layer.out_features
        return [
            (f"{self.options.encoder} (pooled)", (pooled,), 0),
            ("layer (Linear)", (species,), count_parameters(self.layer)),
        ]


def look_closely(
    encoder: str = DEFAULT_ENCODER,
    *,
    digest: str | None = None,
    detector: str | Path | None = None,
    processor: Processor | None = None,
) -> Features:
    """What a linear probe looks at through this encoder: features of 6 close-ups and 4 whole pictures of each clip.

    Give it to a Dataset: `Dataset.from_folder(folder, features.spec, keeping=features, ...)`. Close-ups are of what
    moves, or of what a `detector` finds (an ONNX file, or a folder with one). Raises ModelError where the encoder is
    not here, or its weights are others than `digest` says, and for a file that is no detector.

    >>> look_closely("efficientnet-lite0").spec.describe()
    '10 rgb frames of 224x224 (6 of them close-ups, uniform)'
    """
    facts = load_encoder(encoder, digest=digest).facts
    points = "" if detector is None else read_detector(detector).to_text()
    spec = ClipSpec(PICTURES, facts.side_px, facts.side_px, "rgb", closeups=CLOSEUPS, detector=points)
    return Features(spec, facts, processor=processor)


def pool_clips(x: Tensor) -> Tensor:
    """Features of clips (B, T, D + 5) -> (B, 3 D): close-ups' mean and maximum, and how whole pictures differ.

    The last is the standard deviation over them. A clip without close-ups has its whole pictures in their place.

    >>> x = torch.tensor([[[2.0, 0, 0, 0.5, 0.5, 1], [4, 0, 0, 0.5, 0.5, 1], [8, 0, 0, 1, 1, 0], [6, 0, 0, 1, 1, 0]]])
    >>> pool_clips(x)[0].tolist()
    [3.0, 4.0, 1.0]
    """
    features, is_close = split(x)
    close = is_close | ~is_close.any(1, keepdim=True)
    most = features.masked_fill(~close[..., None], -torch.inf).amax(1)
    return torch.cat([average(features, close), most, spread(features, ~is_close)], -1)


def pool_pictures(x: Tensor) -> Tensor:
    """Features of clips (B, T, D + 5) -> (B, T, 3 D): each picture as a clip of which it is the only close-up.

    >>> x = torch.tensor([[[2.0, 0, 0, 0.5, 0.5, 1], [4, 0, 0, 0.5, 0.5, 1], [8, 0, 0, 1, 1, 0], [6, 0, 0, 1, 1, 0]]])
    >>> pool_pictures(x)[0].tolist()
    [[2.0, 2.0, 1.0], [4.0, 4.0, 1.0], [8.0, 8.0, 1.0], [6.0, 6.0, 1.0]]
    """
    features, is_close = split(x)
    apart = spread(features, ~is_close)[:, None].expand_as(features)
    return torch.cat([features, features, apart], -1)


def split(x: Tensor) -> tuple[Tensor, Tensor]:
    """Features (B, T, D), float32, and which pictures are close-ups (B, T)."""
    return x[..., :-ABOUT].float(), x[..., -1] > 0


def average(features: Tensor, chosen: Tensor) -> Tensor:
    """The mean of the features (B, T, D) of chosen pictures (B, T), (B, D); 0 where none is."""
    count = chosen.sum(1, keepdim=True).clamp(min=1)
    return (features * chosen[..., None]).sum(1) / count


def spread(features: Tensor, chosen: Tensor) -> Tensor:
    """The standard deviation of the features (B, T, D) of chosen pictures (B, T), (B, D)."""
    apart = features - average(features, chosen)[:, None]
    return average(apart.square(), chosen).sqrt()
