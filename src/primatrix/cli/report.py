"""The command `report`."""

from pathlib import Path
from typing import Annotated

import typer

from primatrix.cli.options import Quiet, Workers
from primatrix.cli.program import finish
from primatrix.progress import ProgressDisplay

__all__ = ["report"]


def report(
    results: Annotated[
        Path, typer.Argument(metavar="RESULTS", help="Folder of results, as predict leaves it.")
    ],
    out: Annotated[Path, typer.Option(help="The HTML file.")] = Path("report.html"),
    labels: Annotated[
        Path | None, typer.Option(help="Label file, wide or long: adds how good the model is.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Folder of the model: adds how it was trained.")] = None,
    videos: Annotated[
        Path | None, typer.Option(help="Where the clips lie now; default: where they were.")
    ] = None,
    strips: Annotated[int, typer.Option(help="Clips of a kind on a contact sheet; 0: no pictures.")] = 4,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Write one HTML file about a run: counts, sites, hours, what failed, filmstrips. It opens offline.

    Example: primatrix report results --labels labels.csv --out report.html
    """
    from primatrix.report import ReportSpec, write_report

    spec = ReportSpec(labels=labels, model=model, videos=videos, strips=strips, workers=workers)
    with ProgressDisplay(quiet=quiet) as display:
        run = write_report(results, out, spec=spec, on_progress=display.on_progress)
    typer.echo(run.summary())
    finish(len(run.without), out)
