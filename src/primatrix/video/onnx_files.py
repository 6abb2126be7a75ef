"""Networks in ONNX files, opened by onnxruntime: one file, standard operators, no code. No torch."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from primatrix.errors import ModelError

__all__ = ["read_network", "run_session", "start_session"]

# Operators of the standard, of its classical models, and of onnxruntime itself: none brings code of its own.
DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")


def read_network(path: str | Path) -> bytes:
    """The bytes of an ONNX file, once looked through: one file of standard operators, not run yet.

    Raises ModelError where it is none, and where onnxruntime and onnx are not installed.
    """
    try:
        import onnx
        import onnxruntime  # noqa: F401  # without it nothing comes of the file
        from google.protobuf.message import DecodeError  # onnx brings it
    except ImportError:
        raise ModelError(
            f"{path}: got no onnxruntime, wanted it to be installed; run pip install 'primatrix[onnx]'"
        ) from None
    try:
        data = Path(path).read_bytes()
        network = onnx.load_model_from_string(data)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
    except DecodeError:
        raise ModelError(f"{path}: not readable as ONNX; copy or export it again") from None
    refuse_foreign(network, path=path)
    return data


def start_session(data: bytes, *, path: str | Path, threads: int) -> Any:  # Any: an optional library
    """A session of onnxruntime, on so many threads of the processor, that says nothing, to nobody.

    `path` is for messages. Raises ModelError where onnxruntime cannot run the network.
    """
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # builds for Windows tell Microsoft what runs
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    # Threads that wait in a loop win nothing at few pictures, and take the processor from those that decode.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except list_errors() as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"{path}: onnxruntime cannot run it ({reason}); export it again") from None


def run_session(
    session: Any, pictures: Any, *, path: str, names: Sequence[str] = ()
) -> list[Any]:  # Any: an optional library, not typed here
    """The outputs of these names for these pictures, all outputs where none is named."""
    try:
        return list(session.run(list(names) or None, {session.get_inputs()[0].name: pictures}))
    except list_errors() as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"{path}: takes no pictures {pictures.shape} ({reason}); export it again") from None


def list_errors() -> tuple[type[Exception], ...]:
    """All that onnxruntime raises: its errors have no common ancestor of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as names

    kinds = vars(names).values()
    return tuple(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Exception))


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
