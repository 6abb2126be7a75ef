import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primatrix.data import Dataset
from primatrix.disk import Answers
from primatrix.errors import InputError, ModelError
from primatrix.models import Model, build_model
from primatrix.records import ClipSpec, Failure, Progress
from primatrix.results import read_origin
from primatrix.tagging.submission import (
    PredictionRun,
    add_status,
    predict,
    predict_benchmark,
    predict_to_file,
)
from primatrix.video import identify, write_clip

SPECIES = ["blank", "duiker", "hog"]
SPEC = ClipSpec(15, 16, 16)


@pytest.fixture
def footage(make_video: Callable[..., Path], copy_avi: Callable[..., Path], tmp_path: Path) -> Path:
    """160 small videos, most of them like one of ten, one of which is broken and one cut short."""
    folder = tmp_path / "footage"
    folder.mkdir()
    paths = [make_video(folder / f"{i}.avi", frames=8 + i, size=(16, 16), codec="mpeg4") for i in range(10)]
    paths[3].write_bytes(b"no video")
    paths[7].write_bytes(paths[7].read_bytes()[:-300])
    for i in range(150):
        copy_avi(paths[i % 10], folder / f"more{i:03}.avi", number=i)
    return folder


@pytest.fixture
def model() -> Model:
    return build_model("lrcn", species=SPECIES, spec=SPEC)


@pytest.fixture(scope="module")
def benchmark_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six labelled clips, and four to predict in an order of their own, one of them broken."""
    folder = tmp_path_factory.mktemp("benchmark")
    (folder / "nano").mkdir()
    names = [f"{i:010d}.mp4" for i in range(10)]
    for i, name in enumerate(names):
        write_clip(folder / "nano" / name, np.full((30, 16, 16, 3), 20 * i, np.uint8), frames_per_second=2)
    (folder / "nano" / names[8]).write_bytes(b"no video")
    labels = pd.DataFrame(np.eye(3)[[0, 0, 0, 0, 1, 2]], index=names[:6], columns=SPECIES)
    labels.rename_axis("filename").to_csv(folder / "train_labels.csv")
    rows = pd.DataFrame(0.0, index=[names[i] for i in (9, 6, 8, 7)], columns=SPECIES)
    rows.rename_axis("filename").to_csv(folder / "submission_format.csv")
    return folder


def test_kept_answers_are_used_and_only_for_the_same_files_and_model(
    footage: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("primatrix.models.batches.CLIPS_READ_AT_ONCE", 16)
    monkeypatch.setattr(Answers, "remove", lambda self: None)
    written: list[int] = []
    write = Answers.write
    monkeypatch.setattr(Answers, "write", lambda *words: (written.append(len(words[1])), write(*words)))

    def predict(model: Model) -> list[int]:
        written.clear()
        data = Dataset.from_folder(footage, model.spec, species=SPECIES, store=tmp_path / "s", workers=0)
        run = predict_to_file(model, data, tmp_path / "p.csv", device="cpu")
        assert run.table.isna().all(axis=1).sum() == 16
        return list(written)

    assert predict(model) == [16] * 10
    first = (tmp_path / "p.csv").read_bytes()
    assert predict(model) == []
    assert (tmp_path / "p.csv").read_bytes() == first
    os.utime(footage / "0.avi", ns=(10**18, 10**18))
    assert predict(model) == []  # the same file
    (footage / "0.avi").write_bytes((footage / "0.avi").read_bytes() + b"JUNK\0\0\0\0")
    assert predict(model) == [16]  # another file, and those asked about together with it
    kept = next((tmp_path / ".p.csv.parts").glob("*.npy"))
    for damaged in (b"", kept.read_bytes()[:-40], b"no array"):
        kept.write_bytes(damaged)
        assert predict(model) in ([], [16])  # one of this run, or of the one before the change
    (footage / "z.avi").write_bytes((footage / "0.avi").read_bytes())
    assert len(predict(model)) == 1
    other = build_model("lrcn", species=SPECIES, spec=model.spec, seed=1)
    assert len(predict(other)) == 11


def test_a_submission_has_every_row_in_its_order_and_frequencies_where_a_clip_failed(
    benchmark_folder: Path, model: Model, tmp_path: Path
) -> None:
    told: list[Progress] = []
    path = tmp_path / "out" / "submission.csv"
    run = predict_benchmark(
        benchmark_folder, model, path, store=tmp_path / "s", workers=0, on_progress=told.append
    )
    lines = path.read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == [
        "filename", "0000000009.mp4", "0000000006.mp4", "0000000008.mp4", "0000000007.mp4"]  # fmt: skip
    table = pd.read_csv(path, index_col="filename")
    assert table.loc["0000000008.mp4"].tolist() == pytest.approx([4.5 / 7, 1.5 / 7, 1.5 / 7])
    np.testing.assert_allclose(table, run.table, atol=1e-6)
    assert [failure.name for failure in run.failures] == ["0000000008.mp4"]
    assert 0 < run.seconds < 600
    assert run.failures_path == tmp_path / "out" / "submission.failures.csv"
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "submission.csv",
        "submission.failures.csv",
        "submission.origin.json",
    ]
    origin = read_origin(path)
    assert origin is not None
    assert (origin.digest, origin.calibrated, origin.out_of_fold) == (model.digest, False, False)
    assert origin.files["0000000009.mp4"] == identify(benchmark_folder / "nano" / "0000000009.mp4").hex()
    assert (told[-1].stage, told[-1].done, told[-1].total) == ("predict", 4, 4)


def test_predict_fills_the_datasets_own_table(benchmark_folder: Path, model: Model, tmp_path: Path) -> None:
    data = Dataset(benchmark_folder, store=tmp_path, workers=0)
    table = predict(model, data)
    assert table is data.predictions
    clips = next(data.test_batches(4))
    np.testing.assert_allclose(
        table.iloc[0], model.probabilities(clips[:1])[0], atol=4e-3
    )  # bf16 where there is
    assert (predict(model, data) == table).all(axis=None)


def test_a_model_for_other_species_or_clips_is_refused_before_any_work(
    benchmark_folder: Path, tmp_path: Path
) -> None:
    data = Dataset(benchmark_folder, store=tmp_path, workers=0)
    cases = [
        (build_model("lrcn", species=["blank", "lion"], spec=SPEC), "got a model for 2 species and data with 3: they "
         "differ in duiker, hog, lion; train a model on these labels"),
        (build_model("lrcn", species=["hog", "duiker", "blank"], spec=SPEC), "their order differs"),
        (build_model("lrcn", species=SPECIES, spec=ClipSpec(15, 16, 16, "rgb")), "got data of 15 grey frames of 16x16 "
         "(uniform), wanted 15 rgb frames of 16x16 (uniform) as the model was trained on"),
    ]  # fmt: skip
    for model, message in cases:
        with pytest.raises(ModelError) as caught:
            predict_to_file(model, data, tmp_path / "p.csv")
        assert message in str(caught.value)
    assert not (tmp_path / "p.csv").exists()


def test_what_became_of_each_clip_stands_before_its_probabilities() -> None:
    table = pd.DataFrame({"hog": [0.5, 0.25, np.nan]}, index=["a.mp4", "b.mp4", "c.mp4"])
    told = add_status(table, [Failure("c.mp4", "open", "empty")], ["b.mp4"])
    assert told.columns.tolist() == ["status", "hog"]
    assert told["status"].to_dict() == {"a.mp4": "ok", "b.mp4": "partial", "c.mp4": "failed"}
    assert table.columns.tolist() == ["hog"]
    assert add_status(table, [], [])["status"].tolist() == ["ok"] * 3


def test_a_prediction_says_how_many_how_fast_and_what_stands_in_the_rows_of_failed_clips() -> None:
    table = pd.DataFrame({"hog": [0.5] * 4})
    failures = (Failure("a.mp4", "open", "empty"), Failure("d.mp4", "open", "empty"))
    run = PredictionRun(
        table, failures, ("b.mp4", "c.mp4"), 2.0, Path("p.csv"), Path("failures.csv"), filled=True
    )
    assert run.summary().splitlines() == [
        "2 of 4 clips (50 %) could not be read: empty",
        "4 clips in 2 s (2 clips/s): p.csv",
        "2 clips could be read in part only; what was read was predicted",
        "2 clips could not be read; their rows hold the training set's class frequencies",
    ]
    unfilled = PredictionRun(table, failures, (), 0.0, Path("p.csv"), None, filled=False)
    assert unfilled.summary().splitlines()[1:] == [
        "4 clips in 0 s (0 clips/s): p.csv", "2 clips could not be read; their rows have no probabilities"]  # fmt: skip


def test_two_predictions_of_one_submission_are_refused(
    benchmark_folder: Path, model: Model, tmp_path: Path
) -> None:
    def predict_again(path: Path) -> None:
        predict_benchmark(benchmark_folder, model, path, store=tmp_path / "s", workers=0)

    def start_another(progress: object) -> None:
        with pytest.raises(InputError, match=r"/p\.csv: another prediction is writing there"):
            predict_again(tmp_path / "p.csv")
        predict_again(tmp_path / "other.csv")

    data = Dataset(benchmark_folder, store=tmp_path / "s", workers=0)
    predict_to_file(model, data, tmp_path / "p.csv", on_progress=start_another)
    assert (tmp_path / "p.csv").read_bytes() == (tmp_path / "other.csv").read_bytes()
    assert not (tmp_path / ".p.csv.parts").exists()
