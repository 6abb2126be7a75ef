"""The command `score`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    pass

__all__ = ["score"]


def score(
    predictions: Annotated[Path, typer.Argument(help="CSV of probabilities.")],
    labels: Annotated[Path, typer.Argument(help="Label file, wide or long.")],
    train_labels: Annotated[
        Path | None, typer.Option(help="Training labels, for the constant predictor's class frequencies.")
    ] = None,
) -> None:
    """Score predictions by aggregated log loss, beside the constant class frequencies.

    Example: primatrix score submission.csv test_labels.csv --train-labels train_labels.csv
    """
    from primatrix.trust import score_files

    typer.echo(score_files(predictions, labels, train_labels=train_labels).summary())
