from pathlib import Path

import pytest

from primatrix.errors import InputError
from primatrix.tagging.answers import Answer
from primatrix.tagging.card import Footage, check_out, remove_left_over
from primatrix.video import find_videos


def test_each_file_is_pending_once_whatever_its_names(tmp_path: Path) -> None:
    for name, content in (("a.mp4", b"one"), ("b.mp4", b"two"), ("c.mp4", b"one")):
        (tmp_path / name).write_bytes(content)
    footage = Footage.look_at(find_videos(tmp_path))
    assert sorted(video.name for video in footage.list_pending(set())) == ["a.mp4", "b.mp4"]
    assert [video.name for video in footage.list_pending({footage.keys["a.mp4"]})] == ["b.mp4"]
    passing = footage.add({"a.mp4": Answer("failed", "read", "the disk")})
    assert sorted(passing.unread) == ["a.mp4", "c.mp4"]


def test_results_with_and_without_a_model_are_not_written_over_each_other(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / "predictions.csv").write_text("")
    assert check_out(tmp_path, "card", with_model=True) == tmp_path
    with pytest.raises(InputError, match=r"holds the answers of a model, wanted .* give another --out"):
        check_out(tmp_path, "card", with_model=False)
    (tmp_path / "movements.csv").write_text("")
    assert check_out(tmp_path, "card", with_model=False) == tmp_path
    with pytest.raises(
        InputError, match=r"holds what was found without a model, wanted .* give another --out"
    ):
        check_out(tmp_path, "card", with_model=True)


def test_a_table_of_somebody_else_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "movements.csv").write_text("animals tracked by hand")
    with pytest.raises(InputError, match=r"holds movements\.csv, which are not of an earlier prediction"):
        check_out(tmp_path, "card", with_model=False)
    with pytest.raises(InputError, match="wanted a folder for the results of card"):
        check_out(tmp_path / "out.csv", "card", with_model=False)


def test_what_a_killed_run_left_goes(tmp_path: Path) -> None:
    for name in (".clips.csv.host-1.part", ".movements.csv.host-2.part", ".mine.part"):
        (tmp_path / name).touch()
    remove_left_over(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".mine.part"]
