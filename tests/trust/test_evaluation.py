import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primatrix.errors import InputError
from primatrix.measures import aggregated_log_loss, class_frequencies
from primatrix.trust.evaluation import Evaluation, confusion_table, evaluate
from primatrix.trust.figures import write_figures
from primatrix.trust.fit import fit_calibration

SPECIES = ["blank", "duiker", "hog", "lion"]


def draw(clips: int, *, seed: int, noise: float = 1.5) -> tuple[pd.DataFrame, pd.DataFrame, "pd.Series[str]"]:
    """One species per clip (never a lion), probabilities, and 20 sites."""
    rng = np.random.default_rng(seed)
    index = pd.Index([f"{seed}-{i}.mp4" for i in range(clips)], name="filename")
    rates = np.array([0.6, 0.3, 0.1, 0.0])
    true = np.eye(4)[rng.choice(4, p=rates, size=clips)]
    logits = np.log(rates + 1e-3) + 4 * true + rng.normal(0, noise, true.shape)
    sites = pd.Series([f"site{i:02}" for i in rng.integers(20, size=clips)], index=index)
    return pd.DataFrame(true, index, SPECIES), pd.DataFrame(1 / (1 + np.exp(-logits)), index, SPECIES), sites


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    """An evaluation with all there is: sites, another model, a calibration and lengths."""
    labels, own, sites = draw(1500, seed=0)
    calibration = fit_calibration(labels, own, source="validation", sites=sites)
    labels, own, sites = draw(1200, seed=1)
    prob = pd.DataFrame(calibration.apply(own.to_numpy()), own.index, own.columns)
    return evaluate(
        labels, prob, sites=sites, against=draw(1200, seed=1, noise=2.5)[1], calibration=calibration,
        train_frequencies=class_frequencies(labels), seconds=pd.Series(30.0, index=labels.index),
    )  # fmt: skip


def test_values_lie_in_their_intervals_and_beat_the_constant(evaluation: Evaluation) -> None:
    overall = evaluation.overall
    for name in ("log_loss", "average_precision", "roc_auc", "f1", "brier", "top_n"):
        assert overall.loc[name, "low"] <= overall.loc[name, "value"] <= overall.loc[name, "high"], name
    assert overall.loc["log_loss", "high"] < overall.loc["log_loss", "constant"]
    assert overall.loc["roc_auc", "constant"] == 0.5
    assert evaluation.facts["interval"] == "95 %, jackknife over 20 sites"


def test_the_better_of_two_models_is_told_by_the_paired_difference(evaluation: Evaluation) -> None:
    row = evaluation.overall.loc["log_loss"]
    assert row["difference"] == pytest.approx(row["value"] - row["against"])
    assert row["difference_low"] <= row["difference"] <= row["difference_high"] < 0
    labels, prob, sites = draw(500, seed=2)
    same = evaluate(labels, prob, sites=sites, against=prob).overall
    assert (same[["difference", "difference_low", "difference_high"]].fillna(0) == 0).all().all()


def test_a_species_nobody_shows_has_no_number(evaluation: Evaluation) -> None:
    lion = evaluation.species.loc["lion"]
    assert lion["positives"] == 0
    assert lion[["average_precision", "roc_auc", "f1", "recall"]].isna().all()
    assert lion["log_loss"] > 0
    assert evaluation.to_dict()["species"][3]["average_precision"] is None


def test_sites_add_up_to_the_whole(evaluation: Evaluation) -> None:
    sites = evaluation.sites
    assert sites is not None
    assert sites["clips"].sum() == evaluation.facts["clips"] == 1200
    mean = (sites["clips"] * sites["log_loss"]).sum() / 1200
    assert mean == pytest.approx(evaluation.overall.loc["log_loss", "value"])


def test_confusion_shares_out_what_was_missed() -> None:
    true = pd.DataFrame([[1.0, 1, 0, 0], [0, 0, 1, 0]], columns=list("abcd"))
    prob = np.array([[0.9, 0.1, 0.5, 0.2], [0.1, 0.2, 0.8, 0.3]])
    table = confusion_table(true, prob)  # of a and b, a was answered and c instead of b
    assert table.to_numpy().tolist() == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]]


def test_clips_without_probabilities_are_counted_not_scored() -> None:
    labels, prob, _ = draw(200, seed=3)
    prob.iloc[:50] = np.nan
    evaluation = evaluate(labels, prob)
    assert (evaluation.facts["clips"], evaluation.facts["unscored"]) == (150, 50)
    assert evaluation.sites is None
    loss = aggregated_log_loss(labels[50:], prob[50:])
    assert evaluation.overall.loc["log_loss", "value"] == pytest.approx(loss)
    prob[:] = np.nan
    with pytest.raises(InputError, match="nothing to evaluate"):
        evaluate(labels, prob)


def test_evaluating_on_the_clips_of_the_calibration_is_refused() -> None:
    labels, prob, _ = draw(300, seed=4)
    calibration = fit_calibration(labels, prob, source="validation")
    with pytest.raises(InputError, match="about 100% of the 300 clips it was fitted on"):
        evaluate(labels, prob, calibration=calibration)


def test_what_is_missing_or_no_probability_is_refused() -> None:
    labels, prob, _ = draw(50, seed=5)
    with pytest.raises(InputError, match="1 of 50 labelled clips are missing"):
        evaluate(labels, prob[1:])
    with pytest.raises(InputError, match="training labels: species lion are missing"):
        evaluate(labels, prob, train_frequencies=class_frequencies(labels.drop(columns="lion")))
    with pytest.raises(InputError, match="values outside 0 to 1"):
        evaluate(labels, prob * 2)


def test_tables_json_and_figures_are_written(evaluation: Evaluation, tmp_path: Path) -> None:
    evaluation.write(tmp_path)
    losses = pd.DataFrame({"loss": [0.1, 0.08], "val_loss": [0.1, 0.09]})
    write_figures(evaluation, tmp_path, losses=losses)
    values = json.loads((tmp_path / "evaluation.json").read_text())
    assert values["overall"][0]["measure"] == "log_loss"
    species = pd.read_csv(tmp_path / "species.csv", index_col="species")
    pd.testing.assert_index_equal(species.index, evaluation.species.index)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "confusion.csv", "confusion.png", "curves.csv", "evaluation.json", "losses.png", "overall.csv", "points.csv",
        "precision_recall.png", "reliability.csv", "reliability.png", "sites.csv", "skipping.csv", "skipping.png",
        "species.csv",
    ]  # fmt: skip


def test_a_calibration_for_other_species_and_lengths_of_other_clips_are_refused() -> None:
    calibration = fit_calibration(*draw(300, seed=6)[:2], source="validation")
    labels, prob, _ = draw(100, seed=7)
    with pytest.raises(InputError, match="differ in species lion"):
        evaluate(labels.drop(columns="lion"), prob, calibration=calibration)
    with pytest.raises(InputError, match="got no length for any of the 100 clips"):
        evaluate(labels, prob, seconds=pd.Series({"other.mp4": 3.0}))


def test_curves_begin_at_recall_0_with_the_surest_clips_precision() -> None:
    labels = pd.DataFrame({"hog": [1, 0, 1, 0], "lion": [0, 0, 0, 0]}, index=list("abcd"))
    prob = pd.DataFrame({"hog": [0.9, 0.8, 0.7, 0.1], "lion": 0.1}, index=list("abcd"))
    evaluation = evaluate(labels, prob)
    assert evaluation.curves.loc[["hog"]].to_numpy().tolist() == [[0, 1], [0.5, 1], [1, 2 / 3]]
    assert evaluation.occurring.index.tolist() == ["hog"]
    assert "lion" not in evaluation.curves.index
