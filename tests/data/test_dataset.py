import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import primatrix.data.dataset as dataset_module
from primatrix.data.dataset import Dataset
from primatrix.errors import InputError
from primatrix.records import ClipSpec
from primatrix.video import write_clip

SPECIES = ["bird", "blank", "hog"]
TRAIN, TEST = 40, 13


def write_benchmark(folder: Path, *, side: int = 16, frames: int = 30) -> Path:
    """A benchmark folder whose clip number n is a flat grey picture of brightness 4 n."""
    (folder / "nano").mkdir(parents=True)
    names = [f"{i:010d}.mp4" for i in range(TRAIN + TEST + 2)]  # two clips in no table: unlabelled
    for i, name in enumerate(names):
        pixels = np.full((frames, side, side, 3), 4 * i, np.uint8)
        write_clip(folder / "nano" / name, pixels, frames_per_second=2)
    labels = pd.DataFrame(np.eye(3)[np.arange(TRAIN) % 3], index=names[:TRAIN], columns=SPECIES)
    labels.rename_axis("filename").to_csv(folder / "train_labels.csv")
    rows = pd.DataFrame(0.0, index=names[TRAIN : TRAIN + TEST][::-1], columns=SPECIES)
    rows.rename_axis("filename").to_csv(folder / "submission_format.csv")
    return folder


@pytest.fixture(scope="module")
def benchmark_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_benchmark(tmp_path_factory.mktemp("data"))


@pytest.fixture
def make(benchmark_folder: Path, tmp_path: Path) -> Callable[..., Dataset]:
    def build(**options: object) -> Dataset:
        return Dataset(benchmark_folder, **{"batch_size": 8, "workers": 0, "store": tmp_path, **options})  # type: ignore[arg-type]

    return build


def clip_numbers(x: np.ndarray) -> list[int]:
    """Which clips a batch holds, read off their brightness."""
    return np.round(x.mean(axis=(1, 2, 3, 4)) / 4).astype(int).tolist()


def test_attributes_are_the_benchmarks(make: Callable[..., Dataset]) -> None:
    data = make()
    assert (data.height, data.width, data.num_frames, data.num_classes) == (16, 16, 15, 3)
    assert data.class_names == SPECIES
    assert (data.num_samples, len(data.X_train), len(data.y_train)) == (28, 28, 28)
    assert (len(data.X_val), len(data.y_val)) == (12, 12)
    assert (data.num_batches, data.num_val_batches) == (4, 2)
    assert (data.num_test_samples, data.num_test_batches) == (TEST, 2)
    assert (data.dataset_type, data.reduce_frames, data.val_size, data.batch_size) == ("nano", True, 0.3, 8)
    assert data.predictions.index.tolist() == data.X_test_ids.tolist()
    assert data.predictions.columns.tolist() == SPECIES
    assert data.bad_videos == []
    assert make(reduce_frames=False).num_frames == 30
    spec = ClipSpec(7, 8, 12, "rgb")
    assert next(make(spec=spec).batches())[0].shape == (8, 7, 8, 12, 3)


def test_it_knows_how_long_the_training_clips_last(make: Callable[..., Dataset]) -> None:
    assert make().measure_clip_seconds() == pytest.approx(15.0, abs=0.6)  # 30 frames, two a second
    assert make(spec=ClipSpec(8)).measure_clip_seconds() == pytest.approx(15.0, abs=0.6)
    assert make(spec=ClipSpec(1)).measure_clip_seconds() is None


def test_training_batches_pair_clips_with_their_labels_each_once_an_epoch(
    make: Callable[..., Dataset],
) -> None:
    data = make()
    seen = []
    for x, y in itertools.islice(data.batches(), 7):  # 56 clips: two epochs of 28
        assert (x.shape, x.dtype, y.dtype) == ((8, 15, 16, 16, 1), np.uint8, np.float32)
        assert np.argmax(y, axis=1).tolist() == [n % 3 for n in clip_numbers(x)]
        seen += clip_numbers(x)
    train = sorted(int(name[:10]) for name in data.X_train)
    assert sorted(seen[:28]) == train
    assert sorted(seen[28:]) == train
    assert seen[:28] != seen[28:]


def test_order_comes_from_the_seed_and_can_be_the_files(make: Callable[..., Dataset]) -> None:
    first, again, other = (clip_numbers(next(make(seed=s).batches())[0]) for s in (0, 0, 1))
    assert first == again
    assert first != other
    data = make(shuffle=False)
    assert clip_numbers(next(data.batches())[0]) == [int(name[:10]) for name in data.X_train[:8]]


def test_new_generators_go_on_where_the_last_stopped(make: Callable[..., Dataset]) -> None:
    data, other = make(), make()
    apart = [clip_numbers(next(data.batches())[0]) for _ in range(5)]
    assert apart == [clip_numbers(x) for x, _ in itertools.islice(other.batches(), 5)]
    other.seek(3)
    assert clip_numbers(next(other.batches())[0]) == apart[3]
    tests = [clip_numbers(next(data.test_batches())) for _ in range(data.num_test_batches)]
    assert list(itertools.chain(*tests)) == [int(name[:10]) for name in data.X_test_ids]
    assert [len(batch) for batch in tests] == [8, 5]
    vals = [clip_numbers(next(data.val_batches())[0]) for _ in range(2 * data.num_val_batches)]
    assert vals[0] + vals[1] == [int(name[:10]) for name in data.X_val]
    assert vals[:2] == vals[2:]


def test_every_test_row_is_predicted_in_order(make: Callable[..., Dataset]) -> None:
    data = make()
    assert data.predictions.isna().all().all()
    for x in data.test_batches():
        data.update_predictions(np.column_stack([x.mean(axis=(1, 2, 3, 4)) / 255, *np.zeros((2, len(x)))]))
    expected = [4 * int(name[:10]) / 255 for name in data.X_test_ids]
    np.testing.assert_allclose(data.predictions["bird"], expected, atol=2 / 255)
    assert data.predictions.notna().all().all()


def test_results_must_fit_the_batch_and_be_probabilities(make: Callable[..., Dataset]) -> None:
    data = make()
    next(data.test_batches())
    with pytest.raises(InputError, match=r"got shape \(8, 2\), wanted \(8, 3\)"):
        data.update_predictions(np.zeros((8, 2)))
    with pytest.raises(InputError, match="outside 0 to 1"):
        data.update_predictions(np.full((8, 3), np.nan))


def test_a_broken_clip_never_shifts_or_stops_a_batch(tmp_path: Path) -> None:
    folder = write_benchmark(tmp_path / "data")
    whole = Dataset(folder, batch_size=8, workers=0, store=tmp_path / "whole")
    before = [clip_numbers(next(whole.batches())[0]) for _ in range(7)]
    bad_train, bad_val, bad_test = whole.X_train[3], whole.X_val[5], whole.X_test_ids[2]
    for name in (bad_train, bad_val):
        (folder / "nano" / name).write_bytes(b"this is not a video")
    (folder / "nano" / bad_test).unlink()

    data = Dataset(folder, batch_size=8, workers=0, store=tmp_path / "store")
    after = [clip_numbers(next(data.batches())[0]) for _ in range(7)]
    number = int(bad_train[:10])
    flat_before, flat_after = list(itertools.chain(*before)), list(itertools.chain(*after))
    assert number not in flat_after
    assert [b for b, a in zip(flat_before, flat_after, strict=True) if a != b] == [number] * 2
    assert [len(x) for x, _ in itertools.islice(data.val_batches(), 2)] == [7, 4]

    for x in data.test_batches():
        data.update_predictions(np.column_stack([x.mean(axis=(1, 2, 3, 4)) / 255] * 3))
    known = pd.concat([data.y_train, data.y_val])
    np.testing.assert_allclose(data.predictions.loc[bad_test], (known.sum() + 0.5) / (len(known) + 1))
    others = [name for name in data.X_test_ids if name != bad_test]
    np.testing.assert_allclose(
        data.predictions.loc[others, "hog"], [4 * int(name[:10]) / 255 for name in others], atol=2 / 255
    )
    assert sorted(data.bad_videos) == sorted([bad_train, bad_val, bad_test])
    reasons = {failure.name: (failure.stage, failure.reason) for failure in data.failures}
    assert reasons[bad_test] == ("find", "no such file")
    assert reasons[bad_train][0] == "open"


def test_when_nothing_can_be_decoded_training_says_so(tmp_path: Path) -> None:
    folder = write_benchmark(tmp_path / "data", frames=2)
    for path in (folder / "nano").iterdir():
        path.write_bytes(b"")
    data = Dataset(folder, batch_size=8, workers=0)
    with pytest.raises(InputError, match="none of the 28 training clips can be decoded; run `primatrix scan"):
        next(data.batches())
    with pytest.raises(InputError, match="none of the 12 validation clips"):
        next(data.val_batches())


def test_clips_are_decoded_once(make: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch) -> None:
    first = make()
    first.pack()
    monkeypatch.setattr("primatrix.video.pool.DecodePool.map", None)
    again = make()
    np.testing.assert_array_equal(next(again.batches())[0], next(first.batches())[0])


def test_look_ahead_smaller_than_the_data_changes_no_batch(
    make: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = [clip_numbers(x) for x, _ in itertools.islice(make().batches(), 9)]
    monkeypatch.setattr(dataset_module, "AHEAD", 12)
    assert [clip_numbers(x) for x, _ in itertools.islice(make().batches(), 9)] == wide


def test_raw_clips_are_404_by_720(tmp_path: Path) -> None:
    folder = write_benchmark(tmp_path / "data", frames=3)
    (folder / "nano").rename(folder / "raw")
    x, _ = next(Dataset(folder, "raw", batch_size=2, workers=0, test=True).batches())
    assert x.shape == (2, 15, 404, 720, 1)


def test_bad_folders_get_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such folder; wanted one with train_labels\.csv"):
        Dataset(tmp_path / "nowhere")
    folder = write_benchmark(tmp_path / "data", frames=1)
    with pytest.raises(InputError, match="dataset_type: got 'mini', wanted one of nano, micro, raw"):
        Dataset(folder, "mini")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="batch_size: got 0"):
        Dataset(folder, batch_size=0)
    with pytest.raises(InputError, match="micro: got no such folder"):
        Dataset(folder, "micro")
    gone = pd.read_csv(folder / "train_labels.csv")["filename"][0]
    (folder / "nano" / gone).unlink()
    with pytest.raises(InputError, match=f"1 of 40 labelled clips are not there, the first {gone}"):
        Dataset(folder)
    text = (folder / "submission_format.csv").read_text().replace("hog", "lion")
    (folder / "submission_format.csv").write_text(text)
    with pytest.raises(InputError, match="differ in hog, lion"):
        Dataset(folder)


def test_ones_own_folder_with_sites(tmp_path: Path) -> None:
    folder = write_benchmark(tmp_path / "data", frames=4)
    labels = pd.read_csv(folder / "train_labels.csv", index_col=0)
    rows = [
        ("nano/" + name, species, f"site{i % 4}")
        for i, (name, species) in enumerate(labels.idxmax(axis=1).items())
    ]
    path = tmp_path / "labels.csv"
    pd.DataFrame(rows, columns=["filepath", "label", "site"]).to_csv(path, index=False)
    data = Dataset.from_folder(
        folder, ClipSpec(3, 8, 8), labels=path, held_out_sites=["site1"], batch_size=8, workers=0
    )
    assert (data.num_samples, len(data.X_val), data.num_test_samples) == (30, 10, TRAIN + TEST + 2)
    x, y = next(data.batches())
    assert (x.shape, y.shape) == ((8, 3, 8, 8, 1), (8, 3))
    assert data.predictions.index.name == "filepath"
    data = Dataset.from_folder(folder, ClipSpec(3, 8, 8), labels=path, workers=0)
    assert data.sites is not None
    assert set(data.sites[data.X_train]).isdisjoint(data.sites[data.X_val])


@pytest.mark.parametrize(
    "write", ["nano\\{}", "./nano/{}", "NANO/{}", "{folder}/nano/{}", "data/nano/{}", "{}"]
)
def test_labels_may_name_clips_in_any_way_that_means_one(tmp_path: Path, write: str) -> None:
    folder = write_benchmark(tmp_path / "data", frames=1)
    labels = pd.read_csv(folder / "train_labels.csv", index_col=0).idxmax(axis=1).rename("label")
    written = labels.rename(lambda name: write.format(name.removesuffix(".mp4"), folder=folder))
    written.rename_axis("filepath").to_csv(tmp_path / "labels.csv")
    data = Dataset.from_folder(folder, ClipSpec(1, 8, 8), labels=tmp_path / "labels.csv", workers=0)
    assert sorted(data.labels.index) == sorted("nano/" + name for name in labels.index)
    assert (data.labels.idxmax(axis=1) == labels.rename("nano/{}".format)[data.labels.index]).all()


def test_clips_that_labels_hold_out_are_predicted_and_neither_train_nor_validate(tmp_path: Path) -> None:
    folder = write_benchmark(tmp_path / "data", frames=1)
    labels = (
        pd.read_csv(folder / "train_labels.csv", index_col=0).idxmax(axis=1).rename("label").reset_index()
    )
    parts = ["train", "val", "holdout", "train"] * (TRAIN // 4)
    labels.assign(filepath="nano/" + labels["filename"], split=parts).drop(columns="filename").to_csv(
        tmp_path / "labels.csv", index=False
    )
    data = Dataset.from_folder(folder, ClipSpec(1, 8, 8), labels=tmp_path / "labels.csv", workers=0)
    numbers = [int(name[5:15]) for name in data.X_train], [int(name[5:15]) for name in data.X_val]
    assert numbers == ([i for i in range(TRAIN) if i % 4 in (0, 3)], list(range(1, TRAIN, 4)))
    assert len(data.labels) == 3 * TRAIN // 4  # what folds are made of
    assert (data.class_names, data.num_test_samples) == (SPECIES, TRAIN + TEST + 2)
    with pytest.raises(InputError, match="leave out --held-out-sites, or the column"):
        Dataset.from_folder(
            folder, ClipSpec(1, 8, 8), labels=tmp_path / "labels.csv", held_out_sites=["north"], workers=0
        )


def test_a_label_of_no_clip_is_shown_beside_a_clip(tmp_path: Path) -> None:
    folder = write_benchmark(tmp_path / "data", frames=1)
    (tmp_path / "labels.csv").write_text("filepath,label\nnano/0000000001.mp4,hog\nx/0000000002.mp4,hog\n")
    with pytest.raises(InputError) as caught:
        Dataset.from_folder(folder, ClipSpec(1, 8, 8), labels=tmp_path / "labels.csv", workers=0)
    assert "1 of 2 labelled clips are not there, the first x/0000000002.mp4 (got nano/0000000002.mp4)" in str(
        caught.value
    )


def test_a_folder_without_labels_can_be_predicted_but_not_trained_on(tmp_path: Path) -> None:
    folder = write_benchmark(tmp_path / "data", frames=1)
    data = Dataset.from_folder(folder, ClipSpec(1, 8, 8), species=SPECIES, workers=0)
    x = next(data.test_batches())
    data.update_predictions(np.full((len(x), 3), 0.25))
    assert data.predictions.iloc[0].tolist() == [0.25] * 3
    with pytest.raises(InputError, match="no labelled clip to train on"):
        next(data.batches())
