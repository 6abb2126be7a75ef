"""ONNX files are opened only where they hold all of themselves and nothing of others."""

import sys
from pathlib import Path

import numpy as np
import pytest

from primatrix.errors import ModelError
from primatrix.video.onnx_files import read_network, run_session, start_session

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

KERNEL = np.full((5, 3, 4, 4), 0.25, np.float32)


def write(path: Path, *, domain: str = "") -> Path:
    """A network of one convolution, and the same with its sign turned: 5 features of pictures of 16 px."""
    nodes = [
        helper.make_node("Conv", ["x", "k"], ["map"], strides=[4, 4], domain=domain),
        helper.make_node("ReduceMean", ["map"], ["y"], axes=[2, 3], keepdims=0),
        helper.make_node("Neg", ["y"], ["z"]),
    ]
    graph = helper.make_graph(
        nodes, "pictures", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 3, 16, 16))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("y", "z")],
        [numpy_helper.from_array(KERNEL, "k")],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 13), *([helper.make_opsetid(domain, 1)] if domain else [])]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    return path


def test_a_session_gives_the_outputs_that_are_named_or_all(tmp_path: Path) -> None:
    path = write(tmp_path / "net.onnx")
    session = start_session(read_network(path), path=path, threads=1)
    pictures = np.ones((2, 3, 16, 16), np.float32)
    (named,) = run_session(session, pictures, path=str(path), names=["z"])
    np.testing.assert_allclose(named, np.full((2, 5), -12.0))  # 48 values of 0.25
    assert [one.shape for one in run_session(session, pictures, path=str(path))] == [(2, 5), (2, 5)]
    with pytest.raises(ModelError, match=r"net.onnx: takes no pictures \(2, 3, 9, 9\)"):
        run_session(session, np.ones((2, 3, 9, 9), np.float32), path=str(path))


def test_without_onnxruntime_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "net.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match=r"net.onnx: got no onnxruntime.* pip install 'primatrix\[onnx\]'$"):
        read_network(path)


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    model = onnx.load(str(write(tmp_path / "net.onnx")))
    onnx.save(
        model,
        str(tmp_path / "outside.onnx"),
        save_as_external_data=True,
        location="weights",
        size_threshold=0,
    )
    with pytest.raises(ModelError, match=r"outside.onnx: its weights lie in another file, wanted all in one"):
        read_network(tmp_path / "outside.onnx")


def test_weights_in_another_file_are_found_in_branches_too(tmp_path: Path) -> None:
    tensor = TensorProto(name="k", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/passwd")
    inner = helper.make_graph([helper.make_node("Constant", [], ["c"], value=tensor)], "inner", [], [])
    outer = helper.make_graph(
        [helper.make_node("If", ["b"], ["y"], then_branch=inner, else_branch=inner)], "outer", [], []
    )
    path = tmp_path / "branch.onnx"
    path.write_bytes(helper.make_model(outer).SerializeToString())
    with pytest.raises(ModelError, match=r"branch.onnx: its weights lie in another file"):
        read_network(path)


def test_weights_in_another_file_are_found_in_sparse_constants_too(tmp_path: Path) -> None:
    node = helper.make_node("Constant", [], ["c"])
    part = node.attribute.add(name="sparse_value", type=onnx.AttributeProto.SPARSE_TENSOR)
    values = part.sparse_tensor.values
    values.data_type, values.data_location = TensorProto.FLOAT, TensorProto.EXTERNAL
    values.external_data.add(key="location", value="weights")
    path = tmp_path / "sparse.onnx"
    path.write_bytes(helper.make_model(helper.make_graph([node], "g", [], [])).SerializeToString())
    with pytest.raises(ModelError, match=r"sparse.onnx: its weights lie in another file"):
        read_network(path)


def test_operators_of_others_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"has operators of its own \(com.other\), wanted standard ones"):
        read_network(write(tmp_path / "net.onnx", domain="com.other"))


def test_a_file_that_is_missing_or_no_onnx_gets_a_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no.onnx: cannot be read \(No such file or directory\)"):
        read_network(tmp_path / "no.onnx")
    (tmp_path / "text.onnx").write_text("not a network")
    with pytest.raises(ModelError, match=r"text.onnx: not readable as ONNX; copy or export it again"):
        read_network(tmp_path / "text.onnx")
    (tmp_path / "empty.onnx").write_bytes(b"")
    with pytest.raises(ModelError, match=r"empty.onnx: onnxruntime cannot run it"):
        start_session(read_network(tmp_path / "empty.onnx"), path=tmp_path / "empty.onnx", threads=1)
