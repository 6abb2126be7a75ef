"""The command `train`."""

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from primatrix.cli.options import (
    Channels,
    Data,
    Device,
    Frames,
    Kind,
    Labels,
    Look,
    Quiet,
    Size,
    StoreFolder,
    Workers,
    check_folder,
    is_benchmark,
    make_spec,
    split_commas,
    tell_unused,
)
from primatrix.cli.program import finish
from primatrix.cli.progress import ProgressDisplay
from primatrix.disk import write_failures
from primatrix.errors import InputError
from primatrix.records import OnProgress

if TYPE_CHECKING:  # they load torch
    from primatrix.data import Dataset
    from primatrix.models import Model
    from primatrix.training import TrainSpec

__all__ = ["train"]

Architecture = Annotated[str, typer.Option(help="Which network.")]


Config = Annotated[Path | None, typer.Option(help="YAML file of training settings; flags change it.")]


Change = Annotated[list[str] | None, typer.Option("--set", help="Any setting, as ema=0.99; may be repeated.")]


Option = Annotated[
    list[str] | None, typer.Option("--option", help="Of the network, as pretrained=NAME; may be repeated.")
]


DRY_RUN_CLIPS = 4  # in a batch and decoded at a time, so that a dry run takes seconds with any footage


def train(
    data: Data,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the model; default: runs/ARCHITECTURE.")
    ] = None,
    kind: Kind = "nano",
    architecture: Architecture = "lrcn",
    option: Option = None,
    labels: Labels = None,
    held_out_sites: Annotated[
        str, typer.Option(help="Sites that validate, with commas; default: about a third.")
    ] = "",
    frames: Frames = 15,
    size: Size = None,
    colour: Channels = "grey",
    media: Look = "videos",
    config: Config = None,
    change: Change = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs; default: as recommended.")] = None,
    steps: Annotated[int | None, typer.Option(help="Batches per epoch; default: all clips once.")] = None,
    validation_steps: Annotated[int | None, typer.Option(help="Default: all validation clips.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Default: as recommended.")] = None,
    patience: Annotated[int | None, typer.Option(help="Epochs without better validation to stop.")] = None,
    folds: Annotated[int | None, typer.Option(help="Train a model per fold; answer all clips.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Go through all in seconds; keep nothing.")
    ] = False,
    batch_size: Annotated[int, typer.Option(help="Clips per batch.")] = 32,
    seed: Annotated[int | None, typer.Option(help="Same seed, same result; default: 0.")] = None,
    device: Device = "auto",
    devices: Annotated[int | None, typer.Option(help="How many GPUs (or processes) train together.")] = None,
    store: StoreFolder = None,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Train a model; the same command again goes on after the last saved step.

    Example: primatrix train data --type micro --architecture motion --config train.yaml --epochs 5
    """
    from primatrix.data import Dataset
    from primatrix.models import build_model

    out = out or Path("runs", architecture)
    check_folder(out)
    flags = {
        "epochs": epochs, "steps_per_epoch": steps, "validation_steps": validation_steps, "patience": patience,
        "learning_rate": learning_rate, "seed": seed, "devices": devices, "dry_run": dry_run or None,
        "device": None if device == "auto" else device,
    }  # fmt: skip
    spec = read_recipe(architecture, config=config, change=change or [], flags=flags)
    batch_size = min(batch_size, DRY_RUN_CLIPS) if spec.dry_run else batch_size
    if is_benchmark(data):
        given = {"--labels": labels, "--held-out-sites": held_out_sites, "--size": size,
                 "--media": media != "videos"}  # fmt: skip
        tell_unused(given)
        clips = make_spec(frames, None, colour, kind=kind)
        dataset = Dataset(
            data, kind, batch_size=batch_size, seed=spec.seed, spec=clips, store=store, workers=workers
        )
    elif labels is None:
        raise InputError(f"{data}: got no label file, wanted --labels FILE (or a benchmark folder)")
    else:
        dataset = Dataset.from_folder(
            data, make_spec(frames, size, colour), labels=labels, held_out_sites=split_commas(held_out_sites),
            media=media, batch_size=batch_size, seed=spec.seed, store=store, workers=workers,
        )  # fmt: skip
    if spec.dry_run:
        dataset.look_ahead_clips = batch_size
    make_model = partial(
        build_model,
        architecture,
        species=dataset.class_names,
        spec=dataset.spec,
        seed=spec.seed,
        **read_options(option or []),
    )
    with ProgressDisplay(quiet=quiet) as display, closing(dataset):
        run_training(make_model, dataset, spec=spec, folds=folds, out=out,
                     on_progress=display.on_progress)  # fmt: skip


def read_recipe(
    architecture: str,
    *,
    config: Path | None,
    change: list[str],
    flags: dict[str, Any],  # Any: values of several types
) -> "TrainSpec":
    """The recommended settings, changed by the file, then by words, then by the flags that were given."""
    from primatrix.settings import merge_settings, parse_words, read_settings
    from primatrix.training import TrainSpec

    settings = merge_settings(read_settings(config) if config else {}, parse_words(change))
    settings |= {name: value for name, value in flags.items() if value is not None}
    return TrainSpec.for_model(architecture, **settings)


def read_options(words: list[str]) -> dict[str, Any]:  # Any: values of several types
    """The network's options in words like `unfrozen_stages=2`; the network checks them."""
    from primatrix.settings import parse_words

    options = parse_words(words)
    flags = sorted({"name", "species", "spec", "seed"} & set(options))
    if flags:
        raise InputError(f"--option {flags[0]}: is no option of a network; labels, flags and --seed say it")
    return options


def run_training(
    make_model: "Callable[[], Model]",
    dataset: "Dataset",
    *,
    spec: "TrainSpec",
    folds: int | None,
    out: Path,
    on_progress: OnProgress,
) -> None:
    """Train once or by folds, and say what came of it."""
    from primatrix.labels import split_folds
    from primatrix.training import is_leader, train_folds
    from primatrix.training import train as run

    if folds is not None and spec.dry_run:  # refuses folds that cannot be, as `train_folds` does
        split_folds(dataset.labels, sites=dataset.sites, folds=folds)
    if folds is not None and not spec.dry_run:
        done = train_folds(make_model, dataset, folder=out, folds=folds, spec=spec, on_progress=on_progress)
        text = done.summary()
    else:
        text = run(make_model(), dataset, spec=spec, folder=out, on_progress=on_progress).summary()
    if not is_leader():  # one of several processes that train together
        return
    typer.echo(text)
    if spec.dry_run:
        typer.echo("dry run: trained, validated, saved, loaded and predicted; nothing was kept")
        finish(len(dataset.failures))
    else:
        typer.echo(f"model: {out}")
        finish(len(dataset.failures), write_failures(dataset.failures, out / "failures.csv"))
