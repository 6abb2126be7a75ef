"""Places to write to, looked at before the work that fills them: what cannot be written, and what is another's."""

from collections.abc import Iterable
from pathlib import Path

from primatrix.disk.whole import name_part
from primatrix.errors import InputError

__all__ = ["check_output_file", "check_output_folder", "refuse_strange_files"]


def check_output_file(path: str | Path, *, endings: Iterable[str] = ()) -> Path:
    """The path, where a file can be written: InputError for a folder, a device, another ending or a forbidden place.

    Tries it with an empty file, which it takes away again, and makes no folder.

    >>> check_output_file("..")
    Traceback (most recent call last):
    primatrix.errors.InputError: ..: is a folder, wanted the name of a file to write
    """
    path, wanted = Path(path), tuple(endings)
    if _exists(path) and not path.is_file():
        what = "a folder" if path.is_dir() else "no regular file"
        raise InputError(f"{path}: is {what}, wanted the name of a file to write")
    if wanted and path.suffix.lower() not in wanted:
        raise InputError(f"{path}: got a name ending in {path.suffix!r}, wanted {' or '.join(wanted)}")
    _try_to_write(name_part(path), places=path.parents, said=path)
    return path


def check_output_folder(path: str | Path) -> Path:
    """The path, where files can be written into that folder, there or not: InputError for a file or a forbidden place.

    >>> check_output_folder("not/there/yet").is_dir()
    False
    """
    path = Path(path)
    _try_to_write(name_part(path), places=(path, *path.parents), said=path)
    return path


def refuse_strange_files(
    folder: str | Path, names: Iterable[str], *, marks: Iterable[str], what: str
) -> None:
    """InputError where a folder holds files of these names, but none of the marks that tell they are this program's.

    `what` says in words what is about to be written there.
    """
    folder = Path(folder)
    strange = [name for name in names if (folder / name).exists()]
    if strange and not any((folder / mark).exists() for mark in marks):
        raise InputError(
            f"{folder}: holds {', '.join(strange)}, which are not of {what}, wanted a place where nothing is "
            "written over; name another folder, or move them away"
        )


def _try_to_write(name: str, *, places: Iterable[Path], said: Path) -> None:
    """InputError unless a file of this name can be made in the first of these folders that is there."""
    for place in places:
        if not _exists(place):
            continue
        if not place.is_dir():
            raise InputError(f"{said}: {place} is a file, wanted a folder; choose another place")
        trial = place / name
        try:
            trial.touch()
            trial.unlink()
        except OSError as error:
            raise InputError(
                f"{said}: {place} cannot be written: {error.strerror}; choose another place"
            ) from error
        return


def _exists(path: Path) -> bool:
    try:
        return path.exists() or path.is_symlink()
    except OSError as error:  # a name too long for the disk, a folder that may not be entered
        raise InputError(f"{path}: {error.strerror}; choose another place") from error
