from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from primatrix.tagging.group_sheets import choose_shown, write_sheets
from primatrix.tagging.sights import Sight, draw_picture

RED, BLUE = (200, 30, 30), (30, 30, 200)
CLOSEUPS = np.array([[3.0, 0, 0, 1, 1, 0.5]])


def make_sight(colour: tuple[int, int, int]) -> Sight:
    picture = draw_picture(np.full((32, 32, 3), colour, np.uint8))
    return Sight("ok", closeups=CLOSEUPS, features=np.ones(3), picture=picture)


def read_pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "JPEG"
        return np.asarray(picture).astype(int)


def write(out: Path, members: dict[str, list[int]], asked: list[set[int]] | None = None) -> list[str]:
    def read(rows: Iterable[int]) -> Iterable[tuple[int, Sight]]:
        rows = set(rows)
        if asked is not None:
            asked.append(rows)
        yield from ((row, make_sight(BLUE if row % 2 else RED)) for row in rows)

    return [path.name for path in write_sheets(out, members, [f"a/Ü{i}.mp4" for i in range(100)], read)]


def test_a_sheet_shows_each_clip_in_its_place(tmp_path: Path) -> None:
    assert write(tmp_path, {"1": [4, 3, 8, 6, 10, 12, 7], "nothing moves": [2]}) == [
        "01.jpg",
        "nothing_moves.jpg",
    ]
    sheet = read_pixels(tmp_path / "groups" / "01.jpg")
    assert sheet.shape == (24 + 2 * 180 + 4, 6 * 164 - 4, 3)
    centres = [sheet[24 + 80 + 180 * (i // 6), 80 + 164 * (i % 6)] for i in range(8)]
    is_blue = [bool(np.abs(centre - BLUE).max() < 12) for centre in centres]
    assert is_blue == [False, True, False, False, False, False, True, False]
    assert centres[7].min() > 250  # there is no eighth
    captions = sheet[24 + 162 : 24 + 176, :160]
    assert (captions.max(-1) < 100).sum() > 20


def test_of_many_clips_24_are_shown_and_only_those_are_read(tmp_path: Path) -> None:
    asked: list[set[int]] = []
    write(tmp_path, {"1": list(range(99))}, asked)
    assert [len(rows) for rows in asked] == [24]
    assert {0, 98} <= asked[0]
    assert choose_shown([3, 1]) == [3, 1]


def test_sheets_of_an_earlier_run_go_and_files_of_others_stay(tmp_path: Path) -> None:
    write(tmp_path, {"1": [1], "2": [2], "nothing moves": [3]})
    (tmp_path / "groups" / "mine.jpg").write_bytes(b"")
    write(tmp_path, {"1": [1]})
    assert sorted(path.name for path in (tmp_path / "groups").iterdir()) == ["01.jpg", "mine.jpg"]


def test_the_same_clips_give_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a", {"1": [1, 2]})
    write(tmp_path / "b", {"1": [1, 2]})
    first, second = ((tmp_path / name / "groups" / "01.jpg").read_bytes() for name in "ab")
    assert first == second
