"""One writer at a time: a lock on a file that ends with the process that holds it, however that ends."""

import errno
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from primatrix.errors import InputError

__all__ = ["hold_alone", "hold_lock"]

POLL_SECONDS = 0.1
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # what a drive says that has none

_log = logging.getLogger(__name__)


@contextmanager
def hold_lock(path: Path, *, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock on a file while the block runs; `on_wait` is called once where another holds it.

    The system itself drops the lock when the process ends, so a kill leaves nothing to clean up. Raises OSError where
    the file cannot be made, or its drive knows no locks.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, hold_lock(Path(folder, "lock"), on_wait=list):
    ...     "held"
    'held'
    """
    # The fallback takes a file that is there for one that is held: it would wait for ever on what an earlier lock left.
    lock = FileLock(path, poll_interval=POLL_SECONDS, fallback_to_soft=False)
    try:
        held = lock.acquire(blocking=False)
    except Timeout:
        on_wait()
        held = lock.acquire()
    with held:
        yield


@contextmanager
def hold_alone(path: Path, *, doing: str, place: Path | None = None) -> Iterator[None]:
    """Hold the lock on a file in a folder that one run alone may write; its folder is made where it is not there.

    `place` is what the run writes, as people call it, where it is not the lock's own folder. InputError where another
    run holds the lock. On a drive that knows no locks a warning is logged and the block runs.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, hold_alone(Path(folder, "lock"), doing="training"):
    ...     with hold_alone(Path(folder, "lock"), doing="training"):
    ...         pass
    Traceback (most recent call last):
    primatrix.errors.InputError: ...: another training is writing there; wait for it, or name another place
    """
    place = place or path.parent

    def refuse() -> None:
        raise InputError(f"{place}: another {doing} is writing there; wait for it, or name another place")

    path.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(hold_lock(path, on_wait=refuse))
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            _log.warning("%s: this drive knows no locks; start no second %s here", place, doing)
        yield
