"""A training run on disk: every tensor that a step changes, packed by name and put back bit for bit."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from primatrix.errors import ModelError

__all__ = ["check_settings", "digest_labels", "pack_optimiser", "restore_optimiser", "take_tensors"]

SAID = {"labels": "labels and validating clips"}  # a digest of both


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
