from math import log

import pytest
import torch

from primatrix import ModelError
from primatrix.models.temporal import Pooling, TemporalHead, pool_frames

POOLINGS: tuple[Pooling, ...] = ("logits", "features", "both")


def make_head(**options: object) -> TemporalHead:
    """A head in which no part starts at zero."""
    torch.manual_seed(0)
    head = TemporalHead(8, species_count=3, **options)
    for p in head.parameters():
        torch.nn.init.normal_(p, std=0.5)
    return head.eval()


def draw(frames: int = 5) -> torch.Tensor:
    return torch.randn(2, frames, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_frames_logit_is_what_a_clip_of_it_alone_would_get(pooling: Pooling) -> None:
    head, x = make_head(pooling=pooling), draw()
    _, frames = head(x)
    for i in range(5):
        alone, own = head(x[:, i : i + 1])
        torch.testing.assert_close(alone, frames[:, i])
        torch.testing.assert_close(own[:, 0], alone)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_order_of_frames_means_nothing_unless_each_looks_at_its_neighbours(pooling: Pooling) -> None:
    x, order = draw(), [3, 0, 4, 2, 1]
    plain, near = make_head(pooling=pooling), make_head(pooling=pooling, context_frames=3)
    clips, frames = plain(x)
    shuffled, moved = plain(x[:, order])
    torch.testing.assert_close(clips, shuffled)
    torch.testing.assert_close(frames[:, order], moved)
    assert (near(x)[0] - near(x[:, order])[0]).abs().max() > 0.01


@pytest.mark.parametrize("context_frames", [2, 3, 4, 7])
def test_any_number_of_neighbours_leaves_a_logit_per_frame(context_frames: int) -> None:
    for frames in (1, 2, 5):
        clip, per_frame = make_head(context_frames=context_frames)(draw(frames))
        assert (clip.shape, per_frame.shape) == ((2, 3), (2, frames, 3))


def test_an_untrained_head_takes_one_species_in_all_for_shown() -> None:
    head = TemporalHead(8, species_count=20, pooling="features")
    assert head(draw())[0].sigmoid().flatten().tolist() == pytest.approx([1 / 20] * 40)
    assert TemporalHead(8, species_count=1, pooling="features")(draw())[0].sigmoid().flatten().tolist() == [
        0.5,
        0.5,
    ]


def test_frames_are_pooled_to_their_mean_their_smooth_maximum_and_their_range() -> None:
    frames = torch.tensor([0.0, log(3)]).view(1, 2, 1)
    assert pool_frames(frames).flatten().tolist() == pytest.approx([log(3) / 2, log(2), log(3)])
    assert pool_frames(frames[:, :1]).flatten().tolist() == [0, 0, 0]


def test_logits_are_float32_whatever_the_features_are() -> None:
    head = make_head(context_frames=3)
    assert [out.dtype for out in head(draw().bfloat16())] == [torch.float32] * 2


def test_features_are_dropped_in_training_only() -> None:
    head, x = make_head(dropout=0.5), draw()
    assert torch.equal(head(x)[0], head(x)[0])
    head.train()
    assert not torch.equal(head(x)[0], head(x)[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"context_frames": 0}, "context_frames: got 0, wanted 1 or more"),
        ({"dropout": 1.0}, "dropout: got 1.0, wanted 0 to below 1"),
        ({"dropout": -0.1}, "dropout: got -0.1, wanted 0 to below 1"),
        ({"pooling": "last"}, "pooling: got 'last', wanted one of logits, features, both"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError) as caught:
        TemporalHead(8, species_count=3, **options)
    assert str(caught.value) == message


def test_an_attention_gathers_the_features_of_the_frames_it_weighs_most() -> None:
    head = TemporalHead(2, species_count=1, pooling="features")
    head.norm = torch.nn.Identity()
    with torch.no_grad():
        head.attention.weight.copy_(torch.tensor([[30.0, 0.0]]))
        head.clip.weight.copy_(
            torch.tensor([[0.0, 0, 0, 0, 0, 1]])
        )  # of mean, maximum and attention the last
    x = torch.tensor([[[0.0, 5.0], [1.0, -3.0], [0.5, 8.0]]])
    assert head(x)[0].item() == pytest.approx(-3, abs=1e-4)
    with torch.no_grad():
        head.clip.weight.copy_(torch.tensor([[0.0, 1, 0, 10, 0, 0]]))
    assert head(x)[0].item() == pytest.approx(10 / 3 + 10 * 8, abs=1e-4)


def test_what_neighbours_show_is_added_to_a_frame() -> None:
    head = TemporalHead(1, species_count=1, pooling="logits", context_frames=3)
    head.norm = torch.nn.Identity()
    with torch.no_grad():
        head.frame.weight.fill_(1.0)
        head.frame.bias.zero_()
        assert head.context is not None
        head.context.weight.copy_(torch.tensor([[[0.0, 0.0, 2.0]]]))  # twice the next frame
        head.context.bias.zero_()
    _, frames = head(torch.tensor([[[1.0], [3.0], [10.0]]]))
    assert frames.flatten().tolist() == pytest.approx([1 + 6, 3 + 20, 10])
