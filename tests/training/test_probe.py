"""A linear probe trained on real files: what moves is learned, sites are left out in turn, folders are kept apart."""

from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from primatrix.data import Dataset
from primatrix.errors import InputError, ModelError
from primatrix.models import Model, build_model, load_model, look_closely, predict_batches
from primatrix.results import Results
from primatrix.tagging import TagSpec, predict_folder
from primatrix.training import probe
from primatrix.training.folds import train_folds
from primatrix.training.loop import train
from primatrix.training.recipe import TrainSpec
from primatrix.trust import calibrate_model

HEIGHT, WIDTH = 96, 128
COLOURS = {"blank": None, "fox": (220, 90, 20), "tit": (30, 80, 220)}


def write_clip(path: Path, *, colour: tuple[int, int, int] | None, seed: int) -> None:
    """A noisy place, and where a colour is given, a striped patch of it that crosses the picture."""
    rng = np.random.default_rng(seed)
    place = rng.integers(60, 120, (HEIGHT // 8, WIDTH // 8, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=2, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for i in range(10):
            picture = place.copy()
            if colour and 2 <= i < 8:
                picture[40:64, 12 * i : 12 * i + 24] = colour
                picture[44:60:6, 12 * i : 12 * i + 24] = 240
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-seven clips at three sites, three of each of two species and three blank at each, with labels."""
    folder = tmp_path_factory.mktemp("probe")
    rows = []
    for site in range(3):
        for species, colour in COLOURS.items():
            for i in range(3):
                name = f"site{site}/{species}{i}.mp4"
                (folder / "card" / f"site{site}").mkdir(parents=True, exist_ok=True)
                write_clip(folder / "card" / name, colour=colour, seed=100 * site + i)
                rows.append((name, species, f"site{site}"))
    table = pd.DataFrame(rows, columns=["filepath", "label", "site"])
    table.to_csv(folder / "labels.csv", index=False)
    return folder


def open_data(footage: Path, **how: object) -> Dataset:
    features = look_closely()
    options = {"labels": footage / "labels.csv", "val_size": 0.0} | how
    return Dataset.from_folder(
        footage / "card", features.spec, keeping=features, store=footage / "store", workers=1, **options
    )  # type: ignore[arg-type]


def make_model(data: Dataset) -> Model:
    return build_model("linear_probe", species=data.class_names, spec=data.spec)


def test_what_moves_is_learned_and_told_at_sites_left_out(footage: Path, tmp_path: Path) -> None:
    data = open_data(footage)
    model = make_model(data)
    history = train(model, data, folder=tmp_path / "run", device="cpu", on_progress=None)
    assert model.scores["left_out_loss"] < 0.35  # of three species on a third of the clips each: 0.637
    told = history.summary().splitlines()
    assert told[0].startswith(
        "training on 27 clips of 3 species at 3 sites, sites left out in turn will tell"
    )
    assert [line.split()[0] for line in told if line.startswith(("blank", "fox", "tit"))] == [
        "blank",
        "fox",
        "tit",
    ]
    assert "better than the constant's" in told[-1]
    table = pd.read_csv(tmp_path / "run" / "oof.csv", index_col="filepath")
    assert sorted(table.columns) == ["blank", "fold", "fox", "tit"]
    sites = table.index.str.split("/").str[0]
    assert table.groupby(sites)["fold"].nunique().tolist() == [1, 1, 1]  # a site is never in two folds
    answered = table.drop(columns="fold").idxmax(axis=1)
    assert (answered == table.index.str.extract(r"/(\D+)\d", expand=False)).mean() > 0.85


def test_the_saved_model_answers_the_same(footage: Path, tmp_path: Path) -> None:
    data = open_data(footage)
    model = make_model(data)
    train(model, data, folder=tmp_path / "run", device="cpu", on_progress=None)
    clips = next(data.test_batches())
    loaded = load_model(tmp_path / "run")
    (own,), (again,) = (
        list(predict_batches(one, [clips], device="cpu", precision="fp32")) for one in (model, loaded)
    )
    np.testing.assert_array_equal(own, again)


def test_the_same_call_gives_the_same_weights(footage: Path, tmp_path: Path) -> None:
    digests = []
    for _ in range(2):
        data = open_data(footage)
        model = make_model(data)
        train(model, data, folder=tmp_path / "run", device="cpu", on_progress=None)
        digests.append(model.digest)
    assert digests[0] == digests[1]


def test_sites_that_are_named_validate(footage: Path, tmp_path: Path) -> None:
    data = open_data(footage, held_out_sites=["site2"])
    model = make_model(data)
    train(model, data, folder=tmp_path / "run", device="cpu", on_progress=None)
    assert model.scores["val_loss"] < 0.45
    validation = pd.read_csv(tmp_path / "run" / "validation.csv", index_col="filepath")
    assert {name.split("/")[0] for name in validation.index} == {"site2"}
    out_of_fold = pd.read_csv(tmp_path / "run" / "oof.csv", index_col="filepath")
    assert {name.split("/")[0] for name in out_of_fold.index} == {"site0", "site1"}


def test_a_folder_with_a_run_on_other_labels_is_refused(footage: Path, tmp_path: Path) -> None:
    data = open_data(footage)
    train(make_model(data), data, folder=tmp_path / "run", device="cpu", on_progress=None)
    other = open_data(footage, held_out_sites=["site1"])
    with pytest.raises(ModelError, match=r"labels and validating clips"):
        train(make_model(other), other, folder=tmp_path / "run", device="cpu", on_progress=None)


def test_answers_left_out_calibrate_it(footage: Path, tmp_path: Path) -> None:
    data = open_data(footage)
    train(make_model(data), data, folder=tmp_path / "run", device="cpu", on_progress=None)
    calibration = calibrate_model(
        tmp_path / "run",
        labels=footage / "labels.csv",
        predictions=tmp_path / "run" / "oof.csv",
        source="out-of-fold",
    )
    assert load_model(tmp_path / "run").calibration is not None
    assert calibration.species == ("blank", "fox", "tit")


def test_folds_and_their_ensemble_work_as_with_any_model(footage: Path, tmp_path: Path) -> None:
    data = open_data(footage)
    run = train_folds(
        lambda: make_model(data), data, folder=tmp_path / "folds", folds=3,
        spec=TrainSpec.for_model("linear_probe", device="cpu"), on_progress=None,
    )  # fmt: skip
    assert run.loss < 0.4
    assert load_model(tmp_path / "folds").title == "Ensemble of 3 models"


def test_many_clips_are_learned_step_by_step(
    footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "MOST_FITTED", 10)
    data = open_data(footage)
    model = make_model(data)
    history = train(model, data, folder=tmp_path / "run", device="cpu", epochs=3, on_progress=None)
    assert len(history.epochs) == 3
    assert history.epochs[-1].loss < history.epochs[0].loss


def test_one_clip_is_too_few(footage: Path, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("filepath,label\nsite0/fox0.mp4,fox\n", encoding="utf-8")
    data = open_data(footage, labels=tmp_path / "one.csv")
    with pytest.raises(
        InputError, match=r"got 1 labelled clips to learn from that can be read, wanted 2 or more"
    ):
        train(make_model(data), data, device="cpu", on_progress=None)


def test_three_clips_of_one_class_are_learned_and_nothing_is_promised(footage: Path, tmp_path: Path) -> None:
    rows = "".join(f"site{i}/fox0.mp4,fox\n" for i in range(3))
    (tmp_path / "few.csv").write_text("filepath,label\n" + rows, encoding="utf-8")
    data = open_data(footage, labels=tmp_path / "few.csv")
    history = train(make_model(data), data, device="cpu", on_progress=None)
    assert "fewer than 10 clips, too few to learn much of: fox 3" in history.summary()
    assert history.verdict.endswith("nothing can be told of how good the model is")


def test_a_clip_that_cannot_be_read_is_left_out(footage: Path, tmp_path: Path) -> None:
    broken = footage / "card" / "site0" / "broken.mp4"
    broken.write_bytes(b"no video")
    text = (footage / "labels.csv").read_text(encoding="utf-8")
    (tmp_path / "labels.csv").write_text(text + "site0/broken.mp4,fox,site0\n", encoding="utf-8")
    data = open_data(footage, labels=tmp_path / "labels.csv")
    train(make_model(data), data, folder=tmp_path / "run", device="cpu", on_progress=None)
    broken.unlink()
    assert [failure.name for failure in data.failures] == ["site0/broken.mp4"]
    assert "site0/broken.mp4" not in pd.read_csv(tmp_path / "run" / "oof.csv", index_col="filepath").index


def test_footage_is_tagged_with_seconds_and_boxes(footage: Path, tmp_path: Path) -> None:
    """What was learned on three sites finds a patch that crosses another's picture, when and where it is."""
    data = open_data(footage)
    model = make_model(data)
    train(model, data, device="cpu", on_progress=None)
    card = tmp_path / "card"
    card.mkdir()
    write_clip(card / "new.mp4", colour=COLOURS["fox"], seed=999)
    write_clip(card / "still.mp4", colour=None, seed=998)
    results = predict_folder(
        card, model, tmp_path / "out", spec=TagSpec(per_frame=True), device="cpu", workers=0, on_progress=None
    ).results
    foxes = results.sightings[results.sightings["species"] == "fox"]
    assert foxes["filepath"].unique().tolist() == ["new.mp4"]
    seen = foxes.iloc[0]
    place = 12 * 2 * seen["best_seconds"] / WIDTH  # where the patch begins in that picture, of two a second
    assert 1.0 <= seen["best_seconds"] < 4.0
    assert seen["left"] - 0.05 <= place + 0.09 <= seen["left"] + seen["width"] + 0.05
    assert seen["top"] < 52 / HEIGHT < seen["top"] + seen["height"]
    frames = Results.read(tmp_path / "out").frames
    assert frames is not None
    assert frames["left"].notna().any()
