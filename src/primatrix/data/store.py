"""Decoded clips on disk: packed once, read back in about a microsecond each.

`<folder>/<key of the spec>-v<format>/` holds numbered shards (see `shards`) and `spec.json`. A clip is found
by its file's identity (name, size, time of change); a changed file is packed anew and its newest row
wins. A kill at any moment loses at most the shard being filled, and the same command goes on.
"""

import logging
import math
import time
from array import array
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from primatrix.data.shards import (
    INDEX_SCHEMA,
    list_shards,
    read_index,
    read_pixels,
    remove_unfinished,
    write_shard,
)
from primatrix.disk import hold_lock, read_json, write_json
from primatrix.errors import StoreError
from primatrix.records import Clip, ClipSpec, Failure, OnProgress, Progress, Video
from primatrix.video import DecodePool, PoolOptions

__all__ = ["FORMAT_VERSION", "PackSummary", "Store"]

FORMAT_VERSION = 1  # of the shards and of the decoder: raise it where the same file would give other pixels
MOST_CLIPS_IN_SHARD = 1024
MOST_BYTES_IN_SHARD = 64 << 20
PROGRESS_EVERY_CLIPS = 32
STATUSES = ("ok", "partial", "failed")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PackSummary:
    """What a call of `Store.pack` did: how many inputs were there already, and what became of the others."""

    present: int = 0
    ok: int = 0
    partial: int = 0
    failed: int = 0
    seconds: float = 0.0

    @property
    def packed(self) -> int:
        """Inputs that were decoded in this call, failed ones included."""
        return self.ok + self.partial + self.failed


class Store:
    """The decoded clips of one ClipSpec in a folder, which is made when first packed into.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Store(folder, ClipSpec())
    ...     len(store), store.pack([], options=PoolOptions(workers=0)).packed
    (0, 0)
    """

    def __init__(self, folder: str | Path, spec: ClipSpec) -> None:
        self.spec = spec
        self.folder = Path(folder) / f"{spec.key}-v{FORMAT_VERSION}"
        self._known_shards: list[int] = []
        self._pixels: dict[int, NDArray[np.uint8]] = {}
        self._place: dict[str, int] = {}  # name -> its newest row in the columns below
        self._columns = {name: array("q") for name in ("size_bytes", "mtime_ns", "status", "shard", "row")}
        self.refresh()

    def __len__(self) -> int:
        """How many inputs have a row, failed ones included."""
        return len(self._place)

    # ---- looking things up

    def refresh(self) -> None:
        """Take in shards that were finished since; the others are not read again."""
        first = self._known_shards[-1] + 1 if self._known_shards else 0
        for number in list_shards(self.folder, first=first):
            self._take_in(number)

    def status(self, names: Sequence[str]) -> NDArray[np.object_]:
        """ "ok", "partial", "failed" or "absent" for each name."""
        words = np.array([*STATUSES, "absent"], dtype=object)
        return words[_take(self._column("status"), self._find(names))]  # -1 is the last word

    def is_packed(self, videos: Sequence[Video]) -> NDArray[np.bool_]:
        """Whether each video, as it is now, has a row (a failed one too)."""
        places = self._find([video.name for video in videos])
        sizes = np.fromiter((video.size_bytes for video in videos), np.int64, len(videos))
        times = np.fromiter((video.mtime_ns for video in videos), np.int64, len(videos))
        packed = places >= 0
        found = places[packed]
        packed[packed] = (self._column("size_bytes")[found] == sizes[packed]) & (
            self._column("mtime_ns")[found] == times[packed]
        )
        return packed

    def read(self, names: Sequence[str]) -> NDArray[np.uint8]:
        """The clips of these names, uint8 (B, T, H, W, C). Raises StoreError where one has no clip."""
        shards, rows = self._locate(names)
        clips = np.empty((len(names), *self.spec.shape), np.uint8)
        for place, (shard, row) in enumerate(zip(shards.tolist(), rows.tolist(), strict=True)):
            clips[place] = self._pixels[shard][row]
        return clips

    def read_pts(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Seconds after its video's first frame of every frame of these clips, (B, T)."""
        shards, rows = self._locate(names)
        pts = np.empty((len(names), self.spec.frames))
        for shard in np.unique(shards):
            column = read_index(self.folder, int(shard), columns=["pts_seconds"])["pts_seconds"].drop_null()
            here = shards == shard
            pts[here] = pc.list_flatten(column).to_numpy().reshape(-1, self.spec.frames)[rows[here]]
        return pts

    def _locate(self, names: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Shard and row of each name's clip. Raises StoreError where one has none."""
        places = self._find(names)
        shards, rows = (_take(self._column(column), places) for column in ("shard", "row"))
        lost = np.flatnonzero((places < 0) | (rows < 0))
        if len(lost):
            raise StoreError(
                f"{self.folder}: no clip of {names[lost[0]]!r} ({len(lost)} of {len(names)} names); "
                "pack it first, and leave out what failed"
            )
        return shards, rows

    @property
    def index(self) -> pd.DataFrame:
        """One row per input (its newest), by name: identity, status, stage and reason, shard and row."""
        tables = [
            read_index(self.folder, number, columns=INDEX_SCHEMA.names) for number in self._known_shards
        ]
        table: pd.DataFrame = pa.concat_tables([INDEX_SCHEMA.empty_table(), *tables]).to_pandas()
        table["shard"] = self._column("shard").copy()
        return table.drop_duplicates("name", keep="last").set_index("name")  # the newest row wins

    def failures(self) -> list[Failure]:
        """The inputs that gave no clip, with stage and reason."""
        table = self.index
        failed = table[table["status"] == "failed"]
        columns = (failed.index, failed["stage"], failed["reason"])
        return [Failure(name, stage, reason) for name, stage, reason in zip(*columns, strict=True)]

    # ---- packing

    def pack(
        self,
        videos: Sequence[Video],
        *,
        pool: DecodePool | None = None,
        options: PoolOptions | None = None,
        retry_failed: bool = False,
        on_progress: OnProgress | None = None,
    ) -> PackSummary:
        """Decode and store the videos that have no row yet, in their order.

        `pool` is used where given (its spec must be this store's), else one is made from `options`. Videos
        that failed before are tried again only with `retry_failed`. Where another process packs this store,
        waits until it is done. Raises StoreError where the folder cannot be written, a full disk included;
        what was finished stays.
        """
        if pool is not None and pool.spec != self.spec:
            raise StoreError(f"{self.folder}: got a pool for {pool.spec.key}, wanted {self.spec.key}")
        started = time.monotonic()
        self.refresh()
        pending = self._pending(videos, retry_failed=retry_failed)
        counts = dict.fromkeys(STATUSES, 0)
        if pending:
            with ExitStack() as stack:
                self._lock(stack)
                pending = self._pending(videos, retry_failed=retry_failed)
                pool = pool or stack.enter_context(DecodePool(self.spec, options=options))
                self._pack_pending(pending, pool=pool, counts=counts, on_progress=on_progress)
        seconds = time.monotonic() - started
        return PackSummary(present=len(videos) - len(pending), seconds=seconds, **counts)

    def _lock(self, stack: ExitStack) -> None:
        """Make the folder what it must be and hold its lock until the stack ends."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(hold_lock(self.folder / "lock", on_wait=self._say_waiting))
            remove_unfinished(self.folder)
            self._write_manifest()
        except OSError as error:
            raise self._explain(error, "prepare the folder") from error
        self.refresh()

    def _say_waiting(self) -> None:
        _log.warning("%s: another process is packing into it; waiting until that is done", self.folder)

    def _write_manifest(self) -> None:
        wanted = {"format_version": FORMAT_VERSION, "spec": self.spec.to_dict()}
        path = self.folder / "spec.json"
        if not path.exists():
            write_json(path, wanted)
        elif read_json(path) != wanted:
            raise StoreError(f"{path}: got another spec, wanted {self.spec.key}; use another folder")

    def _pending(self, videos: Sequence[Video], *, retry_failed: bool) -> list[Video]:
        """The videos to decode: each once, the last where a name comes several times."""
        done = self.is_packed(videos)
        if retry_failed:
            done &= self.status([video.name for video in videos]) != "failed"
        unique = {video.name: video for video, is_done in zip(videos, done, strict=True) if not is_done}
        return list(unique.values())

    def _pack_pending(
        self,
        pending: list[Video],
        *,
        pool: DecodePool,
        counts: dict[str, int],
        on_progress: OnProgress | None,
    ) -> None:
        results = pool.map(pending)
        size = self._clips_per_shard
        for first in range(0, len(pending), size):
            videos = pending[first : first + size]
            finished: list[Clip | Failure] = []
            for result in islice(results, len(videos)):
                finished.append(result)
                counts[result.status] += 1
                if on_progress and len(finished) % PROGRESS_EVERY_CLIPS == 0:
                    on_progress(self._progress(first + len(finished), len(pending), counts))
            self._add_shard(videos, finished)
            if on_progress:
                on_progress(self._progress(first + len(finished), len(pending), counts))

    @property
    def _clips_per_shard(self) -> int:
        return max(1, min(MOST_CLIPS_IN_SHARD, MOST_BYTES_IN_SHARD // math.prod(self.spec.shape)))

    def _progress(self, done: int, total: int, counts: dict[str, int]) -> Progress:
        message = f"{counts['failed']} failed" if counts["failed"] else ""
        return Progress("pack", done, total, message=message)

    def _add_shard(self, videos: list[Video], results: list[Clip | Failure]) -> None:
        number = self._known_shards[-1] + 1 if self._known_shards else 0
        try:
            write_shard(self.folder, number, videos=videos, results=results)
        except OSError as error:
            raise self._explain(error, f"write shard {number}") from error
        self._take_in(number)

    def _explain(self, error: OSError, task: str) -> StoreError:
        reason = error.strerror or str(error)
        return StoreError(
            f"{self.folder}: cannot {task}: {reason}; the {len(self):,} rows packed before are safe: "
            "mend that and run the same command again"
        )

    # ---- the index in memory

    def _take_in(self, number: int) -> None:
        """Add a finished shard to what is known: the work grows with the shard, not with the store."""
        try:
            table = read_index(
                self.folder, number, columns=["name", "size_bytes", "mtime_ns", "status", "row"]
            )
            has_clips = pc.any(pc.greater_equal(table["row"], 0)).as_py()
            if has_clips:
                self._pixels[number] = read_pixels(self.folder, number)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise StoreError(
                f"{self.folder}: shard {number} cannot be read ({error}); delete its .npy and .parquet and "
                "pack again"
            ) from error
        first = len(self._columns["row"])
        status = pc.index_in(table["status"], value_set=pa.array(STATUSES))
        for name, values in (("status", status), *((c, table[c]) for c in ("size_bytes", "mtime_ns", "row"))):
            self._columns[name].frombytes(values.to_numpy().astype(np.int64).tobytes())
        self._columns["shard"].frombytes(np.full(len(table), number, np.int64).tobytes())
        self._place.update(zip(table["name"].to_pylist(), range(first, first + len(table)), strict=True))
        self._known_shards.append(number)

    def _find(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Row of each name in the columns, -1 where there is none."""
        return np.fromiter((self._place.get(name, -1) for name in names), np.int64, len(names))

    def _column(self, name: str) -> NDArray[np.int64]:
        """A view of a column; let go of it before the next shard is taken in."""
        return np.frombuffer(self._columns[name], np.int64)


def _take(column: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """The column's values at these rows, -1 where the row is -1."""
    values = np.full(len(places), -1, np.int64)
    values[places >= 0] = column[places[places >= 0]]
    return values
