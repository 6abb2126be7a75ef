"""What a first look without a model is worth: are clips of a group of one species, does movement tell blank clips?

    python bench/learn/groups.py [--data FOLDER] [--simulated FOLDER --train 300]

`watch_folder` looks at trigger_bursts. Of the groups it makes, purity is counted over clips of one label in which
something moves: the share that has the commonest label of its group. By chance is the same with labels dealt anew, 200
times. "One label a group" is the share of these clips that get their own label when the clip nearest to the group's
middle gives its label to all. Movement is scored by ROC area, blank against all others. With `--simulated` the same of
raw footage that `primatrix simulate FOLDER --train 300 --test 1 --sizes raw` made, as far as its clips are drawn (the
labels are drawn from the seed again).
"""

import argparse
import json
import os
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

import primatrix as pm
from primatrix.labels import BENCHMARK_SPECIES, BLANK
from primatrix.simulation import SimulationSpec, draw_survey

DEALT = 200


def measure_purity(groups: np.ndarray, labels: np.ndarray) -> float:
    table = pd.crosstab(groups, labels)
    return float(table.max(axis=1).sum() / table.to_numpy().sum())


def score(clips: pd.DataFrame, labels: dict[str, list[str]]) -> dict[str, object]:
    """Purity of the groups and what movement tells; `labels` by the clip's path."""
    several = clips["movement"].notna()  # of a single picture nobody can tell
    known = clips[clips["filepath"].isin(labels.keys()) & several].set_index("filepath")
    blank = np.array([BLANK in labels[name] for name in known.index])
    movement = known["movement"].to_numpy()
    single = known[(movement > 0) & [len(labels[name]) == 1 for name in known.index]]
    own, group = np.array([labels[name][0] for name in single.index]), single["group"].to_numpy()
    rng = np.random.default_rng(0)
    dealt = [measure_purity(group, rng.permutation(own)) for _ in range(DEALT)]
    given = single[single["representative"] == "yes"].assign(label=own[single["representative"] == "yes"])
    spread = single["group"].map(given.set_index("group")["label"])
    return {
        "clips": len(known), "blank": int(blank.sum()), "something_moves": int((movement > 0).sum()),
        "moves_in_blank": round(float((movement[blank] > 0).mean()), 3),
        "moves_in_others": round(float((movement[~blank] > 0).mean()), 3),
        "roc_auc_movement": round(float(roc_auc_score(~blank, movement)), 3),
        "clips_scored": len(single), "labels": len(set(own)), "groups": int(single["group"].nunique()),
        "largest": int(single["group"].value_counts().max()),
        "purity": round(measure_purity(group, own), 3), "by_chance": round(float(np.mean(dealt)), 3),
        "one_label_a_group": round(float((spread.to_numpy() == own).mean()), 3),
        "commonest_label": round(float(pd.Series(own).value_counts(normalize=True).max()), 3),
    }  # fmt: skip


def read_bursts(folder: Path) -> dict[str, list[str]]:
    rows = pd.read_csv(folder / "labels.csv")
    return rows.groupby("filepath")["label"].agg(list).to_dict()


def draw_labels(train_clips: int) -> dict[str, list[str]]:
    survey, species = (
        draw_survey(SimulationSpec(train_clips=train_clips, test_clips=1)),
        np.array(BENCHMARK_SPECIES),
    )
    shown = [species[row].tolist() for row in survey.shown]
    return {name: row or [BLANK] for name, row in zip(survey.names, shown, strict=True)}


def watch(folder: Path, labels: dict[str, list[str]]) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        run = pm.watch_folder(folder, Path(name, "watched"), workers=1, on_progress=None)
    seconds = round(run.seconds / len(run.results.clips), 3)
    return {"footage": folder.name, "seconds_a_clip": seconds, **score(run.results.clips, labels)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    beside = Path(__file__).resolve().parents[3] / "shared" / "data" / "trigger_bursts"
    parser.add_argument("--data", type=Path, default=beside)
    parser.add_argument("--simulated", type=Path)
    parser.add_argument("--train", type=int, default=300)
    args = parser.parse_args()
    started = time.perf_counter()
    print(json.dumps(watch(args.data, read_bursts(args.data))), flush=True)
    if args.simulated:
        print(json.dumps(watch(args.simulated / "raw", draw_labels(args.train))), flush=True)
    print(json.dumps({
        "seconds": round(time.perf_counter() - started), "cores": os.cpu_count(),
        "machine": platform.processor() or platform.machine(),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
