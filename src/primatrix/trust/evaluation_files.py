"""Evaluates the tables a person has and says what came out: in lines, in files and in figures."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from primatrix.disk import NAME_COLUMNS, read_epochs, read_facts, read_header, read_table
from primatrix.errors import InputError
from primatrix.footage import match_names, read_deployments
from primatrix.interchange import read_labels
from primatrix.labels import choose_scored, choose_trained
from primatrix.measures import class_frequencies
from primatrix.results import read_origin, read_predictions, say_share
from primatrix.trust.calibration import Calibration
from primatrix.trust.evaluation import Evaluation, evaluate
from primatrix.trust.figures import write_figures
from primatrix.trust.provenance import find_trained, refuse_others_answers
from primatrix.trust.score import say_lost_of

__all__ = ["Beside", "check_figures", "describe_evaluation", "evaluate_files", "write_evaluation"]

TOO_FEW = "(too few sites)"
SHOWN = ("log_loss", "average_precision", "roc_auc", "f1", "brier", "calibration_error", "top_label_calibration_error",
         "top_n", "blanks_skipped_at_5pct_lost")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Beside:
    """Files that an evaluation looks at beside predictions and labels; each may be missing.

    `deployments` names the clips' sites (see `read_deployments`), `model` is a model's folder (thresholds, operating
    points, losses), `durations` a CSV with `duration_seconds`.
    """

    deployments: Path | None = None
    train_labels: Path | None = None
    against: Path | None = None
    model: Path | None = None
    durations: Path | None = None


def evaluate_files(labels: Path, predictions: Path, *, beside: Beside | None = None) -> Evaluation:
    """Evaluate a predictions CSV against a label file (see `read_labels`); other files as `beside` names them."""
    beside, origin = beside or Beside(), read_origin(predictions)
    if beside.model:
        refuse_others_answers(origin, predictions, model=beside.model)
    calibration = read_calibration(beside.model) if beside.model else None
    known = choose_scored(read_labels(labels)).spell(calibration.species if calibration else ())
    told = choose_trained(read_labels(beside.train_labels)) if beside.train_labels else None
    train = told.spell(known.species).table if told else None
    table = read_deployments(beside.deployments) if beside.deployments else None
    answers = read_predictions(predictions)
    evaluation = evaluate(
        add_species(known.table, calibration.species if calibration else ()),
        answers,
        sites=table.sites_of(known.table.index) if table else known.sites,
        train_frequencies=None if train is None else class_frequencies(train),
        against=read_predictions(beside.against) if beside.against else None,
        calibration=calibration,
        seconds=read_durations(beside.durations, clips=known.table.index) if beside.durations else None,
        files=origin.files if origin else None,
    )
    facts: dict[str, Any] = {"lost": say_lost_of(predictions, known.table.index)}  # Any: numbers and text
    if beside.model:
        scored = list(known.table.index.intersection(answers.index))
        fold = "fold" in read_header(predictions)
        facts["trained_on"] = len(find_trained(predictions, scored, model=beside.model, out_of_fold=fold))
    return replace(evaluation, facts={**evaluation.facts, **{k: v for k, v in facts.items() if v}})


def add_species(labels: pd.DataFrame, species: Sequence[str]) -> pd.DataFrame:
    """Labels with a column for each of a model's species: one that no clip shows has none in a long label file.

    >>> add_species(pd.DataFrame({"hog": [1.0]}, index=["a.mp4"]), ["blank", "hog"])
           hog  blank
    a.mp4  1.0    0.0
    """
    missing = [name for name in species if name not in labels.columns]
    return labels.reindex(columns=[*labels.columns, *missing], fill_value=np.float32(0))


def read_calibration(folder: Path) -> Calibration | None:
    """The calibration of a saved model, None where it has none."""
    values = read_facts(folder).get("calibration")
    return Calibration.from_dict(values) if values else None


def read_durations(path: Path, *, clips: Iterable[str] = ()) -> "pd.Series[float]":
    """Seconds of each clip, from any CSV with `filepath` (or `filename`) and `duration_seconds`.

    Those that are among `clips` have their names, however the file writes them (see `match_names`).
    """
    raw = read_table(path)
    names = next((name for name in NAME_COLUMNS if name in raw.columns), None)
    if names is None or "duration_seconds" not in raw.columns:
        raise InputError(f"{path}: got columns {', '.join(map(str, raw.columns[:5]))}; wanted `filepath` (or "
                         "`filename`) and `duration_seconds`")  # fmt: skip
    unique = raw.drop_duplicates(names).set_index(names)["duration_seconds"]
    named = unique.rename(match_names(unique.index, clips, table=path))
    return pd.to_numeric(named, errors="coerce").astype(float)


def write_evaluation(
    evaluation: Evaluation, folder: Path, *, model: Path | None = None, figures: bool = True
) -> list[Path]:
    """Write tables and, unless told otherwise, figures into a folder; `model` adds its training's losses."""
    paths = evaluation.write(folder)
    if figures:
        losses = pd.DataFrame(read_epochs(model)) if model else None
        paths += write_figures(evaluation, folder, losses=losses)
    return paths


def check_figures() -> None:
    """InputError where figures cannot be drawn, before the work begins."""
    if find_spec("matplotlib") is None:
        raise InputError(
            "figures: matplotlib is not installed; pip install 'primatrix[figures]', or --no-figures"
        )


def describe_evaluation(evaluation: Evaluation) -> str:
    """Lines for the terminal: a line per species, the measures over all, and what operating points did."""
    facts = evaluation.facts
    lines = [facts["lost"], ""] if facts.get("lost") else []
    lines += [*species_lines(evaluation.species), ""]
    where = f" of {facts['sites']} sites" if facts["sites"] else ""
    lines.append(f"{facts['clips']} clips{where}; interval: {facts['interval']}")
    if facts["unscored"]:
        lines.append(f"{facts['unscored']} labelled clips have no probabilities and were not scored")
    if facts.get("trained_on"):
        lines.append(
            f"the model was trained on {facts['trained_on']} of these clips, so it looks better than it is"
        )
    if facts["beyond_calibration"]:
        lines.append(
            f"{facts['beyond_calibration']} clips have probabilities that the model's calibration does not give "
            "(made with --raw, before it was calibrated or by another model, or weighed by neighbours): its thresholds "
            "are meant for those it gives"
        )
    lines += overall_lines(evaluation.overall)
    lines.append(f"constant: class frequencies of {facts['constant_from']}")
    if len(evaluation.points):
        lines += point_lines(evaluation.points)
    return "\n".join(lines)


def species_lines(table: pd.DataFrame) -> list[str]:
    """Clips, average precision with interval, ROC area, F1, calibration error and log loss of every species."""
    width = max(len(str(name)) for name in table.index)
    lines = [
        f"{'species':<{width}}  clips  average precision     ROC area  F1     calibration error  log loss  constant"
    ]
    for name, row in table.to_dict("index").items():
        spread = interval(row, "average_precision", digits=2) if row["positives"] else ""
        lines.append(
            f"{name:<{width}}  {row['positives']:>5}  {number(row['average_precision'], 3)} {spread:<14} "
            f"{number(row['roc_auc'], 3):>9}  {number(row['f1'], 3)}  {row['calibration_error']:>17.4f}  "
            f"{row['log_loss']:>8.4f}  {row['constant_log_loss']:>8.4f}"
        )
    return lines


def overall_lines(table: pd.DataFrame) -> list[str]:
    """Value, interval, constant and difference to another model of the main measures."""
    paired = "difference" in table
    lines = [
        f"{'mean over species':<28}  value   (interval)          constant"
        + paired * "  other   this - other (interval)"
    ]
    rows = table.to_dict("index")
    for name in SHOWN:
        row = rows[name]
        without = "(no interval)" if name.endswith("calibration_error") else TOO_FEW
        ends = interval(row, without=without)
        text = f"{name.replace('_', ' '):<28}  {number(row['value'], 4)}  {ends:<18}  {number(row['constant'], 4)}"
        if paired:
            gap = interval(row, "difference", sign="+", without=without)
            text += f"    {number(row['against'], 4)}  {row['difference']:+.4f} {gap}"
        lines.append(text)
    return lines


def point_lines(points: pd.DataFrame) -> list[str]:
    """What skipping did, and how many promises about single species came out."""
    skip = points.to_dict("index")["skip blank"]
    if pd.isna(skip["threshold"]):
        lines = ["skip blank: too few clips were there to promise anything, so none is skipped"]
    elif not skip["clips"]:
        lines = [f"skip blank: no clip here shows an animal, so none is lost; {skipped_blanks(skip)}"]
    else:
        lines = [f"skip blank (promised: at most {say_share(skip['promised_loss'])} of animals lost): lost "
                 f"{skip['lost']} of {skip['clips']}, {100 * skip['loss']:.1f} % {interval(skip, 'loss', times=100)}; "
                 f"{skipped_blanks(skip)}"]  # fmt: skip
    if "hours" in points:
        lines.append(f"  {skip['hours_saved']:.1f} of {skip['hours']:.1f} hours need not be watched "
                     f"{interval(skip, 'hours_saved', digits=1)}")  # fmt: skip
    find = points[points["threshold"].notna() & (points["clips"] > 0)].drop("skip blank", errors="ignore")
    kept = int((find["loss"] <= find["promised_loss"]).sum())
    lines.append(f"find: {kept} of {len(find)} species with a promise were found as often as promised")
    return lines


def skipped_blanks(skip: dict[Hashable, Any]) -> str:  # Any: numbers and text
    """The share of blank clips that is skipped, with its interval."""
    if np.isnan(skip["blanks_skipped"]):
        return "no clip here is blank"
    ends = interval(skip, "blanks_skipped", times=100)
    return f"skipped {100 * skip['blanks_skipped']:.1f} % of the blanks {ends}"


def interval(
    row: Mapping[Hashable, Any],  # Any: numbers and text
    name: str = "",
    *,
    digits: int | None = None,
    times: float = 1,
    sign: str = "",
    without: str = TOO_FEW,
) -> str:
    """The interval of a measure in a row of columns `name_low` and `name_high`; words where there is none.

    >>> interval({"low": 0.25, "high": 0.5}), interval({"loss_low": float("nan"), "loss_high": 1.0}, "loss")
    ('(0.2500 to 0.5000)', '(too few sites)')
    """
    low, high = (times * row[f"{name}_{end}".removeprefix("_")] for end in ("low", "high"))
    if np.isnan(low) or np.isnan(high):
        return without
    digits = digits if digits is not None else 1 if times > 1 else 4
    return f"({low:{sign}.{digits}f} to {high:{sign}.{digits}f})"


def number(value: float, digits: int) -> str:
    """A number, or "-" padded to its width where there is none.

    >>> number(0.25, 3), number(float("nan"), 3)
    ('0.250', '-    ')
    """
    return f"{'-':<{digits + 2}}" if np.isnan(value) else f"{value:.{digits}f}"
