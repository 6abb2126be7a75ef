from functools import partial
from pathlib import Path

import numpy as np
import pytest

from primatrix.tagging.answers import Answer, pack_answers, unpack_answers
from primatrix.tagging.kept import KeptAnswers

KEYS = [bytes([i]) * 16 for i in range(5)]


def answer(i: int) -> Answer:
    pts = np.arange(i + 1.0)
    return Answer(
        "ok",
        facts={"codec": f"c{i}"},
        clip=np.full(2, i / 10),
        pts_seconds=pts,
        frames=np.full((i + 1, 2), i / 10),
    )


def open_kept(folder: Path, *, made_by: str = "lrcn") -> KeptAnswers:
    return KeptAnswers(
        folder, made_by=made_by, pack=partial(pack_answers, species_count=2), unpack=unpack_answers
    )


@pytest.fixture
def kept(tmp_path: Path) -> KeptAnswers:
    kept = open_kept(tmp_path / "answers")
    kept.write(KEYS[:3], [answer(i) for i in range(3)])
    kept.write(KEYS[3:], [answer(3), Answer("failed", "open", "empty file")])
    return kept


def read(kept: KeptAnswers, places: dict[bytes, list[int]]) -> dict[int, Answer]:
    return {place: found for part in kept.read(places) for at, found in part for place in at}


def test_answers_come_back_by_what_the_files_are_at_the_places_asked_for(kept: KeptAnswers) -> None:
    assert kept.find_keys() == set(KEYS)
    found = read(kept, {KEYS[4]: [0], KEYS[1]: [7, 3]})
    assert sorted(found) == [0, 3, 7]
    assert (found[0].status, found[0].stage, found[0].reason) == ("failed", "open", "empty file")
    assert found[7].facts == found[3].facts == {"codec": "c1"}
    np.testing.assert_allclose(found[3].frames, np.full((2, 2), 0.1))


def test_parts_are_read_in_the_order_they_were_written(kept: KeptAnswers) -> None:
    parts = [[places for places, _ in part] for part in kept.read({key: [i] for i, key in enumerate(KEYS)})]
    assert parts == [[[0], [1], [2]], [[3], [4]]]


def test_another_model_finds_nothing_and_leaves_the_answers_until_it_is_done(
    kept: KeptAnswers, tmp_path: Path
) -> None:
    other = open_kept(tmp_path / "answers", made_by="motion")
    assert other.find_keys() == set()
    other.write(KEYS[:1], [answer(0)])
    assert kept.find_keys() == set(KEYS)
    other.remove_others()
    assert kept.find_keys() == set()
    assert other.find_keys() == {KEYS[0]}


def test_a_file_answered_twice_is_read_once(kept: KeptAnswers) -> None:
    kept.write(KEYS[:1], [answer(0)])
    assert [len(part) for part in kept.read({KEYS[0]: [0]})] == [1]


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_damaged_part_counts_as_not_there(kept: KeptAnswers, content: bytes | None) -> None:
    part = sorted(kept.folder.glob("*.npz"))[1]
    part.write_bytes(part.read_bytes()[:-200] if content is None else content)
    assert kept.find_keys() == set(KEYS[:3])


def test_nothing_to_keep_makes_no_file(tmp_path: Path) -> None:
    empty = open_kept(tmp_path / "answers")
    empty.write([], [])
    empty.remove_others()
    assert (empty.find_keys(), list(tmp_path.iterdir())) == (set(), [])
