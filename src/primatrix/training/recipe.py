"""What a training run is told and what it gives back: TrainSpec, TrainingData, History."""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

from numpy.typing import NDArray

from primatrix.choices import Device
from primatrix.data import Sampling
from primatrix.errors import InputError
from primatrix.models import Compile, Precision
from primatrix.settings import change_settings, check_least, check_shares, check_types
from primatrix.training.augmentation import Augmentation
from primatrix.training.optimisers import OptimiserName

__all__ = ["Batch", "EpochScores", "History", "TrainSpec", "TrainingData", "best_epoch", "settle"]

Batch = tuple[NDArray[Any], NDArray[Any]]  # Any: pixels and labels of any dtype


class TrainingData(Protocol):
    """What `train` asks of its data: endless batches x (B, T, H, W, C), y (B, S), and how many make an epoch.

    Each batch has arrays of its own: for a GPU, a few are drawn before the first of them is used.

    Where `seek(step)` is there, it is called so that the next training batch is number `step`; where
    `seek_val(step)` is, the same for validation. Else batches already used are drawn again and dropped.
    Sampling asks for `use_sampling(sampling)`, which Dataset has; so is `measure_clip_seconds()`, which is asked at the
    end of each epoch and noted in the model.
    """

    num_batches: int
    num_val_batches: int

    def batches(self) -> Iterator[Batch]:
        """Endless training batches."""

    def val_batches(self) -> Iterator[Batch]:
        """Endless validation batches."""


@dataclass(frozen=True, slots=True)
class TrainSpec:
    """All settings of a training run; the defaults train LRCN as the benchmark did, and keep the best epoch.

    How long: `epochs` of `steps_per_epoch` (default: all clips once, but no fewer than `least_steps`, so that a few
    clips are gone through often enough), each ended by `validation_steps` (default: all); with `patience`, no longer
    than so many epochs without a better validation loss.
    Steps: `optimiser` (rmsprop, adamw or muon), `learning_rate`, `weight_decay` (not with rmsprop); `schedule` "cosine"
    lets the rate fall to 0 along half a cosine over all epochs (Loshchilov and Hutter, 2017, without restarts), after
    a share `warmup` of all steps in which it rises; gradients no longer than `gradient_clip`; `accumulate`
    batches per step; `ema` above 0 validates and saves weights averaged with this decay.
    Labels and clips: `label_smoothing` and `bootstrap` (see `objective.clip_loss`), `augmentation`, `sampling`.
    The end: `keep` says whose weights the model ends with, those of the best epoch or of the last (without validation
    always of the last).
    The machine: `device`, `precision`, `compile`, and `devices`, how many of them (several need primatrix[lightning]).
    On disk: the state is saved every `checkpoint_seconds`, or every `checkpoint_steps`.
    `dry_run` goes through everything in two steps with a copy of the model and keeps nothing.

    >>> spec = TrainSpec(epochs=3, steps_per_epoch=10, schedule="cosine")
    >>> spec.learning_rate_at(0), round(spec.learning_rate_at(15), 6)
    (0.001, 0.0005)
    """

    epochs: int = 2
    steps_per_epoch: int | None = None
    least_steps: int = 20
    validation_steps: int | None = None
    patience: int | None = None
    optimiser: OptimiserName = "rmsprop"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: float = 0.0
    gradient_clip: float | None = None
    accumulate: int = 1
    ema: float = 0.0
    label_smoothing: float = 0.0
    bootstrap: float = 0.0
    augmentation: Augmentation | None = None
    sampling: Sampling | None = None
    keep: Literal["last", "best"] = "best"
    seed: int = 0
    device: Device = "auto"
    precision: Precision = "auto"
    compile: Compile = "off"
    devices: int = 1
    checkpoint_seconds: float = 60
    checkpoint_steps: int | None = None
    dry_run: bool = False

    def __post_init__(self) -> None:
        check_types(self)
        for name in ("steps_per_epoch", "validation_steps"):
            steps = getattr(self, name)
            if steps is not None and steps < (name == "steps_per_epoch"):
                raise InputError(f"{name}: got {steps}, wanted 1 or more, or None for the whole set")
        check_least(self, epochs=1, patience=1, accumulate=1, devices=1, checkpoint_steps=1, seed=0)
        check_least(self, weight_decay=0, checkpoint_seconds=0, least_steps=0)
        check_shares(self, "warmup", "ema", "label_smoothing", "bootstrap", below_one=True)
        for name in ("learning_rate", "gradient_clip"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise InputError(f"{name}: got {value}, wanted a number above 0")
        if self.weight_decay and self.optimiser == "rmsprop":
            raise InputError(
                f"weight_decay: got {self.weight_decay} with {self.optimiser}, wanted optimiser adamw or muon"
            )

    @classmethod
    def for_model(cls, name: str, **changes: Any) -> Self:  # Any: fields of TrainSpec, which checks them
        """The settings recommended for an architecture, with `changes` put in (InputError for an unknown name).

        >>> TrainSpec.for_model("lrcn") == TrainSpec()
        True
        >>> TrainSpec.for_model("motion", epochs=5, augmentation={"crop": 0.1}).augmentation.crop
        0.1
        """
        recommended = change_settings(cls(), RECOMMENDED.get(name, {}), source=name)
        return change_settings(recommended, changes, source="train")

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain values, as they are saved with a model."""
        return dataclasses.asdict(self)

    @property
    def warmup_steps(self) -> int:
        """Steps with a rising learning rate."""
        return round(self.warmup * self.total_steps)

    @property
    def total_steps(self) -> int:
        """Steps over all epochs."""
        return self.epochs * (self.steps_per_epoch or 1)

    def learning_rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0 over all epochs."""
        rising = self.warmup_steps
        if step < rising:
            return self.learning_rate * (step + 1) / rising
        if self.schedule == "constant":
            return self.learning_rate
        done = (step - rising) / max(1, self.total_steps - rising)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


# Common starting points, not tuned: weight decay, warm-up, averaging and augmentation for networks that
# would else learn their clips by heart. An architecture that is not named here trains as LRCN does.
MODERN: dict[str, Any] = {  # Any: fields of TrainSpec
    "epochs": 10, "optimiser": "adamw", "learning_rate": 1e-3, "weight_decay": 0.05, "schedule": "cosine",
    "warmup": 0.05, "gradient_clip": 1.0, "ema": 0.998,
    "augmentation": {
        "flip": 0.5, "crop": 0.2, "brightness": 0.1, "contrast": 0.2, "gamma": 0.2, "grey": 0.1, "jitter": 0.2,
        "drop": 0.05,
    },
}  # fmt: skip
RECOMMENDED: dict[str, dict[str, Any]] = {
    # As its designs were compared, bench/learn/motion.md.
    "motion": MODERN | {"optimiser": "muon", "learning_rate": 2e-3, "ema": 0.995},
    # Its authors' rate: at ten times that it still answered the same for every clip after 71,000
    # (bench/learn/conv3d.md). It crops, mirrors and relights by itself.
    "conv3d": MODERN | {"learning_rate": 1e-4, "augmentation": None},
    # Step by step only of more clips than can be fitted at once. What it takes are features: no pixels to change.
    "linear_probe": MODERN | {"learning_rate": 1e-3, "augmentation": None, "epochs": 5},
    "backbone": MODERN | {"learning_rate": 2e-4, "epochs": 5},
}


@dataclass(frozen=True, slots=True)
class EpochScores:
    """One epoch's mean losses (`val_loss` is nan without validation), its seconds and training clips/s."""

    loss: float
    val_loss: float
    seconds: float
    clips_per_second: float


@dataclass(frozen=True, slots=True)
class History:
    """What training gave, epoch by epoch, and of a Dataset's clips in words: what was lost, the split, the verdict.

    `lost` says how many clips could not be read where those were many, `verdict` whether the weights that were kept are
    better than the constant class frequencies. A model that is fitted in one go has `species`, lines that say how well
    each is told, in place of epochs.
    """

    epochs: tuple[EpochScores, ...]
    lost: str = ""
    split: tuple[str, ...] = ()
    verdict: str = ""
    species: tuple[str, ...] = ()

    @property
    def history(self) -> dict[str, list[float]]:
        """Lists by name, as Keras' History has them.

        >>> History((EpochScores(0.5, 0.4, 10.0, 100.0),)).history["val_loss"]
        [0.4]
        """
        names = [field.name for field in dataclasses.fields(EpochScores)]
        return {name: [getattr(epoch, name) for epoch in self.epochs] for name in names}

    def summary(self) -> str:
        """What was lost, how clips were split, a line per epoch, and whether the constant was beaten.

        >>> print(History((EpochScores(0.5, 0.4, 10.0, 100.0),)).summary())
        epoch 1: loss 0.5000, val_loss 0.4000, 10 s, 100 clips/s
        """
        lines = [
            f"epoch {i}: loss {epoch.loss:.4f}, val_loss {epoch.val_loss:.4f}, "
            f"{epoch.seconds:.0f} s, {epoch.clips_per_second:.0f} clips/s"
            for i, epoch in enumerate(self.epochs, start=1)
        ]
        told = self.species or lines
        return "\n".join(line for line in (self.lost, *self.split, *told, self.verdict) if line)


def best_epoch(epochs: list[EpochScores]) -> EpochScores:
    """The first epoch with the lowest validation loss."""
    return min(epochs, key=lambda epoch: math.inf if math.isnan(epoch.val_loss) else epoch.val_loss)


def settle(spec: TrainSpec, *, settings: dict[str, Any], data: TrainingData) -> TrainSpec:
    """The spec with `settings` put in and open numbers of steps taken from the data."""
    spec = change_settings(spec, settings, source="train")
    if spec.steps_per_epoch is None:
        steps = -(-data.num_batches // (spec.accumulate * spec.devices))
        spec = dataclasses.replace(spec, steps_per_epoch=max(1, steps, spec.least_steps))
    if spec.validation_steps is None or spec.validation_steps > data.num_val_batches:  # no clip twice
        spec = dataclasses.replace(spec, validation_steps=data.num_val_batches)
    if not spec.validation_steps:  # nothing to judge epochs by
        spec = dataclasses.replace(spec, keep="last")
    if spec.patience is not None and not spec.validation_steps:
        raise InputError("patience: got no validation to judge by; wanted validation_steps of 1 or more")
    return spec
