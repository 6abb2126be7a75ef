"""The program itself: its name, how an error becomes one line, and how it ends."""

import errno
import os
import sys
from pathlib import Path

import typer

from primatrix.errors import PrimatrixError

__all__ = ["app", "finish", "main", "stop", "tell"]

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EROFS, errno.EPERM)
NO_PLACE = (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)  # a file where a folder should be

app = typer.Typer(
    name="primatrix",
    help="Tags the species in camera-trap video.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line; every expected error becomes one line on stderr and exit code 2."""
    # Before torch loads: threads that spin while they wait take the cores from the decoding processes
    # (prediction beside two busy processes: 65-143 clips/s spinning, 353-365 passive, on 2 cores).
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        app()
    except PrimatrixError as error:
        stop(str(error))
    except OSError as error:
        if error.errno in NO_ROOM:
            wanted = "make room or choose another place, then run again"
        elif error.errno in NO_PLACE:
            wanted = "choose another place, then run again"
        else:
            raise
        stop(f"{error.filename or 'disk'}: {error.strerror}; {wanted}")
    except KeyboardInterrupt:
        tell("stopped; the same command goes on from here")
        sys.exit(130)


def tell(message: str) -> None:
    """One line for people, on stderr."""
    sys.stderr.write(f"primatrix: {message}\n")


def stop(message: str) -> None:
    """One line on stderr, then exit code 2."""
    tell(" ".join(message.split()))
    sys.exit(2)


def finish(failures: int, listed_in: Path | None = None) -> None:
    """Exit 1 where inputs failed, after saying how many and where they are listed."""
    if failures:
        tell(
            f"{failures} clip{'s' * (failures != 1)} could not be read"
            + (f"; see {listed_in}" if listed_in else "")
        )
        raise typer.Exit(1)
