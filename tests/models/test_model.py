import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from primatrix import ClipSpec, ModelError
from primatrix.models import build_model
from primatrix.training import train

NANO = ClipSpec(15, 16, 16)


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


def test_layer_table_prints_the_benchmarks_total() -> None:
    table = build_model("lrcn", species=[str(i) for i in range(24)], spec=NANO).layer_table()
    assert table.splitlines()[-1] == "Total params: 1,187,864"
    assert "time_distributed_1 (Conv2D)      (None, 15, 14, 14, 64)           640" in table


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
