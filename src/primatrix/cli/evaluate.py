"""The command `evaluate`."""

from pathlib import Path
from typing import Annotated

import typer

from primatrix.choices import Device
from primatrix.cli.options import (
    Deployments,
    Kind,
    LabelFile,
    OnDevice,
    Quiet,
    Workers,
    is_benchmark,
)
from primatrix.cli.program import tell
from primatrix.errors import InputError
from primatrix.progress import ProgressDisplay
from primatrix.records import DatasetType

__all__ = ["evaluate"]

BESIDE = "What to look at beside them"
FIRST_AND_LAST = ("overall.csv", "evaluation.json")  # of what `Evaluation.write` writes


def evaluate(
    labels: LabelFile,
    predictions: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTIONS", help="CSV of probabilities, or a folder of clips with --model."
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="Folder for tables, JSON and figures.")] = None,
    no_figures: Annotated[bool, typer.Option("--no-figures", help="Draw no figures into --out.")] = False,
    quiet: Quiet = False,
    model: Annotated[
        Path | None,
        typer.Option(help="A trained model: its thresholds and operating points.", rich_help_panel=BESIDE),
    ] = None,
    train_labels: Annotated[
        Path | None, typer.Option(help="Training labels, for the constant.", rich_help_panel=BESIDE)
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(help="Another model's CSV, compared clip by clip.", rich_help_panel=BESIDE),
    ] = None,
    durations: Annotated[
        Path | None, typer.Option(help="CSV with duration_seconds, as clips.csv.", rich_help_panel=BESIDE)
    ] = None,
    deployments: Deployments = None,
    kind: Kind = "nano",
    device: OnDevice = "auto",
    workers: Workers = None,
) -> None:
    """Measure predictions with intervals, beside the constant and another model.

    Example: primatrix evaluate test_labels.csv submission.csv --deployments deployments.csv --out evaluation
    """
    from primatrix.disk import check_output_folder, refuse_strange_files
    from primatrix.trust import Beside, check_figures, describe_evaluation, evaluate_files, write_evaluation

    if out:
        check_output_folder(out)
        refuse_strange_files(out, ("species.csv", "sites.csv"), marks=FIRST_AND_LAST, what="an evaluation")
    check_order(labels, predictions)
    figures = not no_figures
    if out and figures:
        check_figures()
    if predictions.is_dir():
        found = find_tables(predictions)
        deployments = deployments or found.get("deployments")
        train_labels = train_labels or found.get("train_labels")
        predictions = predict_first(
            predictions, model, out=out, kind=kind, device=device, workers=workers, quiet=quiet
        )
    beside = Beside(deployments, train_labels, against, model, durations)
    evaluation = evaluate_files(labels, predictions, beside=beside)
    typer.echo(describe_evaluation(evaluation))
    if out:
        write_evaluation(evaluation, out, model=model, figures=figures)
        tell(f"tables{' and figures' if figures else ''}: {out}")


def check_order(labels: Path, predictions: Path) -> None:
    """InputError before any work where there are no labels, or a folder of clips stands in their place."""
    if labels.is_dir() and not (labels / "datapackage.json").is_file():
        raise InputError(f"{labels}: got a folder, wanted the label file first and predictions, or a folder of clips, "
                         "second: `primatrix evaluate LABELS PREDICTIONS`")  # fmt: skip
    if predictions.is_dir():  # labels that cannot be read are refused before clips are predicted
        from primatrix.interchange import read_labels

        read_labels(labels)


def find_tables(folder: Path) -> dict[str, Path]:
    """The benchmark's tables in its folder, by name."""
    names = ("train_labels", "deployments")
    return {name: folder / f"{name}.csv" for name in names if (folder / f"{name}.csv").is_file()}


def predict_first(
    folder: Path,
    model: Path | None,
    *,
    out: Path | None,
    kind: DatasetType,
    device: Device,
    workers: int | None,
    quiet: bool,
) -> Path:
    """Predict a folder of clips into `out` and return the CSV."""
    if model is None or out is None:
        raise InputError(f"{folder}: got a folder of clips, wanted --model FOLDER and --out FOLDER with it")
    from primatrix.models import load_model
    from primatrix.tagging import predict_benchmark, predict_folder

    loaded, answers = load_model(model), out / "predictions.csv"
    with ProgressDisplay(quiet=quiet) as display:
        if is_benchmark(folder):
            predict_benchmark(folder, loaded, answers, kind=kind, device=device, workers=workers,
                              on_progress=display.on_progress)  # fmt: skip
        else:
            predict_folder(
                folder, loaded, out, device=device, workers=workers, on_progress=display.on_progress
            )
    return answers
