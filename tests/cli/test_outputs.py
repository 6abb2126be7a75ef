"""Where an output cannot be written, that is found out before the work; what others wrote stays as it is."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from primatrix.results import Results

Run = Callable[..., Any]  # Any: conftest's Ended
Make = Callable[[str], tuple[object, ...]]


@pytest.fixture
def nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is looked into and no network asked while a test runs."""

    def refuse(*_: object) -> None:
        raise AssertionError("work began")

    for place in ("video.pool.FilePool.map", "video.pool.DecodePool.map", "video.identity.identify"):
        monkeypatch.setattr(f"primatrix.{place}", refuse)


@pytest.fixture
def words(
    footage: Path, data: Path, model: Path, tmp_path: Path, example: Results
) -> dict[str, tuple[object, ...]]:
    """Every command that writes, but for its place, which comes last."""
    example.write(tmp_path / "results")
    of_labels = ("--labels", footage / "labels.csv")
    return {
        "scan": ("scan", footage, "--out"),
        "downsample": ("downsample", footage),
        "train": ("train", footage, *of_labels, "--architecture", "lrcn", "--steps", 1, "--out"),
        "train by folds": ("train", footage, *of_labels, "--architecture", "lrcn", "--steps", 1, "--folds", 2, "--out"),
        "predict": ("predict", footage, "--model", model, "--out"),
        "predict a benchmark": ("predict", data, "--model", model, "--out"),
        "evaluate": ("evaluate", footage / "labels.csv", footage, "--model", model, "--no-figures", "--out"),
        "report": ("report", tmp_path / "results", "--out"),
        "export": ("export", tmp_path / "results", "--out"),
        "export a package": ("export", tmp_path / "results", "--to", "camtrap-dp", "--out"),
        "simulate": ("simulate",),
        "demo": ("demo", "--out"),
        "pack": ("pack", footage, "--store"),
    }  # fmt: skip


FILES = {"scan": "s.csv", "predict a benchmark": "p.csv", "report": "r.html", "export": "e.csv"}
FOLDERS = (
    "downsample",
    "train",
    "train by folds",
    "predict",
    "evaluate",
    "export a package",
    "simulate",
    "demo",
    "pack",
)


@pytest.mark.usefixtures("nothing_is_read")
@pytest.mark.parametrize("command", FILES)
def test_a_folder_where_a_file_is_to_be_is_found_before_the_work(
    command: str, words: dict[str, tuple[object, ...]], tmp_path: Path, run: Run
) -> None:
    place = tmp_path / FILES[command]
    place.mkdir()
    ended = run(*words[command], place)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert f"{place}: is a folder, wanted the name of a file to write" in ended.err
    assert list(place.iterdir()) == []


@pytest.mark.usefixtures("nothing_is_read")
@pytest.mark.parametrize("command", [*FILES, *FOLDERS])
def test_a_file_where_a_folder_is_to_be_is_found_before_the_work(
    command: str, words: dict[str, tuple[object, ...]], tmp_path: Path, run: Run
) -> None:
    (tmp_path / "file").write_text("mine")
    ended = run(*words[command], tmp_path / "file" / FILES.get(command, "deeper"))
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert str(tmp_path / "file") in ended.err
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.usefixtures("nothing_is_read")
@pytest.mark.parametrize("command", [*FILES, *FOLDERS])
def test_a_place_that_may_not_be_written_is_found_before_the_work(
    command: str,
    words: dict[str, tuple[object, ...]],
    footage: Path,
    data: Path,
    model: Path,
    tmp_path: Path,
    public_folder: Path,
    as_anyone: Callable[[], AbstractContextManager[None]],
    run: Run,
) -> None:
    """All that is read lies where everybody may read it, as pytest's own folders do not."""
    changed = list(words[command])
    for folder in (footage, data, model, tmp_path / "results"):
        moved = shutil.copytree(folder, public_folder / folder.name)
        changed = [
            moved / word.relative_to(folder)
            if isinstance(word, Path) and word.is_relative_to(folder)
            else word
            for word in changed
        ]
    with as_anyone():
        ended = run(*changed, public_folder / "new" / FILES.get(command, "deeper"))
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "Permission denied" in ended.err
    assert not (public_folder / "new").exists()


def test_two_submissions_of_a_folder_have_a_list_of_failures_each(
    data: Path, model: Path, tmp_path: Path, run: Run
) -> None:
    words = ("predict", data, "--model", model, "--store", tmp_path / "s", "--workers", 0, "-q", "--out")
    (tmp_path / "failures.csv").write_text("filename,stage,reason\nanother,open,of a training\n")
    first = run(*words, tmp_path / "first.csv")
    second = run(*words, tmp_path / "second.csv")
    assert first.code == second.code == 1
    lists = [tmp_path / f"{name}.failures.csv" for name in ("first", "second")]
    assert lists[0].read_text() == lists[1].read_text() != ""
    assert f"see {lists[1]}" in second.err
    assert "another,open,of a training" in (tmp_path / "failures.csv").read_text()


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("predict", "failures.csv"), ("predict", "clips.csv"), ("predict", "model.json"), ("train", "failures.csv"),
        ("train", "run.json"), ("train by folds", "oof.csv"), ("evaluate", "species.csv"),
        ("export a package", "deployments.csv"), ("downsample", "notes.txt"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("nothing_is_read")
def test_a_folder_with_files_of_another_is_not_written_into(
    command: str, name: str, words: dict[str, tuple[object, ...]], tmp_path: Path, run: Run
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("mine")
    ended = run(*words[command], tmp_path / "out")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "holds " in ended.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]
    assert (tmp_path / "out" / name).read_text() == "mine"


@pytest.mark.usefixtures("nothing_is_read")
def test_a_submission_replaces_no_table_of_the_benchmark(
    words: dict[str, tuple[object, ...]], data: Path, run: Run
) -> None:
    before = (data / "train_labels.csv").read_bytes()
    ended = run(*words["predict a benchmark"], data / "train_labels.csv")
    assert (ended.code, ended.out) == (2, "")
    assert "is a table of the benchmark itself" in ended.err
    assert (data / "train_labels.csv").read_bytes() == before
