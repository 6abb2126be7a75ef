import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from primatrix import ClipSpec, ModelError
from primatrix.models import build_model, list_models, load_model
from primatrix.training import train

NANO = ClipSpec(15, 16, 16)


def test_same_seed_gives_the_same_weights_and_leaves_torchs_state_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    one, two, other = (build_model("lrcn", species=["a"], spec=NANO, seed=s) for s in (3, 3, 4))
    assert torch.equal(torch.rand(1), expected)
    weights = [m.network.state_dict()["head.weight"] for m in (one, two, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "resnet"}, "architecture: got 'resnet', wanted one of backbone, conv3d, lrcn, motion"),
        ({"depth": 3}, "lrcn: got option depth, wanted one of input_scale, frame_dropout, lstm_dropout"),
        ({"species": []}, r"species: got \[\], wanted a list of one or more names, none twice"),
        ({"species": "ab"}, "species: got 'ab', wanted a list"),
        ({"species": ["a", "a"]}, "none twice"),
    ],
)
def test_what_cannot_be_built_is_refused(change: dict, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        build_model(**{"name": "lrcn", "species": ["a"], "spec": NANO, **change})


def test_clips_of_another_size_are_refused() -> None:
    model = build_model("lrcn", species=["a"], spec=NANO)
    with pytest.raises(ModelError, match=r"got clips 2x15x16x17x1, wanted \(any number\)x15x16x16x1"):
        model.probabilities(np.zeros((2, 15, 16, 17, 1), np.uint8))


def test_probabilities_are_the_sigmoid_of_the_logits() -> None:
    model = build_model("lrcn", species=["a", "b"], spec=NANO)
    model.network.train()
    x = np.random.default_rng(0).integers(0, 256, (3, *NANO.shape), np.uint8)
    p = model.probabilities(x)
    assert model.network.training
    assert (p.dtype, p.shape) == (np.float32, (3, 2))
    model.network.eval()
    with torch.no_grad():
        np.testing.assert_allclose(p, model(torch.from_numpy(x)).sigmoid().numpy(), atol=1e-5)


def test_saved_model_comes_back_whole(tmp_path: Path) -> None:
    spec = ClipSpec(4, 20, 24, "rgb", "keyframes", (0.1, 0.2))
    model = build_model("lrcn", species=["okapi", "blank"], spec=spec, seed=5, input_scale=1 / 255)
    model.scores = {"val_loss": 0.0903}
    model.clip_seconds = 15.0
    model.save(tmp_path / "new" / "folder")
    back = load_model(tmp_path / "new" / "folder")
    assert (back.name, back.species, back.spec, back.scores) == (
        "lrcn", ("okapi", "blank"), spec, {"val_loss": 0.0903},
    )  # fmt: skip
    assert back.clip_seconds == 15.0
    assert back.options == {"input_scale": 1 / 255, "frame_dropout": 0.2, "lstm_dropout": 0.5}
    x = np.random.default_rng(0).integers(0, 256, (2, *spec.shape), np.uint8)
    assert np.array_equal(back.probabilities(x), model.probabilities(x))


def test_layer_table_prints_the_benchmarks_total() -> None:
    table = build_model("lrcn", species=[str(i) for i in range(24)], spec=NANO).layer_table()
    assert table.splitlines()[-1] == "Total params: 1,187,864"
    assert "time_distributed_1 (Conv2D)      (None, 15, 14, 14, 64)           640" in table


def test_every_listed_model_can_be_built() -> None:
    for name in set(list_models()) - {"backbone"}:  # which wants pretrained weights
        assert build_model(name, species=["a", "b"], spec=NANO).name == name


class Noise:
    """Endless batches of clips of noise; `stop_at` breaks off as a kill would."""

    num_batches, num_val_batches = 3, 1

    def __init__(self, spec: ClipSpec, *, stop_at: int | None = None) -> None:
        self.spec, self.stop_at = spec, stop_at

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for i in itertools.count():
            if i == self.stop_at:
                raise KeyboardInterrupt
            rng = np.random.default_rng(i)
            yield (
                rng.integers(0, 256, (4, *self.spec.shape), np.uint8),
                np.eye(2, dtype=np.float32)[[0, 1, 1, 0]],
            )

    def val_batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return Noise(self.spec).batches()


@pytest.mark.parametrize("name", ["conv3d", "motion"])
def test_a_broken_off_run_ends_with_the_same_weights(name: str, tmp_path: Path) -> None:
    spec = ClipSpec(10, 16, 16, "rgb")
    settings = {"epochs": 2, "optimiser": "adamw", "ema": 0.5, "checkpoint_steps": 2, "device": "cpu"}
    models = [build_model(name, species=["a", "b"], spec=spec) for _ in range(2)]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        train(models[0], Noise(spec), folder=tmp_path / "whole", **settings)
        with pytest.raises(KeyboardInterrupt):
            train(models[1], Noise(spec, stop_at=5), folder=tmp_path / "broken", **settings)
        models[1] = build_model(name, species=["a", "b"], spec=spec)
        train(models[1], Noise(spec), folder=tmp_path / "broken", **settings)
    finally:
        torch.set_num_threads(threads)
    weights = [model.network.state_dict() for model in models]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert not torch.equal(
        weights[0]["head.bias"], build_model(name, species=["a", "b"], spec=spec).network.head.bias
    )


def test_options_of_another_kind_are_refused() -> None:
    with pytest.raises(ModelError, match=r"motion: width: got 24\.5, wanted a whole number"):
        build_model("motion", species=["a"], spec=ClipSpec(5, 32, 32), width=24.5)
    with pytest.raises(ModelError, match=r"motion: got \{'width': 'wide'}, wanted numbers"):
        build_model("motion", species=["a"], spec=ClipSpec(5, 32, 32), width="wide")
