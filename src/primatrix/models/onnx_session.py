"""Networks in ONNX, run by onnxruntime on the CPU: with torch's number of threads, and as safe to copy as bytes."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from primatrix.video import run_session, start_session

__all__ = ["OnnxSession"]


class OnnxSession:
    """A network's ONNX bytes with the session that runs them, made when first asked for.

    It is made again where torch was given another number of threads. Copies and pickles hold the bytes alone; `path` is
    for messages. Raises ImportError without onnxruntime, ModelError where it cannot run the network.
    """

    def __init__(self, data: bytes, *, path: str) -> None:
        self.data, self.path = data, path
        self.threads = 0
        self.made: Any = None  # Any: onnxruntime, not typed here

    def __getstate__(self) -> dict[str, Any]:  # Any: values of several types
        return {"data": self.data, "path": self.path, "threads": 0, "made": None}

    def open(self) -> Any:  # Any: onnxruntime, not typed here
        """The session, with as many threads as torch has now."""
        threads = torch.get_num_threads()
        if self.made is None or self.threads != threads:
            self.made, self.threads = start_session(self.data, path=self.path, threads=threads), threads
        return self.made

    def run(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """The first output for the first input."""
        session = self.open()
        first: NDArray[np.float32] = run_session(
            session, x, path=self.path, names=[session.get_outputs()[0].name]
        )[0]
        return first
