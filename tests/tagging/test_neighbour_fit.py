import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primatrix.disk import write_facts
from primatrix.errors import InputError, ModelError
from primatrix.results import Origin, write_origin
from primatrix.tagging.neighbour_fit import fit_neighbours, learn_neighbours
from primatrix.tagging.neighbours import read_neighbours
from primatrix.trust import TrainingClips, fit_calibration

SPECIES = ["blank", "hog", "bird"]
FIRST = np.datetime64("2023-04-15T06:00:00")

Footage = tuple[pd.DataFrame, pd.DataFrame, np.ndarray, np.ndarray]


def draw_footage(visits: int, *, clips_per_visit: int, seed: int = 0) -> Footage:
    """Labels, predictions, sites and times: each visit is of one kind; a noisy detector sees each clip of it anew."""
    rng = np.random.default_rng(seed)
    kind = np.repeat(rng.integers(0, 3, visits), clips_per_visit)
    labels = pd.DataFrame(np.eye(3)[kind], columns=SPECIES, index=[f"{i}.mp4" for i in range(len(kind))])
    noisy = 4 * labels - 2 + rng.normal(0, 2, labels.shape)
    site = np.repeat(rng.integers(0, 8, visits), clips_per_visit)
    start = np.repeat(rng.permutation(visits) * 86_400, clips_per_visit)
    seconds = start + np.tile(np.arange(clips_per_visit) * 60, visits)
    return (
        labels,
        1 / (1 + np.exp(-noisy)),
        np.char.add("s", site.astype(str)),
        FIRST + seconds.astype("timedelta64[s]"),
    )


def test_neighbours_of_the_same_visit_help_and_it_is_said_by_how_much() -> None:
    labels, predictions, sites, times = draw_footage(300, clips_per_visit=3)
    fitted = fit_neighbours(labels, predictions, sites=sites, times=times)
    assert fitted.used
    assert fitted.losses[2] < 0.8 * fitted.losses[1]
    assert "% less loss" in fitted.summary()
    other = draw_footage(200, clips_per_visit=3, seed=1)
    after = fitted.apply(other[1].to_numpy(), sites=other[2], times=other[3])
    right = other[0].to_numpy() == 1
    assert (
        -np.log(np.where(right, after, 1 - after)).mean()
        < 0.8 * -np.log(np.where(right, other[1], 1 - other[1])).mean()
    )


def test_neighbours_stay_off_where_clips_are_alone_and_nothing_is_changed() -> None:
    labels, predictions, sites, times = draw_footage(600, clips_per_visit=1)
    fitted = fit_neighbours(labels, predictions, sites=sites, times=times)
    assert not fitted.used
    assert fitted.summary().startswith("neighbours: off, they did not help")
    after = fitted.apply(predictions.to_numpy(), sites=sites, times=times)
    np.testing.assert_array_equal(after, predictions.to_numpy())


def test_few_sites_are_cut_into_weeks_and_too_few_are_refused() -> None:
    labels, predictions, _, times = draw_footage(60, clips_per_visit=2)
    one = np.full(len(labels), "n")
    kept = fit_neighbours(labels, predictions, sites=one, times=times)
    assert kept.clips == 120
    assert "held-out weeks of these sites (120 clips)" in kept.summary()
    with pytest.raises(InputError, match="got clips of 1 sites and weeks, wanted 5"):
        fit_neighbours(labels, predictions, sites=one, times=np.full(len(labels), FIRST))


def test_what_was_learned_is_kept_with_the_model_and_not_taken_for_anothers(tmp_path: Path) -> None:
    labels, predictions, sites, times = draw_footage(100, clips_per_visit=2)
    predictions.to_csv(tmp_path / "p.csv", index_label="filename")
    labels.to_csv(tmp_path / "y.csv", index_label="filename")
    places = pd.DataFrame({"filename": labels.index, "site": sites, "recorded_at": times.astype(str)})
    places.to_csv(tmp_path / "d.csv", index=False)
    (tmp_path / "model.json").write_text('{"format_version": 1, "weights_sha256": "abc"}')
    files = {"deployments": tmp_path / "d.csv", "model": tmp_path}
    fitted = learn_neighbours(tmp_path / "y.csv", tmp_path / "p.csv", **files)
    assert fitted.used
    assert read_neighbours(tmp_path) == fitted
    (tmp_path / "model.json").write_text('{"format_version": 1, "weights_sha256": "another"}')
    assert read_neighbours(tmp_path) is None
    make_ensemble(tmp_path, member="abc")
    learned = learn_neighbours(tmp_path / "y.csv", tmp_path / "p.csv", **files)
    assert read_neighbours(tmp_path) == learned
    make_ensemble(tmp_path, member="trained anew")
    assert read_neighbours(tmp_path) is None
    (tmp_path / "neighbours.json").write_text("{}")
    with pytest.raises(InputError, match=r"neighbours\.json: not readable"):
        read_neighbours(tmp_path)
    places.drop(columns="recorded_at").to_csv(tmp_path / "d.csv", index=False)
    with pytest.raises(InputError, match="no time for any of the 200 labelled clips"):
        learn_neighbours(tmp_path / "y.csv", tmp_path / "p.csv", **files)
    with pytest.raises(ModelError, match="typo: no such folder; wanted the folder"):
        learn_neighbours(tmp_path / "y.csv", tmp_path / "p.csv", **{**files, "model": tmp_path / "typo"})
    assert not (tmp_path / "typo").exists()


def test_answers_of_another_model_or_for_clips_it_was_trained_on_teach_no_neighbours(tmp_path: Path) -> None:
    labels, predictions, sites, times = draw_footage(100, clips_per_visit=2)
    predictions.to_csv(tmp_path / "p.csv", index_label="filename")
    labels.to_csv(tmp_path / "y.csv", index_label="filename")
    places = pd.DataFrame({"filename": labels.index, "site": sites, "recorded_at": times.astype(str)})
    places.to_csv(tmp_path / "d.csv", index=False)
    files = {"deployments": tmp_path / "d.csv", "model": tmp_path}
    trained = TrainingClips.of({"3.mp4": "", "4.mp4": ""}).to_dict()
    write_facts(tmp_path, {"weights_sha256": "abc", "trained_on": trained})
    with pytest.raises(InputError, match="was trained on 2 of these 200 labelled clips"):
        learn_neighbours(tmp_path / "y.csv", tmp_path / "p.csv", **files)
    write_origin(tmp_path / "p.csv", Origin("lrcn", "abd"))
    with pytest.raises(InputError, match="made by another model"):
        learn_neighbours(tmp_path / "y.csv", tmp_path / "p.csv", **files)


def test_species_are_matched_by_name_and_not_by_their_place(tmp_path: Path) -> None:
    labels, predictions, sites, times = draw_footage(100, clips_per_visit=2)
    predictions.assign(lion=0.01).to_csv(tmp_path / "p.csv", index_label="filename")
    long = labels.idxmax(axis=1).rename("label")  # read as bird, blank, hog; nobody saw a lion
    long.to_csv(tmp_path / "y.csv", index_label="filepath")
    places = pd.DataFrame({"filename": labels.index, "site": sites, "recorded_at": times.astype(str)})
    places.to_csv(tmp_path / "d.csv", index=False)
    (tmp_path / "model.json").write_text('{"format_version": 1, "weights_sha256": "abc"}')
    learned = learn_neighbours(
        tmp_path / "y.csv", tmp_path / "p.csv", deployments=tmp_path / "d.csv", model=tmp_path
    )
    assert learned.species == (*SPECIES, "lion")
    assert learned.usual[3] == pytest.approx(np.log(0.01 / 0.99))
    assert learned.order_for(["lion", *SPECIES]).usual == (learned.usual[3], *learned.usual[:3])
    with pytest.raises(
        InputError, match=r"learned for 4 species \(blank, hog, bird, …\), wanted the model's 3"
    ):
        learned.order_for(SPECIES)


def test_answers_out_of_fold_are_calibrated_as_the_model_is_before_they_are_learned_from(
    tmp_path: Path,
) -> None:
    labels, predictions, sites, times = draw_footage(100, clips_per_visit=2)
    calibration = fit_calibration(labels, predictions, source="out-of-fold")
    (tmp_path / "model.json").write_text(
        json.dumps({"format_version": 1, "weights_sha256": "a", "calibration": calibration.to_dict()})
    )
    calibrated = pd.DataFrame(calibration.apply(predictions.to_numpy()), index=labels.index, columns=SPECIES)
    predictions.assign(fold=0).to_csv(tmp_path / "oof.csv", index_label="filepath")
    calibrated.to_csv(tmp_path / "val.csv", index_label="filepath")
    predictions.to_csv(tmp_path / "raw.csv", index_label="filepath")
    labels.to_csv(tmp_path / "y.csv", index_label="filename")
    places = pd.DataFrame({"filename": labels.index, "site": sites, "recorded_at": times.astype(str)})
    places.to_csv(tmp_path / "d.csv", index=False)
    learned = {
        name: learn_neighbours(
            tmp_path / "y.csv", tmp_path / f"{name}.csv", deployments=tmp_path / "d.csv", model=tmp_path
        )
        for name in ("oof", "val", "raw")
    }
    np.testing.assert_allclose(learned["oof"].usual, learned["val"].usual)
    assert learned["oof"].losses == pytest.approx(learned["val"].losses)
    assert learned["oof"].losses[0] != pytest.approx(learned["raw"].losses[0])


def test_neighbours_are_learned_from_the_clips_that_validate(tmp_path: Path) -> None:
    labels, predictions, sites, times = draw_footage(100, clips_per_visit=4)
    long = labels.idxmax(axis=1).rename("label").to_frame()
    long["split"] = ["train", "val", "val", "holdout"] * (len(long) // 4)
    long.to_csv(tmp_path / "y.csv", index_label="filepath")
    predictions.to_csv(tmp_path / "p.csv", index_label="filename")
    places = pd.DataFrame({"filename": labels.index, "site": sites, "recorded_at": times.astype(str)})
    places.to_csv(tmp_path / "d.csv", index=False)
    (tmp_path / "model.json").write_text('{"format_version": 1, "weights_sha256": "abc"}')
    learned = learn_neighbours(
        tmp_path / "y.csv", tmp_path / "p.csv", deployments=tmp_path / "d.csv", model=tmp_path
    )
    assert learned.clips == len(long) // 2


def make_ensemble(folder: Path, *, member: str) -> None:
    (folder / "fold0").mkdir(exist_ok=True)
    (folder / "fold0" / "model.json").write_text(json.dumps({"format_version": 1, "weights_sha256": member}))
    (folder / "model.json").write_text(
        json.dumps({"format_version": 1, "weights_sha256": "stack", "members": [["fold0"]]})
    )


def test_clips_without_a_time_are_learned_from_as_they_are() -> None:
    labels, predictions, sites, times = draw_footage(150, clips_per_visit=2)
    untimed = np.full(len(times), np.datetime64("NaT", "s"))
    kept = fit_neighbours(labels, predictions, sites=sites, times=untimed)
    assert not kept.used
    assert kept.losses[1] == pytest.approx(kept.losses[2], rel=1e-3)


def test_probabilities_that_are_too_sure_are_drawn_back_where_neighbours_help() -> None:
    labels, predictions, sites, times = draw_footage(300, clips_per_visit=3)
    odds = (predictions / (1 - predictions)) ** 3
    kept = fit_neighbours(labels, odds / (1 + odds), sites=sites, times=times)
    assert kept.used
    assert 0.1 < kept.own < 0.6  # of logits three times too far from 0
    assert kept.losses[2] < kept.losses[1] < kept.losses[0]


def test_each_species_is_usual_at_its_mean_logit() -> None:
    labels, predictions, sites, times = draw_footage(100, clips_per_visit=2)
    usual = np.log(predictions / (1 - predictions)).mean()
    kept = fit_neighbours(labels, predictions, sites=sites, times=times, learned_for="model")
    assert kept.usual == pytest.approx(tuple(usual))
    assert (kept.species, kept.learned_for, kept.judged_on) == (tuple(SPECIES), "model", "sites")
