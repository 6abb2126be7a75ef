"""One training run from inside: how its batches are made ready, added up, averaged and checked."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from primatrix import ClipSpec, ModelError
from primatrix.models import Model, build_model, load_model
from primatrix.records import Progress
from primatrix.training.augmentation import Augmentation
from primatrix.training.loop import train
from primatrix.training.recipe import History, TrainSpec
from primatrix.training.run import BATCHES_AHEAD, CHANGES_CLIPS

SPEC = ClipSpec(3, 16, 16)
SMALL = {"epochs": 2, "steps_per_epoch": 3, "validation_steps": 2}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Nets this small are slower on several threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Squares:
    """Batch number i follows from i alone: species "square" is a bright square somewhere in the noise."""

    num_batches, num_val_batches = 4, 5

    def __init__(self, clips: int = 6, spec: ClipSpec = SPEC) -> None:
        self.clips, self.spec = clips, spec

    def draw(self, *seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        x = rng.integers(0, 40, (self.clips, *self.spec.shape), np.uint8)
        y = rng.integers(0, 2, (self.clips, 2)).astype(np.float32)
        for clip in np.flatnonzero(y[:, 0]):
            top, left = rng.integers(0, 11, 2)
            x[clip, :, top : top + 5, left : left + 5] += 180
        return x, y

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        i = 0
        while True:
            yield self.draw(0, i)
            i += 1

    def val_batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        i = 0
        while True:
            yield self.draw(1, i % 5)
            i += 1


class SquaresWithPlace(Squares):
    """The same batches with their place kept by the object, as the Dataset keeps it."""

    place = val_place = 0

    def seek(self, steps: int) -> None:
        self.place = steps

    def seek_val(self, steps: int) -> None:
        self.val_place = steps

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        while True:
            self.place += 1
            yield self.draw(0, self.place - 1)

    def val_batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        while True:
            self.val_place += 1
            yield self.draw(1, (self.val_place - 1) % 5)


def make_model(**options: float) -> Model:
    return build_model("lrcn", species=["square", "noise"], spec=SPEC, **options)


def same_weights(one: Model, two: Model) -> bool:
    weights, others = one.network.state_dict(), two.network.state_dict()
    return all(torch.equal(weights[name], others[name]) for name in weights)


def losses(history: History) -> list[tuple[float, float]]:
    return [(epoch.loss, epoch.val_loss) for epoch in history.epochs]


def test_batches_made_ready_ahead_give_the_same_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    changed = Augmentation(flip=0.5, crop=0.3, brightness=0.2)
    settings = {**SMALL, "augmentation": changed, "accumulate": 2, "device": "cpu"}
    model = make_model()
    history = train(model, Squares(), **settings)
    monkeypatch.setitem(BATCHES_AHEAD, "cpu", 3)
    ahead = make_model()
    assert losses(train(ahead, Squares(), **settings)) == losses(history)
    assert same_weights(model, ahead)
    # Taken up again, though more batches had been drawn than used.
    data = SquaresWithPlace()
    with pytest.raises(KeyboardInterrupt):
        train(make_model(), data, folder=tmp_path, checkpoint_steps=1, on_progress=stop_at(4), **settings)
    again = make_model()
    assert losses(train(again, data, folder=tmp_path, checkpoint_steps=1, **settings)) == losses(history)
    assert same_weights(model, again)


def test_clips_changed_by_the_device_that_trains_teach_nearly_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changed = Augmentation(flip=0.5, crop=0.3, brightness=0.2)
    settings = {**SMALL, "augmentation": changed, "device": "cpu"}
    each = losses(train(make_model(input_scale=1 / 255), Squares(), **settings))
    monkeypatch.setitem(CHANGES_CLIPS, "cpu", True)
    together = losses(train(make_model(input_scale=1 / 255), Squares(), **settings))
    plain = losses(train(make_model(input_scale=1 / 255), Squares(), **{**settings, "augmentation": None}))
    np.testing.assert_allclose(together, each, rtol=5e-3)
    assert not np.allclose(plain, each, rtol=2e-2)


def stop_at(step: int) -> Callable[[Progress], None]:
    def on_progress(progress: Progress) -> None:
        if progress.done == step:
            raise KeyboardInterrupt

    return on_progress


def test_accumulated_batches_are_one_step_of_their_mean_gradient() -> None:
    class Halves(Squares):
        """Every batch of Squares in two halves."""

        def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
            for x, y in super().batches():
                yield x[:3], y[:3]
                yield x[3:], y[3:]

    spec = TrainSpec(device="cpu", precision="fp32", optimiser="adamw", gradient_clip=0.1, **SMALL)
    still = {"frame_dropout": 0.0, "lstm_dropout": 0.0, "input_scale": 1 / 255}
    whole, halves = make_model(**still), make_model(**still)
    expected = train(whole, Squares(), spec=spec)
    history = train(halves, Halves(), spec=spec, accumulate=2)
    for name, weight in whole.network.state_dict().items():
        torch.testing.assert_close(halves.network.state_dict()[name], weight, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(losses(history), losses(expected), rtol=1e-4)


def test_averaged_weights_are_what_validates_and_is_saved(tmp_path: Path) -> None:
    settings = {**SMALL, "device": "cpu", "precision": "fp32", "learning_rate": 0.01, "validation_steps": 5}
    plain, averaged = make_model(), make_model()
    train(plain, Squares(), **settings)
    history = train(averaged, Squares(), ema=0.9, keep="last", folder=tmp_path, **settings)
    assert not same_weights(plain, averaged)
    assert same_weights(load_model(tmp_path), averaged)
    by_hand = []
    for x, y in itertools.islice(Squares().val_batches(), 5):
        p = averaged.probabilities(x).astype(np.float64)
        by_hand.append(-np.log(np.where(y == 1, p, 1 - p)).mean())
    assert history.epochs[-1].val_loss == pytest.approx(np.mean(by_hand), rel=1e-4)
    settings_saved = load_model(tmp_path).recipe
    assert (settings_saved["ema"], settings_saved["steps_per_epoch"]) == (0.9, 3)


def test_loss_that_is_not_finite_stops_with_one_line() -> None:
    class Broken(Squares):
        def draw(self, *seed: int) -> tuple[np.ndarray, np.ndarray]:
            x, y = super().draw(*seed)
            return x.astype(np.float32) * (np.nan if seed == (0, 1) else 1), y

    with pytest.raises(ModelError, match=r"the loss became nan in epoch 1, step \d; lower learning_rate"):
        train(make_model(), Broken(), **SMALL)


def test_batches_that_do_not_fit_the_model_are_refused() -> None:
    with pytest.raises(ModelError, match="got clips 6x3x20x16x1"):
        train(make_model(), Squares(spec=ClipSpec(3, 20, 16)), **SMALL)
    model = build_model("lrcn", species=["a", "b", "c"], spec=SPEC)
    with pytest.raises(ModelError, match=r"got labels of shape \(6, 2\), wanted \(6, 3\)"):
        train(model, Squares(), **SMALL)


class FewSquares(Squares):
    """The same six clips, trained on and validated on."""

    num_batches = num_val_batches = 1

    def batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        while True:
            yield self.draw(0, 0)

    val_batches = batches


def make_motion() -> Model:
    return build_model("motion", species=["square", "noise"], spec=SPEC, width=4)


def measure_loss(model: Model, batch: tuple[np.ndarray, np.ndarray]) -> float:
    p = model.probabilities(batch[0]).astype(np.float64)
    return float(-np.log(np.where(batch[1] == 1, p, 1 - p)).mean())


@pytest.mark.parametrize("ema", [0.0, 0.995])
def test_batch_norms_of_a_short_run_fit_the_weights_that_are_kept(ema: float, tmp_path: Path) -> None:
    """A model of 20 steps answers its training clips as the printed loss says, not as its statistics began."""
    model = make_motion()
    spec = TrainSpec.for_model("motion", ema=ema, epochs=1, precision="fp32", augmentation=None, device="cpu")
    (epoch,) = train(model, FewSquares(), spec=spec, folder=tmp_path).epochs
    loss = measure_loss(load_model(tmp_path), FewSquares().draw(0, 0))
    assert loss < 0.2
    assert loss <= epoch.loss
    assert loss == pytest.approx(epoch.val_loss, rel=1e-4)
    assert measure_loss(model, FewSquares().draw(0, 0)) == pytest.approx(loss, rel=1e-6)


@pytest.mark.parametrize("data", [Squares(), SquaresWithPlace()])
def test_measuring_statistics_moves_no_batch_and_a_resumed_run_is_bit_equal(
    data: Squares, tmp_path: Path
) -> None:
    settings = {**SMALL, "ema": 0.9, "epochs": 3, "device": "cpu", "augmentation": {"flip": 0.5}}
    whole, again = make_motion(), make_motion()
    history = train(whole, type(data)(), **settings)
    with pytest.raises(KeyboardInterrupt):
        train(make_motion(), data, folder=tmp_path, checkpoint_steps=1, on_progress=stop_at(5), **settings)
    assert losses(train(again, data, folder=tmp_path, checkpoint_steps=1, **settings)) == losses(history)
    assert same_weights(whole, again)


def test_what_a_run_trains_is_the_same_whether_statistics_are_measured_or_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = {**SMALL, "epochs": 3, "device": "cpu"}
    with_them = train(make_motion(), SquaresWithPlace(), **settings)
    monkeypatch.setattr("primatrix.training.run.find_norms", lambda network: [])
    without = train(make_motion(), SquaresWithPlace(), **settings)
    assert [epoch.loss for epoch in with_them.epochs] == [epoch.loss for epoch in without.epochs]
