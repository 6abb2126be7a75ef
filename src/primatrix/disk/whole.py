"""One atomic writer: a file is there whole or not at all."""

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["name_part", "whole_file", "write_whole"]

ENDING = ".part"  # of a file that is being written


def write_whole(path: str | Path, write: Callable[[Path], object]) -> Path:
    """Let `write` fill a temporary file beside `path`, then put it in place at once, and on the disk.

    What a killed process left of the same file goes, too, which takes a look at the whole folder: where many files are
    written into one, use `whole_file`.

    >>> import tempfile
    >>> path = write_whole(Path(tempfile.mkdtemp(), "a.txt"), lambda file: file.write_text("whole"))
    >>> path.read_text()
    'whole'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    here = _name_parts(path)
    for left_over in path.parent.iterdir():
        if left_over.name.startswith(here) and not _is_running(left_over.name.removeprefix(here)):
            left_over.unlink(missing_ok=True)
    with whole_file(path) as temporary:
        write(temporary)
    return path


@contextmanager
def whole_file(path: Path, *, flush: bool = True) -> Iterator[Path]:
    """A temporary name beside `path` to write to; when the block ends, the file gets its own, after an error none.

    With `flush` it is brought to the disk first, so that a power cut leaves it whole too; without, thousands of small
    files are written many times faster. Readers see the old file or the new one.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.txt")
    >>> with whole_file(path) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> path.read_text()
    'whole'
    """
    temporary = path.with_name(name_part(path))
    try:
        yield temporary
        if flush:
            with temporary.open("rb+") as file:  # Windows flushes only what may be written to
                os.fsync(file.fileno())
        temporary.replace(path)
        if flush:
            _flush_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def name_part(path: Path) -> str:
    """The name under which this process writes a file before it is whole."""
    return f"{_name_parts(path)}{os.getpid()}{ENDING}"


def _name_parts(path: Path) -> str:
    """What the temporary names of a file begin with here: a shared drive has processes of other machines."""
    return f".{path.name}.{platform.node()}-"


def _flush_folder(folder: Path) -> None:
    """Bring the folder's list of names to the disk, where the system lets a folder be opened."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _is_running(ending: str) -> bool:
    """Whether the process that `<number>.part` names is there; true where that cannot be known."""
    number = ending.removesuffix(ENDING)
    if os.name != "posix" or not number.isdecimal():
        return True
    try:
        os.kill(int(number), 0)  # signal 0 asks and does nothing
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
