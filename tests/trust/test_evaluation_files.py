"""What an evaluation of files says and writes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primatrix.errors import InputError, ModelError
from primatrix.models import build_model
from primatrix.records import ClipSpec
from primatrix.trust.calibration_files import calibrate_model
from primatrix.trust.evaluation_files import (
    Beside,
    check_figures,
    describe_evaluation,
    evaluate_files,
    point_lines,
    read_durations,
    write_evaluation,
)

SPECIES = ["blank", "duiker", "hog"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model; labels, sites and predictions of 500 validation and 400 test clips."""
    build_model("lrcn", species=SPECIES, spec=ClipSpec()).save(tmp_path / "model")
    rng = np.random.default_rng(0)
    for part, clips in (("val", 500), ("test", 400)):
        index = pd.Index([f"{part}{i}.mp4" for i in range(clips)], name="filename")
        true = pd.DataFrame(np.eye(3)[rng.choice(3, p=[0.5, 0.3, 0.2], size=clips)], index, SPECIES)
        prob = 1 / (1 + np.exp(-2 * (4 * true - 2 + rng.normal(size=true.shape))))
        true.astype(int).to_csv(tmp_path / f"{part}_labels.csv")
        prob.to_csv(tmp_path / f"{part}.csv", float_format="%.7g")
        sites = pd.DataFrame({"site": rng.integers(10, size=clips), "duration_seconds": 15.0}, index)
        sites.to_csv(tmp_path / f"{part}_clips.csv")
    return tmp_path


def test_files_beside_labels_and_predictions_are_looked_at_and_tables_written(folder: Path) -> None:
    calibrate_model(folder / "model", labels=folder / "val_labels.csv", predictions=folder / "val.csv")
    clips = folder / "test_clips.csv"
    beside = Beside(clips, folder / "val_labels.csv", folder / "test.csv", folder / "model", clips)
    evaluation = evaluate_files(folder / "test_labels.csv", folder / "test.csv", beside=beside)
    text = describe_evaluation(evaluation)
    assert "400 clips of 10 sites; interval: 95 %, jackknife over 10 sites" in text
    assert "of 1.7 hours need not be watched" in text
    names = {path.name for path in write_evaluation(evaluation, folder / "out", figures=False)}
    assert {"evaluation.json", "overall.csv", "species.csv", "sites.csv", "points.csv"} <= names


def test_what_is_missing_is_said_in_one_line(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"no model\.json in it, so no whole model"):
        evaluate_files(folder / "test_labels.csv", folder / "test.csv", beside=Beside(model=folder))
    with pytest.raises(InputError, match="and `duration_seconds`"):
        read_durations(folder / "test.csv")
    with pytest.raises(InputError, match=r"site for none of the 400 labelled clips; got filename val0\.mp4"):
        evaluate_files(
            folder / "test_labels.csv", folder / "test.csv", beside=Beside(folder / "val_clips.csv")
        )


def test_lengths_of_clips_are_found_however_their_table_names_them(folder: Path) -> None:
    table = pd.read_csv(folder / "test_clips.csv").assign(
        filename=lambda t: "card\\" + t["filename"].str.upper()
    )
    table.to_csv(folder / "lengths.csv", index=False)
    seconds = read_durations(folder / "lengths.csv", clips=["test0.mp4", "test399.mp4"])
    assert seconds[["test0.mp4", "test399.mp4"]].tolist() == [15.0, 15.0]


def test_clips_that_trained_are_not_measured_on(folder: Path) -> None:
    labels = pd.read_csv(folder / "test_labels.csv", index_col="filename")
    labels["split"] = ["train", "val", "holdout", "train"] * 100
    labels.to_csv(folder / "test_labels.csv")
    evaluation = evaluate_files(folder / "test_labels.csv", folder / "test.csv")
    assert evaluation.facts["clips"] == 100


def test_figures_are_asked_for_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("primatrix.trust.evaluation_files.find_spec", lambda name: None)
    with pytest.raises(InputError, match="--no-figures"):
        check_figures()


def test_a_long_label_file_in_which_a_species_never_occurs_is_scored_at_the_models_points(
    folder: Path,
) -> None:
    calibrate_model(folder / "model", labels=folder / "val_labels.csv", predictions=folder / "val.csv")
    label = pd.read_csv(folder / "test_labels.csv", index_col="filename").idxmax(axis=1).rename("label")
    label[label != "hog"].rename_axis("filepath").to_csv(folder / "long.csv")
    evaluation = evaluate_files(
        folder / "long.csv", folder / "test.csv", beside=Beside(model=folder / "model")
    )
    assert "skip blank (promised: at most 5% of animals lost)" in describe_evaluation(evaluation)


def test_what_was_not_promised_is_not_said_to_be() -> None:
    shares = {f"{name}{end}": 0.5 for name in ("loss", "blanks_skipped") for end in ("", "_low", "_high")}
    skip = {"threshold": 0.8, "promised_loss": 0.005, "clips": 4, "lost": 2} | shares

    def say(**changes: object) -> str:
        return point_lines(pd.DataFrame([skip | changes], index=["skip blank"]))[0]

    assert "promised: at most 0.5% of animals lost): lost 2 of 4, 50.0 %" in say()
    assert (
        say(threshold=None) == "skip blank: too few clips were there to promise anything, so none is skipped"
    )
    nobody = say(clips=0, lost=0, loss=np.nan)
    assert nobody == (
        "skip blank: no clip here shows an animal, so none is lost; skipped 50.0 % of the blanks (50.0 to 50.0)"
    )
    assert say(blanks_skipped=np.nan).endswith("; no clip here is blank")
