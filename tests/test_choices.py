"""The words that options choose from are those that the modules behind them act on."""

from collections.abc import Callable
from functools import partial
from typing import Any, get_args

import pandas as pd
import pytest

from primatrix.choices import ContainerClock, Device, Format, PredictedBy, TestSites, Unit
from primatrix.errors import InputError
from primatrix.footage import TimeSpec
from primatrix.interchange import ExportOptions, export_results
from primatrix.models import describe_device
from primatrix.results import Results
from primatrix.simulation import SimulationSpec
from primatrix.trust import Promise, fit_calibration

LABELS = pd.DataFrame({"hog": [1.0, 0.0] * 20})


def calibrate(source: Any) -> None:
    fit_calibration(LABELS, LABELS * 0.8 + 0.1, source=source)


@pytest.mark.parametrize(
    ("take", "choice"),
    [
        (lambda word: TimeSpec(container_clock=word), ContainerClock),
        (lambda word: SimulationSpec(test_sites=word), TestSites),
        (lambda word: Promise(unit=word), Unit),
        (calibrate, PredictedBy),
    ],
)
def test_each_word_is_taken_and_no_other(take: Callable[[str], object], choice: Any) -> None:
    for word in get_args(choice):
        take(word)
    with pytest.raises(InputError, match="got 'neither', wanted"):
        take("neither")


def test_a_device_is_one_of_its_words_or_not_here() -> None:
    assert get_args(Device)[:2] == ("auto", "cpu")
    for word in get_args(Device)[:2]:
        assert describe_device(word)
    with pytest.raises(InputError, match="device: got 'neither', wanted one of auto, cpu, cuda, mps"):
        describe_device("neither")  # type: ignore[arg-type]


def test_each_format_is_written_or_asks_for_what_it_needs(example: Results, tmp_path: Any) -> None:
    write = partial(export_results, example, options=ExportOptions())
    for word in get_args(Format):
        if word == "camtrap-dp":
            with pytest.raises(InputError, match="camtrap-dp needs what the videos do not hold"):
                write(word, tmp_path / word)
        else:
            assert write(word, tmp_path / word).format == word
    with pytest.raises(InputError, match="--to: got 'neither', wanted one of csv, long-csv"):
        write("neither", tmp_path / "x")  # type: ignore[arg-type]
