"""What `evaluate` and `calibrate` print and write, from files."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from primatrix.cli import app
from primatrix.errors import InputError, ModelError
from primatrix.labels import BENCHMARK_SPECIES
from primatrix.models import build_model
from primatrix.records import ClipSpec
from primatrix.simulation import SimulationSpec, simulate
from primatrix.trust.evaluation_files import (
    Beside,
    check_figures,
    evaluate_files,
    point_lines,
    read_calibration,
    read_durations,
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


def run(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_calibrate_then_evaluate_from_files(folder: Path) -> None:
    printed = run("calibrate", folder / "model", folder / "val_labels.csv", folder / "val.csv",
                  "--deployments", folder / "val_clips.csv", "--lose-at-most", 0.1)  # fmt: skip
    assert "fitted on validation predictions for 500 clips of 10 sites" in printed
    assert "loses at most 10% with 90% confidence" in printed
    assert "calibration: fitted on validation predictions" in run("info", folder / "model")
    clips = folder / "test_clips.csv"
    printed = run("evaluate", folder / "test_labels.csv", folder / "test.csv", "--model", folder / "model",
                  "--deployments", clips, "--durations", clips, "--train-labels", folder / "val_labels.csv",
                  "--against", folder / "test.csv", "--out", folder / "out", "--no-figures")  # fmt: skip
    assert "400 clips of 10 sites; interval: 95 % bootstrap over sites" in printed
    assert "of 1.7 hours need not be watched" in printed
    assert "constant: class frequencies of the training labels" in printed
    assert "+0.0000 (+0.0000 to +0.0000)" in printed  # against itself
    assert (folder / "out" / "evaluation.json").is_file()
    assert not list((folder / "out").glob("*.png"))


def test_evaluate_says_where_predictions_are_not_the_calibrated_ones(folder: Path) -> None:
    """Thresholds of a calibrated model mean nothing for what it gave with --raw."""
    run("calibrate", folder / "model", folder / "val_labels.csv", folder / "val.csv")
    words = ("evaluate", folder / "test_labels.csv", folder / "test.csv", "--model", folder / "model")
    assert " clips have probabilities that the model's calibration does not give (made with --raw" in run(
        *words
    )
    calibration = read_calibration(folder / "model")
    assert calibration is not None
    table = pd.read_csv(folder / "test.csv", index_col="filename")
    calibrated = pd.DataFrame(calibration.apply(table.to_numpy()), table.index, table.columns)
    calibrated.to_csv(folder / "test.csv", float_format="%.7g")
    assert "calibration does not give" not in run(*words)


def test_evaluate_without_anything_beside(folder: Path) -> None:
    printed = run("evaluate", folder / "test_labels.csv", folder / "test.csv")
    assert "constant: class frequencies of these labels themselves" in printed
    assert "skip blank (promised" not in printed


def test_evaluating_a_folder_of_clips_predicts_it_first(tmp_path: Path) -> None:
    simulate(tmp_path / "data", spec=SimulationSpec(train_clips=40, test_clips=20, seed=3), workers=1)
    build_model("lrcn", species=BENCHMARK_SPECIES, spec=ClipSpec()).save(tmp_path / "model")
    printed = run("evaluate", tmp_path / "data" / "test_labels.csv", tmp_path / "data", "--model", tmp_path / "model",
                  "--out", tmp_path / "out", "--no-figures", "--workers", 0, "--quiet")  # fmt: skip
    assert "20 clips of" in printed  # sites from deployments.csv
    assert "constant: class frequencies of the training labels" in printed
    assert len(pd.read_csv(tmp_path / "out" / "predictions.csv")) == 20


def test_what_is_missing_is_said_in_one_line(folder: Path) -> None:
    with pytest.raises(InputError, match="wanted --model FOLDER and --out FOLDER"):
        run("evaluate", folder / "test_labels.csv", folder)
    beside = Beside(model=folder)
    with pytest.raises(ModelError, match=r"no model\.json in it, so no whole model"):
        evaluate_files(folder / "test_labels.csv", folder / "test.csv", beside=beside)
    with pytest.raises(InputError, match="and `duration_seconds`"):
        read_durations(folder / "test.csv")


def test_files_given_the_wrong_way_round_get_one_line_that_says_so(folder: Path) -> None:
    labels, predictions = folder / "test_labels.csv", folder / "test.csv"
    wanted = r"test\.csv: got probabilities, wanted labels, 0 and 1 or a name .*; labels come first, predictions second"
    for before, after in (
        (["score"], []),
        (["evaluate"], []),
        (["calibrate", folder / "model"], []),
        (["neighbours"], ["--deployments", folder / "test_clips.csv", "--model", folder / "model"]),
    ):
        with pytest.raises(InputError, match=wanted):
            run(*before, predictions, labels, *after)
    with pytest.raises(InputError, match="got a folder, wanted the label file first"):
        run("evaluate", folder, labels)


def test_figures_are_asked_for_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("primatrix.trust.evaluation_files.find_spec", lambda name: None)
    with pytest.raises(InputError, match="--no-figures"):
        check_figures()


def test_a_long_label_file_in_which_a_species_never_occurs_is_scored_at_the_models_points(
    folder: Path,
) -> None:
    run("calibrate", folder / "model", folder / "val_labels.csv", folder / "val.csv")
    label = pd.read_csv(folder / "test_labels.csv", index_col="filename").idxmax(axis=1).rename("label")
    label[label != "hog"].rename_axis("filepath").to_csv(folder / "long.csv")
    printed = run("evaluate", folder / "long.csv", folder / "test.csv", "--model", folder / "model")
    assert "skip blank (promised: at most 5% of animals lost)" in printed


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


def test_evaluate_looks_at_its_place_and_labels_before_it_predicts(folder: Path) -> None:
    (folder / "file").write_text("")
    words = [
        "evaluate",
        str(folder / "test_labels.csv"),
        str(folder / "test.csv"),
        "--out",
        str(folder / "file"),
    ]
    with pytest.raises(InputError, match="file is a file, wanted a folder"):
        CliRunner().invoke(app, words, catch_exceptions=False)
    (folder / "clips").mkdir()
    words = [
        "evaluate",
        str(folder / "nowhere.csv"),
        str(folder / "clips"),
        "--model",
        str(folder / "model"),
        "--out",
        str(folder / "out"),
    ]
    with pytest.raises(InputError, match=r"nowhere\.csv: no such file"):
        CliRunner().invoke(app, words, catch_exceptions=False)
    assert not (folder / "out").exists()


def test_sites_of_other_clips_are_refused(folder: Path) -> None:
    with pytest.raises(
        InputError, match=r"has a site for none of the 400 labelled clips; got filename val0\.mp4"
    ):
        run(
            "evaluate",
            folder / "test_labels.csv",
            folder / "test.csv",
            "--deployments",
            folder / "val_clips.csv",
        )
