from pathlib import Path

import numpy as np
import pytest

from primatrix.disk.parts import Answers

CLIPS = [("a.mp4", 10, 1), ("b.mp4", 20, 2)]
GIVEN = np.array([[0.25, 0.75], [0.5, 0.5]], np.float32)


@pytest.fixture
def kept(tmp_path: Path) -> Answers:
    answers = Answers(tmp_path / "parts", made_by="lrcn")
    answers.write(CLIPS, GIVEN)
    answers.write_arrays(CLIPS, {"clip": GIVEN, "seconds": np.array([0.5])})
    return answers


def test_answers_come_back_to_the_last_bit(kept: Answers) -> None:
    found, arrays = kept.read(CLIPS), kept.read_arrays(CLIPS)
    assert found is not None
    assert found.dtype == np.float32
    assert np.array_equal(found, GIVEN)
    assert arrays is not None
    assert sorted(arrays) == ["clip", "seconds"]
    assert np.array_equal(arrays["clip"], GIVEN)


@pytest.mark.parametrize(
    "asked",
    [
        CLIPS[:1],
        CLIPS[::-1],
        [("a.mp4", 11, 1), CLIPS[1]],
        [("a.mp4", 10, 9), CLIPS[1]],
        [("c.mp4", 10, 1), CLIPS[1]],
    ],
    ids=["fewer", "another order", "another size", "changed since", "another name"],
)
def test_other_clips_find_nothing(kept: Answers, asked: list[tuple[str, int, int]]) -> None:
    assert kept.read(asked) is None
    assert kept.read_arrays(asked) is None


def test_another_model_finds_nothing(kept: Answers) -> None:
    other = Answers(kept.folder, made_by="motion")
    assert other.read(CLIPS) is None
    assert other.read_arrays(CLIPS) is None


def test_damaged_answers_are_none(kept: Answers) -> None:
    for path in kept.folder.iterdir():
        path.write_bytes(path.read_bytes()[:-30])
    assert kept.read(CLIPS) is None
    assert kept.read_arrays(CLIPS) is None
    for path in kept.folder.iterdir():
        path.write_bytes(b"")
    assert kept.read(CLIPS) is None
    assert kept.read_arrays(CLIPS) is None


def test_answers_of_another_number_of_clips_are_none(kept: Answers) -> None:
    kept.write(CLIPS, GIVEN[:1])
    assert kept.read(CLIPS) is None


def test_removing_takes_the_folder_and_may_be_done_twice(kept: Answers) -> None:
    for _ in range(2):
        kept.remove()
        assert not kept.folder.exists()
    assert kept.read(CLIPS) is None
