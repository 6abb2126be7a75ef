"""Clips by name: decoded once through the worker pool, kept in the store, read from there ever after."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from primatrix.data.cache import default_store, name_folder
from primatrix.data.keeping import Keeping, Kept
from primatrix.data.store import PackSummary, Store
from primatrix.disk import write_failures
from primatrix.errors import InputError, StoreError
from primatrix.footage import pick_like
from primatrix.progress import ShowProgress
from primatrix.records import ClipSpec, Failure, Media, OnProgress, Video, say_lost
from primatrix.video import DecodePool, PoolOptions, search_folder

__all__ = ["ClipLoader", "PackRun", "pack_folder"]


class ClipLoader:
    """Reads clips of one folder by name, decoding on first use; `close()` ends its worker processes.

    `videos` are the files there are; a name that is not among them fails at stage "find". `failed` and
    `partial` hold the names met so far that gave no clip, or only a part of one. With `retry_failed` each clip that
    failed before is tried once more.
    """

    def __init__(
        self,
        videos: Iterable[Video],
        spec: ClipSpec,
        *,
        store: Path,
        retry_failed: bool = False,
        workers: int | None = None,
        keeping: Keeping | None = None,
    ) -> None:
        self.spec, self.retry_failed = spec, retry_failed
        self.videos = {video.name: video for video in videos}
        self.failed: dict[str, None] = {}  # a set that keeps the order
        self.partial: dict[str, None] = {}
        self._unread: dict[str, Failure] = {}  # what the disk kept from being read
        self._ready: set[str] = set()
        self._store = Store(store, spec, keeping=keeping)
        options = PoolOptions() if workers is None else PoolOptions(workers=workers)
        self._pool = DecodePool(spec, options=options)

    def refuse_missing(self, labelled: Sequence[str], rows: Iterable[str], *, folder: Path) -> None:
        """InputError where a labelled clip is not in the folder, or none of the clips to predict is."""
        absent = [name for name in labelled if name not in self.videos]
        if absent:
            raise InputError(
                f"{folder}: {len(absent)} of {len(labelled)} labelled clips are not there, the first "
                f"{absent[0]} (got {pick_like(absent[0], self.videos)}); copy them in, or take their rows out of the "
                "label file"
            )
        rows = list(rows)
        if not any(name in self.videos for name in rows):
            raise InputError(f"{folder}: none of the {len(rows)} clips to predict is there")

    def prepare(self, names: Sequence[str], *, on_progress: OnProgress | None = None) -> None:
        """Decode those of `names` that the store does not hold yet."""
        new = [name for name in dict.fromkeys(names) if name not in self._ready]
        if not new:
            return
        found = [self.videos[name] for name in new if name in self.videos]
        packed = self._store.pack(
            found, pool=self._pool, retry_failed=self.retry_failed, on_progress=on_progress
        )
        self._unread |= {failure.name: failure for failure in packed.unread}
        status = dict(zip((video.name for video in found), self._store.status(found), strict=True))
        for name in new:
            if status.get(name, "absent") in ("failed", "absent"):
                self.failed[name] = None
            elif status[name] == "partial":
                self.partial[name] = None
        self._ready.update(new)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of what is kept of a clip: of pixels (T, H, W, C)."""
        return self._store.keeping.shape

    def read(self, names: Sequence[str]) -> Kept:
        """What is kept of prepared clips, of pixels uint8 (B, T, H, W, C); zeros for a clip that failed."""
        good = [i for i, name in enumerate(names) if name not in self.failed]
        if len(good) == len(names):
            return self._store.read(self._videos_of(names))
        frames = np.zeros((len(names), *self.shape), self._store.keeping.dtype)
        if good:
            frames[good] = self._store.read(self._videos_of([names[i] for i in good]))
        return frames

    def read_pts(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Seconds after its video's first frame of every frame of prepared clips that did not fail, (B, T)."""
        return self._store.read_pts(self._videos_of(names))

    def identify(self, names: Sequence[str]) -> list[str]:
        """What each file is and gave, in words: other words where another time more of it could be read.

        Empty for a file that is not there, was not prepared or gave no clip.
        """
        return [self._identify(name) for name in names]

    def _identify(self, name: str) -> str:
        if name not in self.videos or name in self.failed:
            return ""
        return self._store.key_of(self.videos[name]).hex() + " partial" * (name in self.partial)

    def find_digests(self, names: Iterable[str]) -> dict[str, str]:
        """What the file of each name is (`video.identify`), in hexadecimal digits; empty where not looked at."""
        keys = {name: self._store.key_of(self.videos[name]) for name in names if name in self.videos}
        return {name: key.hex() for name, key in keys.items()}

    @property
    def tried(self) -> int:
        """How many clips were prepared so far, those that failed included."""
        return len(self._ready)

    def list_failures(self) -> tuple[Failure, ...]:
        """The clips that failed, in the order they were met, with stage and reason."""
        here = [self.videos[name] for name in self.failed if name in self.videos]
        known = {failure.name: failure for failure in self._store.failures(here)} | self._unread
        return tuple(known.get(name, Failure(name, "find", "no such file")) for name in self.failed)

    def _videos_of(self, names: Sequence[str]) -> list[Video]:
        absent = [name for name in names if name not in self.videos]
        if absent:
            raise StoreError(f"no clip of {absent[0]!r} ({len(absent)} of {len(names)} names); wanted names of videos "
                             "that are there")  # fmt: skip
        return [self.videos[name] for name in names]

    def close(self) -> None:
        """End the worker processes; they start again when needed."""
        self._pool.close()


@dataclass(frozen=True, slots=True)
class PackRun:
    """What packing a folder gave: counts, every clip of the folder that fails, and where those are listed."""

    counts: PackSummary
    failures: tuple[Failure, ...]
    store: Path
    failures_path: Path | None

    def summary(self) -> str:
        """Lines for the terminal."""
        counts = self.counts
        rate = counts.packed / counts.seconds if counts.seconds else 0.0
        lost = say_lost(self.failures, counts.present + counts.packed)
        return f"{lost}\n" * bool(lost) + (
            f"{counts.packed} clips packed in {counts.seconds:.1f} s ({rate:.0f} clips/s), {counts.present} were "
            f"there: {self.store}\n{counts.ok} whole, {counts.partial} in part, {counts.failed} not readable"
        )


def pack_folder(
    folder: str | Path,
    spec: ClipSpec,
    *,
    store: str | Path | None = None,
    media: Media = "videos",
    retry_failed: bool = False,
    workers: int | None = None,
    on_progress: ShowProgress = "auto",
) -> PackRun:
    """Decode every video below `folder` into `store` (default: in the user's cache); again, only what is missing.

    `media` says whether videos, stills or both are looked for; failures.csv in the store, in a folder named after
    `folder`, lists what cannot be read of it. What the disk or a permission withheld is tried again each time, other
    failures where their file has changed or with `retry_failed`.
    """
    found = search_folder(folder, media=media)
    videos = found.videos
    opened = Store(store or default_store(folder), spec)
    options = PoolOptions() if workers is None else PoolOptions(workers=workers)
    counts = opened.pack(videos, options=options, retry_failed=retry_failed, on_progress=on_progress)
    failures = (*opened.failures(videos), *counts.unread, *found.failures)
    place = opened.folder / name_folder(folder)  # the store may hold other cards, each with a list of its own
    listed = write_failures(
        failures, place / ("failures.csv" if media == "videos" else f"failures_{media}.csv")
    )
    return PackRun(counts, failures, opened.folder, listed)
