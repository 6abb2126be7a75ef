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


HOG, BIRD = "x;mammalia;artiodactyla;suidae;sus;scrofa;hog", "y;aves;;;;;bird"
BLANKS, UNSURE = (
    "f1856211-cfb7-4a5b-9158-c0f72fd09ee6;;;;;;blank",
    "f2efdae9-efb8-48fb-8a91-eccf79ab4ffb" + ";no cv result" * 6,
)
BOX = {"bbox": [0, 0, 0.5, 0.5]}
ANIMAL, HUMAN = {"category": "1", "label": "animal", **BOX}, {"category": "2", "label": "human", **BOX}
SURE = {**ANIMAL, "conf": 0.9}


def score(*pairs: tuple[str, float]) -> dict[str, object]:
    return {"classes": [label for label, _ in pairs], "scores": [chance for _, chance in pairs]}


@pytest.mark.parametrize(
    ("image", "labels"),
    [
        # the classifier alone
        ({"classifications": score((HOG, 0.9), (BIRD, 0.1))}, ["hog"]),
        ({"classifications": score((BLANKS, 0.9), (HOG, 0.1))}, ["blank"]),
        ({"classifications": score((HOG, 0.3), (BIRD, 0.2))}, [""]),
        ({"classifications": score((UNSURE, 0.9))}, [""]),
        ({"classifications": score()}, [""]),
        # the detector alone
        ({"detections": [SURE, {**HUMAN, "conf": 0.4}, SURE]}, ["animal", "human"]),
        ({"detections": [{**ANIMAL, "conf": 0.1}]}, ["blank"]),
        ({"detections": []}, ["blank"]),
        # both, and no prediction of the two together
        ({"classifications": score((HOG, 0.3)), "detections": [SURE]}, ["animal"]),
        ({"classifications": score((BLANKS, 0.6)), "detections": [SURE]}, ["animal"]),
        ({"classifications": score((HOG, 0.6)), "detections": []}, ["hog"]),
        # a part that failed takes no other's answer away
        ({"failures": ["GEOLOCATION"], "prediction": HOG, "prediction_score": 0.9}, ["hog"]),
        ({"failures": ["DETECTOR"], "classifications": score((HOG, 0.9))}, ["hog"]),
        ({"failures": ["CLASSIFIER"], "detections": [{**HUMAN, "conf": 0.9}]}, ["human"]),
        ({"failures": ["CLASSIFIER", "DETECTOR"]}, [""]),
        ({"failures": ["CLASSIFIER"], "detections": None, "classifications": None}, [""]),
        ({"failures": None, "prediction": BLANKS}, ["blank"]),
        # answers of each detection, of whatever key
        ({"detections": [{**SURE, "prediction": HOG}, {**SURE, "prediction": BIRD}]}, ["hog", "bird"]),
        ({"detections": [{**SURE, "classifications": score((HOG, 0.9))}]}, ["hog"]),
        ({"detections": [{**SURE, "prediction": BLANKS}, {**SURE, "prediction": HOG}]}, ["hog"]),
        ({"detections": [{**SURE, "prediction": BLANKS}]}, ["blank"]),
        ({"detections": [{**SURE, "prediction": UNSURE}]}, [""]),
        # nobody answered
        ({}, [""]),
        ({"prediction": None, "detections": None}, [""]),
        # labels without a common name
        ({"prediction": "x;mammalia;artiodactyla;suidae;sus;scrofa;"}, ["sus scrofa"]),
        ({"prediction": "x;mammalia;artiodactyla;;;;"}, ["artiodactyla"]),
        ({"prediction": "warthog"}, ["warthog"]),
    ],
)  # fmt: skip
def test_each_file_has_the_label_that_its_answers_give(
    tmp_path: Path, image: dict[str, object], labels: list[str]
) -> None:
    path = tmp_path / "sn.json"
    path.write_text(json.dumps({"predictions": [{"filepath": "a.jpg", **image}]}))
    reading = read_export(path)
    assert reading.rows.to_numpy().tolist() == [["a.jpg", label] for label in labels]
    is_failed = bool(image.get("failures")) and labels == [""]
    assert reading.failures["filename"].tolist() == (["a.jpg"] if is_failed else [])


def test_files_of_the_classifier_or_the_detector_alone_are_valid(tmp_path: Path) -> None:
    path = tmp_path / "sn.json"
    images = [{"filepath": "a.jpg", "classifications": score((HOG, 0.9))},
              {"filepath": "b.jpg", "detections": [SURE]}]  # fmt: skip
    path.write_text(json.dumps({"predictions": images}))
    assert check_export(path) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"predictions": {"a.jpg": {}}}, "predictions: got an object, wanted a list"),
        ({"predictions": [{"prediction": HOG}]}, "predictions: entry 0 has no `filepath`, wanted a path"),
        ({"predictions": ["a.jpg"]}, "predictions: entry 0 is text 'a.jpg', wanted an object"),
        ({"predictions": [], "info": []}, "info: got a list, wanted an object"),
        ({"predictions": [{"filepath": "a", "classifications": {"classes": ["x"], "scores": []}}]},
         "a: classifications: wanted as many scores as classes"),
        ({"predictions": [{"filepath": "a", "classifications": score((HOG, "high"))}]},  # type: ignore[arg-type]
         "a: score: got text 'high', wanted a number"),
        ({"predictions": [{"filepath": "a", "detections": [ANIMAL]}]}, "a: conf: got null, wanted a number"),
        ({"predictions": [{"filepath": "a", "detections": {"conf": 0.9}}]}, "a: detections: wanted a list of objects"),
    ],
)  # fmt: skip
def test_what_is_built_otherwise_is_refused_in_the_files_own_words(
    tmp_path: Path, content: dict[str, object], message: str
) -> None:
    (tmp_path / "sn.json").write_text(json.dumps(content))
    with pytest.raises(InputError) as caught:
        read_export(tmp_path / "sn.json")
    assert f"not built as speciesnet is: {message}; run" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_scores_as_text_are_numbers_and_no_cv_result_is_no_species(tmp_path: Path) -> None:
    image = {"filepath": "a.jpg", "classifications": score((HOG, "0.75"), (UNSURE, 0.2))}  # type: ignore[arg-type]
    (tmp_path / "sn.json").write_text(json.dumps({"predictions": [image]}))
    reading = read_speciesnet(tmp_path / "sn.json")
    assert reading.probabilities is not None
    assert reading.probabilities.to_dict() == {"hog": {"a.jpg": 0.75}}
