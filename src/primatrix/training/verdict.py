"""What to say of a fitted model: how well each species is told at sites left out, and which labels would help."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from primatrix.trust import Evaluation, evaluate

__all__ = ["NOTHING", "describe_gains", "describe_species"]

MOST_SPECIES = 30  # lines
MOST_GAINS = 3
LEAST_GAIN = 0.02  # of average precision
NOTHING = "each species is on all clips, or at one site: nothing can be told of how good the model is"
LEAST_CLIPS = 5  # of a species: of fewer no gain can be told


def describe_species(
    true: pd.DataFrame,
    answers: pd.DataFrame,
    *,
    sites: "pd.Series[str] | None",
    fold_of: "pd.Series[int] | None" = None,
) -> tuple[list[str], str]:
    """Lines with a row per species, and one line: whether the answers are better than the constant.

    `true` and `answers` are clips x species. A species' score is its average precision, with a 95 % interval over sites
    (else over clips), beside its share of the clips, which is what guessing gives. Of a species that is in one fold of
    `fold_of` only, nothing can be told: what answered it had never seen it.

    >>> labels = {"blank": [1.0, 0, 0, 1] * 5, "hog": [0.0, 1, 1, 0] * 5}
    >>> true = pd.DataFrame(labels, index=list("abcdefghijklmnopqrst"))
    >>> lines, verdict = describe_species(true, true * 0.8 + 0.1, sites=None)
    >>> print(verdict)
    aggregated log loss 0.1054, better than the constant's 0.6931 (0.15 of it)
    """
    untold = {} if fold_of is None else find_untold(true, fold_of)
    counts = true.sum().astype(int).sort_values(ascending=False, kind="stable")
    if len(untold) == (counts > 0).sum():
        return [], NOTHING
    told = [name for name in true.columns if name not in untold]
    measured = evaluate(true[told], answers[told], sites=sites)
    rows = [
        (str(name), f"{counts[name]}", *_say_species(str(name), measured, untold=untold))
        for name in counts.index[counts > 0][:MOST_SPECIES]
    ]
    where = "at sites it has not seen" if measured.sites is not None else "of clips it has not seen"
    has_interval = any(row[2].endswith(")") for row in rows)
    head = ("species", "clips", "average precision" + " (95 %)" * has_interval, "guessing")
    if not has_interval:
        where += " (too few for intervals)"
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    ]
    left = int((counts > 0).sum()) - len(rows)
    more = [f"and {left} species more"] if left > 0 else []
    loss, constant = (float(measured.overall[name]["log_loss"]) for name in ("value", "constant"))
    word = "better" if loss < constant else "worse"
    verdict = f"aggregated log loss {loss:.4f}, {word} than the constant's {constant:.4f} ({loss / constant:.2f} of it)"
    return [f"{where}:", *lines, *more], verdict


def find_untold(true: pd.DataFrame, fold_of: "pd.Series[int]") -> dict[str, str]:
    """Species of which nothing can be told, and why: all of their clips are in one fold, or all clips are theirs.

    >>> true = pd.DataFrame({"hog": [1, 1, 0], "lion": [0, 1, 1], "fox": [1, 1, 1]}, index=list("abc"))
    >>> find_untold(true, pd.Series([0, 0, 1], index=list("abc")))
    {'hog': 'all at one site: not known', 'fox': 'on all clips: not known'}
    """
    folds = fold_of.reindex(true.index).to_numpy()
    untold = {}
    for name in true.columns:
        there = true[name].to_numpy() > 0
        if there.all():
            untold[str(name)] = "on all clips: not known"
        elif len(set(folds[there])) == 1:
            untold[str(name)] = f"{'all at one site' if there.sum() > 1 else 'one clip'}: not known"
    return untold


def _say_species(name: str, measured: Evaluation, *, untold: Mapping[str, str]) -> tuple[str, str]:
    """The score of a species and what guessing gives, in words."""
    if name in untold:
        return untold[name], ""
    row = measured.species.loc[[name]].iloc[0]
    return _say_score(row), f"{row['constant_average_precision']:.2f}"


def _say_score(row: "pd.Series[float]") -> str:
    low, high = row["average_precision_low"], row["average_precision_high"]
    interval = "" if np.isnan(low) else f" ({low:.2f} to {high:.2f})"
    return f"{row['average_precision']:.2f}{interval}"


def describe_gains(true: pd.DataFrame, answers: pd.DataFrame, halved: pd.DataFrame) -> str:
    """One line: of which species as many labels again would help most, by what the second half of them brought.

    `halved` are the answers of a model that had half of the labels. Nothing where no species gained.
    """
    scores, before = (evaluate(true, table).species["average_precision"] for table in (answers, halved))
    counts: pd.Series[int] = true.sum().astype(int)
    gains = scores - before
    gains = gains[(counts >= LEAST_CLIPS) & (gains >= LEAST_GAIN)]
    gains = gains.sort_values(ascending=False).head(MOST_GAINS)
    named = [
        f"{name} ({count} clips; the last {count // 2} brought {gain:.2f})"
        for name, count, gain in zip(gains.index, counts[gains.index], gains, strict=True)
    ]
    return f"more labels would help most for {', '.join(named)}" if named else ""
