"""The command `downsample`."""

from pathlib import Path
from typing import Annotated

import typer

from primatrix.cli.options import (
    Quiet,
    Workers,
    parse_size,
)
from primatrix.cli.program import finish
from primatrix.progress import ProgressDisplay
from primatrix.records import SIZES_PX

__all__ = ["downsample"]


def downsample(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A folder of raw footage.")],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="Folder for the small clips.")],
    size: Annotated[str, typer.Option(help="nano, micro or HEIGHTxWIDTH.")] = "nano",
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Make nano (16x16) or micro (64x64) clips, 2 frames/s for 15 s, from raw footage.

    Example: primatrix downsample data/raw data/nano --size nano
    """
    from primatrix.footage import downsample as run

    size_px = SIZES_PX[size] if size in ("nano", "micro") else parse_size(size)
    with ProgressDisplay(quiet=quiet) as display:
        result = run(source, target, size_px=size_px, workers=workers, on_progress=display.on_progress)
    typer.echo(result.summary())
    finish(len(result.failures), result.failures_path)
