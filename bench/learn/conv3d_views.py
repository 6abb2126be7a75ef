"""What conv3d's 27 crops are worth when predicting, against its middle crop alone, and what they cost.

    python bench/learn/conv3d_views.py bench/work/ladder/conv3d/model \\
        --clips bench/work/ladder/data/parts/micro/test --truth bench/work/ladder/data/test_labels.csv [--count 400]

The same clips, drawn from a seed, with each number of views per axis (--views); log losses on them, the paired
difference from the first number with its standard error, and clips per core-second.
"""

import argparse
import dataclasses
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import primatrix as pm
from primatrix.data import Store, default_store
from primatrix.models import predict_batches
from primatrix.video import find_videos

BATCH = 16


def measure_losses(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """Binary log loss of each clip (N,), averaged over species."""
    p = p.astype(np.float64).clip(1e-6, 1 - 1e-6)
    losses: np.ndarray = -(y * np.log(p) + (1 - y) * np.log1p(-p)).mean(1)
    return losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--views", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--store", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = pm.load_model(options.model)
    truth = pd.read_csv(options.truth, index_col="filename")[list(model.species)]
    names = np.sort(np.random.default_rng(0).choice(truth.index, options.count, replace=False))
    store = Store(options.store or default_store(options.clips), model.spec)
    videos = {video.name: video for video in find_videos(options.clips)}
    chosen = [videos[name] for name in names]
    store.pack(chosen)
    x, y = store.read(chosen), truth.loc[names].to_numpy(np.float64)
    first: np.ndarray | None = None
    for views in options.views:
        model.network.options = dataclasses.replace(model.network.options, views_per_axis=views)
        began = time.process_time()
        batches = (x[i : i + BATCH] for i in range(0, len(x), BATCH))
        losses = measure_losses(y, np.concatenate(list(predict_batches(model, batches))))
        rate = len(x) / (time.process_time() - began)
        first = losses if first is None else first
        change = losses - first
        print(f"{views**3} views: log loss {losses.mean():.5f}, {change.mean():+.5f} +- "
              f"{change.std() / len(change) ** 0.5:.5f}, {rate:.1f} clips per core-second")  # fmt: skip


if __name__ == "__main__":
    main()
