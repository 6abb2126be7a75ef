"""What close-ups cost beside the decoding they ride on.

    python bench/decode/closeup_cost.py [--rounds 5]

Videos of fifteen seconds in which a striped patch crosses a noisy place, made on the way. Each is decoded to the small
clip of 15x64x64 alone, and to six close-ups and four whole pictures of 224 px, in turn; medians of core-seconds and
their ratio.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import av
import numpy as np

import primatrix as pm
from primatrix.video import decode_clip

KINDS = {
    "1920x1080 MJPEG avi": ("avi", "mjpeg", (1920, 1080), {}),
    "1920x1080 H.264, a keyframe a second": (
        "mp4",
        "libx264",
        (1920, 1080),
        {"g": "30", "preset": "veryfast"},
    ),
    "1280x720 H.264, groups of 250": ("mp4", "libx264", (1280, 720), {"g": "250", "preset": "veryfast"}),
    "720x404 H.264, groups of 30": ("mp4", "libx264", (720, 404), {"g": "30", "preset": "veryfast"}),
    "320x240 H.264, groups of 250": ("mp4", "libx264", (320, 240), {"g": "250", "preset": "veryfast"}),
}
SECONDS, RATE = 15, 30
SMALL = pm.ClipSpec(15, 64, 64, "rgb")
CLOSE = pm.ClipSpec(10, 224, 224, "rgb", closeups=6)


def write_video(path: Path, codec: str, size: tuple[int, int], options: dict[str, str]) -> Path:
    width, height = size
    rng = np.random.default_rng(0)
    place = (
        rng.integers(60, 160, (height // 8 + 1, width // 8 + 1, 3)).repeat(8, 0).repeat(8, 1)[:height, :width]
    )
    side = height // 5
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, options=options)
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for i in range(SECONDS * RATE):
            picture = (place + rng.integers(-3, 4, (height, width, 1))).astype(np.uint8)
            left = (width - side) * i // (SECONDS * RATE)
            picture[height // 2 : height // 2 + side, left : left + side : 3] = 230
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def measure(path: Path, spec: pm.ClipSpec) -> float:
    began = time.process_time()
    decode_clip(path, spec)
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, (suffix, codec, size, options) in KINDS.items():
            path = write_video(Path(folder, f"a.{suffix}"), codec, size, options)
            measure(path, SMALL), measure(path, CLOSE)
            took = [(measure(path, SMALL), measure(path, CLOSE)) for _ in range(args.rounds)]
            small, close = (statistics.median(times) for times in zip(*took, strict=True))
            print(json.dumps({
                "video": name, "small_clip": round(small, 3), "close_ups": round(close, 3),
                "ratio": round(statistics.median(b / a for a, b in took), 2),
            }), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
