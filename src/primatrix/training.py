"""Training: one loop, the same weights from the same seed, a checkpoint after every epoch to go on from."""

import dataclasses
import itertools
import logging
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from primatrix.checkpoint import read_state, write_state
from primatrix.devices import Device, choose_device, compile_network, seeded
from primatrix.errors import ModelError
from primatrix.models import Model, load_weights
from primatrix.optimisers import KerasRMSprop
from primatrix.recipe import Batch, EpochScores, History, TrainingData, TrainSpec, settle
from primatrix.records import OnProgress, Progress

__all__ = ["EpochScores", "History", "TrainSpec", "TrainingData", "train"]

STATE = "training.safetensors"
logger = logging.getLogger(__name__)


def train(
    model: Model,
    data: TrainingData,
    *,
    spec: TrainSpec | None = None,
    folder: Path | str | None = None,
    on_progress: OnProgress | None = None,
    **settings: Any,  # Any: fields of TrainSpec, which checks them
) -> History:
    """Train the model in place: RMSprop on binary cross-entropy over all clips and species, as Keras does.

    `settings` are fields of TrainSpec (epochs, steps_per_epoch, ...). With a `folder`, model and state are
    saved there after every epoch, and the same call goes on after the last finished epoch; on a CPU the
    weights are then bit-equal to those of an undisturbed run. The model is left in eval mode.

    Raises InputError for settings that cannot be, ModelError for batches that do not fit the model, a loss
    that is not finite, or a folder that holds a run with other settings.

    >>> import numpy as np
    >>> from primatrix import ClipSpec
    >>> from primatrix.models import build_model
    >>> class Data:
    ...     num_batches, num_val_batches = 2, 1
    ...
    ...     def batches(self):
    ...         while True:
    ...             yield np.zeros((4, 15, 16, 16, 1), np.uint8), np.zeros((4, 2), np.float32)
    ...
    ...     val_batches = batches
    >>> model = build_model("lrcn", species=["blank", "duiker"], spec=ClipSpec(15, 16, 16))
    >>> len(train(model, Data(), epochs=1).epochs)
    1
    """
    spec = settle(spec or TrainSpec(), settings=settings, data=data)
    device = choose_device(spec.device, precision=spec.precision)
    logger.info("training %s on %s", model.name, device.description)
    with model.running_on(device.torch_device, training=True):
        run = Run(model, data, spec=spec, device=device, on_progress=on_progress)
        if folder is not None:
            run.resume(Path(folder))
        while len(run.epochs) < spec.epochs:
            run.finish_epoch(run.train_epoch())
            if folder is not None:
                run.save(Path(folder))
        if run.best:
            load_weights(model, weights=run.best, source="best epoch")
    model.network.eval()
    model.scores = run.scores()
    if folder is not None:
        model.save(folder)
    return History(tuple(run.epochs))


class Run:
    """A training run in progress: what changes from step to step, and how it is saved and taken up again."""

    def __init__(
        self,
        model: Model,
        data: TrainingData,
        *,
        spec: TrainSpec,
        device: Device,
        on_progress: OnProgress | None,
    ) -> None:
        self.model, self.data, self.spec, self.device = model, data, spec, device
        self.report = on_progress or (lambda _: None)
        self.steps = spec.steps_per_epoch or 0
        self.validation_steps = spec.validation_steps or 0
        self.parameters = [p for p in model.network.parameters() if p.requires_grad]
        self.optimiser = KerasRMSprop(self.parameters, learning_rate=spec.learning_rate)
        self.call = compile_network(model.network, choice=spec.compile, clips=0)
        self.epochs: list[EpochScores] = []
        self.best: dict[str, Tensor] = {}
        self.streams: tuple[Iterator[Batch], Iterator[Batch]] | None = None

    def train_epoch(self) -> EpochScores:
        """Train `steps_per_epoch` steps, then validate."""
        training, validation = self.open_streams()
        started, clips, losses = time.perf_counter(), 0, LossMean()
        first = len(self.epochs) * self.steps
        for step in range(first, first + self.steps):
            x, y = self.to_device(next(training))
            losses.add(self.train_step(x, y, step=step), clips=1)
            clips += len(x)
            rate = clips / (time.perf_counter() - started)
            self.show(step + 1, loss=self.checked(losses, step=step), rate=rate)
        loss = self.checked(losses, step=step, wait=True)
        val_loss = self.validate(validation)
        return EpochScores(loss, val_loss, time.perf_counter() - started, rate)

    def train_step(self, x: Tensor, y: Tensor, *, step: int) -> Tensor:
        """One step down the gradient of the mean loss over B clips, which is returned."""
        # Random numbers follow from seed and step alone, so a run taken up again draws the same.
        with seeded(seed_of_step(self.spec.seed, step=step), device=self.device):
            with self.device.autocast():
                logits = self.call(x)
            loss = F.binary_cross_entropy_with_logits(logits.float(), y)
            loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.set_learning_rate(self.spec.learning_rate_at(step))
        self.optimiser.step()
        self.optimiser.zero_grad()
        return loss.detach()

    def validate(self, batches: Iterator[Batch]) -> float:
        """The mean loss over `validation_steps` batches in eval mode; nan where there are none."""
        losses = LossMean()
        self.model.network.eval()
        with torch.inference_mode(), self.device.autocast():
            for batch in itertools.islice(batches, self.validation_steps):
                x, y = self.to_device(batch)
                loss = F.binary_cross_entropy_with_logits(self.model.network(x).float(), y)
                losses.add(loss, clips=len(x))
        self.model.network.train()
        return losses.mean(wait=True)

    def to_device(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Pixels as they are and float32 labels on the device; ModelError where they do not fit the model."""
        x, y = torch.as_tensor(batch[0]), torch.as_tensor(batch[1], dtype=torch.float32)
        self.model.check_clips(x.shape)
        wanted = (len(x), len(self.model.species))
        if tuple(y.shape) != wanted:
            got = tuple(y.shape)
            raise ModelError(f"training: got labels of shape {got}, wanted {wanted}: a column per species")
        return x.to(self.device.torch_device), y.to(self.device.torch_device)

    def open_streams(self) -> tuple[Iterator[Batch], Iterator[Batch]]:
        """Training and validation batches, from the first one that no finished epoch has used."""
        if self.streams is None:
            done = len(self.epochs)
            training = open_stream(self.data, kind="batches", seek="seek", step=done * self.steps)
            validation = open_stream(
                self.data, kind="val_batches", seek="seek_val", step=done * self.validation_steps
            )
            self.streams = (training, validation)
        return self.streams

    def checked(self, losses: "LossMean", *, step: int, wait: bool = False) -> float:
        """The mean loss so far; ModelError once it is not finite."""
        mean = losses.mean(wait=wait)
        if losses.count and not math.isfinite(mean):
            where = f"epoch {step // self.steps + 1}, step {step % self.steps + 1}"
            rate = f"learning_rate (now {self.spec.learning_rate})"
            raise ModelError(
                f"training: the loss became {mean} in {where}; lower {rate} or use precision='fp32'"
            )
        return mean

    def show(self, step: int, *, loss: float, rate: float) -> None:
        """Report one progress line."""
        val = f"  val {self.epochs[-1].val_loss:.4f}" if self.epochs else ""
        loss_now = "" if math.isnan(loss) else f"loss {loss:.4f}{val}  "
        message = f"{loss_now}{rate:.0f} clips/s  {self.device.short}"
        self.report(Progress("train", step, self.spec.epochs * self.steps, unit="batches", message=message))

    def finish_epoch(self, scores: EpochScores) -> None:
        """Note an epoch's scores, and its weights where they are the best so far and wanted."""
        self.epochs.append(scores)
        if self.spec.keep == "best" and scores is best_epoch(self.epochs):
            self.best = {
                name: t.detach().cpu().clone() for name, t in self.model.network.state_dict().items()
            }

    def scores(self) -> dict[str, float]:
        """The losses of the epoch whose weights the model ends with, and how many epochs were trained."""
        chosen = best_epoch(self.epochs) if self.spec.keep == "best" else self.epochs[-1]
        values = {"epochs": float(len(self.epochs)), "loss": chosen.loss, "val_loss": chosen.val_loss}
        return {name: value for name, value in values.items() if math.isfinite(value)}

    def settings(self) -> dict[str, Any]:  # Any: JSON values of several types
        """What must be the same for a saved run to be gone on with; more epochs may be asked for."""
        values = {k: v for k, v in dataclasses.asdict(self.spec).items() if k != "device"}
        if self.spec.schedule == "constant":  # more epochs of the same: a run may be made longer
            del values["epochs"]
        model = {"model": self.model.name, **self.model.options, "species": list(self.model.species)}
        size = {"clips": self.model.spec.key, "num_batches": self.data.num_batches}
        return {**values, "precision": self.device.precision, "device": self.device.kind, **model, **size}

    def save(self, folder: Path) -> None:
        """Write the state in one step, then the model as it is now."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"model.{k}": v for k, v in self.model.network.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in self.best.items()}
        for i, p in enumerate(self.parameters):
            tensors |= {f"optimiser.{i}.{k}": v for k, v in self.optimiser.state[p].items()}
        epochs = [dataclasses.asdict(epoch) for epoch in self.epochs]
        write_state(folder / STATE, tensors=tensors, facts={"settings": self.settings(), "epochs": epochs})
        self.model.scores = self.scores()
        self.model.save(folder)

    def resume(self, folder: Path) -> None:
        """Take up the run saved in `folder`, if there is one; ModelError where its settings were others."""
        if not (folder / STATE).is_file():
            return
        tensors, facts = read_state(folder / STATE)
        check_settings(self.settings(), saved=facts["settings"], path=folder / STATE)
        load_weights(self.model, weights=take(tensors, prefix="model."), source=str(folder / STATE))
        self.best = take(tensors, prefix="best.")
        for i, p in enumerate(self.parameters):
            # Copied into the weights' own memory layout, so that the next step computes bit for bit the same.
            saved = take(tensors, prefix=f"optimiser.{i}.")
            self.optimiser.state[p] = {k: torch.empty_like(p).copy_(v) for k, v in saved.items()}
        self.epochs = [EpochScores(**epoch) for epoch in facts["epochs"]]
        logger.info("%s: goes on after epoch %d", folder, len(self.epochs))


class LossMean:
    """The mean of losses that lie on the device, read one behind so that a GPU is not waited for."""

    def __init__(self) -> None:
        self.total, self.count = 0.0, 0
        self.pending: tuple[Tensor, int] | None = None

    def add(self, loss: Tensor, *, clips: int) -> None:
        """Count in a batch's mean loss with this weight."""
        self.read_pending()
        self.pending = (loss, clips)

    def mean(self, *, wait: bool) -> float:
        """The mean so far, nan at first; `wait` counts the newest loss in."""
        if wait:
            self.read_pending()
        return self.total / self.count if self.count else math.nan

    def read_pending(self) -> None:
        """Read the loss that was added last."""
        if self.pending is not None:
            loss, clips = self.pending
            self.total, self.count, self.pending = self.total + float(loss) * clips, self.count + clips, None


def open_stream(data: TrainingData, *, kind: str, seek: str, step: int) -> Iterator[Batch]:
    """The endless batches of one kind from number `step` on."""
    if hasattr(data, seek):
        getattr(data, seek)(step)
        step = 0
    batches: Iterator[Batch] = itertools.islice(getattr(data, kind)(), step, None)
    return batches


def best_epoch(epochs: list[EpochScores]) -> EpochScores:
    """The first epoch with the lowest validation loss, or the lowest loss where nothing was validated."""
    return min(epochs, key=lambda epoch: epoch.loss if math.isnan(epoch.val_loss) else epoch.val_loss)


def seed_of_step(seed: int, *, step: int) -> int:
    """A seed for one step, unlike its neighbours'."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1)[0])


def take(tensors: dict[str, Tensor], *, prefix: str) -> dict[str, Tensor]:
    """The tensors whose names start with `prefix`, without it."""
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def check_settings(settings: dict[str, Any], *, saved: dict[str, Any], path: Path) -> None:
    """ModelError that names each setting in which a saved run differs."""
    differ = [k for k in sorted(settings | saved) if settings.get(k) != saved.get(k)]
    if differ:
        was = ", ".join(f"{k} {saved.get(k)}" for k in differ)
        now = ", ".join(f"{k} {settings.get(k)}" for k in differ)
        raise ModelError(
            f"{path}: holds a run with {was}; got {now}; use the same settings or another folder"
        )
