"""The command `score`."""

from pathlib import Path
from typing import Annotated

import typer

from primatrix.cli.options import LabelFile, Quiet

__all__ = ["score"]


def score(
    labels: LabelFile,
    predictions: Annotated[Path, typer.Argument(metavar="PREDICTIONS", help="CSV of probabilities.")],
    train_labels: Annotated[
        Path | None, typer.Option(help="Training labels, for the constant predictor's class frequencies.")
    ] = None,
    quiet: Quiet = False,  # noqa: ARG001  # as all commands
) -> None:
    """Score predictions by aggregated log loss, beside the constant class frequencies.

    Example: primatrix score test_labels.csv submission.csv --train-labels train_labels.csv
    """
    from primatrix.trust import score_files

    typer.echo(score_files(labels, predictions, train_labels=train_labels).summary())
