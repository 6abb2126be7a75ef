"""Probabilities for many clips, as fast as the processor gives them."""

import hashlib
import json
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

import primatrix
from primatrix.data.dataset import Dataset
from primatrix.data.store import FORMAT_VERSION
from primatrix.disk.parts import Answers
from primatrix.disk.tables import write_failures, write_table
from primatrix.errors import ModelError
from primatrix.models import Model
from primatrix.models.devices import Compile, Device, DeviceName, Precision, choose_device, compile_network
from primatrix.records import ClipSpec, DatasetType, Failure, OnProgress, Progress

__all__ = [
    "PredictionRun",
    "predict",
    "predict_batches",
    "predict_benchmark",
    "predict_frames",
    "predict_to_file",
]

CLIPS_READ_AT_ONCE = 1024
BYTES_READ_AT_ONCE = 256 << 20

# Clips that pass through the network at once. On 2 CPU cores LRCN gives 736 clips/s at 32, 635 at 64 and 500
# at 512, where the layers' outputs no longer fit the cache; GPUs want more, but 512 micro clips take 3 to 7 GiB
# of theirs (bench/learn/gpu.md), which small ones do not have.
CLIPS_AT_ONCE = {"cpu": 32, "cuda": 512, "mps": 128}
GPU_BYTES_AT_ONCE = 48 << 20


def predict_batches(
    model: Model,
    batches: Iterable[NDArray[Any]],  # Any: pixels of any dtype
    *,
    device: Device | None = None,
    compile: Compile = "auto",  # noqa: A002  # torch's word for it
    clips: int = 0,
) -> Iterator[NDArray[np.float32]]:
    """Turn batches of clips (B, T, H, W, C) into probabilities (B, S), one array per batch, in order.

    They are calibrated where the model has a calibration; set `model.calibration = None` for the model's own.
    `clips` is how many will come in all, if known: a long job is worth compiling for. A clip's probabilities
    do not depend on its batch beyond rounding (a test measures it). The model is in eval mode meanwhile and,
    after the last batch, where and as it was.

    >>> from primatrix.models import build_model
    >>> from primatrix.records import ClipSpec
    >>> model = build_model("lrcn", species=["blank", "duiker"], spec=ClipSpec(15, 16, 16))
    >>> clips = np.zeros((5, 15, 16, 16, 1), np.uint8)
    >>> [p.shape for p in predict_batches(model, [clips[:3], clips[3:]])]
    [(3, 2), (2, 2)]
    """
    device = device or choose_device()
    with model.running_on(device.torch_device, training=False):
        call = compile_network(model.network, choice=compile, clips=clips)
        compiled = call is not model.network
        for batch in batches:
            model.check_clips(batch.shape)
            own = predict_one(call, batch, device=device, fill=compiled)
            yield model.calibration.apply(own) if model.calibration else own


def predict_one(
    call: Any,  # Any: a network or its compiled form
    batch: NDArray[Any],  # Any: pixels of any dtype
    *,
    device: Device,
    fill: bool,
) -> NDArray[np.float32]:
    """Probabilities (B, S) of one batch, in pieces that fit the processor; `fill` makes all pieces one size."""
    size = count_at_once(device, batch.shape[1:])
    parts = []
    for start in range(0, len(batch), size):
        piece = np.ascontiguousarray(batch[start : start + size])
        count = len(piece)
        if fill and count < size:  # a compiled network would be compiled anew for another size
            piece = np.concatenate([piece, np.zeros((size - count, *piece.shape[1:]), piece.dtype)])
        with torch.inference_mode(), device.autocast():
            logits = call(torch.from_numpy(piece).to(device.torch_device))
            parts.append(logits[:count].float().sigmoid())
    return torch.cat(parts).cpu().numpy()


def count_at_once(device: Device, shape: Sequence[int]) -> int:
    """How many clips of one shape pass through a network at once: what suits the processor, and fits a small GPU.

    >>> nano, micro = (15, 16, 16, 1), (30, 64, 64, 3)
    >>> [count_at_once(Device(kind, "fp32"), shape) for kind in ("cpu", "cuda") for shape in (nano, micro)]
    [32, 32, 512, 136]
    """
    most = CLIPS_AT_ONCE[device.kind]
    return most if device.kind == "cpu" else max(1, min(most, GPU_BYTES_AT_ONCE // math.prod(shape)))


def predict_frames(
    model: Model,
    batches: Iterable[NDArray[Any]],  # Any: pixels of any dtype
    *,
    device: Device | None = None,
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Turn batches of clips (B, T, H, W, C) into probabilities per clip (B, S) and per frame (B, T, S), in order.

    The clips' probabilities are those of `predict_batches`; a calibration maps frames as it maps clips, so that the
    same thresholds fit, though it was fitted to clips alone. Raises ModelError for a model that does not give
    frames (`model.gives_frames`).

    >>> from primatrix.models import build_model
    >>> from primatrix.records import ClipSpec
    >>> model = build_model("motion", species=["blank", "duiker"], spec=ClipSpec(5, 32, 32))
    >>> clips = np.zeros((3, 5, 32, 32, 1), np.uint8)
    >>> [(p.shape, q.shape) for p, q in predict_frames(model, [clips])]
    [((3, 2), (3, 5, 2))]
    """
    device = device or choose_device()
    size = count_at_once(device, model.spec.shape)
    with model.running_on(device.torch_device, training=False):
        for batch in batches:
            parts = []
            for start in range(0, len(batch), size):
                piece = torch.from_numpy(np.ascontiguousarray(batch[start : start + size]))
                with torch.inference_mode(), device.autocast():
                    parts.append(model.forward_frames(piece.to(device.torch_device)))
            clips, frames = (
                torch.cat(part).float().sigmoid().cpu().numpy() for part in zip(*parts, strict=True)
            )
            if model.calibration:
                clips, frames = model.calibration.apply(clips), model.calibration.apply(frames)
            yield clips, frames


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
        lines = [f"{len(self.table)} clips in {self.seconds:.0f} s ({rate:.0f} clips/s): {self.path}"]
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
    device: DeviceName = "auto",
    precision: Precision = "auto",
    compile: Compile = "auto",  # noqa: A002  # torch's word for it
    on_progress: OnProgress | None = None,
) -> pd.DataFrame:
    """Fill `data.predictions`, every row, in the order of the submission format, and return it.

    Raises ModelError where the model was made for other species or other clips than `data` gives.
    """
    chosen = choose_device(device, precision=precision)
    for done in _fill_predictions(model, data, device=chosen, compile=compile):
        if on_progress:
            on_progress(Progress("predict", done, data.num_test_samples, message=chosen.short))
    return data.predictions


def _fill_predictions(
    model: Model,
    data: Dataset,
    *,
    device: Device,
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

    for probabilities in predict_batches(model, unanswered(), device=device, compile=compile, clips=total):
        if answers:
            answers.write(data.identify_test_batch(), probabilities)
        data.update_predictions(probabilities)
        done += len(probabilities)
        told = done
        yield done
    if told < total:  # the last chunks were there
        yield total


def count_clips_at_once(spec: ClipSpec) -> int:
    """How many clips are read into memory together: few where clips are large.

    >>> count_clips_at_once(ClipSpec(15, 16, 16)), count_clips_at_once(ClipSpec(30, 404, 720, "rgb"))
    (1024, 10)
    """
    return max(1, min(CLIPS_READ_AT_ONCE, BYTES_READ_AT_ONCE // math.prod(spec.shape)))


def fingerprint(model: Model, device: Device) -> str:
    """A digest of all that decides an answer besides the clip: weights, calibration, spec, device, versions."""
    facts = [
        model.name, model.options, model.species, model.spec.to_dict(), str(device),
        model.calibration and model.calibration.to_dict(), primatrix.__version__, torch.__version__, FORMAT_VERSION,
    ]  # fmt: skip
    digest = hashlib.sha256(json.dumps(facts).encode())
    for name, tensor in sorted(model.network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def predict_benchmark(
    folder: str | Path,
    model: Model,
    path: str | Path,
    *,
    kind: DatasetType = "nano",
    device: DeviceName = "auto",
    store: str | Path | None = None,
    workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> PredictionRun:
    """Predict the test clips (of size `kind`) of a benchmark folder and write the submission at `path`.

    Every row of the submission format is there, in its order and with its header. Footage of one's own is for
    `predict_folder`.
    """
    data = Dataset(folder, kind, spec=model.spec, store=store, workers=workers)
    with closing(data):
        return predict_to_file(model, data, path, device=device, on_progress=on_progress)


def predict_to_file(
    model: Model,
    data: Dataset,
    path: str | Path,
    *,
    device: DeviceName = "auto",
    on_progress: OnProgress | None = None,
) -> PredictionRun:
    """Predict and write the CSV at `path`, with failures.csv beside it where clips failed.

    Killed at any moment, the same call goes on: answers are kept in a hidden folder beside `path`
    until the table is written.
    """
    began, path = time.perf_counter(), Path(path)
    chosen = choose_device(device)
    answers = Answers(path.with_name(f".{path.name}.parts"), made_by=fingerprint(model, chosen))
    for done in _fill_predictions(model, data, device=chosen, answers=answers):
        if on_progress:
            on_progress(Progress("predict", done, data.num_test_samples, message=chosen.short))
    table = data.predictions
    rows = set(table.index)
    failures = tuple(failure for failure in data.failures if failure.name in rows)
    partial = tuple(name for name in data.partial if name in rows)
    written = table if table.index.name == "filename" else add_status(table, failures, partial)
    write_table(written, path, float_format="%.7g")  # float32 holds 7 digits
    failures_path = write_failures(failures, path.with_name("failures.csv"))
    answers.remove()
    filled = bool(np.isfinite(data.class_frequencies).all())
    return PredictionRun(table, failures, partial, time.perf_counter() - began, path, failures_path, filled)


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
        raise ModelError(f"got data of {describe(data.spec)}, wanted {describe(model.spec)} as the model was "
                         "trained on; make the Dataset with spec=model.spec")  # fmt: skip


def describe(spec: ClipSpec) -> str:
    """A spec in a few words."""
    return f"{spec.frames} {spec.colour} frames of {spec.height_px}x{spec.width_px} ({spec.sampler})"
