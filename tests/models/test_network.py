import pytest
import torch
import torch.nn.functional as F
from torch import nn

from primatrix import ModelError
from primatrix.models.network import Network, count_parameters, initialise_like_keras, max_pool, pooled


@pytest.mark.parametrize("stride_px", [1, 2])
@pytest.mark.parametrize("size", [(13, 13), (10, 7), (2, 3)])
def test_pooling_by_shifted_views_is_max_pooling(stride_px: int, size: tuple[int, int]) -> None:
    x = torch.randn(3, 4, *size).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        assert torch.equal(max_pool(x, stride_px=stride_px), F.max_pool2d(x, 2, stride_px))


def test_with_gradients_each_goes_to_one_pixel_even_where_several_are_the_largest() -> None:
    x = torch.ones(1, 1, 4, 4, requires_grad=True)
    max_pool(x, stride_px=2).sum().backward()
    assert x.grad is not None
    assert (x.grad.sum().item(), x.grad.max().item()) == (4, 1)


@pytest.mark.parametrize(
    ("size_px", "stride_px", "left"), [(2, 1, 1), (2, 2, 1), (3, 2, 1), (14, 1, 13), (14, 2, 7)]
)
def test_the_size_that_is_left_is_that_of_pooling(size_px: int, stride_px: int, left: int) -> None:
    assert pooled(size_px, stride_px) == left
    assert max_pool(torch.zeros(1, 1, size_px, size_px), stride_px=stride_px).shape == (1, 1, left, left)


def test_a_network_without_answers_per_frame_says_which_model_has_them() -> None:
    class Plain(Network):
        pass

    assert not Plain.gives_frames
    with pytest.raises(
        ModelError, match=r"plain: got asked for an answer per frame, .*; use a model that does"
    ):
        Plain().forward_frames(torch.zeros(1, 2, 4, 4, 1))
    Plain().prepare_epoch(0)  # nothing to do, and no error


def test_kernels_are_glorot_uniform_and_biases_zero_while_other_layers_stay() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 5), nn.Linear(30, 20), nn.Linear(4, 4, bias=False), nn.LayerNorm(4)
    )
    initialise_like_keras(network)
    for layer, fan_in, fan_out in ((network[0], 3 * 25, 8 * 25), (network[1], 30, 20)):
        limit = (6 / (fan_in + fan_out)) ** 0.5
        assert layer.weight.abs().max() <= limit
        assert layer.weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.1)
        assert not layer.bias.any()
    assert (network[3].weight == 1).all()


def test_shared_weights_are_counted_once() -> None:
    shared = nn.Linear(3, 2)
    assert count_parameters(nn.Sequential(shared, shared)) == 8
