"""Refuses what Windows refuses and others allow: some names, files in use, flushing what is open for reading only.

It stands in for a Windows machine. Python imports it by itself where its folder is on the path, in workers too.
"""

import os
import re
import sys
import warnings
from collections.abc import Iterator
from fcntl import F_GETFL, fcntl
from pathlib import Path

RULED = os.environ["RULED_FOLDER"]
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
NO_NAME = re.compile(r'.*[<>:"|?*\\\x00-\x1f].*|.*[. ]|(con|prn|aux|nul|com\d|lpt\d)(\..*)?', re.IGNORECASE)


def refuse(event: str, values: tuple) -> None:
    """An audit hook: an error here is the error of the call that is about to be made."""
    if (
        event == "open" and isinstance(values[0], str | bytes) and values[2] & WRITING
    ) or event == "os.mkdir":
        check_name(values[0])
    elif event == "os.rename":
        check_name(values[1])
        check_unused(values[0])
        check_unused(values[1])
    elif event in ("os.remove", "os.rmdir"):
        check_unused(values[0])


def check_name(path: str | bytes) -> None:
    place = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  # links are followed by nothing here
    if place.startswith(RULED):
        for part in Path(place).relative_to(RULED).parts:
            if NO_NAME.fullmatch(part):
                raise OSError(22, "Windows knows no such name", place)


def check_unused(path: str | bytes) -> None:
    place = os.path.realpath(os.fsdecode(path))
    if place.startswith(RULED):
        for used in list_used():
            if used == place or used.startswith(place + "/"):
                raise PermissionError(13, "used by this process, so Windows would not let go of it", used)


def list_used() -> Iterator[str]:
    """The files of this process that are open or mapped."""
    for handle in Path("/proc/self/fd").iterdir():
        try:
            yield str(handle.readlink())
        except FileNotFoundError:  # the handle of the listing itself
            continue
    for line in Path("/proc/self/maps").read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        yield line[line.index("/") :] if "/" in line else ""


def flush(handle: int, fsync=os.fsync) -> None:
    place = Path(f"/proc/self/fd/{handle}").readlink()
    if str(place).startswith(RULED) and place.is_file() and not fcntl(handle, F_GETFL) & WRITING:
        raise OSError(9, "Windows flushes only what may be written to", str(place))
    fsync(handle)


# A file without an encoding is read as cp1252 there.
warnings.filterwarnings("error", category=EncodingWarning, module="primatrix")
os.fsync = flush
sys.addaudithook(refuse)
