from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primatrix.disk import digest_weights
from primatrix.errors import InputError
from primatrix.models import build_model, load_model
from primatrix.records import ClipSpec
from primatrix.results import Origin, write_origin
from primatrix.trust.calibration import Calibration
from primatrix.trust.calibration_files import calibrate_model, describe_calibration
from primatrix.trust.points import Promise

SPECIES = ["blank", "duiker", "hog"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model, its predictions for 600 clips, their labels and sites, and labels of 50 more clips."""
    build_model("lrcn", species=SPECIES, spec=ClipSpec()).save(tmp_path / "model")
    rng = np.random.default_rng(0)
    index = pd.Index([f"{i}.mp4" for i in range(650)], name="filename")
    true = pd.DataFrame(np.eye(3)[rng.choice(3, p=[0.5, 0.3, 0.2], size=650)], index, SPECIES)
    prob = 1 / (1 + np.exp(-2 * (3 * true - 2 + rng.normal(size=true.shape))))
    true.astype(int).to_csv(tmp_path / "labels.csv")
    prob[:600].to_csv(tmp_path / "predictions.csv", float_format="%.7g")
    pd.Series(rng.integers(12, size=650), index, name="site").to_csv(tmp_path / "sites.csv")
    return tmp_path


def calibrate(folder: Path) -> Calibration:
    return calibrate_model(
        folder / "model", labels=folder / "labels.csv", predictions=folder / "predictions.csv",
        deployments=folder / "sites.csv",
    )  # fmt: skip


def test_calibration_is_saved_in_the_model(folder: Path) -> None:
    calibration = calibrate(folder)
    assert load_model(folder / "model").calibration == calibration
    assert (calibration.fitted_on.clips, calibration.fitted_on.sites) == (600, 12)
    text = describe_calibration(calibration)
    assert "fitted on validation predictions for 600 clips of 12 sites" in text
    assert "blank clips skipped: " in text
    assert len(text.splitlines()) == 8


def test_calibrating_calibrated_predictions_is_refused(folder: Path) -> None:
    calibration = calibrate(folder)
    own = pd.read_csv(folder / "predictions.csv", index_col="filename")
    calibrate(folder)  # the model's own predictions may be used again
    mapped = pd.DataFrame(calibration.apply(own.to_numpy()), own.index, own.columns)
    mapped.to_csv(folder / "predictions.csv", float_format="%.7g")
    with pytest.raises(
        InputError, match="so these are calibrated; wanted the model's own: predict with --raw"
    ):
        calibrate(folder)


def test_calibrated_predictions_are_refused_where_they_say_so(folder: Path) -> None:
    digest = digest_weights(folder / "model")
    write_origin(folder / "predictions.csv", Origin("lrcn", digest, calibrated=True))
    with pytest.raises(
        InputError, match="made by a calibrated model; wanted the model's own: predict with --raw"
    ):
        calibrate(folder)
    write_origin(
        folder / "predictions.csv",
        Origin("lrcn", digest, files={f"{i}.mp4": f"{i:032x}" for i in range(600)}),
    )
    assert len(calibrate(folder).fitted_on.files) == 256


def test_predictions_of_other_species_are_refused(folder: Path) -> None:
    own = pd.read_csv(folder / "predictions.csv", index_col="filename")
    own.drop(columns="hog").to_csv(folder / "predictions.csv")
    with pytest.raises(InputError, match="no column for hog; wanted the model's 3 species"):
        calibrate(folder)


def test_labels_of_a_species_the_model_does_not_know_are_refused(folder: Path) -> None:
    labels = pd.read_csv(folder / "labels.csv", index_col="filename")
    labels["lion"] = 0
    labels.to_csv(folder / "labels.csv")
    calibrate(folder)  # a column of zeros says nothing
    labels.loc["3.mp4"] = [0, 0, 0, 1]
    labels.to_csv(folder / "labels.csv")
    with pytest.raises(InputError, match="1 clips show lion, which the model does not know"):
        calibrate(folder)


def test_labels_that_spell_species_otherwise_than_the_model_are_of_its_species(folder: Path) -> None:
    plain = calibrate(folder)
    labels = pd.read_csv(folder / "labels.csv", index_col="filename")
    labels.rename(columns={"blank": "Empty", "duiker": "DUIKER", "hog": "hog "}).to_csv(folder / "labels.csv")
    assert calibrate(folder).fitted_on.positives == plain.fitted_on.positives


@pytest.mark.parametrize(("source", "clips"), [("validation", 150), ("out-of-fold", 450)])
def test_clips_that_trained_or_are_held_out_calibrate_nothing(folder: Path, source: str, clips: int) -> None:
    labels = pd.read_csv(folder / "labels.csv", index_col="filename")
    labels["split"] = (["train", "val", "train", "holdout"] * 163)[:650]
    labels.to_csv(folder / "labels.csv")
    calibration = calibrate_model(
        folder / "model", labels=folder / "labels.csv", predictions=folder / "predictions.csv",
        source=source,  # type: ignore[arg-type]
    )  # fmt: skip
    assert calibration.fitted_on.clips == clips


def test_sites_of_other_clips_are_refused(folder: Path) -> None:
    sites = pd.read_csv(folder / "sites.csv", index_col="filename").rename(lambda name: f"other{name}")
    sites.to_csv(folder / "sites.csv")
    wanted = "none of the 600 labelled clips; got filename other0.mp4, wanted clips as in the labels: 0.mp4"
    with pytest.raises(InputError, match=wanted):
        calibrate(folder)


def test_labels_predictions_and_sites_may_each_write_clips_in_their_way(folder: Path) -> None:
    plain = calibrate(folder)
    for name, write in (("labels", "videos\\{}"), ("predictions", "./{}"), ("sites", "C:\\card\\{}")):
        table = pd.read_csv(folder / f"{name}.csv", index_col="filename")
        table.rename(lambda clip, write=write: write.format(clip).upper()).to_csv(folder / f"{name}.csv")
    written = calibrate(folder)
    assert (written.weights, written.thresholds) == (plain.weights, plain.thresholds)
    assert (written.fitted_on.clips, written.fitted_on.sites) == (600, 12)


def test_a_weak_models_own_predictions_may_be_used_for_another_promise(folder: Path) -> None:
    path = folder / "predictions.csv"
    own = pd.read_csv(path, index_col="filename")
    weak = 0.2 + 0.4 * own  # between floors and ceilings, as if calibrated
    weak.to_csv(path, float_format="%.7g")
    first = calibrate(folder)
    again = calibrate_model(
        folder / "model", labels=folder / "labels.csv", predictions=path, deployments=folder / "sites.csv",
        promise=Promise(max_loss=0.2),
    )  # fmt: skip
    assert again.weights == first.weights
    assert again.operating_points["skip blank"].max_loss == 0.2
    (weak + 0.001).to_csv(path, float_format="%.7g")  # of these nobody knows
    with pytest.raises(InputError, match="so these are calibrated"):
        calibrate(folder)
