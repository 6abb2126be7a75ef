"""Picture networks in ONNX files, run by onnxruntime: one file, standard operators, no code."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from primatrix.errors import ModelError
from primatrix.models.onnx_session import OnnxSession
from primatrix.video import read_network

__all__ = ["OnnxNetwork", "OnnxPictures", "read_onnx"]

SIDE_PX = 224  # where the file leaves it open
MEAN, SPREAD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # of ImageNet, pixels 0-255
FACTS = "one number per colour, pixels 0-1, as image_mean and image_std in a preprocessor_config.json"


@dataclass(frozen=True, slots=True)
class OnnxPictures:
    """An ONNX file that takes pictures, and what must be known to show it some.

    Pictures are (N, 3, side_px, side_px), with `mean` taken off pixels 0-255 and the rest divided by `spread`.
    """

    path: str
    session: OnnxSession
    batch: int | None  # how many pictures it takes at once; None: any number
    side_px: int
    features: int
    mean: tuple[float, float, float]
    spread: tuple[float, float, float]
    licence: str
    digest: str
    megabytes: float


class OnnxNetwork(nn.Module):
    """Normalised pictures (N, 3, side, side) -> features (N, D), the mean over what is left of the picture."""

    def __init__(self, file: OnnxPictures) -> None:
        super().__init__()
        self.file = file

    def forward(self, x: Tensor) -> Tensor:
        """Normalised pictures (N, 3, side, side) -> features (N, D)."""
        pictures = x.detach().float().cpu().contiguous().numpy()
        step = self.file.batch or len(pictures)
        parts = [self.see(pictures[i : i + step]) for i in range(0, len(pictures), step)]
        return torch.from_numpy(np.concatenate(parts)).to(x.device)

    def see(self, pictures: Any) -> Any:  # Any: arrays of an optional library
        """The same of as many pictures as the file takes; fewer than it wants are filled up."""
        count, wanted = len(pictures), self.file.batch or len(pictures)
        filled = np.concatenate([pictures, np.zeros((wanted - count, *pictures.shape[1:]), np.float32)])
        return pool(self.file.session.run(filled))[:count]


def read_onnx(path: str | Path) -> OnnxPictures:
    """The picture network in a file; tried once, with a black picture.

    A file of the same name that ends in .json may say `image_mean` and `image_std` (pixels 0-1, as Hugging Face's
    preprocessor_config.json) and `license`. Raises ModelError where the file is missing or damaged, has weights in
    other files or operators of others, or takes no pictures.
    """
    data = read_network(path)
    session = OnnxSession(data, path=str(path))
    batch, side_px = read_input(session.open(), path=str(path))
    features = pool(session.run(np.zeros((batch or 1, 3, side_px, side_px), np.float32)))
    if features.ndim != 2:
        raise ModelError(
            f"{path}: gives an array of {features.ndim} dimensions, wanted features (pictures, numbers)"
        )
    mean, spread, licence = read_beside(Path(path).with_suffix(".json"))
    return OnnxPictures(
        str(path), session, batch, side_px, features.shape[1], mean, spread, licence,
        hashlib.sha256(data).hexdigest(), round(len(data) / 1e6, 1),
    )  # fmt: skip


def read_input(
    session: Any, *, path: str
) -> tuple[int | None, int]:  # Any: an optional library, not typed here
    """How many pictures the file takes at once (None: any number), and of how many pixels a side."""
    inputs = session.get_inputs()
    shape = inputs[0].shape if inputs else []
    fits = len(inputs) == 1 and len(shape) == 4 and inputs[0].type == "tensor(float)" and shape[1] == 3
    sides = [side for side in shape[2:] if isinstance(side, int)]
    if not fits or len(set(sides)) > 1:
        got = ", ".join(f"{one.type} {one.shape}" for one in inputs)
        raise ModelError(
            f"{path}: takes {got}, wanted one input of pictures, tensor(float) (N, 3, side, side)"
        )
    return shape[0] if isinstance(shape[0], int) else None, (*sides, SIDE_PX)[0]


def pool(output: Any) -> Any:  # Any: arrays of an optional library
    """Features (N, D) of an output that is one already, a map (N, D, h, w) or tokens (N, L, D)."""
    if output.ndim == 4:
        return output.mean((2, 3))
    return output.mean(1) if output.ndim == 3 else output


def read_beside(
    path: Path,
) -> tuple[tuple[float, float, float], tuple[float, float, float], str]:
    """Mean and spread for pixels 0-255 and the licence, from the file beside the network where there is one."""
    if not path.is_file():
        return MEAN, SPREAD, "unknown"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        mean, spread = (
            tuple(255 * float(value) for value in facts.get(name, [known / 255 for known in usual]))
            for name, usual in (("image_mean", MEAN), ("image_std", SPREAD))
        )
        licence = str(facts.get("license", "unknown"))
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); wanted {FACTS}") from None
    if len(mean) != 3 or len(spread) != 3 or min(spread) <= 0:
        raise ModelError(f"{path}: got mean {mean} and spread {spread}; wanted {FACTS}")
    return (mean[0], mean[1], mean[2]), (spread[0], spread[1], spread[2]), licence
