import sys

import numpy as np
import pandas as pd
import pytest

from primatrix.errors import InputError
from primatrix.trust.evaluation import evaluate
from primatrix.trust.figures import (
    draw_confusion,
    draw_losses,
    draw_precision_recall,
    draw_reliability,
    draw_skipping,
)

LABELS = pd.DataFrame(
    np.eye(3)[[0, 0, 0, 0, 1, 1, 1]], columns=["blank", "hog", "lion"], index=list("abcdefg")
)
PROB = 0.1 + 0.7 * LABELS + 0.1 * np.random.default_rng(0).random(LABELS.shape)


def test_species_that_occur_get_a_plot_each() -> None:
    evaluation = evaluate(LABELS, PROB)
    assert [ax.get_title() for ax in draw_precision_recall(evaluation).axes[:2]] == [
        "blank\n4 clips, AP 1.00", "hog\n3 clips, AP 1.00",
    ]  # fmt: skip
    titles = [ax.get_title().split("\n")[0] for ax in draw_reliability(evaluation).axes[:3]]
    assert titles == ["all species", "blank", "hog"]


def test_confusion_names_species_with_their_clips() -> None:
    ax = draw_confusion(evaluate(LABELS, PROB)).axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["blank (4)", "hog (3)"]


def test_without_an_operating_point_there_is_only_the_curve() -> None:
    ax = draw_skipping(evaluate(LABELS, PROB)).axes[0]
    assert len(ax.lines) == 2


def test_losses_without_validation_have_one_line() -> None:
    ax = draw_losses(pd.DataFrame({"loss": [0.2, 0.1], "val_loss": [np.nan, np.nan]})).axes[0]
    assert len(ax.lines) == 1


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluation = evaluate(LABELS, PROB)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"pip install 'primatrix\[figures\]'"):
        draw_confusion(evaluation)
