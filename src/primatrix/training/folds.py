"""Training fold by fold: every labelled clip answered by a model that has not seen it, nor its site."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from primatrix.data import Dataset
from primatrix.disk import FACTS, read_table, write_table
from primatrix.errors import InputError, ModelError
from primatrix.footage import match_names
from primatrix.labels import describe_folds, split_folds
from primatrix.measures import aggregated_log_loss, class_frequencies, constant_predictions
from primatrix.models import (
    Ensemble,
    Model,
    choose_processor,
    combine_families,
    load_model,
    read_state,
)
from primatrix.progress import ShowProgress, show_progress
from primatrix.results import Origin, write_origin
from primatrix.training.answers import OUT_OF_FOLD, answer_held_out, write_answers
from primatrix.training.loop import hold_run, train_one
from primatrix.training.recipe import History, TrainSpec, settle
from primatrix.training.stacking import Stack, fit_stack
from primatrix.training.team import gather_team

__all__ = ["FoldRun", "stack_folds", "train_folds"]

ANSWERS = (
    "oof.safetensors"  # of one fold: probabilities (N, S) and statistics (N, S, 7), nan where a clip failed
)


@dataclass(frozen=True, slots=True, eq=False)
class FoldRun:
    """What training by folds gave: `table` has each clip's fold and probabilities (NaN where it failed).

    `loss` and `constant` are aggregated log losses over all clips that could be read: of the answers, and of
    the class frequencies of the same clips. `ensemble` averages the folds' models, `split` says how many clips of what
    there were.
    """

    table: pd.DataFrame
    histories: tuple[History, ...]
    loss: float
    constant: float
    folder: Path
    ensemble: Ensemble
    split: tuple[str, ...] = ()

    def summary(self) -> str:
        """Lines for the terminal."""
        ends = [f"fold {i}: {history.summary().splitlines()[-1]}" for i, history in enumerate(self.histories)]
        word = "better" if self.loss < self.constant else "worse"
        score = (
            f"out-of-fold aggregated log loss {self.loss:.4f}, {word} than the constant's {self.constant:.4f} "
            f"({self.loss / self.constant:.2f} of it): {self.folder / OUT_OF_FOLD}"
        )
        lines = [self.histories[-1].lost, *self.split, *ends, score]  # the last fold has met all clips
        return "\n".join(line for line in lines if line)


def train_folds(
    make_model: Callable[[], Model],
    data: Dataset,
    *,
    folder: Path | str,
    folds: int = 5,
    spec: TrainSpec | None = None,
    on_progress: ShowProgress = "auto",
) -> FoldRun:
    """Train a model per fold on all other folds, and answer its fold's clips with it.

    Folds are `split_folds` of all labelled clips with seed 0: by site where sites are known. `folder` gets a model
    folder per fold, oof.csv, and what makes it an ensemble for `load_model`. Killed at any moment, the same call
    goes on. Answers are those of the uncalibrated models. Without a `spec` the last epoch of each fold is kept: with
    `keep="best"` or `patience` the fold's own clips choose when to stop, and its answers are a little too good.

    Raises InputError for folds that cannot be, ModelError for a folder with other folds or settings.
    """
    if spec is not None and spec.dry_run:
        raise InputError(
            "dry_run: got it with folds; wanted it with `train`, which goes through the same in seconds"
        )
    folder, spec = Path(folder), spec or TrainSpec.for_model(make_model().name, keep="last")
    labels = data.labels.sort_index()
    fold_of = split_folds(labels, sites=data.sites, folds=folds)
    gather_team(choose_processor(spec.device, precision=spec.precision), size=spec.devices)  # then one leads
    histories, tables, models = [], [], []
    with hold_run(folder), show_progress(on_progress) as tell:
        keep_folds(fold_of, folder / "folds.csv")
        for fold in range(folds):
            part = data.hold_out(fold_of.index[fold_of == fold])
            models.append(make_model())
            place, own = folder / f"fold{fold}", settle(spec, settings={}, data=part)
            with hold_run(place):
                history = train_one(models[fold], part, spec=own, folder=place, on_progress=tell)
                probabilities = answer_held_out(models[fold], part, folder=place, name=ANSWERS, spec=own)
            histories.append(history)
            tables.append(pd.DataFrame(probabilities, index=part.X_test_ids, columns=part.class_names))
        table = pd.concat(tables).loc[labels.index]
        loss, constant = measure_answers(table, labels)
        ensemble = save_ensemble(models, table, fold_of, folder=folder, loss=loss)
        files = data.identify(table.index)
        origin = Origin(ensemble.name, ensemble.digest, out_of_fold=True, files=files)
        write_origin(folder / OUT_OF_FOLD, origin)
    split = describe_folds(labels, sites=data.sites, folds=folds)
    return FoldRun(
        table.assign(fold=fold_of), tuple(histories), loss, constant, folder, ensemble, tuple(split)
    )


def measure_answers(table: pd.DataFrame, labels: pd.DataFrame) -> tuple[float, float]:
    """Aggregated log losses of out-of-fold answers and of the class frequencies, over the clips that could be read."""
    known = table.notna().all(axis=1)
    true = labels[known]
    constant = constant_predictions(class_frequencies(true), true.index)
    return aggregated_log_loss(true, table[known].clip(0, 1)), aggregated_log_loss(true, constant)


def save_ensemble(
    models: Sequence[Model], table: pd.DataFrame, fold_of: "pd.Series[int]", *, folder: Path, loss: float
) -> Ensemble:
    """Write the answers and the ensemble of the folds' models; its calibration stays where the answers are the same."""
    unchanged = write_answers(table, fold_of, folder / OUT_OF_FOLD)
    ensemble = Ensemble([list(models)])
    ensemble.scores = {"out_of_fold_loss": loss}
    if unchanged and (folder / FACTS).is_file():
        ensemble.calibration = load_model(folder).calibration
    ensemble.save_around(folder, members=[[f"fold{fold}" for fold in range(len(models))]])
    return ensemble


def keep_folds(fold_of: "pd.Series[int]", path: Path) -> None:
    """Write down each clip's fold; ModelError where other folds were written down before."""
    table = fold_of.rename_axis("filepath").reset_index()
    if not path.is_file():
        write_table(table, path, index=False)
    saved = read_table(path)
    if (
        saved["filepath"].tolist() != table["filepath"].tolist()
        or saved["fold"].tolist() != table["fold"].tolist()
    ):
        raise ModelError(
            f"{path}: holds {saved['fold'].nunique()} folds of {len(saved)} clips, other than these "
            f"{table['fold'].nunique()} of {len(table)}; use the same labels and folds, or another folder"
        )


def stack_folds(folders: Sequence[Path | str], labels: pd.DataFrame) -> tuple[Ensemble, Stack]:
    """Stack the fold ensembles in `folders` by order-free statistics of their out-of-fold answers.

    All must come from `train_folds` on the same clips and folds; `labels` (clips x species) are those they were
    trained on. Clips that one of them could not read are left out. Save the ensemble where it is to live.
    """
    if not folders:
        raise InputError("stack_folds: got no folders, wanted one or more that train_folds wrote")
    paths = [Path(folder) for folder in folders]
    tables = [read_table(path / "folds.csv").set_index("filepath")["fold"] for path in paths]
    for path, table in zip(paths, tables, strict=True):
        if not table.equals(tables[0]):
            raise ModelError(
                f"{path}: its folds are not those of {paths[0]}; train both on the same clips and folds"
            )
    labels = labels.rename(index=match_names(labels.index, tables[0].index, table="labels"))
    families = [[load_model(path / f"fold{i}") for i in range(tables[0].nunique())] for path in paths]
    species = list(families[0][0].species)
    missing = sorted(set(tables[0].index) - set(labels.index)) or sorted(set(species) - set(labels.columns))
    if missing:
        raise InputError(f"labels: {len(missing)} clips or species are missing, the first {missing[0]}")
    answers = torch.stack([read_statistics(path, tables[0]) for path in paths])  # (families, N, S, 7)
    known = ~answers.isnan().any(dim=-1).any(dim=-1).any(dim=0)
    statistics = combine_families(answers[:, known]).double().numpy()
    y = labels.loc[tables[0].index, species].to_numpy(np.float64)[known.numpy()]
    stack = fit_stack(statistics, y, folds=tables[0].to_numpy()[known.numpy()])
    ensemble = Ensemble(families, stack=torch.from_numpy(stack.weights).float())
    ensemble.scores = {"out_of_fold_loss": stack.loss}
    return ensemble, stack


def read_statistics(folder: Path, fold_of: "pd.Series[int]") -> torch.Tensor:
    """Statistics (N, S, 7) of all clips, in the order of `fold_of`."""
    rows: torch.Tensor | None = None
    for fold in range(fold_of.nunique()):
        if not (folder / f"fold{fold}" / ANSWERS).is_file():
            raise ModelError(
                f"{folder}: fold {fold} has no answers yet; run the training by folds to its end"
            )
        tensors, facts = read_state(folder / f"fold{fold}" / ANSWERS)
        if rows is None:
            rows = torch.full((len(fold_of), *tensors["statistics"].shape[1:]), torch.nan)
        rows[torch.from_numpy(fold_of.index.get_indexer(facts["clips"]))] = tensors["statistics"]
    assert rows is not None  # there are two folds or more
    return rows
