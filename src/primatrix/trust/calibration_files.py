"""Calibrates a saved model from tables: its own predictions for clips it was not trained on, and labels."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from primatrix.choices import PredictedBy
from primatrix.disk import read_facts, update_facts
from primatrix.errors import InputError
from primatrix.footage import match_names, read_deployments
from primatrix.interchange import read_labels
from primatrix.labels import choose_fitted
from primatrix.results import read_origin, read_predictions
from primatrix.trust.calibration import Calibration, Share, sample_names
from primatrix.trust.fit import fit_calibration
from primatrix.trust.points import Promise
from primatrix.trust.provenance import refuse_others_answers, refuse_trained

__all__ = ["calibrate_model", "describe_calibration"]


def calibrate_model(
    folder: Path | str,
    *,
    labels: Path,
    predictions: Path,
    deployments: Path | None = None,
    source: PredictedBy = "validation",
    promise: Promise | None = None,
) -> Calibration:
    """Fit a calibration to predictions (CSV, made with `predict --raw` or out of fold) and save it in the model.

    Labelled clips without a row in the predictions are left out: labels of all clips do for validation clips alone.
    `deployments` is a table that names their sites (see `read_deployments`), where the label file does not.
    Raises InputError where the predictions are another model's, calibrated already, for other species or for clips that
    the model was trained on, and as `fit_calibration`.
    """
    facts, origin = read_facts(folder), read_origin(predictions)
    refuse_others_answers(origin, predictions, model=folder)
    known, table = read_labels(labels), read_predictions(predictions)
    species = list(facts["species"])
    known = choose_fitted(known, out_of_fold=source == "out-of-fold").spell(species)
    known = known.rename(match_names(known.table.index, table.index, table=labels))
    missing = sorted(set(species) - set(table.columns))
    if missing:
        raise InputError(f"{predictions}: no column for {', '.join(missing[:5])}; wanted the model's {len(species)} "
                         "species: predict with this model")  # fmt: skip
    if origin and origin.calibrated:
        raise InputError(
            f"{predictions}: made by a calibrated model; wanted the model's own: predict with --raw"
        )
    if facts.get("calibration"):
        check_own(table, Calibration.from_dict(facts["calibration"]), path=predictions)
    true = known.table[known.table.index.isin(table.index)]
    refuse_strangers(true, species, path=labels)
    answered = true.index.intersection(table.index[table[species].notna().all(axis=1)])
    refuse_trained(predictions, list(answered), model=folder, out_of_fold=source == "out-of-fold")
    calibration = fit_calibration(
        true.reindex(columns=species, fill_value=np.float32(0)), table[species], source=source, promise=promise,
        sites=read_deployments(deployments).sites_of(true.index) if deployments else known.sites,
    )  # fmt: skip
    files = [origin.files.get(name, "") for name in true.index] if origin else [""]
    fitted_on = replace(calibration.fitted_on, answers=digest_answers(table[species]),
                        files=sample_names(files) if all(files) else ())  # fmt: skip
    calibration = replace(calibration, fitted_on=fitted_on)
    update_facts(folder, calibration=calibration.to_dict())
    return calibration


def refuse_strangers(true: pd.DataFrame, species: list[str], *, path: Path) -> None:
    """InputError where clips show what the model does not know: they would count as blank and spoil the promise."""
    shown = true.sum()
    strange = sorted(str(name) for name in shown.index[shown > 0] if name not in species)
    if strange:
        clips = int((true.drop(columns=species, errors="ignore") > 0).any(axis=1).sum())
        raise InputError(f"{path}: {clips} clips show {', '.join(strange[:5])}, which the model does not know; wanted "
                         "its species: label these clips with one of them, or take them out")  # fmt: skip


def check_own(table: pd.DataFrame, calibration: Calibration, *, path: Path) -> None:
    """InputError where all probabilities lie within the model's calibration: fitting again would apply it twice.

    Those it was fitted on itself may be used again, for another promise: they were the model's own then.
    """
    if digest_answers(table[list(calibration.species)]) == calibration.fitted_on.answers:
        return
    if calibration.can_give(table[list(calibration.species)].to_numpy(np.float64)).all():
        raise InputError(f"{path}: every probability lies within the floors and ceilings of the model's calibration, "
                         "so these are calibrated; wanted the model's own: predict with --raw")  # fmt: skip


def digest_answers(table: pd.DataFrame) -> str:
    """16 hexadecimal digits of a table of probabilities, its clips' names included."""
    rows = pd.util.hash_pandas_object(table).to_numpy()
    return hashlib.blake2b(rows.tobytes(), digest_size=8).hexdigest()


def describe_calibration(calibration: Calibration) -> str:
    """Lines for the terminal: what it rests on, what may be skipped, and a line per species."""
    skip = calibration.operating_points["skip blank"]
    lines = [calibration.summary(), skip.summary()]
    if skip.saved and skip.footage:
        lines.append(f"  blank clips skipped: {percent(skip.saved)}")
        lines.append(
            f"  hours saved of every 100, where clips are equally long: {percent(skip.footage, unit='')}"
        )
    width = max(len(name) for name in calibration.species)
    lines.append(f"{'species':<{width}}  clips     floor  ceiling  tag from  find from  kept when skipping")
    for i, name in enumerate(calibration.species):
        find = calibration.operating_points.get(f"find {name}")
        found = "-" if find is None or find.threshold is None else f"{find.threshold:.2g}"
        kept = skip.recall.get(name)
        lines.append(
            f"{name:<{width}}  {calibration.fitted_on.positives[name]:>5}  {calibration.floors[i]:>8.2g}  "
            f"{calibration.ceilings[i]:>7.4f}  {calibration.thresholds[name]:>8.2f}  {found:>9}  "
            f"{'-' if kept is None else f'{kept:.1%}':>6}"
        )
    return "\n".join(lines)


def percent(share: Share, *, unit: str = " %") -> str:
    """A share with its interval.

    >>> percent((0.634, 0.61, 0.66)), percent((0.5, None, None), unit="")
    ('63.4 % (61.0 to 66.0)', '50.0 (too few sites for an interval)')
    """
    value, low, high = share
    ends = (
        "too few sites for an interval"
        if low is None or high is None
        else f"{100 * low:.1f} to {100 * high:.1f}"
    )
    return f"{100 * value:.1f}{unit} ({ends})"
