from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primatrix import ClipSpec, InputError
from primatrix.data import Dataset
from primatrix.measures import aggregated_log_loss
from primatrix.models import build_model, load_model
from primatrix.results import read_predictions
from primatrix.training.answers import answer_held_out, judge, keep_split, keep_validation, list_validated
from primatrix.training.loop import train
from primatrix.training.recipe import EpochScores, TrainSpec
from primatrix.trust import calibrate_model, fit_calibration, read_training_clips
from primatrix.video import identify

SPEC = ClipSpec(2, 16, 16)


@pytest.fixture
def data(make_video: Callable[..., Path], tmp_path: Path) -> Dataset:
    """20 clips of two species, 6 of which validate in batches of 4; the first of these is broken."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for i in range(20):
        make_video(folder / f"{i:02}.avi", frames=3 + i, size=(16, 16), codec="mpeg4")
    table = pd.DataFrame({"filepath": [f"{i:02}.avi" for i in range(20)], "label": ["hog", "duiker"] * 10})
    table.to_csv(tmp_path / "labels.csv", index=False)
    opened = Dataset.from_folder(
        folder, SPEC, labels=tmp_path / "labels.csv", batch_size=4, workers=0, store=tmp_path / "s"
    )
    (folder / opened.X_val[0]).write_bytes(b"no video")
    return Dataset.from_folder(
        folder, SPEC, labels=tmp_path / "labels.csv", batch_size=4, workers=0, store=tmp_path / "s"
    )


def test_the_split_names_every_labelled_clip_once(data: Dataset, tmp_path: Path) -> None:
    keep_split(data, tmp_path)
    part = pd.read_csv(tmp_path / "split.csv", index_col="filepath")["part"]
    assert part.index[part == "validation"].tolist() == data.X_val.tolist()
    assert part.index[part == "training"].tolist() == data.X_train.tolist()
    assert len(part) == 20


def test_validating_clips_are_answered_by_the_models_own_probabilities(data: Dataset, tmp_path: Path) -> None:
    model = build_model("lrcn", species=data.class_names, spec=SPEC)
    y = np.tile([[0.0, 1.0], [1.0, 0.0]], (20, 1))
    model.calibration = fit_calibration(
        pd.DataFrame(y, columns=model.species), pd.DataFrame(0.2 + 0.6 * y, columns=model.species),
        source="validation",
    )  # fmt: skip
    model.save(tmp_path / "m")
    keep_validation(model, data, folder=tmp_path / "m", spec=TrainSpec(validation_steps=2, precision="fp32"))
    table = read_predictions(tmp_path / "m" / "validation.csv")
    assert table.index.tolist() == data.X_val.tolist()
    assert table.iloc[0].isna().all()
    assert model.calibration is not None
    model.calibration = None
    clips, _ = next(data.val_batches())
    np.testing.assert_allclose(table.iloc[1:4], model.probabilities(clips), atol=1e-5)


def test_only_batches_that_were_validated_on_are_answered_and_none_where_none_was(
    data: Dataset, tmp_path: Path
) -> None:
    model = build_model("lrcn", species=data.class_names, spec=SPEC)
    model.save(tmp_path)
    keep_validation(model, data, folder=tmp_path, spec=TrainSpec(validation_steps=0))
    assert not (tmp_path / "validation.csv").exists()
    keep_validation(model, data, folder=tmp_path, spec=TrainSpec(validation_steps=1))
    assert len(pd.read_csv(tmp_path / "validation.csv")) == 4


def test_a_model_knows_its_training_clips_wherever_it_is_saved_and_those_of_a_run_before(
    data: Dataset, tmp_path: Path
) -> None:
    model = build_model("lrcn", species=data.class_names, spec=SPEC)
    settings = {"epochs": 1, "steps_per_epoch": 2, "device": "cpu", "precision": "fp32"}
    train(model, data, **settings)
    model.save(tmp_path / "elsewhere")
    files = {name: identify(data.datapath / name).hex() for name in [*data.X_train, *data.X_val]}
    known = read_training_clips(tmp_path / "elsewhere")
    assert known.find(files, files=files) == data.X_train.tolist()
    assert known.find(["other.avi"], files={"other.avi": files[data.X_train[0]]}) == ["other.avi"]
    later = load_model(tmp_path / "elsewhere")
    train(later, data.hold_out(data.X_train[:5]), **settings)
    assert later.trained_on is not None
    assert set(later.trained_on.find(files, files=files)) >= set(data.X_train)


def test_validation_answers_name_their_model_and_calibrate_no_other(data: Dataset, tmp_path: Path) -> None:
    for seed, name in enumerate(("m", "other")):
        model = build_model("lrcn", species=data.class_names, spec=SPEC, seed=seed)
        model.save(tmp_path / name)
        keep_validation(model, data, folder=tmp_path / name, spec=TrainSpec(validation_steps=2))
    labels, answers = tmp_path / "labels.csv", tmp_path / "m" / "validation.csv"
    with pytest.raises(InputError, match="made by another model"):
        calibrate_model(tmp_path / "other", labels=labels, predictions=answers)
    assert calibrate_model(tmp_path / "m", labels=labels, predictions=answers).fitted_on.clips == 5


def test_answers_are_given_once_for_the_same_weights_and_clips(
    data: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build_model("lrcn", species=data.class_names, spec=SPEC)
    model.save(tmp_path)
    part = data.hold_out(data.X_val)
    first = answer_held_out(model, part, folder=tmp_path, name="a.safetensors", spec=TrainSpec())
    with monkeypatch.context() as patch:
        patch.setattr(Dataset, "test_batches", None)
        again = answer_held_out(model, part, folder=tmp_path, name="a.safetensors", spec=TrainSpec())
    np.testing.assert_array_equal(first, again)
    other = build_model("lrcn", species=data.class_names, spec=SPEC, seed=1)
    other.save(tmp_path)
    assert not np.allclose(
        answer_held_out(other, part, folder=tmp_path, name="a.safetensors", spec=TrainSpec())[1:], first[1:]
    )


def test_each_epoch_validates_the_batches_after_those_of_the_epoch_before(data: Dataset) -> None:
    names = data.X_val.tolist()
    assert len(names) == 6  # two batches, of four and of two
    assert list_validated(data, epoch=0, steps=1) == names[:4]
    assert list_validated(data, epoch=1, steps=1) == names[4:]
    assert list_validated(data, epoch=2, steps=1) == names[:4]
    next(data.val_batches())
    assert list_validated(data, epoch=0, steps=2) == names[1:]  # the broken one is known by now


def test_the_verdict_compares_with_the_constant_on_the_very_clips(data: Dataset) -> None:
    share = (7 + 0.5) / (14 + 1)  # of hogs and of duikers among the clips trained on
    constant = -(np.log(share) + np.log(1 - share)) / 2
    true = data.y_val
    assert aggregated_log_loss(true, true * 0 + share) == pytest.approx(constant)
    epochs = [EpochScores(0.5, loss, 1.0, 1.0) for loss in (0.9, 0.3465)]
    assert judge(data, epochs, kept=1, steps=2) == (
        "epoch 2 of 2 is kept: validation loss 0.3465, better than the constant's 0.6931 (0.50 of it)"
    )
    assert "validation loss 0.9000, worse than the constant's 0.6931 (1.30 of it)" in judge(
        data, epochs, kept=0, steps=2
    )
    assert judge(data, epochs, kept=0, steps=0) == (
        "no clip was validated on, so nothing says whether the model is better than the constant"
    )
