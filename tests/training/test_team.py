import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from primatrix import ClipSpec, InputError
from primatrix.models import Model, build_model, load_model, read_state
from primatrix.training.loop import train
from primatrix.training.recipe import TrainSpec
from primatrix.training.team import gather_team, is_leader

SPEC = ClipSpec(2, 16, 16)
RECIPE = TrainSpec(
    epochs=2, steps_per_epoch=3, validation_steps=3, device="cpu", precision="fp32", optimiser="adamw", ema=0.9,
    gradient_clip=0.5, keep="best",
)  # fmt: skip


class Noise:
    """Batch number i follows from i alone."""

    num_batches, num_val_batches = 12, 3

    def draw(self, *seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        return rng.integers(0, 256, (4, *SPEC.shape), np.uint8), rng.integers(0, 2, (4, 2)).astype(np.float32)

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        i = 0
        while True:
            yield self.draw(0, i)
            i += 1

    def val_batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        i = 0
        while True:
            yield self.draw(1, i)
            i += 1


def make_model() -> Model:
    return build_model("lrcn", species=["a", "b"], spec=SPEC, input_scale=1 / 255)


SCRIPT = """
import dataclasses, importlib.util, logging, os, sys, warnings
import torch
logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")
spec = importlib.util.spec_from_file_location("parallel_test", {file!r})
case = importlib.util.module_from_spec(spec)
spec.loader.exec_module(case)
torch.set_num_threads(1)
told = []
case.train(case.make_model(), case.Noise(), spec=dataclasses.replace(case.RECIPE, devices=2), folder={folder!r},
           on_progress=told.append)
os.write(1, f"{{case.is_leader()}} {{len(told)}}\\n".encode())  # at once: lines of two processes must not mix
"""


def test_two_processes_give_the_weights_of_two_accumulated_batches(tmp_path: Path) -> None:
    pytest.importorskip("lightning_fabric")
    script = tmp_path / "run.py"
    script.write_text(SCRIPT.format(file=__file__, folder=str(tmp_path / "two")))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env=environment, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert sorted(line for line in done.stdout.splitlines() if line.split()[0] in ("True", "False")) == [
        "False 0", "True 6",
    ]  # fmt: skip
    alone = make_model()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    expected = train(alone, Noise(), spec=RECIPE, accumulate=2)
    torch.set_num_threads(threads)
    two = load_model(tmp_path / "two")
    for name, weight in alone.network.state_dict().items():
        torch.testing.assert_close(two.network.state_dict()[name], weight, rtol=1e-4, atol=1e-5)
    epochs = read_state(tmp_path / "two" / "training.safetensors")[1]["epochs"]
    for got, want in zip(epochs, expected.epochs, strict=True):
        assert (got["loss"], got["val_loss"]) == pytest.approx((want.loss, want.val_loss), rel=1e-4)


def test_two_processes_keep_the_same_statistics_of_batch_norms(tmp_path: Path) -> None:
    pytest.importorskip("lightning_fabric")
    script = tmp_path / "run.py"
    text = SCRIPT.format(file=__file__, folder=str(tmp_path / "two"))
    script.write_text(
        text.replace("case.make_model()", "model", 1).replace(
            "told = []",
            "told = []; model = case.build_model('motion', species=['a', 'b'], spec=case.SPEC, width=4)",
        )
        + "means = [w.sum().item() for name, w in model.network.state_dict().items() if 'running' in name]\n"
        + "os.write(1, f'means {sum(map(abs, means))}\\n'.encode())\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env=environment, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    means = [line for line in done.stdout.splitlines() if line.startswith("means")]
    assert len(means) == 2
    assert len(set(means)) == 1


def test_several_processors_without_lightning_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    with pytest.raises(
        InputError, match=r"devices: got 2, which needs Lightning Fabric; install primatrix\[lightning\]"
    ):
        train(make_model(), Noise(), spec=RECIPE, devices=2)
    assert is_leader()


def test_one_processor_is_a_team_by_itself() -> None:
    from primatrix.models import choose_processor

    team = gather_team(choose_processor("cpu"), size=1)
    assert (team.rank, team.size, team.add_up([1.5])) == (0, 1, [1.5])
