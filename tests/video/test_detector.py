"""What a detector finds: where it truly is in pictures of every form, once each, in every format of rows."""

import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from primatrix.errors import ModelError
from primatrix.records import Box
from primatrix.video.detector import Detector, Found
from primatrix.video.detector_facts import read_detector
from primatrix.video.letterbox import Scale

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

Write = Callable[..., Path]
BLACK = np.zeros((72, 128, 3), np.uint8)  # in 64 x 64 pixels it fills rows 14 to 50


def round_box(found: Found) -> list[float]:
    return [round(share, 4) for share in found.box]


def test_boxes_of_megadetector_v5_come_back_into_the_picture(write_detector: Write, tmp_path: Path) -> None:
    rows = [
        [32, 32, 16, 18, 0.5, 0.9, 0.1, 0.0],  # the middle: animal 0.45
        [33, 32, 16, 18, 0.5, 0.8, 0.1, 0.0],  # the same again: animal 0.4
        [33, 32, 16, 18, 0.5, 0.1, 0.7, 0.0],  # a person there: 0.35
        [0, 14, 32, 36, 1.0, 0.0, 0.0, 0.6],  # a vehicle that is half in the picture, three quarters cut off
        [32, 5, 20, 10, 1.0, 0.9, 0.0, 0.0],  # in the band above
        [10, 40, 9, 9, 0.3, 0.6, 0.0, 0.0],  # 0.18: too unsure
    ]
    detector = Detector(read_detector(write_detector(tmp_path / "md.onnx", {"output": [rows]})))
    found = detector.find(BLACK)
    assert [(one.category, round(one.confidence, 4)) for one in found] == [
        ("vehicle", 0.6), ("animal", 0.45), ("person", 0.35)
    ]  # fmt: skip
    assert [round_box(one) for one in found] == [
        [0.0, 0.0, 0.25, 0.5], [0.375, 0.25, 0.25, 0.5], [0.3906, 0.25, 0.25, 0.5]
    ]  # fmt: skip
    assert isinstance(found[0].box, Box)


def test_boxes_of_a_tall_picture_come_back_too(write_detector: Write, tmp_path: Path) -> None:
    detector = Detector(
        read_detector(write_detector(tmp_path / "md.onnx", {"output": [[[32, 32, 18, 16, 1, 0.9, 0, 0]]]}))
    )
    assert [round_box(one) for one in detector.find(BLACK.transpose(1, 0, 2))] == [[0.25, 0.375, 0.5, 0.25]]


def test_rows_without_doubles_are_all_kept(write_detector: Write, tmp_path: Path) -> None:
    rows = [[16, 14, 48, 50, 0.5, 2], [16, 14, 48, 50, 0.75, 0], [16, 14, 48, 50, 0.875, 9]]
    path = write_detector(
        tmp_path / "e.onnx", {"out": [rows]}, metadata={"names": "['animal','person','vehicle']"}
    )
    found = Detector(read_detector(path)).find(BLACK)
    assert found == [
        Found(Box(0.25, 0.0, 0.5, 1.0), "animal", 0.75), Found(Box(0.25, 0.0, 0.5, 1.0), "vehicle", 0.5)
    ]  # fmt: skip


def measure_white(path: Path, *, high: int, wide: int) -> Path:
    """A network that finds the white part of a black picture by arithmetic: its middle by weight, its sides by mass."""
    across, down = (np.arange(side, dtype=np.float32)[:, None] + 0.5 for side in (wide, high))
    constants = {
        "across": across, "down": down, "ones_across": np.ones_like(across), "ones_down": np.ones_like(down),
        "scores": np.array([[1, 0, 0]], np.float32), "last": np.array([2], np.int64),
    }  # fmt: skip
    nodes = [helper.make_node("ReduceMean", ["x"], ["grey"], axes=[1], keepdims=0)]
    for way, axis in (("across", 1), ("down", 2)):
        nodes += [
            helper.make_node("ReduceMean", ["grey"], [f"mass_{way}"], axes=[axis], keepdims=0),
            helper.make_node("MatMul", [f"mass_{way}", way], [f"moment_{way}"]),
            helper.make_node("MatMul", [f"mass_{way}", f"ones_{way}"], [f"sum_{way}"]),
            helper.make_node("ReduceMax", [f"mass_{way}"], [f"most_{way}"], axes=[1]),
            helper.make_node("Div", [f"moment_{way}", f"sum_{way}"], [f"middle_{way}"]),
            helper.make_node("Div", [f"sum_{way}", f"most_{way}"], [f"side_{way}"]),
        ]
    parts = ["middle_across", "middle_down", "side_across", "side_down", "scores"]
    nodes += [
        helper.make_node("Concat", parts, ["row"], axis=1),
        helper.make_node("Unsqueeze", ["row", "last"], ["rows"]),  # (1, 7) -> (1, 7, 1), as of YOLOv8
    ]
    graph = helper.make_graph(
        nodes, "white", [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, high, wide))],
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize("layout", ["letterbox", "stretch"])
@pytest.mark.parametrize(
    ("height", "width"),
    [
        (720, 1280),
        (1280, 720),
        (404, 720),
        (333, 517),
        (517, 333),
        (101, 640),
        (97, 89),
        (1080, 1921),
        (640, 640),
    ],
)
def test_what_is_white_is_found_to_a_tenth_of_a_pixel_of_the_network(
    height: int, width: int, layout: str, tmp_path: Path
) -> None:
    facts = read_detector(measure_white(tmp_path / "white.onnx", high=320, wide=320))
    black = replace(facts, layout=layout, scale=Scale(fill=(0, 0, 0)))  # type: ignore[arg-type]
    picture = np.zeros((height, width, 3), np.uint8)
    left, top, right, bottom = width // 5, height // 3, width // 2, height - height // 7
    picture[top:bottom, left:right] = 255
    (found,) = Detector(black).find(picture)
    off = np.subtract(
        found.box, (left / width, top / height, (right - left) / width, (bottom - top) / height)
    )
    assert np.abs(off).max() < 0.1 / 320


def test_the_worker_opens_the_very_file_that_was_checked(write_detector: Write, tmp_path: Path) -> None:
    path = write_detector(tmp_path / "md.onnx", {"output": [[[32, 32, 16, 18, 1, 0.9, 0, 0]]]})
    facts = read_detector(path)
    write_detector(path, {"output": [[[32, 32, 16, 18, 1, 0.8, 0, 0]]]})
    with pytest.raises(ModelError, match=r"md.onnx: changed since it was first read; start again"):
        Detector(facts).find(BLACK)
    path.unlink()
    with pytest.raises(ModelError, match=r"md.onnx: cannot be read \(No such file or directory\)"):
        Detector(facts).find(BLACK)


@pytest.mark.parametrize(
    "picture", [BLACK[..., 0], BLACK[..., :1], BLACK.astype(np.float32), BLACK[:0], BLACK[np.newaxis]]
)
def test_only_pictures_of_three_colours_are_looked_at(
    picture: np.ndarray, write_detector: Write, tmp_path: Path
) -> None:
    path = write_detector(tmp_path / "md.onnx", {"output": [[[32, 32, 16, 18, 1, 0.9, 0, 0]]]})
    with pytest.raises(ModelError, match=r"got a picture of .*, wanted uint8 \(height, width, 3\)"):
        Detector(read_detector(path)).find(picture)


def test_another_process_finds_the_same_without_torch(write_detector: Write, tmp_path: Path) -> None:
    path = write_detector(tmp_path / "md.onnx", {"output": [[[32, 32, 16, 18, 1, 0.75, 0, 0]]]})
    code = (
        "import pickle, sys, numpy as np\n"
        "detector = pickle.loads(bytes.fromhex(sys.argv[1]))\n"
        "print(detector.find(np.zeros((72, 128, 3), np.uint8)))\n"
        "assert not {'torch', 'av', 'onnx'} & set(sys.modules)\n"
    )
    words = [sys.executable, "-c", code, pickle.dumps(Detector(read_detector(path))).hex()]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout == (
        "[Found(box=Box(left=0.375, top=0.25, width=0.25, height=0.5), category='animal', confidence=0.75)]\n"
    ), done.stderr


@pytest.fixture(scope="module")
def rtdetr(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, object]:
    """A real RT-DETR of transformers, tiny, with random weights, as transformers' users export it, and itself."""
    transformers, torch = pytest.importorskip("transformers"), pytest.importorskip("torch")
    torch.manual_seed(0)
    backbone = transformers.RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 16, 16], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = transformers.RTDetrConfig(
        backbone_config=backbone, encoder_hidden_dim=16, encoder_in_channels=[16, 16, 16], encoder_ffn_dim=32,
        encoder_attention_heads=2, d_model=16, decoder_in_channels=[16, 16, 16], decoder_layers=2,
        decoder_ffn_dim=32, decoder_attention_heads=2, decoder_n_points=2, num_queries=12, num_denoising=0,
        id2label={0: "person", 1: "zebra", 2: "kite", 3: "car"},
    )  # fmt: skip
    model = transformers.RTDetrForObjectDetection(config).eval()
    for weights in model.parameters():
        torch.nn.init.normal_(weights, std=0.3)  # as it is made, all queries are alike

    class Outputs(torch.nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, x: object) -> tuple[object, object]:
            out = self.model(pixel_values=x)
            return out.logits, out.pred_boxes

    folder = tmp_path_factory.mktemp("rtdetr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Outputs().eval(), (torch.zeros(1, 3, 64, 96),), str(folder / "model.onnx"), dynamo=False,
            opset_version=17, input_names=["pixel_values"], output_names=["logits", "pred_boxes"],
        )  # fmt: skip
    config.save_pretrained(folder)
    return folder, model


def test_a_real_rtdetr_of_transformers_finds_what_transformers_finds(rtdetr: tuple[Path, object]) -> None:
    """Its weights are random: no weights of a trained one can be had here."""
    import torch
    import transformers

    folder, model = rtdetr
    facts = read_detector(folder)
    assert (facts.rows, facts.layout, facts.size_px) == ("rtdetr_logits", "stretch", (64, 96))
    assert facts.categories == {0: "person", 1: "animal", 3: "vehicle"}
    picture = np.random.default_rng(5).integers(0, 256, (64, 96, 3), np.uint8)
    x = torch.tensor(picture).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        out = model(pixel_values=x)  # type: ignore[operator]
    scores = out.logits.sigmoid()[0].numpy()
    boxes = transformers.image_transforms.center_to_corners_format(out.pred_boxes)[0].clamp(0, 1).numpy()
    known = scores[:, [0, 1, 3]]
    order = [i for i in np.argsort(-known.max(1)) if known[i].max() >= 0.2]
    found = Detector(facts).find(picture)
    assert len(found) == len(order) > 3
    np.testing.assert_allclose([one.confidence for one in found], known.max(1)[order], atol=1e-4)
    assert [one.category for one in found] == [
        ("person", "animal", "vehicle")[i] for i in known[order].argmax(1)
    ]
    corners = [(b.left, b.top, b.left + b.width, b.top + b.height) for b in (one.box for one in found)]
    np.testing.assert_allclose(corners, boxes[order], atol=1e-4)
