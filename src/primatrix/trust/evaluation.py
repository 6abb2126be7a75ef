"""How good a model's answers are: every measure with its interval, beside the constant and another model."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primatrix.disk import write_json, write_table
from primatrix.errors import InputError
from primatrix.labels import count_sites
from primatrix.measures import (
    Measures,
    Resample,
    class_frequencies,
    clopper_pearson,
    constant_predictions,
    hit_shares,
    log_losses,
    match_rows,
    measure,
    measure_skipping,
    percentiles,
    precision_recall,
    reliability_table,
    species_log_losses,
)
from primatrix.trust.calibration import Calibration, OperatingPoint, skip_scores
from primatrix.trust.points import share_skipped, shows_something, skip_curve

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
) -> Evaluation:
    """Measure predictions against labels, both clips x species and matched by name.

    Intervals are a bootstrap over `sites` where they are known, else over clips; for `against`, another model's
    predictions, the same draws make a paired interval of the difference. Clips without probabilities are left out
    and counted. `train_frequencies` make the constant predictor (else those of these labels, the best there is).
    `calibration` gives thresholds (else 0.5) and operating points, whose promises are then looked at; `seconds` per
    clip turn clips saved into hours. Raises InputError where clips or species are missing or nothing can be scored,
    or where the calibration was fitted on some of these clips.

    >>> labels = pd.DataFrame({"blank": [1, 0, 0, 1], "hog": [0, 1, 1, 0]}, index=list("abcd"))
    >>> evaluation = evaluate(labels, labels * 0.8 + 0.1)
    >>> evaluation.overall.loc["log_loss", ["value", "constant"]].round(4).tolist()
    [0.1054, 0.6931]
    """
    true, tables = match_all(labels, {"model": predictions, "against": against})
    if calibration:
        check_species(calibration, true)
        calibration.check_unseen(true.index)
    frequencies = class_frequencies(true) if train_frequencies is None else train_frequencies
    tables["constant"] = constant_predictions(pick_species(frequencies, true), true.index)
    drawn = Resample.draw(true.index, sites=sites)
    thresholds = pd.Series(
        calibration.thresholds if calibration else THRESHOLD, index=true.columns, dtype=float
    )
    measured = {
        name: measure_table(
            true, table, thresholds, drawn if name != "constant" else without_replicates(drawn)
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
        skipping=skip_curve(true, prob),
        points=point_table(true, prob, calibration, sites=sites, seconds=lengths),
        facts={
            "clips": len(true),
            "unscored": len(labels) - len(true),
            "beyond_calibration": count_beyond(tables["model"], calibration) if calibration else 0,
            "sites": count_sites(true.index, sites),
            "interval": f"95 % bootstrap over {drawn.unit}, {len(drawn.weights)} draws of {drawn.weights.shape[1]}",
            "constant_from": "these labels themselves"
            if train_frequencies is None
            else "the training labels",
            "calibration": asdict(calibration.fitted_on) | {"sample": []} if calibration else None,
        },
    )


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


def without_replicates(drawn: Resample) -> Resample:
    """The clips themselves only."""
    return Resample(drawn.weights[:0], drawn.unit_of_clip, drawn.unit)


def measure_table(
    true: pd.DataFrame, table: pd.DataFrame, thresholds: "pd.Series[float]", drawn: Resample
) -> Measures:
    """All measures of a table of probabilities, what can be skipped included."""
    prob = table.to_numpy(np.float64)
    measured = measure(
        true.to_numpy(np.float64), prob, thresholds=np.asarray(thresholds, np.float64), resample=drawn
    )
    scores, _ = skip_scores(prob, tuple(true.columns))
    skipping = measure_skipping(scores, shows_something(true).to_numpy(), resample=drawn)
    return Measures(measured.species, {**measured.overall, "blanks_skipped_at_5pct_lost": skipping})


def overall_table(measured: dict[str, Measures]) -> pd.DataFrame:
    """A row per measure: value and interval, the constant's value, and the paired difference."""
    model, other = measured["model"].overall, measured.get("against")
    rows = {}
    for name, values in model.items():
        low, high = percentiles(values[1:])
        row = {"better": "lower" if name in LOWER_IS_BETTER else "higher", "value": values[0], "low": float(low),
               "high": float(high), "constant": measured["constant"].overall[name][0]}  # fmt: skip
        if other:
            gap = values - other.overall[name]
            low, high = percentiles(gap[1:])
            row |= {"against": other.overall[name][0], "difference": gap[0], "difference_low": float(low),
                    "difference_high": float(high)}  # fmt: skip
        rows[name] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("measure")


def species_table(
    true: pd.DataFrame, thresholds: "pd.Series[float]", measured: dict[str, Measures]
) -> pd.DataFrame:
    """A row per species: clips that show it, its threshold, every measure with its interval."""
    columns: dict[str, Any] = {
        "positives": true.sum().astype(int).to_numpy(),
        "threshold": thresholds.to_numpy(),
    }
    for name, values in measured["model"].species.items():
        low, high = percentiles(values[1:])
        columns |= {name: values[0], f"{name}_low": low, f"{name}_high": high}
    for name in PAIRED:
        columns[f"constant_{name}"] = measured["constant"].species[name][0]
        if "against" in measured:
            gap = measured["model"].species[name] - measured["against"].species[name]
            low, high = percentiles(gap[1:])
            columns |= {f"against_{name}": measured["against"].species[name][0], f"{name}_difference": gap[0],
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


def point_table(
    true: pd.DataFrame,
    prob: Floats,
    calibration: Calibration | None,
    *,
    sites: "pd.Series[str] | None",
    seconds: "pd.Series[float] | None",
) -> pd.DataFrame:
    """What each operating point did on these clips, beside what it promised; no row without a calibration."""
    points = calibration.operating_points.values() if calibration else ()
    rows = [follow_point(point, true, prob, sites=sites, seconds=seconds) for point in points]
    return pd.DataFrame(rows).set_index("point") if rows else pd.DataFrame()


def follow_point(
    point: OperatingPoint,
    true: pd.DataFrame,
    prob: Floats,
    *,
    sites: "pd.Series[str] | None",
    seconds: "pd.Series[float] | None",
) -> dict[str, Any]:  # Any: numbers and text
    """One row: clips that had to be kept, how many were lost, and what was saved."""
    skip = point.task == "skip"
    scores = skip_scores(prob, tuple(true.columns))[0] if skip else prob[:, true.columns.get_loc(point.score)]
    keep = shows_something(true).to_numpy() if skip else true[point.score].to_numpy() == 1
    dropped = point.drops(scores)
    lost, clips = int((dropped & keep).sum()), int(keep.sum())
    low, high = clopper_pearson(lost, clips)
    row = {"point": point.name, "threshold": point.threshold, "promised_loss": point.max_loss,
           "confidence": point.confidence, "unit": point.unit, "clips": clips, "lost": lost,
           "loss": lost / clips if clips else np.nan, "loss_low": low, "loss_high": high}  # fmt: skip
    if skip:
        row |= name_share("blanks_skipped", dropped[~keep], true.index[~keep], sites=sites)
        row |= name_share("footage_skipped", dropped, true.index, sites=sites)
        if seconds is not None:
            row |= hours_saved(dropped, true.index, sites=sites, seconds=seconds)
    return row


def name_share(
    name: str, dropped: NDArray[np.bool_], index: pd.Index, *, sites: "pd.Series[str] | None"
) -> dict[str, float]:
    """A skipped share and its interval as three columns; NaN of no clips."""
    share = share_skipped(dropped, index, sites=sites) or (np.nan, np.nan, np.nan)
    return dict(zip((name, f"{name}_low", f"{name}_high"), share, strict=True))


def hours_saved(
    dropped: NDArray[np.bool_],
    index: pd.Index,
    *,
    sites: "pd.Series[str] | None",
    seconds: "pd.Series[float]",
) -> dict[str, float]:
    """Hours of footage skipped, with interval; clips of unknown length count as none."""
    length = np.asarray(seconds.fillna(0), np.float64)
    share = share_skipped(dropped, index, sites=sites, seconds=length) or (np.nan, np.nan, np.nan)
    hours = length.sum() / 3600
    names = ("hours_saved", "hours_saved_low", "hours_saved_high")
    return {**{name: value * hours for name, value in zip(names, share, strict=True)}, "hours": hours}
