"""Progress of long jobs: bars in a terminal or below a notebook's cell, plain lines where nobody watches."""

import html
import importlib
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from primatrix.errors import InputError
from primatrix.records import OnProgress, Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

__all__ = ["NotebookDisplay", "ProgressDisplay", "ShowProgress", "show_progress"]

PLAIN_INTERVAL_S = 15.0
NOTEBOOK_INTERVAL_S = (
    0.2  # each update is a message to the browser, kept in the notebook until the cell has run
)

ShowProgress = OnProgress | Literal["auto"] | None
"""Who is told how far a job is: a function, "auto" for a bar where somebody watches, None for nobody."""


def show_progress(on_progress: ShowProgress) -> AbstractContextManager[OnProgress | None]:
    """A scope with what a job reports to: a function as it is given, None, or with "auto" a bar where one is seen.

    That is where stderr is a terminal, or where the code runs in a notebook; elsewhere "auto" is None. A job hands
    what the scope gives on to the jobs it calls, so that all of them move one display. InputError for other values.

    >>> with show_progress(print) as tell:
    ...     tell(Progress("pack", 1, 10))
    Progress(stage='pack', done=1, total=10, unit='clips', message='')
    """
    if on_progress is not None and on_progress != "auto" and not callable(on_progress):
        raise InputError(
            f"on_progress: got {on_progress!r}, wanted 'auto', None or a function of one Progress"
        )
    return _show_automatically() if on_progress == "auto" else nullcontext(on_progress)


@contextmanager
def _show_automatically() -> Iterator[OnProgress | None]:
    if _is_notebook():
        with NotebookDisplay() as notebook:
            yield notebook.on_progress
    elif sys.stderr is not None and sys.stderr.isatty():  # a program without a console has no stderr
        with ProgressDisplay() as display:
            yield display.on_progress
    else:
        yield None


def _is_notebook() -> bool:
    """Whether the code runs in a kernel of IPython, whose cells show what is displayed."""
    running = sys.modules.get("IPython")
    shell = running.get_ipython() if running is not None else None
    return getattr(shell, "kernel", None) is not None


class _Clock:
    """When each stage began, and so how fast it is."""

    def __init__(self) -> None:
        self.now = 0.0
        self._started: dict[str, float] = {}  # stage -> seconds at its start
        self._done: dict[str, int] = {}

    def measure(self, progress: Progress) -> float:
        """Seconds since the stage's first report, of a stage that began anew since then; sets `now`."""
        self.now = time.monotonic()
        if progress.done < self._done.get(progress.stage, 0):  # another fold
            del self._started[progress.stage]
        self._done[progress.stage] = progress.done
        return self.now - self._started.setdefault(progress.stage, self.now)


def _say_rate(progress: Progress, seconds: float) -> str:
    return f"{progress.done / seconds:.0f}/s" if seconds > 1 else ""


def _say(progress: Progress, seconds: float) -> str:
    """One report in words: how many of how many, how fast, how long it will take."""
    left = seconds * (progress.total / progress.done - 1) if progress.done else 0.0
    words = (f"{progress.done}/{progress.total} {progress.unit}", _say_rate(progress, seconds),
             "" if progress.done >= progress.total else f"{left:.0f} s left", progress.message)  # fmt: skip
    return f"{progress.stage}: {'  '.join(word for word in words if word)}"


class ProgressDisplay:
    """Shows on stderr what `on_progress` is told, bars in a terminal, else now and then a line; a context manager.

    >>> with ProgressDisplay(quiet=True) as display:
    ...     display.on_progress(Progress("pack", 1, 10))
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._is_watched = not quiet and sys.stderr.isatty()
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}  # stage -> rich's task
        self._clock = _Clock()
        self._told_at: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()

    def on_progress(self, progress: Progress) -> None:
        """Show one report."""
        if self._quiet:
            return
        seconds = self._clock.measure(progress)
        if self._is_watched:
            self._move(progress, seconds)
        else:
            self._tell(progress, seconds)

    def _move(self, progress: Progress, seconds: float) -> None:
        """Move the bar of a stage, a new one at first."""
        if self._bars is None:
            self._bars = make_bars()
            self._bars.start()
        if progress.stage not in self._tasks:
            self._tasks[progress.stage] = self._bars.add_task(
                progress.stage, unit=progress.unit, rate="", message=""
            )
        task = self._tasks[progress.stage]
        if not seconds:  # it begins, perhaps anew
            self._bars.reset(task)
        self._bars.update(
            task, completed=progress.done, total=progress.total,
            rate=_say_rate(progress, seconds), message=progress.message,
        )  # fmt: skip

    def _tell(self, progress: Progress, seconds: float) -> None:
        """One plain line every few seconds, and one when the stage is done."""
        now = self._clock.now
        if not seconds:  # it begins, perhaps anew
            self._told_at[progress.stage] = now
        if now - self._told_at[progress.stage] < PLAIN_INTERVAL_S and progress.done < progress.total:
            return
        self._told_at[progress.stage] = now
        sys.stderr.write(f"{_say(progress, seconds)}\n")
        sys.stderr.flush()


class NotebookDisplay:
    """Shows below a notebook's cell what `on_progress` is told: a bar for each stage; a context manager.

    It is one output that changes, made by IPython alone: no widgets need be installed, and what it showed last stays in
    a notebook that is saved.
    """

    def __init__(self) -> None:
        self._clock = _Clock()
        self._reports: dict[
            str, tuple[Progress, float]
        ] = {}  # stage -> its last report and the seconds it took
        self._shown_at = 0.0
        self._shown: Any = None  # Any: IPython's handle of the output, which has no types

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reports:
            self._draw()

    def on_progress(self, progress: Progress) -> None:
        """Show one report, unless the last one was a moment ago and more will follow."""
        seconds = self._clock.measure(progress)
        self._reports[progress.stage] = (progress, seconds)
        if self._clock.now - self._shown_at >= NOTEBOOK_INTERVAL_S or progress.done >= progress.total:
            self._shown_at = self._clock.now
            self._draw()

    def _draw(self) -> None:
        lines = [(progress, _say(progress, seconds)) for progress, seconds in self._reports.values()]
        bars = (
            f'<progress max="{max(progress.total, 1)}" value="{progress.done}"></progress> {html.escape(line)}'
            for progress, line in lines
        )
        content = {"text/plain": "\n".join(line for _, line in lines), "text/html": "<br>".join(bars)}
        if self._shown is None:
            # By name: the library runs in notebooks of others and does not ask for IPython itself.
            display = importlib.import_module("IPython.display").display
            self._shown = display(content, raw=True, display_id=True)
        else:
            self._shown.update(content, raw=True)


def make_bars() -> "Bars":
    """Bars on stderr, one for each stage: how much of it is done, how fast, how long it took and will take."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bars

    return Bars(
        TextColumn("{task.description:<10}"), BarColumn(bar_width=24), MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}  {task.fields[rate]}"), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[message]}"),
        console=Console(stderr=True),
    )  # fmt: skip
