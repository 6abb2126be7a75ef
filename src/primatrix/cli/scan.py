"""The command `scan`."""

from pathlib import Path
from typing import Annotated

import typer

from primatrix.cli.options import (
    ForSpreadsheet,
    Look,
    Quiet,
    Workers,
)
from primatrix.cli.program import finish, tell
from primatrix.errors import InputError
from primatrix.progress import ProgressDisplay

__all__ = ["scan"]


def scan(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A folder of videos, or a memory card.")],
    out: Annotated[Path | None, typer.Option(help="A .csv or .json file instead of stdout.")] = None,
    for_spreadsheet: ForSpreadsheet = False,
    media: Look = "videos",
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Say what is on a card: per file its codec, size, rate, length and whether it can be read.

    Example: primatrix scan /media/card --out card.csv
    """
    from primatrix.disk import check_output_file, quote_formulas
    from primatrix.footage import SCAN_ENDINGS, scan_folder

    if out:
        check_output_file(out, endings=SCAN_ENDINGS)
        if for_spreadsheet and out.suffix.lower() != ".csv":
            raise InputError(f"--for-spreadsheet: got {out}, wanted a .csv")
    with ProgressDisplay(quiet=quiet) as display:
        result = scan_folder(folder, media=media, workers=workers, on_progress=display.on_progress)
    if out:
        result.write(out, for_spreadsheet=for_spreadsheet)
    else:
        table = quote_formulas(result.table) if for_spreadsheet else result.table
        typer.echo(table.to_csv(index=False), nl=False)
    tell(result.summary())
    finish(result.failed, out)
