"""The verdict on a fitted model: species by species, at sites it has not seen, and which labels would help."""

import numpy as np
import pandas as pd

from primatrix.training.verdict import NOTHING, describe_gains, describe_species


def make_answers(
    *, sites: int, noise: float, seed: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame, "pd.Series[str]"]:
    """240 clips of blank and fox, answers that are right but for noise, and the sites."""
    rng = np.random.default_rng(seed)
    names = [f"{i}.mp4" for i in range(240)]
    blank = (rng.random(240) < 0.6).astype(float)
    true = pd.DataFrame({"blank": blank, "fox": 1 - blank}, index=names)
    answers = (true * 0.6 + 0.2 + rng.normal(0, noise, true.shape)).clip(0.01, 0.99)
    return true, answers, pd.Series([f"s{i % sites}" for i in range(240)], index=names)


def test_species_are_told_with_intervals_beside_guessing() -> None:
    true, answers, sites = make_answers(sites=40, noise=0.3)
    lines, verdict = describe_species(true, answers, sites=sites)
    assert lines[0] == "at sites it has not seen:"
    assert lines[1].split("  ") == ["species", "clips", "average precision (95 %)", "guessing"]
    first, second = lines[2].split(), lines[3].split()
    assert (first[0], second[0]) == ("blank", "fox")  # most frequent first
    assert (int(first[1]), int(second[1])) == (int(true["blank"].sum()), int(true["fox"].sum()))
    value, low, high = (float(word.strip("()")) for word in (first[2], first[3], first[5]))
    assert 0.5 < low < value < high <= 1
    assert float(first[-1]) == round(true["blank"].mean(), 2)
    assert verdict.startswith("aggregated log loss 0.")
    assert "better than the constant's" in verdict


def test_where_sites_are_too_few_there_is_no_interval_and_it_is_said() -> None:
    true, answers, sites = make_answers(sites=2, noise=0.3)
    lines, _ = describe_species(true, answers, sites=sites)
    assert lines[0] == "at sites it has not seen (too few for intervals):"
    assert "(" not in lines[2]


def test_answers_worse_than_guessing_are_called_so() -> None:
    true, answers, _ = make_answers(sites=2, noise=0.3)
    _, verdict = describe_species(true, 1 - answers, sites=None)
    assert "worse than the constant's" in verdict


def test_species_that_gained_by_the_last_labels_are_named() -> None:
    true, answers, _ = make_answers(sites=2, noise=0.2)
    rng = np.random.default_rng(7)
    halved = answers.assign(fox=rng.random(240))
    foxes = int(true["fox"].sum())
    line = describe_gains(true, answers, halved)
    assert line.startswith(
        f"more labels would help most for fox ({foxes} clips; the last {foxes // 2} brought 0."
    )
    assert "blank" not in line


def test_where_labels_brought_nothing_nothing_is_said() -> None:
    true, answers, _ = make_answers(sites=2, noise=0.2)
    assert describe_gains(true, answers, answers) == ""


def test_a_species_of_one_site_alone_is_not_judged() -> None:
    """Left out with its site it was answered by what had never seen it: no low score, and no loss, for that."""
    true, answers, sites = make_answers(sites=4, noise=0.2)
    folds = pd.Series([int(site[1:]) for site in sites], index=sites.index)
    alone = (sites == "s0").astype(float)
    true, answers = true.assign(okapi=alone), answers.assign(okapi=0.001)
    lines, verdict = describe_species(true, answers, sites=sites, fold_of=folds)
    assert [line for line in lines if line.startswith("okapi")] == [
        "okapi    60     all at one site: not known"
    ]
    _, without = describe_species(
        true[["blank", "fox"]], answers[["blank", "fox"]], sites=sites, fold_of=folds
    )
    assert verdict == without


def test_where_every_species_is_at_one_site_that_is_said() -> None:
    true, answers, sites = make_answers(sites=2, noise=0.2)
    lines, verdict = describe_species(true, answers, sites=sites, fold_of=sites.map({"s0": 0, "s1": 0}))
    assert lines == []
    assert verdict == NOTHING


def test_where_all_clips_show_the_same_nothing_is_claimed() -> None:
    true = pd.DataFrame({"fox": [1.0] * 6}, index=list("abcdef"))
    folds = pd.Series([0, 1, 2] * 2, index=true.index)
    assert describe_species(true, true - 1e-4, sites=None, fold_of=folds) == ([], NOTHING)
