from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from primatrix.report.accuracy import Accuracy, describe_accuracy
from primatrix.results import Results

Make = Callable[..., Results]
SPECIES = ["blank", "duiker", "hog<b>"]


@pytest.fixture
def labels(odd_names: tuple[str, ...]) -> pd.DataFrame:
    """A hog in both clips of site `a`, a duiker and nothing in those of `b`, and a hog in one that is broken."""
    shown = ["hog<b>", "hog<b>", "duiker", "blank", "hog<b>"]
    rows = [[float(name == one) for name in SPECIES] for one in shown]
    return pd.DataFrame(rows, index=[*odd_names, "b/broken.mp4"], columns=SPECIES)


@pytest.fixture
def accuracy(labels: pd.DataFrame, make_results: Make, tmp_path: Path) -> Accuracy:
    described = describe_accuracy(labels, make_results(tmp_path))
    assert described is not None
    return described


def test_a_row_per_species_counts_found_missed_and_wrong_among_readable_clips(accuracy: Accuracy) -> None:
    assert accuracy.columns[:5] == ("Species", "Labelled", "Found", "Missed", "Wrong")
    assert [row[:6] for row in accuracy.rows] == [
        ("hog<b>", "2", "1", "1", "0", "0.750"),
        ("blank", "1", "1", "0", "1", "0.500"),
        ("duiker", "1", "0", "1", "2", "0.250"),
    ]


def test_measures_are_said_in_words_beside_the_constant(accuracy: Accuracy) -> None:
    assert [words for words, *_ in accuracy.measures] == [
        "Log loss (less is better)", "Average precision", "Area under the ROC curve",
        "Calibration error (less is better)", "Clips whose likeliest species are right",
    ]  # fmt: skip
    assert accuracy.measures[1] == ("Average precision", "0.500", "–", "0.333")
    assert accuracy.measures[0][3] == "0.610"


def test_intervals_are_by_site_where_sites_are_known_and_it_is_said(
    accuracy: Accuracy, labels: pd.DataFrame, make_results: Make, tmp_path: Path
) -> None:
    assert accuracy.paragraphs[0].startswith(
        "Measured on 4 labelled clips (intervals: 95 %, jackknife over 2 sites; –: too few sites, or no interval)"
    )
    results = make_results(tmp_path)
    without = describe_accuracy(labels, replace(results, clips=results.clips.assign(site="")))
    assert without is not None
    assert "jackknife over 4 clips, taken as independent: no site is known" in without.paragraphs[0]


def test_charts_say_what_they_show(accuracy: Accuracy) -> None:
    assert [chart.title for chart in accuracy.small] == [
        "hog<b>: 2 clips, average precision 0.75", "blank: 1 clip, average precision 0.50",
        "duiker: 1 clip, average precision 0.25",
    ]  # fmt: skip
    [reliability] = accuracy.charts
    assert reliability.alt == (
        "Share of clips that show a species against the probability given, calibration error 0.3667."
    )


def test_a_species_neither_labelled_nor_tagged_has_no_row(
    labels: pd.DataFrame, make_results: Make, tmp_path: Path
) -> None:
    results = make_results(tmp_path)
    nowhere = replace(results, predictions=results.predictions.assign(duiker=[0.1, 0.1, 0.1, 0.1, None]))
    described = describe_accuracy(labels[labels["duiker"] == 0], nowhere)
    assert described is not None
    assert [row[0] for row in described.rows] == ["hog<b>", "blank"]
    assert len(described.small) == 2


def test_without_a_labelled_clip_that_could_be_read_there_is_nothing_to_say(
    labels: pd.DataFrame, make_results: Make, tmp_path: Path
) -> None:
    assert describe_accuracy(labels.loc[["b/broken.mp4"]], make_results(tmp_path)) is None
    assert describe_accuracy(labels.head(0), make_results(tmp_path)) is None


def test_small_losses_keep_their_digits(labels: pd.DataFrame, make_results: Make, tmp_path: Path) -> None:
    results = make_results(tmp_path)
    for sure, words in ((0.995, "0.0050"), (0.99999, "1e-05"), (0.9, "0.105")):
        right = (labels * (2 * sure - 1) + 1 - sure).reset_index(drop=True)
        right.loc[4] = None
        sure_results = replace(results, predictions=results.predictions.assign(**right))
        described = describe_accuracy(labels, sure_results)
        assert described is not None
        assert described.measures[0][1] == words
