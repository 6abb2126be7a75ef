import pytest
import torch
from torch import nn

from primatrix.training.averages import WeightAverage, copy_weights, holding_weights


def make_layer(value: float) -> nn.Linear:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, value)
    return layer


def test_the_average_moves_as_its_formula_says_and_at_last_by_the_decay() -> None:
    layer = make_layer(0.0)
    average = WeightAverage(layer, decay=0.5)
    nn.init.ones_(layer.weight)
    moved = []
    for step in range(10):
        before = average.weights["weight"].item()
        average.update(layer, step=step)
        moved.append((average.weights["weight"].item() - before) / (1 - before))
    # (1 + t) / (10 + t) is below 0.5 up to t = 7, and above from t = 9
    assert moved == pytest.approx([1 - (1 + t) / (10 + t) for t in range(8)] + [0.5, 0.5], abs=5e-3)
    assert layer.weight.item() == 1


def test_running_statistics_are_averaged_and_counters_are_taken_over() -> None:
    norm = nn.BatchNorm1d(2)
    average = WeightAverage(norm, decay=0.9)
    norm(torch.full((4, 2), 10.0) + torch.randn(4, 2))
    average.update(norm, step=0)
    assert average.weights["num_batches_tracked"].item() == 1
    torch.testing.assert_close(average.weights["running_mean"], 0.9 * norm.running_mean)


def test_a_saved_average_is_taken_up_in_its_own_memory() -> None:
    average = WeightAverage(make_layer(0.0), decay=0.9)
    place = average.weights["weight"].data_ptr()
    average.load({"weight": torch.full((1, 1), 3.0, dtype=torch.float64)})
    assert average.weights["weight"].item() == 3
    assert average.weights["weight"].data_ptr() == place
    assert average.weights["weight"].dtype == torch.float32


def test_copies_do_not_follow_the_network() -> None:
    layer = make_layer(2.0)
    copied = copy_weights(layer)
    nn.init.zeros_(layer.weight)
    assert copied["weight"].item() == 2
    assert not copied["weight"].requires_grad


def test_a_scope_gives_the_network_its_own_weights_back_even_where_it_ends_in_an_error() -> None:
    layer = make_layer(2.0)
    seen = []

    def fail() -> None:
        with holding_weights(layer, {"weight": torch.full((1, 1), 7.0)}):
            seen.append(layer.weight.item())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert seen == [7]
    assert layer.weight.item() == 2
    with holding_weights(layer, None):
        assert layer.weight.item() == 2
