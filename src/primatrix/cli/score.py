"""The command `score`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    pass

__all__ = ["score"]


def score(
    labels: Annotated[Path, typer.Argument(help="Label file, wide or long.")],
    predictions: Annotated[Path, typer.Argument(help="CSV of probabilities.")],
    train_labels: Annotated[
        Path | None, typer.Option(help="Training labels, for the constant predictor's class frequencies.")
    ] = None,
) -> None:
    """Score predictions by aggregated log loss, beside the constant class frequencies.

    Example: primatrix score test_labels.csv submission.csv --train-labels train_labels.csv
    """
    from primatrix.trust import score_files

    typer.echo(score_files(labels, predictions, train_labels=train_labels).summary())
