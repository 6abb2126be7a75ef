"""Peak memory of writing, exporting and reporting results, with the probabilities of single frames and without.

    python bench/scale/frames_memory.py [--clips 4000,16000,64000] [--predict 1000,4000] [--work FOLDER]

Made-up answers (24 species, 15 frames a clip) are kept on disk as `predict` keeps a model's, 256 clips in a part; then
each step runs in a process of its own: `write` is all that `predict` does after its last video, `export` is for
MegaDetector, `report` without pictures. --predict runs the whole of `predict` on links to 50 simulated nano clips with
an untrained `lrcn`, decoding in the same process. Prints the most memory each process had (Linux only).
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from primatrix.disk import Answers
from primatrix.labels import BENCHMARK_SPECIES
from primatrix.records import Video
from primatrix.tagging import (
    Answer,
    TagSpec,
    find_places,
    gather_results,
    list_frames,
    pack_answers,
    unpack_answers,
)
from primatrix.video import cut_chunks

WORK = Path(__file__).resolve().parents[1] / "work" / "frames_memory"
STEPS = ("make", "write", "export", "report", "predict")
KINDS, FRAMES_PER_CLIP, CLIPS_PER_PART = 50, 15, 256
FEW_ANIMALS = -4.0  # of every logit: most windows are looked at once, as in real footage
FACTS = {"duration_seconds": 15.0, "frame_rate": 2.0, "frame_count": 30, "width_px": 16, "height_px": 16,
         "codec": "h264", "recorded": "", "is_still": False}  # fmt: skip


def list_parts(clips: int) -> list[list[Video]]:
    """Videos that are not there, as many as CLIPS_PER_PART in a list."""
    names = [f"{i // 100:04d}/{i % 100:02d}.mp4" for i in range(clips)]
    return list(
        cut_chunks([Video(Path(name), name, 1, 0) for name in names], most=CLIPS_PER_PART, most_bytes=1 << 40)
    )


def identify(part: list[Video]) -> list[str]:
    return [video.stamp.hex() for video in part]


def make_answers(answers: Answers, clips: int) -> None:
    """Keep made-up answers: probabilities of 0 to 1, mostly small."""
    rng, species = np.random.default_rng(5), len(BENCHMARK_SPECIES)
    for part in list_parts(clips):
        chances = rng.beta(0.1, 3, (len(part), FRAMES_PER_CLIP, species)).astype(np.float32)
        seconds = np.arange(FRAMES_PER_CLIP) + 0.5
        found = [
            Answer("ok", facts=FACTS, clip=one.max(axis=0), pts_seconds=seconds, frames=one)
            for one in chances
        ]
        answers.write_arrays(identify(part), pack_answers(found, species_count=species))


def write_results(answers: Answers, out: Path, *, clips: int, frames: bool) -> None:
    """As `predict_folder` ends."""
    parts = list_parts(clips)
    videos = [video for part in parts for video in part]

    def read_chunks() -> Iterator[list[Answer]]:
        return (unpack_answers(answers.read_arrays(identify(part)) or {}) for part in parts)

    spec = TagSpec(per_frame=frames)
    species = list(BENCHMARK_SPECIES)
    facts = {"species": species, "model": "made up", "thresholds": dict.fromkeys(species, 0.5)}
    results = gather_results(videos, read_chunks, spec, places=find_places(videos, spec), facts=facts)
    results.write(out, frames=list_frames(videos, read_chunks(), species=species) if frames else None)


def predict(work: Path, out: Path, *, clips: int, frames: bool) -> None:
    """The whole of it on links to simulated clips."""
    import primatrix as pm
    from primatrix.tagging import predict_folder

    predict_folder(link_clips(work, clips), pm.load_model(work / "model"), out, spec=TagSpec(per_frame=frames),
                   device="cpu", workers=0)  # fmt: skip


def make_material(work: Path) -> None:
    """The clips to link to and the model."""
    import primatrix as pm
    from primatrix.simulation import SimulationSpec, simulate

    simulate(work / "data", spec=SimulationSpec(train_clips=KINDS, test_clips=0), sizes=("nano",))
    spec = pm.ClipSpec(FRAMES_PER_CLIP, 16, 16)
    model = pm.build_model("lrcn", species=list(BENCHMARK_SPECIES), spec=spec)
    model.network.state_dict()["head.bias"].fill_(FEW_ANIMALS)
    model.save(work / "model")


def link_clips(work: Path, clips: int) -> Path:
    """A folder of `clips` names for the simulated clips, a hundred in a folder."""
    paths, folder = sorted((work / "data" / "nano").glob("*.mp4")), work / f"clips{clips}"
    for i, name in enumerate(video.name for part in list_parts(clips) for video in part):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if not (folder / name).exists():
            os.link(paths[i % len(paths)], folder / name)
    return folder


def run_step(step: str, work: Path, *, clips: int, frames: bool) -> None:
    """One step in this process; prints the most memory it had."""
    out, answers = work / f"out{clips}", Answers(work / f"answers{clips}", made_by="nobody")
    if step == "make":
        make_answers(answers, clips)
    elif step == "write":
        write_results(answers, out, clips=clips, frames=frames)
    elif step == "predict":
        predict(work, out, clips=clips, frames=frames)
    elif step == "export":
        from primatrix.interchange import export_results

        export_results(out, "megadetector", out.with_suffix(".json"))
    else:
        from primatrix.report import ReportSpec, write_report

        write_report(out, out.with_suffix(".html"), spec=ReportSpec(strips=0, workers=0))
    print(read_peak())


def read_peak() -> float:
    """MiB at most of this process; getrusage would count what its parent had before, too."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measure(step: str, work: Path, *, clips: int, frames: bool) -> float:
    """MiB at most of a step in a process of its own."""
    words = [sys.executable, __file__, "--step", step, "--work", str(work), "--clips", str(clips)]
    done = subprocess.run([*words, *(["--frames"] if frames else [])], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{step}: {done.stderr}")
    return float(done.stdout.splitlines()[-1])


def print_row(steps: tuple[str, ...], work: Path, *, clips: int) -> None:
    """Without frames first, then with, step by step."""
    peaks = []
    for frames in (False, True):
        peaks.append([measure(step, work, clips=clips, frames=frames) for step in steps])
        shutil.rmtree(work / f"out{clips}")
    cells = [f"{without:.0f} / {with_frames:.0f}" for without, with_frames in zip(*peaks, strict=True)]
    print(f"| {clips:,} | {clips * FRAMES_PER_CLIP:,} | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", default="4000,16000,64000")
    parser.add_argument("--predict", default="")
    parser.add_argument("--work", type=Path, default=WORK)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--frames", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        run_step(options.step, options.work, clips=int(options.clips), frames=options.frames)
        return
    say = partial(print, "| clips | rows of frames |")
    steps = ("write", "export", "report")
    say(" | ".join(f"{step}, MiB without / with" for step in steps), "|")
    for clips in map(int, filter(None, options.clips.split(","))):
        measure("make", options.work, clips=clips, frames=True)
        print_row(steps, options.work, clips=clips)
        shutil.rmtree(options.work / f"answers{clips}")
    if options.predict:
        make_material(options.work)
        say("predict, MiB without / with |")
        for clips in map(int, options.predict.split(",")):
            print_row(("predict",), options.work, clips=clips)
            shutil.rmtree(options.work / f"clips{clips}")


if __name__ == "__main__":
    main()
