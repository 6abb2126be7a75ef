"""Picture networks in ONNX files, run by onnxruntime: one file, standard operators, no code."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from primatrix.errors import ModelError
from primatrix.models.onnx_session import OnnxSession, list_errors

__all__ = ["OnnxNetwork", "OnnxPictures", "open_session", "read_onnx"]

# Operators of the standard, of its classical models, and of onnxruntime itself: none brings code of its own.
DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
SIDE_PX = 224  # where the file leaves it open
MEAN, SPREAD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)  # of ImageNet, pixels 0-255
FACTS = "one number per colour, pixels 0-1, as image_mean and image_std in a preprocessor_config.json"
Floats = NDArray[np.float32]


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

    def see(self, pictures: Floats) -> Floats:
        """The same of as many pictures as the file takes; fewer than it wants are filled up."""
        count, wanted = len(pictures), self.file.batch or len(pictures)
        filled = np.concatenate([pictures, np.zeros((wanted - count, *pictures.shape[1:]), np.float32)])
        return pool(run(self.file.session, filled, path=self.file.path))[:count]


def read_onnx(path: str | Path) -> OnnxPictures:
    """The picture network in a file; tried once, with a black picture.

    A file of the same name that ends in .json may say `image_mean` and `image_std` (pixels 0-1, as Hugging Face's
    preprocessor_config.json) and `license`. Raises ModelError where the file is missing or damaged, has weights in
    other files or operators of others, or takes no pictures.
    """
    session = open_session(path)
    batch, side_px = read_input(session, path=str(path))
    features = pool(run(session, np.zeros((batch or 1, 3, side_px, side_px), np.float32), path=str(path)))
    if features.ndim != 2:
        raise ModelError(
            f"{path}: gives an array of {features.ndim} dimensions, wanted features (pictures, numbers)"
        )
    mean, spread, licence = read_beside(Path(path).with_suffix(".json"))
    return OnnxPictures(
        str(path), session, batch, side_px, features.shape[1], mean, spread, licence,
        hashlib.sha256(session.data).hexdigest(), round(len(session.data) / 1e6, 1),
    )  # fmt: skip


def open_session(path: str | Path) -> OnnxSession:
    """A session of onnxruntime; ModelError for what is not one file of standard operators."""
    try:
        import onnx
        from google.protobuf.message import DecodeError  # onnx brings it
    except ImportError:
        raise ModelError(
            f"{path}: got no onnx, wanted it to be installed; run pip install 'primatrix[onnx]'"
        ) from None
    try:
        data = Path(path).read_bytes()
        network = onnx.load_model_from_string(data)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
    except DecodeError:
        raise ModelError(f"{path}: not readable as ONNX; copy or export it again") from None
    refuse_foreign(network, path=path)
    session = OnnxSession(data)
    try:
        session.open()
    except list_errors() as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"{path}: onnxruntime cannot run it ({reason}); export it again") from None
    return session


def refuse_foreign(network: Any, *, path: str | Path) -> None:  # Any: an optional library, not typed here
    """ModelError for weights that lie in other files and for operators that need code of others."""
    graphs = list(list_graphs(network.graph))
    tensors = [tensor for graph in graphs for tensor in list_tensors(graph)]
    if any(tensor.external_data or tensor.data_location for tensor in tensors):
        raise ModelError(
            f"{path}: its weights lie in another file, wanted all in one; export it without external data"
        )
    used = {node.domain for graph in graphs for node in graph.node}
    strange = sorted((used | {entry.domain for entry in network.opset_import}) - set(DOMAINS))
    if strange or network.functions:
        names = ", ".join(strange or [function.name for function in network.functions])
        raise ModelError(f"{path}: has operators of its own ({names}), wanted standard ones; export it again")


def list_graphs(graph: Any) -> Iterator[Any]:  # Any: an optional library, not typed here
    """A graph and those within it, of branches and loops."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from list_graphs(inner)


def list_tensors(graph: Any) -> Iterator[Any]:  # Any: an optional library, not typed here
    """The tensors that a graph holds, those of its nodes' attributes too."""
    yield from graph.initializer
    for part in graph.sparse_initializer:
        yield from (part.values, part.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for part in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (part.values, part.indices)


def read_input(session: OnnxSession, *, path: str) -> tuple[int | None, int]:
    """How many pictures the file takes at once (None: any number), and of how many pixels a side."""
    inputs = session.open().get_inputs()
    shape = inputs[0].shape if inputs else []
    fits = len(inputs) == 1 and len(shape) == 4 and inputs[0].type == "tensor(float)" and shape[1] == 3
    sides = [side for side in shape[2:] if isinstance(side, int)]
    if not fits or len(set(sides)) > 1:
        got = ", ".join(f"{one.type} {one.shape}" for one in inputs)
        raise ModelError(
            f"{path}: takes {got}, wanted one input of pictures, tensor(float) (N, 3, side, side)"
        )
    return shape[0] if isinstance(shape[0], int) else None, (*sides, SIDE_PX)[0]


def run(session: OnnxSession, pictures: Floats, *, path: str) -> Floats:
    """The first output for these pictures."""
    try:
        return session.run(pictures)
    except list_errors() as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"{path}: takes no pictures {pictures.shape} ({reason}); export it again") from None


def pool(output: Floats) -> Floats:
    """Features (N, D) of an output that is one already, a map (N, D, h, w) or tokens (N, L, D)."""
    if output.ndim == 4:
        output = output.mean((2, 3))
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
