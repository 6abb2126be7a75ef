import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from primatrix import ClipSpec, InputError, ModelError
from primatrix.data import Sampling
from primatrix.models import Model, build_model, load_model
from primatrix.training.loop import train
from primatrix.training.recipe import History, TrainSpec
from primatrix.trust import fit_calibration

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

    num_batches, num_val_batches = 4, 2

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


def make_model(**options: float) -> Model:
    return build_model("lrcn", species=["square", "noise"], spec=SPEC, **options)


def same_weights(one: Model, two: Model) -> bool:
    weights, others = one.network.state_dict(), two.network.state_dict()
    return all(torch.equal(weights[name], others[name]) for name in weights)


def losses(history: History) -> list[tuple[float, float]]:
    return [(epoch.loss, epoch.val_loss) for epoch in history.epochs]


def test_finished_run_is_not_trained_again_and_goes_on_when_asked_for_more(tmp_path: Path) -> None:
    train(make_model(), Squares(), folder=tmp_path, device="cpu", **SMALL)
    seen = []
    model = make_model()
    history = train(model, Squares(), folder=tmp_path, device="cpu", on_progress=seen.append, **SMALL)
    assert (seen, len(history.epochs)) == ([], 2)
    more = train(model, Squares(), folder=tmp_path, device="cpu", **{**SMALL, "epochs": 3})
    whole = make_model()
    expected = train(whole, Squares(), device="cpu", **{**SMALL, "epochs": 3})
    assert losses(more) == losses(expected)
    assert same_weights(model, whole)


def test_other_settings_in_the_same_folder_are_named(tmp_path: Path) -> None:
    train(make_model(), Squares(), folder=tmp_path, device="cpu", **{**SMALL, "epochs": 1})
    with pytest.raises(ModelError) as caught:
        train(make_model(), Squares(), folder=tmp_path, device="cpu", learning_rate=0.1, seed=4, **SMALL)
    message = str(caught.value)
    assert "holds a run with learning_rate 0.001, seed 0; got learning_rate 0.1, seed 4" in message
    with pytest.raises(ModelError, match="input_scale"):
        train(make_model(input_scale=0.5), Squares(), folder=tmp_path, device="cpu", **SMALL)


def test_model_learns_what_can_be_learned() -> None:
    model = build_model("lrcn", species=["square", "noise"], spec=SPEC, input_scale=1 / 255)
    history = train(model, Squares(clips=16), epochs=2, steps_per_epoch=30, validation_steps=4)
    assert losses(history)[0][0] > 0.45
    assert losses(history)[-1][1] < 0.4  # 0.347 is the least: "noise" is a coin thrown, "square" can be seen
    x, y = Squares(clips=64).draw(2, 0)
    p = model.probabilities(x)[:, 0]
    assert p[y[:, 0] == 1].mean() > p[y[:, 0] == 0].mean() + 0.5
    assert model.scores["val_loss"] == losses(history)[-1][1]
    assert not model.network.training


def test_history_and_progress_say_how_it_goes() -> None:
    seen = []
    history = train(make_model(), Squares(), device="cpu", precision="fp32", on_progress=seen.append, **SMALL)
    assert set(history.history) == {"loss", "val_loss", "seconds", "clips_per_second"}
    assert [p.done for p in seen] == [1, 2, 3, 4, 5, 6]
    assert {(p.stage, p.total, p.unit) for p in seen} == {("train", 6, "batches")}
    assert seen[-1].message.startswith(
        f"loss {seen_loss(seen[-1].message)}  val {history.epochs[0].val_loss:.4f}"
    )
    assert seen[-1].message.endswith("clips/s  fp32 cpu")


def seen_loss(message: str) -> str:
    return message.split()[1]


def test_steps_default_to_the_whole_sets_and_validation_can_be_left_out() -> None:
    seen = []
    settings = {"epochs": 1, "validation_steps": 0, "on_progress": seen.append}
    history = train(make_model(), Squares(), least_steps=1, **settings)
    assert seen[-1].total == 4
    assert math.isnan(history.epochs[0].val_loss)


def test_best_epoch_is_kept_unless_the_last_is_asked_for(tmp_path: Path) -> None:
    settings = {**SMALL, "epochs": 4, "learning_rate": 0.1, "device": "cpu"}
    last, best = make_model(), make_model()
    history = train(last, Squares(), keep="last", **settings)
    chosen = min(range(4), key=lambda i: history.epochs[i].val_loss)
    train(best, Squares(), folder=tmp_path, **settings)
    expected = make_model()
    assert chosen < 3
    train(expected, Squares(), keep="last", **{**settings, "epochs": chosen + 1})
    assert same_weights(best, expected)
    assert same_weights(load_model(tmp_path), expected)
    assert best.scores["val_loss"] == history.epochs[chosen].val_loss


def test_random_state_outside_is_left_alone_and_seeds_matter() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    one, two = make_model(), make_model()
    train(one, Squares(), device="cpu", **SMALL)
    assert torch.equal(torch.rand(1), expected)
    train(two, Squares(), device="cpu", seed=1, **SMALL)
    assert not same_weights(one, two)


def test_settings_that_cannot_be_are_refused() -> None:
    for change, message in (
        ({"epochs": 0}, "epochs: got 0, wanted 1 or more"),
        ({"steps_per_epoch": 0}, "steps_per_epoch: got 0"),
        ({"learning_rate": -1.0}, "learning_rate: got -1.0, wanted a number above 0"),
        ({"keep": "first"}, "keep: got 'first', wanted one of last, best"),
        ({"compile": "maybe"}, "compile: got 'maybe'"),
        ({"device": "abacus"}, "device: got 'abacus'"),
        ({"momentum": 1}, "train: got setting momentum, wanted one of epochs"),
    ):
        with pytest.raises(InputError, match=message):
            train(make_model(), Squares(), **change)


def test_learning_rate_follows_its_schedule() -> None:
    spec = TrainSpec(epochs=2, steps_per_epoch=4, learning_rate=0.5, schedule="cosine")
    rates = [spec.learning_rate_at(step) for step in range(8)]
    np.testing.assert_allclose(rates[:5:2], [0.5, 0.25 * (1 + math.sqrt(0.5)), 0.25])
    assert rates == sorted(rates, reverse=True)
    assert TrainSpec(steps_per_epoch=4).learning_rate_at(7) == 1e-3


def test_a_run_along_a_cosine_cannot_be_made_longer(tmp_path: Path) -> None:
    model = build_model("lrcn", species=["square", "none"], spec=SPEC)
    train(model, Squares(), folder=tmp_path, **SMALL, schedule="cosine")
    with pytest.raises(ModelError, match="epochs"):
        train(model, Squares(), folder=tmp_path, **{**SMALL, "epochs": 3}, schedule="cosine")


def test_warm_up_rises_to_the_rate_and_counts_in_the_cosine() -> None:
    spec = TrainSpec(epochs=2, steps_per_epoch=10, learning_rate=0.4, schedule="cosine", warmup=0.2)
    rates = [spec.learning_rate_at(step) for step in range(20)]
    np.testing.assert_allclose(rates[:5], [0.1, 0.2, 0.3, 0.4, 0.4])
    np.testing.assert_allclose(rates[12], 0.2)
    assert spec.warmup_steps == 4  # 0.2 of 20


def test_training_stops_when_validation_brings_nothing_better(tmp_path: Path) -> None:
    class Fixed(Squares):
        def val_batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
            while True:
                yield self.draw(1, 0)

    settings = {**SMALL, "epochs": 30, "patience": 2, "keep": "best", "learning_rate": 0.03, "device": "cpu"}
    history = train(make_model(), Fixed(), folder=tmp_path, **settings)
    values = history.history["val_loss"]
    assert len(values) < 30
    assert values.index(min(values)) == len(values) - 3
    seen = []
    assert train(make_model(), Fixed(), folder=tmp_path, on_progress=seen.append, **settings) == history
    assert not seen
    with pytest.raises(InputError, match="patience: got no validation"):
        train(make_model(), Fixed(), **{**settings, "validation_steps": 0})


def test_the_folder_holds_the_best_epochs_weights_all_along(tmp_path: Path) -> None:
    settings = {**SMALL, "epochs": 4, "learning_rate": 0.03, "device": "cpu", "keep": "best"}
    seen: list[tuple[dict[str, float], dict[str, torch.Tensor]]] = []

    def look(progress: object) -> None:
        if progress.done % 3 == 1 and progress.done > 1:  # an epoch has just been saved
            saved = load_model(tmp_path)
            seen.append((saved.scores, saved.network.state_dict()))

    history = train(make_model(), Squares(), folder=tmp_path, on_progress=look, **settings)
    values = history.history["val_loss"]
    assert [scores["val_loss"] for scores, _ in seen] == [min(values[: i + 1]) for i in range(3)]
    best = make_model()
    train(best, Squares(), **{**settings, "epochs": 1 + values.index(min(values[:3])), "keep": "last"})
    assert all(torch.equal(w, best.network.state_dict()[name]) for name, w in seen[2][1].items())


def test_a_dry_run_goes_through_everything_and_leaves_nothing(tmp_path: Path) -> None:
    model, seen = make_model(), []
    before = make_model()
    history = train(
        model, Squares(), folder=tmp_path / "run", dry_run=True, epochs=50, ema=0.9, on_progress=seen.append
    )
    assert [p.done for p in seen] == [1, 2]
    assert len(history.epochs) == 1
    assert math.isfinite(history.epochs[0].val_loss)
    assert same_weights(model, before)
    assert not (tmp_path / "run").exists()


def test_sampling_needs_data_that_can_be_sampled() -> None:
    with pytest.raises(InputError, match="sampling: got Squares, which has no use_sampling"):
        train(make_model(), Squares(), sampling=Sampling(), **SMALL)


def test_a_finished_run_keeps_its_calibration_and_one_trained_further_loses_it(tmp_path: Path) -> None:
    settings = {**SMALL, "device": "cpu"}
    train(make_model(), Squares(), folder=tmp_path, **settings)
    model = load_model(tmp_path)
    y = np.tile([[0.0, 1.0], [1.0, 0.0]], (20, 1))
    model.calibration = fit_calibration(
        pd.DataFrame(y, columns=model.species), pd.DataFrame(0.2 + 0.6 * y, columns=model.species),
        source="validation",
    )  # fmt: skip
    model.save(tmp_path)
    again = make_model()
    train(again, Squares(), folder=tmp_path, **settings)
    assert again.calibration is not None
    assert load_model(tmp_path).calibration is not None
    train(again, Squares(), folder=tmp_path, **{**settings, "epochs": 3})
    assert again.calibration is None
    assert load_model(tmp_path).calibration is None


def test_a_second_run_in_the_same_folder_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    refused = []

    def start_another(progress: object) -> None:
        with pytest.raises(InputError) as caught:
            train(make_model(), Squares(), folder=tmp_path, **SMALL)
        refused.append(str(caught.value))

    train(make_model(), Squares(), folder=tmp_path, on_progress=start_another, **SMALL)
    assert set(refused) == {
        f"{tmp_path}: another training is writing there; wait for it, or name another place"
    }
    assert len(refused) == 6
    assert load_model(tmp_path).scores["epochs"] == 2


def test_a_run_does_not_begin_in_a_folder_of_results(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(InputError, match=r"holds run\.json, which are not of a training run"):
        train(make_model(), Squares(), folder=tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]
