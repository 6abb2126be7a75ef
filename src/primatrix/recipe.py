"""What a training run is told and what it gives back: TrainSpec, TrainingData, History."""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

from numpy.typing import NDArray

from primatrix.devices import Compile, DeviceName, Precision
from primatrix.errors import InputError

__all__ = ["Batch", "EpochScores", "History", "TrainSpec", "TrainingData", "settle"]

Batch = tuple[NDArray[Any], NDArray[Any]]  # Any: pixels and labels of any dtype


class TrainingData(Protocol):
    """What `train` asks of its data: endless batches x (B, T, H, W, C), y (B, S), and how many make an epoch.

    Where `seek(step)` is there, it is called so that the next training batch is number `step`; where
    `seek_val(step)` is, the same for validation. Else batches already used are drawn again and dropped.
    """

    num_batches: int
    num_val_batches: int

    def batches(self) -> Iterator[Batch]:
        """Endless training batches."""

    def val_batches(self) -> Iterator[Batch]:
        """Endless validation batches."""


@dataclass(frozen=True, slots=True)
class TrainSpec:
    """All settings of a training run. `keep` says whose weights the model ends with: last or best epoch.

    `schedule` "cosine" lets the learning rate fall to 0 along half a cosine over all epochs (Loshchilov and
    Hutter, 2017, without restarts); "constant" is what the benchmark did.

    >>> spec = TrainSpec(epochs=3, steps_per_epoch=10, schedule="cosine")
    >>> spec.learning_rate_at(0), round(spec.learning_rate_at(15), 6)
    (0.001, 0.0005)
    """

    epochs: int = 2
    steps_per_epoch: int | None = None
    validation_steps: int | None = None
    learning_rate: float = 1e-3
    schedule: Literal["constant", "cosine"] = "constant"
    seed: int = 0
    keep: Literal["last", "best"] = "last"
    device: DeviceName = "auto"
    precision: Precision = "auto"
    compile: Compile = "off"

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise InputError(f"epochs: got {self.epochs}, wanted 1 or more")
        for name in ("steps_per_epoch", "validation_steps"):
            steps = getattr(self, name)
            if steps is not None and steps < (name == "steps_per_epoch"):
                raise InputError(f"{name}: got {steps}, wanted 1 or more, or None for the whole set")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise InputError(f"learning_rate: got {self.learning_rate}, wanted a number above 0")
        choices: dict[str, tuple[str, ...]] = {
            "keep": ("last", "best"), "schedule": ("constant", "cosine"), "compile": get_args(Compile),
        }  # fmt: skip
        for name, words in choices.items():
            if getattr(self, name) not in words:
                raise InputError(f"{name}: got {getattr(self, name)!r}, wanted one of {', '.join(words)}")

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0 over all epochs."""
        if self.schedule == "constant":
            return self.learning_rate
        done = step / (self.epochs * (self.steps_per_epoch or 1))
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


@dataclass(frozen=True, slots=True)
class EpochScores:
    """One epoch's mean losses (`val_loss` is nan without validation), its seconds and training clips/s."""

    loss: float
    val_loss: float
    seconds: float
    clips_per_second: float


@dataclass(frozen=True, slots=True)
class History:
    """What training gave, epoch by epoch."""

    epochs: tuple[EpochScores, ...]

    @property
    def history(self) -> dict[str, list[float]]:
        """Lists by name, as Keras' History has them.

        >>> History((EpochScores(0.5, 0.4, 10.0, 100.0),)).history["val_loss"]
        [0.4]
        """
        names = [field.name for field in dataclasses.fields(EpochScores)]
        return {name: [getattr(epoch, name) for epoch in self.epochs] for name in names}

    def summary(self) -> str:
        """One line per epoch.

        >>> print(History((EpochScores(0.5, 0.4, 10.0, 100.0),)).summary())
        epoch 1: loss 0.5000, val_loss 0.4000, 10 s, 100 clips/s
        """
        return "\n".join(
            f"epoch {i}: loss {epoch.loss:.4f}, val_loss {epoch.val_loss:.4f}, "
            f"{epoch.seconds:.0f} s, {epoch.clips_per_second:.0f} clips/s"
            for i, epoch in enumerate(self.epochs, start=1)
        )


def settle(spec: TrainSpec, *, settings: dict[str, Any], data: TrainingData) -> TrainSpec:
    """The spec with `settings` put in and open numbers of steps taken from the data."""
    known = [field.name for field in dataclasses.fields(TrainSpec)]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise InputError(f"train: got setting {', '.join(unknown)}, wanted one of {', '.join(known)}")
    spec = dataclasses.replace(spec, **settings)
    if spec.steps_per_epoch is None:
        spec = dataclasses.replace(spec, steps_per_epoch=data.num_batches)
    if spec.validation_steps is None:
        spec = dataclasses.replace(spec, validation_steps=data.num_val_batches)
    return spec
