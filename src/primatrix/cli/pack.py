"""The command `pack`."""

from pathlib import Path
from typing import Annotated

import typer

from primatrix.cli.options import (
    CLIPS,
    Channels,
    Data,
    Frames,
    Kind,
    Look,
    Quiet,
    RetryFailed,
    Size,
    StoreFolder,
    Workers,
    is_benchmark,
    make_spec,
)
from primatrix.cli.program import finish
from primatrix.progress import ProgressDisplay

__all__ = ["pack"]


def pack(
    data: Data,
    kind: Kind = "nano",
    model: Annotated[
        Path | None, typer.Option(help="Pack what this trained model wants to see.", rich_help_panel=CLIPS)
    ] = None,
    frames: Frames = None,
    size: Size = None,
    colour: Channels = None,
    media: Look = "videos",
    store: StoreFolder = None,
    retry_failed: RetryFailed = False,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Decode clips into the store, so that training and prediction read them at once.

    Example: primatrix pack videos --frames 15 --size 64x64
    """
    from primatrix.data import default_store, pack_folder

    if model:
        from primatrix.models import load_model

        spec = load_model(model).spec
    else:
        spec = make_spec(frames, size, colour, kind=kind if is_benchmark(data) else "nano")
    folder = data / kind if is_benchmark(data) else data
    with ProgressDisplay(quiet=quiet) as display:
        result = pack_folder(folder, spec, store=store or default_store(data), media=media,
                             retry_failed=retry_failed, workers=workers, on_progress=display.on_progress)  # fmt: skip
    typer.echo(result.summary())
    finish(len(result.failures), result.failures_path)
