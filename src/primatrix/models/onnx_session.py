"""Networks in ONNX, run by onnxruntime on the CPU: with torch's number of threads, and as safe to copy as bytes."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["OnnxSession", "list_errors"]


class OnnxSession:
    """A network's ONNX bytes with the session that runs them, made when first asked for.

    It is made again where torch was given another number of threads. Copies and pickles hold the bytes alone. Raises
    ImportError without onnxruntime, and those of `list_errors` where it cannot run the network.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.threads = 0
        self.made: Any = None  # Any: onnxruntime, not typed here

    def __getstate__(self) -> dict[str, Any]:  # Any: values of several types
        return {"data": self.data, "threads": 0, "made": None}

    def open(self) -> Any:  # Any: onnxruntime, not typed here
        """The session, with as many threads as torch has now."""
        threads = torch.get_num_threads()
        if self.made is None or self.threads != threads:
            self.made, self.threads = make_session(self.data, threads=threads), threads
        return self.made

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """The first output for the first input."""
        session = self.open()
        first: NDArray[np.float32] = session.run(
            [session.get_outputs()[0].name], {session.get_inputs()[0].name: x}
        )[0]
        return first


def make_session(data: bytes, *, threads: int) -> Any:  # Any: onnxruntime, not typed here
    """A session on the CPU that says nothing, to nobody."""
    import onnxruntime

    onnxruntime.disable_telemetry_events()  # builds for Windows tell Microsoft what runs
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    # Threads that wait in a loop win nothing at few pictures, and take the processor from those that decode.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def list_errors() -> tuple[type[Exception], ...]:
    """All that onnxruntime raises: its errors have no common ancestor of their own."""
    from onnxruntime.capi import onnxruntime_pybind11_state as names

    kinds = vars(names).values()
    return tuple(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Exception))
