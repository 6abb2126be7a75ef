"""The same on an NVIDIA GPU as on a CPU, as far as rounding lets them be. Skipped where there is none."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import primatrix as pm
from primatrix.models import Model
from primatrix.models.batches import predict_frames
from primatrix.models.devices import choose_processor
from primatrix.records import Progress
from primatrix.training import Augmentation

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU here")

SPECIES = ("blank", "duiker", "leopard")
SPEC = pm.ClipSpec(12, 32, 32, "rgb")
CPU, GPU = {"device": "cpu", "precision": "fp32"}, {"device": "cuda", "precision": "fp32"}
GPU_BF16 = {"device": "cuda", "precision": "bf16"}
VIT = {"model_type": "vit", "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
       "intermediate_size": 32, "image_size": 32, "patch_size": 8}  # fmt: skip
# Without dropout and random crops, whose numbers come from the device's own generator.
MODELS = {
    "lrcn": {"input_scale": 1 / 255, "frame_dropout": 0.0, "lstm_dropout": 0.0},
    "motion": {"dropout": 0.0, "training_frames": 12},
    "conv3d": {"dropout": 0.0, "shift": 0.0},
    "backbone": {"config": VIT, "side_px": 32, "unfrozen_stages": 2, "dropout": 0.0},
}


# Changes in which a GPU rounds nothing otherwise.
EXACT = Augmentation(flip=0.5, jitter=0.2, drop=0.1, brightness=0.1, paste=0.3)


class Squares:
    """Clips of a place in which "duiker" is a square that wanders."""

    num_batches, num_val_batches, batch_size = 4, 2, 16

    def draw(self, *seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        x = rng.integers(0, 160, (self.batch_size, 1, *SPEC.shape[1:]), np.uint8).repeat(SPEC.frames, 1)
        y = np.eye(3, dtype=np.float32)[rng.integers(0, 2, self.batch_size)]
        for clip in np.flatnonzero(y[:, 1]):
            top, left = rng.integers(0, 20, 2)
            for frame in range(6):
                x[clip, frame, top : top + 6, left + frame : left + frame + 6] += 90
        return x, y

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return (self.draw(0, i) for i in itertools.count())

    def val_batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return (self.draw(1, i % 2) for i in itertools.count())


def build(name: str, **options: object) -> Model:
    if name == "backbone":
        pytest.importorskip("transformers")
    return pm.build_model(name, species=SPECIES, spec=SPEC, **{**MODELS[name], **options})


def predict(model: Model, where: dict[str, str], **options: str) -> np.ndarray:
    batches = [Squares().draw(2, 0)[0], Squares().draw(2, 1)[0][:5]]
    return np.concatenate(list(pm.predict_batches(model, batches, **where, **options)))


@pytest.fixture(autouse=True)
def without_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that fp32 is: cuDNN rounds what convolutions multiply to ten bits else."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.mark.parametrize("name", MODELS)
def test_probabilities_are_those_of_the_cpu(name: str) -> None:
    model = build(name)
    there = predict(model, CPU)
    np.testing.assert_allclose(predict(model, GPU), there, atol=1e-5)
    np.testing.assert_allclose(predict(model, GPU_BF16), there, atol=0.02)
    assert next(model.network.parameters()).device.type == "cpu"


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`:DeprecationWarning")
def test_frames_and_compiled_networks_say_the_same() -> None:
    model = build("motion")
    batch = Squares().draw(2, 0)[0]
    (clips, frames), (there, frames_there) = (
        next(predict_frames(model, [batch], **where)) for where in (GPU, CPU)
    )
    np.testing.assert_allclose(clips, there, atol=1e-5)
    np.testing.assert_allclose(frames, frames_there, atol=1e-5)
    np.testing.assert_allclose(predict(model, GPU, compile="on"), predict(model, CPU), atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_training_is_that_of_the_cpu(name: str, tmp_path: Path) -> None:
    """Six steps from the same weights on the same clips, changed alike: the losses hardly differ."""
    runs = []
    for device in ("cpu", "cuda"):
        model = build(name)
        settings = {"epochs": 2, "steps_per_epoch": 3, "validation_steps": 2, "precision": "fp32"}
        spec = pm.TrainSpec.for_model(name, device=device, augmentation=EXACT, **settings)
        history = pm.train(model, Squares(), spec=spec, folder=tmp_path / device)
        runs.append([(epoch.loss, epoch.val_loss) for epoch in history.epochs])
        assert predict(pm.load_model(tmp_path / device), CPU).shape == (21, 3)
    np.testing.assert_allclose(runs[1], runs[0], rtol=2e-3)


def test_a_run_in_bf16_learns_and_is_taken_up_again(tmp_path: Path) -> None:
    settings = {"epochs": 3, "steps_per_epoch": 40, "validation_steps": 2, "checkpoint_steps": 1}
    settings |= {"device": "cuda", "augmentation": Augmentation(flip=0.5, brightness=0.1, paste=0.3)}

    def stop(progress: Progress) -> None:
        if progress.done == 50:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pm.train(build("motion"), Squares(), folder=tmp_path, on_progress=stop, **settings)
    seen: list[Progress] = []
    history = pm.train(build("motion"), Squares(), folder=tmp_path, on_progress=seen.append, **settings)
    assert seen[0].done == 50  # it was stopped before that step was saved
    assert "bf16 cuda" in seen[0].message
    assert history.epochs[-1].val_loss < 0.5 * history.epochs[0].loss


@pytest.mark.parametrize(("at", "tolerance"), [(GPU, 1e-3), (GPU_BF16, 0.2)])
def test_an_encoder_sees_what_it_sees_on_the_cpu(at: dict[str, str], tolerance: float) -> None:
    encoder, rng = pm.load_encoder(), np.random.default_rng(0)
    pictures = torch.tensor(rng.integers(0, 256, (5, 7, 7, 3), np.uint8))
    expected = encoder(pictures)
    processor = choose_processor(**at)  # type: ignore[arg-type]
    with processor.autocast(), torch.inference_mode():
        features = encoder.to("cuda")(pictures.cuda())
    assert features.is_cuda
    assert float((features.cpu() - expected).abs().max()) < tolerance * float(expected.max())
    torch.testing.assert_close(encoder.to("cpu")(pictures), expected, rtol=0, atol=0)
