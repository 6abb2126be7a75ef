"""Being stopped: Ctrl-C, SIGTERM of a batch system and a closed terminal end a command alike, cleaned up and said."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

__all__ = ["Stopped", "describe_stop", "hearing_signals"]

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
# Commands that keep what is done, so that the same command goes on; the others take moments and begin anew.
GOING_ON = ("demo", "simulate", "downsample", "pack", "train", "predict")


class Stopped(BaseException):  # no error, as KeyboardInterrupt is none
    """The user or the system asks for an end. No KeyboardInterrupt, which Typer takes for itself and says nothing."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number  # as shells have it


@contextmanager
def hearing_signals() -> Iterator[None]:
    """A scope in which the first of these signals raises Stopped, so that files and processes are cleaned up.

    Those that follow find that under way and are left unheard. What the caller ignores stays ignored, as under nohup.
    """
    if threading.current_thread() is not threading.main_thread():  # others may set no handler
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heard: list[int] = []

    def hear(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # as handlers are called
        heard.append(number)
        if len(heard) == 1:
            raise Stopped(number)

    for number, handler in before.items():
        if handler not in (signal.SIG_IGN, None):
            signal.signal(number, hear)
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # None: set by other than Python
                signal.signal(number, handler)


def describe_stop(words: Sequence[str]) -> str:
    """What to say of the command that these words of a command line began.

    >>> describe_stop(["train", "footage", "--labels", "labels.csv"])
    'stopped; the same command goes on from here'
    >>> describe_stop(["score", "labels.csv", "predictions.csv"])
    'stopped; the same command begins anew'
    """
    name = next((word for word in words if not word.startswith("-")), "")
    return f"stopped; the same command {'goes on from here' if name in GOING_ON else 'begins anew'}"
