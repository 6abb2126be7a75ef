"""The command `neighbours`."""

from pathlib import Path
from typing import Annotated

import typer

from primatrix.cli.options import ABOUT_DEPLOYMENTS, LabelFile, Quiet

__all__ = ["neighbours"]


def neighbours(
    labels: LabelFile,
    predictions: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTIONS", help="predict's CSV for clips the model did not train on, or oof.csv."
        ),
    ],
    deployments: Annotated[Path, typer.Option(help=ABOUT_DEPLOYMENTS)],
    model: Annotated[
        Path,
        typer.Option(help="Folder of the model that predicted; gets neighbours.json, which predict reads."),
    ],
    quiet: Quiet = False,  # noqa: ARG001  # as all commands
) -> None:
    """Learn what clips close in time at one site tell of each other; predict uses it where it helps.

    Judged by log loss on sites not learned on; the line printed says whether it is on and what it gained.

    Example: primatrix neighbours labels.csv val.csv --deployments deployments.csv --model runs/mine
    """
    from primatrix.tagging import learn_neighbours

    typer.echo(learn_neighbours(labels, predictions, deployments=deployments, model=model).summary())
