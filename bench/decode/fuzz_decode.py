"""Mutated video files through the decoder: nothing may crash, hang, or be reported that was not decoded.

    python bench/decode/fuzz_decode.py [--files 10000] [--seed 0] [--keep FOLDER]

Makes small videos (mp4, mov, avi, mkv, asf; several codecs), mutates them from the seed, and runs every mutant
through DecodePool and, in processes of their own, through a plain decode of everything (plain_decode.py).
Checks: one result per file in order; every frame of a clip called ok is among those that plain decoding gives before
its first error. Partial clips with a frame that plain decoding does not give at all, because libav conceals damage with
what lies in its memory, are counted apart.
Prints counts as JSON; exit 1 where a check failed. `--keep` keeps offenders.
"""

import argparse
import json
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import av
import numpy as np

from plain_decode import Witness, decode_plainly
from primatrix.records import Clip, ClipSpec, Failure, Video
from primatrix.video import DecodePool, FilePool, PoolOptions, describe_video

SPEC = ClipSpec(frames=6)
BASES = [
    ("mp4", "libx264", {"g": "8", "bf": "2", "preset": "ultrafast"}),
    ("mp4", "mpeg4", {"g": "8", "bf": "2"}),
    ("mov", "mjpeg", {}),
    ("avi", "mpeg4", {"g": "8"}),
    ("avi", "mjpeg", {}),
    ("avi", "libx264", {"g": "8", "bf": "2", "preset": "ultrafast"}),
    ("mkv", "libx264", {"g": "8", "bf": "2", "preset": "ultrafast"}),
    ("mkv", "libvpx-vp9", {"g": "8", "deadline": "realtime", "cpu-used": "8"}),
    ("mkv", "libx265", {"x265-params": "keyint=8:bframes=2:log-level=none"}),
    ("asf", "msmpeg4", {"g": "8"}),
    ("asf", "wmv2", {"g": "8"}),
]
BATCH = 200
CONCEALED = "a concealed picture in a partial clip"
LIMITS = PoolOptions(time_limit_seconds=20, memory_limit_bytes=1 << 30)


@dataclass(slots=True)
class Report:
    """What became of the mutants, and which broke a promise."""

    files: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    worker_deaths: int = 0
    slowest_batch_seconds: float = 0.0
    concealed: list[str] = field(default_factory=list)
    offenders: list[str] = field(default_factory=list)


def make_bases(folder: Path) -> list[Path]:
    """One small video per container and codec, 24 frames of moving blocks."""
    blocks = np.random.default_rng(0).integers(0, 255, (14, 18, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    paths = []
    for number, (suffix, codec, options) in enumerate(BASES):
        path = folder / f"base{number}-{codec}.{suffix}"
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=12, options=options)
            stream.width, stream.height = 64, 48  # x265 corrupts its memory at 48x32
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for i in range(24):
                pixels = np.ascontiguousarray(np.roll(blocks, (i, 2 * i), (0, 1))[:48, :64])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode(None))
        paths.append(path)
    return paths


# ---- mutations: bytes and a generator in, bytes out


def flip_bits(content: bytearray, draw: random.Random) -> bytearray:
    for _ in range(draw.choice([1, 2, 5, 20, 100])):
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    return content


def flip_header_bits(content: bytearray, draw: random.Random) -> bytearray:
    for _ in range(draw.choice([1, 3, 10])):
        content[draw.randrange(min(len(content), 700))] ^= 1 << draw.randrange(8)
    return content


def cut_short(content: bytearray, draw: random.Random) -> bytearray:
    return content[: draw.randrange(len(content))]


def zero_stretch(content: bytearray, draw: random.Random) -> bytearray:
    start = draw.randrange(len(content))
    stop = min(len(content), start + draw.choice([4, 64, 600]))
    content[start:stop] = bytes(stop - start)
    return content


def random_stretch(content: bytearray, draw: random.Random) -> bytearray:
    start = draw.randrange(len(content))
    stop = min(len(content), start + draw.choice([4, 64, 600]))
    content[start:stop] = draw.randbytes(stop - start)
    return content


def remove_stretch(content: bytearray, draw: random.Random) -> bytearray:
    start = draw.randrange(len(content))
    del content[start : start + draw.choice([1, 8, 200])]
    return content


def swap_chunks(content: bytearray, draw: random.Random) -> bytearray:
    length = draw.choice([4, 16, 256])
    a, b = sorted(draw.randrange(max(1, len(content) - length)) for _ in range(2))
    content[a : a + length], content[b : b + length] = content[b : b + length], content[a : a + length]
    return content


def lie_in_a_number(content: bytearray, draw: random.Random) -> bytearray:
    start = draw.randrange(max(1, min(len(content) - 4, 1500)))
    value = draw.choice([0, 1, 2**31, 2**32 - 1, 2**16, draw.getrandbits(32)])
    content[start : start + 4] = value.to_bytes(4, draw.choice(["big", "little"]))
    return content


def swap_boxes(content: bytearray, draw: random.Random) -> bytearray:
    """Exchange the names of two boxes or chunks: four letters in a row."""
    places = [i for i in range(0, len(content) - 4) if content[i : i + 4].isalpha()]
    if len(places) > 1:
        a, b = draw.sample(places, 2)
        content[a : a + 4], content[b : b + 4] = content[b : b + 4], content[a : a + 4]
    return content


def all_random(content: bytearray, draw: random.Random) -> bytearray:
    kept = draw.choice([0, 4, 12, 64])
    return content[:kept] + draw.randbytes(draw.randrange(1, 4000))


MUTATIONS = [
    flip_bits, flip_header_bits, cut_short, zero_stretch, random_stretch, remove_stretch, swap_chunks,
    lie_in_a_number, swap_boxes, all_random,
]  # fmt: skip


def mutate(contents: list[bytes], suffixes: list[str], draw: random.Random) -> tuple[bytes, str]:
    """One mutant and its suffix; one in ten has the head of one file and the tail of another."""
    place = draw.randrange(len(contents))
    content = bytearray(contents[place])
    if draw.random() < 0.1:
        other = contents[draw.randrange(len(contents))]
        content = content[: draw.randrange(len(content))] + other[draw.randrange(len(other)) :]
    for _ in range(draw.choice([0, 1, 1, 1, 2, 3])):
        content = draw.choice(MUTATIONS)(content or bytearray(b"x"), draw)
    return bytes(content), suffixes[place]


def write_mutants(bases: list[Path], folder: Path, *, count: int, seed: int) -> Iterator[Path]:
    """Mutant after mutant on the disk, each a function of the seed and its number."""
    contents, suffixes = [path.read_bytes() for path in bases], [path.suffix for path in bases]
    for number in range(count):
        content, suffix = mutate(contents, suffixes, random.Random(f"{seed} {number}"))
        path = folder / f"{number:06d}{suffix}"
        path.write_bytes(content)
        yield path


# ---- the run


def judge(result: Clip | Failure, witness: Witness | Failure) -> str:
    """What promise a result broke, empty where none."""
    if isinstance(result, Failure) or isinstance(witness, Failure):
        return ""
    if result.status == "ok":
        strangers = sum(frame.tobytes() not in witness.sound for frame in result.frames)
        return f"{strangers} frames of a clip called ok are not sound" if strangers else ""
    return CONCEALED if any(frame.tobytes() not in witness.frames for frame in result.frames) else ""


def check_batch(
    paths: list[Path], pools: tuple[DecodePool, FilePool[Video, Witness]], report: Report
) -> list[Path]:
    """Decode and judge some mutants; returns those that broke a promise."""
    videos = [describe_video(path) for path in paths]
    began = time.perf_counter()
    results = list(pools[0].map(videos))
    report.slowest_batch_seconds = max(report.slowest_batch_seconds, time.perf_counter() - began)
    bad = []
    if [result.name for result in results] != [video.name for video in videos]:
        report.offenders.append(f"{paths[0].name}…: results are not one per input in order")
    for path, result, witness in zip(paths, results, pools[1].map(videos), strict=True):
        report.files += 1
        stage = f": {result.stage}" if isinstance(result, Failure) else ""
        report.counts[f"{result.status}{stage}"] += 1
        report.worker_deaths += isinstance(result, Failure) and result.stage == "worker"
        broken = judge(result, witness)
        if broken == CONCEALED:
            report.concealed.append(path.name)
        elif broken:
            report.offenders.append(f"{path.name}: {broken}")
            bad.append(path)
    return bad


def fuzz(folder: Path, *, files: int, seed: int, workers: int, keep: Path | None = None) -> Report:
    """Run so many mutants and report; `folder` holds the files of one batch at a time."""
    report = Report()
    options = PoolOptions(workers, LIMITS.time_limit_seconds, LIMITS.memory_limit_bytes)
    bases = make_bases(folder)
    mutants = write_mutants(bases, folder, count=files, seed=seed)
    witness = FilePool(partial(decode_plainly, SPEC), options=options)
    with DecodePool(SPEC, options=options) as decoder, witness:
        while paths := [path for _, path in zip(range(BATCH), mutants, strict=False)]:
            for path in check_batch(paths, (decoder, witness), report):
                if keep:
                    keep.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, keep)
            for path in paths:
                path.unlink()
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="copy files that break a promise here")
    options = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        report = fuzz(
            Path(folder), files=options.files, seed=options.seed, workers=options.workers, keep=options.keep
        )
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout
    result = {
        "date": datetime.now(UTC).date().isoformat(), "commit": commit.strip(), "machine": platform.platform(),
        "seed": options.seed, "files": report.files, "seconds": round(time.perf_counter() - began, 1),
        "counts": dict(report.counts.most_common()), "worker_deaths": report.worker_deaths,
        "slowest_batch_seconds": round(report.slowest_batch_seconds, 2), "concealed": report.concealed,
        "offenders": report.offenders,
    }  # fmt: skip
    print(json.dumps(result, indent=2))
    sys.exit(bool(report.offenders))


if __name__ == "__main__":
    main()
