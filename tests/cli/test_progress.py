import sys

import pytest

from primatrix.cli import progress as module
from primatrix.cli.progress import ProgressDisplay
from primatrix.records import Progress


def test_where_nobody_watches_a_line_comes_now_and_then_and_at_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter([0.0, 10.0, 20.0, 21.0, 40.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(seconds))
    with ProgressDisplay() as display:
        for done in (1, 50, 100, 105, 200):
            display.on_progress(Progress("pack", done, 200, message="2 failed"))
    assert capsys.readouterr().err.splitlines() == [
        "pack: 100/200 clips  5/s  20 s left  2 failed",
        "pack: 200/200 clips  5/s  2 failed",
    ]


def test_each_stage_has_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay() as display:
        display.on_progress(Progress("pack", 3, 3))
        display.on_progress(Progress("train", 2, 2, unit="steps"))
    assert capsys.readouterr().err == "pack: 3/3 clips\ntrain: 2/2 steps\n"


def test_quiet_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressDisplay(quiet=True) as display:
        display.on_progress(Progress("pack", 3, 3))
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_with_rate_and_message(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    with ProgressDisplay() as display:
        display.on_progress(Progress("pack", 1, 4))
        display.on_progress(Progress("pack", 4, 4, message="1 failed"))
    shown = capsys.readouterr().err
    assert "pack" in shown
    assert "4/4" in shown
    assert "1 failed" in shown
