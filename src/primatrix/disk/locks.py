"""One packer at a time: a lock on a file that ends with the process that holds it, however that ends."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

__all__ = ["hold_lock"]

POLL_SECONDS = 0.1


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
