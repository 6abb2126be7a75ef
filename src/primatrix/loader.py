"""Clips by name: decoded once through the worker pool, kept in the store, read from there ever after."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from primatrix.records import ClipSpec, Failure, OnProgress, Video
from primatrix.store import Store
from primatrix.workers import DecodePool

__all__ = ["STORE_FOLDER", "ClipLoader"]

STORE_FOLDER = ".primatrix"  # below the folder of videos, unless another place is named


class ClipLoader:
    """Reads clips of one folder by name, decoding on first use.

    `videos` are the files there are; a name that is not among them is a Failure of stage "find".
    Use it as a context manager, or call `close()`, to end its worker processes.
    """

    def __init__(
        self, videos: Iterable[Video], spec: ClipSpec, *, store: Path, workers: int | None = None
    ) -> None:
        self.spec = spec
        self.videos = {video.name: video for video in videos}
        self.failures: dict[str, Failure] = {}
        self.partial: dict[str, str] = {}
        self._store = Store(store, spec)
        self._workers = workers
        self._pool: DecodePool | None = None
        self._ready: set[str] = set()

    def prepare(self, names: Sequence[str], *, on_progress: OnProgress | None = None) -> None:
        """Decode those of `names` that the store does not hold yet; what fails is added to `failures`."""
        new = [name for name in dict.fromkeys(names) if name not in self._ready]
        if not new:
            return
        found = [self.videos[name] for name in new if name in self.videos]
        missing = self._store.missing(found)
        if missing:
            self._store.pack(missing, pool=self._start_pool(), on_progress=on_progress)
        self._note(new)
        self._ready.update(new)

    def read(self, names: Sequence[str]) -> NDArray[np.uint8]:
        """Frames of prepared clips, uint8 (B, T, H, W, C); zeros for a clip that failed."""
        good = [i for i, name in enumerate(names) if name not in self.failures]
        if len(good) == len(names):
            return self._store.read(names)
        frames = np.zeros((len(names), *self.spec.shape), np.uint8)
        if good:
            frames[good] = self._store.read([names[i] for i in good])
        return frames

    def close(self) -> None:
        """End the worker processes; the loader may still be used, and starts new ones when it must."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def __enter__(self) -> "ClipLoader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start_pool(self) -> DecodePool:
        if self._pool is None:
            self._pool = DecodePool(self.spec, workers=self._workers)
        return self._pool

    def _note(self, names: Sequence[str]) -> None:
        """Record which of `names` failed or are partial."""
        for name in names:
            if name not in self.videos:
                self.failures[name] = Failure(name, "find", "no such file")
        rows = self._store.status([name for name in names if name in self.videos])
        for row in rows[rows["status"] != "ok"].itertuples():
            if row.status == "failed":
                self.failures[str(row.Index)] = Failure(str(row.Index), row.stage, row.reason)
            else:
                self.partial[str(row.Index)] = row.reason
