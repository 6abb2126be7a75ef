"""Videos and stills on disk: found by suffix below a folder, named by their path in it."""

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import get_args

from primatrix.errors import InputError
from primatrix.records import Media, Video
from primatrix.video.identity import stamp_file

__all__ = ["STILL_SUFFIXES", "VIDEO_SUFFIXES", "cut_chunks", "describe_video", "find_videos", "is_still"]

# Not .ts, which is TypeScript more often than video.
VIDEO_SUFFIXES = frozenset(
    [
        ".mp4",
        ".avi",
        ".mov",
        ".mkv",
        ".asf",
        ".wmv",
        ".m4v",
        ".mpg",
        ".mpeg",
        ".mts",
        ".m2ts",
        ".3gp",
        ".webm",
    ]
)
STILL_SUFFIXES = frozenset([".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"])
SUFFIXES: dict[Media, frozenset[str]] = {
    "videos": VIDEO_SUFFIXES,
    "stills": STILL_SUFFIXES,
    "both": VIDEO_SUFFIXES | STILL_SUFFIXES,
}

_log = logging.getLogger(__name__)


def find_videos(folder: str | Path, *, media: Media = "videos") -> list[Video]:
    """Every video below a folder, sorted by name; the suffix decides, in upper or lower case.

    Stills (jpg, png, tif, webp) are found only where `media` asks for "stills" or "both": a thumbnail among
    videos must not become a prediction unasked. Hidden files and folders (`.name`, so
    AppleDouble's `._name.mp4` too) are left out, links are followed once.
    Raises InputError where there is no such folder or no video in it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "IMG_1.MP4").write_bytes(b"...")
    ...     [video.name for video in find_videos(folder)]
    ['IMG_1.MP4']
    """
    root = Path(folder)
    if not root.is_dir():
        what = "a file" if root.exists() else "no such folder"
        raise InputError(f"{folder}: got {what}, wanted a folder of videos; check the path")
    if media not in SUFFIXES:
        raise InputError(f"media: got {media!r}, wanted one of {', '.join(get_args(Media))}")
    videos = [
        Video(Path(entry.path), name, status.st_size, status.st_mtime_ns, stamp_file(entry.path, status))
        for entry, name, status in _walk(root, SUFFIXES[media])
    ]
    if not videos:
        suffixes = " ".join(sorted(suffix[1:] for suffix in SUFFIXES[media]))
        kind = "video or still" if media == "both" else media[:-1]
        raise InputError(
            f"{folder}: got no {kind} in it, wanted files ending in one of: {suffixes}{_hint_at_stills(root, media)}"
        )
    videos.sort(key=lambda video: video.name)
    return videos


def _hint_at_stills(root: Path, media: Media) -> str:
    count = sum(1 for _ in _walk(root, STILL_SUFFIXES)) if media == "videos" else 0
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


def _walk(root: Path, suffixes: frozenset[str]) -> Iterator[tuple[os.DirEntry[str], str, os.stat_result]]:
    """Entry, name below root and stat of each wanted file, folder by folder."""
    folders, seen = [(str(root), "")], {_folder_key(root.stat())}
    while folders:
        folder, prefix = folders.pop()
        for entry in _list_folder(folder):
            if entry.name.startswith("."):
                continue
            name = f"{prefix}{_readable(entry.name)}"
            if _is_folder(entry):
                key = _folder_key(Path(entry.path).stat())
                if key not in seen:
                    seen.add(key)
                    folders.append((entry.path, f"{name}/"))
            elif PurePath(entry.name).suffix.lower() in suffixes and _is_file(entry):
                yield entry, name, entry.stat()


def _list_folder(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        # One locked folder on a card must not hide the others; the log says which was left out.
        _log.warning("%s: folder left out: %s", folder, error.strerror)
        return []


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
