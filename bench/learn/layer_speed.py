"""What is fast on this CPU: kinds of convolution to train in bf16, and ways to the median over time.

    python bench/learn/layer_speed.py [--threads 2] [--rounds 5]

Milliseconds are wall time, the mean of `--rounds` calls after one that is not counted.
"""

import argparse
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
import torch.nn.functional as F
from torch import nn

from primatrix.models import find_background, fold_pixels

PICTURES = 512
# channels in, channels out, side in pixels, groups, kernel, stride
CONVOLUTIONS = [
    (32, 64, 16, 1, 3, 1), (32, 64, 16, 1, 3, 2), (64, 64, 16, 1, 3, 1), (64, 64, 16, 64, 3, 1),
    (64, 64, 16, 64, 7, 1), (128, 128, 8, 1, 3, 1), (192, 192, 4, 1, 3, 1),
]  # fmt: skip


def measure_ms(call: Callable[[], object], *, rounds: int) -> float:
    call()
    began = time.perf_counter()
    for _ in range(rounds):
        call()
    return 1000 * (time.perf_counter() - began) / rounds


def show_convolution(kind: tuple[int, ...], *, rounds: int) -> None:
    before, after, side, groups, kernel, stride = kind
    layer = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, groups=groups)
    layer = layer.to(memory_format=torch.channels_last)
    x = torch.randn(PICTURES, before, side, side).to(torch.bfloat16)
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()

    def train() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            y = layer(x)
        y.backward(torch.ones_like(y))

    took_ms = measure_ms(train, rounds=rounds)
    work = 6 * PICTURES * (side // stride) ** 2 * before * after // groups * kernel**2
    print(f"{before:4d} -> {after:4d}, {side:2d}x{side:2d}, groups {groups:3d}, kernel {kernel}, stride {stride}: "
          f"{took_ms:7.1f} ms, {work / took_ms / 1e6:5.0f} GFLOP/s forward and backward")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for kind in CONVOLUTIONS:
        show_convolution(kind, rounds=options.rounds)
    clips = torch.randint(0, 256, (32, 30, 64, 64, 3), dtype=torch.uint8)
    pictures = clips.flatten(0, 1).permute(0, 3, 1, 2)
    for name, call in {
        "torch.median of 30": lambda: clips.median(1),
        "sort of 30": lambda: clips.sort(1),
        "find_background": lambda: find_background(clips),
        "pixel_unshuffle": lambda: F.pixel_unshuffle(pictures, 2),
        "fold_pixels": lambda: fold_pixels(clips, side_px=2),
    }.items():
        print(f"{name:20s} 32 clips of 30x64x64x3: {measure_ms(call, rounds=options.rounds):7.1f} ms")


if __name__ == "__main__":
    main()
