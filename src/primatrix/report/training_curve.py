"""How a model was trained, read from its folder without loading it: no torch, only JSON and file headers."""

import json
import math
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from primatrix.errors import InputError
from primatrix.report.svg import Chart, Line, draw_lines, format_number

__all__ = ["draw_training", "read_epochs"]

STATE, FACTS = "training.safetensors", "model.json"


def read_epochs(model: str | Path) -> list[dict[str, float]]:
    """The scores of each epoch of the run that made a model; none where its folder holds no training state.

    Raises InputError where the folder is no model's.

    >>> read_epochs("nowhere")
    Traceback (most recent call last):
    primatrix.errors.InputError: nowhere: no model.json in it; wanted the folder of a trained model
    """
    folder = Path(model)
    if not (folder / FACTS).is_file():
        raise InputError(f"{folder}: no {FACTS} in it; wanted the folder of a trained model")
    if not (folder / STATE).is_file():
        return []
    try:
        with safe_open(folder / STATE, framework="numpy") as file:
            header: dict[str, str] = file.metadata() or {}
        facts: dict[str, Any] = json.loads(header.get("primatrix", "{}"))  # Any: JSON values of several types
    except (SafetensorError, ValueError) as error:
        raise InputError(
            f"{folder / STATE}: not readable as a training state ({error}); copy it again"
        ) from error
    return list(facts.get("epochs", []))


def draw_training(epochs: list[dict[str, float]]) -> Chart:
    """The loss after each epoch, on training clips and, where there were any, on validation clips.

    >>> draw_training([{"loss": 0.2, "val_loss": 0.3}, {"loss": 0.1, "val_loss": 0.25}]).alt
    'Loss over 2 epochs: training from 0.2 to 0.1, validation from 0.3 to 0.25.'
    """
    words = {"loss": "training", "val_loss": "validation"}
    lines, told = [], []
    for key, name in words.items():
        points = [
            (number, epoch[key])
            for number, epoch in enumerate(epochs, start=1)
            if math.isfinite(epoch.get(key, math.nan))
        ]
        if points:
            x, y = zip(*points, strict=True)
            lines.append(Line(name, x, y, points=len(points) <= 40))
            told.append(f"{name} from {format_number(y[0])} to {format_number(y[-1])}")
    alt = f"Loss over {len(epochs)} epochs: {', '.join(told)}."
    return draw_lines(lines, title="Training", alt=alt, labels=("epoch", "mean loss"))
