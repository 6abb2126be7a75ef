"""The command `encoders`."""

from typing import Annotated

import typer

from primatrix.cli.options import Quiet

__all__ = ["encoders"]

COLUMNS = ("encoder", "here", "picture px", "features", "MB", "licence")


def encoders(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="FILE", help="ONNX files to look into as well.")
    ] = None,
    quiet: Quiet = False,  # noqa: ARG001  # as all commands
) -> None:
    """List the pretrained networks that pictures can be looked at with.

    Example: primatrix encoders
    """
    from primatrix.models import list_encoders, load_encoder

    rows = list_encoders() + [(load_encoder(file).facts, True) for file in files or ()]
    table = [COLUMNS] + [
        (
            facts.name,
            "yes" if here else "no",
            f"{facts.side_px}",
            f"{facts.features}",
            f"{facts.megabytes}",
            facts.licence,
        )
        for facts, here in rows
    ]
    widths = [max(len(row[i]) for row in table) for i in range(len(COLUMNS))]
    for row in table:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    missing = [facts.name for facts, here in rows if not here]
    if missing:
        typer.echo(f"those that are not here: pip install 'primatrix[encoders]' ({', '.join(missing)})")
