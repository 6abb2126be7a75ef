"""The benchmark's submission: every clip to predict gets a row."""

import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from primatrix.choices import Device
from primatrix.data import Dataset
from primatrix.disk import (
    Answers,
    check_output_file,
    hold_alone,
    name_failures,
    refuse_other_list,
    write_failures,
    write_table,
)
from primatrix.errors import InputError, ModelError
from primatrix.models import (
    Compile,
    Model,
    Precision,
    Processor,
    choose_processor,
    count_clips_at_once,
    predict_batches,
)
from primatrix.progress import ShowProgress, show_progress
from primatrix.records import DatasetType, Failure, Progress, say_lost
from primatrix.results import Origin, write_origin
from primatrix.tagging.fingerprint import fingerprint_model

__all__ = ["PredictionRun", "predict", "predict_benchmark", "predict_to_file"]

BENCHMARK_TABLES = ("train_labels.csv", "submission_format.csv", "test_labels.csv", "deployments.csv")


@dataclass(frozen=True, slots=True, eq=False)
class PredictionRun:
    """What a prediction gave: the table (NaN where a clip failed), what failed and why, where it was written."""

    table: pd.DataFrame
    failures: tuple[Failure, ...]
    partial: tuple[str, ...]
    seconds: float
    path: Path
    failures_path: Path | None
    filled: bool  # whether rows of failed clips hold class frequencies, as a submission needs

    def summary(self) -> str:
        """Lines for the terminal: how many, how fast, what failed, where everything lies."""
        rate = len(self.table) / self.seconds if self.seconds else 0.0
        lost = say_lost(self.failures, len(self.table))
        lines = [lost] if lost else []
        lines += [f"{len(self.table)} clips in {self.seconds:.0f} s ({rate:.0f} clips/s): {self.path}"]
        if self.partial:
            lines.append(f"{len(self.partial)} clips could be read in part only; what was read was predicted")
        if self.failures:
            instead = "hold the training set's class frequencies" if self.filled else "have no probabilities"
            lines.append(f"{len(self.failures)} clips could not be read; their rows {instead}")
        return "\n".join(lines)


def predict(
    model: Model,
    data: Dataset,
    *,
    device: Device = "auto",
    precision: Precision = "auto",
    compile: Compile = "auto",  # noqa: A002  # torch's word for it
    on_progress: ShowProgress = "auto",
) -> pd.DataFrame:
    """Fill `data.predictions`, every row, in the order of the submission format, and return it.

    Raises ModelError where the model was made for other species or other clips than `data` gives.
    """
    processor = choose_processor(device, precision=precision)
    with show_progress(on_progress) as tell:
        for done in _fill_predictions(model, data, processor=processor, compile=compile):
            if tell:
                tell(Progress("predict", done, data.num_test_samples, message=processor.short))
    return data.predictions


def _fill_predictions(
    model: Model,
    data: Dataset,
    *,
    processor: Processor,
    compile: Compile = "auto",  # noqa: A002  # torch's word for it
    answers: Answers | None = None,
) -> Iterator[int]:
    """Fill `data.predictions` chunk by chunk, yielding how many rows are done; `answers` are taken and kept."""
    check_fit(model, data)
    data.seek_test(0)
    done, told, total = 0, 0, data.num_test_samples

    def unanswered() -> Iterator[NDArray[Any]]:  # Any: pixels of any dtype
        nonlocal done
        for batch in data.test_batches(count_clips_at_once(data.spec)):
            kept = answers.read(data.identify_test_batch()) if answers else None
            if kept is None or kept.shape[1] != data.num_classes:
                yield batch
            else:
                data.update_predictions(kept)
                done += len(kept)

    for probabilities in predict_batches(
        model,
        unanswered(),
        device=processor.kind,
        precision=processor.precision,
        compile=compile,
        clips=total,
    ):
        if answers:
            answers.write(data.identify_test_batch(), probabilities)
        data.update_predictions(probabilities)
        done += len(probabilities)
        told = done
        yield done
    if told < total:  # the last chunks were there
        yield total


def predict_benchmark(
    folder: str | Path,
    model: Model,
    path: str | Path,
    *,
    kind: DatasetType = "nano",
    device: Device = "auto",
    store: str | Path | None = None,
    retry_failed: bool = False,
    workers: int | None = None,
    on_progress: ShowProgress = "auto",
) -> PredictionRun:
    """Predict the test clips (of size `kind`) of a benchmark folder and write the submission at `path`.

    Every row of the submission format is there, in its order and with its header. `store` and `retry_failed` are those
    of `Dataset`. Footage of one's own is for `predict_folder`.
    """
    check_output_file(path)  # before looking at hundreds of thousands of clips
    data = Dataset(
        folder, kind, spec=model.spec, store=store, retry_failed=retry_failed, workers=workers,
        keeping=model.make_features(choose_processor(device)),
    )  # fmt: skip
    with closing(data):
        return predict_to_file(model, data, path, device=device, on_progress=on_progress)


def predict_to_file(
    model: Model,
    data: Dataset,
    path: str | Path,
    *,
    device: Device = "auto",
    on_progress: ShowProgress = "auto",
) -> PredictionRun:
    """Predict and write the CSV at `path`, with a list of failures beside it where clips failed.

    The list of `submission.csv` is `submission.failures.csv`. Killed at any moment, the same call goes on: answers are
    kept in a hidden folder beside `path` until the table is written. Raises InputError before any work where `path`
    cannot be written, is a table of the benchmark's own, or another run writes it.
    """
    began, path = time.perf_counter(), check_submission(path, data)
    processor = choose_processor(device)
    check_fit(model, data)
    answers = Answers(path.with_name(f".{path.name}.parts"), made_by=fingerprint_model(model, processor))
    with (
        hold_alone(answers.folder / "lock", doing="prediction", place=path),
        show_progress(on_progress) as tell,
    ):
        for done in _fill_predictions(model, data, processor=processor, answers=answers):
            if tell:
                tell(Progress("predict", done, data.num_test_samples, message=processor.short))
        table = data.predictions
        rows = set(table.index)
        failures = tuple(failure for failure in data.failures if failure.name in rows)
        partial = tuple(name for name in data.partial if name in rows)
        written = table if table.index.name == "filename" else add_status(table, failures, partial)
        write_table(written, path, float_format="%.7g")  # float32 holds 7 digits
        failures_path = write_failures(failures, name_failures(path))
        write_origin(path, Origin(model.name, model.digest, calibrated=model.calibration is not None,
                                  files=data.identify(table.index)))  # fmt: skip
        answers.remove()
    filled = bool(np.isfinite(data.class_frequencies).all())
    return PredictionRun(table, failures, partial, time.perf_counter() - began, path, failures_path, filled)


def check_submission(path: str | Path, data: Dataset) -> Path:
    """The path where a submission can be written and nothing of others is lost; else InputError, before the work."""
    path = check_output_file(path)
    if path.is_file() and any(path.samefile(table) for table in data.datapath.glob("*.csv")
                              if table.name in BENCHMARK_TABLES):  # fmt: skip
        raise InputError(
            f"{path}: is a table of the benchmark itself, wanted a place for the answers; name another"
        )
    refuse_other_list(name_failures(path))
    return path


def add_status(table: pd.DataFrame, failures: Iterable[Failure], partial: Iterable[str]) -> pd.DataFrame:
    """The table with a first column `status`: ok, partial or failed."""
    status = pd.Series("ok", index=table.index)
    status[list(partial)] = "partial"
    status[[failure.name for failure in failures]] = "failed"
    return pd.concat([status.rename("status"), table], axis=1)


def check_fit(model: Model, data: Dataset) -> None:
    """Refuse data of other species or other clips than the model was trained on."""
    if list(model.species) != data.class_names:
        differing = sorted(set(model.species) ^ set(data.class_names))
        what = f"they differ in {', '.join(differing[:5])}" if differing else "their order differs"
        raise ModelError(
            f"got a model for {len(model.species)} species and data with {data.num_classes}: {what}; "
            "train a model on these labels"
        )
    if model.spec != data.spec:
        raise ModelError(f"got data of {data.spec.describe()}, wanted {model.spec.describe()} as the model was "
                         "trained on; make the Dataset with spec=model.spec")  # fmt: skip
