"""How often the intervals that are printed hold what they say, at sites that differ.

Draws populations of thousands of sites: clips per site, species per site and how well the model does at a site differ
by as much as is asked for. A measure of the whole population is the truth. Some sites are drawn, evaluated as a user
would, and it is counted how often the truth lies within each interval. Prints a table per world, writes JSON.

    python bench/trust/coverage.py --sets 300 --out coverage.json
"""

import argparse
import json
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from primatrix.results import skip_scores
from primatrix.trust import Calibration, evaluate, fit_calibration

SPECIES = ["blank", "common", "medium", "rare"]
RATES = np.array([0.6, 0.28, 0.1, 0.02])
POPULATION, CALIBRATION = 3000, 400  # sites
SITES = (5, 10, 20, 50, 100)
OVERALL = ("log_loss", "brier", "average_precision", "roc_auc", "f1", "recall", "precision", "top_n",
           "blanks_skipped_at_5pct_lost")  # fmt: skip
PER_SPECIES = ("average_precision", "roc_auc", "f1", "recall", "precision", "log_loss", "brier")
POINTS = ("loss", "blanks_skipped", "footage_skipped")


@dataclass(frozen=True)
class World:
    """How sites differ: share of the scores' variance between them, how unlike their species are, clips at one."""

    between: float
    alike: (
        float  # of the Dirichlet distribution of species: the less, the more a site has of few species only
    )
    clips: int

    def draw(self, sites: int, *, seed: int) -> "Footage":
        rng = np.random.default_rng(seed)
        clips = np.maximum(3, rng.lognormal(np.log(self.clips) - 0.245, 0.7, sites)).astype(int)
        site = np.repeat(np.arange(sites), clips)
        shares = rng.dirichlet(self.alike * RATES + 1e-3, size=sites).cumsum(axis=1)[site]
        kind = (rng.random(len(site))[:, None] > shares).sum(axis=1).clip(0, 3)
        true = np.eye(4)[kind]
        shift = np.sqrt(self.between) * rng.normal(size=(sites, 4))[site]
        scores, others = (
            np.log(RATES / (1 - RATES)) - 1.2 + 3.5 * true
            + noise * (shift + np.sqrt(1 - self.between) * rng.normal(size=true.shape))
            for noise in (1.2, 1.5)
        )  # fmt: skip
        index = pd.Index([f"{seed}/{i}.mp4" for i in range(len(site))])
        labels, model, other = (
            pd.DataFrame(values, index, SPECIES) for values in (true, expit(scores), expit(others))
        )
        return Footage(labels, model, other, pd.Series([f"site{i}" for i in site], index))


@dataclass(frozen=True)
class Footage:
    """Clips of some sites: labels, a model's probabilities, those of another model, sites."""

    labels: pd.DataFrame
    model: pd.DataFrame
    other: pd.DataFrame
    sites: "pd.Series[str]"

    def take(self, rows: np.ndarray) -> "Footage":
        return Footage(*(table.iloc[rows] for table in (self.labels, self.model, self.other, self.sites)))

    def calibrate(self, calibration: Calibration) -> "Footage":
        mapped = calibration.apply(self.model.to_numpy())
        return replace(self, model=pd.DataFrame(mapped, self.labels.index, SPECIES))


def expit(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=int, default=300, help="Sets of sites per number of sites.")
    parser.add_argument("--worlds", nargs="*", default=["0.5,10,40", "0.2,30,40", "0.5,3,40", "0.5,10,200"],
                        help="between,alike,clips")  # fmt: skip
    parser.add_argument("--sites", type=int, nargs="*", default=list(SITES))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    found = {}
    for words in given.worlds:
        between, alike, clips = map(float, words.split(","))
        began = time.perf_counter()
        table = cover(World(between, alike, int(clips)), sites=given.sites, sets=given.sets)
        print(f"\nvariance between sites {between:.0%}, species alike {alike:g}, {clips:g} clips a site "
              f"({time.perf_counter() - began:.0f} s); covered, and of how many sets\n")  # fmt: skip
        print(table.to_string())
        found[words] = json.loads(table.to_json(orient="index"))
    if given.out:
        given.out.write_text(json.dumps(found, indent=1) + "\n")


def cover(world: World, *, sites: list[int], sets: int) -> pd.DataFrame:
    """Coverage of each interval (rows) by number of sites (columns)."""
    footage = world.draw(POPULATION, seed=1)
    learned = world.draw(CALIBRATION, seed=2)
    calibration = fit_calibration(learned.labels, learned.model, source="validation", sites=learned.sites)
    footage = footage.calibrate(calibration)
    truth = dict(list_values(footage, calibration))
    numbers = pd.factorize(footage.sites)[0]
    rows_of = np.split(np.arange(len(numbers)), np.flatnonzero(np.diff(numbers)) + 1)
    columns = {}
    for count in sites:
        rng, held = np.random.default_rng(count), defaultdict(list)
        for _ in range(sets):
            chosen = rng.choice(POPULATION, count, replace=False)
            drawn = footage.take(np.concatenate([rows_of[site] for site in chosen]))
            for name, interval in list_intervals(drawn, calibration):
                held[name].append(holds(interval, truth_for(name, truth, drawn)))
        columns[f"{count} sites"] = {name: say(inside, sets) for name, inside in held.items()}
    return pd.DataFrame(columns).reindex([name for name in truth if name in held])


def list_values(footage: Footage, calibration: Calibration) -> Iterator[tuple[str, float]]:
    """What the intervals are about, in the whole population."""
    found = evaluate(footage.labels, footage.model, against=footage.other, calibration=calibration)
    for name in OVERALL:
        yield name, found.overall.loc[name, "value"]
        yield f"{name}, other model", found.overall.loc[name, "difference"]
    for name in PER_SPECIES:
        for species in SPECIES:
            yield f"{name} of {species}", found.species.loc[species, name]
    for species in SPECIES:
        yield f"log_loss of {species}, other model", found.species.loc[species, "log_loss_difference"]
        gap = found.species.loc[species, "average_precision_difference"]
        yield f"average_precision of {species}, other model", gap
    for name in POINTS:
        yield f"skip blank: {name}", found.points.loc["skip blank", name]
    for threshold in (0.5, 0.9):
        scores = skip_scores(footage.model.to_numpy(), SPECIES)[0][footage.labels["blank"] == 0]
        yield f"lost at most above {threshold} (90 %)", float((scores > threshold).mean())


def list_intervals(drawn: Footage, calibration: Calibration) -> Iterator[tuple[str, tuple[float, float]]]:
    """The intervals that a user sees."""
    found = evaluate(
        drawn.labels, drawn.model, sites=drawn.sites, against=drawn.other, calibration=calibration
    )
    for name in OVERALL:
        row = found.overall.loc[name]
        yield name, (row["low"], row["high"])
        yield f"{name}, other model", (row["difference_low"], row["difference_high"])
    for name in PER_SPECIES:
        for species, row in found.occurring.iterrows():
            yield f"{name} of {species}", (row[f"{name}_low"], row[f"{name}_high"])
    for name in ("log_loss", "average_precision"):
        for species, row in found.occurring.iterrows():
            ends = (row[f"{name}_difference_low"], row[f"{name}_difference_high"])
            yield f"{name} of {species}, other model", ends
    skip = found.points.loc["skip blank"]
    for name in POINTS:
        yield f"skip blank: {name}", (skip[f"{name}_low"], skip[f"{name}_high"])
    curve = found.skipping
    for threshold in (0.5, 0.9):
        at = curve[curve["threshold"] <= threshold].tail(1)
        if len(at):
            yield f"lost at most above {threshold} (90 %)", (0.0, float(at["animals_lost_at_most"].iloc[0]))


def truth_for(name: str, truth: dict[str, float], drawn: Footage) -> float:
    """The truth; of a mean over species that occur, of those that do."""
    plain = name.removesuffix(", other model")
    if plain not in PER_SPECIES or plain in ("log_loss", "brier"):
        return truth[name]
    shown = drawn.labels.columns[drawn.labels.any()]
    if plain == name:
        return float(np.nanmean([truth[f"{name} of {species}"] for species in shown]))
    return truth[name] if len(shown) == len(SPECIES) else np.nan


def holds(interval: tuple[float, float], truth: float) -> float:
    """1 where it holds the truth, 0 where not, NaN where there is no interval or nothing to compare with."""
    low, high = interval
    return np.nan if np.isnan([low, high, truth]).any() else float(low <= truth <= high)


def say(inside: list[float], sets: int) -> str:
    """The share of intervals that hold, and of how many sets there is one."""
    known = np.array(inside)[~np.isnan(inside)]
    return f"{100 * known.mean():.0f} % ({len(known)})" if len(known) >= sets / 20 else "none"


if __name__ == "__main__":
    main()
