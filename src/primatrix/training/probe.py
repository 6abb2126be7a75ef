"""Training a linear probe: features of all training clips at once, and the layer that fits them best."""

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.special import expit

from primatrix.data import Dataset
from primatrix.disk import STATE, Facts
from primatrix.errors import InputError
from primatrix.labels import split_folds
from primatrix.measures import aggregated_log_loss
from primatrix.models import LinearProbe, Model, Processor, pool_clips, read_state, write_state
from primatrix.records import OnProgress
from primatrix.results import Origin, write_origin
from primatrix.training.answers import OUT_OF_FOLD, write_answers
from primatrix.training.head import Head, fit_head
from primatrix.training.recipe import EpochScores, TrainingData, TrainSpec
from primatrix.training.snapshot import check_settings, keep_calibration, name_settings
from primatrix.training.verdict import describe_gains, describe_species
from primatrix.trust import TrainingClips

__all__ = ["MOST_FITTED", "Fitted", "describe_fit", "fit_probe", "is_fitted"]

MOST_FITTED = 20_000  # whose features are fitted at once: above, the training loop takes them batch by batch
LEAST_CLIPS = 2
FOLDS = 4  # to choose how strongly to regularise
AT_ONCE = 1024  # clips whose features are read together

Singles = NDArray[np.float32]

logger = logging.getLogger(__name__)


def is_fitted(data: TrainingData, model: Model) -> TypeGuard[Dataset]:
    """Whether the model is fitted to all clips at once, rather than step by step as in a dry run that takes few."""
    return (
        isinstance(model.network, LinearProbe)
        and isinstance(data, Dataset)
        and data.num_samples <= MOST_FITTED
        and data.look_ahead_clips is None
    )


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What fitting gave: losses of the clips left out and of those that validate, and the answers to the former.

    `true`, `answers` and `halved` (the same by half the labels) are clips x species, `fold_of` is each clip's fold.
    """

    scores: EpochScores
    true: pd.DataFrame
    answers: pd.DataFrame
    halved: pd.DataFrame
    fold_of: "pd.Series[int]"


def fit_probe(
    model: Model,
    data: Dataset,
    *,
    spec: TrainSpec,
    processor: Processor,
    folder: Path | None,
    on_progress: OnProgress | None,
) -> Fitted:
    """Fit the model's layer in place, and say how well; where there is a folder, the model is written there.

    Raises InputError where there are too few clips, ModelError where the folder has a run with other settings.
    """
    started = time.perf_counter()
    of_steps = {*spec.to_dict(), "num_batches", "batch_size"}  # no step is taken
    settings = name_settings(model, data, spec=spec, processor=processor)
    settings = {name: value for name, value in settings.items() if name not in of_steps}
    if folder is not None and (folder / STATE).is_file():
        check_settings(settings, saved=read_state(folder / STATE)[1]["settings"], path=folder / STATE)
    data.pack(labelled_only=True, on_progress=on_progress)
    names, x = read_pooled(data, data.X_train)
    if len(names) < LEAST_CLIPS:
        raise InputError(
            f"{data.datapath}: got {len(names)} labelled clips to learn from that can be read, wanted {LEAST_CLIPS} or "
            "more; label more clips"
        )
    true, fold_of = data.y_train.loc[names], choose_folds(data, names)
    head = fit_head(x, true.to_numpy(np.float32), folds=np.asarray(fold_of, np.int64))
    put_head(model, head)
    logger.info("%d clips fitted with a penalty of %g", len(names), head.penalty)
    seconds = time.perf_counter() - started
    scores = EpochScores(head.loss, measure_validation(model, data), seconds, len(names) / max(seconds, 1e-9))
    describe_probe(model, data, scores, spec=spec)
    answers, halved = (
        pd.DataFrame(expit(logits), index=true.index, columns=true.columns)
        for logits in (head.left_out, head.halved)
    )
    fitted = Fitted(scores, true, answers, halved, fold_of)
    if folder is not None:
        write_probe(model, data, fitted, folder=folder, settings=settings)
    return fitted


def write_probe(model: Model, data: Dataset, fitted: Fitted, *, folder: Path, settings: Facts) -> None:
    """Write the model, which settings it was fitted with, and oof.csv: each clip's answers from folds without it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_state(folder / STATE, tensors={}, facts={"settings": settings})
    if write_answers(fitted.answers, fitted.fold_of, folder / OUT_OF_FOLD):
        keep_calibration(model, folder)
    model.save(folder)
    files = data.identify(fitted.answers.index)
    write_origin(folder / OUT_OF_FOLD, Origin(model.name, model.digest, out_of_fold=True, files=files))


def describe_fit(fitted: Fitted, data: Dataset) -> tuple[tuple[str, ...], str]:
    """Lines on the species, and the verdict: by the clips left out in turn, at other sites where sites are known."""
    sites = None if data.sites is None else data.sites.reindex(fitted.true.index)
    lines, verdict = describe_species(fitted.true, fitted.answers, sites=sites, fold_of=fitted.fold_of)
    gains = describe_gains(fitted.true, fitted.answers, fitted.halved)
    return (*lines, *([gains] if gains else [])), verdict


def read_pooled(data: Dataset, names: Iterable[str]) -> tuple[list[str], Singles]:
    """Those of these clips that can be read, and their pooled features (N, 3 D)."""
    part, found = data.hold_out(names), list[str]()
    parts: list[Singles] = []
    for x in part.test_batches(AT_ONCE):
        failed = set(part.bad_videos)
        good = [name not in failed for name in part.test_batch_ids]
        found += part.test_batch_ids[good].tolist()
        parts.append(pool_clips(torch.from_numpy(x[good])).numpy())
    return found, np.concatenate(parts)


def choose_folds(data: Dataset, names: list[str]) -> "pd.Series[int]":
    """The fold of each clip: whole sites where there are two or more, else clips by themselves."""
    labels = data.y_train.loc[names]
    sites = None if data.sites is None else data.sites.reindex(names)
    if sites is not None and sites.replace("", None).nunique() < 2:
        sites = None
    units = len(names) if sites is None else len(set(sites))
    return split_folds(labels, sites=sites, folds=min(FOLDS, units))


def put_head(model: Model, head: Head) -> None:
    """Give what was learned to the network."""
    assert isinstance(model.network, LinearProbe)
    weights = {
        "layer.weight": head.weights, "layer.bias": head.bias, "shift": head.shift, "scale": head.scale,
    }  # fmt: skip
    model.network.load_state_dict(
        {name: torch.from_numpy(np.ascontiguousarray(w)) for name, w in weights.items()}
    )


def measure_validation(model: Model, data: Dataset) -> float:
    """The aggregated log loss of the validation clips that can be read; nan where there are none."""
    if not len(data.X_val):
        return float("nan")
    assert isinstance(model.network, LinearProbe)
    names, x = read_pooled(data, data.X_val)
    if not names:
        return float("nan")
    with torch.inference_mode():
        answers = model.network.answer(torch.from_numpy(x)).sigmoid().numpy()
    true = data.y_val.loc[names]
    return aggregated_log_loss(true, pd.DataFrame(answers, index=true.index, columns=true.columns))


def describe_probe(model: Model, data: Dataset, scores: EpochScores, *, spec: TrainSpec) -> None:
    """Note in the model how it was trained, and how well."""
    values = {"left_out_loss": scores.loss, "val_loss": scores.val_loss}
    model.scores = {name: value for name, value in values.items() if np.isfinite(value)}
    model.recipe = spec.to_dict()
    model.calibration = None  # other weights had it
    clips = TrainingClips.of(data.identify(data.X_train))
    model.trained_on = clips | (model.trained_on or TrainingClips())
    model.clip_seconds = data.measure_clip_seconds()
