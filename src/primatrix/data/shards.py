"""One shard of the store on disk: the pixels of some clips as .npy, what became of each input as Parquet.

The .npy is written first, the .parquet last: a shard without its .parquet was never finished.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from primatrix.disk import whole_file
from primatrix.records import Clip, Failure, Video

__all__ = [
    "INDEX_SCHEMA",
    "SCHEMA",
    "list_shards",
    "read_index",
    "read_pixels",
    "remove_unfinished",
    "write_shard",
]

SCHEMA = pa.schema(
    [
        ("name", pa.string()),
        ("size_bytes", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("status", pa.string()),  # ok, partial (reason: how much), failed
        ("stage", pa.string()),  # of a failure
        ("reason", pa.string()),
        ("row", pa.int32()),  # in the .npy; -1 where there is no clip
        ("pts_seconds", pa.list_(pa.float64())),
    ]
)
INDEX_SCHEMA = pa.schema([item for item in SCHEMA if item.name != "pts_seconds"])


def write_shard(
    folder: Path, number: int, *, videos: Sequence[Video], results: Sequence[Clip | Failure]
) -> None:
    """Write the results of some videos as shard `number`; nothing is seen of it before all is on the disk."""
    clips = [result for result in results if isinstance(result, Clip)]
    if clips:
        frames = np.stack([clip.frames for clip in clips])
        with whole_file(_pixels_path(folder, number)) as temporary, temporary.open("wb") as file:
            _write_array(file, frames)
    with whole_file(_table_path(folder, number)) as temporary:
        pq.write_table(_make_table(videos, results), temporary, compression="zstd")


def list_shards(folder: Path, *, first: int = 0) -> list[int]:
    """Numbers of the finished shards from `first` on, rising."""
    numbers = (int(path.stem.removeprefix("shard-")) for path in folder.glob("shard-*.parquet"))
    return sorted(number for number in numbers if number >= first)


def read_index(folder: Path, number: int, *, columns: list[str]) -> pa.Table:
    """What became of each input of a shard, one row each."""
    return pq.read_table(_table_path(folder, number), columns=columns, use_threads=False, memory_map=False)


def read_pixels(folder: Path, number: int) -> NDArray[np.uint8]:
    """The clips of a shard (N, T, H, W, C), mapped from the file: only what is used is read."""
    mapped: NDArray[np.uint8] = np.load(_pixels_path(folder, number), mmap_mode="r")
    return np.asarray(mapped)  # a plain view: indexing a memmap costs several times more


def remove_unfinished(folder: Path) -> None:
    """Delete what a killed writer left behind. Only for who holds the store's lock."""
    done = {f"shard-{number:06d}" for number in list_shards(folder)}
    for path in (*folder.glob(".*.part"), *folder.glob("shard-*.npy")):
        if path.stem not in done:
            path.unlink(missing_ok=True)


def _write_array(file: IO[bytes], array: NDArray[np.uint8]) -> None:
    """As np.save does, whose own error on a full disk does not say that the disk is full."""
    np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
    file.write(array.data)


def _make_table(videos: Sequence[Video], results: Sequence[Clip | Failure]) -> pa.Table:
    is_clip = [isinstance(result, Clip) for result in results]
    rows = np.where(is_clip, np.cumsum(is_clip) - 1, -1).astype(np.int32)
    columns = {
        "name": [video.name for video in videos],
        "size_bytes": [video.size_bytes for video in videos],
        "mtime_ns": [video.mtime_ns for video in videos],
        "status": [result.status for result in results],
        "stage": ["" if isinstance(result, Clip) else result.stage for result in results],
        "reason": [result.note if isinstance(result, Clip) else result.reason for result in results],
        "row": rows,
        "pts_seconds": [result.pts_seconds if isinstance(result, Clip) else None for result in results],
    }
    return pa.table(columns, schema=SCHEMA)


def _pixels_path(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:06d}.npy"


def _table_path(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:06d}.parquet"
