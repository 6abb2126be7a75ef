import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from primatrix import ClipSpec, ModelError
from primatrix.models.keras_weights import read_keras_weights

SHAPES = {
    "conv2d_10": {"kernel:0": (4, 4, 128, 256), "bias:0": (256,)},
    "conv2d_8": {"kernel:0": (3, 3, 1, 64), "bias:0": (64,)},
    "conv2d_9": {"kernel:0": (4, 4, 64, 128), "bias:0": (128,)},
    "dense_3": {"kernel:0": (256, 24), "bias:0": (24,)},
    "lstm_3": {"kernel:0": (256, 1024), "recurrent_kernel:0": (256, 1024), "bias:0": (1024,)},
}


def write_file(path: Path, **changes: dict[str, tuple[int, ...]] | None) -> Path:
    layers = {name: parts for name, parts in {**SHAPES, **changes}.items() if parts is not None}
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        for layer, parts in layers.items():
            for part, shape in parts.items():
                values = rng.normal(0, 0.02, shape).astype(np.float32)
                file.create_dataset(f"model_weights/{layer}/{layer}/{part}", data=values)
    return path


def refuse(path: Path, **options: object) -> str:
    with pytest.raises(ModelError) as caught:
        read_keras_weights(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_layers_are_found_by_shape_whatever_their_names(tmp_path: Path) -> None:
    path = write_file(tmp_path / "model.h5")
    model = read_keras_weights(path, input_scale=0.5)
    assert (model.name, len(model.species), model.options["input_scale"]) == ("lrcn", 24, 0.5)
    with h5py.File(path) as file:
        kernel = file["model_weights/conv2d_9/conv2d_9/kernel:0"][()]
        recurrent = file["model_weights/lstm_3/lstm_3/recurrent_kernel:0"][()]
    state = model.network.state_dict()
    assert np.array_equal(state["convolutions.1.weight"].numpy()[5, 7], kernel[:, :, 7, 5])
    assert np.array_equal(state["lstm.weight_hh_l0"].numpy(), recurrent.T)


def test_files_that_are_not_whole_hdf5_are_refused(tmp_path: Path) -> None:
    assert "no such file" in refuse(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("not HDF5")
    assert "not a whole HDF5 file" in refuse(tmp_path / "text.h5")
    whole = write_file(tmp_path / "model.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    assert "not a whole HDF5 file" in refuse(tmp_path / "cut.h5")
    with h5py.File(tmp_path / "empty.h5", "w"):
        pass
    assert "got 0 convolutions, 0 LSTMs, 0 dense layers" in refuse(tmp_path / "empty.h5")


def test_other_models_are_refused_by_what_they_hold(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    assert "got 2 convolutions" in refuse(write_file(path, conv2d_10=None))
    assert "got 3 convolutions, 1 LSTMs, 2 dense layers of 6" in refuse(
        write_file(path, dense_4={"kernel:0": (24, 24), "bias:0": (24,)})
    )
    gru = {"kernel:0": (256, 768), "recurrent_kernel:0": (256, 768), "bias:0": (768,)}
    assert "weight lstm.bias_ih_l0: got (768,), wanted (1024,)" in refuse(write_file(path, lstm_3=gru))
    norm = {"gamma:0": (3,), "beta:0": (3,)}
    assert "got weights beta:0, gamma:0" in refuse(write_file(path, batch_normalization_1=norm))
    square = {"kernel:0": (3, 3, 64, 64), "bias:0": (64,)}
    assert "each fed by the one before" in refuse(write_file(path, conv2d_10=square))


def test_without_h5py_the_extra_is_named_and_all_else_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_file(tmp_path / "model.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert refuse(path) == f"{path}: h5py, which reads it, is not installed; pip install 'primatrix[h5]'"
    code = "import sys; sys.modules['h5py'] = None; import primatrix\n"
    code += "for name in primatrix.__all__: getattr(primatrix, name)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_species_must_be_named_for_other_numbers_of_outputs(tmp_path: Path) -> None:
    path = write_file(tmp_path / "model.h5", dense_3={"kernel:0": (256, 2), "bias:0": (2,)})
    assert "got 2 outputs, wanted the benchmark's 24; name them with species=[...]" in refuse(path)
    assert read_keras_weights(path, species=["blank", "animal"]).species == ("blank", "animal")
    assert "weight head.bias: got (2,), wanted (3,)" in refuse(path, species=["a", "b", "c"])


def test_spec_must_fit_the_weights(tmp_path: Path) -> None:
    message = refuse(write_file(tmp_path / "model.h5"), spec=ClipSpec(15, 64, 64))
    assert "weight lstm.weight_ih_l0: got (1024, 256), wanted (1024, 43264)" in message
