"""The command `neighbours`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from primatrix.tagging import learn_neighbours

if TYPE_CHECKING:
    pass

__all__ = ["neighbours"]


def neighbours(
    labels: Annotated[Path, typer.Argument(help="Label file, wide or long.")],
    predictions: Annotated[
        Path, typer.Argument(help="predict's CSV for labelled clips the model did not train on, or oof.csv.")
    ],
    deployments: Annotated[
        Path, typer.Option(help="CSV: sites, times, coordinates by filepath, folder or deployment.")
    ],
    model: Annotated[
        Path,
        typer.Option(help="Folder of the model that predicted; gets neighbours.json, which predict reads."),
    ],
) -> None:
    """Learn what clips close in time at one site tell of each other; predict uses it where it helps.

    Judged by log loss on sites not learned on; the line printed says whether it is on and what it gained.

    Example: primatrix neighbours labels.csv val.csv --deployments deployments.csv --model runs/mine
    """
    typer.echo(learn_neighbours(labels, predictions, deployments=deployments, model=model).summary())
