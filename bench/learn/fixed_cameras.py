"""Real events in front of fixed cameras, each camera predicted by a model that has never seen it.

    python bench/learn/fixed_cameras.py [--data FOLDER] [--model motion] [--size 96x128] [--frames 16]
        [--epochs 20] [--seeds 3] [--option NAME JSON ...] [--setting NAME JSON ...] [--floor-only]

For each camera (site) of labels.csv a model is trained on the others, for as many epochs as asked, and predicts this
one; the answers of all cameras are put together and scored: macro-F1 of the most probable class, probabilities
divided by how often each class was trained on, where classes were not drawn evenly anyway. The floor is computed in
the same run: mean and spread over time as grey thumbnails, 50 principal components, logistic regression.
"""

import argparse
import json
import os
import time
from contextlib import closing
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import classification_report, confusion_matrix, f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import primatrix as pm
from primatrix.interchange import read_labels
from primatrix.models import predict_batches
from primatrix.training import TrainSpec

HERE = Path(__file__).resolve().parent
WORK = HERE.parent / "work" / "fixed_cameras"
THUMBNAIL = (12, 16)  # pixels high and wide
COMPONENTS = 50
# What stands in the scene counts, not an animal: the place is all that `motion` sees, turned, zoomed and shifted as
# other cameras might have it; classes are drawn nearly evenly. `--option` and `--setting` change single ones.
OPTIONS: dict[str, dict[str, Any]] = {"motion": {"width": 24, "place": True, "view": "none"}}
SETTINGS: dict[str, dict[str, Any]] = {
    "motion": {
        "ema": 0.98, "sampling": {"threshold": 1.0, "power": 0.85, "most": 100},
        "augmentation": {
            "flip": 0, "crop": 0, "rotate": 9, "zoom": 0.35, "shift": 0.1, "brightness": 0.2, "contrast": 0.4,
            "gamma": 0.4, "grey": 0.3,
        },
    }
}  # fmt: skip


def open_fold(folder: Path, *, camera: str, spec: pm.ClipSpec, batch: int, seed: int) -> pm.Dataset:
    """All clips, those of one camera held out."""
    return pm.Dataset.from_folder(
        folder, spec, labels=folder / "labels.csv", held_out_sites=[camera], batch_size=batch, seed=seed,
        store=WORK / "store",
    )  # fmt: skip


def read_clips(data: pm.Dataset, names: np.ndarray) -> np.ndarray:
    data._loader.prepare(list(names))
    return data._loader.read(list(names))


def predict_floor(data: pm.Dataset) -> np.ndarray:
    """Probabilities (N, S) of the held-out clips by the floor."""
    parts = []
    for names in (data.X_train, data.X_val):
        grey = torch.from_numpy(read_clips(data, names)).float().mean(-1)  # (N, T, H, W)
        pictures = torch.stack([grey.mean(1), grey.std(1)], 1)
        parts.append(F.interpolate(pictures, THUMBNAIL, mode="area").flatten(1).numpy())
    classes = data.y_train.to_numpy().argmax(1)
    count = min(COMPONENTS, len(classes) - 1)
    regression = LogisticRegression(max_iter=2000)
    floor = make_pipeline(StandardScaler(), PCA(count, random_state=0), regression).fit(parts[0], classes)
    p = np.zeros((len(parts[1]), data.num_classes))
    p[:, regression.classes_] = floor.predict_proba(parts[1])
    return p


def predict_model(data: pm.Dataset, *, options: argparse.Namespace, seed: int) -> np.ndarray:
    """What a model trained on the other cameras answers for the held-out clips, (N, S)."""
    model = pm.build_model(
        options.model, species=data.class_names, spec=data.spec, seed=seed,
        **OPTIONS.get(options.model, {}) | read_values(options.option),
    )  # fmt: skip
    settings: dict[str, Any] = {"validation_steps": 0, "keep": "last", "epochs": options.epochs, "seed": seed}
    settings |= SETTINGS.get(options.model, {}) | read_values(options.setting)
    spec = TrainSpec.for_model(options.model, **settings)
    history = pm.train(model, data, spec=spec)
    print(f"  {history.summary().splitlines()[-1]}", flush=True)
    [p] = predict_batches(model, [read_clips(data, data.X_val)])
    return p if spec.sampling else p / data.y_train.to_numpy().mean(0)


def read_values(pairs: list[list[str]]) -> dict[str, Any]:
    return {name: json.loads(value) for name, value in pairs}


def score_f1(wanted: np.ndarray, p: np.ndarray, *, classes: int) -> float:
    return f1_score(wanted, p.argmax(1), average="macro", labels=range(classes), zero_division=0)


def report(name: str, wanted: np.ndarray, p: np.ndarray, classes: list[str]) -> None:
    got, score = p.argmax(1), score_f1(wanted, p, classes=len(classes))
    print(f"\n{name}: macro-F1 {score:.3f}, right {(got == wanted).mean():.3f}")
    print(
        classification_report(wanted, got, labels=range(len(classes)), target_names=classes, zero_division=0)
    )
    print(pd.DataFrame(confusion_matrix(wanted, got, labels=range(len(classes))), classes, classes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=HERE.parents[2] / "shared/data/fixed_camera_events")
    parser.add_argument("--model", default="motion")
    parser.add_argument("--size", default="96x128", help="height x width in pixels")
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seeds", type=int, default=3, help="models per camera, their answers averaged")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--option", nargs=2, action="append", default=[], metavar=("NAME", "JSON"))
    parser.add_argument("--setting", nargs=2, action="append", default=[], metavar=("NAME", "JSON"))
    parser.add_argument("--floor-only", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    height, width = map(int, options.size.split("x"))
    spec = pm.ClipSpec(options.frames, height, width, "rgb")
    sites = read_labels(options.data / "labels.csv").sites
    answers: dict[str, list[np.ndarray]] = {"floor": [], options.model: []}
    wanted, seeds, began = [], [], time.process_time()
    for camera in sorted(sites.unique()):
        with closing(open_fold(options.data, camera=camera, spec=spec, batch=options.batch, seed=0)) as data:
            wanted.append(data.y_val.to_numpy().argmax(1))
            answers["floor"].append(predict_floor(data))
            print(f"{camera}: {len(data.y_train)} clips to train, {len(wanted[-1])} held out", flush=True)
            if not options.floor_only:
                seeds.append(
                    [predict_model(data, options=options, seed=seed) for seed in range(options.seeds)]
                )
                answers[options.model].append(np.mean(seeds[-1], axis=0))
            classes = data.class_names
    for name, p in answers.items():
        if p:
            report(name, np.concatenate(wanted), np.concatenate(p), classes)
    for seed, parts in enumerate(zip(*seeds, strict=True)):
        score = score_f1(np.concatenate(wanted), np.concatenate(parts), classes=len(classes))
        print(f"seed {seed} alone: macro-F1 {score:.3f}")
    print(f"\n{time.process_time() - began:.0f} s of processor time: {vars(options)}")


if __name__ == "__main__":
    main()
