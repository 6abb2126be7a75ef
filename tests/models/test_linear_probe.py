"""A linear probe: pooled features, answers for clips and for their pictures, saved without the encoder's weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from primatrix.errors import ModelError
from primatrix.models.batches import predict_batches, predict_frames
from primatrix.models.ensemble import Ensemble
from primatrix.models.features import Features
from primatrix.models.linear_probe import LinearProbe, look_closely, pool_clips, pool_pictures
from primatrix.models.model import Model
from primatrix.models.registry import build_model, load_model
from primatrix.records import ClipSpec

SPEC = ClipSpec(4, 32, 32, "rgb", closeups=2)
CLOSE, WHOLE = [0.2, 0.3, 0.1, 0.1, 1.5], [0.0, 0.0, 1.0, 1.0, 0.0]


def make_model(seed: int = 0) -> Model:
    model = build_model("linear_probe", species=["blank", "hog"], spec=SPEC)
    torch.manual_seed(seed)
    assert isinstance(model.network, LinearProbe)
    torch.nn.init.normal_(model.network.layer.weight, std=0.05)
    return model


def make_features(clips: int = 3, *, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    about = np.tile(np.array([CLOSE, CLOSE, WHOLE, WHOLE], np.float16), (clips, 1, 1))
    return np.concatenate([rng.random((clips, 4, 1280)).astype(np.float16), about], -1)


def test_close_ups_are_pooled_by_mean_and_maximum_and_whole_pictures_by_spread() -> None:
    x = torch.tensor([[[1.0, 5, *CLOSE], [3, 1, *CLOSE], [2, 4, *WHOLE], [6, 4, *WHOLE]]])
    np.testing.assert_allclose(pool_clips(x), [[2, 3, 3, 5, 2, 0]])


def test_without_close_ups_whole_pictures_take_their_place() -> None:
    x = torch.tensor([[[2.0, 4, *WHOLE], [6, 4, *WHOLE]]])
    np.testing.assert_allclose(pool_clips(x), [[4, 4, 6, 4, 2, 0]])


def test_a_picture_is_answered_as_a_clip_that_shows_nothing_else_close_up() -> None:
    x = torch.tensor([[[1.0, 5, *CLOSE], [3, 1, *CLOSE], [2, 4, *WHOLE], [6, 4, *WHOLE]]])
    np.testing.assert_allclose(pool_pictures(x)[0, 0], [1, 5, 1, 5, 2, 0])
    alone = torch.tensor([[[1.0, 5, *CLOSE], [1, 5, *CLOSE], [2, 4, *WHOLE], [6, 4, *WHOLE]]])
    np.testing.assert_allclose(pool_clips(alone)[0], pool_pictures(x)[0, 0])


def test_clips_and_pictures_are_answered(tmp_path: Path) -> None:
    model, x = make_model(), make_features()
    (clips,) = predict_batches(model, [x], device="cpu", precision="fp32")
    ((again, frames),) = predict_frames(model, [x], device="cpu", precision="fp32")
    assert (clips.shape, frames.shape) == ((3, 2), (3, 4, 2))
    np.testing.assert_allclose(again, clips, atol=1e-6)
    model.save(tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    np.testing.assert_array_equal(next(predict_batches(loaded, [x], device="cpu", precision="fp32")), clips)


def test_a_saved_model_names_its_encoder_and_does_not_hold_it(tmp_path: Path) -> None:
    make_model().save(tmp_path / "m")
    facts = json.loads((tmp_path / "m" / "model.json").read_text(encoding="utf-8"))
    assert facts["options"] == {
        "encoder": "efficientnet-lite0",
        "digest": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "features": 1280,
    }
    assert (tmp_path / "m" / "model.safetensors").stat().st_size < 200_000


def test_a_model_of_other_weights_is_refused_when_it_is_to_look(tmp_path: Path) -> None:
    make_model().save(tmp_path / "m")
    path = tmp_path / "m" / "model.json"
    path.write_text(path.read_text(encoding="utf-8").replace("579344248a93", "0" * 12), encoding="utf-8")
    with pytest.raises(ModelError, match=r"got weights 579344248a93…, wanted 000000000000…"):
        load_model(tmp_path / "m").make_features()


def test_pixels_are_refused_in_one_line() -> None:
    with pytest.raises(ModelError, match=r"got clips 1x4x32x32x3, wanted \(any number\)x4x1285; .*keeping="):
        make_model().probabilities(np.zeros((1, *SPEC.shape), np.uint8))


def test_grey_clips_are_refused() -> None:
    with pytest.raises(ModelError, match=r"got grey clips, wanted rgb"):
        build_model("linear_probe", species=["hog"], spec=ClipSpec(4, 32, 32, closeups=2))


def test_probes_of_one_encoder_make_an_ensemble(tmp_path: Path) -> None:
    x, members = make_features(), [make_model(0), make_model(1)]
    ensemble = Ensemble([members])
    (together,) = predict_batches(ensemble, [x], device="cpu", precision="fp32")
    each = [next(predict_batches(member, [x], device="cpu", precision="fp32")) for member in members]
    np.testing.assert_allclose(together, np.mean(each, 0), atol=1e-5)
    assert isinstance(ensemble.make_features(), Features)
    with pytest.raises(ModelError, match=r"the same ClipSpec and encoder"):
        Ensemble([[make_model(), build_model("motion", species=["blank", "hog"], spec=SPEC)]])


def test_what_it_looks_at_is_as_its_encoder_wants_it() -> None:
    features = look_closely("efficientnet-lite0")
    assert features.spec == ClipSpec(10, 224, 224, "rgb", closeups=6)
    assert features.shape == (10, 1285)
