"""The command line: parses, calls one function, prints.

Progress goes to stderr, data to stdout or `--out`. Exit 0: all well; 1: finished, but some inputs
failed (each listed with its reason); 2: could not start (one line says what was got, what was
wanted, what to do).
"""

import errno
import os
import sys
from contextlib import closing
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

import primatrix
from primatrix.errors import InputError, PrimatrixError
from primatrix.progress import ProgressDisplay
from primatrix.records import ClipSpec, Colour, DatasetType, Media
from primatrix.tables import write_failures

__all__ = ["app", "main"]

app = typer.Typer(
    name="primatrix",
    help="Tags the species in camera-trap video.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Data = Annotated[
    Path, typer.Argument(help="A benchmark folder (train_labels.csv, …), or any folder of videos.")
]
Kind = Annotated[DatasetType, typer.Option("--type", help="Which clips of a benchmark folder.")]
Labels = Annotated[
    Path | None, typer.Option(help="Label file of one's own folder: wide 0/1 or filepath,label.")
]
ModelFolder = Annotated[Path, typer.Option("--model", help="Folder of a trained model.")]
Frames = Annotated[int, typer.Option(help="Frames per clip (own folder).")]
Size = Annotated[str, typer.Option(help="HEIGHTxWIDTH in pixels (own folder).")]
Channels = Annotated[Colour, typer.Option(help="Of the frames (own folder).")]
Workers = Annotated[int | None, typer.Option(help="Decoding processes; default: one per core.")]
StoreFolder = Annotated[Path | None, typer.Option("--store", help="Where decoded clips are kept.")]
Seed = Annotated[int, typer.Option(help="Same seed, same result.")]
Look = Annotated[Media, typer.Option("--media", help="What is looked for in one's own folder.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")]
Device = Annotated[Literal["auto", "cpu", "cuda", "mps"], typer.Option(help="Where the model runs.")]


def main() -> None:
    """Run the command line; every expected error becomes one line on stderr and exit code 2."""
    # Before torch loads: threads that spin while they wait take the cores from the decoding processes
    # (prediction beside two busy processes: 65-143 clips/s spinning, 353-365 passive, on 2 cores).
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        app()
    except PrimatrixError as error:
        stop(str(error))
    except OSError as error:
        if error.errno not in (
            errno.ENOSPC,
            errno.EDQUOT,
            errno.EFBIG,
            errno.EACCES,
            errno.EROFS,
            errno.EPERM,
        ):
            raise
        stop(
            f"{error.filename or 'disk'}: {error.strerror}; make room or choose another place, then run again"
        )
    except KeyboardInterrupt:
        tell("stopped; the same command goes on from here")
        sys.exit(130)


def tell(message: str) -> None:
    """One line for people, on stderr."""
    sys.stderr.write(f"primatrix: {message}\n")


def stop(message: str) -> None:
    """One line on stderr, then exit code 2."""
    tell(" ".join(message.split()))
    sys.exit(2)


def finish(failures: int, listed_in: Path | None = None) -> None:
    """Exit 1 where inputs failed, after saying how many and where they are listed."""
    if failures:
        tell(f"{failures} clips could not be read" + (f"; see {listed_in}" if listed_in else ""))
        raise typer.Exit(1)


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where everything goes.")] = Path("primatrix-demo"),
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Simulate a small benchmark, train on it, predict, score: the whole job in minutes.

    Example: primatrix demo --out primatrix-demo
    """
    from primatrix.demo import run_demo

    with ProgressDisplay(quiet=quiet) as display:
        result = run_demo(out, seed=seed, on_progress=display.on_progress)
    typer.echo(result.summary())


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write the simulated benchmark into.")],
    train: Annotated[int, typer.Option(help="Clips with labels.")] = 1000,
    test: Annotated[int, typer.Option(help="Clips to predict.")] = 400,
    sizes: Annotated[str, typer.Option(help="nano, micro, raw; several with commas.")] = "nano",
    test_sites: Annotated[
        Literal["shared", "new"], typer.Option(help="Cameras of the test clips.")
    ] = "shared",
    broken: Annotated[int, typer.Option(help="How many files to break.")] = 0,
    seed: Seed = 0,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Make camera-trap footage with labels from a seed.

    Example: primatrix simulate data --train 1000 --test 400 --sizes nano,micro
    """
    from primatrix.simulation import SimulationSpec
    from primatrix.simulation import simulate as run

    spec = SimulationSpec(train_clips=train, test_clips=test, seed=seed, test_sites=test_sites, broken=broken)
    with ProgressDisplay(quiet=quiet) as display:
        result = run(
            out, spec=spec, sizes=parse_sizes(sizes), workers=workers, on_progress=display.on_progress
        )
    typer.echo(
        f"{result.files_written} clips written, {result.files_found} were there: {out}\n"
        f"{len(result.broken)} files are broken on purpose"
    )


@app.command()
def scan(
    folder: Annotated[Path, typer.Argument(help="A folder of videos, or a memory card.")],
    out: Annotated[Path | None, typer.Option(help="A .csv or .json file instead of stdout.")] = None,
    media: Look = "videos",
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Say what is on a card: per file its codec, size, rate, length and whether it can be read.

    Example: primatrix scan /media/card --out card.csv
    """
    from primatrix.scan import scan_folder

    with ProgressDisplay(quiet=quiet) as display:
        result = scan_folder(folder, media=media, workers=workers, on_progress=display.on_progress)
    result.write(out) if out else typer.echo(result.table.to_csv(index=False), nl=False)
    tell(result.summary())
    finish(result.failed, out)


@app.command()
def downsample(
    source: Annotated[Path, typer.Argument(help="A folder of raw footage.")],
    target: Annotated[Path, typer.Argument(help="Folder for the small clips.")],
    size: Annotated[str, typer.Option(help="nano, micro or HEIGHTxWIDTH.")] = "nano",
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Make nano (16x16) or micro (64x64) clips, 2 frames/s for 15 s, from raw footage.

    Example: primatrix downsample data/raw data/nano --size nano
    """
    from primatrix.downsample import NAMED_SIZES_PX
    from primatrix.downsample import downsample as run

    side = NAMED_SIZES_PX.get(size) or parse_size(size)
    with ProgressDisplay(quiet=quiet) as display:
        result = run(source, target, size_px=side, workers=workers, on_progress=display.on_progress)
    typer.echo(result.summary())
    finish(len(result.failures), result.failures_path)


@app.command()
def pack(
    data: Data,
    kind: Kind = "nano",
    model: Annotated[Path | None, typer.Option("--model", help="Pack what this model wants to see.")] = None,
    frames: Frames = 15,
    size: Size = "16x16",
    colour: Channels = "grey",
    media: Look = "videos",
    store: StoreFolder = None,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Decode clips into the store, so that training and prediction read them at once.

    Example: primatrix pack videos --frames 15 --size 64x64
    """
    from primatrix.loader import pack_folder

    if model:
        from primatrix.models import load_model

        spec = load_model(model).spec
    else:
        spec = make_spec(frames, size, colour)
    folder = data / kind if is_benchmark(data) else data
    with ProgressDisplay(quiet=quiet) as display:
        result = pack_folder(folder, spec, store=store or data / ".primatrix", media=media, workers=workers,
                             on_progress=display.on_progress)  # fmt: skip
    typer.echo(result.summary())
    finish(len(result.failures), result.failures_path)


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
def predict(
    data: Data,
    model: ModelFolder,
    out: Annotated[Path, typer.Option(help="The CSV of probabilities.")] = Path("predictions.csv"),
    kind: Kind = "nano",
    media: Look = "videos",
    device: Device = "auto",
    store: StoreFolder = None,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Give every clip its probability per species; for a benchmark folder, write the submission.

    Example: primatrix predict data --model runs/lrcn --out submission.csv
    """
    from primatrix.models import load_model
    from primatrix.prediction import predict_folder

    loaded = load_model(model)
    with ProgressDisplay(quiet=quiet) as display:
        result = predict_folder(
            data,
            loaded,
            out,
            kind=kind,
            media=media,
            device=device,
            store=store,
            workers=workers,
            on_progress=display.on_progress,
        )
    typer.echo(result.summary())
    finish(len(result.failures), result.failures_path)


@app.command()
def score(
    predictions: Annotated[Path, typer.Argument(help="CSV of probabilities.")],
    labels: Annotated[Path, typer.Argument(help="Label file, wide or long.")],
    train_labels: Annotated[
        Path | None, typer.Option(help="Training labels, for the constant predictor's class frequencies.")
    ] = None,
) -> None:
    """Score predictions by aggregated log loss, beside the constant class frequencies.

    Example: primatrix score submission.csv test_labels.csv --train-labels train_labels.csv
    """
    from primatrix.scoring import score_files

    typer.echo(score_files(predictions, labels, train_labels=train_labels).summary())


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
        f"{len(loaded.species)} species: {', '.join(loaded.species)}"
    )


def split_commas(text: str) -> tuple[str, ...]:
    """Words between commas.

    >>> split_commas("nano, micro")
    ('nano', 'micro')
    """
    return tuple(word.strip() for word in text.split(",") if word.strip())


def parse_sizes(text: str) -> tuple[DatasetType, ...]:
    """Names of the benchmark's sizes between commas.

    >>> parse_sizes("nano,micro")
    ('nano', 'micro')
    """
    known: dict[str, DatasetType] = {size: size for size in get_args(DatasetType)}
    words = split_commas(text)
    if not words or not known.keys() >= set(words):
        raise InputError(f"--sizes: got {text!r}, wanted some of {', '.join(known)}")
    return tuple(known[word] for word in words)


def make_spec(frames: int, size: str, colour: Colour) -> ClipSpec:
    """The clip that --frames, --size and --colour ask for."""
    height_px, width_px = parse_size(size)
    return ClipSpec(frames, height_px, width_px, colour)


def parse_size(text: str) -> tuple[int, int]:
    """`64x48` is 64 pixels high and 48 wide; `64` is a square.

    >>> parse_size("64x48")
    (64, 48)
    """
    numbers = text.lower().split("x")
    if len(numbers) > 2 or not all(number.isdecimal() for number in numbers):
        raise InputError(f"--size: got {text!r}, wanted HEIGHTxWIDTH in pixels, as 64x64")
    return int(numbers[0]), int(numbers[-1])


def is_benchmark(data: Path) -> bool:
    """Whether a folder is laid out as the benchmark's."""
    return (data / "submission_format.csv").is_file()
