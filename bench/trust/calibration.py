"""What calibration is worth at sites nobody trained on: error before and after, and blanks skipped at 5 % loss.

Wants a model's own predictions (`primatrix predict --raw`, or out of fold) for validation clips and for test clips, and
the labels of both; validation labels may hold more clips than were predicted. Prints tables, writes JSON.

    python bench/trust/calibration.py --validation val.csv --validation-labels train_labels.csv --test test.csv \\
        --test-labels test_labels.csv --deployments deployments.csv --out calibration.json
"""

import argparse
import json
import time
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd

from primatrix.choices import Unit
from primatrix.footage import read_deployments
from primatrix.interchange import read_labels
from primatrix.measures import class_frequencies
from primatrix.results import read_predictions, skip_scores
from primatrix.trust import (
    Calibration,
    Evaluation,
    Promise,
    certify_cut,
    evaluate,
    fit_calibration,
    shows_something,
)

MEASURES = ("log_loss", "calibration_error", "pooled_calibration_error", "top_label_calibration_error", "brier", "f1",
            "blanks_skipped_at_5pct_lost")  # fmt: skip


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("validation", "validation-labels", "test", "test-labels"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--deployments", type=Path, help="CSV with filename and site")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def compare(before: Evaluation, after: Evaluation) -> pd.DataFrame:
    """Each measure before and after with its interval, and the constant's."""
    rows = {}
    for name in MEASURES:
        b, a = before.overall.loc[name], after.overall.loc[name]
        rows[name] = {"before": b["value"], "after": a["value"], "after_low": a["low"], "after_high": a["high"],
                      "difference_low": a["difference_low"], "difference_high": a["difference_high"],
                      "constant": a["constant"]}  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index")


def without_blank(true: pd.DataFrame, prob: np.ndarray, calibration: Calibration) -> tuple[np.ndarray, str]:
    """The other score that could say what to skip: 1 - the largest animal."""
    animals = [s for s in true.columns if s != "blank"]
    return skip_scores(calibration.apply(prob)[:, [true.columns.get_loc(s) for s in animals]], animals)


def follow_scores(val: tuple[pd.DataFrame, np.ndarray], test: tuple[pd.DataFrame, np.ndarray],
                  calibration: Calibration) -> pd.DataFrame:  # fmt: skip
    """Cuts on p(blank) and on 1 - max animal, chosen on validation, followed on test."""
    rows = {}
    for name in ("blank", "1 - max animal"):

        def score(true: pd.DataFrame, prob: np.ndarray, name: str = name) -> np.ndarray:
            if name == "blank":
                return skip_scores(calibration.apply(prob), tuple(true.columns))[0]
            return without_blank(true, prob, calibration)[0]

        cut = certify_cut(score(*val)[shows_something(val[0]).to_numpy()], max_loss=0.05, confidence=0.9)
        dropped = score(*test) > (np.inf if cut is None else cut)
        keep = shows_something(test[0]).to_numpy()
        rows[name] = {
            "threshold": cut,
            "animals_lost": dropped[keep].mean(),
            "blanks_skipped": dropped[~keep].mean(),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def main() -> None:
    given = read_arguments()
    val, test = read_predictions(given.validation), read_predictions(given.test)
    val_known, test_known = read_labels(given.validation_labels), read_labels(given.test_labels)
    val_labels = val_known.table[val_known.table.index.isin(val.index)]
    val_sites, test_sites = val_known.sites, test_known.sites
    if given.deployments:
        deployments = read_deployments(given.deployments)
        val_sites = deployments.sites_of(val_labels.index)
        test_sites = deployments.sites_of(test_known.table.index)
    began = time.perf_counter()
    fitted: dict[str, Calibration] = {
        unit: fit_calibration(
            val_labels, val, source="validation", sites=val_sites, promise=Promise(unit=unit)
        )
        for unit in (get_args(Unit) if val_sites is not None else ("clips",))
    }
    fit_s = (time.perf_counter() - began) / len(fitted)
    calibration = fitted["clips"]
    species = list(calibration.species)
    known = test[species].notna().all(axis=1)
    mapped = test[species].copy()
    mapped[known] = calibration.apply(test.loc[known, species].to_numpy(np.float64))
    frequencies = class_frequencies(val_known.table)
    began = time.perf_counter()
    before = evaluate(test_known.table, test, sites=test_sites, train_frequencies=frequencies)
    after = evaluate(test_known.table, mapped, sites=test_sites, train_frequencies=frequencies, against=test,
                     calibration=calibration)  # fmt: skip
    evaluate_s = time.perf_counter() - began
    table = compare(before, after)
    points = pd.concat({
        unit: evaluate(test_known.table, mapped, sites=test_sites, calibration=c).points.loc["skip blank"]
        for unit, c in fitted.items()
    }, axis=1).T  # fmt: skip
    true = test_known.table[known.reindex(test_known.table.index)][species]
    scores = follow_scores(
        (val_labels[species], val.loc[val_labels.index, species].to_numpy(np.float64)),
        (true, test.loc[true.index, species].to_numpy(np.float64)), calibration,
    )  # fmt: skip
    print(f"{calibration.summary()}; tested on {after.facts['clips']} clips of {after.facts['sites']} sites; "
          f"fitted in {fit_s:.1f} s, evaluated in {evaluate_s:.1f} s\n")  # fmt: skip
    print(table.round(4).to_string())
    print("\nskip blank, lose at most 5 %, by what is promised:\n")
    print(points[["threshold", "clips", "lost", "loss", "loss_low", "loss_high", "blanks_skipped",
                  "blanks_skipped_low", "blanks_skipped_high"]].to_string())  # fmt: skip
    print("\nby the score that decides (unit clips):\n")
    print(scores.to_string())
    if given.out:
        values = {"fitted_on": calibration.summary(), "measures": json.loads(table.to_json(orient="index")),
                  "points": json.loads(points.to_json(orient="index")),
                  "scores": json.loads(scores.to_json(orient="index"))}  # fmt: skip
        given.out.write_text(json.dumps(values, indent=1) + "\n")


if __name__ == "__main__":
    main()
