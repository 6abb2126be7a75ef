"""Training stopped or killed at any step and run again ends with the bits of an undisturbed run."""

import dataclasses
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from primatrix import ClipSpec, ModelError
from primatrix.data import Dataset, Sampling
from primatrix.models import Model, build_model, load_model, read_state
from primatrix.records import Progress
from primatrix.training.augmentation import Augmentation
from primatrix.training.loop import train
from primatrix.training.recipe import History, TrainSpec

SPEC = ClipSpec(2, 16, 16)
AUGMENTED = Augmentation(flip=0.5, crop=0.2, brightness=0.1, gamma=0.2, jitter=0.3, drop=0.2)
PLAIN = TrainSpec(epochs=2, steps_per_epoch=3, validation_steps=2, device="cpu", checkpoint_steps=1)
FULL = TrainSpec(
    epochs=3, steps_per_epoch=3, validation_steps=2, device="cpu", checkpoint_steps=2, precision="fp32",
    optimiser="adamw", weight_decay=0.1, schedule="cosine", warmup=0.3, gradient_clip=0.5, accumulate=2, ema=0.9,
    label_smoothing=0.01, bootstrap=0.1, augmentation=AUGMENTED, keep="best", patience=2,
)  # fmt: skip


MUON = dataclasses.replace(FULL, optimiser="muon")
KILLS = 8


class Noise:
    """Batch number i follows from i alone."""

    num_batches, num_val_batches = 4, 2

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


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Sums come out in another order on another number of threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make_model(*, seed: int = 0) -> Model:
    return build_model("lrcn", species=["a", "b"], spec=SPEC, seed=seed, input_scale=1 / 255)


def equal_weights(one: Model, two: Model) -> bool:
    weights, others = one.network.state_dict(), two.network.state_dict()
    return all(torch.equal(weights[name], others[name]) for name in weights)


def losses(history: History) -> list[tuple[float, float]]:
    return [(epoch.loss, epoch.val_loss) for epoch in history.epochs]


class StopError(Exception):
    pass


def stop_at(step: int) -> Callable[[Progress], None]:
    def stop(progress: Progress) -> None:
        if progress.done == step:
            raise StopError

    return stop


@pytest.mark.parametrize("spec", [PLAIN, dataclasses.replace(PLAIN, precision="bf16"), FULL, MUON])
def test_stopped_at_every_single_step_training_ends_bit_equal(tmp_path: Path, spec: TrainSpec) -> None:
    whole = make_model()
    expected = train(whole, Noise(), spec=spec)
    for step in range(1, len(expected.epochs) * 3 + 1):
        with pytest.raises(StopError):
            train(make_model(), Noise(), spec=spec, folder=tmp_path, on_progress=stop_at(step))
    again = make_model(seed=99)  # its weights are replaced
    history = train(again, Noise(), spec=spec, folder=tmp_path)
    assert losses(history) == losses(expected)
    assert equal_weights(again, whole)
    assert equal_weights(load_model(tmp_path), whole)
    assert again.scores == whole.scores


def test_sampled_clips_go_on_where_they_stopped(make_video: Callable[..., Path], tmp_path: Path) -> None:
    names = [f"{i}.avi" for i in range(24)]
    for i, name in enumerate(names):
        make_video(tmp_path / "clips" / name if (tmp_path / "clips").is_dir() else mkdir(tmp_path / "clips") / name,
                   frames=3 + i, size=(16, 16), codec="mpeg4")  # fmt: skip
    rows = [(name, "a" if i % 8 == 0 else "b") for i, name in enumerate(names)]
    pd.DataFrame(rows, columns=["filepath", "label"]).to_csv(tmp_path / "labels.csv", index=False)

    def open_data() -> Dataset:
        return Dataset.from_folder(
            tmp_path / "clips",
            SPEC,
            labels=tmp_path / "labels.csv",
            batch_size=5,
            workers=0,
            store=tmp_path / "s",
        )

    spec = dataclasses.replace(
        FULL, steps_per_epoch=None, validation_steps=None, sampling=Sampling(threshold=0.9)
    )
    whole, again = make_model(), make_model()
    expected = train(whole, open_data(), spec=spec)
    for step in (1, 3, 4):
        with pytest.raises(StopError):
            train(make_model(), open_data(), spec=spec, folder=tmp_path / "run", on_progress=stop_at(step))
    assert losses(train(again, open_data(), spec=spec, folder=tmp_path / "run")) == losses(expected)
    assert equal_weights(again, whole)


def test_a_run_whose_labels_were_corrected_is_not_gone_on_with(tmp_path: Path) -> None:
    class Labelled(Noise):
        def __init__(self, labels: pd.DataFrame) -> None:
            self.labels = labels

    labels = pd.DataFrame({"a": [1.0, 0.0]}, index=["x.mp4", "y.mp4"])
    train(make_model(), Labelled(labels), spec=PLAIN, folder=tmp_path)
    train(make_model(), Labelled(labels.copy()), spec=PLAIN, folder=tmp_path)
    with pytest.raises(
        ModelError, match=r"a run with (labels and validating clips) \w{8}; got \1 \w{8}; use the same"
    ):
        train(make_model(), Labelled(1 - labels), spec=PLAIN, folder=tmp_path)


def mkdir(path: Path) -> Path:
    path.mkdir()
    return path


# Loads torch once, then trains in forks of itself, each killed after so many seconds as a line says.
SERVER = """
import importlib.util, os, signal, sys, time
import torch
from pathlib import Path
spec = importlib.util.spec_from_file_location("snapshot", {file!r})
snapshot = importlib.util.module_from_spec(spec)
spec.loader.exec_module(snapshot)
torch.set_num_threads(1)
print(0, flush=True)  # ready
for line in sys.stdin:
    seconds, folder = line.split(maxsplit=1)
    child = os.fork()
    if child == 0:
        snapshot.train(snapshot.make_model(), snapshot.Noise(), spec=snapshot.FULL, folder=folder.strip())
        os._exit(0)
    if float(seconds) >= 0:
        time.sleep(float(seconds))
        os.kill(child, signal.SIGKILL)  # not yet waited for, so the number is still its own
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL and fork")
def test_killed_at_random_moments_training_ends_bit_equal(tmp_path: Path) -> None:
    code = SERVER.format(file=__file__)
    moments, places = random.Random(0), set()
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None

        def run(seconds: float, folder: Path) -> int:
            server.stdin.write(f"{seconds} {folder}\n")
            server.stdin.flush()
            return int(server.stdout.readline())

        assert server.stdout.readline() == "0\n"
        began = time.perf_counter()
        assert run(-1, tmp_path / "whole") == 0
        seconds = time.perf_counter() - began
        for kill in range(10 * KILLS):  # on a busy machine, as many as it takes to meet two steps
            if kill >= KILLS and len(places) >= 2:
                break
            if run(moments.uniform(0, seconds), tmp_path / f"killed{kill % 2}") == 0:
                continue
            state = tmp_path / f"killed{kill % 2}" / "training.safetensors"
            places.add(read_state(state)[1]["step"] if state.is_file() else 0)
            if (state.parent / "model.json").is_file():
                load_model(state.parent)  # the old one or the new one, and always whole
        assert run(-1, tmp_path / "killed0") == run(-1, tmp_path / "killed1") == 0
    assert len(places) >= 2
    whole, *killed = (load_model(tmp_path / name) for name in ("whole", "killed0", "killed1"))
    assert all(equal_weights(whole, one) and whole.scores == one.scores for one in killed)
