"""The ladder: every model trained for the same time on the same clips, scored on cameras it has never seen.

    python bench/learn/ladder.py [--data DIR] [--core-minutes 120] [--threads 2] [--only conv3d motion] [--table]
    python bench/learn/ladder.py --device cuda --minutes 3 [--steps-of OTHER_OUT] [...]

Simulates 6,000 training and 2,000 test clips (nano and micro) with a third of the cameras kept for testing,
keeps a sixth of the training cameras for validation, and gives each model the same processor time for
training: core-minutes of its process as the system counts them, since the machine may be shared. Steps are
chosen from a pilot run, so that a falling learning rate reaches its end just as the time is over; validation takes
a twentieth of it. Each rung runs in a process of its own, its results are kept, and the same command goes on where it
was stopped. On a GPU the time is minutes by the clock, so nothing else may use it. With `--steps-of` rungs take the
steps that they took in another folder, whatever time these take. The last row averages the probabilities of the seeds
of `motion` that are done, each trained for all of it.
"""

import argparse
import dataclasses
import json
import math
import os
import resource
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

import primatrix as pm
from primatrix.choices import Device
from primatrix.disk import write_table
from primatrix.progress import ProgressDisplay
from primatrix.tagging import predict_to_file
from primatrix.trust import score_predictions

WORK = Path(__file__).resolve().parents[1] / "work" / "ladder"
NANO, MICRO = pm.ClipSpec(15, 16, 16), pm.ClipSpec(15, 64, 64)
COLOUR = pm.ClipSpec(30, 64, 64, "rgb")


@dataclass(frozen=True)
class Rung:
    """One model of the ladder."""

    architecture: str
    size: pm.records.DatasetType
    spec: pm.ClipSpec
    batch_size: int = 32
    options: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    validations: int = 12  # at most
    pilot_steps: tuple[int, int] = (8, 32)  # the first are not counted: buffers are made, kernels are chosen
    seed: int = 0


SCALED = {"input_scale": 1 / 255}  # as published, unscaled, LRCN learns next to nothing (lrcn.md)
SHARE_VALIDATING = 0.05
GPU_PILOT_STEPS = (20, 120)
COUNTED = {"cpu": "core_minutes", "cuda": "gpu_minutes"}
# LRCN knows its clips by heart long before the time is over: it is looked at often, and stopped.
SOON_LEARNT: dict[str, Any] = {
    "options": SCALED, "settings": {"schedule": "cosine", "patience": 4}, "validations": 48,
}  # fmt: skip
# Long enough to know its clips by heart as well: a wider network, and clips changed more than is recommended.
LONG: dict[str, Any] = {
    "options": {"width": 32, "dropout": 0.3},
    "settings": {
        "augmentation": {"paste": 0.5, "crop": 0.35, "brightness": 0.15, "contrast": 0.3, "gamma": 0.3}
    },
}
# At the rate that the figures in ladder.md are of; conv3d's own is a tenth of it.
DIFFERENCE: dict[str, Any] = {
    "options": {"views_per_axis": 1, "difference": True}, "settings": {"learning_rate": 1e-3},
}  # fmt: skip
RUNGS = {
    "lrcn on nano": Rung("lrcn", "nano", NANO, **SOON_LEARNT),
    # 45 million parameters, 16 core-seconds a step: two steps tell how long it takes.
    "lrcn on micro": Rung("lrcn", "micro", MICRO, **SOON_LEARNT | {"validations": 3, "pilot_steps": (1, 3)}),
    # One view in place of 27, which take 27 times as long: what they are worth stands in conv3d.md.
    "conv3d": Rung("conv3d", "micro", COLOUR, options={"views_per_axis": 1}),
    # Not the published network: one that learns sooner, see conv3d.md.
    "conv3d, difference": Rung("conv3d", "micro", COLOUR, **DIFFERENCE),
    "motion": Rung("motion", "micro", COLOUR, **LONG),
    "motion, seed 1": Rung("motion", "micro", COLOUR, seed=1, **LONG),
    "motion, seed 2": Rung("motion", "micro", COLOUR, seed=2, **LONG),
}
TOGETHER = [name for name in RUNGS if name.startswith("motion")]


def prepare(data: Path, *, seed: int) -> None:
    """The simulated clips, training and test clips each in a folder, and a label file with sites; made once."""
    spec = pm.SimulationSpec(train_clips=6000, test_clips=2000, seed=seed, test_sites="new")
    with ProgressDisplay() as display:
        pm.simulate(data, spec=spec, sizes=("nano", "micro"), on_progress=display.on_progress)
    labels = pd.read_csv(data / "train_labels.csv", index_col="filename")
    sites = pd.read_csv(data / "deployments.csv", index_col="filename")["site"]
    cells = labels.melt(var_name="label", value_name="shown", ignore_index=False).reset_index(
        names="filepath"
    )
    long = cells.loc[cells["shown"] > 0, ["filepath", "label"]]
    long["site"] = sites.loc[long["filepath"]].to_numpy()
    write_table(long.set_index("filepath"), data / "ladder_labels.csv")
    for size in ("nano", "micro"):
        for part, table in (
            ("train", labels.index),
            ("test", pd.read_csv(data / "test_labels.csv")["filename"]),
        ):
            folder = data / "parts" / size / part
            folder.mkdir(parents=True, exist_ok=True)
            for name in set(table) - {path.name for path in folder.iterdir()}:
                os.link(data / size / name, folder / name)


def choose_held_out(labels: Path) -> list[str]:
    """Every sixth training camera validates."""
    return sorted(pd.read_csv(labels)["site"].unique())[::6]


def open_data(rung: Rung, data: Path) -> pm.Dataset:
    labels = data / "ladder_labels.csv"
    return pm.Dataset.from_folder(
        data / "parts" / rung.size / "train", rung.spec, labels=labels, species=pm.BENCHMARK_SPECIES,
        held_out_sites=choose_held_out(labels), batch_size=rung.batch_size,    )  # fmt: skip


def open_test(rung: Rung, data: Path) -> pm.Dataset:
    return pm.Dataset.from_folder(
        data / "parts" / rung.size / "test", rung.spec, species=pm.BENCHMARK_SPECIES
    )


def predict_validation(model: pm.Model, data: pm.Dataset, *, device: Device) -> pd.DataFrame:
    """Probabilities of the held-out cameras' clips, which calibration is fitted on."""
    batches = (next(data.val_batches())[0] for _ in range(data.num_val_batches))
    data.seek_val(0)
    probabilities = np.concatenate(list(pm.predict_batches(model, batches, device=device)))
    names = pd.Index(data.y_val.index, name="filename")
    return pd.DataFrame(probabilities, index=names, columns=data.class_names)


def count_seconds(device: Device) -> float:
    """Processor seconds of this process so far, all threads; on a GPU seconds by the clock, its work done."""
    if device == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def measure_step(rung: Rung, data: pm.Dataset, *, device: Device) -> tuple[float, float]:
    """Seconds of a training step and of a validation pass, from a pilot run that is thrown away."""
    seconds = []
    pilot_steps = rung.pilot_steps if device == "cpu" else GPU_PILOT_STEPS
    for steps in pilot_steps:
        model = build(rung, data)
        began = count_seconds(device)
        pilot = recipe(rung, epochs=1, steps_per_epoch=steps, validation_steps=0, device=device)
        pm.train(model, data, spec=dataclasses.replace(pilot, patience=None))
        seconds.append(count_seconds(device) - began)
    step = (seconds[1] - seconds[0]) / (pilot_steps[1] - pilot_steps[0])
    seconds = []
    for batches in (2, 6):  # the network is moved and kernels are chosen in both
        began = count_seconds(device)
        list(pm.predict_batches(model, (next(data.val_batches())[0] for _ in range(batches)), device=device))
        seconds.append(count_seconds(device) - began)
    return step, (seconds[1] - seconds[0]) / 4 * data.num_val_batches


def recipe(rung: Rung, **plan: Any) -> pm.TrainSpec:
    return pm.TrainSpec.for_model(rung.architecture, seed=rung.seed, **rung.settings, **plan)


def build(rung: Rung, data: pm.Dataset) -> pm.Model:
    return pm.build_model(
        rung.architecture, species=data.class_names, spec=rung.spec, seed=rung.seed, **rung.options
    )


def peak_gib(device: Device) -> float:
    """The most memory this process has had, or has had of the GPU."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def climb(name: str, *, data_folder: Path, out: Path, minutes: float, device: Device) -> None:
    """Train one rung for its time, predict all clips, write what came out."""
    rung = RUNGS[name]
    out.mkdir(parents=True, exist_ok=True)
    with closing(open_data(rung, data_folder)) as data, ProgressDisplay() as display:
        data.pack(on_progress=display.on_progress)
        plan = plan_training(rung, data, out=out, minutes=minutes, device=device)
        model = build(rung, data)
        began, began_counted = time.perf_counter(), count_seconds(device)
        history = pm.train(
            model, data, spec=recipe(rung, keep="best", device=device, **plan), folder=out / "model",
            on_progress=display.on_progress,
        )  # fmt: skip
        trained, counted = time.perf_counter() - began, count_seconds(device) - began_counted
        write_table(predict_validation(model, data, device=device), out / "validation.csv")
    with closing(open_test(rung, data_folder)) as test, ProgressDisplay() as display:
        test.pack(on_progress=display.on_progress)
        result = predict_to_file(
            model, test, out / "predictions.csv", device=device, on_progress=display.on_progress
        )
    facts = {
        COUNTED[device]: counted / 60, "minutes": trained / 60, **plan, "parameters": count(model),
        "epochs_seen": len(history.epochs) * plan["steps_per_epoch"] * rung.batch_size / data.num_samples,
        "val_loss": min(epoch.val_loss for epoch in history.epochs),
        "train_clips_per_second": float(np.median([epoch.clips_per_second for epoch in history.epochs])),
        "predict_clips_per_second": len(result.table) / result.seconds,
        "memory_gib": peak_gib(device),
    }  # fmt: skip
    (out / "facts.json").write_text(json.dumps(facts, indent=2))


def count(model: pm.Model) -> int:
    return sum(p.numel() for p in model.network.parameters())


def plan_training(
    rung: Rung, data: pm.Dataset, *, out: Path, minutes: float, device: Device
) -> dict[str, int]:
    """Epochs and steps that take the time; kept, so that a run taken up again is the same run."""
    path = out / "plan.json"
    if not path.exists():
        step, validation = measure_step(rung, data, device=device)
        wanted = minutes * 60
        epochs = min(rung.validations, max(1, round(SHARE_VALIDATING * wanted / validation)))
        steps = max(1, math.floor((wanted / epochs - validation) / step))
        path.write_text(json.dumps({"epochs": epochs, "steps_per_epoch": steps}))
    plan: dict[str, int] = json.loads(path.read_text())
    return plan


def take_plan(there: Path, here: Path) -> None:
    """Have a rung take the steps of another one."""
    here.mkdir(parents=True, exist_ok=True)
    if not (here / "plan.json").exists():
        (here / "plan.json").write_text((there / "plan.json").read_text())


def show_table(data: Path, out: Path) -> None:
    """Scores of the rungs that are done, on the test cameras."""
    truth = pd.read_csv(data / "test_labels.csv", index_col="filename")
    frequencies = pm.class_frequencies(pd.read_csv(data / "train_labels.csv", index_col="filename"))
    answers, rows = {}, {}
    for name in RUNGS:
        folder = place(out, name)
        if (folder / "facts.json").exists():
            rows[name] = json.loads((folder / "facts.json").read_text())
            answers[name] = pd.read_csv(folder / "predictions.csv", index_col="filepath").drop(
                columns="status"
            )
    together = [answers[name] for name in TOGETHER if name in answers]
    if len(together) > 1:
        rows["motion ensemble"] = {}
        answers["motion ensemble"] = sum(together[1:], start=together[0]) / len(together)
        write_table(answers["motion ensemble"], out / "ensemble.csv")
    table = []
    for name, answer in answers.items():
        scores = score_predictions(truth, answer, frequencies=frequencies)
        if not table:
            table.append({"model": "constant", "log loss": scores.constant, "of constant": 1.0})
        ratio = scores.model / scores.constant
        table.append({"model": name, "log loss": scores.model, "of constant": ratio, **rows[name]})
    print(pd.DataFrame(table).set_index("model").to_string(float_format=lambda value: f"{value:.4g}"))


def place(out: Path, name: str) -> Path:
    """The folder of a rung."""
    return out / name.replace(",", "").replace(" ", "-")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=WORK / "data")
    parser.add_argument("--out", type=Path, default=WORK)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--core-minutes", "--minutes", type=float, default=120, dest="minutes",
                        help="for training each model: of processor time, or of a GPU by the clock")  # fmt: skip
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--steps-of", type=Path, help="the --out of a ladder whose steps are to be taken")
    parser.add_argument("--threads", type=int, default=0, help="of torch; by default one per core")
    parser.add_argument("--only", nargs="*", choices=list(RUNGS), default=list(RUNGS))
    parser.add_argument("--table", action="store_true", help="only show what is there")
    parser.add_argument("--rung", choices=list(RUNGS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.rung:
        folder = place(options.out, options.rung)
        device = options.device
        return climb(
            options.rung, data_folder=options.data, out=folder, minutes=options.minutes, device=device
        )
    if not options.table:
        prepare(options.data, seed=options.seed)
        for name in options.only:
            if options.steps_of is not None:
                take_plan(place(options.steps_of, name), place(options.out, name))
            if not (place(options.out, name) / "facts.json").exists():
                subprocess.run([sys.executable, __file__, *sys.argv[1:], "--rung", name], check=True)
    show_table(options.data, options.out)
    return None


if __name__ == "__main__":
    main()
