"""A detector's file is checked once: its size, its format, its classes; what cannot be told gets one line."""

import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from primatrix.errors import ModelError
from primatrix.video.detector_facts import DetectorFacts, read_detector
from primatrix.video.letterbox import Scale

Write = Callable[..., Path]
YOLOV5 = np.zeros((1, 9, 8))
YOLOV5[..., :4] = 32  # pixels
COCO = {0: "person", 1: "bicycle", 2: "kite", 3: "zebra"}


def test_facts_say_all_that_decides_what_is_found(write_detector: Write, tmp_path: Path) -> None:
    path = write_detector(tmp_path / "md.onnx", {"output": YOLOV5}, shape=("n", 3, 64, 96))
    facts = read_detector(path)
    assert facts == DetectorFacts(
        path=str(path),
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
        height_px=64,
        width_px=96,
        layout="letterbox",
        rows="yolov5",
        outputs=("output",),
        categories={0: "animal", 1: "person", 2: "vehicle"},
        confidence=0.2,
        overlap=0.45,
        scale=Scale(),
        note="its three classes have no names: animal, person, vehicle assumed, as MegaDetector has them",
    )
    assert pickle.loads(pickle.dumps(facts)) == facts
    assert hash(facts) == hash(read_detector(path))


def test_names_are_those_that_ultralytics_writes_into_the_file(write_detector: Write, tmp_path: Path) -> None:
    metadata = {"names": str(COCO), "imgsz": "[64, 96]", "task": "detect"}
    rows = np.full((1, 8, 20), 32.0)
    path = write_detector(tmp_path / "a.onnx", {"output0": rows}, shape=(1, 3, "h", "w"), metadata=metadata)
    facts = read_detector(path)
    assert facts.categories == {0: "person", 1: "vehicle", 3: "animal"}
    assert (facts.rows, facts.size_px, facts.note) == ("yolov8", (64, 96), "")


@pytest.mark.parametrize(
    "names", ["__import__('os').getcwd()", "{0: 'animal'", "[" * 9999, "{'a': 'animal'}", "animal", ""]
)
def test_metadata_is_read_and_never_run(names: str, write_detector: Write, tmp_path: Path) -> None:
    path = write_detector(tmp_path / "a.onnx", {"output": YOLOV5}, metadata={"names": names})
    assert read_detector(path).note.startswith("its three classes have no names")


def test_a_file_beside_it_is_believed_before_the_metadata(write_detector: Write, tmp_path: Path) -> None:
    path = write_detector(tmp_path / "a.onnx", {"output": YOLOV5}, metadata={"names": "['kite']"})
    facts = {"names": ["zebra", "human", "kite"], "layout": "stretch", "confidence": 0.5, "overlap": 0.6}
    path.with_suffix(".json").write_text(json.dumps(facts))
    facts_read = read_detector(path)
    assert facts_read.categories == {0: "animal", 1: "person"}
    assert (facts_read.layout, facts_read.confidence, facts_read.overlap) == ("stretch", 0.5, 0.6)


def test_rows_of_rtdetr_want_stretched_pictures_and_have_no_doubles(
    write_detector: Write, tmp_path: Path
) -> None:
    path = write_detector(tmp_path / "a.onnx", {"output": np.full((1, 5, 7), 0.5)})
    facts = read_detector(path)
    assert (facts.rows, facts.layout, facts.overlap) == ("rtdetr_scores", "stretch", 1.0)


def test_two_classes_in_six_columns_want_a_word(write_detector: Write, tmp_path: Path) -> None:
    path = write_detector(tmp_path / "a.onnx", {"output": np.full((1, 5, 6), 0.5)})
    path.with_suffix(".json").write_text('{"names": ["animal", "person"]}')
    with pytest.raises(
        ModelError, match=r"which may be rtdetr_scores or end_to_end; say which .*, as format"
    ):
        read_detector(path)
    path.with_suffix(".json").write_text('{"names": ["animal", "person"], "format": "end_to_end"}')
    assert read_detector(path).rows == "end_to_end"


def test_a_manifest_of_the_zoo_and_its_file_belong_together(write_detector: Write, tmp_path: Path) -> None:
    path = write_detector(tmp_path / "model.onnx", {"output": np.full((1, 5, 6), 0.5)}, shape=(1, 3, 64, 96))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest = f"""
        model = {{format = "onnx", file = "model.onnx", onnx_sha256 = "{digest.upper()}"}}
        preprocessing = {{method = "resize", input_size = [96, 64], layout = "nchw", normalization = "unit"}}
        postprocessing = {{method = "rtdetr_topk", confidence_threshold = 0.25}}
        labels = {{file = "labels.txt", format = "one_per_line"}}
    """
    (tmp_path / "manifest.toml").write_text(manifest)
    (tmp_path / "labels.txt").write_text("animal\nperson\nvehicle\n")
    facts = read_detector(tmp_path)
    assert (facts.rows, facts.layout, facts.confidence, facts.note) == ("rtdetr_topk", "stretch", 0.25, "")
    (tmp_path / "manifest.toml").write_text(manifest.replace("[96, 64]", "[64, 64]"))
    with pytest.raises(ModelError, match=r"takes pictures of \(64, 96\) px .*, its manifest says \(64, 64\)"):
        read_detector(tmp_path)
    (tmp_path / "manifest.toml").write_text(manifest.replace(digest.upper(), "0" * 64))
    with pytest.raises(
        ModelError, match=r"model.onnx: is not the file that its manifest is of \(SHA-256 differs\)"
    ):
        read_detector(tmp_path)


@pytest.mark.parametrize(
    ("outputs", "options", "message"),
    [
        ({"y": np.zeros((1, 1280))}, {}, r"gives y \(1, 1280\), wanted the boxes of a detector"),
        ({"y": YOLOV5}, {"shape": (1, 1, 64, 64)}, r"takes tensor\(float\) \[1, 1, 64, 64\], wanted one picture"),
        ({"y": YOLOV5}, {"shape": (4, 3, 64, 64)}, "wanted one picture"),
        ({"y": YOLOV5}, {"shape": (1, 3, 64)}, "wanted one picture"),
        ({"y": YOLOV5}, {"elements": "FLOAT16"}, r"takes tensor\(float16\)"),
        ({"y": YOLOV5}, {"shape": (1, 3, "h", "w")}, r"takes pictures of any size; say which .* as input_size"),
        ({"y": np.full((1, 9, 85), 32)}, {}, r"gives \(1, 9, 85\) and no names of its classes; say them"),
        ({"y": np.full((1, 9, 6), 32)}, {}, r"gives \(1, 9, 6\) and no names of its classes; say them"),
        (
            {"y": np.full((1, 9, 9), 32)},
            {"metadata": {"names": "['animal']"}},
            r"gives \(1, 9, 9\), wanted boxes of a known format for its 1 classes",
        ),
        (
            {"y": np.full((1, 9, 7), 32)},
            {"metadata": {"names": "{0: 'animal', 7: 'person'}"}},
            "for its 2 classes; name them all, or export it again",
        ),
        (
            {"y": np.full((1, 9, 7), 32)},
            {"metadata": {"names": "['cup', 'fork']"}},
            "finds cup, fork, wanted a detector of animals, people or vehicles",
        ),
        ({"y": np.full((1, 9, 8), 0.5)}, {}, "has positions of up to 0.5, wanted pixels, as yolov5 has them"),
        ({"y": np.full((1, 9, 7), 32)}, {}, "positions of up to 32, wanted shares of the picture, as rtdetr_scores"),
    ],
)  # fmt: skip
def test_what_is_no_detector_of_this_kind_gets_one_line(
    outputs: dict[str, object],
    options: dict[str, object],
    message: str,
    write_detector: Write,
    tmp_path: Path,
) -> None:
    path = write_detector(tmp_path / "a.onnx", outputs, **options)
    with pytest.raises(ModelError, match=message) as error:
        read_detector(path)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(str(path))


def test_a_format_that_is_said_must_fit(write_detector: Write, tmp_path: Path) -> None:
    path = write_detector(tmp_path / "a.onnx", {"y": YOLOV5})
    path.with_suffix(".json").write_text('{"names": ["animal", "person", "vehicle"], "format": "yolov8"}')
    with pytest.raises(ModelError, match=r"gives \(1, 9, 8\), wanted yolov8 for its 3 classes"):
        read_detector(path)
