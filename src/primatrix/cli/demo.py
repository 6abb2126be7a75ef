"""The command `demo`."""

from pathlib import Path
from typing import Annotated

import typer

from primatrix.cli.options import (
    Quiet,
    Seed,
)
from primatrix.progress import ProgressDisplay

__all__ = ["demo"]


def demo(
    out: Annotated[Path, typer.Option(help="Where everything goes.")] = Path("primatrix-demo"),
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Simulate a small benchmark, train on it, predict, score: the whole job in minutes.

    Example: primatrix demo --out primatrix-demo
    """
    from primatrix.demo import run_demo

    with ProgressDisplay(quiet=quiet) as display:
        result = run_demo(out, seed=seed, on_progress=display.on_progress)
    typer.echo(result.summary())
