import pytest
import torch
from torch import nn

from primatrix.training.statistics import find_norms, measure_statistics


def make_network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1, momentum=0.1), nn.Dropout(0.5))


def test_statistics_are_the_mean_over_batches_whatever_was_there_before() -> None:
    network = make_network()
    nn.init.constant_(network[0].weight, 2.0)
    network[1].running_mean.fill_(100.0)
    network[1].running_var.fill_(100.0)
    measure_statistics(network, [torch.tensor([[1.0], [3.0]]), torch.tensor([[5.0], [11.0]])])
    assert network[1].running_mean.item() == pytest.approx((4.0 + 16.0) / 2)  # means of 2x
    assert network[1].running_var.item() == pytest.approx((8.0 + 72.0) / 2)  # unbiased variances of 2x
    assert (network[1].momentum, network[1].num_batches_tracked.item()) == (0.1, 2)
    assert all(module.training for module in network.modules())
    assert network[0].weight.grad is None


def test_a_frozen_body_and_norms_without_statistics_are_left_alone() -> None:
    network = nn.Sequential(
        nn.BatchNorm1d(1), nn.BatchNorm1d(1), nn.BatchNorm1d(1, track_running_stats=False)
    )
    network[0].eval()
    assert find_norms(network) == [network[1]]
    measure_statistics(network, [torch.tensor([[1.0], [3.0]])])
    assert network[0].running_mean.item() == 0.0
    assert network[1].running_mean.item() == pytest.approx(2.0, abs=1e-4)
    assert not network[0].training
