"""How a model was trained, drawn."""

import math

from primatrix.report.svg import Chart, Line, draw_lines
from primatrix.report.words import format_number

__all__ = ["draw_training"]


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
    alt = f"Loss over {len(epochs)} epoch{'s' * (len(epochs) != 1)}: {', '.join(told)}."
    return draw_lines(lines, title="Training", alt=alt, labels=("epoch", "mean loss"))
