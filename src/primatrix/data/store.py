"""Decoded clips on disk: packed once, read back in about a microsecond each.

`<folder>/<key of the spec>-v<format>/` holds numbered shards (see `shards`) and `spec.json`. A clip is found by what
its file is (`video.identify`), never by its name, which two cards may share: any number of cards fits into one store, a
card that was moved is known again, a changed file is packed anew. A kill at any moment loses at most the shard being
filled, and the same command goes on. What could not be read because the disk failed is not kept: it is tried again.
"""

import logging
import math
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from primatrix.data.keeping import Keeping, Kept, Pixels
from primatrix.data.shards import (
    INDEX_SCHEMA,
    OpenShards,
    list_shards,
    read_index,
    refuse_shard,
    remove_unfinished,
    write_shard,
)
from primatrix.disk import check_output_folder, hold_lock, read_json, write_json
from primatrix.errors import InputError, StoreError
from primatrix.progress import ShowProgress, show_progress
from primatrix.records import Clip, ClipSpec, Failure, OnProgress, Progress, Video
from primatrix.video import DecodePool, PoolOptions, identify_all

__all__ = ["FORMAT_VERSION", "PackSummary", "Store"]

FORMAT_VERSION = 3  # of the shards and of the decoder: raise it where the same file would give other pixels
MOST_BYTES_IN_SHARD = 64 << 20
PROGRESS_EVERY_CLIPS = 32
MOST_BYTES_WAITING = 64 << 20  # pixels of clips that something is to be made of
STATUSES = ("ok", "partial", "failed")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PackSummary:
    """What a call of `Store.pack` did: how many inputs were there already, and what became of the others.

    `unread` are those of the failed ones that the disk or a permission kept from being read: they are not in the store,
    and the next call tries them again.
    """

    present: int = 0
    ok: int = 0
    partial: int = 0
    failed: int = 0
    seconds: float = 0.0
    unread: tuple[Failure, ...] = ()

    @property
    def packed(self) -> int:
        """Inputs that were decoded in this call, failed ones included."""
        return self.ok + self.partial + self.failed


class Store:
    """The decoded clips of one ClipSpec in a folder, which is made when first packed into.

    `keeping` says what is kept of each clip; by default its pixels.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = Store(folder, ClipSpec())
    ...     len(store), store.pack([], options=PoolOptions(workers=0)).packed
    (0, 0)
    """

    def __init__(self, folder: str | Path, spec: ClipSpec, *, keeping: Keeping | None = None) -> None:
        self.spec = spec
        self.keeping: Keeping = Pixels(spec) if keeping is None else keeping
        self.folder = Path(folder) / f"{self.keeping.key}-v{FORMAT_VERSION}"
        self._known_shards: list[int] = []
        self._pixels = OpenShards(self.folder)
        self._place: dict[bytes, int] = {}  # what a file is -> its newest row in the columns below
        self._stamps: dict[bytes, bytes] = {}  # a file as it lay at its place -> what it is
        self._columns = {name: array("q") for name in ("status", "may_pass", "shard", "row")}
        self.refresh()

    def __len__(self) -> int:
        """How many files have a row, failed ones included."""
        return len(self._place)

    # ---- looking things up

    def refresh(self) -> None:
        """Take in shards that were finished since; the others are not read again."""
        first = self._known_shards[-1] + 1 if self._known_shards else 0
        for number in list_shards(self.folder, first=first):
            self._take_in(number)

    def key_of(self, video: Video) -> bytes:
        """What a video's file is, as far as it was looked at; empty where it was not."""
        return self._stamps.get(video.stamp, b"")

    def status(self, videos: Sequence[Video]) -> NDArray[np.object_]:
        """ "ok", "partial", "failed" or "absent" for each video."""
        words = np.array([*STATUSES, "absent"], dtype=object)
        return words[_take(self._column("status"), self._find(videos))]  # -1 is the last word

    def is_packed(self, videos: Sequence[Video]) -> NDArray[np.bool_]:
        """Whether each video, as it is now, has a row (a failed one too)."""
        return self._find(videos) >= 0

    def read(self, videos: Sequence[Video]) -> Kept:
        """What is kept of these videos, (B, *shape): of pixels uint8 (B, T, H, W, C).

        Raises StoreError where one has no clip.
        """
        shards, rows = self._locate(videos)
        clips = np.empty((len(videos), *self.keeping.shape), self.keeping.dtype)
        for place, (shard, row) in enumerate(zip(shards.tolist(), rows.tolist(), strict=True)):
            try:
                clips[place] = self._pixels[shard][row]
            except (IndexError, ValueError) as error:  # its pixels are of other clips
                raise refuse_shard(self.folder, shard, error) from error
        return clips

    def read_pts(self, videos: Sequence[Video]) -> NDArray[np.float64]:
        """Seconds after its video's first frame of every frame of these clips, (B, T)."""
        shards, rows = self._locate(videos)
        pts = np.empty((len(videos), self.spec.frames))
        for shard in np.unique(shards):
            column = read_index(self.folder, int(shard), columns=["pts_seconds"])["pts_seconds"].drop_null()
            here = shards == shard
            pts[here] = pc.list_flatten(column).to_numpy().reshape(-1, self.spec.frames)[rows[here]]
        return pts

    def failures(self, videos: Sequence[Video]) -> list[Failure]:
        """Those of the videos that gave no clip, in their order, each under its own name, with stage and reason."""
        places = self._find(videos)
        status, shards = (_take(self._column(name), places) for name in ("status", "shard"))
        failed = np.flatnonzero(status == STATUSES.index("failed"))
        reasons: dict[bytes, tuple[str, str]] = {}
        for shard in np.unique(shards[failed]):
            table = read_index(self.folder, int(shard), columns=["key", "stage", "reason"]).to_pydict()
            reasons |= dict(zip(table["key"], zip(table["stage"], table["reason"], strict=True), strict=True))
        named = [videos[i] for i in failed.tolist()]
        return [Failure(video.name, *reasons[self._stamps[video.stamp]]) for video in named]

    def _locate(self, videos: Sequence[Video]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Shard and row of each video's clip. Raises StoreError where one has none."""
        places = self._find(videos)
        shards, rows = (_take(self._column(column), places) for column in ("shard", "row"))
        lost = np.flatnonzero((places < 0) | (rows < 0))
        if len(lost):
            raise StoreError(
                f"{self.folder}: no clip of {videos[lost[0]].name!r} ({len(lost)} of {len(videos)} videos); "
                "pack it first, and leave out what failed"
            )
        return shards, rows

    @property
    def index(self) -> pd.DataFrame:
        """One row per file (its newest), by the name it was packed under: status, stage and reason, shard and row."""
        tables = [
            read_index(self.folder, number, columns=INDEX_SCHEMA.names) for number in self._known_shards
        ]
        table: pd.DataFrame = pa.concat_tables([INDEX_SCHEMA.empty_table(), *tables]).to_pandas()
        table["shard"] = self._column("shard").copy()
        return table.drop_duplicates("key", keep="last").set_index("name")

    # ---- packing

    def pack(
        self,
        videos: Sequence[Video],
        *,
        pool: DecodePool | None = None,
        options: PoolOptions | None = None,
        retry_failed: bool = False,
        on_progress: ShowProgress = "auto",
    ) -> PackSummary:
        """Decode and store the videos that have no row yet, in their order.

        `pool` is used where given (its spec must be this store's), else one is made from `options`. Videos that failed
        before are tried again only with `retry_failed`, those of which the disk gave only a part always. Where another
        process packs this store, waits until it is done. Raises StoreError where the folder cannot be written, a full
        disk included; what was finished stays.
        """
        if pool is not None and pool.spec != self.spec:
            raise StoreError(f"{self.folder}: got a pool for {pool.spec.key}, wanted {self.spec.key}")
        started = time.monotonic()
        self._check_place()
        self.refresh()
        unread = tuple(self._look_at_new(videos))
        pending, counts = self._pending(videos, retry_failed=retry_failed), dict.fromkeys(STATUSES, 0)
        lost: list[Failure] = list(unread)
        if pending:
            with ExitStack() as stack:
                self._lock(stack)
                pending = self._pending(videos, retry_failed=retry_failed)
                pool = pool or stack.enter_context(DecodePool(self.spec, options=options))
                tell = stack.enter_context(show_progress(on_progress))
                lost += self._pack_pending(pending, pool=pool, counts=counts, on_progress=tell)
        counts["failed"] += len(unread)
        present = len(videos) - len(pending) - len(unread)
        return PackSummary(present, seconds=time.monotonic() - started, unread=tuple(lost), **counts)

    def _check_place(self) -> None:
        """StoreError where the store is not there and cannot be made: before all files are looked at."""
        if not self.folder.is_dir():
            try:
                check_output_folder(self.folder)
            except InputError as error:
                raise StoreError(f"{error} for decoded clips") from error

    def _look_at_new(self, videos: Sequence[Video]) -> Iterator[Failure]:
        """Find out what the files are that were not seen at their place before; those that cannot be read."""
        new = [video for video in videos if video.stamp not in self._stamps]
        for video, key in zip(new, identify_all(new), strict=True):
            if isinstance(key, Failure):
                yield key
            else:
                self._stamps[video.stamp] = key

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
        wanted = {"format_version": FORMAT_VERSION, "spec": self.spec.to_dict(), **self.keeping.describe()}
        path = self.folder / "spec.json"
        if not path.exists():
            write_json(path, wanted)
        elif read_json(path) != wanted:
            raise StoreError(f"{path}: got another spec, wanted {self.spec.key}; use another folder")

    def _pending(self, videos: Sequence[Video], *, retry_failed: bool) -> list[Video]:
        """The videos to decode: each file once, whatever its names."""
        places = self._find(videos)
        done = (places >= 0) & (_take(self._column("may_pass"), places) != 1)
        if retry_failed:
            done &= _take(self._column("status"), places) != STATUSES.index("failed")
        known = (video for video, is_done in zip(videos, done, strict=True) if not is_done)
        return list({self._stamps[v.stamp]: v for v in known if v.stamp in self._stamps}.values())

    def _pack_pending(
        self,
        pending: list[Video],
        *,
        pool: DecodePool,
        counts: dict[str, int],
        on_progress: OnProgress | None,
    ) -> list[Failure]:
        """Decode videos and add their shards; those that the disk kept from being read are returned, not stored."""
        results, unread = pool.map(pending), list[Failure]()
        size = self._clips_per_shard
        for first in range(0, len(pending), size):
            videos = pending[first : first + size]
            finished: list[Clip | Failure] = []
            for result in self._make_kept(islice(results, len(videos))):
                finished.append(result)
                counts[result.status] += 1
                if on_progress and len(finished) % PROGRESS_EVERY_CLIPS == 0:
                    on_progress(self._progress(first + len(finished), len(pending), counts))
            unread += [result for result in finished if isinstance(result, Failure) and result.may_pass]
            self._add_shard(videos, finished)
            if on_progress:
                on_progress(self._progress(first + len(finished), len(pending), counts))
        return unread

    def _make_kept(self, results: Iterable[Clip | Failure]) -> Iterator[Clip | Failure]:
        """The results in their order, each clip with what is kept of it in place of its frames."""
        at_once = max(1, MOST_BYTES_WAITING // math.prod(self.spec.shape))
        results = iter(results)
        while some := list(islice(results, at_once)):
            clips = [result for result in some if isinstance(result, Clip)]
            kept = iter(self.keeping.take(clips)) if clips else iter(())
            yield from (replace(one, frames=next(kept)) if isinstance(one, Clip) else one for one in some)

    @property
    def _clips_per_shard(self) -> int:
        size = math.prod(self.keeping.shape) * np.dtype(self.keeping.dtype).itemsize
        return max(1, min(self.keeping.most_in_shard, MOST_BYTES_IN_SHARD // size))

    def _progress(self, done: int, total: int, counts: dict[str, int]) -> Progress:
        message = f"{counts['failed']} failed" if counts["failed"] else ""
        return Progress("pack", done, total, message=message)

    def _add_shard(self, videos: list[Video], results: list[Clip | Failure]) -> None:
        """Keep what will not be another next time; a part that the disk gave before is not kept twice."""
        keys = [self._stamps[video.stamp] for video in videos]
        kept = [
            row for row in zip(keys, videos, results, strict=True) if not self._is_passing(row[0], row[2])
        ]
        if not kept:
            return
        number = self._known_shards[-1] + 1 if self._known_shards else 0
        try:
            write_shard(self.folder, number, rows=kept)
        except OSError as error:
            raise self._explain(error, f"write shard {number}") from error
        self._take_in(number)

    def _is_passing(self, key: bytes, result: Clip | Failure) -> bool:
        """Whether a result is not to be kept: what could not be read, and a part that is there already."""
        return result.may_pass and (isinstance(result, Failure) or key in self._place)

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
            table = read_index(self.folder, number, columns=["key", "stamp", "status", "may_pass", "row"])
        except (OSError, ValueError, pa.ArrowException) as error:
            raise refuse_shard(self.folder, number, error) from error
        first = len(self._columns["row"])
        status = pc.index_in(table["status"], value_set=pa.array(STATUSES))
        may_pass = pc.cast(table["may_pass"], pa.int64())
        for name, values in (("status", status), ("may_pass", may_pass), ("row", table["row"])):
            self._columns[name].frombytes(values.to_numpy().astype(np.int64).tobytes())
        self._columns["shard"].frombytes(np.full(len(table), number, np.int64).tobytes())
        keys = table["key"].to_pylist()
        self._place.update(zip(keys, range(first, first + len(table)), strict=True))
        self._stamps.update(zip(table["stamp"].to_pylist(), keys, strict=True))
        self._known_shards.append(number)

    def _find(self, videos: Sequence[Video]) -> NDArray[np.int64]:
        """Row of each video in the columns, -1 where there is none or the video was never looked at."""
        places = (self._place.get(self.key_of(video), -1) for video in videos)
        return np.fromiter(places, np.int64, len(videos))

    def _column(self, name: str) -> NDArray[np.int64]:
        """A view of a column; let go of it before the next shard is taken in."""
        return np.frombuffer(self._columns[name], np.int64)


def _take(column: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """The column's values at these rows, -1 where the row is -1."""
    values = np.full(len(places), -1, np.int64)
    values[places >= 0] = column[places[places >= 0]]
    return values
