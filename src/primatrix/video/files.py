"""Videos and stills on disk: found by suffix below a folder, named by their path in it."""

import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import get_args

from primatrix.errors import DecodeError, InputError
from primatrix.records import Failure, Media, Video
from primatrix.video.identity import ON_WINDOWS, stamp_file

__all__ = [
    "STILL_SUFFIXES",
    "VIDEO_SUFFIXES",
    "Search",
    "cut_chunks",
    "describe_video",
    "find_videos",
    "is_still",
    "search_folder",
]

VIDEO_SUFFIXES = frozenset([
    ".mp4", ".avi", ".mov", ".mkv", ".asf", ".wmv", ".m4v", ".mpg", ".mpeg", ".mts", ".m2ts", ".3gp", ".webm",
])  # fmt: skip
# Endings of video, and of other things as well (.ts is TypeScript more often): taken where libav finds a video in it.
DOUBTFUL_SUFFIXES = frozenset([
    ".ts", ".flv", ".f4v", ".dav", ".mod", ".tod", ".3g2", ".vob", ".m2v", ".m1v", ".mpv", ".ogv", ".divx", ".mxf",
    ".h264", ".264", ".hevc", ".265", ".mjpeg", ".mjpg", ".rm", ".rmvb", ".dv",
])  # fmt: skip
STILL_SUFFIXES = frozenset([".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"])
SUFFIXES: dict[Media, frozenset[str]] = {
    "videos": VIDEO_SUFFIXES | DOUBTFUL_SUFFIXES,
    "stills": STILL_SUFFIXES,
    "both": VIDEO_SUFFIXES | DOUBTFUL_SUFFIXES | STILL_SUFFIXES,
}
# Waste baskets and notes of systems and network drives; those that begin with a dot are hidden anyway.
NO_FOOTAGE = {
    "$recycle.bin", "recycler", "recycled", "#recycle", "@recycle", "@eadir", "system volume information", "lost+found",
    "found.000", "network trash folder", "trash-1000",
}  # fmt: skip

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Search:
    """What lies below a folder: the videos, what could not be looked at, and what looked like video and is none.

    A folder that may not be listed is a Failure, named with `/` at its end. `no_videos` counts files by suffix.
    """

    videos: tuple[Video, ...]
    failures: tuple[Failure, ...] = ()
    no_videos: Mapping[str, int] = field(default_factory=dict)


def find_videos(folder: str | Path, *, media: Media = "videos") -> list[Video]:
    """Every video below a folder, sorted by name; the suffix decides, in upper or lower case.

    Stills (jpg, png, tif, webp) are found only where `media` asks for "stills" or "both": a thumbnail among videos must
    not become a prediction unasked. Hidden files and folders (`.name`, so AppleDouble's `._name.mp4` too) and waste
    baskets are left out, links are followed once. `search_folder` also tells of folders that may not be listed.
    Raises InputError where there is no such folder or no video in it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "IMG_1.MP4").write_bytes(b"...")
    ...     [video.name for video in find_videos(folder)]
    ['IMG_1.MP4']
    """
    found = search_folder(folder, media=media)
    for failure in found.failures:
        _log.warning("%s/%s: left out: %s", folder, failure.name, failure.reason)
    return list(found.videos)


def search_folder(folder: str | Path, *, media: Media = "videos") -> Search:
    """The videos below a folder as `find_videos` finds them, and what could not be looked at."""
    root = Path(folder)
    if not root.is_dir():
        what = "a file" if root.exists() else "no such folder"
        raise InputError(f"{folder}: got {what}, wanted a folder of videos; check the path")
    if media not in SUFFIXES:
        raise InputError(f"media: got {media!r}, wanted one of {', '.join(get_args(Media))}")
    videos, failures, no_videos = [], [], Counter[str]()
    for found in _walk(root, SUFFIXES[media]):
        if isinstance(found, Failure):
            failures.append(found)
        elif found.path.suffix.lower() in DOUBTFUL_SUFFIXES and not _holds_video(found.path):
            no_videos[found.path.suffix.lower()] += 1
        else:
            videos.append(found)
    if not videos and not failures:
        suffixes = " ".join(sorted(suffix[1:] for suffix in SUFFIXES[media] - DOUBTFUL_SUFFIXES))
        kind = "video or still" if media == "both" else media[:-1]
        raise InputError(
            f"{folder}: got no {kind} in it, wanted files ending in one of: {suffixes}{_hint_at_stills(root, media)}"
        )
    if not videos:
        raise InputError(f"{folder}: got no video in it that could be looked at: {failures[0].name}: "
                         f"{failures[0].reason}; ask for the right to read it")  # fmt: skip
    return Search(tuple(sorted(videos, key=lambda video: video.name)), tuple(failures), dict(no_videos))


def _holds_video(path: Path) -> bool:
    """Whether libav finds a stream of pictures in a file."""
    from primatrix.video.packets import open_video  # here, so that looking for files alone loads no codec

    try:
        with open_video(path) as source:
            return bool(source.stream.codec_context.width)
    except DecodeError as error:
        return error.stage == "read"  # who knows; it will be a failure


def _hint_at_stills(root: Path, media: Media) -> str:
    found = _walk(root, STILL_SUFFIXES) if media == "videos" else []
    count = sum(isinstance(still, Video) for still in found)
    return f"; it holds {count} still{'s' * (count > 1)}: ask for stills with --media stills" if count else ""


def is_still(path: str | Path) -> bool:
    """Whether a file is a still, by its suffix.

    >>> is_still("IMG_1.JPG"), is_still("IMG_1.MP4")
    (True, False)
    """
    return os.path.splitext(path)[1].lower() in STILL_SUFFIXES  # noqa: PTH122  # called once per clip


def describe_video(path: str | Path, *, name: str | None = None) -> Video:
    """The Video of one file; `name` is the file's own unless given. Raises InputError where it is absent.

    >>> describe_video("nothing.mp4")
    Traceback (most recent call last):
    primatrix.errors.InputError: nothing.mp4: no such file; check the path
    """
    path = Path(path)
    try:
        status = path.stat()
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise InputError(f"{path}: {reason}; check the path") from None
    return Video(
        path, name or _readable(path.name), status.st_size, status.st_mtime_ns, stamp_file(path, status)
    )


def _walk(root: Path, suffixes: frozenset[str]) -> Iterator[Video | Failure]:
    """Each wanted file below root, folder by folder, and each folder that may not be listed."""
    folders: list[tuple[str, str]] = [(str(root), "")]
    seen: set[tuple[int, int] | str] = {_folder_key(root.stat())}
    while folders:
        folder, prefix = folders.pop()
        entries = _list_folder(folder)
        if isinstance(entries, OSError):
            yield Failure(prefix or "./", "read", f"folder not readable: {entries.strerror}")
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.name.casefold() in NO_FOOTAGE:
                continue
            name = f"{prefix}{_readable(entry.name)}"
            if _is_folder(entry):
                key = _key_of_folder(entry)
                if key not in seen:
                    seen.add(key)
                    folders.append((entry.path, f"{name}/"))
            elif PurePath(entry.name).suffix.lower() in suffixes and _is_file(entry):
                yield _describe_entry(entry, name)


def _describe_entry(entry: os.DirEntry[str], name: str) -> Video:
    """The Video of a file; one that vanished meanwhile or may not be looked at fails later, by itself."""
    try:
        # What Windows lists beside names tells neither a file's number nor the card's.
        status = Path(entry.path).stat() if ON_WINDOWS else entry.stat()
    except OSError:
        return Video(Path(entry.path), name, 0, 0)
    return Video(Path(entry.path), name, status.st_size, status.st_mtime_ns, stamp_file(entry.path, status))


def _list_folder(folder: str) -> list[os.DirEntry[str]] | OSError:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:  # one locked folder on a card must not hide the others
        return error


def _key_of_folder(entry: os.DirEntry[str]) -> tuple[int, int] | str:
    """What tells folders apart, so that links in a circle end; the path of one that may not be looked at."""
    try:
        return _folder_key(Path(entry.path).stat())
    except OSError:
        return entry.path


def _readable(name: str) -> str:
    """The name, with bytes that are not UTF-8 spelt out (`\\xe9`), so that it fits into any table."""
    return name if name.isascii() else os.fsencode(name).decode("utf-8", "backslashreplace")


def _folder_key(status: os.stat_result) -> tuple[int, int]:
    return (status.st_dev, status.st_ino)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle is neither folder nor file
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def cut_chunks(videos: Sequence[Video], *, most: int, most_bytes: int) -> Iterator[list[Video]]:
    """Neighbours together, at most so many and, but for single ones, so many bytes of files."""
    chunk: list[Video] = []
    size_bytes = 0
    for video in videos:
        if chunk and (len(chunk) == most or size_bytes + video.size_bytes > most_bytes):
            yield chunk
            chunk, size_bytes = [], 0
        chunk.append(video)
        size_bytes += video.size_bytes
    if chunk:
        yield chunk
