"""What a model answers for clips that it was not trained on, kept in its folder, and whether that is any good."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from primatrix.data import Dataset
from primatrix.disk import digest_weights, read_facts, write_table
from primatrix.measures import aggregated_log_loss, class_frequencies, constant_predictions
from primatrix.models import (
    Model,
    count_clips_at_once,
    describe_family,
    predict_batches,
    predict_frames,
    read_state,
    write_state,
)
from primatrix.results import Origin, write_origin
from primatrix.training.recipe import EpochScores, TrainSpec

__all__ = [
    "OUT_OF_FOLD",
    "answer_held_out",
    "judge",
    "keep_split",
    "keep_validation",
    "list_validated",
    "write_answers",
]

SPLIT, VALIDATION = "split.csv", "validation.csv"
OUT_OF_FOLD = "oof.csv"  # of all folds: filepath, fold, a probability per species
VALIDATION_ANSWERS = "validation.safetensors"  # as `answer_held_out` keeps them


def keep_split(data: Dataset, folder: Path) -> None:
    """Write down which clips of a run train and which validate."""
    parts = {"training": data.y_train.index, "validation": data.y_val.index}
    rows = [(name, part) for part, names in parts.items() for name in names]
    write_table(pd.DataFrame(rows, columns=["filepath", "part"]), folder / SPLIT, index=False)


def keep_validation(model: Model, data: Dataset, *, folder: Path, spec: TrainSpec) -> None:
    """Write the saved model's own probabilities for the clips it was validated on, as `calibrate` reads them.

    Those are the first `spec.validation_steps` batches; a clip that could not be read has empty cells.
    """
    names = data.X_val[: (spec.validation_steps or 0) * data.batch_size]
    if not len(names):
        return
    part = data.hold_out(names)
    probabilities = answer_held_out(model, part, folder=folder, name=VALIDATION_ANSWERS, spec=spec)
    table = pd.DataFrame(probabilities, index=part.X_test_ids, columns=part.class_names)
    path = write_table(table.rename_axis("filepath"), folder / VALIDATION, float_format="%.7g")
    write_origin(path, Origin(model.name, digest_weights(folder), files=part.identify(part.X_test_ids)))


def answer_held_out(
    model: Model, part: Dataset, *, folder: Path, name: str, spec: TrainSpec
) -> NDArray[np.float32]:
    """The model's own probabilities (N, S) for the clips to be predicted, nan where one failed.

    They are kept in its folder with their statistics (N, S, 7), and found there again for the same weights and clips.
    """
    digest = read_facts(folder)["weights_sha256"]
    path, clips = folder / name, part.X_test_ids.tolist()
    if path.is_file():
        tensors, facts = read_state(path)
        if (facts.get("weights_sha256"), facts.get("clips")) == (digest, clips):
            return tensors["probabilities"].numpy()
    part.seek_test(0)
    parts = []
    calibration, model.calibration = model.calibration, None
    for probabilities, statistics in answer_batches(model, part, spec=spec):
        failed = torch.tensor([name in part.bad_videos for name in part.test_batch_ids])
        probabilities[failed], statistics[failed] = torch.nan, torch.nan
        parts.append((probabilities, statistics))
    model.calibration = calibration
    probabilities, statistics = (torch.cat(both) for both in zip(*parts, strict=True))
    write_state(
        path, tensors={"probabilities": probabilities, "statistics": statistics},
        facts={"weights_sha256": digest, "clips": clips},
    )  # fmt: skip
    return probabilities.numpy()


def answer_batches(
    model: Model, part: Dataset, *, spec: TrainSpec
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Probabilities (B, S) and statistics (B, S, 7) of the clips to be predicted, batch by batch."""
    batches = part.test_batches(count_clips_at_once(part.spec))
    if model.gives_frames:
        for clips, frames in predict_frames(model, batches, device=spec.device, precision=spec.precision):
            yield torch.from_numpy(clips), describe_family(torch.from_numpy(clips), torch.from_numpy(frames))
    else:
        for clips in predict_batches(model, batches, device=spec.device, precision=spec.precision):
            yield torch.from_numpy(clips), describe_family(torch.from_numpy(clips), None)


def write_answers(table: pd.DataFrame, fold_of: "pd.Series[int]", path: Path) -> bool:
    """Write out-of-fold answers; whether the very same were there already."""
    before = path.read_bytes() if path.is_file() else b""
    whole = table.assign(fold=fold_of)[["fold", *table.columns]].rename_axis("filepath")
    write_table(whole, path, float_format="%.7g")
    return path.read_bytes() == before


def list_validated(data: Dataset, *, epoch: int, steps: int) -> list[str]:
    """The clips an epoch, counted from 0, was validated on: `steps` batches after those of the epochs before."""
    if not data.num_val_batches:
        return []
    batches = (number % data.num_val_batches for number in range(epoch * steps, (epoch + 1) * steps))
    names = [name for i in batches for name in data.X_val[i * data.batch_size : (i + 1) * data.batch_size]]
    failed = set(data.bad_videos)
    return [name for name in names if name not in failed]


def judge(data: Dataset, epochs: Sequence[EpochScores], *, kept: int, steps: int) -> str:
    """One line: whether the epoch that is kept, counted from 0, is better than the constant class frequencies.

    Both losses are of the clips that this epoch was validated on.
    """
    names = list_validated(data, epoch=kept, steps=steps)
    if not names:
        return "no clip was validated on, so nothing says whether the model is better than the constant"
    true = data.y_val.loc[names]
    guess = constant_predictions(class_frequencies(data.y_train), true.index)
    constant, loss = aggregated_log_loss(true, guess), epochs[kept].val_loss
    word = "better" if loss < constant else "worse"
    return (
        f"epoch {kept + 1} of {len(epochs)} is kept: validation loss {loss:.4f}, {word} than the constant's "
        f"{constant:.4f} ({loss / constant:.2f} of it)"
    )
