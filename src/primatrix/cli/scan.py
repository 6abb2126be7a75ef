"""The command `scan`."""

from pathlib import Path
from typing import Annotated

import typer

from primatrix.cli.options import (
    Look,
    Quiet,
    Workers,
)
from primatrix.cli.program import finish, tell
from primatrix.progress import ProgressDisplay

__all__ = ["scan"]


def scan(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of videos, or a memory card.")],
    out: Annotated[Path | None, typer.Option(help="A .csv or .json file instead of stdout.")] = None,
    media: Look = "videos",
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Say what is on a card: per file its codec, size, rate, length and whether it can be read.

    Example: primatrix scan /media/card --out card.csv
    """
    from primatrix.disk import check_output_file
    from primatrix.footage import SCAN_ENDINGS, scan_folder

    if out:
        check_output_file(out, endings=SCAN_ENDINGS)
    with ProgressDisplay(quiet=quiet) as display:
        result = scan_folder(folder, media=media, workers=workers, on_progress=display.on_progress)
    result.write(out) if out else typer.echo(result.table.to_csv(index=False), nl=False)
    tell(result.summary())
    finish(result.failed, out)
