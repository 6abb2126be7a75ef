"""Progress of long jobs on stderr: a bar with rate and time left, or plain lines where nobody watches."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars

from primatrix.records import Progress

__all__ = ["ProgressDisplay"]

PLAIN_INTERVAL_S = 15.0


class ProgressDisplay:
    """Shows what `on_progress` is told; a context manager.

    >>> with ProgressDisplay(quiet=True) as display:
    ...     display.on_progress(Progress("pack", 1, 10))
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        console = Console(stderr=True)
        self._plain = not console.is_terminal
        self._bars = Bars(
            TextColumn("{task.description:<10}"), BarColumn(bar_width=24), MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}  {task.fields[rate]}"), TimeElapsedColumn(),
            TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[message]}"),
            console=console,
        )  # fmt: skip
        self._tasks: dict[str, tuple[TaskID, float]] = {}  # stage -> rich's task, seconds at its start
        self._told_at: dict[str, float] = {}

    def __enter__(self) -> "ProgressDisplay":
        if not (self._quiet or self._plain):
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop() if not (self._quiet or self._plain) else None

    def on_progress(self, progress: Progress) -> None:
        """Show one report."""
        if self._quiet:
            return
        now = time.monotonic()
        if progress.stage not in self._tasks:
            number = self._bars.add_task(
                progress.stage, unit=progress.unit, rate="", message="", total=progress.total
            )
            self._tasks[progress.stage] = (number, now)
        number, started = self._tasks[progress.stage]
        seconds = now - started
        rate = f"{progress.done / seconds:.0f}/s" if seconds > 1 else ""
        if self._plain:
            self._tell(progress, rate, seconds, now)
        else:
            self._bars.update(
                number, completed=progress.done, total=progress.total, rate=rate, message=progress.message
            )

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
