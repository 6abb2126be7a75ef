"""How fast clips are read: this project beside scikit-video, ffmpeg, OpenCV, decord2, torchcodec and libav itself.

    python bench/decode/decode_speed.py [--rounds 3] [--seconds 1]

Makes its material once (bench/work/decode_speed), and environments for the peers (peers.py). Every round times every
reader on every file, one after the other, each in a process pinned to one core; the table holds medians over the
rounds so far. Also: one worker against two, a worker's peak memory at 1080p, and files/s of `primatrix scan`.
Writes docs/speed.md and docs/speed.svg after every round, and all figures as JSON in bench/work/decode_speed.json.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import av
import matplotlib
import numpy as np

import peers
from primatrix.footage import scan_folder
from primatrix.records import Clip, ClipSpec
from primatrix.video import DecodePool, PoolOptions, find_videos

HERE = Path(__file__).resolve().parent
WORK, DOCS = HERE.parent / "work" / "decode_speed", HERE.parents[1] / "docs"
LINKS = 2000  # small clips for the pool and for scan
# x264's default preset; 6 Mbit/s (720p) and 12 (1080p) are assumed for a camera trap's own encoder.


@dataclass(frozen=True, slots=True)
class Material:
    """One file to read, how many frames of which size are wanted of it, and the targets: reader -> times faster."""

    name: str
    file: str
    size_px: tuple[int, int]  # width, height
    frames: int
    rate: int
    codec: str
    options: dict[str, str]
    side_px: int
    targets: dict[str, float]


MATERIAL = [
    Material("16x16, 30 frames, MP4", "nano30.mp4", (16, 16), 30, 2, "libx264", {}, 16, {"scikit-video": 30}),
    Material("16x16, 450 frames, MP4", "nano450.mp4", (16, 16), 450, 30, "libx264", {}, 16, {"scikit-video": 30}),
    Material("64x64, 60 s, MP4", "micro.mp4", (64, 64), 1800, 30, "libx264", {}, 64, {"libav, every frame": 1.5}),
    Material("720p, 60 s, groups of 250, B-frames", "720p.mp4", (1280, 720), 1440, 24, "libx264",
             {"b": "6M", "g": "250", "bf": "3", "sc_threshold": "0"}, 64, {"ffmpeg pipe": 2}),
    Material("1080p, 30 s, groups of 30", "1080p.mp4", (1920, 1080), 899, 30, "libx264",
             {"b": "12M", "g": "30", "bf": "2", "sc_threshold": "0"}, 64, {"ffmpeg pipe": 3}),
    Material("MJPEG 640x480, 15 s, AVI", "vga.avi", (640, 480), 450, 30, "mjpeg", {"b": "15M"},
             64, {"ffmpeg pipe": 30}),
    Material("MJPEG 1280x720, 15 s, AVI", "hd.avi", (1280, 720), 450, 30, "mjpeg", {"b": "30M"},
             64, {"ffmpeg pipe": 30}),
]  # fmt: skip
FRAMES = 15
WARM_FILE = "micro.mp4"  # decord2 fails on pictures of 16x16
OURS = ("primatrix", "libav, every frame", "libav, needed pictures")
READERS = (
    *OURS,
    "scikit-video",
    "ffmpeg pipe",
    "OpenCV, in order",
    "OpenCV, seeking",
    "decord2",
    "torchcodec",
)
# A minute of 720p as one grey array of scikit-video's is 11 GB: it is asked for the small clips alone.
SCIKIT_VIDEO_FILES = {"nano30.mp4", "nano450.mp4", "micro.mp4"}


def make_material(material: Material) -> Path:
    """A still scene with grain and something large that moves through it, as a camera on a tree sees it."""
    path = WORK / material.file
    if path.exists():
        return path
    width, height = material.size_px
    draw = np.random.default_rng(0)
    coarse = draw.integers(40, 200, (max(2, height // 8), max(2, width // 8)), np.uint8)
    scene = np.kron(coarse, np.ones((8, 8), np.uint8))[:height, :width]
    grain = draw.integers(0, 24, (height + 64, width), np.uint8)
    format_name = "yuvj420p" if material.codec == "mjpeg" else "yuv420p"
    partial = path.with_name(f"part-{path.name}")
    with av.open(str(partial), "w") as container:
        stream = container.add_stream(material.codec, rate=material.rate, options=material.options)
        stream.width, stream.height, stream.pix_fmt = width, height, format_name
        for i in range(material.frames):
            picture = np.full((height * 3 // 2, width), 128, np.uint8)
            shift = int(draw.integers(64))
            picture[:height] = scene + grain[shift : shift + height]
            left = int((i / material.frames) * width * 3) % width
            picture[height // 4 : height // 2, left : left + width // 4] //= 3
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format=format_name)))
        container.mux(stream.encode(None))
    partial.rename(path)
    return path


def time_once(reader: str, material: Material, seconds: float) -> dict[str, object]:
    """What time_readers.py prints for one reader and file, run in the reader's own environment."""
    if reader == "scikit-video" and material.file not in SCIKIT_VIDEO_FILES:
        return {"absent": "left out untried: it would hold all full-size frames in one array, gigabytes here"}
    if reader in OURS:
        python = Path(sys.executable)
    else:
        python = peers.original_benchmark() if reader == "scikit-video" else peers.decoders()
    command = [
        python, HERE / "time_readers.py", reader, FRAMES, material.side_px, seconds,
        WORK / WARM_FILE, WORK / material.file,
    ]  # fmt: skip
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        return {"absent": done.stderr.strip().splitlines()[-1][:300]}
    return json.loads(done.stdout.splitlines()[-1])


def run_round(raw: dict[tuple[str, str], list[dict[str, object]]], seconds: float) -> None:
    """Time every reader on every file once more."""
    for material in MATERIAL:
        for reader in READERS:
            results = raw.setdefault((material.name, reader), [])
            if not results or "absent" not in results[0]:
                results.append(time_once(reader, material, seconds))


def summarise(raw: dict[tuple[str, str], list[dict[str, object]]]) -> dict[str, dict[str, object]]:
    """file -> reader -> median clips/s, or why there is none."""
    table: dict[str, dict[str, object]] = {material.name: {} for material in MATERIAL}
    for (name, reader), results in raw.items():
        rates = [float(r["clips_per_s"]) for r in results if "clips_per_s" in r]  # type: ignore[arg-type]
        table[name][reader] = statistics.median(rates) if rates else str(results[0]["absent"])
    return table


def make_card() -> Path:
    """A folder of many links to the small clips."""
    card = WORK / "card"
    if not card.exists():
        card.mkdir()
        for i in range(LINKS):
            os.link(WORK / "nano450.mp4", card / f"IMG_{i:05}.MP4")
    return card


def time_pool(workers: int) -> dict[str, float]:
    """A warm pool over the card: clips per second that went by, and what it took of the cores.

    On a shared machine the first says little. `idle` is the part of the time in which a worker had nothing to do: it
    neither ran nor waited for a core.
    """
    videos = find_videos(make_card())
    with DecodePool(ClipSpec(FRAMES, 16, 16), options=PoolOptions(workers=workers)) as pool:
        list(pool.map(videos[: 200 * workers]))
        pids = [worker.process.pid for worker in pool._workers]
        before = [read_schedule(pid) for pid in pids]
        began, parent_began = time.perf_counter(), time.process_time()
        good = sum(isinstance(result, Clip) for result in pool.map(videos))
        assert good == LINKS
        elapsed = time.perf_counter() - began
        ran, waited = np.array([read_schedule(pid) for pid in pids]).sum(0) - np.array(before).sum(0)
        return {
            "clips_per_s": LINKS / elapsed,
            "worker_ms_per_clip": 1000 * float(ran) / LINKS,
            "parent_ms_per_clip": 1000 * (time.process_time() - parent_began) / LINKS,
            "idle": max(0.0, 1 - float(ran + waited) / elapsed / workers),
        }


def read_schedule(pid: int | None) -> list[float]:
    """Seconds that a process has run, and waited for a core (Linux: Documentation/scheduler/sched-stats.rst)."""
    return [
        int(value) / 1e9 for value in Path(f"/proc/{pid}/schedstat").read_text(encoding="utf-8").split()[:2]
    ]


def measure_worker() -> dict[str, object]:
    """Peak memory of a worker that reads 1080p, and whether it holds torch."""
    videos = [video for video in find_videos(WORK) if video.name == "1080p.mp4"]
    with DecodePool(ClipSpec(FRAMES, 64, 64), options=PoolOptions(workers=1)) as pool:
        list(pool.map(videos))
        process = Path(f"/proc/{pool._workers[0].process.pid}")
        peak_kib = int((process / "status").read_text().split("VmHWM:")[1].split()[0])
        return {"peak_mb": peak_kib * 1024 / 1e6, "torch": "torch" in (process / "maps").read_text()}


def time_scan() -> float:
    """Files/s of `primatrix scan` over the card."""
    began = time.perf_counter()
    scan_folder(make_card(), workers=2)
    return LINKS / (time.perf_counter() - began)


def measure(rounds: int, seconds: float) -> Iterator[dict[str, object]]:
    """All that is known after each round."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout
    raw: dict[tuple[str, str], list[dict[str, object]]] = {}
    scaling, scans = [], []
    for done in range(1, rounds + 1):
        scaling.append([time_pool(1), time_pool(2)])
        scans.append(time_scan())
        run_round(raw, seconds)
        yield {
            "date": datetime.now(UTC).date().isoformat(),
            "commit": commit.strip(),
            "machine": f"{os.cpu_count()} cores, {name_processor()}, {platform.system()}",
            "rounds": done,
            "av": av.__version__,
            "clips_per_s": summarise(raw),
            "all_rounds": [[*key, *results] for key, results in raw.items()],
            "one_and_two_workers": scaling,
            "worker": measure_worker(),
            "scan_files_per_s": statistics.median(scans),
        }


def name_processor() -> str:
    lines = (
        Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if Path("/proc/cpuinfo").exists()
        else []
    )
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


# ---- the page


def write_page(result: dict[str, object]) -> None:
    """docs/speed.md: the table, the targets and what else was measured."""
    table: dict[str, dict[str, object]] = result["clips_per_s"]  # type: ignore[assignment]
    lines = [
        "# How fast clips are read",
        "",
        f"Clips per second of one core's time: {FRAMES} grey frames of each file, spread evenly, resized. Processor",
        "time of the reader and the programs it runs, since the machine is shared; files are in the system's cache.",
        "",
        f"{result['date']}, commit {result['commit']}, {result['machine']}, PyAV {result['av']}; medians of "
        f"{result['rounds']} interleaved rounds by `bench/decode/decode_speed.py`.",
        "",
        f"| file | {' | '.join(READERS)} |",
        f"|---|{'---:|' * len(READERS)}",
    ]
    absent: dict[tuple[str, str], list[str]] = {}
    for name, rates in table.items():
        cells = []
        for reader in READERS:
            value = rates[reader]
            cells.append(f"{value:.3g}" if isinstance(value, float) else "-")
            if isinstance(value, str):
                reason = value.partition("] ")[2] or value  # without the time of day
                absent.setdefault((reader, reason), []).append(name)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "| file | times faster than | wanted | measured |", "|---|---|---:|---:|"]
    for material in MATERIAL:
        for reader, wanted in material.targets.items():
            ours, theirs = table[material.name]["primatrix"], table[material.name][reader]
            got = f"{ours / theirs:.1f}" if isinstance(ours, float) and isinstance(theirs, float) else "-"
            lines.append(f"| {material.name} | {reader} | {wanted:g} | {got} |")
    lines += [
        "",
        describe_scaling(result["one_and_two_workers"]),  # type: ignore[arg-type]
        "",
        describe_worker(result["worker"], float(result["scan_files_per_s"])),  # type: ignore[arg-type]
        "",
        "![Clips per second, one core](speed.svg)",
        "",
        "Readers that cannot choose frames read all of them. `libav, every frame` only decodes: no frame is chosen,",
        "resized or copied. `libav, needed pictures` is the limit of any exact reader built on libav: it decodes, from",
        "packets read beforehand, the wanted pictures and those they may lean on, and does nothing with them.",
        "Not measured:",
        "",
        *(f"* {reader} ({'; '.join(names)}): {why}" for (reader, why), names in absent.items()),
    ]
    DOCS.mkdir(exist_ok=True)
    (DOCS / "speed.md").write_text("\n".join(lines) + "\n")


def describe_scaling(pairs: list[list[dict[str, float]]]) -> str:
    """One worker against two: the clock's answer, and what two free cores would give by the processor time taken."""
    clock = sorted(two["clips_per_s"] / one["clips_per_s"] for one, two in pairs)
    alone = statistics.median(one["worker_ms_per_clip"] for one, _ in pairs)
    beside, parent, idle = (
        statistics.median(two[key] for _, two in pairs)
        for key in ("worker_ms_per_clip", "parent_ms_per_clip", "idle")
    )
    return (
        f"One worker process against two, 16x16 clips of 450 frames, {len(pairs)} rounds: by the clock, on two cores "
        f"shared with other work, {clock[0]:.2f} to {clock[-1]:.2f} times as many clips/s (median "
        f"{statistics.median(clock):.2f}). A clip took {alone:.2f} ms of a core in a lone worker, {beside:.2f} in one "
        f"of two and {parent:.3f} in their parent, and one of two had nothing to do {100 * idle:.1f} % of the time: by "
        f"that, two free cores give {2 * (1 - idle) * alone / (beside + parent):.2f} times as many."
    )


def describe_worker(worker: dict[str, object], files_per_s: float) -> str:
    return (
        f"A worker that reads 1080p takes {worker['peak_mb']:.0f} MB at most "
        f"{'and holds torch' if worker['torch'] else 'and does not load torch'}. `primatrix scan` looks at "
        f"{files_per_s:.0f} of these files per second on two cores."
    )


def draw_figure(result: dict[str, object]) -> None:
    """docs/speed.svg: a group of bars for each file, clips/s on a logarithmic scale."""
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "primatrix"
    from matplotlib import pyplot

    table: dict[str, dict[str, object]] = result["clips_per_s"]  # type: ignore[assignment]
    figure, axes = pyplot.subplots(figsize=(9, 7.5), layout="constrained")
    thickness = 0.8 / len(READERS)
    greys = pyplot.get_cmap("Greys")(np.linspace(0.35, 0.8, len(READERS) - 1))
    for number, reader in enumerate(READERS):
        rates = [table[m.name][reader] for m in MATERIAL]
        values = [rate if isinstance(rate, float) else np.nan for rate in rates]
        places = np.arange(len(MATERIAL)) + (number - len(READERS) / 2 + 0.5) * thickness
        colour = "#d95f02" if number == 0 else greys[number - 1]
        bars = axes.barh(places, values, thickness, color=colour, label=reader)
        labels = [f"{value:.3g}" if np.isfinite(value) else "" for value in values]
        axes.bar_label(bars, labels, padding=2, fontsize=6)
    axes.set_yticks(range(len(MATERIAL)), [material.name for material in MATERIAL])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("clips per second on one core (logarithmic)")
    axes.set_title(f"{FRAMES} frames of a clip, from file to array ({result['date']})")
    axes.legend(fontsize=8, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(DOCS / "speed.svg", metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="per reader and file, at least")
    parser.add_argument("--only-material", action="store_true", help="make the files and stop")
    parser.add_argument(
        "--only-pool", action="store_true", help="measure one worker against two anew, keep the rest"
    )
    options = parser.parse_args()
    if shutil.which("ffmpeg") is None:
        sys.exit("the ffmpeg program is missing: apt-get install ffmpeg")
    WORK.mkdir(parents=True, exist_ok=True)
    for material in MATERIAL:
        make_material(material)
    if options.only_material:
        return
    kept = WORK.with_suffix(".json")
    if options.only_pool:
        pairs = [[time_pool(1), time_pool(2)] for _ in range(options.rounds)]
        results = iter([{**json.loads(kept.read_text()), "one_and_two_workers": pairs}])
    else:
        results = measure(options.rounds, options.seconds)
    for result in results:
        kept.write_text(json.dumps(result, indent=2) + "\n")
        write_page(result)
        draw_figure(result)
    print(json.dumps(result["clips_per_s"], indent=2))


if __name__ == "__main__":
    main()
