"""A training run in progress: what changes from step to step, and how it is saved and taken up again."""

import contextlib
import copy
import dataclasses
import itertools
import math
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from primatrix.data import Dataset
from primatrix.disk import STATE
from primatrix.errors import InputError, ModelError
from primatrix.labels import BLANK
from primatrix.models import (
    Model,
    compile_network,
    seeded,
)
from primatrix.records import OnProgress, Progress
from primatrix.training.augmentation import augment_clips, draw_changes
from primatrix.training.averages import WeightAverage, copy_weights, holding_weights
from primatrix.training.changes import Changes, change_together
from primatrix.training.loss import LossMean, clip_loss
from primatrix.training.optimisers import build_optimiser, set_learning_rate
from primatrix.training.recipe import Batch, EpochScores, TrainingData, TrainSpec, best_epoch
from primatrix.training.snapshot import RunState, name_settings
from primatrix.training.statistics import find_norms, measure_statistics
from primatrix.training.streams import open_stream, prepare_ahead
from primatrix.training.team import Team, is_leader
from primatrix.trust import TrainingClips

__all__ = ["BATCHES_AHEAD", "CHANGES_CLIPS", "Run"]

SHARE_OF_TIME_SAVING = 0.05  # at most: a large model on a slow disk is saved less often
# For a GPU, batches are made ready by other threads while it works; a CPU that trains has no core to spare. Much of
# what is done to clips holds Python's lock, so CUDA changes them itself; whether an Apple GPU could, nobody has tried.
BATCHES_AHEAD, THREADS = {"cpu": 0, "cuda": 3, "mps": 3}, 2
CHANGES_CLIPS = {"cpu": False, "cuda": True, "mps": False}
# Clips that batch norms are measured over before weights are kept: more would change little, and a share of an epoch's
# steps bounds the time (forward alone, a batch takes about a third of a step).
MOST_STATISTICS_BATCHES, SHARE_OF_STEPS = 16, 0.1


@dataclasses.dataclass(frozen=True, slots=True)
class ReadyBatch:
    """A training batch as the network takes it, still in the CPU's memory, and its number in the whole run."""

    number: int
    x: Tensor
    y: Tensor
    changes: Changes | None = None  # still to be made, by the GPU


class Run:
    """A training run in progress: what changes from step to step, and how it is saved and taken up again."""

    def __init__(
        self,
        model: Model,
        data: TrainingData,
        *,
        spec: TrainSpec,
        team: Team,
        folder: Path | str | None,
        on_progress: OnProgress | None,
    ) -> None:
        self.model, self.data, self.spec, self.team, self.processor = model, data, spec, team, team.processor
        self.folder = None if folder is None else Path(folder)
        self.report = on_progress if on_progress and is_leader() else (lambda _: None)
        self.steps = spec.steps_per_epoch or 0
        self.validation_steps = spec.validation_steps or 0
        self.parameters = list(model.network.parameters())  # frozen ones too, which may be thawed later
        optimiser = build_optimiser(
            spec.optimiser, self.parameters, learning_rate=spec.learning_rate, weight_decay=spec.weight_decay
        )
        average = WeightAverage(model.network, decay=spec.ema) if spec.ema else None
        self.state = RunState(model, optimiser, average)
        self.settings = name_settings(model, data, spec=spec, processor=self.processor)
        self.call: Callable[..., Tensor] = compile_network(model.network, choice=spec.compile, clips=0)
        self.trained: list[bool] = []  # which parameters, when the team last shared them
        self.streams: tuple[Generator[ReadyBatch], Iterator[Batch]] | None = None
        self.blank = find_blank(model, spec=spec)
        self.saved_at, self.save_seconds = time.monotonic(), 0.0
        self.settled: dict[str, Tensor] | None = None
        self.settled_at = -1  # after which step that was

    # --- learning ----------------------------------------------------------------------------------------

    def is_finished(self) -> bool:
        """Whether all epochs are done, or the last `patience` epochs brought nothing better."""
        done = len(self.state.epochs)
        if not done or self.spec.patience is None:
            return done >= self.spec.epochs
        since_best = done - 1 - self.state.epochs.index(best_epoch(self.state.epochs))
        return done >= self.spec.epochs or since_best >= self.spec.patience

    def train_epoch(self) -> EpochScores:
        """Train what is left of an epoch's steps, then validate."""
        training, validation = self.open_streams()
        self.prepare_epoch()
        started = time.perf_counter() - self.state.seconds
        while self.state.step < (len(self.state.epochs) + 1) * self.steps:
            self.train_step(training)
            self.state.seconds = time.perf_counter() - started
            self.show(self.state.step, loss=self.checked(), rate=self.state.clips / self.state.seconds)
            if self.is_save_due():
                self.save_state()
        rate = self.state.clips / self.state.seconds
        loss = self.mean_of_team(self.checked(wait=True))
        val_loss = self.validate(validation, weights=self.settle_weights())
        return EpochScores(loss, val_loss, time.perf_counter() - started, rate * self.team.size)

    def prepare_epoch(self) -> None:
        """Let the network know the epoch's number (staged unfreezing), and share what is trained in it."""
        self.model.network.prepare_epoch(len(self.state.epochs))
        trained = [p.requires_grad for p in self.parameters]
        if trained != self.trained:
            self.trained, self.call = trained, self.team.share(self.call, self.model.network)

    def train_step(self, training: Iterator[ReadyBatch]) -> None:
        """One step down the gradient of the mean loss over `accumulate` batches on each processor."""
        parts = []
        for i in range(self.spec.accumulate):
            is_last = i == self.spec.accumulate - 1
            parts.append(self.add_gradients(next(training), is_last=is_last))
        if self.spec.gradient_clip is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.spec.gradient_clip)
        set_learning_rate(self.state.optimiser, self.spec.learning_rate_at(self.state.step))
        self.state.optimiser.step()
        self.state.optimiser.zero_grad()
        if self.state.average is not None:
            self.state.average.update(self.model.network, step=self.state.step)
        self.state.step += 1
        self.state.losses.add(torch.stack(parts).mean(), clips=1)

    def prepare_batch(self, numbered: tuple[int, Batch]) -> ReadyBatch:
        """A batch changed at random as its number in the run says; may run in a thread of its own."""
        number, (clips, labels) = numbered
        changes, augmentation = None, self.spec.augmentation
        if augmentation is not None and augmentation.is_on:
            clips = np.asarray(clips)
            blank = None if self.blank is None else np.asarray(labels)[:, self.blank] > 0
            how: dict[str, Any] = {
                "augmentation": augmentation, "seed": self.spec.seed, "step": number, "blank": blank,
            }  # fmt: skip
            if CHANGES_CLIPS[self.processor.kind] and clips.dtype == np.uint8:
                changes = draw_changes(clips, **how)
            else:
                clips = augment_clips(clips, **how)
        return ReadyBatch(number, *self.check_batch((clips, labels)), changes)

    def add_gradients(self, batch: ReadyBatch, *, is_last: bool) -> Tensor:
        """Add one batch's part to the gradients of the step; the batch's mean loss is returned."""
        x, y = self.to_processor(batch.x), self.to_processor(batch.y)
        if batch.changes is not None:
            x = change_together(x, batch.changes)
        self.state.clips += len(x)
        together = contextlib.nullcontext() if is_last else self.team.holding_back(self.call)
        # Random numbers follow from seed and number alone, so a run taken up again draws the same.
        with seeded(seed_of_step(self.spec.seed, step=batch.number), processor=self.processor), together:
            with self.processor.autocast():
                logits = self.call(x)
            smoothing, bootstrap = self.spec.label_smoothing, self.spec.bootstrap
            loss = clip_loss(y, logits.float(), smoothing=smoothing, bootstrap=bootstrap)
            self.team.backward(loss / self.spec.accumulate)
        return loss.detach()

    def settle_weights(self) -> dict[str, Tensor] | None:
        """The weights that stand for the run after this step: averaged where asked, with statistics of their own.

        None where they are those the network holds.
        """
        if self.settled_at != self.state.step:
            self.settled, self.settled_at = self.state.averaged, self.state.step
            if find_norms(self.model.network):
                self.settled = self.measure_norms(self.settled)
        return self.settled

    def measure_norms(self, weights: dict[str, Tensor] | None) -> dict[str, Tensor]:
        """The same weights (None: those the network holds) with the statistics of their batch norms measured anew."""
        network = self.model.network
        with holding_weights(network, weights or copy_weights(network)):
            with seeded(self.spec.seed, processor=self.processor), self.processor.autocast():
                measure_statistics(network, self.draw_clips())
            return copy_weights(network)

    def draw_clips(self) -> Iterator[Tensor]:
        """Training clips as they are, the first of the stream, without moving the run's own place in it."""
        apart = copy.copy(self.data)  # a Dataset keeps its place in itself
        count = max(1, min(MOST_STATISTICS_BATCHES, self.data.num_batches, int(self.steps * SHARE_OF_STEPS)))
        for batch in itertools.islice(open_stream(apart, "batches", start=0), count):
            yield self.to_processor(self.check_batch(batch)[0])

    def validate(self, batches: Iterator[Batch], *, weights: dict[str, Tensor] | None) -> float:
        """The mean loss of these weights over `validation_steps` batches in eval mode; nan where there are none."""
        losses = LossMean()
        self.model.network.eval()
        with (
            holding_weights(self.model.network, weights),
            torch.inference_mode(),
            self.processor.autocast(),
        ):
            for number, batch in enumerate(itertools.islice(batches, self.validation_steps)):
                if number % self.team.size == self.team.rank:
                    x, y = (self.to_processor(tensor) for tensor in self.check_batch(batch))
                    losses.add(clip_loss(y, self.model.network(x).float()), clips=len(x))
        self.model.network.train()
        losses.read_pending()
        return LossMean(*self.team.add_up([losses.total, losses.count])).mean(wait=False)

    def check_batch(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Pixels as they are and float32 labels; ModelError where they do not fit the model."""
        x, y = torch.as_tensor(batch[0]), torch.as_tensor(batch[1], dtype=torch.float32)
        self.model.check_clips(x.shape)
        wanted = (len(x), len(self.model.species))
        if tuple(y.shape) != wanted:
            got = tuple(y.shape)
            raise ModelError(f"training: got labels of shape {got}, wanted {wanted}: a column per species")
        return (x.pin_memory(), y.pin_memory()) if self.processor.kind == "cuda" else (x, y)

    def to_processor(self, tensor: Tensor) -> Tensor:
        """The tensor where the network is; from pinned memory it is copied while the GPU works on what it had."""
        return tensor.to(self.processor.torch_device, non_blocking=self.processor.kind == "cuda")

    def open_streams(self) -> tuple[Generator[ReadyBatch], Iterator[Batch]]:
        """Training and validation batches, from the first one that no saved step or epoch has used."""
        if self.streams is None:
            rank, size = self.team.rank, self.team.size
            used = self.state.step * self.spec.accumulate * size
            training = open_stream(self.data, "batches", start=used, rank=rank, size=size)
            numbered = zip(itertools.count(used + rank, size), training, strict=False)
            ahead = BATCHES_AHEAD[self.processor.kind]
            ready = prepare_ahead(numbered, self.prepare_batch, ahead=ahead, threads=THREADS)
            validated = len(self.state.epochs) * self.validation_steps
            self.streams = (ready, open_stream(self.data, "val_batches", start=validated))
        return self.streams

    def close(self) -> None:
        """End the threads that make batches ready."""
        if self.streams is not None:
            self.streams[0].close()

    def mean_of_team(self, value: float) -> float:
        """The mean of the processors' values."""
        return self.team.add_up([value])[0] / self.team.size

    def checked(self, *, wait: bool = False) -> float:
        """The epoch's mean loss so far; ModelError once it is not finite."""
        mean = self.state.losses.mean(wait=wait)
        if self.state.losses.count and not math.isfinite(mean):
            where = f"epoch {len(self.state.epochs) + 1}, step {self.state.step - len(self.state.epochs) * self.steps}"
            rate = f"learning_rate (now {self.spec.learning_rate})"
            raise ModelError(
                f"training: the loss became {mean} in {where}; lower {rate} or use precision='fp32'"
            )
        return mean

    def show(self, step: int, *, loss: float, rate: float) -> None:
        """Report one progress line."""
        val = f"  val {self.state.epochs[-1].val_loss:.4f}" if self.state.epochs else ""
        loss_now = "" if math.isnan(loss) else f"loss {loss:.4f}{val}  "
        message = f"{loss_now}{rate:.0f} clips/s  {self.processor.short}"
        self.report(Progress("train", step, self.spec.epochs * self.steps, unit="batches", message=message))

    # --- what comes of it --------------------------------------------------------------------------------

    def finish_epoch(self, scores: EpochScores) -> None:
        """Note an epoch's scores, and its weights where they are the best so far and wanted."""
        self.state.epochs.append(scores)
        self.state.begin_epoch()
        if self.spec.keep == "best" and scores is best_epoch(self.state.epochs):
            with holding_weights(self.model.network, self.settle_weights()):
                self.state.best = {name: t.cpu() for name, t in copy_weights(self.model.network).items()}

    @property
    def kept(self) -> int:
        """The epoch, counted from 0, whose weights the run stands for now."""
        epochs = self.state.epochs
        return epochs.index(best_epoch(epochs)) if self.spec.keep == "best" else len(epochs) - 1

    def choose_weights(self) -> dict[str, Tensor] | None:
        """The weights the run stands for now, as `keep` and `ema` say; None: those the network holds."""
        if self.spec.keep == "best":
            return self.state.best
        return self.settle_weights()

    def describe_model(self) -> None:
        """Note in the model how it was trained, and the losses of the epoch whose weights it gets."""
        chosen = self.state.epochs[self.kept]
        values = {"epochs": float(len(self.state.epochs)), "loss": chosen.loss, "val_loss": chosen.val_loss}
        self.model.scores = {name: value for name, value in values.items() if math.isfinite(value)}
        self.model.recipe = self.spec.to_dict()
        self.model.calibration = None  # other weights had it
        if isinstance(self.data, Dataset):  # with those of a run before, where the model came from one
            clips = TrainingClips.of(self.data.identify(self.data.X_train))
            self.model.trained_on = clips | (self.model.trained_on or TrainingClips())
        measure = getattr(self.data, "measure_clip_seconds", None)
        self.model.clip_seconds = measure() if measure else self.model.clip_seconds

    # --- on disk -----------------------------------------------------------------------------------------

    def is_save_due(self) -> bool:
        """Whether the state is to be saved after this step."""
        if self.folder is None:
            return False
        if self.spec.checkpoint_steps is not None and self.state.step % self.spec.checkpoint_steps == 0:
            return True
        apart = max(self.spec.checkpoint_seconds, self.save_seconds / SHARE_OF_TIME_SAVING)
        return time.monotonic() - self.saved_at >= apart

    def save_state(self) -> None:
        """Write all that a step changes as one file, in one step."""
        if self.folder is None or not is_leader():
            return
        self.checked(wait=True)
        began = time.monotonic()
        self.state.write(self.folder / STATE, settings=self.settings)
        self.saved_at = time.monotonic()
        self.save_seconds = self.saved_at - began

    def save_model(self) -> None:
        """Write the model with the weights the run stands for now."""
        if self.folder is not None and is_leader():
            self.describe_model()
            with holding_weights(self.model.network, self.choose_weights()):
                self.model.save(self.folder)

    def resume(self) -> None:
        """Take up the run saved in the folder, if there is one; ModelError where its settings were others."""
        if self.folder is not None and (self.folder / STATE).is_file():
            self.state.read(self.folder / STATE, settings=self.settings)


def find_blank(model: Model, *, spec: TrainSpec) -> int | None:
    """The column of clips that show no animal, where there is one; InputError where `paste` asks in vain."""
    if BLANK in model.species:
        return model.species.index(BLANK)
    if spec.augmentation is not None and spec.augmentation.paste:
        raise InputError(
            f"augmentation: paste: got a model without species {BLANK!r}, onto whose clips to paste"
        )
    return None


def seed_of_step(seed: int, *, step: int) -> int:
    """A seed for one step, unlike its neighbours'."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1)[0])
