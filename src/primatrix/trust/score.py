"""Predictions against labels: the benchmark's score beside that of the constant predictor."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from primatrix.errors import InputError
from primatrix.interchange import read_labels
from primatrix.labels import choose_scored, choose_trained
from primatrix.measures import class_frequencies, constant_predictions, match_rows, species_log_losses
from primatrix.records import say_lost
from primatrix.results import find_failures, read_predictions

__all__ = ["Scores", "say_lost_of", "score_files", "score_predictions"]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Losses of the predictions and of the constant class frequencies, on the same clips.

    `table` has one row per species: clips that show it, model's and constant's binary log loss. `clips` were
    scored, `unscored` labelled clips have no probabilities (their files could not be read).
    """

    table: pd.DataFrame
    clips: int
    unscored: int
    constant_from: str
    lost: str = ""  # that many of the clips could not be read, where that is so

    @property
    def model(self) -> float:
        """Aggregated log loss of the predictions (mean over species)."""
        return float(self.table["model"].mean())

    @property
    def constant(self) -> float:
        """Aggregated log loss of the constant class frequencies."""
        return float(self.table["constant"].mean())

    def summary(self) -> str:
        """Text for the terminal: a line per species, then the two scores and which is better."""
        width = max(len(str(name)) for name in self.table.index)
        lines = [self.lost, ""] if self.lost else []
        lines.append(f"{'species':<{width}}  clips  log loss  constant")
        for row in self.table.itertuples():
            lines.append(f"{row.Index:<{width}}  {row.positives:>5}  {row.model:>8.4f}  {row.constant:>8.4f}")
        lines += ["", f"aggregated log loss on {self.clips} clips (mean over {len(self.table)} species)"]
        lines += [f"  model     {self.model:.4f}", f"  constant  {self.constant:.4f}  ({self.constant_from})"]
        verdict = "better" if self.model < self.constant else "no better"
        lines.append(
            f"  the model is {verdict} than the constant: {self.model / self.constant:.3f} of its loss"
        )
        if self.unscored:
            lines.append(f"  {self.unscored} labelled clips have no probabilities and were not scored")
        return "\n".join(lines)


def score_predictions(
    labels: pd.DataFrame, predictions: pd.DataFrame, *, frequencies: "pd.Series[float] | None" = None
) -> Scores:
    """Score a table of probabilities against a label table (clips x species), matched by names.

    `frequencies` are the training set's class frequencies for the constant predictor; without them those of
    `labels` are used, the best constant there could be.

    >>> labels = pd.DataFrame({"hog": [1, 0], "lion": [0, 0]}, index=["a", "b"])
    >>> scores = score_predictions(labels, labels * 0.8 + 0.1)
    >>> round(scores.model, 4), scores.clips
    (0.1054, 2)
    """
    matched = match_rows(labels, predictions)
    known = matched.notna().all(axis=1)
    if not known.any():
        raise InputError("predictions: no labelled clip has probabilities, so there is nothing to score")
    true, prob = labels[known], matched[known]
    constant_from = "class frequencies of the training labels"
    if frequencies is None:
        frequencies, constant_from = class_frequencies(true), "class frequencies of these labels themselves"
    missing = set(true.columns) - set(frequencies.index)
    if missing:
        raise InputError(f"training labels: species {', '.join(sorted(missing))} are missing")
    constant = constant_predictions(frequencies[true.columns], true.index)
    table = pd.DataFrame({
        "positives": true.sum().astype(int),
        "model": species_log_losses(true, prob),
        "constant": species_log_losses(true, constant),
    })  # fmt: skip
    return Scores(table, len(true), int(np.count_nonzero(~known)), constant_from)


def score_files(labels: Path, predictions: Path, *, train_labels: Path | None = None) -> Scores:
    """Score a predictions CSV against a label file (see `read_labels` for what both may look like)."""
    known = choose_scored(read_labels(labels))
    train = choose_trained(read_labels(train_labels)).spell(known.species).table if train_labels else None
    frequencies = None if train is None else class_frequencies(train)
    scores = score_predictions(known.table, read_predictions(predictions), frequencies=frequencies)
    return replace(scores, lost=say_lost_of(predictions, known.table.index))


def say_lost_of(predictions: Path, clips: pd.Index) -> str:
    """One line where many of the labelled clips could not be read when they were predicted; else nothing.

    A submission has class frequencies in their rows, which must not be taken for answers of the model.
    """
    failures = [failure for failure in find_failures(predictions) if failure.name in clips]
    return say_lost(failures, len(clips))
