"""Networks in ONNX files give what the network they were exported from gives; what is foreign in them is refused."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from primatrix.errors import ModelError
from primatrix.models.encoders import load_encoder

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

KERNEL = np.random.default_rng(0).normal(size=(5, 3, 4, 4)).astype(np.float32)


def write(
    path: Path,
    *,
    shape: tuple[object, ...] = ("n", 3, 16, 16),
    last: str = "mean",
    kind: int = TensorProto.FLOAT,
    domain: str = "",
) -> Path:
    """A network of one convolution: 5 features of pictures, as a map or, with `last` "mean", as numbers."""
    nodes = [helper.make_node("Conv", ["x", "k"], ["map"], strides=[4, 4], domain=domain)]
    if last == "mean":
        nodes.append(helper.make_node("ReduceMean", ["map"], ["y"], axes=[2, 3], keepdims=0))
    elif last == "all":
        nodes.append(helper.make_node("ReduceMean", ["map"], ["y"], keepdims=0))
    else:
        nodes.append(helper.make_node(last, ["map"], ["y"]))
    graph = helper.make_graph(
        nodes, "pictures", [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], [numpy_helper.from_array(KERNEL, "k")],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 13), *([helper.make_opsetid(domain, 1)] if domain else [])]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return path


def see_by_torch(pictures: torch.Tensor, *, mean: list[float], spread: list[float]) -> torch.Tensor:
    x = (pictures.permute(0, 3, 1, 2).float() - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(spread).view(
        3, 1, 1
    )
    return nn.functional.conv2d(x, torch.tensor(KERNEL), stride=4).mean((2, 3))


PICTURES = torch.tensor(np.random.default_rng(1).integers(0, 256, (3, 16, 16, 3), np.uint8))
MEAN, SPREAD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


@pytest.mark.parametrize(
    ("shape", "last"), [(("n", 3, 16, 16), "mean"), ((2, 3, 16, 16), "mean"), (("n", 3, 16, "w"), "Identity")]
)
def test_an_onnx_file_sees_what_its_network_sees(
    shape: tuple[object, ...], last: str, tmp_path: Path
) -> None:
    encoder = load_encoder(str(write(tmp_path / "net.onnx", shape=shape, last=last)))
    assert (encoder.facts.side_px, encoder.facts.features, encoder.facts.licence) == (16, 5, "unknown")
    torch.testing.assert_close(
        encoder(PICTURES), see_by_torch(PICTURES, mean=MEAN, spread=SPREAD), rtol=1e-4, atol=1e-4
    )
    assert encoder(PICTURES[:0]).shape == (0, 5)


def test_a_file_that_takes_many_at_once_is_given_as_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, counts = load_encoder(str(write(tmp_path / "net.onnx", shape=(16, 3, 16, 16)))), []
    see = encoder.see
    monkeypatch.setattr(encoder, "see", lambda x: counts.append(len(x)) or see(x))
    many = PICTURES.repeat(6, 1, 1, 1)  # 18
    torch.testing.assert_close(
        encoder(many), see_by_torch(many, mean=MEAN, spread=SPREAD), rtol=1e-4, atol=1e-4
    )
    assert counts == [16, 2]


def test_an_encoder_of_a_file_can_be_pickled(tmp_path: Path) -> None:
    encoder = load_encoder(str(write(tmp_path / "net.onnx")))
    expected = encoder(PICTURES)
    (tmp_path / "net.onnx").unlink()
    assert torch.equal(pickle.loads(pickle.dumps(encoder))(PICTURES), expected)


def test_a_file_beside_it_says_how_pictures_are_prepared(tmp_path: Path) -> None:
    path = write(tmp_path / "net.onnx")
    facts = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.25, 0.5], "license": "MIT"}
    path.with_suffix(".json").write_text(json.dumps(facts))
    encoder = load_encoder(str(path))
    assert encoder.facts.licence == "MIT"
    expected = see_by_torch(PICTURES, mean=[127.5] * 3, spread=[127.5, 63.75, 127.5])
    torch.testing.assert_close(encoder(PICTURES), expected, rtol=1e-4, atol=1e-4)
    for text in ("[1]", "{", '{"image_mean": "grey"}', '{"image_std": [1, 0, 1]}', '{"image_mean": [1]}'):
        path.with_suffix(".json").write_text(text)
        with pytest.raises(ModelError, match=r"net.json: .*wanted one number per colour, pixels 0-1"):
            load_encoder(str(path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"shape": ("n", 1, 16, 16)},
            r"takes tensor\(float\) \['n', 1, 16, 16\], wanted one input of pictures",
        ),
        ({"shape": ("n", 16, 16, 3)}, "wanted one input of pictures"),
        ({"shape": ("n", 3, 16, 24)}, "wanted one input of pictures"),
        ({"shape": ("n", 3, 16)}, "onnxruntime cannot run it"),
        ({"kind": TensorProto.UINT8}, "onnxruntime cannot run it"),
        ({"last": "all"}, "gives an array of 0 dimensions, wanted features"),
        ({"shape": ("n", 3, 2, 2)}, r"takes no pictures \(1, 3, 2, 2\)"),
    ],
)
def test_a_file_of_another_shape_is_refused(change: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=message) as error:
        load_encoder(str(write(tmp_path / "net.onnx", **change)))  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
