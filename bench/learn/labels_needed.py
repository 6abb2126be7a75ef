"""How many labelled clips a class a linear probe needs: macro-F1 by 5, 10, 20, 50 and all of them.

    python bench/learn/labels_needed.py [--out docs/labels.svg] [--data FOLDER] [--encoder NAME] [--only MATERIAL]

The material of eyes.py, and its features. Whole sites are held out in turn (where there are more than 8, in 8 parts),
and of the others' clips so many a class are drawn, all of a class that has fewer: the same places for every class, so
that 20 hold the 10. Five seeds; draws the figure and prints a line of JSON for each material.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import expit

import primatrix as pm
from eyes import MATERIALS, Bools, Clips, learn, macro_f1, prepare_arguments, read_clips
from primatrix.labels import split_folds

COUNTS = (5, 10, 20, 50)
SEEDS = 5
MOST_PARTS = 8
COLOURS = ("#0B6E4F", "#C8553D", "#3D5A98")


def part_sites(clips: Clips) -> NDArray[np.int64]:
    """The part of each clip (N,) that is held out with it: whole sites."""
    count = min(MOST_PARTS, len(np.unique(clips.sites)))
    table = pd.DataFrame(clips.y, columns=clips.classes)
    return split_folds(table, sites=pd.Series(clips.sites), folds=count).to_numpy(np.int64)


def draw_clips(clips: Clips, others: Bools, *, count: int | None, seed: int) -> Bools:
    """So many of the others a class, or all: (N,)."""
    if count is None:
        return others
    order = np.random.default_rng(seed).permutation(len(clips.y))
    chosen = np.zeros(len(clips.y), np.bool_)
    for species in range(clips.y.shape[1]):
        of_species = order[(others & (clips.y[:, species] > 0))[order]]
        chosen[of_species[:count]] = True
    return chosen


def score(clips: Clips, *, count: int | None, seed: int) -> float:
    parts, answers = part_sites(clips), np.empty(clips.y.shape)
    for part in np.unique(parts):
        here = parts == part
        model = learn(clips, draw_clips(clips, ~here, count=count, seed=seed))
        answers[here] = expit(model(clips.x[here]))
    return macro_f1(clips, answers)


def main() -> None:
    parser = prepare_arguments(__doc__)
    parser.add_argument("--out", type=Path, default=Path("labels.svg"))
    args = parser.parse_args()
    features = pm.look_closely(args.encoder)
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    ax = figure.subplots()
    places = np.arange(len(COUNTS) + 1)
    for material, colour in zip(MATERIALS, COLOURS, strict=True):
        if args.only not in (None, material.name):
            continue
        clips = read_clips(material, args.data, features)
        by_count = np.array(
            [[score(clips, count=count, seed=seed) for seed in range(SEEDS)] for count in COUNTS]
        )
        best = score(clips, count=None, seed=0)
        means = np.append(by_count.mean(1), best)
        ax.plot(places, means, color=colour, marker="o", ms=4, label=material.name.replace("_", " "))
        ax.fill_between(places[:-1], by_count.min(1), by_count.max(1), color=colour, alpha=0.15, lw=0)
        ax.plot(places[-1:] + 0.08, [0.9 * best], color=colour, marker="_", ms=10)
        print(json.dumps({"material": material.name, "clips_a_class": [*COUNTS, "all"],
                          "macro_f1": means.round(3).tolist(),
                          "lowest": by_count.min(1).round(3).tolist(), "highest": by_count.max(1).round(3).tolist(),
                          "share_of_all": (means / best).round(2).tolist()}), flush=True)  # fmt: skip
    ax.set_xticks(places, [*map(str, COUNTS), "all"])
    ax.set(xlabel="labelled clips a class, at other sites", ylabel="macro-F1", ylim=(0, 1))
    ax.legend(frameon=False, loc="lower right")
    figure.savefig(args.out, metadata={"Date": None} if args.out.suffix == ".svg" else None)


if __name__ == "__main__":
    main()
