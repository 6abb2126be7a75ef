import numpy as np
import pytest
import torch

from primatrix import ClipSpec, ModelError
from primatrix.models import build_model
from primatrix.models.conv3d import Conv3d, Conv3dOptions, crop_size

MICRO = ClipSpec(30, 64, 64, "rgb")
SMALL = ClipSpec(10, 12, 20)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def make_network(spec: ClipSpec = SMALL, **options: float) -> Conv3d:
    torch.manual_seed(0)
    return Conv3d(spec, species_count=3, options=Conv3dOptions(**options))


def make_clips(spec: ClipSpec, count: int = 2) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (count, *spec.shape), np.uint8))


def test_parameters_are_those_of_the_entry_layer_by_layer() -> None:
    network = Conv3d(MICRO, species_count=24, options=Conv3dOptions())
    assert [(shape, count) for _, shape, count in network.layer_rows()] == [
        ((24, 56, 56, 16), 1_312),
        ((24, 56, 56, 16), 6_928),
        ((12, 28, 28, 16), 0),
        ((12, 28, 28, 32), 13_856),
        ((12, 28, 28, 32), 27_680),
        ((6, 14, 14, 32), 0),
        ((6, 14, 14, 64), 55_360),
        ((6, 14, 14, 64), 110_656),
        ((3, 7, 7, 64), 0),
        ((128,), 1_204_352),
        ((128,), 16_512),
        ((24,), 3_096),
    ]
    assert sum(p.numel() for p in network.parameters()) == 1_439_752


def test_untrained_it_takes_one_species_in_all_for_shown() -> None:
    model = build_model("conv3d", species=[str(i) for i in range(24)], spec=SMALL)
    grey = np.full((1, *SMALL.shape), 127.5, np.float32)  # nothing to see: what is left is the head's bias
    assert model.probabilities(grey)[0] == pytest.approx(np.full(24, 1 / 24), rel=1e-3)


@pytest.mark.parametrize(
    ("spec", "crop"),
    [(MICRO, (24, 56, 56)), (SMALL, (8, 10, 18)), (ClipSpec(15, 16, 16), (12, 14, 14))],
)
def test_crops_keep_their_share_of_the_clip(spec: ClipSpec, crop: tuple[int, int, int]) -> None:
    assert crop_size(spec) == crop


def test_a_prediction_is_the_mean_probability_of_27_crops() -> None:
    network, x = make_network().eval(), make_clips(SMALL)
    with torch.no_grad():
        views = network.list_crops(x)
        assert len(views) == 27
        assert torch.equal(views[0], x[:, :8, :10, :18])
        assert torch.equal(views[-1], x[:, 2:, 2:, 2:])
        expected = torch.stack([network.classify(view).sigmoid() for view in views]).mean(0)
        torch.testing.assert_close(network(x).sigmoid(), expected, atol=1e-6, rtol=1e-5)


def test_one_view_is_the_middle() -> None:
    network, x = make_network(views_per_axis=1).eval(), make_clips(SMALL)
    with torch.no_grad():
        torch.testing.assert_close(network(x), network.classify(x[:, 1:9, 1:11, 1:19]), atol=1e-5, rtol=1e-4)


def test_by_difference_what_stands_still_is_not_seen() -> None:
    network, x = make_network(difference=True).eval(), make_clips(SMALL)
    still = x[:, :1].expand_as(x)
    moving = still.clone()
    moving[:, 4, 3:9, 5:12] = 255 - moving[:, 4, 3:9, 5:12]
    with torch.no_grad():
        assert torch.equal(network(still), network(still // 2))  # the light is that of the place
        assert (network(moving) != network(still)).all()
        plain = make_network().eval()
        assert not torch.equal(plain(still), plain(still // 2))


def test_training_crops_are_parts_of_the_clip_and_follow_from_torchs_seed() -> None:
    network, x = make_network(shift=0.0), make_clips(SMALL, 16)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        crops = network.draw_crops(x)
        torch.manual_seed(3)
        assert torch.equal(crops, network.draw_crops(x))
        assert not torch.equal(crops, network.draw_crops(x))
    mirrored = 0
    for clip, crop in zip(x.float(), crops, strict=True):
        windows = clip.unfold(0, 8, 1).unfold(1, 10, 1).unfold(2, 18, 1).permute(0, 1, 2, 4, 5, 6, 3)
        same = [bool((windows == c).flatten(3).all(3).any()) for c in (crop, crop.flip(2))]
        assert any(same)
        mirrored += same[1] and not same[0]
    assert 0 < mirrored < 16


def test_light_is_shifted_by_a_little_and_for_the_whole_clip() -> None:
    x = torch.full((8, *SMALL.shape), 100, dtype=torch.uint8)
    crops = make_network(shift=0.1).draw_crops(x).flatten(1)
    assert torch.equal(crops, crops[:, :1].expand_as(crops))
    assert 0 < (crops[:, 0] - 100).abs().max() <= 25.5
    assert len(crops[:, 0].unique()) == 8


def test_mean_probabilities_stay_exact_far_into_the_tails() -> None:
    from primatrix.models.conv3d import mean_logit

    logits = torch.tensor([[[-40.0, 40.0]], [[-41.0, 41.0]]])
    assert mean_logit(logits)[0].tolist() == pytest.approx([-40.37989, 40.37989], abs=1e-4)


@pytest.mark.parametrize("spec", [ClipSpec(9, 64, 64), ClipSpec(30, 8, 64)])
def test_too_small_clips_are_refused(spec: ClipSpec) -> None:
    with pytest.raises(ModelError, match="wanted at least 10 frames of 9x9; use a larger ClipSpec"):
        build_model("conv3d", species=["a"], spec=spec)


@pytest.mark.parametrize(
    ("option", "value", "wanted"),
    [
        ("dropout", 1.0, "wanted 0 to below 1"),
        ("shift", -0.1, "wanted 0 to below 1"),
        ("views_per_axis", 0, "wanted 1 or more"),
    ],
)
def test_options_out_of_range_are_refused(option: str, value: float, wanted: str) -> None:
    with pytest.raises(ModelError, match=wanted):
        Conv3dOptions(**{option: value})


def test_it_gives_no_frames_and_says_so() -> None:
    model = build_model("conv3d", species=["a"], spec=SMALL)
    assert not model.gives_frames
    with pytest.raises(ModelError, match="conv3d: got asked for an answer per frame, which it does not give"):
        model.forward_frames(make_clips(SMALL))


def test_gradients_over_two_frames_are_the_same_each_time() -> None:
    network, x = make_network(dropout=0.0), make_clips(SMALL, 4)  # 8 frames of a crop, pooled to 4, then to 2
    first: dict[str, torch.Tensor] = {}
    for _ in range(5):
        junk = [torch.full((4000 * 4**i,), float("nan")) for i in range(5)]
        del junk  # what is left in memory must not be read
        network.zero_grad()
        with torch.random.fork_rng(), torch.autocast("cpu", torch.bfloat16):
            torch.manual_seed(0)
            network(x).float().square().sum().backward()
        gradients = {name: p.grad.clone() for name, p in network.named_parameters()}
        first = first or gradients
        assert all(torch.equal(first[name], gradient) for name, gradient in gradients.items())
