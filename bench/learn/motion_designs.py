"""Designs of Motion beside conv3d, each trained for the same processor time, scored on sites not trained on.

    python bench/learn/motion_designs.py DATA [--designs v1 conv3d] [--minutes 8] [--parts 5]

DATA is a folder in the benchmark's shape with deployments.csv (`filename,site`), as `primatrix simulate` writes.
Only its training clips are read; their sites are split, one in `--parts` validates. The learning rate rises over
the first 5 % of the time and falls along half a cosine; what is scored is the moving average of the weights.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from primatrix import ClipSpec
from primatrix.data import Store, default_store
from primatrix.models import Model, build_model, choose_processor
from primatrix.training import WeightAverage, build_optimiser, set_learning_rate
from primatrix.video import find_videos

DESIGNS: dict[str, dict] = {
    "both": {},
    "both, adamw": {"optimiser": "adamw"},
    "whole, 12 frames": {"view": "whole", "training_frames": 12},
    "window": {"view": "window"},
    "wide": {"width": 48},
    "4 frames": {"training_frames": 4},
    "both, place": {"place": True},
    "logits": {"pooling": "logits"},
    "no appearance": {"appearance": False},
    "context": {"context_frames": 3},
    "conv3d": {"name": "conv3d", "views_per_axis": 1, "optimiser": "adamw"},
}
SPEC = ClipSpec(30, 64, 64, "rgb")
BATCH = 32


def load(folder: Path, *, parts: int, seed: int) -> tuple[np.ndarray, pd.DataFrame, np.ndarray]:
    """Training clips, their labels and whether each validates: whole sites, drawn from the seed."""
    labels = pd.read_csv(folder / "train_labels.csv", index_col=0)
    sites = pd.read_csv(folder / "deployments.csv", index_col=0)["site"].loc[labels.index]
    store = Store(default_store(folder), SPEC)
    videos = {video.name: video for video in find_videos(folder / "micro")}
    store.pack(list(videos.values()))
    names = np.sort(sites.unique())
    held_out = np.random.default_rng(seed).permutation(names)[: len(names) // parts]
    return store.read([videos[name] for name in labels.index]), labels, sites.isin(held_out).to_numpy()


def augment(x: Tensor) -> Tensor:
    """Flip each clip or not, crop the batch, change each clip's light: uint8 (B, T, H, W, C) -> the same."""
    flip = torch.rand(len(x)) < 0.5
    x = torch.where(flip[:, None, None, None, None], x.flip(3), x)
    height, width = (int(side * (0.8 + 0.2 * torch.rand(())) // 2 * 2) for side in x.shape[2:4])
    top, left = (
        int(torch.randint(0, side, ())) for side in (x.shape[2] - height + 1, x.shape[3] - width + 1)
    )
    x = x[:, :, top : top + height, left : left + width]
    gain = 0.8 * 1.5 ** torch.rand(len(x), 1, 1, 1, 1)
    return (x.float() * gain).clamp_(0, 255).to(torch.uint8)


def train(
    model: Model,
    x: np.ndarray,
    y: np.ndarray,
    *,
    seconds: float,
    rate: float,
    smoothing: float,
    optimiser: str,
) -> dict[str, float]:
    """Train for so many processor seconds; the network ends with its averaged weights."""
    network, rng = model.network.train(), np.random.default_rng(0)
    mover = build_optimiser(optimiser, network.parameters(), learning_rate=rate, weight_decay=0.05)
    average, order, losses, step = WeightAverage(network, decay=0.995), np.empty(0, int), [], 0
    began, wall = time.process_time(), time.perf_counter()
    while (done := (time.process_time() - began) / seconds) < 1:
        if len(order) < BATCH:
            order = np.append(order, rng.permutation(len(x)))
        rows, order = np.sort(order[:BATCH]), order[BATCH:]
        clips, target = torch.from_numpy(x[rows]), torch.from_numpy(y[rows])
        if model.name != "conv3d":  # which crops and flips by itself
            clips = augment(clips)
        with choose_processor("cpu").autocast():
            logits = network(clips)
        loss = F.binary_cross_entropy_with_logits(logits.float(), target * (1 - smoothing) + smoothing / 2)
        set_learning_rate(mover, rate * min(1.0, done / 0.05) * 0.5 * (1 + np.cos(np.pi * done)))
        mover.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        mover.step()
        average.update(network, step=step)
        losses.append(loss.item())
        step += 1
        if step % 50 == 0:
            print(f"  {done:.2f} step {step} loss {np.mean(losses[-50:]):.4f}", flush=True)
    network.load_state_dict(average.weights)
    used = time.process_time() - began
    return {"epochs": step * BATCH / len(x), "clips_per_cpu_second": step * BATCH / used,
            "wall_seconds": time.perf_counter() - wall, "train_loss": float(np.mean(losses[-150:]))}  # fmt: skip


def predict(model: Model, x: np.ndarray) -> np.ndarray:
    model.network.eval()
    with torch.inference_mode(), choose_processor("cpu").autocast():
        parts = [model.network(torch.from_numpy(x[i : i + 16])).float() for i in range(0, len(x), 16)]
    return torch.cat(parts).sigmoid().numpy()


def log_loss(y: np.ndarray, p: np.ndarray) -> float:
    p = p.astype(float).clip(1e-5, 1 - 1e-5)
    return float(-(y * np.log(p) + (1 - y) * np.log1p(-p)).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--designs", nargs="+", default=list(DESIGNS), choices=list(DESIGNS))
    parser.add_argument("--minutes", type=float, default=8, help="of processor time to train each")
    parser.add_argument("--parts", type=int, default=5)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--smoothing", type=float, default=0.0)
    parser.add_argument("--option", nargs=2, action="append", default=[], metavar=("NAME", "JSON"))
    parser.add_argument("--out", type=Path, default=Path("runs/motion_designs"))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    x, labels, held_out = load(options.data, parts=options.parts, seed=0)
    y = labels.to_numpy(np.float32)
    constant = log_loss(y[held_out], np.broadcast_to(y[~held_out].mean(0), y[held_out].shape))
    print(f"{(~held_out).sum()} clips to train, {held_out.sum()} to validate; constant {constant:.4f}")
    extra = {name: json.loads(value) for name, value in options.option}
    for design in options.designs:
        settings = {"name": "motion", **DESIGNS[design], **extra}
        optimiser = settings.pop("optimiser", "muon")
        torch.manual_seed(0)
        model = build_model(species=list(labels.columns), spec=SPEC, **settings)
        told = train(model, x[~held_out], y[~held_out], seconds=60 * options.minutes, rate=options.rate,
                     smoothing=options.smoothing, optimiser=optimiser)  # fmt: skip
        began = time.perf_counter()
        p = predict(model, x[held_out])
        told |= {"loss": log_loss(y[held_out], p), "blank_loss": log_loss(y[held_out][:, 1], p[:, 1]),
                 "predict_clips_per_second": len(p) / (time.perf_counter() - began)}  # fmt: skip
        model.save(options.out / design)
        np.save(options.out / design / "validation.npy", p)
        print(
            design,
            settings,
            {k: round(v, 4) for k, v in told.items()},
            f"{told['loss'] / constant:.3f} of constant",
            flush=True,
        )


if __name__ == "__main__":
    main()
