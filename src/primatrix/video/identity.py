"""What a file is, whatever it is called and wherever it lies.

Cards repeat names: every camera begins with IMG_0001. So what is kept about a video is kept under a digest of its
content, and a stamp says that a file known before still lies at its place unchanged, so that it need not be read.
"""

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from primatrix.errors import DecodeError
from primatrix.records import Failure, Video
from primatrix.video.reading import explain_reading

__all__ = ["ON_WINDOWS", "identify", "identify_all", "stamp_file"]

WHOLE_BYTES = 4 << 20  # a file up to this size is read through
SAMPLE_BYTES = 256 << 10
SAMPLES = 5  # of a larger file: its begin, its end, and between
DIGEST_BYTES = 16
READERS, BATCH = (
    8,
    64,
)  # threads, as most of the time is spent waiting for the disk; files that each takes at a time
ON_WINDOWS = os.name == "nt"


def identify(path: str | Path) -> bytes:
    """16 bytes that say what a file is: BLAKE2b of its size and its content, of a large file 1.25 MB of it.

    A video's frames differ in size, and its index lists them all, so two videos with the same begin, middle and end are
    the same. Raises DecodeError (stage "read" or "open") where it cannot be read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     one, other = Path(folder, "a.mp4"), Path(folder, "b.mp4")
    ...     _ = one.write_bytes(b"frames"), other.write_bytes(b"frames")
    ...     identify(one) == identify(other)
    True
    """
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            return _digest(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise DecodeError(f"{path}: {explain_reading(error)}", stage="read") from error


def _digest(handle: int) -> bytes:
    size_bytes = os.fstat(handle).st_size
    digest = hashlib.blake2b(size_bytes.to_bytes(8, "little"), digest_size=DIGEST_BYTES)
    is_large = size_bytes > WHOLE_BYTES
    for i in range(SAMPLES if is_large else 1):
        os.lseek(handle, i * (size_bytes - SAMPLE_BYTES) // (SAMPLES - 1) if is_large else 0, os.SEEK_SET)
        digest.update(os.read(handle, SAMPLE_BYTES if is_large else size_bytes))
    return digest.digest()


def identify_all(videos: Iterable[Video]) -> Iterator[bytes | Failure]:
    """What each video is, in order, or the Failure of one that cannot be read; several are read at once."""
    rest, waiting = iter(videos), deque[Future[list[bytes | Failure]]]()
    with ThreadPoolExecutor(READERS, thread_name_prefix="identify") as threads:
        while batch := list(islice(rest, BATCH)):
            waiting.append(threads.submit(_identify_batch, batch))
            if len(waiting) > 2 * READERS:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()


def _identify_batch(videos: list[Video]) -> list[bytes | Failure]:
    return [_identify_safely(video) for video in videos]


def _identify_safely(video: Video) -> bytes | Failure:
    try:
        return identify(video.path)
    except DecodeError as error:
        return Failure(video.name, error.stage, str(error).removeprefix(f"{video.path}: "))


def stamp_file(path: str | Path, status: os.stat_result) -> bytes:
    """16 bytes for a file as it lies at its place: path, size, times of change, number in its file system.

    On the file systems of cameras' cards (FAT, exFAT) the number is another each time a card is put in, so that another
    card at the same place is looked at anew. On Windows it is the file's place on the card, and cards are told apart by
    their serial number (`st_dev`), which elsewhere only names the slot.
    """
    volume = status.st_dev if ON_WINDOWS else 0
    place = os.path.abspath(path)  # noqa: PTH100  # links stay as they are
    facts = (place, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, volume)
    text = "\0".join(map(str, facts)).encode("utf-8", "surrogateescape")
    return hashlib.blake2b(text, digest_size=DIGEST_BYTES).digest()
