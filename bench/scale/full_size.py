"""The benchmark at its real size: 204,130 + 87,485 nano clips, from MP4 files to a scored submission.

    python bench/scale/full_size.py [--data bench/work/full_size]

Simulates the clips once (half an hour on 2 cores) and uses them again after. Then, with an empty store: train
2 epochs x 500 steps x 32 clips with 30 validation steps, predict all test clips, write the submission and
score it beside the constant. Packing is part of both: a clip is decoded when it is first wanted. In the same run,
the same job as the published walk-through did it (scikit-video, Keras 3) on 500 of the clips, before and after.
Prints a table, and the same as JSON in bench/work/full_size.json.
"""

import argparse
import json
import platform
import shutil
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psutil

import primatrix as pm
from primatrix.labels import TEST_CLIPS, TRAIN_CLIPS
from primatrix.progress import ProgressDisplay
from primatrix.simulation import SimulationSpec, simulate
from primatrix.tagging import predict_to_file
from primatrix.trust import score_files

sys.path.append(str(Path(__file__).resolve().parents[1] / "decode"))
import peers

HERE = Path(__file__).resolve().parent
WORK = HERE.parent / "work"
EPOCHS, STEPS, BATCH, VALIDATION_STEPS = 2, 500, 32, 30
ORIGINAL_CLIPS, ORIGINAL_HOURS = 500, 4.6


class PeakMemory:
    """Highest sum of the private memory (USS) of this process and its children, sampled twice a second."""

    def __init__(self) -> None:
        self.bytes = 0
        self._stop = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._stop.wait(0.5):
            total = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    total += process.memory_full_info().uss
                except psutil.Error:
                    continue
            self.bytes = max(self.bytes, total)


def run_original(data: Path, names: list[str]) -> dict[str, float]:
    """Clips/s of the walk-through's way on these clips, on both cores."""
    paths = "\n".join(str(data / "nano" / name) for name in names)
    command = [peers.original_benchmark(), HERE / "original_benchmark.py"]
    done = subprocess.run(command, input=paths, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def time_prediction(
    model: pm.Model, data: pm.Dataset, path: Path, display: ProgressDisplay
) -> dict[str, float]:
    """Predict every test clip from its file; seconds in all and clips/s over each tenth of the job."""
    marks = [(0, time.perf_counter())]

    def on_progress(progress: object) -> None:
        if progress.stage == "predict":
            marks.append((progress.done, time.perf_counter()))
        display.on_progress(progress)

    run = predict_to_file(model, data, path, on_progress=on_progress)
    tenth = max(1, (len(marks) - 1) // 10)
    rates = [(b[0] - a[0]) / (b[1] - a[1]) for a, b in zip(marks[::tenth], marks[tenth::tenth], strict=False)]
    first = next(i for i, (done, _) in enumerate(marks) if done >= 1000)
    return {
        "seconds": run.seconds,
        "clips_per_s": len(run.table) / run.seconds,
        "first_1000_clips_per_s": marks[first][0] / (marks[first][1] - marks[0][1]),
        "slowest_tenth_clips_per_s": min(rates),
        "fastest_tenth_clips_per_s": max(rates),
        "failed": len(run.failures),
    }


def measure(folder: Path, *, original: bool) -> dict[str, object]:
    spec = SimulationSpec(train_clips=TRAIN_CLIPS, test_clips=TEST_CLIPS, seed=0)
    result: dict[str, object] = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True
        ).stdout.strip(),
        "machine": f"{psutil.cpu_count()} cores, {psutil.virtual_memory().total >> 30} GiB, {platform.machine()}",
    }
    run_folder, store = folder / "run", folder / "store"
    for old in (run_folder, store):
        shutil.rmtree(old, ignore_errors=True)
    with ProgressDisplay() as display:
        simulate(folder, spec=spec, on_progress=display.on_progress)
        names = sorted(pm.read_labels(folder / "train_labels.csv").table.index)[: ORIGINAL_CLIPS + BATCH]
        rounds = [run_original(folder, names)] if original else []
        memory, began = PeakMemory(), time.perf_counter()
        data = pm.Dataset(folder, "nano", batch_size=BATCH, store=store)
        opened = time.perf_counter()
        model = pm.build_model("lrcn", species=data.class_names, spec=data.spec)
        with closing(data):
            history = pm.train(model, data, epochs=EPOCHS, steps_per_epoch=STEPS, validation_steps=VALIDATION_STEPS,
                               folder=run_folder, on_progress=display.on_progress)  # fmt: skip
            trained = time.perf_counter()
            prediction = time_prediction(model, data, run_folder / "submission.csv", display)
        scores = score_files(folder / "test_labels.csv", run_folder / "submission.csv",
                             train_labels=folder / "train_labels.csv")  # fmt: skip
        ended = time.perf_counter()
        if original:
            rounds.append(run_original(folder, names))
    result |= {
        "seconds": ended - began,
        "open_seconds": opened - began,
        "train_seconds": trained - opened,
        "losses": history.history,
        "prediction": prediction,
        "peak_memory_gib": memory.bytes / 2**30,
        "aggregated_log_loss": scores.model,
        "constant": scores.constant,
        "original": rounds,
    }
    if rounds:
        result["original_hours_for_the_same_job"] = extrapolate(rounds)
        result["times_faster"] = extrapolate(rounds) * 3600 / (ended - began)
    return result


def extrapolate(rounds: list[dict[str, float]]) -> float:
    """Hours the walk-through's way would take for the whole job at the mean of its measured rates."""
    rate = {k: sum(r[k] for r in rounds) / len(rounds) for k in rounds[0]}
    trained = EPOCHS * STEPS * BATCH
    read = trained + TEST_CLIPS + EPOCHS * VALIDATION_STEPS * BATCH
    predicted = TEST_CLIPS + EPOCHS * VALIDATION_STEPS * BATCH
    seconds = read / rate["read_clips_per_s"] + trained / rate["train_clips_per_s"]
    return (seconds + predicted / rate["predict_clips_per_s"]) / 3600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=WORK / "full_size")
    parser.add_argument("--no-original", action="store_true", help="leave out scikit-video and Keras")
    options = parser.parse_args()
    result = measure(options.data, original=not options.no_original)
    text = json.dumps(result, indent=2)
    (WORK / "full_size.json").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
