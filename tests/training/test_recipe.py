import math
from typing import Any

import numpy as np
import pytest

from primatrix.errors import InputError
from primatrix.training.recipe import EpochScores, History, TrainSpec, best_epoch, settle


class Data:
    """Data of 10 training and 3 validation batches."""

    num_batches, num_val_batches = 10, 3

    def batches(self) -> Any:
        yield from ()

    val_batches = batches


def test_open_numbers_of_steps_come_from_the_data() -> None:
    spec = settle(TrainSpec(least_steps=0), settings={"epochs": 4}, data=Data())
    assert (spec.epochs, spec.steps_per_epoch, spec.validation_steps, spec.total_steps) == (4, 10, 3, 40)
    spec = settle(TrainSpec(accumulate=4, least_steps=0), settings={"validation_steps": 1}, data=Data())
    assert (spec.steps_per_epoch, spec.validation_steps) == (3, 1)  # 10 batches, four a step
    assert (
        settle(TrainSpec(validation_steps=9), settings={}, data=Data()).validation_steps == 3
    )  # no clip twice
    spec = settle(TrainSpec(accumulate=2, devices=2, least_steps=0), settings={}, data=Data())
    assert spec.steps_per_epoch == 3


@pytest.mark.parametrize("name", ["lrcn", "motion", "conv3d", "backbone"])
def test_few_clips_are_gone_through_often_enough_and_many_clips_once(name: str) -> None:
    assert settle(TrainSpec.for_model(name), settings={}, data=Data()).steps_per_epoch == 20
    many = Data()
    many.num_batches = 500
    assert settle(TrainSpec.for_model(name), settings={}, data=many).steps_per_epoch == 500
    assert settle(TrainSpec.for_model(name, steps_per_epoch=3), settings={}, data=Data()).steps_per_epoch == 3


@pytest.mark.parametrize("name", ["lrcn", "motion", "conv3d", "backbone"])
def test_the_best_epoch_is_kept_where_there_is_validation_and_else_the_last(name: str) -> None:
    spec = TrainSpec.for_model(name)
    assert settle(spec, settings={}, data=Data()).keep == "best"
    assert settle(spec, settings={"validation_steps": 0}, data=Data()).keep == "last"
    assert settle(spec, settings={"keep": "last"}, data=Data()).keep == "last"


def test_patience_without_anything_to_judge_by_is_refused() -> None:
    with pytest.raises(
        InputError, match="patience: got no validation to judge by; wanted validation_steps of 1"
    ):
        settle(TrainSpec(patience=2), settings={"validation_steps": 0}, data=Data())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps_per_epoch": 0}, "steps_per_epoch: got 0, wanted 1 or more, or None for the whole set"),
        ({"validation_steps": -1}, "validation_steps: got -1, wanted 1 or more, or None for the whole set"),
        ({"learning_rate": 0.0}, "learning_rate: got 0.0, wanted a number above 0"),
        ({"gradient_clip": -1.0}, "gradient_clip: got -1.0, wanted a number above 0"),
        ({"warmup": 1}, "warmup: got 1, wanted 0 to below 1"),
        ({"epochs": 2.0}, "epochs: got 2.0, wanted a whole number"),
        ({"patience": 0}, "patience: got 0, wanted 1 or more"),
    ],
)
def test_settings_that_cannot_be_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        TrainSpec(**change)
    assert str(caught.value) == message


def test_the_rate_is_constant_or_falls_along_half_a_cosine_after_warming_up() -> None:
    assert {TrainSpec(steps_per_epoch=5).learning_rate_at(step) for step in range(10)} == {1e-3}
    spec = TrainSpec(epochs=2, steps_per_epoch=10, learning_rate=0.4, schedule="cosine", warmup=0.2)
    assert spec.warmup_steps == 4  # 0.2 of 20 steps
    rates = [spec.learning_rate_at(step) for step in (0, 1, 3, 4, 12, 20)]
    np.testing.assert_allclose(rates, [0.1, 0.2, 0.4, 0.4, 0.2, 0.0], atol=1e-12)


def test_recommended_settings_change_what_they_name_and_nothing_else() -> None:
    spec = TrainSpec.for_model("conv3d", epochs=3)
    assert (spec.epochs, spec.learning_rate, spec.optimiser, spec.augmentation) == (3, 1e-4, "adamw", None)
    assert TrainSpec.for_model("motion").optimiser == "muon"
    assert TrainSpec.for_model("mine") == TrainSpec()
    assert TrainSpec(**{**spec.to_dict(), "augmentation": None, "sampling": None}) == spec


def test_the_best_epoch_is_the_first_of_least_validation_loss() -> None:
    scores = [EpochScores(loss, val, 1.0, 1.0) for loss, val in ((0.3, 0.5), (0.2, 0.4), (0.1, 0.4))]
    assert best_epoch(scores) is scores[1]
    unknown = EpochScores(0.1, math.nan, 1.0, 1.0)
    assert best_epoch([unknown, scores[0]]) is scores[0]


def test_a_history_is_lists_by_name_and_a_line_per_epoch() -> None:
    history = History((EpochScores(0.5, 0.4, 10.0, 100.0), EpochScores(0.25, math.nan, 9.6, 105.4)))
    assert history.history["loss"] == [0.5, 0.25]
    assert list(history.history) == ["loss", "val_loss", "seconds", "clips_per_second"]
    assert history.summary().splitlines()[1] == "epoch 2: loss 0.2500, val_loss nan, 10 s, 105 clips/s"
