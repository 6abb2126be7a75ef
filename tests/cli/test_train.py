import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from primatrix.models import Ensemble, load_model

Run = Callable[..., Any]  # Any: conftest's Ended


@pytest.fixture
def command(footage: Path, tmp_path: Path) -> tuple[object, ...]:
    return (
        "train", footage, "--labels", footage / "labels.csv", "--architecture", "lrcn", "--frames", 2, "--store",
        tmp_path / "s", "--workers", 0,
        "--quiet", "--steps", 1, "--batch-size", 4, "--out", tmp_path / "m",
    )  # fmt: skip


def test_settings_come_from_the_file_then_words_then_flags(
    run: Run, command: tuple[object, ...], tmp_path: Path
) -> None:
    (tmp_path / "t.yaml").write_text(
        "epochs: 3\nlearning_rate: 1e-4\nema: 0.5\naugmentation: {flip: 0.5, crop: 0.2}\n"
    )
    words = (
        "--config",
        tmp_path / "t.yaml",
        "--set",
        "ema=0.9",
        "--set",
        "augmentation.crop=0.1",
        "--epochs",
        1,
    )
    ended = run(*command, *words)
    assert (ended.code, ended.out.splitlines()[-2]) == (0, f"model: {tmp_path / 'm'}"), ended.err
    recipe = load_model(tmp_path / "m").recipe
    assert {name: recipe[name] for name in ("epochs", "learning_rate", "ema", "optimiser")} == {
        "epochs": 1, "learning_rate": 1e-4, "ema": 0.9, "optimiser": "rmsprop",
    }  # fmt: skip
    assert (recipe["augmentation"]["flip"], recipe["augmentation"]["crop"]) == (0.5, 0.1)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--set", "emma=0.9"), "train: got setting emma, wanted one of epochs"),
        (("--set", "ema"), "ema: wanted NAME=VALUE"),
        (("--config", "nowhere.yaml"), "nowhere.yaml: no such file"),
        (("--architecture", "magic"), "architecture: got 'magic', wanted one of"),
        (("--folds", 40), "folds: got 40 for 18 clips of 6 sites"),
        (("--folds", 40, "--dry-run"), "folds: got 40 for 18 clips of 6 sites"),
        (("--epochs", 0), "epochs: got 0, wanted 1 or more"),
        (("--option", "width=3"), "lrcn: got option width, wanted one of input_scale"),
        (("--option", "seed=3"), "--option seed: is no option of a network"),
    ],
)
def test_what_cannot_be_is_one_line(
    run: Run, command: tuple[object, ...], words: tuple[object, ...], message: str
) -> None:
    ended = run(*command, *words)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert message in ended.err


def test_folds_give_a_table_and_an_ensemble(run: Run, command: tuple[object, ...], tmp_path: Path) -> None:
    ended = run(*command, "--folds", 2, "--epochs", 1)
    assert ended.code == 0, ended.err
    first, *_, last = ended.out.splitlines()
    assert first == "2 folds of 18 clips of 3 species at 6 sites"
    assert re.fullmatch(
        r"out-of-fold aggregated log loss \d\.\d+, (better|worse) than the constant's 0\.\d+ \(.*oof\.csv",
        last,
    )
    assert len(pd.read_csv(tmp_path / "m" / "oof.csv")) == 18
    assert isinstance(load_model(tmp_path / "m"), Ensemble)


def test_a_dry_run_decodes_a_few_clips_and_keeps_nothing(
    run: Run, command: tuple[object, ...], tmp_path: Path
) -> None:
    ended = run(*command, "--architecture", "motion", "--dry-run", "--folds", 5)
    assert ended.code == 0, ended.err
    assert (
        ended.out.splitlines()[-1]
        == "dry run: trained, validated, saved, loaded and predicted; nothing was kept"
    )
    assert not (tmp_path / "m").exists()
    ended = run("info", tmp_path / "m")
    assert ended.code == 2


def test_options_of_the_network_are_set_by_words(
    run: Run, command: tuple[object, ...], tmp_path: Path
) -> None:
    words = ("--architecture", "motion", "--option", "width=4", "--option", "view=window", "--epochs", 1)
    ended = run(*command, *words)
    assert ended.code == 0, ended.err
    options = load_model(tmp_path / "m").options
    assert (options["width"], options["view"]) == (4, "window")


def test_a_file_where_the_models_folder_should_be_is_refused_before_the_work(
    run: Run, command: tuple[object, ...], tmp_path: Path
) -> None:
    (tmp_path / "m").write_text("a file")
    ended = run(*command)
    assert (ended.code, ended.out) == (2, "")
    assert f"{tmp_path / 'm'}: {tmp_path / 'm'} is a file, wanted a folder" in ended.err
    assert not (tmp_path / "s").exists()
    ended = run(*command[:-1], tmp_path / "m" / "deeper")
    assert (ended.code, ended.err.count("is a file, wanted a folder")) == (2, 1)


def test_a_run_is_not_gone_on_with_in_other_batches_or_for_other_sites(
    run: Run, command: tuple[object, ...], tmp_path: Path
) -> None:
    words = ("--held-out-sites", "site0")
    ended = run(*command, *words, "--epochs", 1)
    assert ended.code == 0, ended.err
    ended = run(*command, *words, "--epochs", 2, "--batch-size", 3)
    assert (ended.code, "holds a run with batch_size 4" in ended.err, "got batch_size 3" in ended.err) == (
        2,
        True,
        True,
    ), ended.err
    ended = run(*command, "--held-out-sites", "site1", "--epochs", 2)
    assert (ended.code, "holds a run with labels and validating clips " in ended.err) == (2, True), ended.err


def test_of_a_benchmark_folder_flags_of_footage_are_named(run: Run, tmp_path: Path) -> None:
    ended = run("simulate", tmp_path / "d", "--train", 12, "--test", 4, "--quiet")
    assert ended.code == 0, ended.err
    ended = run("train", tmp_path / "d", "--size", "32x32", "--dry-run", "--quiet", "--workers", 0)
    assert ended.code == 0, ended.err
    assert "primatrix: --size: not used, since this is a benchmark folder" in ended.err


def test_training_on_a_folder_of_ones_own(data: Path, tmp_path: Path, run: Run) -> None:
    wide = pd.read_csv(data / "train_labels.csv", index_col=0).iloc[:60]
    sites = pd.read_csv(data / "deployments.csv", index_col=0)["site"]
    rows = [(name, species) for name, row in wide.iterrows() for species in wide.columns[row == 1]]
    long = pd.DataFrame(rows, columns=["filepath", "label"])
    long["site"] = [sites[name] for name in long["filepath"]]
    long.to_csv(tmp_path / "labels.csv", index=False)
    site = long["site"].mode()[0]
    ended = run("train", data / "nano", "--labels", tmp_path / "labels.csv", "--architecture", "lrcn",
                "--held-out-sites", site, "--out",
                tmp_path / "m", "--epochs", 1, "--steps", 1, "--validation-steps", 1, "--batch-size", 4, "--frames", 8,
                "--size", "24x16", "--store", tmp_path / "s", "--workers", 0)  # fmt: skip
    assert ended.code in (0, 1), ended.err
    spec = load_model(tmp_path / "m").spec
    assert load_model(tmp_path / "m").clip_seconds == pytest.approx(15.0, abs=0.6)
    assert (spec.frames, spec.height_px, spec.width_px) == (8, 24, 16)
    ended = run("train", data / "nano", "--out", tmp_path / "m2")
    assert ended.code == 2
    assert "got no label file, wanted --labels FILE" in ended.err


def spoil_labels(data: Path, folder: Path, change: Callable[[str], str]) -> Path:
    """A copy of the benchmark folder (clips linked) whose train_labels.csv is changed."""
    folder.mkdir()
    (folder / "nano").symlink_to(data / "nano")
    for name in ("train_labels.csv", "submission_format.csv"):
        (folder / name).write_text((data / name).read_text())
    (folder / "train_labels.csv").write_text(change((data / "train_labels.csv").read_text()))
    return folder


def change_first_row(text: str, values: list[str]) -> str:
    """The first clip gets these values in its first columns, zeros in the others."""
    head, first, *rest = text.splitlines()
    cells = [first.split(",")[0], *values, *["0.0"] * (24 - len(values))]
    return "\n".join([head, ",".join(cells), *rest]) + "\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: t.replace("filename", "clip", 1),
            "got columns clip, bird, blank, cattle, chimpanzee; wanted",
        ),
        (lambda t: t.replace("duiker", "zebra", 1), "differ in duiker, zebra"),
        (
            lambda t: t + "zzzzzzzzzz.mp4," + ",".join(["0.0"] * 24) + "\n",
            "1 of 121 labelled clips are not there",
        ),
        (lambda t: t + t.splitlines()[1] + "\n", "1 duplicate rows"),
        (lambda t: change_first_row(t, ["0.5"]), "1 values are not 0 or 1, the first 0.5"),
        (lambda t: change_first_row(t, ["1.0", "1.0"]), "labelled `blank` together with a species"),
    ],
)
def test_bad_labels_stop_with_one_line(
    data: Path, tmp_path: Path, run: Run, change: Callable[[str], str], message: str
) -> None:
    ended = run("train", spoil_labels(data, tmp_path / "spoilt", change), "--out", tmp_path / "m")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("primatrix: ")
    assert ended.err.count("\n") == 1
    assert message in ended.err
    assert not (tmp_path / "m").exists()


def test_the_split_is_said_and_kept_and_calibrate_can_follow(
    run: Run, make_video: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    names = [*["hog"] * 20, *["duiker"] * 20, "lion"]
    for i in range(len(names)):
        make_video(folder / f"{i}.avi", frames=3 + i, size=(16, 16), codec="mpeg4")
    table = pd.DataFrame({"filepath": [f"{i}.avi" for i in range(41)], "label": names})
    table.to_csv(tmp_path / "labels.csv", index=False)
    words = ("train", folder, "--labels", tmp_path / "labels.csv", "--architecture", "lrcn", "--frames", 2,
             "--workers", 0, "--epochs", 1, "--steps", 2, "--out", tmp_path / "m")  # fmt: skip
    ended = run(*words)
    assert ended.code == 0, ended.err
    split = [
        "training on 30 clips of 3 species, validating on 11 clips of 2 species",
        "fewer than 10 clips, too few to learn much of: lion 1",
    ]
    assert ended.out.splitlines()[:2] == split
    assert [line for line in ended.err.splitlines() if "clips of" in line or "fewer" in line] == [
        f"primatrix: {line}" for line in split
    ]
    assert re.fullmatch(
        r"epoch 1 of 1 is kept: validation loss 0\.\d{4}, (better|worse) than the constant's 0\.\d{4} \(.* of it\)",
        ended.out.splitlines()[-1],
    )
    kept = pd.read_csv(tmp_path / "m" / "split.csv", index_col="filepath")["part"]
    assert kept.value_counts().to_dict() == {"training": 30, "validation": 11}
    assert kept["40.avi"] == "training"
    answers = pd.read_csv(tmp_path / "m" / "validation.csv", index_col="filepath")
    assert set(answers.index) == set(kept.index[kept == "validation"])
    ended = run("calibrate", tmp_path / "m", tmp_path / "labels.csv", tmp_path / "m" / "validation.csv")
    assert (ended.code, "11 clips" in ended.out) == (0, True), ended.err
    again = run(*words, "-q")
    assert (again.code, again.err) == (0, "")
    assert load_model(tmp_path / "m").calibration is not None
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "m" / "validation.csv", index_col="filepath"), answers
    )


def test_calibrate_and_evaluate_take_a_models_own_answers_for_clips_it_was_not_trained_on(
    run: Run, make_video: Callable[..., Path], tmp_path: Path
) -> None:
    for card, more in (("a", 0), ("b", 50)):  # the same names on both
        (tmp_path / card).mkdir()
        for i in range(12):
            make_video(tmp_path / card / f"IMG_{i}.avi", frames=3 + i + more, size=(16, 16), codec="mpeg4")
    labels = tmp_path / "labels.csv"
    table = pd.DataFrame({"filepath": [f"IMG_{i}.avi" for i in range(12)], "label": ["hog", "duiker"] * 6})
    table.to_csv(labels, index=False)
    for name, seed in (("m", 0), ("other", 1)):
        words = ("--frames", 2, "--workers", 0, "--steps", 2, "--batch-size", 4, "--quiet", "--seed", seed)
        assert (
            run(
                "train",
                tmp_path / "a",
                "--labels",
                labels,
                "--architecture",
                "lrcn",
                *words,
                "--out",
                tmp_path / name,
            ).code
            == 0
        )
    for name, card in (("m", "a"), ("m", "b"), ("other", "b")):
        out = tmp_path / f"{name}-{card}"
        ended = run(
            "predict",
            tmp_path / card,
            "--model",
            tmp_path / name,
            "--raw",
            "--workers",
            0,
            "--out",
            out,
            "-q",
        )
        assert ended.code == 0, ended.err

    def calibrate(answers: str, *words: object) -> Any:  # Any: conftest's Ended
        return run("calibrate", tmp_path / "m", labels, tmp_path / answers / "predictions.csv", *words)

    for words in ((), ("--source", "out-of-fold")):
        assert re.search(
            r"was trained on [1-9]\d* of these 12 labelled clips, the first", calibrate("m-a", *words).err
        )
    assert "made by another model" in calibrate("other-b").err
    assert calibrate("m-b").code == 0  # another card with the same names
    evaluated = run("evaluate", labels, tmp_path / "other-b" / "predictions.csv", "--model", tmp_path / "m")
    assert "made by another model" in evaluated.err
    evaluated = run(
        "evaluate", labels, tmp_path / "m-a" / "predictions.csv", "--model", tmp_path / "m", "--no-figures"
    )
    assert re.search(r"the model was trained on \d+ of these clips", evaluated.out), evaluated.err


def test_a_benchmark_is_split_as_published_and_what_is_untrained_is_said(
    data: Path, tmp_path: Path, run: Run
) -> None:
    words = ("train", data, "--out", tmp_path / "m", "--epochs", 1, "--steps", 1, "--validation-steps", 1, "--workers",
             0)  # fmt: skip
    ended = run(*words)
    assert ended.code in (0, 1), ended.err
    lines = ended.out.splitlines()
    assert lines[1].startswith("training on 84 clips of ")
    assert any(line.startswith("not trained on, for all their clips validate: ") for line in lines)
    assert len(pd.read_csv(tmp_path / "m" / "validation.csv")) == 32  # the batch that was validated on


def test_the_best_epoch_is_kept_but_by_folds_the_last(
    run: Run, command: tuple[object, ...], tmp_path: Path
) -> None:
    """A fold's own clips must not choose which weights answer them."""
    assert run(*command, "--folds", 2, "--epochs", 1).code == 0
    assert load_model(tmp_path / "m" / "fold0").recipe["keep"] == "last"
    chosen = (*command, "--folds", 2, "--epochs", 1, "--set", "keep=best", "--out", tmp_path / "chosen")
    assert run(*chosen).code == 0
    assert load_model(tmp_path / "chosen" / "fold0").recipe["keep"] == "best"
    assert run(*command, "--epochs", 1, "--out", tmp_path / "one").code == 0
    assert load_model(tmp_path / "one").recipe["keep"] == "best"


def test_a_detector_is_for_networks_that_take_close_ups(
    run: Run, command: tuple[object, ...], tmp_path: Path
) -> None:
    ended = run(*command, "--detector", tmp_path / "md.onnx")
    assert ended.code == 2
    assert "--detector: got it with lrcn, which takes no close-ups; wanted linear_probe" in ended.err


def test_ones_own_footage_is_learned_by_a_linear_probe_unless_told_otherwise(
    run: Run, footage: Path, tmp_path: Path
) -> None:
    words = ("--store", tmp_path / "s", "--workers", 0, "--out", tmp_path / "m", "--quiet")
    ended = run(
        "train", footage, "--labels", footage / "labels.csv", "--epochs", 3, "--size", "32x32", *words
    )
    assert ended.code in (0, 1), ended.err  # 1: some of its files are broken
    assert load_model(tmp_path / "m").name == "linear_probe"
    assert "--size: not used, linear_probe looks at pictures as its encoder wants them" in ended.err
    assert "--epochs: not used, up to 20,000 clips are fitted at once" in ended.err
    assert "average precision" in ended.out
    assert f"model: {tmp_path / 'm'}" in ended.out
    again = run("train", footage, "--labels", footage / "labels.csv", *words)
    assert again.out.splitlines()[-1] == ended.out.splitlines()[-1]


def test_of_more_clips_than_can_be_fitted_at_once_some_validate(
    run: Run, footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("primatrix.training.probe.MOST_FITTED", 5)
    monkeypatch.setattr("primatrix.training.MOST_FITTED", 5, raising=False)
    words = ("--store", tmp_path / "s", "--workers", 0, "--out", tmp_path / "m", "--steps", 2, "--epochs", 1)
    ended = run("train", footage, "--labels", footage / "labels.csv", *words)
    assert ended.code in (0, 1), ended.err
    assert "validating on" in ended.out.splitlines()[0]
    assert "epoch 1 of 1 is kept: validation loss" in ended.out.splitlines()[-1]
