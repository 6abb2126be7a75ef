"""EfficientNet-Lite by onnxruntime, which runs it on a CPU 1.7 times as fast as torch (bench/learn/encoders.md).

The network is written as ONNX here, field by field (github.com/onnx/onnx, onnx.proto3; developers.google.com,
Protocol Buffers, Encoding). It needs five operators, so that this takes fewer lines than a cache of exported files
would, and neither `onnx` nor torch's exporter, which wants two more libraries.
"""

import logging

import torch
from torch import Tensor, nn

from primatrix.models.efficientnet_lite import Block, EfficientNetLite, PaddedConv
from primatrix.models.onnx_session import OnnxSession

__all__ = ["FastEfficientNetLite", "write_onnx"]

IR_VERSION = 8  # of the file format and of the operators: of 2021, known to every onnxruntime for Python 3.11
OPERATORS = 13
FLOAT = 1  # of tensors; in onnx.proto3 the kinds of attributes follow
INT, STRING, INTS = 2, 3, 7

logger = logging.getLogger(__name__)


class FastEfficientNetLite(nn.Module):
    """Pictures (N, 3, h, w) -> features (N, 1280), as the network it is made of gives them, on a CPU by onnxruntime.

    By torch on other processors, under autocast, where it learns or is compiled, and without onnxruntime. Features
    differ by less than 1e-4 of the largest.

    >>> network = FastEfficientNetLite(EfficientNetLite("lite0"))
    >>> network(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 1280])
    """

    def __init__(self, network: EfficientNetLite) -> None:
        super().__init__()
        self.network = network
        self.session: OnnxSession | None = None  # made when first asked, of the weights as they are then
        self.can_run = True
        self.register_load_state_dict_post_hook(forget_session)  # type: ignore[no-untyped-call]

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (N, 3, h, w), pixels about -1 to 1 -> features (N, 1280), the mean over the last map."""
        if len(x) and self.suits(x):
            session = self.find_session()
            if session is not None:
                return torch.from_numpy(session.run(x.detach().contiguous().numpy()))
        features: Tensor = self.network(x)
        return features

    def suits(self, x: Tensor) -> bool:
        """Whether onnxruntime may answer: all in fp32 on a CPU, and nobody asks for more than features."""
        weight = self.network.stem.weight
        return (
            x.is_cpu
            and weight.is_cpu
            and x.dtype == weight.dtype == torch.float32
            and not torch.is_autocast_enabled("cpu")
            and not torch.compiler.is_compiling()
            and not (x.requires_grad or any(p.requires_grad for p in self.parameters()))
        )

    def find_session(self) -> OnnxSession | None:
        """What runs the network; None without onnxruntime."""
        if self.session is None and self.can_run:
            session = OnnxSession(write_onnx(self.network), path="efficientnet-lite")
            try:
                session.open()
                self.session = session
            except ImportError as error:  # as on Windows without Microsoft's runtime of C++
                self.can_run = False
                logger.info("runs by torch, slower, for want of onnxruntime: %s", error)
        return self.session


def forget_session(module: nn.Module, _: object) -> None:
    """Other weights are another network."""
    assert isinstance(module, FastEfficientNetLite)
    module.session = None


def write_onnx(network: EfficientNetLite) -> bytes:
    """The network as the bytes of an ONNX file: one input "pictures" (n, 3, h, w), one output "features" (n, 1280).

    >>> len(write_onnx(EfficientNetLite("lite0"))) // 1_000_000
    13
    """
    graph = Graph()
    x = graph.add_convolution(network.stem, "pictures", name="stem", bounded=True)
    for i, block in enumerate(network.blocks):
        assert isinstance(block, Block)
        inner = x
        if block.expand is not None:
            inner = graph.add_convolution(block.expand, x, name=f"expand{i}", bounded=True)
        inner = graph.add_convolution(block.spread, inner, name=f"spread{i}", bounded=True)
        out = graph.add_convolution(block.project, inner, name=f"project{i}", bounded=False)
        x = graph.add_node("Add", [x, out], name=f"sum{i}") if block.adds else out
    x = graph.add_convolution(network.head, x, name="head", bounded=True)
    graph.add_node("Flatten", [graph.add_node("GlobalAveragePool", [x], name="mean")], name="features")
    features = write_value("features", ("n", network.head.out_channels))
    return graph.write(takes=write_value("pictures", ("n", 3, "h", "w")), gives=features)


class Graph:
    """The nodes and weights of a network, as they are written."""

    def __init__(self) -> None:
        self.nodes: list[bytes] = []
        self.weights = [write_tensor("zero", torch.tensor(0.0)), write_tensor("six", torch.tensor(6.0))]

    def add_node(self, operator: str, ins: list[str], *attributes: bytes, name: str) -> str:
        """One operator (NodeProto); the name of what it gives."""
        node = write_field(1, *ins) + write_field(2, name) + write_field(4, operator)
        self.nodes.append(node + write_field(5, *attributes))
        return name

    def add_convolution(self, layer: PaddedConv, x: str, *, name: str, bounded: bool) -> str:
        """A convolution that pads as TensorFlow does, and with `bounded` a ReLU6 after it."""
        kernel, bias = f"{name}.kernel", f"{name}.bias"
        assert layer.bias is not None
        self.weights += [write_tensor(kernel, layer.weight), write_tensor(bias, layer.bias)]
        attributes = (
            write_field(1, "auto_pad") + write_field(4, "SAME_UPPER") + write_field(20, STRING),
            write_field(1, "strides") + write_field(8, *layer.stride) + write_field(20, INTS),
            write_field(1, "group") + write_field(3, layer.groups) + write_field(20, INT),
        )
        out = self.add_node("Conv", [x, kernel, bias], *attributes, name=name)
        return self.add_node("Clip", [out, "zero", "six"], name=f"{name}.bounded") if bounded else out

    def write(self, *, takes: bytes, gives: bytes) -> bytes:
        """All of it (ModelProto with its GraphProto)."""
        graph = (
            write_field(1, *self.nodes) + write_field(2, "EfficientNet-Lite") + write_field(5, *self.weights)
        )
        graph += write_field(11, takes) + write_field(12, gives)
        return write_field(1, IR_VERSION) + write_field(7, graph) + write_field(8, write_field(2, OPERATORS))


def write_tensor(name: str, values: Tensor) -> bytes:
    """Weights by their name (TensorProto)."""
    raw = values.detach().cpu().contiguous().numpy().astype("<f4").tobytes()
    return write_field(1, *values.shape) + write_field(2, FLOAT) + write_field(8, name) + write_field(9, raw)


def write_value(name: str, shape: tuple[int | str, ...]) -> bytes:
    """An input or output of floats (ValueInfoProto); sides that may be of any length have a name."""
    sides = b"".join(write_field(1, write_field(1 if isinstance(side, int) else 2, side)) for side in shape)
    tensor = write_field(1, FLOAT) + write_field(2, sides)
    return write_field(1, name) + write_field(2, write_field(1, tensor))


def write_field(field: int, *values: int | str | bytes) -> bytes:
    """A field of Protocol Buffers, once per value: whole numbers as such, the rest with its length before it.

    >>> write_field(1, 150).hex(), write_field(2, "testing").hex()
    ('089601', '120774657374696e67')
    """
    written = []
    for value in values:
        if isinstance(value, int):
            written.append(write_number(field << 3) + write_number(value))
        else:
            data = value.encode() if isinstance(value, str) else value
            written.append(write_number(field << 3 | 2) + write_number(len(data)) + data)
    return b"".join(written)


def write_number(value: int) -> bytes:
    """A whole number that is not negative, seven bits a byte, the lowest first."""
    low, high = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + write_number(high) if high else bytes([low])
