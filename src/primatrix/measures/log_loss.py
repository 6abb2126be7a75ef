"""The benchmark's metric and the constant it has to beat."""

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from primatrix.errors import InputError
from primatrix.footage import match_names, pick_like
from primatrix.labels import match_species

__all__ = [
    "EPSILON",
    "aggregated_log_loss",
    "class_frequencies",
    "constant_predictions",
    "log_losses",
    "logit_log_losses",
    "match_rows",
    "species_log_losses",
]

Floats = NDArray[np.float64]
EPSILON = 1e-15  # the benchmark's clipping of probabilities


def aggregated_log_loss(
    y_true: ArrayLike | pd.DataFrame,
    y_prob: ArrayLike | pd.DataFrame,
    *,
    reduction: Literal["mean", "sum"] = "mean",
    eps: float = EPSILON,
) -> float:
    """Aggregated log loss of the Pri-matrix Factorization benchmark (natural logarithm).

    The binary log loss of each species (mean over clips, probabilities clipped to [eps, 1 - eps]), then the
    mean over species. The benchmark's text says the sum, its published scores are means: `reduction="sum"`
    gives the former. y_true (N, S) of 0/1 and y_prob (N, S) in [0, 1]; two DataFrames are matched by row and
    column names, whatever their order.

    >>> aggregated_log_loss([[1, 0], [0, 1]], [[0.9, 0.2], [0.1, 0.7]])
    0.1976...
    """
    losses = species_log_losses(y_true, y_prob, eps=eps).to_numpy()
    if reduction not in ("mean", "sum"):
        raise InputError(f"reduction: got {reduction!r}, wanted 'mean' or 'sum'")
    return float(losses.mean() if reduction == "mean" else losses.sum())


def species_log_losses(
    y_true: ArrayLike | pd.DataFrame, y_prob: ArrayLike | pd.DataFrame, *, eps: float = EPSILON
) -> "pd.Series[float]":
    """Binary log loss of every species, averaged over clips; index: the species (or column numbers)."""
    if isinstance(y_true, pd.DataFrame) and isinstance(y_prob, pd.DataFrame):
        y_prob = match_rows(y_true, y_prob)
    columns = y_true.columns if isinstance(y_true, pd.DataFrame) else None
    true, prob = np.asarray(y_true, np.float64), np.asarray(y_prob, np.float64)
    if true.shape != prob.shape or true.ndim != 2 or true.size == 0:
        raise InputError(
            f"shapes: got y_true {true.shape} and y_prob {prob.shape}, wanted both (clips, species)"
        )
    if not np.isin(true, (0, 1)).all():
        raise InputError("y_true: got values other than 0 and 1; labels come first, probabilities second")
    if not ((prob >= 0) & (prob <= 1)).all():  # false for NaN too
        raise InputError("y_prob: got values outside 0 to 1 (or not a number), wanted probabilities")
    return pd.Series(log_losses(true, prob, eps=eps).mean(axis=0), index=columns)


def log_losses(true: Floats, prob: Floats, *, clips: Floats | float = 1.0, eps: float = EPSILON) -> Floats:
    """Binary log loss of probabilities against labels 0 and 1, each by itself, in the shape of both.

    Where one probability stands for many clips, `true` counts those that show the species, out of `clips`.

    >>> log_losses(np.array([1.0, 0.0]), np.array([0.9, 0.2])).round(4).tolist()
    [0.1054, 0.2231]
    """
    prob = np.clip(prob, eps, 1 - eps)
    losses: Floats = -(true * np.log(prob) + (clips - true) * np.log1p(-prob))
    return losses


def logit_log_losses(true: Floats, logits: Floats, *, clips: Floats | float = 1.0) -> Floats:
    """The same from logits, exact where a probability would be rounded to 0 or 1.

    >>> logit_log_losses(np.array([1.0, 0.0]), np.array([0.0, 800.0])).round(4).tolist()
    [0.6931, 800.0]
    """
    losses: Floats = clips * np.logaddexp(0, logits) - true * logits
    return losses


def class_frequencies(table: pd.DataFrame) -> "pd.Series[float]":
    """Share of clips that show each species, (positives + 1/2) / (clips + 1): never exactly 0 or 1.

    The half (Jeffreys' prior for a proportion) matters only for species with no clip at all, where a plain
    share of 0 would cost 34.5 per unexpected clip.

    >>> class_frequencies(pd.DataFrame({"hog": [1, 0, 0], "lion": [0, 0, 0]})).tolist()
    [0.375, 0.125]
    """
    return (table.sum() + 0.5) / (len(table) + 1)


def constant_predictions(frequencies: "pd.Series[float]", index: pd.Index) -> pd.DataFrame:
    """The constant predictor: every clip gets the class frequencies."""
    values = np.tile(frequencies.to_numpy(np.float64), (len(index), 1))
    return pd.DataFrame(values, index=index, columns=frequencies.index)


def match_rows(labels: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """Predictions in the rows and columns of `labels`; InputError where one is missing, or labels are not 0 and 1.

    Clips and species may be written otherwise in one than in the other (see `match_names`, `match_species`).

    >>> labels = pd.DataFrame({"hog": [1, 0]}, index=["a", "b"])
    >>> match_rows(labels * 0.8 + 0.1, labels)
    Traceback (most recent call last):
    primatrix.errors.InputError: labels: got 0.9 for a, hog, wanted 0 and 1; labels come first, predictions second
    """
    wrong = ~labels.isin((0, 1)).to_numpy()
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        where = f"{labels.index[row]}, {labels.columns[column]}"
        raise InputError(f"labels: got {labels.iloc[row, column]} for {where}, wanted 0 and 1; labels come first, "
                         "predictions second")  # fmt: skip
    predictions = _rename_clips(predictions, labels.index)
    if len(labels.columns.difference(predictions.columns)):
        meant = match_species(map(str, predictions.columns), map(str, labels.columns))
        predictions = predictions.rename(columns=meant)
    for what, have, want in (
        ("species", predictions.columns, labels.columns),
        ("clips", predictions.index, labels.index),
    ):
        if have.has_duplicates:
            raise InputError(f"predictions: {what} occur twice, the first {have[have.duplicated()][0]}")
        missing = want.difference(have)
        if len(missing):
            got = pick_like(str(missing[0]), map(str, have))
            raise InputError(
                f"predictions: {len(missing)} of {len(want)} labelled {what} are missing, the first "
                f"{missing[0]} (got {got}); predict them first"
            )
    return predictions.loc[labels.index, labels.columns]


def _rename_clips(predictions: pd.DataFrame, clips: pd.Index) -> pd.DataFrame:
    """Predictions under the names that the clips have, where both are named in words."""
    if clips.isin(predictions.index).all() or not all(isinstance(name, str) for name in clips):
        return predictions
    names = match_names(clips, map(str, predictions.index), table="labels and predictions")
    return predictions.rename(index={file: name for name, file in names.items()})
