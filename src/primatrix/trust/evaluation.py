"""How good a model's answers are: every measure with its interval, beside the constant and another model."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primatrix.disk import write_json, write_table
from primatrix.errors import InputError
from primatrix.labels import count_sites
from primatrix.measures import (
    Jackknife,
    Measures,
    class_frequencies,
    constant_predictions,
    hit_shares,
    log_losses,
    match_rows,
    measure,
    measure_skipping,
    precision_recall,
    reliability_table,
    species_log_losses,
)
from primatrix.results import skip_scores
from primatrix.trust.calibration import Calibration
from primatrix.trust.followup import follow_points
from primatrix.trust.points import shows_something, skip_curve

__all__ = ["ALL", "Evaluation", "evaluate"]

Floats = NDArray[np.float64]
LOWER_IS_BETTER = (
    "log_loss",
    "brier",
    "calibration_error",
    "pooled_calibration_error",
    "top_label_calibration_error",
)
PAIRED = ("log_loss", "average_precision")
SKIPPING = "blanks_skipped_at_5pct_lost"
THRESHOLD = 0.5
ALL = "all species"


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Everything `evaluate` measured, as tables.

    `overall`: a row per measure (mean over species that occur): value, low, high (95 %), constant; with another
    model also against, difference (this - other), difference_low, difference_high. `species`: a row per species.
    `sites`: a row per site, None where none is known. `reliability`: bins per species and of all. `confusion`: clips
    by true (rows) and answered species. `curves`: precision and recall per species. `skipping`: blanks skipped against
    animals lost. `points`: what operating points did on these clips. `facts`: clips, what was drawn, and the rest.
    """

    overall: pd.DataFrame
    species: pd.DataFrame
    sites: pd.DataFrame | None
    reliability: pd.DataFrame
    confusion: pd.DataFrame
    curves: pd.DataFrame
    skipping: pd.DataFrame
    points: pd.DataFrame
    facts: dict[str, Any]  # Any: JSON values of several types

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables by name, without those that are not there."""
        names = ("overall", "species", "sites", "reliability", "confusion", "curves", "skipping", "points")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    @property
    def occurring(self) -> pd.DataFrame:
        """The rows of species that occur, most frequent first."""
        return self.species[self.species["positives"] > 0].sort_values("positives", ascending=False)

    def to_dict(self) -> dict[str, Any]:  # Any: JSON values of several types
        """Plain values for JSON: facts, and tables but `curves` as lists of rows; what cannot be measured is None."""
        rows = {
            name: json.loads(table.reset_index().to_json(orient="records", double_precision=15))
            for name, table in self.tables.items()
            if name != "curves"
        }
        return {**self.facts, **rows}

    def write(self, folder: Path | str) -> list[Path]:
        """Write evaluation.json and a CSV per table into a folder; what cannot be measured is empty there."""
        folder = Path(folder)
        paths = [
            write_table(
                table, folder / f"{name}.csv", index=table.index.name is not None, float_format="%.7g"
            )
            for name, table in self.tables.items()
        ]
        return [*paths, write_json(folder / "evaluation.json", self.to_dict())]


def evaluate(
    labels: pd.DataFrame,
    predictions: pd.DataFrame,
    *,
    sites: "pd.Series[str] | None" = None,
    train_frequencies: "pd.Series[float] | None" = None,
    against: pd.DataFrame | None = None,
    calibration: Calibration | None = None,
    seconds: "pd.Series[float] | None" = None,
    files: Mapping[str, str] | None = None,
) -> Evaluation:
    """Measure predictions against labels, both clips x species and matched by name.

    Intervals are by the jackknife over `sites` where they are known, else over clips; there is none where sites are too
    few for one. For `against`, another model's predictions, the same sites make a paired interval of the difference.
    Clips without probabilities are left out and counted. `train_frequencies` make the constant predictor (else those of
    these labels, the best there is). `calibration` gives thresholds (else 0.5) and operating points, whose promises are
    then looked at; `seconds` per clip turn clips saved into hours; `files` say what each clip's file is. Raises
    InputError where clips or species are missing or nothing can be scored, or where the calibration was fitted on some
    of these clips.

    >>> labels = pd.DataFrame({"blank": [1, 0, 0, 1], "hog": [0, 1, 1, 0]}, index=list("abcd"))
    >>> evaluation = evaluate(labels, labels * 0.8 + 0.1)
    >>> evaluation.overall.loc["log_loss", ["value", "constant"]].round(4).tolist()
    [0.1054, 0.6931]
    """
    true, tables = match_all(labels, {"model": predictions, "against": against})
    if calibration:
        check_species(calibration, true)
        calibration.check_unseen(true.index, files=files)
    frequencies = class_frequencies(true) if train_frequencies is None else train_frequencies
    tables["constant"] = constant_predictions(pick_species(frequencies, true), true.index)
    groups = Jackknife.over(true.index, sites=sites)
    thresholds = pd.Series(
        calibration.thresholds if calibration else THRESHOLD, index=true.columns, dtype=float
    )
    measured = {
        name: measure_table(
            true, table, thresholds, groups if name != "constant" else groups.leave_nothing_out()
        )
        for name, table in tables.items()
    }
    prob = tables["model"].to_numpy(np.float64)
    lengths = None if seconds is None else match_seconds(seconds, true)
    return Evaluation(
        overall=overall_table(measured),
        species=species_table(true, thresholds, measured),
        sites=None if sites is None else site_table(true, prob, sites),
        reliability=reliability_tables(true, prob),
        confusion=confusion_table(true, prob),
        curves=curve_table(true, prob),
        skipping=skip_curve(true, prob, sites=sites),
        points=follow_points(true, prob, calibration, sites=sites, seconds=lengths),
        facts={
            "clips": len(true),
            "unscored": len(labels) - len(true),
            "beyond_calibration": count_beyond(tables["model"], calibration) if calibration else 0,
            "sites": count_sites(true.index, sites),
            "interval": f"95 %, {say_groups(groups)}",
            "constant_from": "these labels themselves"
            if train_frequencies is None
            else "the training labels",
            "calibration": asdict(calibration.fitted_on) | {"sample": []} if calibration else None,
        },
    )


def say_groups(groups: Jackknife) -> str:
    """What intervals rest on, in words."""
    alone = ", taken as independent: no site is known" if groups.unit == "clips" else ""
    return groups.describe() + alone


def match_all(
    labels: pd.DataFrame, tables: dict[str, pd.DataFrame | None]
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Labels and tables of probabilities of the clips that have probabilities in all tables."""
    matched = {name: match_rows(labels, table) for name, table in tables.items() if table is not None}
    known = np.logical_and.reduce([table.notna().all(axis=1) for table in matched.values()])
    if not known.any():
        raise InputError("predictions: no labelled clip has probabilities, so there is nothing to evaluate")
    true = labels[known]
    for table in matched.values():
        species_log_losses(true, table[known])  # InputError for what is no label or no probability
    return true, {name: table[known] for name, table in matched.items()}


def count_beyond(prob: pd.DataFrame, calibration: Calibration) -> int:
    """Clips with a probability that the calibration does not give, so that its thresholds are not meant for them."""
    values = prob[list(calibration.species)].to_numpy(np.float64)
    return int((~calibration.can_give(values)).any(axis=1).sum())


def check_species(calibration: Calibration, true: pd.DataFrame) -> None:
    """InputError where a calibration is not for the labels' species: its thresholds would be read for others."""
    differing = sorted(set(calibration.species) ^ set(true.columns))
    if differing:
        raise InputError(
            f"calibration: it and the labels differ in species {', '.join(differing[:5])}; wanted a column of labels "
            "for each species of the model, 0 where no clip shows it"
        )


def match_seconds(seconds: "pd.Series[float]", true: pd.DataFrame) -> "pd.Series[float]":
    """How long each labelled clip lasts; InputError where that is known of none."""
    lengths = seconds.reindex(true.index)
    if not lengths.sum() > 0:
        raise InputError(
            f"durations: got no length for any of the {len(true)} clips; wanted them under the labels' names, the "
            f"first {true.index[0]}"
        )
    return lengths


def pick_species(frequencies: "pd.Series[float]", true: pd.DataFrame) -> "pd.Series[float]":
    """The frequencies of these species in their order."""
    missing = sorted(set(true.columns) - set(frequencies.index))
    if missing:
        raise InputError(
            f"training labels: species {', '.join(missing)} are missing; wanted all that are evaluated"
        )
    return frequencies[true.columns]


def measure_table(
    true: pd.DataFrame, table: pd.DataFrame, thresholds: "pd.Series[float]", groups: Jackknife
) -> Measures:
    """All measures of a table of probabilities, what can be skipped included."""
    prob = table.to_numpy(np.float64)
    measured = measure(
        true.to_numpy(np.float64), prob, thresholds=np.asarray(thresholds, np.float64), groups=groups
    )
    scores, _ = skip_scores(prob, tuple(true.columns))
    skipping, basis = measure_skipping(scores, shows_something(true).to_numpy(), groups=groups)
    return replace(
        measured,
        overall={**measured.overall, SKIPPING: skipping},
        overall_bases={**measured.overall_bases, SKIPPING: basis},
    )


def overall_table(measured: dict[str, Measures]) -> pd.DataFrame:
    """A row per measure: value and interval, the constant's value, and the paired difference."""
    model, other = measured["model"], measured.get("against")
    rows = {}
    for name, values in model.overall.items():
        low, high = model.overall_interval(name)
        row = {"better": "lower" if name in LOWER_IS_BETTER else "higher", "value": values[0], "low": low,
               "high": high, "constant": measured["constant"].overall[name][0]}  # fmt: skip
        if other:
            low, high = model.overall_difference(other, name)
            row |= {"against": other.overall[name][0], "difference": values[0] - other.overall[name][0],
                    "difference_low": low, "difference_high": high}  # fmt: skip
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("measure")


def species_table(
    true: pd.DataFrame, thresholds: "pd.Series[float]", measured: dict[str, Measures]
) -> pd.DataFrame:
    """A row per species: clips that show it, its threshold, every measure with its interval."""
    model, other = measured["model"], measured.get("against")
    columns: dict[str, Any] = {
        "positives": true.sum().astype(int).to_numpy(),
        "threshold": thresholds.to_numpy(),
    }
    for name, values in model.species.items():
        low, high = model.species_interval(name)
        columns |= {name: values[0], f"{name}_low": low, f"{name}_high": high}
    for name in PAIRED:
        columns[f"constant_{name}"] = measured["constant"].species[name][0]
        if other:
            low, high = model.species_difference(other, name)
            gap = model.species[name][0] - other.species[name][0]
            columns |= {f"against_{name}": other.species[name][0], f"{name}_difference": gap,
                        f"{name}_difference_low": low, f"{name}_difference_high": high}  # fmt: skip
    return pd.DataFrame(columns, index=pd.Index(true.columns, name="species"))


def site_table(true: pd.DataFrame, prob: Floats, sites: "pd.Series[str]") -> pd.DataFrame:
    """A row per site: clips, share of blanks, species seen, log loss, Brier score and top-n hits."""
    values = true.to_numpy(np.float64)
    labelled = values.any(axis=1)
    table = pd.DataFrame({
        "site": sites.reindex(true.index).fillna("").to_numpy(),
        "blank": ~shows_something(true).to_numpy(),
        "log_loss": log_losses(values, prob).mean(axis=1),
        "brier": ((prob - values) ** 2).mean(axis=1),
        "top_n": np.where(labelled, hit_shares(values, prob), np.nan),
    })  # fmt: skip
    grouped = table.groupby("site")
    means = grouped.mean()
    means.insert(0, "clips", grouped.size())
    seen = true.groupby(table["site"].to_numpy()).max().drop(columns="blank", errors="ignore").sum(axis=1)
    means.insert(2, "species", seen.reindex(means.index).astype(int))
    return means


def reliability_tables(true: pd.DataFrame, prob: Floats) -> pd.DataFrame:
    """Bins of all species together, then of each species that occurs."""
    values = true.to_numpy(np.float64)
    parts = [reliability_table(values.ravel(), prob.ravel()).assign(species=ALL)]
    for s, name in enumerate(true.columns):
        if values[:, s].any():
            parts.append(reliability_table(values[:, s], prob[:, s]).assign(species=name))
    return pd.concat(parts).set_index("species")


def confusion_table(true: pd.DataFrame, prob: Floats) -> pd.DataFrame:
    """Clips by true species (rows) and answered species: a clip with n species answers with its n most probable.

    Species that are among them count as themselves; one that is not is shared out among the answers that are wrong,
    so that every row adds up to the species' clips.
    """
    values = true.to_numpy(np.float64)
    count = values.sum(axis=1)
    rank = np.argsort(np.argsort(-prob, axis=1, kind="stable"), axis=1)
    answered = rank < count[:, None]
    hits, missed, wrong = values * answered, values * ~answered, answered * (1 - values)
    shared = missed.T @ (wrong / np.maximum(wrong.sum(axis=1, keepdims=True), 1))
    table = shared + np.diag(hits.sum(axis=0))
    return pd.DataFrame(table, pd.Index(true.columns, name="true"), true.columns)


def curve_table(true: pd.DataFrame, prob: Floats, *, most: int = 200) -> pd.DataFrame:
    """Recall and precision of each species that occurs, from recall 0 on, thinned to `most` points and the first."""
    parts = []
    for s, name in enumerate(true.columns):
        positive = true[name].to_numpy() == 1
        if positive.any():
            recall, precision = precision_recall(prob[:, s], positive)
            at = np.unique(np.linspace(0, len(recall) - 1, most).round().astype(int))
            points = {"recall": np.append(0, recall[at]), "precision": precision[np.append(0, at)]}
            parts.append(pd.DataFrame({"species": name, **points}))
    return pd.concat(parts).set_index("species") if parts else pd.DataFrame()
