"""A run that loses many clips says so first, with the commonest reason; one that loses a few does not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

Run = Callable[..., Any]  # Any: conftest's Ended
REASON = "not readable as video: Invalid data found when processing input"


@pytest.fixture
def damaged(footage: Path, tmp_path: Path) -> Path:
    """A copy of 18 labelled clips, 12 of which are no video any more."""
    folder = tmp_path / "damaged"
    folder.mkdir()
    for i, path in enumerate(sorted(footage.glob("*.avi"))):
        (folder / path.name).write_bytes(b"no video" if i % 3 else path.read_bytes())
    (tmp_path / "labels.csv").write_text((footage / "labels.csv").read_text())
    return folder


def test_pack_and_downsample_and_scan(damaged: Path, tmp_path: Path, run: Run) -> None:
    head = f"12 of 18 {{}} (67 %) could not be read: {REASON}"
    packed = run("pack", damaged, "--workers", 0, "-q", "--store", tmp_path / "s")
    assert (packed.code, packed.out.splitlines()[0]) == (1, head.format("clips"))
    again = run("pack", damaged, "--workers", 0, "-q", "--store", tmp_path / "s")
    assert again.out.splitlines()[0] == head.format("clips")
    smaller = run("downsample", damaged, tmp_path / "small", "--workers", 0, "-q")
    assert (smaller.code, smaller.out.splitlines()[0]) == (1, head.format("videos"))
    scanned = run("scan", damaged, "--workers", 0, "-q")
    assert (scanned.code, scanned.err.splitlines()[0]) == (1, f"primatrix: {head.format('videos')}")


def test_predict_and_what_is_measured_of_it(damaged: Path, model: Path, tmp_path: Path, run: Run) -> None:
    ended = run("predict", damaged, "--model", model, "--out", tmp_path / "out", "--workers", 0, "-q")
    assert (ended.code, ended.out.splitlines()[0]) == (
        1,
        f"12 of 18 videos (67 %) could not be read: {REASON}",
    )
    labels, predictions = tmp_path / "labels.csv", tmp_path / "out" / "predictions.csv"
    head = f"12 of 18 clips (67 %) could not be read: {REASON}"
    assert run("score", labels, predictions).out.splitlines()[0] == head
    assert run("evaluate", labels, predictions).out.splitlines()[0] == head


def test_train(damaged: Path, tmp_path: Path, run: Run) -> None:
    words = ("train", damaged, "--labels", tmp_path / "labels.csv", "--architecture", "lrcn", "--steps", 1,
             "--workers", 0, "-q", "--store", tmp_path / "s", "--frames", 2)  # fmt: skip
    head = f"12 of 18 clips (67 %) could not be read: {REASON}"
    one = run(*words, "--out", tmp_path / "m")
    assert (one.code, one.out.splitlines()[0]) == (1, head)
    folds = run(*words, "--folds", 2, "--epochs", 1, "--out", tmp_path / "f")
    assert (folds.code, folds.out.splitlines()[0]) == (1, head)


def test_a_benchmarks_submission_and_its_score(data: Path, model: Path, tmp_path: Path, run: Run) -> None:
    """Rows of lost clips hold class frequencies, so the score alone would not tell."""
    folder = tmp_path / "data"
    (folder / "nano").mkdir(parents=True)
    for name in ("train_labels.csv", "submission_format.csv", "test_labels.csv"):
        (folder / name).write_bytes((data / name).read_bytes())
    test = pd.read_csv(folder / "test_labels.csv")["filename"].tolist()
    for path in (data / "nano").iterdir():
        (folder / "nano" / path.name).symlink_to(path)
    for name in test[:40]:
        (folder / "nano" / name).unlink()
    ended = run("predict", folder, "--model", model, "--out", tmp_path / "p.csv", "--workers", 0, "-q", "--store",
                tmp_path / "s")  # fmt: skip
    first = ended.out.splitlines()[0]
    assert (ended.code, first[:47]) == (1, "40 of 45 clips (89 %) could not be read: no suc")
    assert run("score", folder / "test_labels.csv", tmp_path / "p.csv").out.splitlines()[0] == first
    assert run("evaluate", folder / "test_labels.csv", tmp_path / "p.csv").out.splitlines()[0] == first


def test_one_lost_clip_of_fifty_is_no_headline(tmp_path: Path, run: Run, copy_avi: Callable[..., Path],
                                               footage: Path) -> None:  # fmt: skip
    folder = tmp_path / "card"
    folder.mkdir()
    for i in range(49):
        copy_avi(footage / "0.avi", folder / f"{i}.avi", number=i)
    (folder / "broken.avi").write_bytes(b"no video")
    ended = run("pack", folder, "--workers", 0, "-q", "--store", tmp_path / "s")
    assert (ended.code, ended.out.splitlines()[0].split(" in ")[0]) == (1, "50 clips packed")
