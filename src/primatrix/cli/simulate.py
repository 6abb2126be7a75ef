"""The command `simulate`."""

from pathlib import Path
from typing import Annotated

import typer

from primatrix.choices import TestSites
from primatrix.cli.options import (
    Quiet,
    Seed,
    Workers,
    parse_sizes,
)
from primatrix.progress import ProgressDisplay

__all__ = ["simulate"]


def simulate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write the simulated benchmark into.")],
    train: Annotated[int, typer.Option(help="Clips with labels.")] = 1000,
    test: Annotated[int, typer.Option(help="Clips to predict.")] = 400,
    sizes: Annotated[str, typer.Option(help="nano, micro, raw; several with commas.")] = "nano",
    test_sites: Annotated[TestSites, typer.Option(help="Cameras of the test clips.")] = "shared",
    broken: Annotated[int, typer.Option(help="How many files to break.")] = 0,
    seed: Seed = 0,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Make camera-trap footage with labels from a seed.

    Example: primatrix simulate data --train 1000 --test 400 --sizes nano,micro
    """
    from primatrix.simulation import SimulationSpec
    from primatrix.simulation import simulate as run

    spec = SimulationSpec(train_clips=train, test_clips=test, seed=seed, test_sites=test_sites, broken=broken)
    with ProgressDisplay(quiet=quiet) as display:
        result = run(
            out, spec=spec, sizes=parse_sizes(sizes), workers=workers, on_progress=display.on_progress
        )
    typer.echo(
        f"{result.files_written} clips written, {result.files_found} were there: {out}\n"
        f"{len(result.broken)} files are broken on purpose"
    )
