"""The command `calibrate`."""

from pathlib import Path
from typing import Annotated

import typer

from primatrix.choices import PredictedBy, Unit
from primatrix.cli.options import Deployments, LabelFile, Quiet

__all__ = ["calibrate"]

PROMISE = "Promise"


def calibrate(
    model: Annotated[
        Path,
        typer.Argument(metavar="MODEL", help="Folder of a trained model; its calibration is replaced."),
    ],
    labels: LabelFile,
    predictions: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTIONS", help="Its own (--raw) predictions for clips it did not train on."
        ),
    ],
    source: Annotated[PredictedBy, typer.Option(help="How the predictions were made.")] = "validation",
    deployments: Deployments = None,
    lose_at_most: Annotated[
        float,
        typer.Option(help="Share of clips with animals that may be skipped.", rich_help_panel=PROMISE),
    ] = 0.05,
    find_at_least: Annotated[
        float, typer.Option(help="Share of a species' clips to find.", rich_help_panel=PROMISE)
    ] = 0.9,
    confidence: Annotated[
        float, typer.Option(help="With which both are promised.", rich_help_panel=PROMISE)
    ] = 0.9,
    per: Annotated[
        Unit,
        typer.Option(help="Whether clips or sites are what is drawn anew.", rich_help_panel=PROMISE),
    ] = "clips",
    quiet: Quiet = False,  # noqa: ARG001  # as all commands
) -> None:
    """Learn how far to trust a model's probabilities, and from where on clips may be skipped.

    Example: primatrix calibrate runs/motion train_labels.csv runs/motion/oof.csv --source out-of-fold
    """
    from primatrix.trust import Promise, calibrate_model, describe_calibration

    promise = Promise(lose_at_most, find_at_least, confidence, per)
    calibration = calibrate_model(
        model, labels=labels, predictions=predictions, deployments=deployments, source=source, promise=promise
    )
    typer.echo(describe_calibration(calibration))
