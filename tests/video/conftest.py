"""What tests of detectors share: ONNX files that give the same rows of boxes for every picture."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest


def write_rows(
    path: Path,
    outputs: Mapping[str, object],
    *,
    shape: tuple[object, ...] = (1, 3, 64, 64),
    metadata: Mapping[str, str] | None = None,
    elements: str = "FLOAT",
) -> Path:
    """A network that takes pictures of this shape and gives these outputs, whatever they show."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    nodes, tensors, values = [], [], []
    for name, rows in outputs.items():
        tensors.append(onnx.numpy_helper.from_array(np.asarray(rows, np.float32), f"{name}_rows"))
        nodes.append(onnx.helper.make_node("Identity", [f"{name}_rows"], [name]))
        values.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    kind = getattr(onnx.TensorProto, elements)
    graph = onnx.helper.make_graph(
        nodes, "rows", [onnx.helper.make_tensor_value_info("images", kind, shape)], values, tensors
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    onnx.helper.set_model_props(model, dict(metadata or {}))
    onnx.save(model, str(path))
    return path


@pytest.fixture(scope="session")
def write_detector() -> Callable[..., Path]:
    """`write_detector(path, {name: rows}, …)` writes an ONNX file that finds the same in every picture."""
    return write_rows
