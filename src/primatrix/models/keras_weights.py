"""Reads the weights of the benchmark's model as Keras saved them.

h5py is asked for when a file is read, never on import; the extra `h5` brings it.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from primatrix.errors import ModelError
from primatrix.labels import BENCHMARK_SPECIES
from primatrix.models.model import Model, load_weights
from primatrix.models.registry import build_model
from primatrix.records import ClipSpec

__all__ = ["read_keras_weights"]

Array = NDArray[np.float32]
LSTM_PARTS = ("kernel", "recurrent_kernel", "bias")
# Groups of a Keras file that hold no weights of layers: the optimiser's moments, and an empty group.
SKIPPED = {"optimizer", "optimizer_weights", "top_level_model_weights"}


def read_keras_weights(
    path: Path | str,
    *,
    species: Sequence[str] | None = None,
    spec: ClipSpec | None = None,
    input_scale: float = 1.0,
) -> Model:
    """An LRCN with the weights of a Keras 2 or 3 `.h5` or `.weights.h5` file.

    Whole models and weights alone are read, whatever their layers are called: layers are told apart by the
    shapes of their weights. `species` default to the benchmark's 24 where the file has 24 outputs, `spec` to
    15x16x16 grey. Sources: keras.src.legacy.saving.legacy_h5_format and keras.src.saving.saving_lib.

    Raises ModelError where the file is missing, is not HDF5, holds another model or one for other species, and without
    h5py.

    >>> read_keras_weights("no-such-file.h5")
    Traceback (most recent call last):
        ...
    primatrix.errors.ModelError: no-such-file.h5: no such file; wanted a model saved by Keras as .h5
    """
    path = Path(path)
    layers = read_layers(path)
    convolutions = order_convolutions([layer for layer in layers if layer["kernel"].ndim == 4], path=path)
    recurrent = [layer for layer in layers if "recurrent_kernel" in layer]
    dense = [layer for layer in layers if "recurrent_kernel" not in layer and layer["kernel"].ndim == 2]
    if (len(convolutions), len(recurrent), len(dense), len(layers)) != (3, 1, 1, 5):
        got = f"{len(convolutions)} convolutions, {len(recurrent)} LSTMs, {len(dense)} dense layers"
        raise ModelError(f"{path}: got {got} of {len(layers)} layers, wanted LRCN's 3, 1 and 1 of 5")
    if species is None:
        species = default_species(dense[0]["kernel"].shape[1], path=path)
    model = build_model("lrcn", species=species, spec=spec or ClipSpec(15, 16, 16), input_scale=input_scale)
    load_weights(model, weights=to_torch([*convolutions, *recurrent, *dense]), source=str(path))
    return model


def default_species(outputs: int, *, path: Path) -> Sequence[str]:
    """The benchmark's species where the number fits; ModelError asking for names where it does not."""
    if outputs != len(BENCHMARK_SPECIES):
        wanted = f"the benchmark's {len(BENCHMARK_SPECIES)}"
        raise ModelError(f"{path}: got {outputs} outputs, wanted {wanted}; name them with species=[...]")
    return BENCHMARK_SPECIES


def read_layers(path: Path) -> list[dict[str, Array]]:
    """The weights of each layer that has any, by part (kernel, recurrent_kernel, bias), in no set order."""
    if not path.is_file():
        raise ModelError(f"{path}: no such file; wanted a model saved by Keras as .h5")
    try:
        import h5py
    except ImportError as error:
        raise ModelError(
            f"{path}: h5py, which reads it, is not installed; pip install 'primatrix[h5]'"
        ) from error
    found: dict[str, dict[str, Array]] = {}

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset) and not SKIPPED & set(name.split("/")):
            layer, _, part = name.rpartition("/")
            found.setdefault(layer, {})[part] = np.asarray(item, np.float32)

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except (OSError, ValueError, RuntimeError) as error:  # h5py raises all three on damaged files
        reason = str(error).partition("\n")[0]
        raise ModelError(
            f"{path}: not a whole HDF5 file ({reason}); wanted a Keras .h5, copy it again"
        ) from None
    return [name_parts(parts, layer=layer, path=path) for layer, parts in sorted(found.items())]


def name_parts(parts: dict[str, Array], *, layer: str, path: Path) -> dict[str, Array]:
    """One layer's weights as kernel, recurrent_kernel and bias.

    Keras 2 calls them `kernel:0`, Keras 3 `kernel` in .h5 and `0`, `1`, `2` in .weights.h5.
    """
    names = {name: re.sub(r":\d+$", "", name) for name in parts}
    if all(name.isdecimal() for name in names.values()):
        order = LSTM_PARTS if len(parts) == 3 else ("kernel", "bias")
        names = dict(zip(sorted(parts, key=int), order, strict=False))
    named = {names[name]: values for name, values in parts.items() if name in names}
    if set(named) not in ({"kernel", "bias"}, set(LSTM_PARTS)) or len(named) != len(parts):
        got, wanted = ", ".join(sorted(parts)), "kernel, bias and, in the LSTM, recurrent_kernel"
        raise ModelError(f"{path}: layer {layer}: got weights {got}, wanted {wanted}; this is not an LRCN")
    return named


def order_convolutions(layers: list[dict[str, Array]], *, path: Path) -> list[dict[str, Array]]:
    """Convolutions (h, w, in, out) in the order they follow: each takes what the one before gives."""
    inputs = {layer["kernel"].shape[2]: layer for layer in layers}
    outputs = {layer["kernel"].shape[3] for layer in layers}
    channels = next((c for c in sorted(inputs) if c not in outputs), None)
    ordered = []
    while channels in inputs:
        ordered.append(inputs.pop(channels))
        channels = ordered[-1]["kernel"].shape[3]
    if len(ordered) != len(layers):
        shapes = ", ".join(str(layer["kernel"].shape) for layer in layers)
        raise ModelError(f"{path}: got convolutions {shapes}, wanted LRCN's, each fed by the one before")
    return ordered


def to_torch(layers: list[dict[str, Array]]) -> dict[str, torch.Tensor]:
    """LRCN's tensors from three convolutions, the LSTM and the dense layer, in this order.

    Keras keeps kernels as (h, w, in, out) and (in, out), torch as (out, in, h, w) and (out, in). The LSTM's
    gates lie in the same order in both.
    """
    *convolutions, lstm, dense = layers
    arrays: dict[str, Array] = {}
    for i, layer in enumerate(convolutions):
        arrays[f"convolutions.{i}.weight"] = layer["kernel"].transpose(3, 2, 0, 1)
        arrays[f"convolutions.{i}.bias"] = layer["bias"]
    arrays["lstm.weight_ih_l0"] = lstm["kernel"].T
    arrays["lstm.weight_hh_l0"] = lstm["recurrent_kernel"].T
    arrays["lstm.bias_ih_l0"] = lstm["bias"]
    arrays["head.weight"] = dense["kernel"].T
    arrays["head.bias"] = dense["bias"]
    return {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
