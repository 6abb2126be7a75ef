import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from primatrix.errors import InputError
from primatrix.interchange.formats import check_export, export_results, read_export
from primatrix.results import Results

Make = Callable[..., Results]


def test_a_missing_frame_rate_follows_from_count_and_length_or_is_asked_for(
    tmp_path: Path, example: Results
) -> None:
    unrated = example.clips.assign(frame_rate=float("nan"), frame_count=300, duration_seconds=15.0)
    out = export_results(replace(example, clips=unrated), "megadetector", tmp_path / "o.json").path
    images = json.loads(out.read_text())["images"]
    assert {image["frame_rate"] for image in images if not image.get("failure")} == {20.0}
    unknown = replace(example, clips=unrated.assign(duration_seconds=float("nan")))
    with pytest.raises(InputError, match=r"no count and length to tell it by, for .*write it into clips.csv"):
        export_results(unknown, "megadetector", tmp_path / "o.json")


def test_megadetector_has_a_frame_for_every_stretch(tmp_path: Path, small: Results) -> None:
    looks = pd.DataFrame({"filepath": "a/two species.MP4", "pts_seconds": [0.0, 1.0, 4.0, 9.96]})
    looks = looks.assign(**dict.fromkeys(["blank", "duiker", "hog", "human", "okapi"], 0.5))
    results = replace(small, frames=looks)
    found = json.loads(export_results(results, "megadetector", tmp_path / "md.json").path.read_text())
    assert found["info"]["format_version"] == "1.6"
    assert found["detection_categories"] == {"1": "animal", "2": "person", "3": "vehicle"}
    first, whole, blank, _, failed, still = found["images"]
    assert (first["frame_rate"], first["frames_processed"]) == (25, [0, 25, 100, 249])
    assert [
        (d["category"], d["conf"], d["bbox"], d["frame_number"], d["classifications"])
        for d in first["detections"]
    ] == [
        ("1", 0.93, [0, 0, 1, 1], 25, [["1", 0.93]]),
        ("1", 0.61, [0, 0, 1, 1], 100, [["2", 0.61]]),
        ("1", 0.55, [0, 0, 1, 1], 249, [["1", 0.55]]),
    ]
    assert [(d["category"], d["frame_number"]) for d in whole["detections"]] == [("2", 125), ("1", 125)]
    assert [(d["conf"], d["frame_number"]) for d in blank["detections"]] == [(0.03, 125)]
    assert (failed["failure"], failed["detections"]) == ("open: moov | atom: not 50 %, at all", None)
    assert "frame_rate" not in still
    assert "frame_number" not in still["detections"][0]
    assert found["classification_category_descriptions"]["3"].endswith(
        ";mammalia;primates;hominidae;homo;sapiens;human"
    )


def read_images(path: Path) -> tuple[float, dict[str, Any]]:
    """The confidence from which a reader of the file shows detections, and its images by file."""
    found = json.loads(path.read_text(encoding="utf-8"))
    typical = found["info"]["detector_metadata"]["typical_detection_threshold"]
    return typical, {image["file"]: image for image in found["images"]}


def test_empty_clips_lie_below_the_threshold_of_readers_and_unknown_ones_do_not(
    tmp_path: Path, small: Results
) -> None:
    typical, images = read_images(export_results(small, "megadetector", tmp_path / "md.json").path)
    unknown, blank = images["b/unknown.mp4"], images["b/blank.mp4"]
    assert [(d["conf"], d["classifications"]) for d in unknown["detections"]] == [
        (0.7, [["1", 0.3], ["2", 0.3], ["3", 0.1], ["4", 0.1]])
    ]
    assert (unknown["verdict"], blank["verdict"]) == ("unknown", "blank")
    assert blank["detections"][0]["conf"] == 0.03 < typical == 0.55
    rows = read_export(tmp_path / "md.json").rows.to_numpy().tolist()
    assert ["b/unknown.mp4", ""] in rows
    assert ["b/blank.mp4", "blank"] in rows


def test_without_a_proven_point_every_clip_is_shown_however_low_its_confidence(
    tmp_path: Path, make_results: Make
) -> None:
    clips = [(f"{i}.mp4", "ok", {"blank": 1 - i / 1000, "hog": i / 1000}) for i in range(1, 40)]
    results = make_results(clips, [], species=["blank", "hog"])
    out = export_results(results, "megadetector", tmp_path / "md.json").path
    typical, images = read_images(out)
    assert [image["detections"][0]["conf"] for image in images.values()] == [i / 1000 for i in range(1, 40)]
    assert typical == 0.001
    assert json.loads(out.read_text())["info"]["to_watch"].startswith(
        "not calibrated: watch all, 6 min in 39 "
    )
    assert check_export(out) == []


def test_a_skipped_clip_surer_than_a_sighting_has_no_detection_that_would_be_shown(
    tmp_path: Path, make_results: Make
) -> None:
    skip = {
        "task": "skip",
        "score": "blank",
        "threshold": 0.5,
        "max_loss": 0.05,
        "confidence": 0.9,
        "unit": "clips",
    }
    clips = [("seen.mp4", "ok", {"blank": 0.1, "hog": 0.2}), ("empty.mp4", "ok", {"blank": 0.6, "hog": 0.1})]
    results = make_results(clips, [], species=["blank", "hog"], thresholds={"hog": 0.15},
                           operating_points={"skip blank": skip})  # fmt: skip
    typical, images = read_images(export_results(results, "megadetector", tmp_path / "md.json").path)
    assert (typical, images["empty.mp4"]["detections"], images["empty.mp4"]["verdict"]) == (0.2, [], "blank")


def test_megadetector_files_of_others_give_labels(tmp_path: Path) -> None:
    box = {"bbox": [0.1, 0.1, 0.2, 0.2]}
    found = {
        "info": {"format_version": "1.5"},
        "detection_categories": {"1": "animal", "2": "person"},
        "classification_categories": {"7": "fox"},
        "images": [
            {"file": "a.mp4", "frame_rate": 20, "frames_processed": [0, 20], "detections": [
                {"category": "1", "conf": 0.9, **box, "frame_number": 20, "classifications": [["7", 0.8]]},
                {"category": "2", "conf": 0.1, **box, "frame_number": 0}]},
            {"file": "b.jpg", "detections": [{"category": "2", "conf": 0.5, **box}]},
            {"file": "c\\c.jpg", "detections": []},
            {"file": "d.jpg", "failure": "Failure image access", "detections": None},
        ],
    }  # fmt: skip
    path = tmp_path / "md.json"
    path.write_text(json.dumps(found))
    assert check_export(path) == []
    reading = read_export(path)
    assert reading.rows.to_numpy().tolist() == [
        ["a.mp4", "fox"], ["b.jpg", "person"], ["c/c.jpg", "blank"], ["d.jpg", ""]]  # fmt: skip
    assert reading.sightings.iloc[0].tolist() == [
        "a.mp4",
        "fox",
        1,
        1,
        1,
        np.float32(0.9),
        0.1,
        0.1,
        0.2,
        0.2,
    ]
    assert reading.failures.to_numpy().tolist() == [["d.jpg", "", "Failure image access"]]


BOX = {"bbox": [0.1, 0.1, 0.2, 0.2]}
FOX = {"category": "1", "conf": 0.9, **BOX, "classifications": [["0", 0.9], ["1", 0.05]]}
CATEGORIES = {"1": "animal", "2": "person", "3": "vehicle"}
CLASSES = {"0": "fox", "1": "elk", "2": "blank", "3": "no cv result"}


def write(folder: Path, *images: dict[str, object], **changes: object) -> Path:
    """A file as MegaDetector writes it, with these images; a part that is None is left out."""
    found = {"info": {"format_version": "1.6"}, "detection_categories": CATEGORIES,
             "classification_categories": CLASSES, "images": list(images), **changes}  # fmt: skip
    path = folder / "md.json"
    path.write_text(json.dumps({key: value for key, value in found.items() if value is not None}))
    return path


def classify(*pairs: tuple[object, object], **changes: object) -> dict[str, object]:
    return {**FOX, "classifications": [list(pair) for pair in pairs], **changes}


@pytest.mark.parametrize(
    ("detections", "labels"),
    [
        ([classify(("0", 0.05))], ["animal"]),
        ([classify(("0", 0.75))], ["fox"]),
        ([classify(("1", 0.1), ("0", 0.8))], ["fox"]),  # not in falling order
        ([classify(("9", 0.9), ("0", 0.8))], ["fox"]),  # a class that is not listed is none
        ([classify(("9", 0.9))], ["animal"]),
        ([classify((0, "0.9"))], ["fox"]),  # numbers as text, text as numbers
        ([classify(("2", 0.9))], ["blank"]),
        ([classify(("2", 0.9)), classify(("0", 0.9))], ["fox"]),
        ([classify(("3", 0.9))], ["animal"]),
        ([{**FOX, "category": "9"}], ["blank"]),  # a category that is not listed is no detection
        ([{**FOX, "category": "9"}, {**FOX, "category": "2", "classifications": None}], ["person"]),
        ([{**FOX, "category": 2, "classifications": []}], ["person"]),
        ([{**FOX, "conf": "0.9"}], ["fox"]),
        ([{**FOX, "conf": 0.59}], ["blank"]),
        ([{"category": "0", "conf": 0.9, **BOX}, FOX], ["fox"]),
        ([{"category": "0", "conf": 0.9, **BOX}], ["blank"]),
        ([], ["blank"]),
        (None, [""]),  # nobody looked
    ],
)
def test_labels_are_those_of_which_the_file_is_sure(
    tmp_path: Path, detections: list[dict[str, object]] | None, labels: list[str]
) -> None:
    info = {"format_version": "1.6", "detector_metadata": {"typical_detection_threshold": 0.6},
            "classifier_metadata": {"typical_classification_threshold": 0.75}}  # fmt: skip
    path = write(
        tmp_path, {"file": "a.jpg", "detections": detections}, info=info,
        detection_categories={"0": "empty", **CATEGORIES},
    )  # fmt: skip
    assert read_export(path).rows["label"].tolist() == labels


@pytest.mark.parametrize(
    ("info", "label"),
    [
        ({"format_version": "1.0", "detector": "md_v4.1.0.pb"}, "blank"),
        ({"format_version": "1.1", "detector": "megadetector_v3"}, "blank"),
        ({"format_version": "1.2", "detector": "md_v5a.0.0.pt", "detector_metadata": {}}, "animal"),
        ({"format_version": "1.3", "detector": "md_v1000.0.0-redwood.pt"}, "animal"),
        ({"format_version": 1.4, "detector_metadata": None, "classifier_metadata": None}, "animal"),
        ({"format_version": "1.5", "detector_metadata": {"typical_detection_threshold": "0.5"}}, "animal"),
        ({"format_version": "1.5", "detector_metadata": {"typical_detection_threshold": None}}, "animal"),
        ({"detector": None}, "animal"),
        ({}, "animal"),
        (None, "animal"),
    ],
)
def test_files_of_every_version_are_read_with_the_threshold_of_their_detector(
    tmp_path: Path, info: dict[str, object] | None, label: str
) -> None:
    detection = {"category": "1", "conf": 0.5, **BOX}
    image = {"file": "a.jpg", "meta": "", "max_detection_conf": 0.5, "detections": [detection]}
    path = write(tmp_path, image, {"file": "b.jpg", "failure": "Failure image access"},
                 info=info, classification_categories=None)  # fmt: skip
    reading = read_export(path)
    assert reading.rows.to_numpy().tolist() == [["a.jpg", label], ["b.jpg", ""]]
    assert reading.failures["reason"].tolist() == ["Failure image access"]


@pytest.mark.parametrize("rate", [None, 0, -1, "none given"])
def test_a_video_without_frame_rate_has_its_label_and_no_stretch(tmp_path: Path, rate: object) -> None:
    image = {"file": "a.mp4", "frame_rate": rate, "detections": [{**FOX, "frame_number": 20}]}
    if rate == "none given":
        del image["frame_rate"]
    reading = read_export(write(tmp_path, image))
    assert reading.rows.to_numpy().tolist() == [["a.mp4", "fox"]]
    assert reading.sightings.empty


def test_frame_numbers_and_rates_as_text_are_numbers(tmp_path: Path) -> None:
    image = {"file": "a.mp4", "frame_rate": "25", "detections": [{**FOX, "frame_number": "50"}]}
    assert read_export(write(tmp_path, image)).sightings["best_seconds"].tolist() == [2.0]


def test_json_in_utf_16_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, {"file": "é.jpg", "detections": [FOX]})
    path.write_bytes(json.dumps(json.loads(path.read_text()), ensure_ascii=False).encode("utf-16"))
    assert read_export(path).rows.to_numpy().tolist() == [["é.jpg", "fox"]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": None}, None),
        ({"images": {"a.jpg": []}}, "images: got an object, wanted a list"),
        ({"images": [{"file_name": "a.jpg"}]}, "images: entry 0 has no `file`, wanted a path"),
        ({"images": [{"file": None}]}, "images: entry 0 has no `file`, wanted a path"),
        ({"detection_categories": None}, "no `detection_categories`, wanted names by number"),
        ({"detection_categories": ["animal"]}, "detection_categories: got a list, wanted an object"),
        ({"info": "1.6"}, "info: got text '1.6', wanted an object"),
        ({"info": {"format_version": "0.9"}}, "info.format_version 0.9, wanted 1.0 to 1.6"),
        ({"info": {"format_version": "2.0"}}, "info.format_version 2.0, wanted 1.0 to 1.6"),
        ({"info": {"format_version": "new"}}, "info.format_version: got text 'new', wanted a number"),
        ({"images": [{"file": "a", "detections": [{**FOX, "conf": "high"}]}]},
         "a: conf: got text 'high', wanted a number"),
        ({"images": [{"file": "a", "detections": [{**FOX, "conf": True}]}]}, "a: conf: got true, wanted a number"),
        ({"images": [{"file": "a", "detections": [1]}]}, "a: detections: wanted a list of objects"),
        ({"images": [{"file": "a", "detections": [{**FOX, "classifications": ["fox"]}]}]},
         "a: classifications: wanted a list of [number, confidence]"),
    ],
)  # fmt: skip
def test_what_is_built_otherwise_is_refused_in_the_files_own_words(
    tmp_path: Path, changes: dict[str, object], message: str | None
) -> None:
    with pytest.raises(InputError) as caught:
        read_export(write(tmp_path, **changes))
    said = str(caught.value)
    assert message is None or f"not built as megadetector is: {message}; run" in said
    assert "Error" not in said
    assert "\n" not in said


def test_a_list_of_files_without_its_head_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "md.json").write_text('[{"file": "a.jpg", "detections": []}]')
    with pytest.raises(InputError, match="got a JSON list, wanted an object"):
        read_export(tmp_path / "md.json")


def test_an_old_file_is_valid_without_what_came_later(tmp_path: Path) -> None:
    detection = {key: value for key, value in FOX.items() if key != "classifications"}
    image = {"file": "a.mp4", "detections": [detection]}
    assert check_export(write(tmp_path, image, info={"format_version": "1.3"})) == []
    problems = check_export(write(tmp_path, image, info={"format_version": "1.4"}))
    assert problems == [
        "a.mp4: frame_rate: got None, wanted a number above 0",
        "a.mp4: frame_number: got None, wanted a whole number of 0 or more",
    ]
