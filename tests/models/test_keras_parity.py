"""The benchmark's model in real Keras 3, beside ours: weights read, probabilities, training steps, initial weights."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from primatrix import ClipSpec, ModelError
from primatrix.labels import BENCHMARK_SPECIES
from primatrix.models import Model, build_model
from primatrix.models.keras_weights import read_keras_weights
from primatrix.models.lrcn import Lrcn
from primatrix.training import TrainSpec, train

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")
if keras.backend.backend() != "torch":
    pytest.skip("Keras is here, but not on its torch backend", allow_module_level=True)
pytestmark = pytest.mark.filterwarnings("ignore:The given NumPy array is not writable:UserWarning")

NANO = ClipSpec(15, 16, 16)


def build_in_keras(spec: ClipSpec = NANO, *, frame_dropout: float = 0.2, lstm_dropout: float = 0.5) -> Any:
    layers = keras.layers
    per_frame = [
        layers.Conv2D(64, (3, 3), activation="relu"),
        layers.MaxPooling2D((2, 2), strides=(1, 1)),
        layers.Conv2D(128, (4, 4), activation="relu"),
        layers.MaxPooling2D((2, 2), strides=(2, 2)),
        layers.Conv2D(256, (4, 4), activation="relu"),
        layers.MaxPooling2D((2, 2), strides=(2, 2)),
        layers.Flatten(),
        layers.Dropout(frame_dropout),
    ]
    return keras.Sequential([
        keras.Input(spec.shape),
        *[layers.TimeDistributed(layer) for layer in per_frame],
        layers.LSTM(256, dropout=lstm_dropout),
        layers.Dense(24, activation="sigmoid"),
    ])  # fmt: skip


def draw_clips(count: int, *, spec: ClipSpec = NANO, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *spec.shape), np.uint8)


def ask_keras(model: Any, x: np.ndarray) -> np.ndarray:
    return np.asarray(model.predict_on_batch(x.astype(np.float32)))


@pytest.fixture(scope="module")
def in_keras() -> Any:
    """The benchmark's model, trained a step so that no bias is zero, and compiled as the benchmark's was."""
    model = build_in_keras()
    model.compile(optimizer=keras.optimizers.RMSprop(learning_rate=1e-3), loss="binary_crossentropy")
    y = (np.random.default_rng(1).random((8, 24)) < 0.2).astype(np.float32)
    model.train_on_batch(draw_clips(8).astype(np.float32), y)
    return model


@pytest.mark.parametrize("name", ["model.h5", "model.weights.h5"])
def test_file_that_keras_3_wrote_gives_equal_probabilities(in_keras: Any, tmp_path: Path, name: str) -> None:
    save = in_keras.save if name == "model.h5" else in_keras.save_weights
    save(tmp_path / name)
    ours = read_keras_weights(tmp_path / name)
    assert (ours.species, ours.spec) == (BENCHMARK_SPECIES, NANO)
    x = draw_clips(16, seed=2)
    np.testing.assert_allclose(ours.probabilities(x), ask_keras(in_keras, x), atol=1e-5, rtol=0)


def write_keras_2(path: Path, model: Any, *, group: str, cell: str = "") -> None:
    """The layout Keras 2 used, with layer names numbered on from earlier models of the same session."""
    with h5py.File(path, "w") as file:
        root = file.create_group(group) if group else file
        names = []
        for i, layer in enumerate(model.layers):
            kind = layer.name.rstrip("0123456789").rstrip("_")
            name = f"{kind}_{i + 8}"
            names.append(name.encode())
            weights = dict(zip(("kernel", "bias"), layer.get_weights(), strict=False))
            if len(layer.get_weights()) == 3:
                weights = dict(zip(("kernel", "recurrent_kernel", "bias"), layer.get_weights(), strict=True))
            inner = f"{name}/{cell}" if kind == "lstm" and cell else name
            layer_group = root.create_group(name)
            layer_group.attrs["weight_names"] = [f"{inner}/{part}:0".encode() for part in weights]
            for part, values in weights.items():
                layer_group.create_dataset(f"{inner}/{part}:0", data=values)
        root.attrs["layer_names"] = names
        root.attrs["keras_version"] = b"2.0.8"
        if group:
            file.create_group("optimizer_weights/training/RMSprop").create_dataset("Variable:0", data=[1.0])


@pytest.mark.parametrize("group", ["model_weights", ""])
@pytest.mark.parametrize("cell", ["", "lstm_cell_3"])
def test_file_as_keras_2_wrote_it_gives_equal_probabilities(
    in_keras: Any, tmp_path: Path, group: str, cell: str
) -> None:
    write_keras_2(tmp_path / "benchmark-model.h5", in_keras, group=group, cell=cell)
    ours = read_keras_weights(tmp_path / "benchmark-model.h5")
    x = draw_clips(4, seed=3)
    np.testing.assert_allclose(ours.probabilities(x), ask_keras(in_keras, x), atol=1e-5, rtol=0)


def test_larger_colour_clips_flatten_in_keras_order(tmp_path: Path) -> None:
    spec = ClipSpec(2, 24, 30, "rgb")
    theirs = build_in_keras(spec)
    theirs.save_weights(tmp_path / "model.weights.h5")
    ours = read_keras_weights(tmp_path / "model.weights.h5", spec=spec)
    x = draw_clips(4, spec=spec)
    np.testing.assert_allclose(ours.probabilities(x), ask_keras(theirs, x), atol=1e-5, rtol=0)
    with pytest.raises(ModelError, match=r"weight convolutions.0.weight: got \(64, 3, 3, 3\), wanted"):
        read_keras_weights(tmp_path / "model.weights.h5")


def copy_to_keras(ours: Model, theirs: Any) -> None:
    """Our weights as Keras lists them."""
    network: Lrcn = ours.network
    values = []
    for convolution in network.convolutions:
        values += [convolution.weight.permute(2, 3, 1, 0), convolution.bias]
    lstm, head = network.lstm, network.head
    values += [lstm.weight_ih_l0.T, lstm.weight_hh_l0.T, lstm.bias_ih_l0, head.weight.T, head.bias]
    theirs.set_weights([value.detach().numpy() for value in values])


class Batches:
    """Five batches, in the same order for both."""

    num_batches, num_val_batches = 5, 0

    def __init__(self, scale: float) -> None:
        rng = np.random.default_rng(5)
        self.scale = scale
        self.drawn = [
            (draw_clips(4, seed=10 + i) * np.float32(scale), (rng.random((4, 24)) < 0.1).astype(np.float32))
            for i in range(5)
        ]

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        while True:
            yield from self.drawn

    val_batches = batches


# Unscaled pixels saturate the LSTM, which multiplies rounding differences from step to step: compared for one step.
@pytest.mark.parametrize(("scale", "steps", "tolerance"), [(1 / 255, 5, 1e-6), (1.0, 1, 2e-5)])
def test_training_steps_match_keras(scale: float, steps: int, tolerance: float) -> None:
    ours = build_model("lrcn", species=BENCHMARK_SPECIES, spec=NANO, frame_dropout=0.0, lstm_dropout=0.0)
    theirs, after = (build_in_keras(frame_dropout=0.0, lstm_dropout=0.0) for _ in range(2))
    copy_to_keras(ours, theirs)
    before = theirs.get_weights()
    theirs.compile(optimizer=keras.optimizers.RMSprop(learning_rate=1e-3), loss="binary_crossentropy")
    data = Batches(scale)
    fitted = theirs.fit(data.batches(), steps_per_epoch=steps, epochs=1, shuffle=False, verbose=0)
    spec = TrainSpec(epochs=1, steps_per_epoch=steps, device="cpu", precision="fp32")
    history = train(ours, data, spec=spec)
    assert history.history["loss"] == pytest.approx(fitted.history["loss"], rel=1e-5)
    copy_to_keras(ours, after)
    for start, got, want in zip(before, after.get_weights(), theirs.get_weights(), strict=True):
        assert np.abs(want - start).max() > 1e-3
        np.testing.assert_allclose(got, want, atol=tolerance, rtol=0)


def test_initial_weights_are_distributed_as_keras_draws_them() -> None:
    theirs = build_in_keras()
    ours_in_keras = build_in_keras()
    copy_to_keras(build_model("lrcn", species=BENCHMARK_SPECIES, spec=NANO), ours_in_keras)
    assert theirs.count_params() == 1_187_864
    for got, want in zip(ours_in_keras.get_weights(), theirs.get_weights(), strict=True):
        assert got.shape == want.shape
        assert got.std() == pytest.approx(want.std(), rel=0.1)
        assert got.mean() == pytest.approx(
            float(want.mean()), abs=float(6 * want.std() / want.size**0.5 + 1e-9)
        )
        if want.ndim != 2 or want.shape != (256, 1024):  # the orthogonal kernel is not bounded alike
            assert np.abs(got).max() == pytest.approx(np.abs(want).max(), rel=0.06)
    for model in (theirs, ours_in_keras):
        recurrent = model.get_weights()[7]
        np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(256), atol=1e-5)
