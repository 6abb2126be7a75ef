import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from primatrix.errors import InputError
from primatrix.interchange.formats import check_export, export_results, read_export
from primatrix.interchange.speciesnet import read_speciesnet
from primatrix.results import Results

Make = Callable[..., Results]


def test_speciesnet_files_of_both_versions_give_labels(tmp_path: Path) -> None:
    hog = "x;mammalia;artiodactyla;suidae;;;hog"
    answer = {"classes": [hog, ";aves;;;;;bird"], "scores": [0.8, 0.1]}
    four = {"predictions": [
        {"filepath": "a.jpg", "classifications": answer, "prediction": hog, "prediction_score": 0.8,
         "prediction_source": "classifier", "model_version": "4.0.1a"},
        {"filepath": "b.jpg", "failures": ["DETECTOR"], "model_version": "4.0.1a"}]}  # fmt: skip
    found = {"category": "1", "label": "animal", "conf": 0.9, "bbox": [0, 0, 0.5, 0.5], "raw_classifications": answer,
             "processed_classification": {"class": hog, "score": 0.8, "source": "classifier"}}  # fmt: skip
    five = {"info": {"format_version": "20261015"}, "predictions": [
        {"filepath": "a.jpg", "detections": [found, {**found, "conf": 0.05}], "model_version": "5"},
        {"filepath": "c.jpg", "detections": [], "model_version": "5"}]}  # fmt: skip
    for name, wanted, other in (("four", four, ["b.jpg", ""]), ("five", five, ["c.jpg", "blank"])):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(wanted))
        assert check_export(path) == []
        reading = read_export(path)
        assert reading.rows.to_numpy().tolist() == [["a.jpg", "hog"], other]
        assert reading.probabilities is not None
        assert reading.probabilities.loc["a.jpg"].tolist() == [np.float32(0.8), np.float32(0.1)]


def test_speciesnet_gives_one_answer_where_both_versions_look(tmp_path: Path, small: Results) -> None:
    out = export_results(small, "speciesnet", tmp_path / "sn.json").path
    first, whole, blank, unknown, failed, _ = json.loads(out.read_text())["predictions"]
    assert first["prediction"] == ";mammalia;artiodactyla;bovidae;;;duiker"
    assert first["prediction_score"] == 0.93
    assert first["classifications"]["scores"] == [0.9, 0.45, 0.02, 0.01, 0.0]
    assert first["detections"][0]["raw_classifications"] == first["classifications"]
    assert whole["detections"][0]["processed_classification"]["class"].endswith(";homo;sapiens;human")
    assert blank["prediction"] == "f1856211-cfb7-4a5b-9158-c0f72fd09ee6;;;;;;blank"
    assert unknown["prediction"].endswith("no cv result")
    assert failed.pop("model_version").startswith("primatrix ")
    assert failed == {"filepath": "~b/../odd, é.mp4", "failures": ["CLASSIFIER"],
                      "failure_reason": "open: moov | atom: not 50 %, at all"}  # fmt: skip


def test_species_that_would_have_one_label_are_refused(tmp_path: Path, make_results: Make) -> None:
    results = make_results([("a.mp4", "ok", {"Zebra": 0.5, "zebra": 0.5})], [], species=["Zebra", "zebra"])
    with pytest.raises(InputError) as caught:
        export_results(results, "speciesnet", tmp_path / "sn.json")
    assert str(caught.value) == (
        "species Zebra, zebra have the same SpeciesNet label ';;;;;;zebra'; wanted names that differ by more than "
        "upper and lower case"
    )
    assert not (tmp_path / "sn.json").exists()


def test_a_model_without_blank_calls_a_clip_without_animals_unknown(
    tmp_path: Path, make_results: Make
) -> None:
    results = make_results([("a.mp4", "ok", {"hog": 0.25})], [], species=["hog"])
    out = export_results(results, "speciesnet", tmp_path / "sn.json").path
    [image] = json.loads(out.read_text())["predictions"]
    assert image["prediction"].endswith(";no cv result")
    assert (image["prediction_score"], image["labels"]) == (0.25, [])
    assert read_speciesnet(out).rows.to_numpy().tolist() == [["a.mp4", ""]]


def test_of_a_files_detections_those_below_confidence_0_2_give_no_label_and_each_score_counts(
    tmp_path: Path,
) -> None:
    def detect(name: str, conf: float, score: float) -> dict[str, object]:
        label = f"x;;;;;;{name}"
        return {"conf": conf, "raw_classifications": {"classes": [label, "y;;;;;;hog"], "scores": [score, 0.1]},
                "processed_classification": {"class": label}}  # fmt: skip

    found = [
        detect("lion", 0.5, 0.6),
        detect("lion", 0.9, 0.9),
        detect("bird", 0.19, 0.7),
        detect("duiker", 0.2, 0.3),
    ]
    path = tmp_path / "sn.json"
    path.write_text(json.dumps({"predictions": [{"filepath": "a.jpg", "detections": found}]}))
    reading = read_speciesnet(path)
    assert reading.rows.to_numpy().tolist() == [["a.jpg", "lion"], ["a.jpg", "duiker"]]
    assert reading.probabilities is not None
    assert reading.probabilities.loc["a.jpg"].to_dict() == {
        name: np.float32(score)
        for name, score in (("lion", 0.9), ("hog", 0.1), ("bird", 0.7), ("duiker", 0.3))
    }


def test_failures_keep_stage_and_reason_and_those_of_others_their_words(tmp_path: Path) -> None:
    images = [{"filepath": "a.mp4", "failures": ["CLASSIFIER"], "failure_reason": "open: no video: none"},
              {"filepath": "b.mp4", "failures": ["DETECTOR", "CLASSIFIER"]}]  # fmt: skip
    (tmp_path / "sn.json").write_text(json.dumps({"predictions": images}))
    reading = read_speciesnet(tmp_path / "sn.json")
    assert reading.failures.to_numpy().tolist() == [
        ["a.mp4", "open", "no video: none"], ["b.mp4", "", "DETECTOR CLASSIFIER"]]  # fmt: skip
    assert reading.rows["label"].tolist() == ["", ""]
    assert reading.probabilities is None
