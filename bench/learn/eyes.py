"""How well a linear probe tells real footage of sites it has not learned from.

    python bench/learn/eyes.py [--data FOLDER] [--encoder NAME] [--only MATERIAL]

Each site is predicted by a head that has learned from the others, its strength chosen among those (`fit_head`, four
folds of whole sites), as `primatrix train` does it. Clips of one label, classes of so many such clips or more. The
answers of all sites together give macro-F1 (the most likely class of each clip) and aggregated log loss, beside the
constant; intervals are of clips drawn again, 1,000 times. "known" leaves out clips for the species of which no other
site has a clip: nothing can be learned of it. A line of JSON each. Features are made once, into bench/work/eyes.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.metrics import f1_score

import primatrix as pm
from primatrix.labels import split_folds
from primatrix.measures import aggregated_log_loss, class_frequencies
from primatrix.models import Features, pool_clips
from primatrix.training import fit_head

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "bench" / "work" / "eyes"
DATA = ROOT.parent / "shared" / "data"
FOLDS = 4
DRAWS = 1000

Bools = NDArray[np.bool_]
Singles = NDArray[np.float32]


@dataclass(frozen=True)
class Material:
    """A folder of real footage, how many clips a class must have, and the macro-F1 that is wanted."""

    name: str
    least_clips: int
    wanted: float


MATERIALS = (
    Material("trigger_bursts", 15, 0.66),
    Material("camera_trap_stills", 9, 0.70),
    Material("fixed_camera_events", 1, 0.82),
)


@dataclass(frozen=True, eq=False)
class Clips:
    """Pooled features (N, F), labels 0 and 1 (N, S), the site of each clip (N,), and the names of classes (S,)."""

    x: Singles
    y: Singles
    sites: NDArray[np.object_]
    classes: NDArray[np.object_]

    @property
    def known(self) -> Bools:
        """Whether another site has the class of a clip (N,)."""
        known = np.empty(len(self.y), np.bool_)
        for held in np.unique(self.sites):
            there = self.y[self.sites != held].any(0)
            known[self.sites == held] = there[self.y[self.sites == held].argmax(1)]
        return known


def write_labels(material: Material, data: Path) -> Path:
    """Labels of the clips with one label, of classes with enough of them."""
    rows = pd.read_csv(data / material.name / "labels.csv").dropna(subset="label")
    rows = rows[~rows["filepath"].duplicated(keep=False)]
    rows = rows[rows["label"].map(rows["label"].value_counts()) >= material.least_clips]
    WORK.mkdir(parents=True, exist_ok=True)
    path = WORK / f"{material.name}.csv"
    rows[["filepath", "label", "site"]].to_csv(path, index=False)
    return path


def read_features(
    material: Material, data: Path, features: Features
) -> tuple[Singles, pd.DataFrame, "pd.Series[str]"]:
    """Features (N, T, D + 5) of all clips, their labels and their sites."""
    labels = write_labels(material, data)
    dataset = pm.Dataset.from_folder(
        data / material.name, features.spec, labels=labels, media="both", store=WORK / "store" / material.name,
        keeping=features,
    )  # fmt: skip
    dataset.pack(labelled_only=True)
    assert not dataset.bad_videos, dataset.bad_videos
    names = dataset.labels.index
    part = dataset.hold_out(names)
    x = np.concatenate([np.array(batch) for batch in part.test_batches(256)])
    dataset.close()
    assert dataset.sites is not None
    return x, dataset.labels.loc[part.X_test_ids], dataset.sites.loc[part.X_test_ids]


def read_clips(material: Material, data: Path, features: Features) -> Clips:
    x, labels, sites = read_features(material, data, features)
    pooled = pool_clips(torch.from_numpy(x)).numpy()
    return Clips(pooled, labels.to_numpy(np.float32), sites.to_numpy(object), labels.columns.to_numpy(object))


def learn(clips: Clips, chosen: Bools) -> Callable[[Singles], NDArray[np.float64]]:
    """What gives the logits (M, S) of features (M, F), learned from the chosen clips (N,)."""
    x, y, sites = clips.x[chosen], clips.y[chosen], clips.sites[chosen]
    several = len(np.unique(sites)) > 1
    count = min(FOLDS, len(np.unique(sites)) if several else len(y))
    table = pd.DataFrame(y, columns=clips.classes)
    folds = split_folds(table, sites=pd.Series(sites) if several else None, folds=count)
    head = fit_head(x, y, folds=folds.to_numpy(np.int64))
    return lambda x: (x - head.shift) / head.scale @ head.weights.T + head.bias


def answer_sites(clips: Clips) -> NDArray[np.float64]:
    """Probabilities (N, S) of each site's clips, learned from the others."""
    answers = np.empty(clips.y.shape)
    for held in np.unique(clips.sites):
        here = clips.sites == held
        answers[here] = expit(learn(clips, ~here)(clips.x[here]))
    return answers


def macro_f1(
    clips: Clips, answers: NDArray[np.float64], rows: NDArray[np.int64] | slice = slice(None)
) -> float:
    """Over all classes, of the most likely class of each clip."""
    true, found = clips.y[rows].argmax(1), answers[rows].argmax(1)
    labels = np.arange(len(clips.classes))
    return float(f1_score(true, found, average="macro", labels=labels, zero_division=0))


def draw_again(count: int) -> Iterator[NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    return (rng.integers(0, count, count) for _ in range(DRAWS))


def find_interval(values: list[float]) -> list[float]:
    return [round(float(value), 3) for value in np.quantile(values, [0.025, 0.975])]


def measure(clips: Clips, answers: NDArray[np.float64]) -> dict[str, object]:
    """Macro-F1 with its interval, F1 of each class, and the loss beside the constant's."""
    again = [macro_f1(clips, answers, rows) for rows in draw_again(len(clips.y))]
    each = f1_score(clips.y.argmax(1), answers.argmax(1), average=None, labels=np.arange(len(clips.classes)))
    constant = np.broadcast_to(class_frequencies(pd.DataFrame(clips.y)).to_numpy(), clips.y.shape)
    known = clips.known
    return {
        "macro_f1": round(macro_f1(clips, answers), 3),
        "interval": find_interval(again),
        "f1": dict(zip(clips.classes.tolist(), each.round(2).tolist(), strict=True)),
        "clips": len(clips.y),
        "of_known_classes": int(known.sum()),
        "loss": round(aggregated_log_loss(clips.y, answers), 3),
        "constant": round(aggregated_log_loss(clips.y, constant), 3),
        "loss_known": round(aggregated_log_loss(clips.y[known], answers[known]), 3),
        "constant_known": round(aggregated_log_loss(clips.y[known], constant[known]), 3),
    }


def prepare_arguments(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--encoder", default="efficientnet-lite0")
    parser.add_argument("--only", choices=[material.name for material in MATERIALS])
    return parser


def main() -> None:
    args = prepare_arguments(__doc__).parse_args()
    features = pm.look_closely(args.encoder)
    for material in MATERIALS:
        if args.only in (None, material.name):
            started = time.perf_counter()
            clips = read_clips(material, args.data, features)
            read = time.perf_counter() - started
            result = measure(clips, answer_sites(clips))
            seconds = time.perf_counter() - started - read
            took = {"seconds_features": round(read), "seconds_fits": round(seconds)}
            print(
                json.dumps({"material": material.name, "wanted": material.wanted, **result, **took}),
                flush=True,
            )


if __name__ == "__main__":
    main()
