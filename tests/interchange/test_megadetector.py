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
    found = json.loads(path.read_text())
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
    assert reading.sightings.iloc[0].tolist() == ["a.mp4", "fox", 1, 1, 1, np.float32(0.9)]
    assert reading.failures.to_numpy().tolist() == [["d.jpg", "", "Failure image access"]]
