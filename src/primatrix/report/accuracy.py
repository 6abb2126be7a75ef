"""How good the model is on labelled clips: curves, reliability and a table, as the report shows them.

The curves are those of `trust.evaluate`, drawn here as SVG: the page needs no matplotlib (see `trust.figures`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from primatrix.report.svg import Chart, Line, draw_lines, draw_log_lines
from primatrix.results import Results
from primatrix.trust import ALL, Evaluation, evaluate

__all__ = ["Accuracy", "describe_accuracy"]

MOST_CURVES = 12
SMALL_WIDTH = 200
MEASURES = {
    "log_loss": "Log loss (less is better)",
    "average_precision": "Average precision",
    "roc_auc": "Area under the ROC curve",
    "pooled_calibration_error": "Calibration error (less is better)",
    "top_n": "Clips whose likeliest species are right",
}
COLUMNS = (
    "Species",
    "Labelled",
    "Found",
    "Missed",
    "Wrong",
    "Average precision",
    "95 % interval",
    "Log loss",
    "Constant",
)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """What labels say: sentences, charts (`small` ones side by side), measures and a row per species."""

    paragraphs: tuple[str, ...]
    charts: tuple[Chart, ...]
    small: tuple[Chart, ...]
    measures: tuple[tuple[str, ...], ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def describe_accuracy(labels: pd.DataFrame, results: Results) -> Accuracy | None:
    """The accuracy on the labelled clips (index; columns: species) that could be read; None where there are none.

    Intervals are by site where the results know sites. The labels are taken to be of clips the model was
    not trained on, which nothing here can tell.

    >>> # `example` is a run of two clips: a duiker in one, the other broken
    >>> labels = pd.DataFrame({"blank": [0.0], "duiker": [1.0]}, index=["a/IMG_1.MP4"])
    >>> describe_accuracy(labels, example).rows[0][:4]
    ('duiker', '1', '1', '0')
    """
    probabilities = results.probabilities.reindex(labels.index)
    if not len(labels) or probabilities.isna().all(axis=None):
        return None
    sites = results.clips.set_index("filepath")["site"].reindex(labels.index)
    evaluation = evaluate(
        labels, probabilities.astype(np.float64), sites=sites if (sites != "").any() else None
    )
    facts = evaluation.facts
    paragraphs = (
        f"Measured on {facts['clips']:,} labelled clips (intervals: {facts['interval']}; –: too few sites, or no "
        "interval). It tells how good the model is only "
        "where it was not trained on these clips, and how good it will be at new sites only where it was not trained "
        "at these.",
    )
    return Accuracy(
        paragraphs,
        (chart_reliability(evaluation),),
        tuple(chart_precision(evaluation, str(name)) for name in evaluation.occurring.index[:MOST_CURVES]),
        tuple(list_measures(evaluation)),
        COLUMNS,
        tuple(list_species(evaluation, labels, probabilities, results)),
    )


def chart_reliability(evaluation: Evaluation) -> Chart:
    """Whether probabilities come true, all species together."""
    bins = evaluation.reliability.loc[[ALL]]
    given, came_true = bins["probability"].tolist(), bins["share"].tolist()
    error = evaluation.overall["value"]["pooled_calibration_error"]
    return draw_log_lines(
        [
            Line("all species", given, came_true, points=True),
            Line("as given", [1e-4, 1], [1e-4, 1], dotted=True),
        ],
        title="Do probabilities come true?",
        alt=f"Share of clips that show a species against the probability given, calibration error {error:.4f}.",
        labels=("probability given", "share that show the species"),
    )


def chart_precision(evaluation: Evaluation, species: str) -> Chart:
    """Precision against recall of one species; the dotted line is what guessing gives."""
    curve = evaluation.curves.loc[[species]]
    row = _read_row(evaluation.species, species)
    share = row["positives"] / evaluation.facts["clips"]
    count = "1 clip" if row["positives"] == 1 else f"{row['positives']:,.0f} clips"
    words = f"{count}, average precision {row['average_precision']:.2f}"
    return draw_lines(
        [
            Line("", curve["recall"].tolist(), curve["precision"].tolist()),
            Line("", [0, 1], [share, share], dotted=True),
        ],
        title=f"{species}: {words}",
        alt=f"Precision against recall of {species}: {words}.",
        labels=("recall", "precision"),
        unit_square=True,
        width=SMALL_WIDTH,
    )


def list_measures(evaluation: Evaluation) -> Sequence[tuple[str, ...]]:
    """A row per measure: its words, value, interval and the constant's value."""
    rows = []
    for name, words in MEASURES.items():
        row = _read_row(evaluation.overall[["value", "low", "high", "constant"]], name)
        rows.append(
            (words, _say(row["value"]), _say_interval(row["low"], row["high"]), _say(row["constant"]))
        )
    return rows


def list_species(
    evaluation: Evaluation, labels: pd.DataFrame, probabilities: pd.DataFrame, results: Results
) -> Sequence[tuple[str, ...]]:
    """A row per species that is labelled or tagged: clips found, missed and wrong at its threshold, and scores."""
    rows = []
    for species, row in evaluation.species.sort_values("positives", ascending=False).iterrows():
        threshold = results.threshold_of(str(species))
        readable = probabilities[species].notna()
        tagged, shown = (probabilities[species] >= threshold)[readable], (labels[species] == 1)[readable]
        if not (tagged.any() or shown.any()):
            continue
        counts = (shown.sum(), (tagged & shown).sum(), (~tagged & shown).sum(), (tagged & ~shown).sum())
        interval = _say_interval(row["average_precision_low"], row["average_precision_high"])
        scores = (
            _say(row["average_precision"]),
            interval,
            _say(row["log_loss"]),
            _say(row["constant_log_loss"]),
        )
        rows.append((str(species), *(f"{count:,}" for count in counts), *scores))
    return rows


def _read_row(table: pd.DataFrame, name: str) -> dict[str, float]:
    """A row of numbers by its columns' names."""
    values = np.asarray(table.loc[name], np.float64)
    return dict(zip(map(str, table.columns), values.tolist(), strict=True))


def _say_interval(low: float, high: float) -> str:
    return f"{_say(low)}–{_say(high)}" if np.isfinite(low) and np.isfinite(high) else "–"


def _say(value: float) -> str:
    """Three digits or so, or a dash for what cannot be measured."""
    if not np.isfinite(value):
        return "-"
    if 0 < abs(value) < 0.01:
        return f"{value:.1g}" if abs(value) < 0.0001 else f"{value:.4f}"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"
