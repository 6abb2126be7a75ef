"""Errors of reading: which lie with the file, and which with the disk, the network or a permission and may pass."""

import errno
from pathlib import Path

__all__ = ["explain_reading", "is_away", "may_pass"]

BLOCK_BYTES = 1 << 20

# What a drive gives that was pulled out or fell asleep, a network that is away, a permission, too many open files.
PASSING = frozenset({
    errno.EACCES, errno.EPERM, errno.EIO, errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO, errno.EBUSY,
    errno.EAGAIN, errno.EINTR, errno.EMFILE, errno.ENFILE, errno.ETIMEDOUT, errno.ENETDOWN, errno.ENETUNREACH,
    errno.ECONNRESET, errno.EHOSTUNREACH, errno.ESTALE, *(
        number for name in ("EREMOTEIO", "EHOSTDOWN", "ENOMEDIUM", "ENOTCONN", "ESHUTDOWN")
        if (number := getattr(errno, name, None)) is not None
    ),
})  # fmt: skip


def may_pass(error: Exception) -> bool:
    """Whether an error lies with the disk, the network or a permission rather than with the file.

    >>> may_pass(PermissionError(errno.EACCES, "Permission denied")), may_pass(OSError(errno.EINVAL, "Invalid"))
    (True, False)
    """
    return isinstance(error, OSError) and error.errno in PASSING


def is_away(path: Path, error: Exception) -> bool:
    """Whether it is the disk that failed and not the file: libav calls much damage an input/output error, too.

    >>> is_away(Path("nothing.mp4"), FileNotFoundError(errno.ENOENT, "No such file or directory"))
    True
    """
    if getattr(error, "errno", None) not in PASSING:
        return False
    try:
        with path.open("rb") as file:
            while file.read(BLOCK_BYTES):
                pass
    except OSError as reading:
        return may_pass(reading)
    return False


def explain_reading(error: OSError) -> str:
    """Why a file could not be read, in words."""
    return f"not readable: {error.strerror or type(error).__name__}"
