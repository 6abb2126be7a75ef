"""The command `encoders`."""

from typing import Annotated

import typer

from primatrix.cli.options import Quiet
from primatrix.errors import InputError

__all__ = ["encoders"]

COLUMNS = ("encoder", "here", "picture px", "features", "MB", "licence")


def encoders(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="ENCODER", help="ONNX files and Hugging Face models to look into as well."),
    ] = None,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Bring Hugging Face models onto this machine first.")
    ] = False,
    quiet: Quiet = False,  # noqa: ARG001  # as all commands
) -> None:
    """List the pretrained networks that pictures can be looked at with.

    Example: primatrix encoders --fetch facebook/dinov2-small
    """
    from primatrix.models import fetch_encoder, list_encoders, load_encoder

    if fetch and not files:
        raise InputError(
            "--fetch: got no name, wanted that of a model on the Hugging Face hub, as owner/name"
        )
    for name in files if fetch and files else ():
        fetch_encoder(name)
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
