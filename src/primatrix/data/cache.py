"""Where decoded clips are kept unless a place is named: in the user's cache, never among the videos."""

import hashlib
import os
from pathlib import Path

from platformdirs import user_cache_path

__all__ = ["default_store", "find_cache", "name_folder"]

VARIABLE = "PRIMATRIX_STORE"  # names another place than the user's cache, as a large disk


def default_store(folder: str | Path) -> Path:
    """The folder for decoded clips of the videos below `folder`: one of its own in the user's cache.

    That is `~/.cache/primatrix` on Linux, `~/Library/Caches/primatrix` on macOS, `%LOCALAPPDATA%\\primatrix\\Cache` on
    Windows, or what the environment variable PRIMATRIX_STORE names. All that is there may be deleted: clips are decoded
    again when they are needed.

    >>> default_store("videos") == default_store("./videos"), default_store("videos") == default_store("others")
    (True, False)
    """
    return find_cache() / name_folder(folder)


def name_folder(folder: str | Path) -> str:
    """A name for a folder that no other one has here: its own and some digits of its whole path.

    >>> name_folder("/media/card")[:5], name_folder("/media/card") == name_folder("/mnt/card")
    ('card-', False)
    """
    place = os.path.realpath(folder)  # one folder, whatever links lead to it
    digest = hashlib.blake2b(place.encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()
    return f"{os.path.basename(place) or 'all'}-{digest}"  # noqa: PTH119  # of a drive as a whole there is none


def find_cache() -> Path:
    """The folder below which all of these folders are."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else user_cache_path("primatrix", appauthor=False)
