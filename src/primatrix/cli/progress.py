"""Progress of long jobs on stderr: a bar with rate and time left, or plain lines where nobody watches."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from primatrix.records import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

__all__ = ["ProgressDisplay"]

PLAIN_INTERVAL_S = 15.0


class ProgressDisplay:
    """Shows what `on_progress` is told; a context manager.

    >>> with ProgressDisplay(quiet=True) as display:
    ...     display.on_progress(Progress("pack", 1, 10))
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bars = make_bars() if sys.stderr.isatty() and not quiet else None
        self._tasks: dict[str, TaskID] = {}  # stage -> rich's task
        self._started: dict[str, float] = {}  # stage -> seconds at its start
        self._told_at: dict[str, float] = {}

    def __enter__(self) -> "ProgressDisplay":
        if self._bars:
            self._bars.start()
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
        now = time.monotonic()
        seconds = now - self._started.setdefault(progress.stage, now)
        rate = f"{progress.done / seconds:.0f}/s" if seconds > 1 else ""
        if self._bars:
            self._move(self._bars, progress, rate)
        else:
            self._tell(progress, rate, seconds, now)

    def _move(self, bars: "Bars", progress: Progress, rate: str) -> None:
        """Move the bar of a stage, a new one at first."""
        if progress.stage not in self._tasks:
            self._tasks[progress.stage] = bars.add_task(
                progress.stage, unit=progress.unit, rate="", message=""
            )
        task = self._tasks[progress.stage]
        bars.update(task, completed=progress.done, total=progress.total, rate=rate, message=progress.message)

    def _tell(self, progress: Progress, rate: str, seconds: float, now: float) -> None:
        """One plain line every few seconds, and one when the stage is done."""
        last = self._told_at.get(progress.stage, now - seconds)
        finished = progress.done >= progress.total
        if now - last < PLAIN_INTERVAL_S and not finished:
            return
        self._told_at[progress.stage] = now
        left = seconds * (progress.total / progress.done - 1) if progress.done else 0.0
        words = (f"{progress.done}/{progress.total} {progress.unit}", rate,
                 "" if finished else f"{left:.0f} s left", progress.message)  # fmt: skip
        sys.stderr.write(f"{progress.stage}: {'  '.join(word for word in words if word)}\n")
        sys.stderr.flush()


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
