"""The commands about models, run in this process."""

import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from primatrix.models import Ensemble, load_model

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*words: object) -> tuple[int, str, str]:
        from primatrix.cli import main

        monkeypatch.setattr(sys, "argv", ["primatrix", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capfd.readouterr()
        return int(ended.value.code or 0), printed.out, printed.err

    return call


@pytest.fixture(scope="module")
def footage(make_video: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("footage")
    rows = []
    for i in range(18):
        make_video(folder / f"{i}.avi", frames=3 + i, size=(16, 16), codec="mpeg4")
        rows.append((f"{i}.avi", ("hog", "duiker", "blank")[i % 3], f"site{i % 6}"))
    pd.DataFrame(rows, columns=["filepath", "label", "site"]).to_csv(folder / "labels.csv", index=False)
    return folder


@pytest.fixture
def command(footage: Path, tmp_path: Path) -> tuple[object, ...]:
    return (
        "train", footage, "--labels", footage / "labels.csv", "--frames", 2, "--store", tmp_path / "s", "--workers", 0,
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
    code, out, err = run(*command, *words)
    assert (code, out.splitlines()[-1]) == (0, f"model: {tmp_path / 'm'}"), err
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
    code, out, err = run(*command, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_folds_give_a_table_and_an_ensemble(run: Run, command: tuple[object, ...], tmp_path: Path) -> None:
    code, out, err = run(*command, "--folds", 2, "--epochs", 1)
    assert code == 0, err
    assert out.splitlines()[2].startswith("out-of-fold aggregated log loss ")
    assert len(pd.read_csv(tmp_path / "m" / "oof.csv")) == 18
    assert isinstance(load_model(tmp_path / "m"), Ensemble)


def test_a_dry_run_decodes_a_few_clips_and_keeps_nothing(
    run: Run, command: tuple[object, ...], tmp_path: Path
) -> None:
    code, out, err = run(*command, "--architecture", "motion", "--dry-run", "--folds", 5)
    assert code == 0, err
    assert (
        out.splitlines()[-1] == "dry run: trained, validated, saved, loaded and predicted; nothing was kept"
    )
    assert not (tmp_path / "m").exists()
    code, out, _ = run("info", tmp_path / "m")
    assert code == 2


def test_options_of_the_network_are_set_by_words(
    run: Run, command: tuple[object, ...], tmp_path: Path
) -> None:
    words = ("--architecture", "motion", "--option", "width=4", "--option", "view=window", "--epochs", 1)
    code, _, err = run(*command, *words)
    assert code == 0, err
    options = load_model(tmp_path / "m").options
    assert (options["width"], options["view"]) == (4, "window")


def test_a_file_where_the_models_folder_should_be_is_refused_before_the_work(
    run: Run, command: tuple[object, ...], tmp_path: Path
) -> None:
    (tmp_path / "m").write_text("a file")
    code, out, err = run(*command)
    assert (code, out) == (2, "")
    assert f"--out {tmp_path / 'm'}: {tmp_path / 'm'} is a file, wanted a folder" in err
    assert not (tmp_path / "s").exists()
    code, _, err = run(*command[:-1], tmp_path / "m" / "deeper")
    assert (code, err.count("is a file, wanted a folder")) == (2, 1)


def test_a_run_is_not_gone_on_with_in_other_batches_or_for_other_sites(
    run: Run, command: tuple[object, ...], tmp_path: Path
) -> None:
    words = ("--held-out-sites", "site0")
    code, _, err = run(*command, *words, "--epochs", 1)
    assert code == 0, err
    code, _, err = run(*command, *words, "--epochs", 2, "--batch-size", 3)
    assert (code, "holds a run with batch_size 4" in err, "got batch_size 3" in err) == (2, True, True), err
    code, _, err = run(*command, "--held-out-sites", "site1", "--epochs", 2)
    assert (code, "holds a run with labels and validating clips " in err) == (2, True), err


def test_of_a_benchmark_folder_flags_of_footage_are_named(run: Run, tmp_path: Path) -> None:
    code, _, err = run("simulate", tmp_path / "d", "--train", 12, "--test", 4, "--quiet")
    assert code == 0, err
    code, _, err = run("train", tmp_path / "d", "--size", "32x32", "--dry-run", "--quiet", "--workers", 0)
    assert code == 0, err
    assert "primatrix: --size: not used, since this is a benchmark folder" in err
