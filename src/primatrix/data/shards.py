"""One shard of the store on disk: what is kept of some clips as .npy, what became of each input as Parquet.

The .npy is written first, the .parquet last: a shard without its .parquet was never finished.
"""

import re
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from primatrix.disk import whole_file
from primatrix.errors import StoreError
from primatrix.records import Clip, Failure, Video
from primatrix.video import may_pass

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None  # type: ignore[assignment]

__all__ = [
    "INDEX_SCHEMA",
    "SCHEMA",
    "OpenShards",
    "list_shards",
    "read_index",
    "read_pixels",
    "refuse_shard",
    "remove_unfinished",
    "write_shard",
]

SCHEMA = pa.schema(
    [
        ("key", pa.binary(16)),  # what the file is
        ("stamp", pa.binary(16)),  # the file as it lay at its place when it was packed
        ("name", pa.string()),  # what it was called then, for people
        ("size_bytes", pa.int64()),
        ("status", pa.string()),  # ok, partial (reason: how much), failed
        ("stage", pa.string()),  # of a failure
        ("reason", pa.string()),
        ("may_pass", pa.bool_()),  # of a part: the disk failed, not the file
        ("row", pa.int32()),  # in the .npy; -1 where there is no clip
        ("pts_seconds", pa.list_(pa.float64())),
    ]
)
INDEX_SCHEMA = pa.schema([item for item in SCHEMA if item.name != "pts_seconds"])
SHARE_OF_HANDLES = (
    4  # a mapped file holds a handle: no more than one in so many of those that a process may have
)
MOST_OPEN = 512
SHARD = re.compile(r"shard-([0-9]{6,})\.(?:parquet|npy)")

Row = tuple[bytes, Video, Clip | Failure]  # what the file is, the file, what came of it


class OpenShards:
    """The pixels of shards by number, mapped when asked for; those not used for longest are let go of.

    So that any number of shards can be read: a system may allow a process as few as 256 open files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.most = count_handles()
        self._open: OrderedDict[int, NDArray[Any]] = OrderedDict()

    def __getitem__(self, number: int) -> NDArray[Any]:  # Any: pixels, or numbers made of them
        """The clips of a shard (N, ...). Raises StoreError where they cannot be read."""
        if number not in self._open:
            while len(self._open) >= self.most:
                self._open.popitem(last=False)
            try:
                self._open[number] = read_pixels(self.folder, number)
            except (OSError, ValueError) as error:
                raise refuse_shard(self.folder, number, error) from error
        self._open.move_to_end(number)
        return self._open[number]


def count_handles() -> int:
    """How many shards may be open at once, by what the system allows this process.

    >>> 1 <= count_handles() <= MOST_OPEN
    True
    """
    if resource is None:
        return MOST_OPEN // SHARE_OF_HANDLES
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_OPEN if soft == resource.RLIM_INFINITY else max(1, min(MOST_OPEN, soft // SHARE_OF_HANDLES))


def refuse_shard(folder: Path, number: int, error: Exception) -> StoreError:
    """What to do about a shard that cannot be read: it is only to be deleted where it is damaged."""
    if may_pass(error):
        advice = "its files are there but could not be read: run the same command again"
    else:
        advice = "delete its .npy and .parquet and pack again"
    return StoreError(f"{folder}: shard {number} cannot be read ({error}); {advice}")


def write_shard(folder: Path, number: int, *, rows: Sequence[Row]) -> None:
    """Write the results of some videos as shard `number`; nothing is seen of it before all is on the disk."""
    clips = [result for _, _, result in rows if isinstance(result, Clip)]
    if clips:
        frames = np.stack([clip.frames for clip in clips])
        with whole_file(_pixels_path(folder, number)) as temporary, temporary.open("wb") as file:
            _write_array(file, frames)
    with whole_file(_table_path(folder, number)) as temporary:
        pq.write_table(_make_table(rows), temporary, compression="zstd")


def list_shards(folder: Path, *, first: int = 0) -> list[int]:
    """Numbers of the finished shards from `first` on, rising."""
    names = (SHARD.fullmatch(path.name) for path in folder.glob("shard-*.parquet"))
    numbers = (int(found[1]) for found in names if found)  # others are no shards of ours, whatever they are
    return sorted(number for number in numbers if number >= first)


def read_index(folder: Path, number: int, *, columns: list[str]) -> pa.Table:
    """What became of each input of a shard, one row each. ValueError where the table is none of a shard."""
    path = _table_path(folder, number)
    table = pq.read_table(path, columns=columns, use_threads=False, memory_map=False)
    if not table.schema.equals(pa.schema([SCHEMA.field(name) for name in columns])):
        raise ValueError("its columns are not those of a shard")
    return table


def read_pixels(folder: Path, number: int) -> NDArray[Any]:  # Any: pixels, or numbers made of them
    """The clips of a shard (N, ...), mapped from the file: only what is used is read."""
    mapped: NDArray[Any] = np.load(_pixels_path(folder, number), mmap_mode="r")
    return np.asarray(mapped)  # a plain view: indexing a memmap costs several times more


def remove_unfinished(folder: Path) -> None:
    """Delete what a killed writer left behind. Only for who holds the store's lock."""
    done = {f"shard-{number:06d}" for number in list_shards(folder)}
    pixels = (path for path in folder.glob("shard-*.npy") if SHARD.fullmatch(path.name))
    for path in (*folder.glob(".*.part"), *pixels):
        if path.stem not in done and path.is_file():
            path.unlink(missing_ok=True)


def _write_array(file: IO[bytes], array: NDArray[Any]) -> None:
    """As np.save does, whose own error on a full disk does not say that the disk is full."""
    np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
    file.write(array.data)


def _make_table(rows: Sequence[Row]) -> pa.Table:
    keys, videos, results = zip(*rows, strict=True)
    is_clip = [isinstance(result, Clip) for result in results]
    columns = {
        "key": keys,
        "stamp": [video.stamp for video in videos],
        "name": [video.name for video in videos],
        "size_bytes": [video.size_bytes for video in videos],
        "status": [result.status for result in results],
        "stage": ["" if isinstance(result, Clip) else result.stage for result in results],
        "reason": [result.note if isinstance(result, Clip) else result.reason for result in results],
        "may_pass": [result.may_pass for result in results],
        "row": np.where(is_clip, np.cumsum(is_clip) - 1, -1).astype(np.int32),
        "pts_seconds": [result.pts_seconds if isinstance(result, Clip) else None for result in results],
    }
    return pa.table(columns, schema=SCHEMA)


def _pixels_path(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:06d}.npy"


def _table_path(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:06d}.parquet"
