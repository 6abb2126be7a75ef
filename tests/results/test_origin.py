import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from primatrix.errors import InputError
from primatrix.results.columns import complete_facts
from primatrix.results.origin import Origin, name_origin, read_origin, write_origin
from primatrix.results.results import Results

ORIGIN = Origin("lrcn", "ab" * 32, calibrated=True, out_of_fold=True, files={"a.mp4": "00" * 16})


def write_table(path: Path) -> Path:
    path.write_text("filepath,hog\na.mp4,0.5\nb.mp4,0.5\n", encoding="utf-8")
    return path


def test_a_table_says_where_it_comes_from_as_long_as_it_is_that_table(tmp_path: Path) -> None:
    path = write_table(tmp_path / "val.csv")
    assert read_origin(path) is None
    assert write_origin(path, ORIGIN) == name_origin(path) == tmp_path / "val.origin.json"
    assert read_origin(path) == ORIGIN
    path.write_text("filepath,hog\na.mp4,0.25\n")
    assert read_origin(path) is None


def test_files_that_are_not_known_are_left_out(tmp_path: Path) -> None:
    path = write_table(tmp_path / "val.csv")
    write_origin(path, replace(ORIGIN, files={"a.mp4": "00" * 16, "b.mp4": ""}))
    assert read_origin(path) == ORIGIN


def test_a_folder_of_results_names_its_model_and_what_its_files_are(example: Results, tmp_path: Path) -> None:
    facts = complete_facts(
        {**example.facts, "model_digest": "ab" * 32, "calibration": {"fitted": "on 9 clips"}}
    )
    digests = ["12345678901234567890123456789012", ""]  # digits alone stay text
    replace(example, facts=facts, clips=example.clips.assign(digest=digests)).write(tmp_path)
    files = {"a/IMG_1.MP4": digests[0]}
    assert read_origin(tmp_path / "predictions.csv") == Origin(
        "lrcn", "ab" * 32, calibrated=True, files=files
    )


def test_results_that_name_no_model_and_no_files_say_nothing_of_them(
    example: Results, tmp_path: Path
) -> None:
    example.write(tmp_path)
    pd.read_csv(tmp_path / "clips.csv").drop(columns="digest").to_csv(tmp_path / "clips.csv", index=False)
    assert read_origin(tmp_path / "predictions.csv") == Origin("lrcn", "")


def test_files_that_are_none_by_name_are_one_line(tmp_path: Path) -> None:
    table = tmp_path / "submission.csv"
    table.write_text("filepath,hog\na.mp4,0.5\n")
    digest = hashlib.sha256(table.read_bytes()).hexdigest()
    name_origin(table).write_text(json.dumps({"table_sha256": digest, "files": 5}))
    with pytest.raises(InputError, match="files: got int, wanted files by name; delete it, or predict again"):
        read_origin(table)
