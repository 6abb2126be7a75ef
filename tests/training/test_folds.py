import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from primatrix import ClipSpec, InputError, ModelError
from primatrix.data import Dataset
from primatrix.disk import digest_weights
from primatrix.measures import aggregated_log_loss
from primatrix.models import Ensemble, Model, build_model, load_model, predict_batches
from primatrix.records import Progress
from primatrix.results import read_origin, read_predictions
from primatrix.training.folds import FoldRun, stack_folds, train_folds
from primatrix.training.loop import train
from primatrix.training.recipe import TrainSpec
from primatrix.trust import calibrate_model, read_training_clips

SPEC = ClipSpec(2, 16, 16)
RECIPE = TrainSpec(epochs=1, steps_per_epoch=3, device="cpu", precision="fp32")


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def footage(make_video: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 clips of six sites, one of them broken."""
    folder = tmp_path_factory.mktemp("footage")
    rows = []
    for i in range(30):
        make_video(folder / f"{i:02}.avi", frames=3 + i, size=(16, 16), codec="mpeg4")
        rows.append((f"{i:02}.avi", "hog" if i % 3 == 0 else "duiker", f"site{i % 6}"))
    (folder / "07.avi").write_bytes(b"no video")
    pd.DataFrame(rows, columns=["filepath", "label", "site"]).to_csv(folder / "labels.csv", index=False)
    return folder


def open_data(footage: Path, store: Path) -> Dataset:
    labels = footage / "labels.csv"
    return Dataset.from_folder(footage, SPEC, labels=labels, batch_size=4, workers=0, store=store)


def make_lrcn() -> Model:
    return build_model("lrcn", species=["duiker", "hog"], spec=SPEC, input_scale=1 / 255)


def make_motion() -> Model:
    return build_model("motion", species=["duiker", "hog"], spec=SPEC)


@pytest.fixture(scope="module")
def run(footage: Path, tmp_path_factory: pytest.TempPathFactory) -> FoldRun:
    folder = tmp_path_factory.mktemp("run")
    return train_folds(make_lrcn, open_data(footage, folder / "s"), folder=folder / "a", folds=3, spec=RECIPE)


def test_every_clip_is_answered_by_a_model_that_has_not_seen_its_site(footage: Path, run: FoldRun) -> None:
    labels = pd.read_csv(footage / "labels.csv", index_col="filepath")
    assert run.table.index.tolist() == sorted(labels.index)
    folds_of_site = run.table["fold"].groupby(labels["site"]).agg(set)
    assert all(len(folds) == 1 for folds in folds_of_site)
    data = open_data(footage, run.folder / "s")
    for fold in range(3):
        names = run.table.index[run.table["fold"] == fold]
        part = data.hold_out(names)
        assert set(part.X_train).isdisjoint(names)
        model = load_model(run.folder / f"fold{fold}")
        clips = next(part.test_batches(100))
        expected = next(iter(predict_batches(model, [clips])))
        got = run.table.loc[part.test_batch_ids, ["duiker", "hog"]].to_numpy()
        good = part.test_batch_ids != "07.avi"
        np.testing.assert_allclose(got[good], expected[good], atol=1e-2)  # bf16 where the processor has it
    assert run.table.loc["07.avi", ["duiker", "hog"]].isna().all()


def test_the_table_on_disk_is_read_as_predictions_and_scored(footage: Path, run: FoldRun) -> None:
    text = (run.folder / "oof.csv").read_text().splitlines()
    assert text[0] == "filepath,fold,duiker,hog"
    assert len(text) == 31
    read = read_predictions(run.folder / "oof.csv")
    assert list(read.columns) == ["duiker", "hog"]
    known = read.dropna()
    data = open_data(footage, run.folder / "s")
    assert run.loss == pytest.approx(aggregated_log_loss(data.labels.loc[known.index], known), abs=1e-6)
    assert "out-of-fold aggregated log loss" in run.summary()


class StopError(Exception):
    pass


def test_stopped_anywhere_the_same_call_gives_the_same_table(
    footage: Path, run: FoldRun, tmp_path: Path
) -> None:
    data = open_data(footage, tmp_path / "s")
    for stop in (2, 4, 5):
        seen = []

        def count(progress: Progress, seen: list[int] = seen, stop: int = stop) -> None:
            seen.append(progress.done)
            if len(seen) == stop:
                raise StopError

        with pytest.raises(StopError):
            train_folds(make_lrcn, data, folder=tmp_path / "a", folds=3, spec=RECIPE, on_progress=count)
    train_folds(make_lrcn, data, folder=tmp_path / "a", folds=3, spec=RECIPE)
    assert (tmp_path / "a" / "oof.csv").read_bytes() == (run.folder / "oof.csv").read_bytes()
    with pytest.raises(ModelError, match=r"folds\.csv: holds 3 folds of 30 clips, other than these 2 of 30"):
        train_folds(make_lrcn, data, folder=tmp_path / "a", folds=2, spec=RECIPE)


def test_the_folder_is_an_ensemble_that_averages_its_members(run: FoldRun, tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (4, *SPEC.shape), np.uint8)
    members = [load_model(run.folder / f"fold{fold}").probabilities(x) for fold in range(3)]
    ensemble = load_model(run.folder)
    assert isinstance(ensemble, Ensemble)
    np.testing.assert_allclose(ensemble.probabilities(x), np.mean(members, axis=0), atol=1e-6)
    assert ensemble.scores["out_of_fold_loss"] == run.loss
    ensemble.save(tmp_path / "copy")
    again = load_model(tmp_path / "copy")
    np.testing.assert_array_equal(again.probabilities(x), ensemble.probabilities(x))
    assert not ensemble.gives_frames


def test_families_are_stacked_and_the_stack_is_saved(footage: Path, run: FoldRun, tmp_path: Path) -> None:
    data = open_data(footage, tmp_path / "s")
    other = train_folds(make_motion, data, folder=tmp_path / "b", folds=3, spec=RECIPE)
    ensemble, stack = stack_folds([run.folder, other.folder], data.labels)
    assert stack.weights.shape == (2, 10)
    x = np.random.default_rng(0).integers(0, 256, (4, *SPEC.shape), np.uint8)
    answers = ensemble.probabilities(x)
    assert answers.shape == (4, 2)
    ensemble.save(tmp_path / "stacked")
    np.testing.assert_array_equal(load_model(tmp_path / "stacked").probabilities(x), answers)
    swapped, _ = stack_folds([other.folder, run.folder], data.labels)
    np.testing.assert_allclose(
        swapped.probabilities(x), answers, atol=1e-5
    )  # the order of families is nothing
    with pytest.raises(InputError, match="labels: 30 clips or species are missing"):
        stack_folds([run.folder], data.labels.iloc[:0])
    motion = load_model(tmp_path / "b")
    assert motion.gives_frames
    clip, frames = motion.forward_frames(torch.from_numpy(x))
    assert (clip.shape, frames.shape) == ((4, 2), (4, 2, 2))
    np.testing.assert_allclose(clip.sigmoid().detach(), motion.probabilities(x), atol=1e-6)


def test_the_ensemble_keeps_its_calibration_and_the_length_of_its_clips(
    footage: Path, run: FoldRun, tmp_path: Path
) -> None:
    shutil.copytree(run.folder, tmp_path / "a")
    assert load_model(tmp_path / "a").clip_seconds == load_model(tmp_path / "a" / "fold0").clip_seconds
    assert load_model(tmp_path / "a").clip_seconds is not None
    calibrated = calibrate_model(
        tmp_path / "a",
        predictions=tmp_path / "a" / "oof.csv",
        labels=footage / "labels.csv",
        source="out-of-fold",
    )
    data = open_data(footage, run.folder / "s")
    train_folds(make_lrcn, data, folder=tmp_path / "a", folds=3, spec=RECIPE)
    assert load_model(tmp_path / "a").calibration == calibrated


def test_answers_out_of_fold_name_their_ensemble_and_are_taken_as_nothing_else(
    footage: Path, run: FoldRun
) -> None:
    origin, oof = read_origin(run.folder / "oof.csv"), run.folder / "oof.csv"
    assert origin is not None
    assert (origin.digest, origin.out_of_fold) == (digest_weights(run.folder), True)
    assert len(origin.files) == 30  # one is broken, and known for what it is, too
    for fold in range(3):
        held = run.table.index[run.table["fold"] == fold]
        trained = read_training_clips(run.folder / f"fold{fold}")
        assert trained.find(held, files=origin.files) == []
        assert len(trained.find(run.table.index.difference(held), files=origin.files)) == 30 - len(held)
    with pytest.raises(InputError, match="was trained on 29 of these 29 labelled clips"):
        calibrate_model(run.folder, predictions=oof, labels=footage / "labels.csv")
    with pytest.raises(InputError, match="made by another model"):
        calibrate_model(
            run.folder / "fold0", predictions=oof, labels=footage / "labels.csv", source="out-of-fold"
        )


def test_a_dry_run_is_not_done_by_folds(footage: Path, tmp_path: Path) -> None:
    data = open_data(footage, tmp_path / "s")
    with pytest.raises(InputError, match="dry_run: got it with folds"):
        train_folds(make_lrcn, data, folder=tmp_path / "a", spec=TrainSpec(dry_run=True))


def test_neither_folds_nor_one_run_begin_where_folds_are_being_trained(footage: Path, tmp_path: Path) -> None:
    data, other = open_data(footage, tmp_path / "s"), open_data(footage, tmp_path / "s")
    refused = []

    def start_others(progress: object) -> None:
        for place in ("a", "a/fold0"):
            with pytest.raises(InputError) as caught:
                train(make_lrcn(), other, folder=tmp_path / place, spec=RECIPE)
            refused.append(str(caught.value).partition(":")[2])
        with pytest.raises(InputError, match="another training is writing there"):
            train_folds(make_lrcn, other, folder=tmp_path / "a", folds=2, spec=RECIPE)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_folds(make_lrcn, data, folder=tmp_path / "a", folds=2, spec=RECIPE, on_progress=start_others)
    assert refused == [" another training is writing there; wait for it, or name another place"] * 2
