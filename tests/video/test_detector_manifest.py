"""Manifests of the SPARROW zoo, JSON of transformers and one's own are read; what is foreign gets one line."""

import json
from pathlib import Path

import pytest

from primatrix.errors import ModelError
from primatrix.video.detector_manifest import Manifest, read_manifest
from primatrix.video.letterbox import Scale

# The shape of a manifest as the zoo's engine reads it (sparrow-engine-types/src/manifest.rs).
SPARROW = """
[model]
id = "a-detector"
format = "onnx"
file = "model.onnx"

[preprocessing]
method = "letterbox"
input_size = [1280, 960]
layout = "nchw"
normalization = "unit"
pad_value = 0.25
channel_order = "bgr"

[inference]
strategy = "single"

[postprocessing]
method = "megadet_v5a"
confidence_threshold = 0.15
iou_threshold = 0.5

[labels]
file = "labels.txt"
format = "name_index_csv"
"""


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    (tmp_path / "manifest.toml").write_text(SPARROW)
    (tmp_path / "labels.txt").write_text("animal,0\nperson,1\nvehicle, large,2\n\n")
    return tmp_path


def change(folder: Path, old: str, new: str) -> Path:
    text = (folder / "manifest.toml").read_text()
    assert old in text
    (folder / "manifest.toml").write_text(text.replace(old, new))
    return folder


def test_a_manifest_of_the_zoo_says_all(zoo: Path) -> None:
    assert read_manifest(zoo) == Manifest(
        zoo / "model.onnx",
        names={0: "animal", 1: "person", 2: "vehicle, large"},
        size_px=(960, 1280),
        layout="letterbox",
        rows="yolov5",
        confidence=0.15,
        overlap=0.5,
        scale=Scale(fill=(0.25, 0.25, 0.25), is_bgr=True),
    )


def test_the_file_a_manifest_names_is_read_with_it_and_another_is_not(zoo: Path) -> None:
    assert read_manifest(zoo / "model.onnx") == read_manifest(zoo)
    assert read_manifest(zoo / "other.onnx") == Manifest(zoo / "other.onnx")


@pytest.mark.parametrize(("method", "rows"), [("yolo_e2e", "end_to_end"), ("rtdetr_topk", "rtdetr_topk")])
def test_other_postprocessing_is_known_by_name(method: str, rows: str, zoo: Path) -> None:
    change(zoo, "megadet_v5a", method)
    change(zoo, 'method = "letterbox"', 'method = "resize"')
    assert (read_manifest(zoo).rows, read_manifest(zoo).layout) == (rows, "stretch")


def test_what_a_manifest_may_leave_out_has_the_engines_defaults(zoo: Path) -> None:
    for line in (
        "pad_value = 0.25\n", 'channel_order = "bgr"\n', "confidence_threshold = 0.15\n", "iou_threshold = 0.5\n",
        '[inference]\nstrategy = "single"\n',
    ):  # fmt: skip
        change(zoo, line, "")
    said = read_manifest(zoo)
    assert (said.scale, said.confidence, said.overlap) == (Scale(), None, 0.45)


def test_pixels_of_imagenet_are_scaled_and_so_is_the_grey_beside_them(zoo: Path) -> None:
    change(zoo, '"unit"\npad_value = 0.25', '"imagenet"')
    scale = read_manifest(zoo).scale
    assert scale.mean == (123.675, 116.28, 103.53)
    assert scale.fill == pytest.approx(
        [(114 - 123.675) / 58.395, (114 - 116.28) / 57.12, (114 - 103.53) / 57.375]
    )


@pytest.mark.parametrize(
    ("form", "text"),
    [("one_per_line", "animal\nperson\n"), ("index_name_csv", "1,person\n0,animal\n")],
)
def test_labels_have_three_forms(form: str, text: str, zoo: Path) -> None:
    change(zoo, "name_index_csv", form)
    (zoo / "labels.txt").write_text(text)
    assert read_manifest(zoo).names == {0: "animal", 1: "person"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"onnx"', '"tflite"', "got format 'tflite', wanted onnx"),
        ('"nchw"', '"nhwc"', "got layout 'nhwc', wanted nchw"),
        ('"unit"', '"percent"', "got normalization 'percent', wanted unit or imagenet or none"),
        ('"letterbox"', '"mel_spectrogram"', "got preprocessing method 'mel_spectrogram', wanted letterbox or resize"),
        ('"megadet_v5a"', '"softmax"', "got postprocessing method 'softmax', wanted yolo_e2e or megadet_v5a "),
        ('"single"', '"tiled"', "got strategy 'tiled', wanted single"),
        ('"bgr"', '"rgba"', "got channel_order 'rgba', wanted rgb or bgr"),
        ("[1280, 960]", "[1280]", r"got input_size \[1280\], wanted \[width, height\] in pixels"),
        ("[1280, 960]", "[0, 960]", "wanted \\[width, height\\] in pixels"),
        ("0.15", "15", "got confidence_threshold 15, wanted a number of 0 to 1"),
        ("0.25", '"grey"', "got pad_value 'grey', wanted a number"),
        ('"model.onnx"', '"../model.onnx"', "got the file name '../model.onnx', wanted one within its folder"),
        ('"model.onnx"', '"/etc/model.onnx"', "wanted one within its folder"),
        ('"model.onnx"', "'C:\\model.onnx'", "wanted one within its folder"),
        ('"labels.txt"', '"../labels.txt"', "wanted one within its folder"),
        ('"labels.txt"', '"none.txt"', "none.txt: cannot be read"),
        ("[labels]", "[names]", r"has no table \[labels\], wanted a manifest of the SPARROW zoo"),
        ("[model]", "[pipeline]", r"has no table \[model\]"),
        ("[model]", "model", "manifest.toml: cannot be read"),
    ],
)  # fmt: skip
def test_a_manifest_of_something_else_gets_one_line(old: str, new: str, message: str, zoo: Path) -> None:
    with pytest.raises(ModelError, match=message) as error:
        read_manifest(change(zoo, old, new))
    assert "\n" not in str(error.value)


def test_labels_without_numbers_get_a_line(zoo: Path) -> None:
    (zoo / "labels.txt").write_text("animal\nperson\n")
    with pytest.raises(ModelError, match=r"labels.txt: wanted a name and a number in each line, as animal,0"):
        read_manifest(zoo)


def test_a_folder_of_transformers_is_known_by_its_json(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"")
    (tmp_path / "model_quantised.onnx").write_bytes(b"")
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"0": "person", "1": "zebra"}}))
    facts = {"size": {"height": 480, "width": 640}, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**facts, "do_normalize": False}))
    said = read_manifest(tmp_path)
    assert said == Manifest(tmp_path / "model.onnx", names={0: "person", 1: "zebra"}, size_px=(480, 640))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(facts))
    scale = read_manifest(tmp_path).scale
    assert (scale.mean, scale.spread) == ((127.5, 127.5, 127.5), (63.75, 63.75, 63.75))
    assert scale.fill == pytest.approx([(114 - 127.5) / 63.75] * 3)


def test_a_json_file_of_the_networks_name_says_what_one_wants(tmp_path: Path) -> None:
    facts = {"names": ["animal"], "input_size": [64, 32], "layout": "stretch", "format": "yolov8",
             "confidence": 0.3, "overlap": 0.6}  # fmt: skip
    (tmp_path / "mine.json").write_text(json.dumps(facts))
    assert read_manifest(tmp_path / "mine.onnx") == Manifest(
        tmp_path / "mine.onnx", {0: "animal"}, (32, 64), "stretch", "yolov8", 0.3, 0.6
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "mine.json: cannot be read"),
        ("[1]", "got list, wanted a table of facts about a detector"),
        ('{"names": 3}', "got names 3, wanted a list of names or numbers with names"),
        ('{"names": {"a": "b"}}', "wanted a list of names or numbers with names"),
        ('{"layout": "crop"}', "got layout 'crop', wanted letterbox or stretch"),
        (
            '{"format": "yolo"}',
            "got format 'yolo', wanted rtdetr_logits or rtdetr_scores or rtdetr_topk or yolov5 or",
        ),
        ('{"confidence": true}', "got confidence True, wanted a number of 0 to 1"),
        ('{"image_std": [1, 0, 1]}', "wanted one number per colour, pixels 0-1, as image_mean and image_std"),
        ('{"image_mean": "grey"}', "wanted one number per colour"),
    ],
)
def test_json_that_says_something_else_gets_one_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(text)
    with pytest.raises(ModelError, match=message) as error:
        read_manifest(tmp_path / "mine.onnx")
    assert "\n" not in str(error.value)


def test_a_folder_without_one_onnx_file_gets_a_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"got 0 ONNX files, wanted one, or a manifest.toml that names it"):
        read_manifest(tmp_path)
    for name in ("a.onnx", "b.onnx"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(ModelError, match=r"got 2 ONNX files"):
        read_manifest(tmp_path)
