"""Commands about answers: predict, score."""

from pathlib import Path
from typing import Annotated

import typer

from primatrix.cli.app import app, finish
from primatrix.cli.options import Data, Device, Kind, Look, ModelFolder, Quiet, StoreFolder, Workers
from primatrix.progress import ProgressDisplay


@app.command()
def predict(
    data: Data,
    model: ModelFolder,
    out: Annotated[Path, typer.Option(help="The CSV of probabilities.")] = Path("predictions.csv"),
    kind: Kind = "nano",
    media: Look = "videos",
    device: Device = "auto",
    raw: Annotated[
        bool, typer.Option("--raw", help="The model's own probabilities, not calibrated.")
    ] = False,
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
    if raw:
        loaded.calibration = None
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
