import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primatrix.errors import InputError
from primatrix.interchange.formats import check_export, export_results, read_export
from primatrix.results import Results


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
    assert (blank["detections"], blank["frames_processed"]) == ([], [])
    assert (failed["failure"], failed["detections"]) == ("open: moov | atom: not 50 %, at all", None)
    assert "frame_rate" not in still
    assert "frame_number" not in still["detections"][0]
    assert found["classification_category_descriptions"]["3"].endswith(
        ";mammalia;primates;hominidae;homo;sapiens;human"
    )


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
