import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import primatrix as pm
from primatrix import progress as module
from primatrix.progress import NotebookDisplay, ProgressDisplay, show_progress
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


def test_a_stage_that_begins_anew_has_its_own_rate(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter([0.0, 10.0, 110.0, 120.0])
    monkeypatch.setattr(module.time, "monotonic", lambda: next(seconds))
    with ProgressDisplay() as display:
        for done in (1, 100, 1, 100):  # two folds
            display.on_progress(Progress("train", done, 100))
    assert capsys.readouterr().err.splitlines() == ["train: 100/100 clips  10/s"] * 2


def test_a_function_is_told_and_none_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[Progress] = []
    with show_progress(told.append) as tell:
        assert tell is not None
        tell(Progress("pack", 3, 3))
    with show_progress(None) as tell:
        assert tell is None
    with show_progress("auto") as tell:  # a pipe or a file: nobody watches
        assert tell is None
    assert told == [Progress("pack", 3, 3)]
    assert capsys.readouterr().err == ""
    with pytest.raises(pm.InputError, match="on_progress: got 'always', wanted 'auto', None or a function"):
        show_progress("always")  # type: ignore[arg-type]


def test_every_long_function_of_the_library_shows_progress_unless_told_not_to() -> None:
    found = [getattr(pm, name) for name in pm.__all__ if inspect.isfunction(getattr(pm, name))]
    found += [pm.Dataset.pack, pm.Store.pack]
    told = {one.__qualname__: inspect.signature(one).parameters.get("on_progress") for one in found}
    defaults = {name: parameter.default for name, parameter in told.items() if parameter is not None}
    assert defaults == dict.fromkeys([
        "Dataset.pack", "Store.pack", "downsample", "pack_folder", "predict", "predict_benchmark", "predict_folder",
        "scan_folder", "simulate", "train", "train_folds", "watch_folder", "write_report",
    ], "auto")  # fmt: skip


CODE = """
import sys
import primatrix as pm
spec = pm.SimulationSpec(train_clips=2, test_clips=1)
on_progress = None if sys.argv[2:] else "auto"
made = pm.simulate(sys.argv[1], spec=spec, workers=1, on_progress=on_progress)
"""


def read_terminal(*command: str) -> str:
    """What a program writes to stderr where that is a terminal of 120 columns."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "120", "TERM": "xterm"}
    done = subprocess.run(command, stderr=theirs, stdout=-1, env=environment, timeout=120, check=True)
    assert done.stdout == b""
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:  # Linux: nobody holds the other end any more
        pass
    os.close(ours)
    return shown.decode()


def test_a_script_in_a_terminal_shows_a_bar_without_being_asked(tmp_path: Path) -> None:
    shown = re.sub(
        r"\x1b\[[0-9;?]*[A-Za-z]", "", read_terminal(sys.executable, "-c", CODE, str(tmp_path / "a"))
    )
    assert "simulate" in shown
    assert "3/3" in shown
    assert read_terminal(sys.executable, "-c", CODE, str(tmp_path / "b"), "quietly") == ""


def test_a_script_whose_errors_go_to_a_file_shows_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CODE, str(tmp_path / "a")]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_a_notebook_shows_one_output_that_changes(tmp_path: Path) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    cells = [
        "import primatrix as pm\nspec = pm.SimulationSpec(train_clips=2, test_clips=1)",
        "made = pm.simulate('a', spec=spec, workers=1)",
        "made = pm.simulate('b', spec=spec, workers=1, on_progress=None)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3")
    client.execute(cwd=str(tmp_path))
    _, loud, quiet = notebook.cells
    assert quiet.outputs == []
    (shown,) = loud.outputs
    assert shown.data["text/plain"].startswith("simulate: 3/3 clips")
    assert '<progress max="3" value="3"></progress> simulate: 3/3 clips' in shown.data["text/html"]


def test_words_of_a_file_are_no_markup_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict[str, str]] = []

    class Page:
        @staticmethod
        def display(content: dict[str, str], **_: object) -> None:
            shown.append(content)

    monkeypatch.setattr(module.importlib, "import_module", lambda name: Page)
    with NotebookDisplay() as display:
        display.on_progress(Progress("pack", 3, 3, message="<b>"))
    assert "&lt;b&gt;" in shown[0]["text/html"]
    assert shown[0]["text/plain"] == "pack: 3/3 clips  <b>"
