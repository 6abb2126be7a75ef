"""Names of clips as tables write them, matched with the names that the files have."""

import logging
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path, PurePath

from primatrix.errors import InputError
from primatrix.video import STILL_SUFFIXES, VIDEO_SUFFIXES

__all__ = ["leads_outside", "match_names", "pick_like"]

Parts = tuple[str, ...]
Lookup = Callable[[Parts], Sequence[str]]  # parts of a path -> the files that they fit
MEDIA_SUFFIXES = VIDEO_SUFFIXES | STILL_SUFFIXES

_log = logging.getLogger(__name__)


def match_names(
    names: Iterable[str],
    files: Iterable[str],
    *,
    root: str | Path | None = None,
    table: str | Path | None = None,
) -> dict[str, str]:
    """The file that each name in a table means; a name that no file fits is left out.

    `files` are paths below a folder, as `find_videos` names them, or the names in another table. A name that is the
    same is that file. Else it may be written with `\\`, `./` or `..`, in another case or Unicode form (NFC, NFD),
    without its suffix, as an absolute path, or relative to the `table` it stands in or to a folder above `root`, the
    folder of the files. If no name fits in these ways, folders that all names begin with may be those above the files,
    or the names may leave out folders that the files lie in.

    Names that are not the same are told of in one line (logging). Raises InputError where a name fits several files, or
    several names fit one file.

    >>> match_names(["videos\\\\A.MP4", "./b"], ["a.mp4", "b.avi", "c.mp4"], root="card/videos")
    {'videos\\\\A.MP4': 'a.mp4', './b': 'b.avi'}
    >>> match_names(["a.mp4"], ["north/a.mp4", "south/a.mp4"])
    Traceback (most recent call last):
    primatrix.errors.InputError: names: a.mp4 may be north/a.mp4 or south/a.mp4; wanted the path below the folder
    """
    known, wanted = dict.fromkeys(files), dict.fromkeys(names)
    found = {name: name for name in wanted if name in known}
    rest = {name: _split(name) for name in wanted if name not in known}
    if not rest or not known:
        return found
    index = _Index(known)
    matcher = _Matcher(str(table or "names"), found, rest)
    for look_up in index.levels:
        matcher.take({name: look_up(parts) for name, parts in matcher.rest.items()})
    base = _Base(root, table)
    for look_up in index.levels:
        ways = {name: base.list_ways(name, parts) for name, parts in matcher.rest.items()}
        matcher.take({name: _first(map(look_up, several)) for name, several in ways.items()})
    if not matcher.found:
        matcher.take(_strip_common(matcher.rest, index))
    if not matcher.found:
        matcher.take({name: index.find_ending(parts) for name, parts in matcher.rest.items()})
    matcher.tell()
    return {name: matcher.found[name] for name in wanted if name in matcher.found}


def pick_like(name: str, files: Iterable[str]) -> str:
    """One of the files to show beside a name that was not found: of the same file name, else the first.

    >>> pick_like("card/b.mp4", ["a.mp4", "x/B.MP4"])
    'x/B.MP4'
    """
    listed = list(files)
    own = _fold(_split(name)[-1:])
    like = (file for file in listed if _fold(_split(file)[-1:]) == own)
    return next(like, listed[0] if listed else "none")


def leads_outside(name: str) -> bool:
    """Whether a path below a folder is none: absolute, with a drive, or with more `..` than folders.

    >>> leads_outside("../private/x.jpg"), leads_outside("C:\\\\x.jpg"), leads_outside("a/../b.jpg")
    (True, True, False)
    """
    if name[:1] in ("/", "\\") or re.match(r"[A-Za-z]:[\\/]", name) or PurePath(name).drive or "\0" in name:
        return True
    return _split(name)[:1] == ("..",)


class _Index:
    """Files by their path: as it is but for how it is written, in any case, and without their suffix."""

    def __init__(self, files: Iterable[str]) -> None:
        self.parts = {file: _split(file) for file in files}
        self._written: dict[str, list[str]] = defaultdict(list)
        self._folded: dict[str, list[str]] = defaultdict(list)
        self._bare: dict[str, list[str]] = defaultdict(list)
        self._endings: dict[int, dict[str, list[str]]] = {}
        for file, parts in self.parts.items():
            self._written["/".join(parts)].append(file)
            self._folded[_fold(parts)].append(file)
            self._bare[_drop_suffix(_fold(parts))].append(file)
        self.levels: tuple[Lookup, ...] = (self._find_written, self._find_folded, self._find_bare)

    def find(self, parts: Parts) -> Sequence[str]:
        """The files that a path fits, in the strictest way in which it fits any."""
        return _first(look_up(parts) for look_up in self.levels)

    def find_ending(self, parts: Parts) -> Sequence[str]:
        """The files whose path ends so."""
        if len(parts) not in self._endings:
            endings: dict[str, list[str]] = defaultdict(list)
            for file, own in self.parts.items():
                folded = _fold(own[-len(parts) :])
                for ending in {folded, _drop_suffix(folded)}:
                    endings[ending].append(file)
            self._endings[len(parts)] = endings
        return self._endings[len(parts)].get(_fold(parts), [])

    def _find_written(self, parts: Parts) -> Sequence[str]:
        return self._written.get("/".join(parts), [])

    def _find_folded(self, parts: Parts) -> Sequence[str]:
        return self._folded.get(_fold(parts), [])

    def _find_bare(self, parts: Parts) -> Sequence[str]:
        """Files that differ in that one of both has a suffix: `a` is `a.mp4`, but `a.avi` is not."""
        folded = _fold(parts)
        bare = _drop_suffix(folded)
        files = self._bare.get(bare, [])
        if folded == bare:
            return files
        return [file for file in files if _fold(self.parts[file]) == bare]


class _Matcher:
    """What was found so far, and the names that are left; `who` begins every error."""

    def __init__(self, who: str, found: dict[str, str], rest: dict[str, Parts]) -> None:
        self.who, self.found, self.rest = who, found, rest

    def take(self, candidates: dict[str, Sequence[str]]) -> None:
        """Take in the names that fit one file, unless that was found in a stricter way already."""
        claimed: dict[str, str] = {}
        before = set(self.found.values())
        for name, files in candidates.items():
            if len(files) > 1:
                raise InputError(
                    f"{self.who}: {name} may be {files[0]} or {files[1]}; wanted the path below the folder"
                )
            if files:
                del self.rest[name]  # where it is another name's, no looser way may find it another file
            if files and files[0] not in before:
                self.found[name] = files[0]
                if claimed.setdefault(files[0], name) != name:
                    raise InputError(f"{self.who}: {claimed[files[0]]} and {name} may both be {files[0]}; wanted one "
                                     "name for each file")  # fmt: skip

    def tell(self) -> None:
        """One line about names that are written otherwise than their files."""
        other = [name for name, file in self.found.items() if name != file]
        if other:
            _log.warning("%s: %d of %d names are written otherwise than the files: %s is taken for %s", self.who,
                         len(other), len(self.found) + len(self.rest), other[0], self.found[other[0]])  # fmt: skip


def _split(name: str) -> Parts:
    """The parts of a path: `\\` is `/`, `.` is nothing, `..` takes one away; one way to write accents (NFC)."""
    parts: list[str] = []
    for part in _compose(name.strip()).replace("\\", "/").split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return tuple(parts)


def _fold(parts: Parts) -> str:
    return _compose("/".join(parts).casefold())


def _compose(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _drop_suffix(path: str) -> str:
    stem, suffix = os.path.splitext(path)  # noqa: PTH122  # called once per file
    return stem if suffix in MEDIA_SUFFIXES else path


def _first(several: Iterable[Sequence[str]]) -> Sequence[str]:
    return next((files for files in several if files), ())


class _Base:
    """Where paths start: the folder of the files, and that of the table."""

    def __init__(self, root: str | Path | None, table: str | Path | None) -> None:
        roots = [] if root is None else [Path(root).absolute(), Path(root).resolve()]
        self.roots = {_split(str(path)) for path in roots}
        self.called = {_fold(path[-1:]) for path in self.roots}
        self.table = None if table is None else Path(table).absolute().parent.as_posix()

    def list_ways(self, name: str, parts: Parts) -> Iterator[Parts]:
        """What is left of a path below the folder: seen from the table, or after a folder that is called as it is."""
        if not self.roots:
            return
        whole = [parts] if leads_outside(name) else []
        whole += [] if self.table is None else [_split(f"{self.table}/{name}")]
        for path in whole:
            for root in self.roots:
                if _fold(path[: len(root)]) == _fold(root):
                    yield path[len(root) :]
        for depth in range(1, len(parts)):
            if _fold(parts[depth - 1 : depth]) in self.called:
                yield parts[depth:]


def _strip_common(rest: dict[str, Parts], index: _Index) -> dict[str, Sequence[str]]:
    """The files that names fit without the folders that all of them begin with, as many as make most names fit."""
    folded = [tuple(map(str.casefold, parts[:-1])) for parts in rest.values()]
    first, last = min(folded, default=()), max(folded, default=())  # what these share, all share
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False)))
    best: dict[str, Sequence[str]] = {}
    for depth in range(1, common + 1):
        tried = {name: index.find(parts[depth:]) for name, parts in rest.items()}
        if sum(map(bool, tried.values())) > sum(map(bool, best.values())):
            best = tried
    return best
