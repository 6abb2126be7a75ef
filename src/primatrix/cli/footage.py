"""Commands about footage: demo, simulate, scan, downsample, pack."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from primatrix.cli.app import app, finish, tell
from primatrix.cli.options import (
    Channels,
    Data,
    Frames,
    Kind,
    Look,
    Quiet,
    Seed,
    Size,
    StoreFolder,
    Workers,
    is_benchmark,
    make_spec,
    parse_size,
    parse_sizes,
)
from primatrix.cli.progress import ProgressDisplay


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
    from primatrix.footage.scan import scan_folder

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
    from primatrix.footage.downsampling import NAMED_SIZES_PX
    from primatrix.footage.downsampling import downsample as run

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
    size: Size = None,
    colour: Channels = "grey",
    media: Look = "videos",
    store: StoreFolder = None,
    workers: Workers = None,
    quiet: Quiet = False,
) -> None:
    """Decode clips into the store, so that training and prediction read them at once.

    Example: primatrix pack videos --frames 15 --size 64x64
    """
    from primatrix.data.loader import pack_folder

    if model:
        from primatrix.models import load_model

        spec = load_model(model).spec
    else:
        spec = make_spec(frames, size, colour, kind=kind if is_benchmark(data) else "nano")
    folder = data / kind if is_benchmark(data) else data
    with ProgressDisplay(quiet=quiet) as display:
        result = pack_folder(folder, spec, store=store or data / ".primatrix", media=media, workers=workers,
                             on_progress=display.on_progress)  # fmt: skip
    typer.echo(result.summary())
    finish(len(result.failures), result.failures_path)
