"""Figures of an evaluation: precision-recall, reliability, confusion, skipping and losses.

matplotlib is asked for when a figure is drawn, never on import; the extra `figures` brings it. The report's page draws
two of these from the same tables as SVG (`report.accuracy`): it must be written where there is no matplotlib, in the
page's own letters. These are PNG for a paper or a slide, all species on one sheet.
"""

from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np
import pandas as pd

from primatrix.disk import write_whole
from primatrix.errors import InputError
from primatrix.trust.evaluation import ALL, Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_confusion", "draw_losses", "draw_precision_recall", "draw_reliability", "draw_skipping",
           "write_figures"]  # fmt: skip

# Okabe and Ito's colours, told apart by colour-blind readers and in grey.
BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#8A8A8A"
COLUMNS = 4
STYLE: Any = {  # Any: matplotlib types its settings by each name there is
    "font.size": 9, "axes.titlesize": 9, "axes.spines.top": False, "axes.spines.right": False,
    "axes.edgecolor": "#555555", "legend.frameon": False,
}  # fmt: skip
DPI = 160
FEW_POINTS = 10  # of a curve: each is then shown
Arguments = ParamSpec("Arguments")
Drawn = TypeVar("Drawn")


def styled(draw: Callable[Arguments, Drawn]) -> Callable[Arguments, Drawn]:
    """Draw in this module's style, which leaves matplotlib's own settings alone; InputError without matplotlib."""

    @wraps(draw)
    def drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Drawn:
        try:
            from matplotlib import rc_context
        except ImportError as error:
            raise InputError(
                "figures: matplotlib is not installed; pip install 'primatrix[figures]'"
            ) from error
        with rc_context(STYLE):
            return draw(*args, **kwargs)

    return drawn


@styled
def write_figures(
    evaluation: Evaluation, folder: Path | str, *, losses: pd.DataFrame | None = None
) -> list[Path]:
    """Draw every figure as PNG into a folder; `losses` (loss and val_loss per epoch) add the training's.

    Raises InputError without matplotlib.
    """
    figures = {
        "precision_recall": draw_precision_recall(evaluation),
        "reliability": draw_reliability(evaluation),
        "confusion": draw_confusion(evaluation),
        "skipping": draw_skipping(evaluation),
    }
    if losses is not None and len(losses):
        figures["losses"] = draw_losses(losses)
    return [
        write_whole(Path(folder) / f"{name}.png", partial(save, figure)) for name, figure in figures.items()
    ]


def save(figure: "Figure", path: Path) -> None:
    """Write a figure as PNG, whatever the file's name ends in."""
    figure.savefig(path, format="png", dpi=DPI, bbox_inches="tight")


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure, in inches, that no window or global state knows of."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def new_grid(count: int) -> tuple["Figure", list["Axes"]]:
    """A figure with `count` small square plots."""
    columns = min(COLUMNS, max(1, count))
    rows = -(-count // columns)
    figure = new_figure(2.1 * columns + 0.4, 2.1 * rows + 0.6)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for extra in axes[count:]:
        extra.set_axis_off()
    for ax in axes[:count]:
        ax.tick_params(labelbottom=True, labelsize=8)
    return figure, list(axes[:count])


@styled
def draw_precision_recall(evaluation: Evaluation) -> "Figure":
    """A small plot per species that occurs, most frequent first; grey is what guessing gives."""
    table = evaluation.occurring
    figure, axes = new_grid(len(table))
    for ax, row in zip(axes, table.itertuples(), strict=True):
        curve = evaluation.curves.loc[[row.Index]]
        ax.axhline(row.positives / evaluation.facts["clips"], color=GREY, lw=1)
        marker = "o" if len(curve) <= FEW_POINTS else None
        ax.plot(curve["recall"], curve["precision"], color=BLUE, lw=1.5, marker=marker, ms=3)
        ax.set(xlim=(0, 1.02), ylim=(0, 1.05), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        clips = "clip" if row.positives == 1 else "clips"
        ax.set_title(f"{row.Index}\n{row.positives:,} {clips}, AP {row.average_precision:.2f}", fontsize=9)
    figure.supxlabel("recall: share of a species' clips that are found", fontsize=10)
    figure.supylabel("precision: share of the tags that are right", fontsize=10)
    return figure


@styled
def draw_reliability(evaluation: Evaluation) -> "Figure":
    """Share that came true against the probability given, per species, in bins on logarithmic axes."""
    table = evaluation.occurring
    names = [ALL, *table.index]
    figure, axes = new_grid(len(names))
    for ax, name in zip(axes, names, strict=True):
        bins = evaluation.reliability.loc[[name]]
        low = 1 / (2 * bins["clips"])
        none = bins["share"] == 0
        ax.plot([1e-5, 1], [1e-5, 1], color=GREY, lw=1)
        ax.plot(bins["probability"][~none], bins["share"][~none], "o-", color=BLUE, ms=3.5, lw=1)
        ax.plot(bins["probability"][none], low[none], "o", color=BLUE, ms=3.5, mfc="white")
        ax.set(xscale="log", yscale="log", xlim=(1e-5, 1.4), ylim=(1e-5, 1.4))
        ticks = [1e-4, 1e-2, 1]
        ax.set_xticks(ticks, ["0.0001", "0.01", "1"])
        ax.set_yticks(ticks, ["0.0001", "0.01", "1"])
        ax.minorticks_off()
        measure = evaluation.overall["value"]["pooled_calibration_error"] if name == ALL else None
        error = table.loc[name, "calibration_error"] if measure is None else measure
        ax.set_title(f"{name}\ncalibration error {error:.4f}", fontsize=9)
    figure.supxlabel(
        "probability given (hollow: no clip of the bin shows the species; drawn at half a clip)", fontsize=10
    )
    figure.supylabel("share of clips that show the species", fontsize=10)
    return figure


@styled
def draw_confusion(evaluation: Evaluation) -> "Figure":
    """Shares of each true species' clips by answer, most frequent first, with the percentages."""
    counts = evaluation.confusion.to_numpy(np.float64)
    order = np.argsort(-counts.sum(axis=1), kind="stable")
    order = order[counts.sum(axis=1)[order] > 0]
    names = [evaluation.confusion.columns[i] for i in order]
    shares = counts[np.ix_(order, order)] / counts[order].sum(axis=1, keepdims=True)
    side = 2.2 + 0.36 * len(names)
    figure = new_figure(side + 0.8, side)
    ax = figure.subplots()
    image = ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(shares >= 0.005):
        share = shares[row, column]
        ax.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=7,
                color="white" if share > 0.55 else "black")  # fmt: skip
    totals = counts[order].sum(axis=1)
    ax.set_yticks(
        range(len(names)), [f"{n} ({t:,.0f})" for n, t in zip(names, totals, strict=True)], fontsize=8
    )
    ax.set_xticks(range(len(names)), names, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    ax.set(xlabel="answered", ylabel="true species (clips)")
    figure.colorbar(image, ax=ax, shrink=0.6, label="share of the species' clips")
    return figure


@styled
def draw_skipping(evaluation: Evaluation) -> "Figure":
    """Blanks skipped against animals lost, with the promised share and the chosen operating point."""
    curve, points = evaluation.skipping, evaluation.points
    figure = new_figure(5.2, 3.8)
    ax = figure.subplots()
    ax.plot(
        100 * curve["animals_lost"], 100 * curve["blanks_skipped"], color=BLUE, lw=1.8, label="these clips"
    )
    if curve["animals_lost_at_most"].notna().any():  # else sites are too few
        ax.plot(100 * curve["animals_lost_at_most"], 100 * curve["blanks_skipped"], color=BLUE, lw=1, ls="--",
                label="animals lost at most (90 % sure)")  # fmt: skip
    if len(points):
        point = points.to_dict("index")["skip blank"]
        ax.axvline(100 * point["promised_loss"], color=GREY, lw=1)
        saved, lost, allowed = (f"{point[k]:.1%}" for k in ("blanks_skipped", "loss", "promised_loss"))
        said = f"threshold chosen beforehand: {saved} of\nblanks skipped, {lost} of animals lost\n({allowed} allowed)"
        ax.plot(
            100 * point["loss"], 100 * point["blanks_skipped"], "o", color=ORANGE, ms=7, zorder=3, label=said
        )
    ax.set(xlim=(0, 20), ylim=(0, 101), xlabel="clips with animals lost, %", ylabel="blank clips skipped, %")
    ax.legend(loc="lower right", fontsize=8)
    return figure


@styled
def draw_losses(losses: pd.DataFrame) -> "Figure":
    """Training and validation loss by epoch (columns loss and val_loss)."""
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(5.2, 3.4)
    ax = figure.subplots()
    epochs = np.arange(1, len(losses) + 1)
    ax.plot(epochs, losses["loss"], "o-", color=BLUE, ms=3, label="training")
    if "val_loss" in losses and losses["val_loss"].notna().any():
        ax.plot(epochs, losses["val_loss"], "s-", color=ORANGE, ms=3, label="validation")
        best = int(np.nanargmin(losses["val_loss"].to_numpy(np.float64)))
        ax.axvline(epochs[best], color=GREY, lw=1, zorder=0)
    ax.set(xlabel="epoch (line: lowest validation loss)", ylabel="log loss")
    ax.set_ylim(bottom=0)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(fontsize=8)
    return figure
