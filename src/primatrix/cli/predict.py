"""The command `predict`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from primatrix.choices import ContainerClock
from primatrix.cli.options import (
    MACHINE,
    PLACES,
    Data,
    Deployments,
    DetectorFile,
    Kind,
    Look,
    ModelFolder,
    OnDevice,
    Quiet,
    RetryFailed,
    Workers,
    is_benchmark,
    tell_unused,
)
from primatrix.cli.program import finish, tell
from primatrix.errors import InputError
from primatrix.progress import ProgressDisplay

if TYPE_CHECKING:
    from primatrix.models import Model
    from primatrix.tagging import Neighbours, TagSpec

__all__ = ["predict"]

INTERVAL_MINUTES = 30.0  # as `footage.INTERVAL_MINUTES`, which takes too long to load for a line of help
ANSWERS = "Answers"


def predict(
    data: Data,
    model: ModelFolder,
    out: Annotated[
        Path | None,
        typer.Option(help="The results folder (default: results); of a benchmark the CSV (predictions.csv)."),
    ] = None,
    quiet: Quiet = False,
    kind: Kind = "nano",
    media: Look = "videos",
    timezone: Annotated[
        str,
        typer.Option(
            metavar="ZONE",
            help="Of the cameras' clocks, as Africa/Abidjan or +01:00.",
            rich_help_panel=PLACES,
        ),
    ] = "",
    container_clock: Annotated[
        ContainerClock,
        typer.Option(
            help="What a time a video calls UTC is: the camera's clock, or UTC.", rich_help_panel=PLACES
        ),
    ] = "local",
    time_shift: Annotated[
        str,
        typer.Option(
            metavar="SHIFT",
            help="Add to clocks that were wrong, as +1d 02:00; or a column of --deployments.",
            rich_help_panel=PLACES,
        ),
    ] = "",
    modified_time: Annotated[
        bool,
        typer.Option(
            "--modified-time",
            help="Where no time is known, take the file's date of change.",
            rich_help_panel=PLACES,
        ),
    ] = False,
    site_from: Annotated[
        str,
        typer.Option(
            metavar="PATTERN",
            help="Where the site is in a path: {site}/{visit}/{file}, or (?P<site>…).",
            rich_help_panel=PLACES,
        ),
    ] = "",
    deployments: Deployments = None,
    interval: Annotated[
        float,
        typer.Option(
            metavar="MINUTES", help="How far apart clips are another event.", rich_help_panel=PLACES
        ),
    ] = INTERVAL_MINUTES,
    per_frame: Annotated[
        bool,
        typer.Option(
            "--per-frame",
            help="Write frames.parquet, too: probabilities of single frames.",
            rich_help_panel=ANSWERS,
        ),
    ] = False,
    no_neighbours: Annotated[
        bool,
        typer.Option(
            "--no-neighbours",
            help="Do not weigh clips close in time, as `primatrix neighbours` learned to.",
            rich_help_panel=ANSWERS,
        ),
    ] = False,
    raw: Annotated[
        bool,
        typer.Option(
            "--raw",
            help="The model's own probabilities, neither calibrated nor weighed by neighbours.",
            rich_help_panel=ANSWERS,
        ),
    ] = False,
    detector: DetectorFile = None,
    device: OnDevice = "auto",
    store: Annotated[
        Path | None,
        typer.Option(help="Where a benchmark folder's decoded clips are kept.", rich_help_panel=MACHINE),
    ] = None,
    retry_failed: RetryFailed = False,
    workers: Workers = None,
) -> None:
    """Tag every video of a folder: what is seen, when, where; for a benchmark folder, write the submission.

    Example: primatrix predict /media/card --model runs/mine --out results --site-from "{site}/{file}"
    """
    from primatrix.footage import TimeSpec
    from primatrix.tagging import TagSpec

    learned = None if no_neighbours or is_benchmark(data) else find_neighbours(model, raw=raw)
    spec = TagSpec(
        media,
        TimeSpec(timezone, container_clock, modified_time, time_shift),
        site_from,
        deployments,
        interval_minutes=interval,
        neighbours=learned,
        per_frame=per_frame,
    )
    with ProgressDisplay(quiet=quiet) as display:
        shared = {
            "device": device, "retry_failed": retry_failed, "workers": workers, "on_progress": display.on_progress,
        }  # fmt: skip
        loaded = load_for_prediction(model, raw=raw, detector=detector)
        if is_benchmark(data):
            tell_unused(options_of_footage(spec))
            ended = predict_submission(data, loaded, out, kind=kind, store=store, **shared)
        else:
            refuse_store(store)
            ended = predict_footage(data, loaded, out, spec=spec, **shared)
    summary, failures, failures_path = ended
    typer.echo(summary)
    finish(failures, failures_path)


def find_neighbours(model: Path, *, raw: bool) -> "Neighbours | None":
    """What was learned of neighbours for this very model; a line says why it is not used where it lies there."""
    from primatrix.tagging import NEIGHBOURS_FILE, read_neighbours

    learned, path = read_neighbours(model), model / NEIGHBOURS_FILE
    if raw and learned and learned.used:  # it was learned on calibrated probabilities
        tell(f"{path}: not used, since --raw asks for the model's own probabilities")
    elif learned is None and path.is_file():
        tell(f"{path}: not used, it was learned for other weights or another calibration; run `primatrix neighbours` "
             "again")  # fmt: skip
    return None if raw else learned


def options_of_footage(spec: "TagSpec") -> dict[str, object]:
    """Options that mean nothing for a benchmark folder, and whether they were given."""
    return {
        "--media": spec.media != "videos",
        "--timezone": spec.times.timezone,
        "--container-clock": spec.times.container_clock != "local",
        "--time-shift": spec.times.time_shift,
        "--modified-time": spec.times.modified,
        "--site-from": spec.site_from,
        "--deployments": spec.deployments,
        "--interval": spec.interval_minutes != INTERVAL_MINUTES,
        "--per-frame": spec.per_frame,
    }


def load_for_prediction(folder: Path, *, raw: bool, detector: Path | None) -> "Model":
    """The model in a folder, without its calibration where its own probabilities are wanted.

    `detector` says where the one it was trained with lies now.
    """
    from primatrix.models import load_model
    from primatrix.video import find_detector_again

    model = load_model(folder)
    if detector:
        model.spec = find_detector_again(model.spec, detector)
    if raw:
        model.calibration = None
    return model


def predict_submission(
    data: Path,
    model: "Model",
    out: Path | None,
    **options: Any,  # Any: what predict_benchmark takes
) -> tuple[str, int, Path | None]:
    """Predict a benchmark folder: the summary, how many clips failed and where they are listed."""
    from primatrix.tagging import predict_benchmark

    run = predict_benchmark(data, model, out or Path("predictions.csv"), **options)
    return run.summary(), len(run.failures), run.failures_path


def predict_footage(
    data: Path,
    model: "Model",
    out: Path | None,
    **options: Any,  # Any: what predict_folder takes
) -> tuple[str, int, Path | None]:
    """Tag a folder of footage: the summary, how many videos failed and where they are listed."""
    from primatrix.tagging import predict_folder

    run = predict_folder(data, model, out or Path("results"), **options)
    return run.summary(), len(run.results.failures), run.path / "failures.csv"


def refuse_store(store: Path | None) -> None:
    """Footage is decoded for one prediction and not kept."""
    if store:
        raise InputError(f"--store: got {store}, wanted it with a benchmark folder only: leave it out")
