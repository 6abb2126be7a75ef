"""Commands about models: train, info."""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

import primatrix
from primatrix.cli.app import app, finish
from primatrix.cli.options import (
    Channels,
    Data,
    Device,
    Frames,
    Kind,
    Labels,
    Look,
    Quiet,
    Seed,
    Size,
    StoreFolder,
    Workers,
    is_benchmark,
    make_spec,
    split_commas,
)
from primatrix.errors import InputError
from primatrix.progress import ProgressDisplay
from primatrix.tables import write_failures


@app.command()
def train(
    data: Data,
    out: Annotated[Path, typer.Option(help="Folder for the model.")] = Path("runs/lrcn"),
    kind: Kind = "nano",
    architecture: Annotated[str, typer.Option(help="Which network.")] = "lrcn",
    labels: Labels = None,
    held_out_sites: Annotated[str, typer.Option(help="Sites that validate, with commas (own folder).")] = "",
    frames: Frames = 15,
    size: Size = "16x16",
    colour: Channels = "grey",
    media: Look = "videos",
    epochs: Annotated[int, typer.Option(help="Epochs.")] = 2,
    steps: Annotated[int | None, typer.Option(help="Batches per epoch; default: all clips once.")] = None,
    validation_steps: Annotated[int | None, typer.Option(help="Default: all validation clips.")] = None,
    batch_size: Annotated[int, typer.Option(help="Clips per batch.")] = 32,
    seed: Seed = 0,
    device: Device = "auto",
    store: StoreFolder = None,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Train a model; the same command again goes on after the last finished epoch.

    Example: primatrix train data --type nano --epochs 2 --steps 500 --out runs/lrcn
    """
    from primatrix.dataset import Dataset
    from primatrix.models import build_model
    from primatrix.training import train as run

    if is_benchmark(data):
        dataset = Dataset(data, kind, batch_size=batch_size, seed=seed, store=store, workers=workers)
    elif labels is None:
        raise InputError(f"{data}: got no label file, wanted --labels FILE (or a benchmark folder)")
    else:
        dataset = Dataset.from_folder(
            data, make_spec(frames, size, colour), labels=labels, held_out_sites=split_commas(held_out_sites),
            media=media, batch_size=batch_size, seed=seed, store=store, workers=workers,
        )  # fmt: skip
    model = build_model(architecture, species=dataset.class_names, spec=dataset.spec, seed=seed)
    with ProgressDisplay(quiet=quiet) as display, closing(dataset):
        history = run(model, dataset, epochs=epochs, steps_per_epoch=steps, validation_steps=validation_steps,
                      seed=seed, device=device, folder=out, on_progress=display.on_progress)  # fmt: skip
    for number, epoch in enumerate(history.epochs, 1):
        typer.echo(f"epoch {number}: loss {epoch.loss:.4f}, validation {epoch.val_loss:.4f}")
    typer.echo(f"model: {out}")
    finish(len(dataset.failures), write_failures(dataset.failures, out / "failures.csv"))


@app.command()
def info(
    model: Annotated[Path | None, typer.Argument(help="Folder of a model; none: about this machine.")] = None,
) -> None:
    """Describe a saved model, or this installation and its device.

    Example: primatrix info runs/lrcn
    """
    if model is None:
        from primatrix.devices import describe_device

        typer.echo(f"primatrix {primatrix.__version__}, runs on {describe_device()}")
        return
    from primatrix.models import load_model

    loaded = load_model(model)
    spec = loaded.spec
    typer.echo(
        f"{loaded.name}, {sum(p.numel() for p in loaded.network.parameters()):,} parameters\n"
        f"clips: {spec.frames} {spec.colour} frames of {spec.height_px}x{spec.width_px} pixels ({spec.sampler})\n"
        f"scores: {', '.join(f'{name} {value:.4g}' for name, value in loaded.scores.items()) or 'none'}\n"
        f"calibration: {loaded.calibration.summary() if loaded.calibration else 'none'}\n"
        f"{len(loaded.species)} species: {', '.join(loaded.species)}"
    )
