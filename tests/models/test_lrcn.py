import numpy as np
import pytest
import torch
import torch.nn.functional as F

from primatrix import ClipSpec, ModelError
from primatrix.models import build_model
from primatrix.models.lrcn import Lrcn, LrcnOptions

NANO = ClipSpec(15, 16, 16)


def make_network(spec: ClipSpec = NANO, **options: float) -> Lrcn:
    torch.manual_seed(0)
    return Lrcn(spec, species_count=24, options=LrcnOptions(**options))


def test_parameters_are_the_benchmarks_layer_by_layer() -> None:
    rows = make_network().layer_rows()
    assert [(shape, count) for _, shape, count in rows] == [
        ((15, 14, 14, 64), 640),
        ((15, 13, 13, 64), 0),
        ((15, 10, 10, 128), 131_200),
        ((15, 5, 5, 128), 0),
        ((15, 2, 2, 256), 524_544),
        ((15, 1, 1, 256), 0),
        ((15, 256), 0),
        ((15, 256), 0),
        ((256,), 525_312),
        ((24,), 6_168),
    ]
    assert sum(p.numel() for p in make_network().parameters()) == 1_187_864


@pytest.mark.parametrize("spec", [NANO, ClipSpec(3, 20, 33), ClipSpec(2, 64, 64, "rgb")])
def test_forward_gives_one_logit_per_species_at_any_size(spec: ClipSpec) -> None:
    network = make_network(spec).eval()
    x = torch.randint(0, 256, (2, *spec.shape), dtype=torch.uint8)
    assert network(x).shape == (2, 24)
    assert torch.equal(network(x), network(x.float()))
    assert sum(count for _, _, count in network.layer_rows()) == sum(p.numel() for p in network.parameters())


def test_too_small_pictures_are_refused() -> None:
    with pytest.raises(ModelError, match="got clips of 15x16 pixels, wanted at least 16x16"):
        build_model("lrcn", species=["a"], spec=ClipSpec(15, 15, 16))


@pytest.mark.parametrize(
    ("option", "value", "wanted"),
    [
        ("input_scale", 0.0, "wanted a number above 0"),
        ("input_scale", float("nan"), "wanted a number above 0"),
        ("lstm_dropout", 1.0, "wanted 0 to below 1"),
        ("frame_dropout", -0.1, "wanted 0 to below 1"),
    ],
)
def test_options_out_of_range_are_refused(option: str, value: float, wanted: str) -> None:
    with pytest.raises(ModelError, match=wanted):
        LrcnOptions(**{option: value})


def test_forward_is_the_formula_of_keras_written_out() -> None:
    network = make_network().eval()
    x = np.random.default_rng(0).integers(0, 256, (2, *NANO.shape), np.uint8)
    with torch.no_grad():
        features = []
        for t in range(15):
            frame = torch.from_numpy(x[:, t]).permute(0, 3, 1, 2).float()
            for convolution, stride in zip(network.convolutions, (1, 2, 2), strict=True):
                frame = F.max_pool2d(F.relu(convolution(frame)), 2, stride)
            features.append(frame.permute(0, 2, 3, 1).flatten(1))
        lstm, h, c = network.lstm, torch.zeros(2, 256), torch.zeros(2, 256)
        for feature in features:
            z = feature @ lstm.weight_ih_l0.T + h @ lstm.weight_hh_l0.T + lstm.bias_ih_l0
            i, f, g, o = z.chunk(4, dim=1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        expected = network.head(h)
        torch.testing.assert_close(network(torch.from_numpy(x)), expected, atol=1e-4, rtol=1e-4)


def test_initial_weights_are_those_keras_draws() -> None:
    network = make_network()
    for weight, fan_in, fan_out in (
        (network.convolutions[1].weight, 4 * 4 * 64, 4 * 4 * 128),
        (network.lstm.weight_ih_l0, 256, 1024),
        (network.head.weight, 256, 24),
    ):
        limit = (6 / (fan_in + fan_out)) ** 0.5
        assert weight.abs().max().item() == pytest.approx(limit, rel=0.01)
        assert weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.03)
    recurrent = network.lstm.weight_hh_l0.T  # Keras' (units, 4 * units): its rows are orthonormal
    torch.testing.assert_close(recurrent @ recurrent.T, torch.eye(256), atol=1e-5, rtol=0)
    bias = network.lstm.bias_ih_l0.detach()
    assert torch.equal(bias[256:512], torch.ones(256))
    assert bias.sum() == 256
    assert all(not module.bias.any() for module in (*network.convolutions, network.head))


def test_lstm_has_one_bias_and_its_second_stays_zero() -> None:
    network = make_network()
    assert [name for name, _ in network.lstm.named_parameters()] == [
        "weight_ih_l0", "weight_hh_l0", "bias_ih_l0",
    ]  # fmt: skip
    network(torch.zeros(2, *NANO.shape)).sum().backward()
    assert network.lstm.bias_ih_l0.grad is not None
    assert not network.lstm.bias_hh_l0.any()
    assert not network.lstm.bias_hh_l0.requires_grad


def test_dropout_draws_per_frame_and_the_lstms_once_per_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    forward = torch.nn.LSTM.forward
    monkeypatch.setattr(torch.nn.LSTM, "forward", lambda self, x: seen.append(x) or forward(self, x))
    x = torch.randint(0, 256, (4, 1, 16, 16, 1)).expand(4, 15, 16, 16, 1)  # every frame the same
    make_network(frame_dropout=0.0).train()(x)
    assert torch.equal(seen[0], seen[0][:, :1].expand_as(seen[0]))
    kept = seen[0][:, 0]
    make_network(frame_dropout=0.0, lstm_dropout=0.0).train()(x)
    torch.testing.assert_close(kept[kept != 0], 2 * seen[1][:, 0][kept != 0])
    assert ((kept == 0) & (seen[1][:, 0] != 0)).any()
    make_network(lstm_dropout=0.0).train()(x)
    assert not torch.equal(seen[2][:, 0], seen[2][:, 1])


def test_input_scale_is_applied_to_the_pixels() -> None:
    x = torch.randint(0, 256, (2, *NANO.shape))
    scaled = make_network(input_scale=1 / 255).eval()(x)
    torch.testing.assert_close(scaled, make_network().eval()(x / 255), atol=1e-5, rtol=1e-4)
