"""The benchmark's Dataset: labels and clips in, batches of frames out, predictions collected in order."""

import copy
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from primatrix.data.cache import default_store
from primatrix.data.draws import Sampling, draw_epoch, weigh_clips
from primatrix.data.keeping import Keeping, Kept
from primatrix.data.loader import ClipLoader
from primatrix.errors import InputError
from primatrix.footage import match_names
from primatrix.interchange import read_labels
from primatrix.labels import describe_split, read_submission_format, split_clips, split_labels, split_sites
from primatrix.measures import class_frequencies
from primatrix.progress import ShowProgress, show_progress
from primatrix.records import SIZES_PX, ClipSpec, DatasetType, Failure, Media, Video
from primatrix.video import find_videos

__all__ = ["Dataset"]

AHEAD = 1024  # clips decoded in one go: enough to keep all workers busy, little enough to start training soon
MEASURED = 256  # training clips, to say how long they last
TRIAL_CLIPS = (512, 128)  # training and test rows of a trial run (test=True)

FloatTable = NDArray[np.float32]


class Dataset:
    """Clips and labels of the Pri-matrix Factorization benchmark, as batches.

    `datapath` holds train_labels.csv, submission_format.csv and the folder named by `dataset_type`
    ("nano" 16x16, "micro" 64x64, "raw" 404x720). Frames are uint8 (batch, num_frames, height, width, 1),
    grey, 0-255; `num_frames` is 15 with `reduce_frames`, else 30; a `spec` asks for others.
    Clips are decoded on first use and kept in `store` (default: a folder in the user's cache). One that failed is
    tried again where the disk or a permission had kept it from being read, where its file changed, or with
    `retry_failed`. With `keeping`, batches have what that makes of clips in place of their frames.

    Training clips come in an order drawn from `seed` (`shuffle=False`: in file order), epoch after epoch
    without end. A training clip that cannot be decoded is replaced by the next one, a validation clip left
    out; a test clip keeps its row, which gets the training set's class frequencies. `bad_videos` names them,
    `failures` says why. `test=True` is a trial run on the first few hundred rows.

    Raises InputError where folders, labels or clips are missing or do not fit.
    """

    _train_position: int = 0  # in clips, as the other two: where batches() and its like go on
    _val_position: int = 0
    _test_position: int = 0
    look_ahead_clips: int | None = None  # decoded in one go; None: AHEAD
    _weights: NDArray[np.float64] | None = None  # how often each training clip is drawn
    test_batch_ids: NDArray[np.object_]
    sites: "pd.Series[str] | None" = None  # of the labelled clips, where the label file names them

    def __init__(
        self,
        datapath: str | Path,
        dataset_type: DatasetType = "nano",
        reduce_frames: bool = True,
        val_size: float = 0.3,
        batch_size: int = 16,
        test: bool = False,
        *,
        shuffle: bool = True,
        seed: int = 0,
        spec: ClipSpec | None = None,
        store: str | Path | None = None,
        retry_failed: bool = False,
        workers: int | None = None,
        keeping: Keeping | None = None,
    ) -> None:
        if dataset_type not in SIZES_PX:
            raise InputError(f"dataset_type: got {dataset_type!r}, wanted one of {', '.join(SIZES_PX)}")
        self.datapath = Path(datapath)
        self.dataset_type, self.reduce_frames = dataset_type, reduce_frames
        self.val_size, self.test = val_size, test
        if not self.datapath.is_dir():
            raise InputError(f"{datapath}: no such folder; wanted one with train_labels.csv, submission_format.csv "
                             f"and {dataset_type}/")  # fmt: skip
        wanted = read_submission_format(self.datapath / "submission_format.csv")
        labels = read_labels(self.datapath / "train_labels.csv").spell(wanted.columns).table
        if set(labels.columns) != set(wanted.columns):
            differing = sorted(set(labels.columns) ^ set(wanted.columns))
            raise InputError(
                f"{datapath}: train_labels.csv and submission_format.csv differ in {', '.join(differing)}"
            )
        videos = find_videos(self.datapath / dataset_type)
        files = match_names(labels.index, [v.name for v in videos], root=self.datapath / dataset_type,
                            table=self.datapath / "train_labels.csv")  # fmt: skip
        labels = labels[wanted.columns].rename(index=files)
        if test:
            labels, wanted = labels.iloc[: TRIAL_CLIPS[0]], wanted.iloc[: TRIAL_CLIPS[1]]
        height, width = SIZES_PX[dataset_type]
        spec = spec or ClipSpec(15 if reduce_frames else 30, height, width)
        self._set_parts(split_clips(labels, val_size=val_size, seed=0), wanted)
        self._set_batches(batch_size, shuffle=shuffle, seed=seed)
        self._open(videos, spec, store, retry_failed=retry_failed, workers=workers, keeping=keeping)

    @classmethod
    def from_folder(
        cls,
        folder: str | Path,
        spec: ClipSpec,
        *,
        labels: str | Path | None = None,
        species: Sequence[str] | None = None,
        val_size: float = 0.3,
        held_out_sites: Sequence[str] = (),
        media: Media = "videos",
        batch_size: int = 16,
        seed: int = 0,
        store: str | Path | None = None,
        retry_failed: bool = False,
        workers: int | None = None,
        keeping: Keeping | None = None,
    ) -> Self:
        """A dataset over one's own folder of videos, in any depth of subfolders.

        `labels` (wide or long CSV) names clips relative to the folder; `held_out_sites` validate, or where none is
        named about `val_size` of the clips: whole sites where sites are known. Every video (or still, as `media`
        says) in the folder is a row to predict, labelled or not. Without labels, `species` names the columns.
        """
        self = cls.__new__(cls)
        self.datapath, self.val_size = Path(folder), val_size
        self.dataset_type, self.reduce_frames, self.test = "raw", False, False
        videos = find_videos(self.datapath, media=media)
        if labels is None:
            empty = pd.DataFrame(columns=list(species or ()), dtype=np.float32)
            parts = (empty, empty)
        else:
            known = read_labels(labels, species=species)
            files = [video.name for video in videos]
            known = known.rename(match_names(known.table.index, files, root=self.datapath, table=labels))
            self.sites = known.sites
            parts = (
                split_sites(known, held_out=held_out_sites)
                if held_out_sites
                else split_labels(known, val_size=val_size)
            )
        names = pd.Index([video.name for video in videos], name="filepath")
        rows = pd.DataFrame(0.0, index=names, columns=parts[0].columns)
        self._set_parts(parts, rows)
        self._set_batches(batch_size, shuffle=True, seed=seed)
        self._open(videos, spec, store, retry_failed=retry_failed, workers=workers, keeping=keeping)
        return self

    def __repr__(self) -> str:
        """Where its clips lie and how many of each kind there are, in one line."""
        counts = f"{self.num_samples:,} training, {self.num_val_samples:,} validation"
        rows = f"{self.num_test_samples:,} to predict; {self.num_classes} species"
        return f"<Dataset {self.datapath}: {counts}, {rows}, {self.spec.describe()}>"

    # --- batches -----------------------------------------------------------------------------------------

    def batches(self) -> Iterator[tuple[Kept, FloatTable]]:
        """Endless training batches: x (batch_size, T, H, W, C) uint8, y (batch_size, num_classes) float32."""
        while True:
            start = self._train_position
            rows = self._training_rows(start, start + self.batch_size)
            self._train_position = start + self.batch_size
            yield self._loader.read(self.X_train[rows].tolist()), self._y_train[rows]

    def val_batches(self) -> Iterator[tuple[Kept, FloatTable]]:
        """Endless validation batches in file order; the last of a round may be smaller."""
        while True:
            start = self._val_position
            stop = min(start + self.batch_size, len(self.X_val))
            self._val_position = 0 if stop == len(self.X_val) else stop
            self._prepare(self.X_val, start, stop)
            rows = [i for i in range(start, stop) if self.X_val[i] not in self._loader.failed]
            if rows:
                yield self._loader.read(self.X_val[rows].tolist()), self._y_val[rows]
            elif self._failed_all(self.X_val):
                raise InputError(f"none of the {len(self.X_val)} validation clips can be decoded; "
                                 f"run `primatrix scan {self.datapath}`")  # fmt: skip

    def test_batches(self, batch_size: int | None = None) -> Iterator[Kept]:
        """Batches of test clips in the order of the submission, ending with the last row.

        `test_batch_ids` names the clips of the batch last drawn. The place is kept by the Dataset, so a new
        generator goes on where the last stopped; after the last row the next one starts over.
        """
        size = batch_size or self.batch_size
        for start in range(self._test_position, self.num_test_samples, size):
            stop = min(start + size, self.num_test_samples)
            self._prepare(self.X_test_ids, start, stop)
            self.test_batch_ids = self.X_test_ids[start:stop]
            self._test_rows = slice(start, stop)
            self._test_position = stop % self.num_test_samples
            yield self._loader.read(self.test_batch_ids.tolist())

    def identify_test_batch(self) -> list[str]:
        """What each file of the test batch last drawn is and gave, in words."""
        return self._loader.identify(self.test_batch_ids.tolist())

    def identify(self, names: Iterable[str]) -> dict[str, str]:
        """What the file of each clip is (`video.identify`), in hexadecimal digits; empty where not looked at."""
        return self._loader.find_digests(names)

    def update_predictions(self, results: ArrayLike) -> None:
        """Write probabilities (B, num_classes) into the rows of the test batch last drawn.

        A clip that could not be decoded gets the training set's class frequencies instead (without training
        labels: NaN), whatever the model said of its empty frames.
        """
        values = np.array(results, np.float64)
        wanted = (len(self.test_batch_ids), self.num_classes)
        if values.shape != wanted:
            raise InputError(f"results: got shape {values.shape}, wanted {wanted}, the test batch last drawn")
        if not ((values >= 0) & (values <= 1)).all():
            raise InputError("results: got values outside 0 to 1 (or not a number), wanted probabilities")
        failed = [name in self._loader.failed for name in self.test_batch_ids]
        values[failed] = self.class_frequencies
        self.predictions.iloc[self._test_rows] = values

    def use_sampling(self, sampling: Sampling | None) -> None:
        """Draw training clips with these weights from now on; None: every clip once an epoch."""
        self._weights = None if sampling is None else weigh_clips(self._y_train, sampling=sampling)
        self._orders.clear()
        self._train_window = range(0)

    def seek(self, steps: int) -> None:
        """Go to where `batches()` stands after `steps` batches from the start."""
        self._train_position = steps * self.batch_size

    def seek_val(self, steps: int) -> None:
        """Go to where `val_batches()` stands after `steps` batches from the start."""
        self._val_position = steps % max(1, self.num_val_batches) * self.batch_size

    def seek_test(self, steps: int) -> None:
        """Go to where `test_batches()` stands after `steps` batches from the start."""
        self._test_position = steps % max(1, self.num_test_batches) * self.batch_size

    def measure_clip_seconds(self) -> float | None:
        """How long the training clips last: the median of the first 256 of the first epoch; None where none is read.

        From the times of the frames taken: T frames evenly spread span (T - 1) / T of their clip, and so do T looks.
        """
        names = self.X_train[self._rows_at(np.arange(min(MEASURED, self.num_samples)))].tolist()
        self._loader.prepare(names)
        names = [name for name in names if name not in self._loader.failed]
        count = self.spec.sampled
        if not names or count < 2:
            return None
        seconds = float(np.median(np.ptp(self._loader.read_pts(names), axis=1)) * count / (count - 1))
        return round(seconds, 3) or None

    def pack(self, *, labelled_only: bool = False, on_progress: ShowProgress = "auto") -> None:
        """Decode every clip of the dataset now rather than on first use."""
        names = [*self.X_train, *self.X_val, *([] if labelled_only else self.X_test_ids)]
        with show_progress(on_progress) as tell:
            self._loader.prepare(names, on_progress=tell)

    # --- what is known -----------------------------------------------------------------------------------

    @property
    def labels(self) -> pd.DataFrame:
        """The label table of all labelled clips, training clips first."""
        return pd.concat([self.y_train, self.y_val])

    def describe_split(self, *, in_turn: bool = False) -> list[str]:
        """Lines for people: what trains and validates (or is left out `in_turn`), and what there is too little of."""
        return describe_split(self.y_train, self.y_val, sites=self.sites, in_turn=in_turn)

    def hold_out(self, clips: Iterable[str]) -> Self:
        """The same clips, decoded once, in which exactly these labelled clips validate and are to be predicted."""
        table = self.labels
        held = table.index.isin(list(clips))
        part = copy.copy(self)
        part._set_parts((table[~held], table[held]), table[held])
        part._set_batches(self.batch_size, shuffle=self.shuffle, seed=self.seed)
        part._train_position = part._val_position = part._test_position = 0
        part.class_frequencies = np.nan  # a clip that fails has no answer
        return part

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Clips met so far that could not be decoded."""
        return self._loader.list_failures()

    @property
    def num_tried(self) -> int:
        """How many clips were met so far, those that could not be decoded included."""
        return self._loader.tried

    @property
    def bad_videos(self) -> list[str]:
        """Names of the clips met so far that could not be decoded."""
        return list(self._loader.failed)

    @property
    def partial(self) -> list[str]:
        """Names of the clips met so far of which only a part could be decoded."""
        return list(self._loader.partial)

    def close(self) -> None:
        """End the decoding processes; they start again when needed."""
        self._loader.close()

    # --- inside ------------------------------------------------------------------------------------------

    def _set_parts(self, parts: tuple[pd.DataFrame, pd.DataFrame], rows: pd.DataFrame) -> None:
        self.y_train, self.y_val = parts
        self.X_train, self.X_val = (part.index.to_numpy(object) for part in parts)
        self.X_test_ids = rows.index.to_numpy(object)
        self._y_train, self._y_val = (part.to_numpy(np.float32) for part in parts)
        self.class_names = list(rows.columns)
        self.num_classes = len(self.class_names)
        self.predictions = pd.DataFrame(np.nan, index=rows.index, columns=rows.columns)
        known = pd.concat(parts)
        self.class_frequencies = class_frequencies(known).to_numpy() if len(known) else np.nan

    def _set_batches(self, batch_size: int, *, shuffle: bool, seed: int) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size: got {batch_size}, wanted 1 or more")
        self.batch_size, self.shuffle, self.seed = batch_size, shuffle, seed
        parts = (self.X_train, self.X_val, self.X_test_ids)
        self.num_samples, self.num_val_samples, self.num_test_samples = map(len, parts)
        batches = (-(-len(part) // batch_size) for part in parts)
        self.num_batches, self.num_val_batches, self.num_test_batches = batches
        self.test_batch_ids = self.X_test_ids[:0]
        self._test_rows = slice(0, 0)
        self._orders: dict[int, NDArray[np.int64]] = {}  # of the epoch at hand and the one before
        self._weights = None
        self._train_window = range(0)

    def _open(
        self,
        videos: Sequence[Video],
        spec: ClipSpec,
        store: str | Path | None,
        **how: Any,  # Any: as ClipLoader takes it
    ) -> None:
        self.spec = spec
        self._loader = ClipLoader(videos, spec, store=Path(store or default_store(self.datapath)), **how)
        self.num_frames, self.height, self.width = self.spec.shape[:3]
        self._loader.refuse_missing([*self.X_train, *self.X_val], self.X_test_ids, folder=self.datapath)

    def _prepare(self, names: NDArray[np.object_], start: int, stop: int) -> None:
        """Decode the window of AHEAD clips that each of rows start…stop-1 lies in, where not done yet."""
        ahead = self.look_ahead_clips or AHEAD
        first, last = start // ahead * ahead, -(-stop // ahead) * ahead
        self._loader.prepare(names[first:last].tolist())

    def _failed_all(self, names: NDArray[np.object_]) -> bool:
        return all(name in self._loader.failed for name in names)

    def _training_rows(self, start: int, stop: int) -> NDArray[np.int64]:
        """Rows of X_train at places start…stop-1 of the endless stream, bad ones replaced by the next good.

        A function of the seed and the clips alone, so that a resumed run meets the same batches.
        """
        if not self.num_samples:
            raise InputError(f"{self.datapath}: no labelled clip to train on; give a label file")
        places = np.arange(start, stop)
        rows = self._rows_at(places)
        ahead = self.look_ahead_clips or AHEAD
        window = range(start // ahead * ahead, -(-stop // ahead) * ahead)
        if window != self._train_window:
            self._loader.prepare(self.X_train[self._rows_at(np.array(window))].tolist())
            self._train_window = window
        for i, place in enumerate(places):
            tried = 0
            while self.X_train[rows[i]] in self._loader.failed:
                tried += 1
                if tried > self.num_samples:
                    raise InputError(f"none of the {self.num_samples} training clips can be decoded; "
                                     f"run `primatrix scan {self.datapath}`")  # fmt: skip
                rows[i] = self._rows_at(np.array([place + tried]))[0]
                self._loader.prepare([self.X_train[rows[i]]])
        return rows

    def _rows_at(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of X_train at places of the stream: each epoch is drawn by itself."""
        if not self.shuffle and self._weights is None:
            return places % self.num_samples
        rows = np.empty(len(places), np.int64)
        for epoch in np.unique(places // self.num_samples):
            here = places // self.num_samples == epoch
            rows[here] = self._epoch_order(int(epoch))[places[here] % self.num_samples]
        return rows

    def _epoch_order(self, epoch: int) -> NDArray[np.int64]:
        if epoch not in self._orders:
            rng = np.random.default_rng([self.seed, epoch])
            order: NDArray[np.int64] = (
                rng.permutation(self.num_samples)
                if self._weights is None
                else draw_epoch(self._weights, rng=rng)
            )
            self._orders = {**{e: o for e, o in self._orders.items() if e == epoch - 1}, epoch: order}
        return self._orders[epoch]
