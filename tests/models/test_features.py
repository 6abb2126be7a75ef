"""Features of clips: the encoder's own, looked at once, with what each picture is about."""

import numpy as np
import pytest
import torch

from primatrix.errors import ModelError
from primatrix.models.devices import Processor
from primatrix.models.encoders import load_encoder
from primatrix.models.features import Features
from primatrix.records import Clip, ClipSpec

SPEC = ClipSpec(4, 64, 48, "rgb", closeups=2)
CPU = Processor("cpu", "fp32")


def make_clip(seed: int) -> Clip:
    rng = np.random.default_rng(seed)
    boxes = rng.random((4, 5)).astype(np.float32)
    return Clip("a", rng.integers(0, 255, SPEC.shape, np.uint8), np.arange(4.0), boxes=boxes)


def make_features(spec: ClipSpec = SPEC) -> Features:
    return Features(spec, load_encoder("efficientnet-lite0").facts, processor=CPU)


def test_features_are_the_encoders_own_and_the_boxes_beside_them() -> None:
    clips = [make_clip(0), make_clip(1)]
    taken = make_features().take(clips)
    assert (taken.shape, taken.dtype) == ((2, 4, 1285), np.float16)
    encoder = load_encoder("efficientnet-lite0")
    with torch.inference_mode():
        wanted = encoder(torch.from_numpy(clips[1].frames)).numpy()
    np.testing.assert_allclose(taken[1, :, :1280], wanted, atol=2e-2)
    assert clips[1].boxes is not None
    np.testing.assert_allclose(taken[1, :, 1280:], clips[1].boxes, atol=1e-3)


def test_a_picture_that_comes_several_times_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    features, looked = make_features(), list[int]()
    look = features._look

    def count(pictures: np.ndarray) -> np.ndarray:
        looked.append(len(pictures))
        return look(pictures)

    monkeypatch.setattr(features, "_look", count)
    clip = make_clip(0)
    still = Clip("b", np.repeat(clip.frames[:1], 4, 0), np.zeros(4))  # a still: one picture in all places
    taken = features.take([still, Clip("c", clip.frames, clip.pts_seconds), still])
    assert looked == [4]  # the still is the first picture of the other clip
    np.testing.assert_array_equal(taken[0, 0], taken[0, 3])
    np.testing.assert_array_equal(taken[0], taken[2])
    assert (taken[1, 0] != taken[1, 1]).any()


def test_the_key_says_spec_and_weights() -> None:
    key = make_features().key
    assert key == f"{SPEC.key}-efficientnet-lite0-57934424"
    assert make_features(ClipSpec(5, 64, 48, "rgb", closeups=2)).key != key


def test_another_encoder_than_the_one_named_is_refused() -> None:
    from dataclasses import replace

    facts = replace(load_encoder("efficientnet-lite0").facts, digest="0" * 64)
    with pytest.raises(ModelError, match=r"got weights 579344248a93…, wanted 000000000000…"):
        Features(SPEC, facts, processor=CPU).take([make_clip(0)])
