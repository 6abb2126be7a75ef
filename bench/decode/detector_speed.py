"""What a detector of MegaDetector v5's size costs beside decoding a video and encoding a few of its pictures.

    python bench/decode/detector_speed.py [--rounds 3]

The detector is YOLOv5x6 with three classes, built here layer by layer as its authors describe it (depth 1.33, width
1.25, four levels), batch norms folded into the convolutions, random weights: its time does not depend on them. One
round times, one after the other and on one thread each: one picture of 1280x1280 through it by torch, the same by
`Detector.find` (onnxruntime), a minute of 1280x720 (that of decode_speed.py) decoded to 24 pictures (4 windows of 6),
and those pictures encoded by efficientnet-lite0. Medians of the rounds, in core-seconds (processor time of this
process, as others may work beside it) and in seconds; at the end how many times as much a minute costs with a frame a
second shown to the detector as decoding and encoding it do. JSON, a line each.
"""

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import primatrix as pm
from decode_speed import MATERIAL, WORK, make_material
from primatrix.records import ClipSpec
from primatrix.video import Detector, decode_clip, read_detector

SIDE_PX, CLASSES, ANCHORS = 1280, 3, 3
WINDOWS, PICTURES = 4, 6
SECONDS = 60  # of the video


class Conv(nn.Sequential):
    """A convolution and SiLU; the batch norm between them is part of the weights."""

    def __init__(self, given: int, made: int, size: int = 1, stride: int = 1) -> None:
        super().__init__(nn.Conv2d(given, made, size, stride, size // 2), nn.SiLU(inplace=True))


class Cross(nn.Module):
    """YOLOv5's C3: half of the channels go through `depth` bottlenecks, half past them."""

    def __init__(self, given: int, made: int, depth: int, *, residual: bool) -> None:
        super().__init__()
        half = made // 2
        self.through, self.past, self.join = Conv(given, half), Conv(given, half), Conv(made, made)
        self.steps = nn.ModuleList(nn.Sequential(Conv(half, half), Conv(half, half, 3)) for _ in range(depth))
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y = self.through(x)
        for step in self.steps:
            y = y + step(y) if self.residual else step(y)
        return self.join(torch.cat([y, self.past(x)], 1))


class Pool(nn.Module):
    """YOLOv5's SPPF: the largest of ever wider surroundings, beside each other."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.before, self.after = Conv(width, width // 2), Conv(width * 2, width)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        parts = [self.before(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        return self.after(torch.cat(parts, 1))


class YoloV5x6(nn.Module):
    """Pictures (N, 3, 1280, 1280) -> rows (N, 102000, 8) as MegaDetector v5's: box in pixels, objectness, classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(Conv(3, 80, 6, 2), Conv(80, 160, 3, 2), Cross(160, 160, 4, residual=True))
        self.stem[0][0].padding = (2, 2)
        widths, depths = [320, 640, 960, 1280], [8, 12, 4, 4]
        self.down = nn.ModuleList(
            nn.Sequential(Conv(given, made, 3, 2), Cross(made, made, depth, residual=True))
            for given, made, depth in zip([160, *widths], widths, depths, strict=False)
        )
        self.down[3].append(Pool(1280))
        self.narrow = nn.ModuleList(
            Conv(given, made) for given, made in ((1280, 960), (960, 640), (640, 320))
        )
        self.up = nn.ModuleList(Cross(made * 2, made, 4, residual=False) for made in (960, 640, 320))
        self.again = nn.ModuleList(Conv(made, made, 3, 2) for made in (320, 640, 960))
        self.out = nn.ModuleList(
            Cross(2 * given, made, 4, residual=False) for given, made in ((320, 640), (640, 960), (960, 1280))
        )
        self.heads = nn.ModuleList(nn.Conv2d(width, ANCHORS * (5 + CLASSES), 1) for width in widths)

    def forward(self, x: Tensor) -> Tensor:
        x, levels = self.stem(x), []
        for step in self.down:
            x = step(x)
            levels.append(x)
        kept = []
        for narrow, merge, level in zip(self.narrow, self.up, levels[2::-1], strict=True):
            kept.append(narrow(x))
            x = merge(torch.cat([nn.functional.interpolate(kept[-1], scale_factor=2.0), level], 1))
        seen = [x]
        for again, merge, beside in zip(self.again, self.out, kept[::-1], strict=True):
            x = merge(torch.cat([again(x), beside], 1))
            seen.append(x)
        return torch.cat([self.read(head(one)) for head, one in zip(self.heads, seen, strict=True)], 1)

    def read(self, made: Tensor) -> Tensor:
        """A level's numbers (N, 24, h, w) as rows (N, 3 h w, 8), positions in pixels of its grid's cells."""
        count, _, high, wide = made.shape
        rows = made.view(count, ANCHORS, 5 + CLASSES, high * wide).transpose(2, 3).sigmoid()
        cell = SIDE_PX / wide
        place = torch.arange(high * wide)
        grid = torch.stack([place % wide, place // wide], 1) * cell
        boxes = torch.cat(
            [rows[..., :2] * 2 * cell + grid, (rows[..., 2:4] * 2) ** 2 * 4 * cell, rows[..., 4:]], -1
        )
        return boxes.reshape(count, -1, 5 + CLASSES)


def export(network: nn.Module, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (torch.zeros(1, 3, SIDE_PX, SIDE_PX),), str(path), dynamo=False, opset_version=17,
            input_names=["images"], output_names=["output"],
        )  # fmt: skip
    return path


def measure(work: Callable[[], object]) -> tuple[float, float]:
    """Core-seconds and seconds of a job."""
    started, used = time.perf_counter(), time.process_time()
    work()
    return time.process_time() - used, time.perf_counter() - started


def list_jobs(folder: Path) -> dict[str, Callable[[], object]]:
    torch.manual_seed(0)
    network = YoloV5x6().eval()
    count = sum(weight.numel() for weight in network.parameters())
    detector = Detector(read_detector(export(network, folder / "yolov5x6.onnx")))
    network = network.to(memory_format=torch.channels_last)
    picture = np.random.default_rng(1).integers(0, 256, (SIDE_PX, SIDE_PX, 3), np.uint8)
    shown = (torch.tensor(picture).permute(2, 0, 1)[None] / 255).to(memory_format=torch.channels_last)
    rows = network(shown)
    print(
        json.dumps({"parameters": count, "rows": list(rows.shape), "format": detector.facts.rows}), flush=True
    )
    encoder = pm.load_encoder("efficientnet-lite0")
    side = encoder.facts.side_px
    spec = ClipSpec(frames=WINDOWS * PICTURES, height_px=side, width_px=side, colour="rgb")
    WORK.mkdir(parents=True, exist_ok=True)
    video = make_material(next(one for one in MATERIAL if one.file == "720p.mp4"))
    pictures = torch.tensor(decode_clip(video, spec).frames)
    return {
        "detector, one picture, torch": lambda: network(shown),
        "detector, one picture, onnxruntime": lambda: detector.find(picture),
        "video decoded to 24 pictures": lambda: decode_clip(video, spec),
        "24 pictures encoded": lambda: encoder(pictures),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    with torch.inference_mode(), tempfile.TemporaryDirectory() as name:
        jobs = list_jobs(Path(name))
        for work in jobs.values():
            measure(work)
        rounds = [{job: measure(work) for job, work in jobs.items()} for _ in range(args.rounds)]
    cores = {}
    for job in jobs:
        cores[job], seconds = (statistics.median(one[job][i] for one in rounds) for i in (0, 1))
        print(json.dumps({"job": job, "core_seconds": round(cores[job], 3), "seconds": round(seconds, 3)}))
    torch_one, onnx_one, decoded, encoded = cores.values()
    ours = decoded + encoded
    for way, one in (("torch", torch_one), ("onnxruntime", onnx_one)):
        ratio = one * SECONDS / ours
        print(
            json.dumps({"detector_at_a_frame_a_second": way, "times_decoding_and_encoding": round(ratio, 1)})
        )


if __name__ == "__main__":
    main()
