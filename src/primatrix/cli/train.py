"""The command `train`."""

from collections.abc import Callable, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from primatrix.choices import Device
from primatrix.cli.options import (
    MACHINE,
    Channels,
    Data,
    DetectorFile,
    Frames,
    Kind,
    Look,
    OnDevice,
    Quiet,
    RetryFailed,
    Size,
    StoreFolder,
    Workers,
    is_benchmark,
    make_spec,
    split_commas,
    tell_unused,
)
from primatrix.cli.program import finish, tell
from primatrix.errors import InputError
from primatrix.progress import ProgressDisplay
from primatrix.records import ClipSpec, OnProgress

if TYPE_CHECKING:  # they load torch
    from primatrix.data import Dataset
    from primatrix.models import Features, Model
    from primatrix.training import TrainSpec

__all__ = ["train"]

RECOMMENDED, BENCHMARKED = "linear_probe", "lrcn"  # for one's own footage; as the benchmark's walk-through
LABELS, NETWORK, TRAINING = "Labels", "Network", "Training"
VAL_SIZE = 0.3  # of the clips: a linear probe learns from all, and is judged by those left out in turn
DRY_RUN_CLIPS = 4  # in a batch and decoded at a time, so that a dry run takes seconds with any footage

Architecture = Annotated[
    str | None,
    typer.Option(
        help="Which network; default: linear_probe, of a benchmark folder lrcn.", rich_help_panel=NETWORK
    ),
]
Option = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=VALUE",
        help="Of the network, as pretrained=NAME; may be repeated.",
        rich_help_panel=NETWORK,
    ),
]
Labels = Annotated[
    Path | None,
    typer.Option(
        help="Of one's own folder: CSV, Camtrap DP, MegaDetector or SpeciesNet.", rich_help_panel=LABELS
    ),
]
HeldOutSites = Annotated[
    str,
    typer.Option(
        metavar="SITES", help="That validate, with commas; default: about a third.", rich_help_panel=LABELS
    ),
]
Folds = Annotated[
    int | None, typer.Option(help="Train a model per fold; answer all clips.", rich_help_panel=LABELS)
]
Config = Annotated[
    Path | None,
    typer.Option(help="YAML file of training settings; flags change it.", rich_help_panel=TRAINING),
]
Change = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Any setting, as ema=0.99; may be repeated.",
        rich_help_panel=TRAINING,
    ),
]
Epochs = Annotated[
    int | None, typer.Option(help="Epochs; default: as recommended.", rich_help_panel=TRAINING)
]
Steps = Annotated[
    int | None,
    typer.Option(help="Batches per epoch; default: all clips once, at least 20.", rich_help_panel=TRAINING),
]
ValidationSteps = Annotated[
    int | None, typer.Option(help="Default: all validation clips.", rich_help_panel=TRAINING)
]
LearningRate = Annotated[
    float | None, typer.Option(help="Default: as recommended.", rich_help_panel=TRAINING)
]
Patience = Annotated[
    int | None,
    typer.Option(help="Epochs without better validation to stop.", rich_help_panel=TRAINING),
]
BatchSize = Annotated[int, typer.Option(help="Clips per batch.", rich_help_panel=TRAINING)]
Seed = Annotated[
    int | None, typer.Option(help="Same seed, same result; default: 0.", rich_help_panel=TRAINING)
]
Devices = Annotated[
    int | None,
    typer.Option(help="How many GPUs (or processes) train together.", rich_help_panel=MACHINE),
]


def train(
    data: Data,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the model; default: runs/ARCHITECTURE.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Go through all in seconds; keep nothing.")
    ] = False,
    quiet: Quiet = False,
    labels: Labels = None,
    held_out_sites: HeldOutSites = "",
    folds: Folds = None,
    kind: Kind = "nano",
    frames: Frames = None,
    size: Size = None,
    colour: Channels = None,
    media: Look = "videos",
    detector: DetectorFile = None,
    architecture: Architecture = None,
    option: Option = None,
    config: Config = None,
    change: Change = None,
    epochs: Epochs = None,
    steps: Steps = None,
    validation_steps: ValidationSteps = None,
    learning_rate: LearningRate = None,
    patience: Patience = None,
    batch_size: BatchSize = 32,
    seed: Seed = None,
    device: OnDevice = "auto",
    devices: Devices = None,
    store: StoreFolder = None,
    retry_failed: RetryFailed = False,
    workers: Workers = None,
) -> None:
    """Train a model; the same command again goes on after the last saved step.

    Example: primatrix train data --type micro --architecture motion --config train.yaml --epochs 5
    """
    from primatrix.data import Dataset
    from primatrix.models import build_model
    from primatrix.training import check_run_folder

    architecture = architecture or (BENCHMARKED if is_benchmark(data) else RECOMMENDED)
    out = out or Path("runs", architecture)
    check_run_folder(out)
    flags = {
        "epochs": epochs, "steps_per_epoch": steps, "validation_steps": validation_steps, "patience": patience,
        "learning_rate": learning_rate, "seed": seed, "devices": devices, "dry_run": dry_run or None,
        "device": None if device == "auto" else device,
    }  # fmt: skip
    spec = read_recipe(
        architecture, config=config, change=change or [], flags=flags, by_folds=folds is not None
    )
    batch_size = min(batch_size, DRY_RUN_CLIPS) if spec.dry_run else batch_size
    options = read_options(option or [])
    keeping = look(architecture, options, device=spec.device, detector=detector)
    if keeping:
        of_steps = {
            "--epochs": epochs,
            "--steps": steps,
            "--learning-rate": learning_rate,
            "--patience": patience,
        }
        tell_unseen({"--frames": frames, "--size": size, "--colour": colour}, of_steps)  # fmt: skip
    common: dict[str, Any] = {  # Any: values of several types
        "batch_size": batch_size, "seed": spec.seed, "store": store, "retry_failed": retry_failed, "workers": workers,
        "keeping": keeping,
    }  # fmt: skip
    if is_benchmark(data):
        tell_unused({"--labels": labels, "--held-out-sites": held_out_sites, "--size": size,
                     "--media": media != "videos"})  # fmt: skip
        clips = keeping.spec if keeping else make_spec(frames, None, colour, kind=kind)
        dataset = Dataset(data, kind, spec=clips, **common)
    else:
        clips = keeping.spec if keeping else make_spec(frames, size, colour)
        held_out = split_commas(held_out_sites)
        dataset = open_footage(data, clips, labels=labels, held_out_sites=held_out, media=media, **common)
    if spec.dry_run:
        dataset.look_ahead_clips = batch_size
    make_model = partial(
        build_model, architecture, species=dataset.class_names, spec=dataset.spec, seed=spec.seed, **options
    )
    with ProgressDisplay(quiet=quiet) as display, closing(dataset):
        run_training(make_model, dataset, spec=spec, folds=folds, out=out, quiet=quiet,
                     on_progress=display.on_progress)  # fmt: skip


def open_footage(
    data: Path,
    clips: ClipSpec,
    *,
    labels: Path | None,
    keeping: "Features | None",
    **how: Any,  # Any: what Dataset.from_folder takes
) -> "Dataset":
    """One's own labelled footage; all of it trains where a probe is fitted at once, and judged by parts in turn."""
    from primatrix.data import Dataset
    from primatrix.training import MOST_FITTED

    if labels is None:
        raise InputError(f"{data}: got no label file, wanted --labels FILE (or a benchmark folder)")
    split = {"labels": labels, "keeping": keeping, **how}
    if keeping:
        whole = Dataset.from_folder(data, clips, val_size=0.0, **split)
        if whole.num_samples <= MOST_FITTED:
            return whole
        whole.close()
    return Dataset.from_folder(data, clips, val_size=VAL_SIZE, **split)


def look(
    architecture: str,
    options: dict[str, Any],  # Any: values of several types
    *,
    device: Device,
    detector: Path | None,
) -> "Features | None":
    """What the network looks at in place of pixels: of a linear probe, features of close-ups and whole pictures."""
    if architecture != RECOMMENDED:
        if detector:
            raise InputError(
                f"--detector: got it with {architecture}, which takes no close-ups; wanted {RECOMMENDED}"
            )
        return None
    from primatrix.models import choose_processor, look_closely

    named = {name: options[name] for name in ("encoder", "digest") if options.get(name)}
    return look_closely(**named, detector=detector, processor=choose_processor(device))


def tell_unseen(of_clips: Mapping[str, object], of_steps: Mapping[str, object]) -> None:
    """One line each about options that a linear probe does not use, or only where clips are very many."""
    from primatrix.training import MOST_FITTED

    reasons = (
        f"{RECOMMENDED} looks at pictures as its encoder wants them",
        f"up to {MOST_FITTED:,} clips are fitted at once",
    )
    for given, reason in zip((of_clips, of_steps), reasons, strict=True):
        names = [name for name, value in given.items() if value is not None]
        if names:
            tell(f"{', '.join(names)}: not used, {reason}")


def read_recipe(
    architecture: str,
    *,
    config: Path | None,
    change: list[str],
    flags: dict[str, Any],  # Any: values of several types
    by_folds: bool,
) -> "TrainSpec":
    """The recommended settings, changed by the file, then by words, then by the flags that were given.

    By folds the last epoch is kept where nothing else is asked for: a fold's own clips must not choose.
    """
    from primatrix.settings import merge_settings, parse_words, read_settings
    from primatrix.training import TrainSpec

    settings = merge_settings(read_settings(config) if config else {}, parse_words(change))
    settings |= {name: value for name, value in flags.items() if value is not None}
    if by_folds:
        settings.setdefault("keep", "last")
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
    quiet: bool,
    on_progress: OnProgress,
) -> None:
    """Train once or by folds, and say what came of it; the last line says whether that is better than the constant."""
    from primatrix.disk import write_failures
    from primatrix.labels import describe_folds, split_folds
    from primatrix.training import is_leader, train_folds
    from primatrix.training import train as run

    model = make_model()
    split = dataset.describe_split(in_turn=model.name == RECOMMENDED)
    if folds is not None:  # refuses folds that cannot be, in a dry run too
        split_folds(dataset.labels, sites=dataset.sites, folds=folds)
        split = describe_folds(dataset.labels, sites=dataset.sites, folds=folds)
    for line in [] if quiet else split:  # before hours of work, not only after them
        tell(line)
    if folds is not None and not spec.dry_run:
        done = train_folds(make_model, dataset, folder=out, folds=folds, spec=spec, on_progress=on_progress)
        text = done.summary()
    else:
        text = run(model, dataset, spec=spec, folder=out, on_progress=on_progress).summary()
    if not is_leader():  # one of several processes that train together
        return
    *lines, verdict = text.splitlines()
    if spec.dry_run:
        typer.echo("\n".join(lines))
        typer.echo("dry run: trained, validated, saved, loaded and predicted; nothing was kept")
        finish(len(dataset.failures))
    else:
        typer.echo("\n".join([*lines, f"model: {out}", verdict]))
        finish(len(dataset.failures), write_failures(dataset.failures, out / "failures.csv"))
