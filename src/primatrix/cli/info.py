"""The command `info`."""

from pathlib import Path
from typing import Annotated

import typer

import primatrix
from primatrix.cli.options import Quiet

__all__ = ["info"]


def info(
    model: Annotated[
        Path | None, typer.Argument(metavar="MODEL", help="Folder of a model; none: about this machine.")
    ] = None,
    quiet: Quiet = False,  # noqa: ARG001  # as all commands
) -> None:
    """Describe a saved model, or this installation and its device.

    Example: primatrix info runs/lrcn
    """
    if model is None:
        from primatrix.data import find_cache
        from primatrix.models import describe_device

        typer.echo(f"primatrix {primatrix.__version__}, runs on {describe_device()}")
        typer.echo(f"decoded clips: {find_cache()} (may be deleted)")
        return
    from primatrix.models import load_model

    loaded = load_model(model)
    typer.echo(
        f"{loaded.name}, {sum(p.numel() for p in loaded.network.parameters()):,} parameters\n"
        f"clips: {loaded.spec.describe()}\n"
        f"scores: {', '.join(f'{name} {value:.4g}' for name, value in loaded.scores.items()) or 'none'}\n"
        f"calibration: {loaded.calibration.summary() if loaded.calibration else 'none'}\n"
        f"{len(loaded.species)} species: {', '.join(loaded.species)}"
    )
