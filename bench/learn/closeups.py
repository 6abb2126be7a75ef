"""What pretrained eyes tell of real trigger bursts: looking at whole frames, at close-ups of what moves, or at both.

    python bench/learn/closeups.py [--data FOLDER] [--encoder NAME] [--crops 6]

Clips of one label only, classes of 15 such clips or more. Each site of labels.csv (a period between two visits of the
camera) is predicted by a linear model that has learned from the others; the answers of all are scored together as
macro-F1. Features of a clip's pictures are pooled, and the strength of the model is chosen among five by the same folds
within the training sites. The interval is of clips drawn again, 1,000 times.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import primatrix as pm
from primatrix.video import choose_crops, decode_clip, probe_video

LEAST_CLIPS = 15
SMALL_PX = 64  # of the small clip, in which what moves is found
MOST_FRAMES = 5  # whole frames looked at
STRENGTHS = (0.0003, 0.001, 0.003, 0.01, 0.03)
POOLINGS = {"mean": ("mean",), "mean+max": ("mean", "max"), "mean+max+std": ("mean", "max", "std")}
Features = dict[str, np.ndarray]


def read_features(path: Path, encoder: pm.Encoder, *, crops: int) -> Features:
    """Features (N, D) of a clip's crops and of its whole frames."""
    facts = probe_video(path)
    spec = pm.ClipSpec(facts.frames, facts.height_px, facts.width_px, "rgb")
    clip = decode_clip(path, spec)
    small = decode_clip(path, pm.ClipSpec(facts.frames, SMALL_PX, SMALL_PX, "rgb"))
    found = choose_crops(
        small.frames, small.pts_seconds, count=crops, aspect=facts.width_px / facts.height_px
    )
    cut = []
    for crop in found:
        top, bottom = (
            round(share * facts.height_px) for share in (crop.box.top, crop.box.top + crop.box.height)
        )
        left, right = (
            round(share * facts.width_px) for share in (crop.box.left, crop.box.left + crop.box.width)
        )
        cut.append(clip.frames[crop.frame, top : max(bottom, top + 4), left : max(right, left + 4)])
    whole = clip.frames[:: max(1, len(clip.frames) // MOST_FRAMES)][:MOST_FRAMES]
    with torch.inference_mode():
        close = torch.cat([encoder(torch.from_numpy(picture.copy())[None]) for picture in cut])
        return {"crops": close.numpy(), "whole": encoder(torch.from_numpy(whole.copy())).numpy()}


def pool(features: np.ndarray, how: tuple[str, ...]) -> np.ndarray:
    return np.concatenate([getattr(features, name)(0) for name in how])


def predict_sites(x: np.ndarray, y: np.ndarray, sites: np.ndarray, *, strength: float) -> np.ndarray:
    """The class of every clip, from a model of the other sites."""
    predicted = np.empty(len(y), object)
    for held in np.unique(sites):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=200))
        predicted[sites == held] = model.fit(x[sites != held], y[sites != held]).predict(x[sites == held])
    return predicted


def choose_strength(x: np.ndarray, y: np.ndarray, sites: np.ndarray) -> float:
    scores = [f1_score(y, predict_sites(x, y, sites, strength=c), average="macro") for c in STRENGTHS]
    return STRENGTHS[int(np.argmax(scores))]


def score(x: np.ndarray, y: np.ndarray, sites: np.ndarray) -> dict[str, object]:
    """Macro-F1 with its interval; the strengths that were chosen without the site they predict."""
    predicted, chosen = np.empty(len(y), object), []
    for held in np.unique(sites):
        rest = sites != held
        chosen.append(choose_strength(x[rest], y[rest], sites[rest]))
        model = make_pipeline(StandardScaler(), LogisticRegression(C=chosen[-1], max_iter=200))
        predicted[~rest] = model.fit(x[rest], y[rest]).predict(x[~rest])
    rng, classes = np.random.default_rng(0), np.unique(y)
    draws = (rng.integers(0, len(y), len(y)) for _ in range(1000))
    again = [f1_score(y[d], predicted[d], average="macro", labels=classes, zero_division=0) for d in draws]
    low, high = np.quantile(again, [0.025, 0.975])
    return {
        "macro_f1": round(f1_score(y, predicted, average="macro"), 3),
        "interval": [round(float(low), 3), round(float(high), 3)],
        "strengths": chosen,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    beside = Path(__file__).resolve().parents[3] / "shared" / "data" / "trigger_bursts"
    parser.add_argument("--data", type=Path, default=beside)
    parser.add_argument("--encoder", default="efficientnet-lite0")
    parser.add_argument("--crops", type=int, default=6)
    args = parser.parse_args()
    rows = pd.read_csv(args.data / "labels.csv")
    single = rows.groupby("filepath").filter(lambda clip: len(clip) == 1).set_index("filepath").sort_index()
    common = single["label"].map(single["label"].value_counts()) >= LEAST_CLIPS
    single = single[common]
    y, sites = single["label"].to_numpy(), single["site"].to_numpy()
    encoder, started, used = pm.load_encoder(args.encoder), time.perf_counter(), time.process_time()
    features = [read_features(args.data / name, encoder, crops=args.crops) for name in single.index]
    used = time.process_time() - used
    pictures = sum(len(part) for clip in features for part in clip.values())
    result = {
        "clips": len(y), "classes": len(np.unique(y)), "pictures": pictures, "encoder": args.encoder,
        "crops": args.crops, "core_seconds_a_picture": round(used / pictures, 4),
        "machine": platform.processor() or platform.machine(), "threads": torch.get_num_threads(),
    }  # fmt: skip
    print(json.dumps(result), flush=True)
    for how, parts in POOLINGS.items():
        close, whole = (
            np.array([pool(clip[kind], parts) for clip in features]) for kind in ("crops", "whole")
        )
        for kind, x in (("whole", whole), ("crops", close), ("both", np.hstack([close, whole]))):
            print(json.dumps({"looked_at": kind, "pooling": how, **score(x, y, sites)}), flush=True)
    print(json.dumps({"seconds": round(time.perf_counter() - started)}))


if __name__ == "__main__":
    main()
