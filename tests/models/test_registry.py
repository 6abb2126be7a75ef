import json
from pathlib import Path

import numpy as np
import pytest
import torch

from primatrix import ClipSpec, ModelError
from primatrix.models.ensemble import Ensemble
from primatrix.models.model import Model
from primatrix.models.registry import build_model, is_outside, list_models, load_model

NANO = ClipSpec(15, 16, 16)


def test_same_seed_gives_the_same_weights_and_leaves_torchs_state_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    one, two, other = (build_model("lrcn", species=["a"], spec=NANO, seed=s) for s in (3, 3, 4))
    assert torch.equal(torch.rand(1), expected)
    weights = [m.network.state_dict()["head.weight"] for m in (one, two, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"name": "resnet"},
            "architecture: got 'resnet', wanted one of backbone, conv3d, linear_probe, lrcn, motion",
        ),
        ({"depth": 3}, "lrcn: got option depth, wanted one of input_scale, frame_dropout, lstm_dropout"),
        ({"species": []}, r"species: got \[\], wanted a list of one or more names, none twice"),
        ({"species": "ab"}, "species: got 'ab', wanted a list"),
        ({"species": ["a", "a"]}, "none twice"),
    ],
)
def test_what_cannot_be_built_is_refused(change: dict, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        build_model(**{"name": "lrcn", "species": ["a"], "spec": NANO, **change})


def test_every_listed_model_can_be_built() -> None:
    colour = {"linear_probe": ClipSpec(4, 16, 16, "rgb", closeups=2)}
    for name in set(list_models()) - {"backbone"}:  # which wants pretrained weights
        assert build_model(name, species=["a", "b"], spec=colour.get(name, NANO)).name == name


def test_options_of_another_kind_are_refused() -> None:
    with pytest.raises(ModelError, match=r"motion: width: got 24\.5, wanted a whole number"):
        build_model("motion", species=["a"], spec=ClipSpec(5, 32, 32), width=24.5)
    with pytest.raises(ModelError, match=r"motion: got \{'width': 'wide'}, wanted numbers"):
        build_model("motion", species=["a"], spec=ClipSpec(5, 32, 32), width="wide")


def test_saved_model_comes_back_whole(tmp_path: Path) -> None:
    spec = ClipSpec(4, 20, 24, "rgb", "keyframes", (0.1, 0.06))
    model = build_model("lrcn", species=["okapi", "blank"], spec=spec, seed=5, input_scale=1 / 255)
    model.scores = {"val_loss": 0.0903}
    model.clip_seconds = 15.0
    model.save(tmp_path / "new" / "folder")
    back = load_model(tmp_path / "new" / "folder")
    assert (back.name, back.species, back.spec, back.scores) == (
        "lrcn", ("okapi", "blank"), spec, {"val_loss": 0.0903},
    )  # fmt: skip
    assert back.clip_seconds == 15.0
    assert back.options == {"input_scale": 1 / 255, "frame_dropout": 0.2, "lstm_dropout": 0.5}
    x = np.random.default_rng(0).integers(0, 256, (2, *spec.shape), np.uint8)
    assert np.array_equal(back.probabilities(x), model.probabilities(x))


def save(folder: Path, *, species: tuple[str, ...] = ("a", "b")) -> Path:
    build_model("lrcn", species=species, spec=NANO).save(folder)
    return folder


def change(folder: Path, **changes: object) -> None:
    facts = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**facts, **changes}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"architecture": "resnet"},
            "architecture: got 'resnet', wanted one of backbone, conv3d, linear_probe, lrcn, motion",
        ),
        ({"species": "ab"}, "species: got 'ab', wanted a list"),
        ({"options": {"input_scale": "half"}}, "lrcn: "),
        ({"options": None}, "must be a mapping"),
        ({"spec": {"frames": 0}}, "frames"),
        ({"scores": None}, "'NoneType' object is not iterable"),
        ({"calibration": {"species": ["a"]}}, "calibration: got values that are none"),
    ],
)
def test_facts_that_describe_no_model_get_one_line(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    change(save(tmp_path), **changes)
    with pytest.raises(ModelError) as caught:
        load_model(tmp_path)
    line = str(caught.value)
    assert line.startswith(f"{tmp_path}/model.json: does not describe a model (")
    assert line.endswith("); save it again")
    assert message in line
    assert "\n" not in line


def test_a_model_of_before_knows_nothing_of_its_clips_or_recipe_and_is_loaded(tmp_path: Path) -> None:
    save(tmp_path)
    facts = json.loads((tmp_path / "model.json").read_text())
    for name in ("recipe", "calibration", "clip_seconds"):
        del facts[name]
    (tmp_path / "model.json").write_text(json.dumps(facts))
    model = load_model(tmp_path)
    assert (model.recipe, model.calibration, model.clip_seconds) == ({}, None, None)
    assert not model.network.training


@pytest.mark.parametrize(
    ("name", "outside"),
    [
        ("fold0", False), ("family0/member1", False), ("fold 0", False), ("a/./b", False),
        ("", True), (".", True), ("./.", True), ("/etc", True), ("../other", True), ("a/../../b", True),
        ("..\\other", True), ("C:\\models", True), ("C:models", True), ("\\\\server\\models", True),
    ],
)  # fmt: skip
def test_a_members_name_leads_below_its_folder_on_every_system(name: str, outside: bool) -> None:
    assert is_outside(name) == outside


@pytest.mark.parametrize("name", ["./.", "..\\other", 5])
def test_an_ensemble_that_names_itself_or_what_lies_outside_is_refused(tmp_path: Path, name: object) -> None:
    Ensemble([[build_model("lrcn", species=["a"], spec=NANO)]]).save(tmp_path)
    change(tmp_path, members=[[name]])
    with pytest.raises(ModelError, match="wanted a folder below this one"):
        load_model(tmp_path)


@pytest.mark.parametrize("members", [None, [], {"a": 1}, [[]], "fold0", [5], ["fold0"]])
def test_an_ensemble_without_members_is_refused(tmp_path: Path, members: object) -> None:
    Ensemble([[build_model("lrcn", species=["a"], spec=NANO)]]).save(tmp_path)
    change(tmp_path, members=members)
    with pytest.raises(ModelError, match="ensemble: got no members, wanted one or more in every family"):
        load_model(tmp_path)


def test_stacking_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    members: list[list[Model]] = [[build_model("lrcn", species=["a", "b"], spec=NANO)]]
    Ensemble(members, stack=torch.zeros(2, 10)).save(tmp_path / "right")
    assert isinstance(load_model(tmp_path / "right"), Ensemble)
    Ensemble(members, stack=torch.zeros(2, 9)).save(tmp_path / "wrong")
    with pytest.raises(ModelError, match=r"got stacking weights \(2, 9\), wanted \(2, 10\); save it again"):
        load_model(tmp_path / "wrong")
