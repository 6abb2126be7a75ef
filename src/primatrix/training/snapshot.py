"""A training run on disk: every tensor that a step changes, packed by name and put back bit for bit."""

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from primatrix.disk import Facts
from primatrix.errors import ModelError
from primatrix.models import Model, Processor, load_weights, read_model_folder, read_state, write_state
from primatrix.training.averages import WeightAverage
from primatrix.training.loss import LossMean
from primatrix.training.recipe import EpochScores, TrainingData, TrainSpec
from primatrix.trust import Calibration

__all__ = [
    "RunState",
    "check_settings",
    "digest_labels",
    "keep_calibration",
    "name_settings",
    "pack_optimiser",
    "restore_optimiser",
    "take_tensors",
]

# What may differ between a run and its going on, for it changes no weight (`steps_per_epoch` is what counts).
FREE_SETTINGS = ("device", "checkpoint_seconds", "checkpoint_steps", "dry_run", "least_steps")
SAID = {"labels": "labels and validating clips"}  # a digest of both


logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class RunState:
    """All that a training step changes: weights, what the optimiser remembers, and how far the run is."""

    model: Model
    optimiser: torch.optim.Optimizer
    average: WeightAverage | None
    epochs: list[EpochScores] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)  # weights of the best epoch so far
    step: int = 0  # steps taken, over all epochs
    losses: LossMean = field(default_factory=LossMean)  # of the epoch at hand, as the next two
    clips: int = 0
    seconds: float = 0.0

    @property
    def averaged(self) -> dict[str, Tensor] | None:
        """The weights averaged over steps, where that is wanted."""
        return None if self.average is None else self.average.weights

    def begin_epoch(self) -> None:
        """Count losses, clips and seconds from nothing."""
        self.losses, self.clips, self.seconds = LossMean(), 0, 0.0

    def write(self, path: Path, *, settings: Facts) -> None:
        """Write it all as one file, in one step."""
        path.parent.mkdir(parents=True, exist_ok=True)
        groups = {"model": self.model.network.state_dict(), "best": self.best, "average": self.averaged or {}}
        groups["optimiser"] = pack_optimiser(self.optimiser)
        tensors = {f"{group}.{name}": t for group, named in groups.items() for name, t in named.items()}
        facts = {
            "settings": settings, "epochs": [asdict(scores) for scores in self.epochs], "step": self.step,
            "losses": {"total": self.losses.total, "count": self.losses.count}, "clips": self.clips,
            "seconds": self.seconds,
        }  # fmt: skip
        write_state(path, tensors=tensors, facts=facts)

    def read(self, path: Path, *, settings: Facts) -> None:
        """Take up the run that `write` wrote; ModelError where its settings were others."""
        tensors, facts = read_state(path)
        check_settings(settings, saved=facts["settings"], path=path)
        load_weights(self.model, weights=take_tensors(tensors, prefix="model."), source=str(path))
        restore_optimiser(self.optimiser, take_tensors(tensors, prefix="optimiser."))
        self.best = take_tensors(tensors, prefix="best.")
        if self.average is not None:
            self.average.load(take_tensors(tensors, prefix="average."))
        self.epochs = [EpochScores(**epoch) for epoch in facts["epochs"]]
        self.step, self.clips, self.seconds = facts["step"], facts["clips"], facts["seconds"]
        self.losses = LossMean(**facts["losses"])
        logger.info("%s: goes on after step %d of epoch %d", path, self.step, len(self.epochs) + 1)


def name_settings(model: Model, data: TrainingData, *, spec: TrainSpec, processor: Processor) -> Facts:
    """What must be the same for a saved run to be gone on with; more epochs may be asked for."""
    values = {name: value for name, value in spec.to_dict().items() if name not in FREE_SETTINGS}
    if spec.schedule == "constant" and not spec.warmup:
        del values["epochs"]  # more epochs of the same: a run may be made longer
    values |= {
        "precision": processor.precision, "device": processor.kind, "model": model.name, **model.options,
        "species": list(model.species), "clips": model.spec.key, "num_batches": data.num_batches,
        "labels": digest_labels(data), "batch_size": getattr(data, "batch_size", None),
    }  # fmt: skip
    plain: Facts = json.loads(json.dumps(values))  # lists for tuples, as they come back from disk
    return plain


def pack_optimiser(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What the optimiser remembers of every weight, by the weight's number and the memory's name."""
    return {
        f"{i}.{name}": value
        for i, p in enumerate(list_parameters(optimiser))
        for name, value in optimiser.state[p].items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Give the optimiser the memory that `pack_optimiser` took."""
    for i, p in enumerate(list_parameters(optimiser)):
        saved = take_tensors(tensors, prefix=f"{i}.")
        if saved:  # a weight that has never been trained has no memory
            optimiser.state[p] = {name: lay_out_like(p, name=name, saved=t) for name, t in saved.items()}


def lay_out_like(parameter: Tensor, *, name: str, saved: Tensor) -> Tensor:
    """A memory in its weight's own memory layout, so that the next step computes bit for bit the same."""
    if name == "step":  # AdamW's counter
        return saved.clone()
    return torch.empty_like(parameter).copy_(saved)


def list_parameters(optimiser: torch.optim.Optimizer) -> Iterator[Tensor]:
    """All weights of an optimiser, group by group."""
    return (p for group in optimiser.param_groups for p in group["params"])


def take_tensors(tensors: dict[str, Tensor], *, prefix: str) -> dict[str, Tensor]:
    """The tensors whose names start with `prefix`, without it.

    >>> list(take_tensors({"best.w": torch.ones(1), "model.w": torch.ones(1)}, prefix="best."))
    ['w']
    """
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}


def check_settings(
    settings: dict[str, Any],  # Any: JSON values of several types
    *,
    saved: dict[str, Any],
    path: Path,
) -> None:
    """ModelError that names each setting in which a saved run differs, of those that it knew."""
    differ = [k for k in sorted(saved) if settings.get(k) != saved[k]]
    if differ:
        was = ", ".join(f"{SAID.get(k, k)} {saved[k]}" for k in differ)
        now = ", ".join(f"{SAID.get(k, k)} {settings.get(k)}" for k in differ)
        raise ModelError(
            f"{path}: holds a run with {was}; got {now}; use the same settings or another folder"
        )


def digest_labels(data: object) -> str | None:
    """8 hexadecimal digits of a dataset's `labels`, its clips' names included; None for data without such a table.

    A run whose labels were corrected since is another run: to go on with it would keep what it learned from them.

    >>> class Data:
    ...     labels = pd.DataFrame({"hog": [1.0, 0.0]}, index=["a.mp4", "b.mp4"])
    >>> digest_labels(Data()) == digest_labels(Data()), digest_labels(object())
    (True, None)
    """
    labels = getattr(data, "labels", None)
    if not isinstance(labels, pd.DataFrame):
        return None
    rows = pd.util.hash_pandas_object(labels).to_numpy()
    return hashlib.blake2b(rows.tobytes(), digest_size=4).hexdigest()


def keep_calibration(model: Model, folder: Path) -> None:
    """Give the model the calibration of the one saved in `folder` where both have the same weights."""
    try:
        saved, facts = read_model_folder(folder)
    except ModelError as error:
        logger.info("no calibration is kept: %s", error)
        return
    own = model.network.state_dict()
    same = own.keys() == saved.keys() and all(torch.equal(own[name].cpu(), saved[name]) for name in own)
    if facts.get("calibration") and same:
        model.calibration = Calibration.from_dict(facts["calibration"])
