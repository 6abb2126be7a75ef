import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from primatrix.disk import hold_lock
from primatrix.errors import InputError
from primatrix.models import Model, build_model
from primatrix.records import ClipSpec
from primatrix.results import Results
from primatrix.tagging import tagger
from primatrix.tagging.folder import predict_folder
from primatrix.tagging.growth import Growth
from primatrix.tagging.spec import TagSpec

SPECIES = ["blank", "hog"]
MakeVideo = Callable[..., Path]


@pytest.fixture
def model() -> Model:
    return build_model("lrcn", species=SPECIES, spec=ClipSpec(2, 16, 16))


@pytest.fixture
def card(make_video: MakeVideo, tmp_path: Path) -> Path:
    """A card with three clips and a file that is no video."""
    folder = tmp_path / "card"
    folder.mkdir()
    for i in range(3):
        make_video(folder / f"IMG_000{i + 1}.avi", frames=8 + i, size=(16, 16), codec="mpeg4")
    (folder / "IMG_0009.avi").write_bytes(b"no video")
    return folder


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of videos that are decoded, in order."""
    names: list[str] = []
    walk = tagger.walk_videos
    monkeypatch.setattr(
        tagger,
        "walk_videos",
        lambda videos, *a, **k: walk((names.append(v.name) or v for v in videos), *a, **k),
    )
    return names


def read_tables(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.glob("*.csv")}


def test_a_new_clip_in_front_is_the_only_one_looked_at(
    card: Path, model: Model, make_video: MakeVideo, tmp_path: Path, looked_at: list[str]
) -> None:
    first = predict_folder(card, model, tmp_path / "out", workers=0).results
    make_video(card / "IMG_0000.avi", frames=20, size=(16, 16), codec="mpeg4")
    looked_at.clear()
    run = predict_folder(card, model, tmp_path / "out", workers=0)
    assert looked_at == ["IMG_0000.avi"]
    assert run.results.predictions["filepath"].tolist() == [f"IMG_000{i}.avi" for i in (0, 1, 2, 3, 9)]
    pd.testing.assert_frame_equal(run.results.probabilities.iloc[1:], first.probabilities)
    assert run.summary().splitlines()[1] == "since the last run: 1 new, 0 changed, 4 known"
    whole = predict_folder(card, model, tmp_path / "anew", workers=0).results
    np.testing.assert_allclose(run.results.probabilities, whole.probabilities, atol=4e-3)  # other batches
    pd.testing.assert_frame_equal(run.results.clips, whole.clips)


def test_a_changed_file_is_looked_at_again(
    card: Path, model: Model, tmp_path: Path, looked_at: list[str]
) -> None:
    predict_folder(card, model, tmp_path / "out", workers=0)
    (card / "IMG_0002.avi").write_bytes((card / "IMG_0003.avi").read_bytes() + b"JUNK\0\0\0\0")
    looked_at.clear()
    run = predict_folder(card, model, tmp_path / "out", workers=0)
    assert looked_at == ["IMG_0002.avi"]
    assert run.summary().splitlines()[1] == "since the last run: 0 new, 1 changed, 3 known"
    assert run.results.clips["frame_count"].tolist()[:3] == [8, 10, 10]


def test_a_folder_that_was_moved_or_sorted_is_known_again(
    card: Path, model: Model, tmp_path: Path, looked_at: list[str]
) -> None:
    predict_folder(card, model, tmp_path / "out", workers=0)
    (card / "sorted").mkdir()
    (card / "IMG_0002.avi").rename(card / "sorted" / "duiker.avi")
    moved = card.rename(tmp_path / "archive")
    looked_at.clear()
    run = predict_folder(moved, model, tmp_path / "out", workers=0)
    assert looked_at == []
    assert run.results.clips["filepath"].tolist() == [
        "IMG_0001.avi",
        "IMG_0003.avi",
        "IMG_0009.avi",
        "sorted/duiker.avi",
    ]
    assert run.growth.gone == ()


def test_rows_of_files_that_are_gone_are_kept_and_it_is_said(
    card: Path, model: Model, tmp_path: Path
) -> None:
    spec = TagSpec(per_frame=True, site_from="{site}_{file}")
    predict_folder(card, model, tmp_path / "out", spec=spec, workers=0)
    before = Results.read(tmp_path / "out")
    (card / "IMG_0001.avi").unlink()
    (card / "IMG_0009.avi").unlink()
    run = predict_folder(card, model, tmp_path / "out", spec=spec, workers=0)
    line = "since the last run: 0 new, 0 changed, 2 known; 2 no longer there (their rows are kept)"
    assert run.summary().splitlines()[1] == line
    after = Results.read(tmp_path / "out")
    for name in ("predictions", "clips", "sightings", "failures"):
        pd.testing.assert_frame_equal(getattr(after, name), getattr(before, name))
    assert before.frames is not None
    assert after.frames is not None
    assert len(after.frames) == len(before.frames)
    again = predict_folder(card, model, tmp_path / "out", spec=spec, workers=0)
    assert len(again.results.clips) == 4


def test_rows_of_files_that_are_gone_are_not_mixed_with_another_models(
    card: Path, model: Model, tmp_path: Path
) -> None:
    predict_folder(card, model, tmp_path / "out", workers=0)
    (card / "IMG_0001.avi").unlink()
    other = build_model("lrcn", species=SPECIES, spec=model.spec, seed=1)
    run = predict_folder(card, other, tmp_path / "out", workers=0)
    assert "1 no longer there (their rows are left out: another model gave them)" in run.summary()
    assert run.results.clips["filepath"].tolist() == ["IMG_0002.avi", "IMG_0003.avi", "IMG_0009.avi"]


@pytest.fixture
def other_card(card: Path, make_video: MakeVideo, tmp_path: Path) -> Path:
    """Another camera's card, with the same names and other clips."""
    folder = tmp_path / "other"
    folder.mkdir()
    for i, path in enumerate(sorted(card.iterdir())):
        make_video(folder / path.name, frames=30 + i, size=(16, 16), codec="mpeg4")
        os.utime(folder / path.name, ns=(path.stat().st_mtime_ns, path.stat().st_mtime_ns))
    return folder


def test_another_card_by_the_same_relative_path_never_replaces_results(
    card: Path, other_card: Path, model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, one in enumerate((card, other_card), start=1):
        (tmp_path / f"card{number}").mkdir()
        one.rename(tmp_path / f"card{number}" / "DCIM")
    monkeypatch.chdir(tmp_path / "card1")
    predict_folder("DCIM", model, tmp_path / "R", workers=0)
    before = read_tables(tmp_path / "R")
    monkeypatch.chdir(tmp_path / "card2")
    message = r"R: holds the results of .*card1/DCIM; of its 4 files 0 are in DCIM, and 4 of the same names are other"
    with pytest.raises(InputError, match=message):
        predict_folder("DCIM", model, tmp_path / "R", workers=0)
    assert read_tables(tmp_path / "R") == before


def test_another_card_at_the_same_mount_point_never_replaces_results(
    card: Path, other_card: Path, model: Model, tmp_path: Path
) -> None:
    predict_folder(card, model, tmp_path / "R", workers=0)
    before = read_tables(tmp_path / "R")
    shutil.copy(card / "IMG_0001.avi", other_card / "shared test clip.avi")
    shutil.rmtree(card)
    other_card.rename(card)
    with pytest.raises(InputError, match=r"of its 4 files 1 are in .*Another card"):
        predict_folder(card, model, tmp_path / "R", workers=0)
    assert read_tables(tmp_path / "R") == before


def test_what_cannot_be_read_just_now_keeps_the_answer_it_had(
    public_folder: Path, card: Path, model: Model, looked_at: list[str],
    as_anyone: Callable[[], AbstractContextManager[None]],
) -> None:  # fmt: skip
    mounted, out = public_folder / "mounted", public_folder / "out"
    shutil.copytree(card, mounted)
    out.mkdir()
    out.chmod(0o777)
    with as_anyone():
        first = predict_folder(mounted, model, out, workers=0)
    shutil.copy(mounted / "IMG_0001.avi", mounted / "new.avi")
    with (mounted / "new.avi").open("ab") as file:
        file.write(b"JUNK\0\0\0\0")
    for name in ("IMG_0002.avi", "new.avi"):
        (mounted / name).chmod(0)
    with as_anyone():
        run = predict_folder(mounted, model, out, workers=0)
    assert run.summary().splitlines()[1] == (
        "since the last run: 1 new, 0 changed, 3 known; 1 cannot be read just now (their earlier answers stand)"
    )
    pd.testing.assert_frame_equal(run.results.probabilities.iloc[:4], first.results.probabilities)
    assert run.results.failures.to_numpy().tolist()[1] == [
        "new.avi",
        "read",
        "not readable: Permission denied",
    ]
    (mounted / "new.avi").chmod(0o644)
    looked_at.clear()
    with as_anyone():
        assert predict_folder(mounted, model, out, workers=0).results.failures["filename"].tolist() == [
            "IMG_0009.avi"
        ]
    assert looked_at == ["new.avi"]


def test_what_failed_for_good_is_tried_again_only_on_demand(
    card: Path, model: Model, tmp_path: Path, looked_at: list[str]
) -> None:
    predict_folder(card, model, tmp_path / "out", workers=0)
    looked_at.clear()
    predict_folder(card, model, tmp_path / "out", workers=0)
    assert looked_at == []
    predict_folder(card, model, tmp_path / "out", retry_failed=True, workers=0)
    assert looked_at == ["IMG_0009.avi"]


def test_a_folder_that_may_not_be_listed_is_in_the_results(
    public_folder: Path, card: Path, model: Model, as_anyone: Callable[[], AbstractContextManager[None]]
) -> None:
    shutil.copytree(card, public_folder / "card")
    (public_folder / "card" / "locked").mkdir(mode=0)
    (public_folder / "out").mkdir()
    (public_folder / "out").chmod(0o777)
    with as_anyone():
        predict_folder(public_folder / "card", model, public_folder / "out", workers=0)
    found = Results.read(public_folder / "out")
    assert found.failures["filename"].tolist() == ["IMG_0009.avi", "locked/"]
    assert len(found.clips) == 4


def test_two_predictions_into_one_place_are_refused(card: Path, model: Model, tmp_path: Path) -> None:
    (tmp_path / "out" / ".answers").mkdir(parents=True)
    with (
        hold_lock(tmp_path / "out" / ".answers" / "lock", on_wait=list),
        pytest.raises(InputError, match="another prediction is writing there"),
    ):
        predict_folder(card, model, tmp_path / "out", workers=0)


def test_a_first_run_has_nothing_to_say() -> None:
    assert Growth(new=3).summary() == ""
