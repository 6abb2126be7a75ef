from pathlib import Path

import numpy as np
import pytest

from primatrix.data.shards import (
    INDEX_SCHEMA,
    SCHEMA,
    list_shards,
    read_index,
    read_pixels,
    remove_unfinished,
    write_shard,
)
from primatrix.records import Clip, Failure, Video

KEYS = [bytes([number]) * 16 for number in range(3)]
VIDEOS = [
    Video(Path(f"{name}.mp4"), f"{name}.mp4", size, 7 * size, stamp=name.encode() * 16)
    for name, size in (("a", 10), ("b", 0), ("c", 30))
]


def make_clip(name: str, level: int, *, note: str = "") -> Clip:
    return Clip(name, np.full((2, 3, 4, 1), level, np.uint8), np.array([0.25, 1 / 3]), note)


def write(folder: Path, number: int = 0) -> None:
    results = [
        make_clip("a.mp4", 1),
        Failure("b.mp4", "open", "empty file"),
        make_clip("c.mp4", 3, note="half of it"),
    ]
    write_shard(folder, number, rows=list(zip(KEYS, VIDEOS, results, strict=True)))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_pixels_hold_the_clips_alone_and_the_table_a_row_for_every_input(tmp_path: Path) -> None:
    write(tmp_path)
    pixels = read_pixels(tmp_path, 0)
    assert (pixels.shape, pixels.dtype) == ((2, 2, 3, 4, 1), np.uint8)
    assert pixels[:, 0, 0, 0, 0].tolist() == [1, 3]
    assert read_index(tmp_path, 0, columns=INDEX_SCHEMA.names).to_pylist() == [
        {"key": b"\0" * 16, "stamp": b"a" * 16, "name": "a.mp4", "size_bytes": 10, "status": "ok", "stage": "",
         "reason": "", "may_pass": False, "row": 0},
        {"key": b"\1" * 16, "stamp": b"b" * 16, "name": "b.mp4", "size_bytes": 0, "status": "failed", "stage": "open",
         "reason": "empty file", "may_pass": False, "row": -1},
        {"key": b"\2" * 16, "stamp": b"c" * 16, "name": "c.mp4", "size_bytes": 30, "status": "partial", "stage": "",
         "reason": "half of it", "may_pass": False, "row": 1},
    ]  # fmt: skip


def test_times_of_frames_come_back_to_the_last_bit_and_a_failure_has_none(tmp_path: Path) -> None:
    write(tmp_path)
    assert read_index(tmp_path, 0, columns=["pts_seconds"])["pts_seconds"].to_pylist() == [
        [0.25, 1 / 3], None, [0.25, 1 / 3],
    ]  # fmt: skip
    assert SCHEMA.names == [*INDEX_SCHEMA.names, "pts_seconds"]


def test_pixels_are_mapped_not_read(tmp_path: Path) -> None:
    write(tmp_path)
    pixels = read_pixels(tmp_path, 0)
    assert type(pixels) is np.ndarray
    assert isinstance(pixels.base, np.memmap)
    assert not pixels.flags.writeable


def test_a_shard_of_failures_has_no_pixels(tmp_path: Path) -> None:
    write_shard(tmp_path, 4, rows=[(KEYS[1], VIDEOS[1], Failure("b.mp4", "open", "empty file"))])
    assert names(tmp_path) == ["shard-000004.parquet"]


def test_finished_shards_are_listed_by_number(tmp_path: Path) -> None:
    for number in (10, 0, 2):
        write(tmp_path, number)
    (tmp_path / "shard-000003.npy").write_bytes(b"never finished")
    assert list_shards(tmp_path) == [0, 2, 10]
    assert list_shards(tmp_path, first=2) == [2, 10]
    assert list_shards(tmp_path / "nowhere") == []


def test_what_a_killed_writer_left_goes_and_what_is_finished_stays(tmp_path: Path) -> None:
    write(tmp_path)
    whole = names(tmp_path)
    (tmp_path / "shard-000001.npy").write_bytes(b"pixels without a table")
    (tmp_path / ".shard-000001.parquet.host-12.part").write_bytes(b"half")
    (tmp_path / "spec.json").write_text("{}")
    remove_unfinished(tmp_path)
    assert names(tmp_path) == sorted([*whole, "spec.json"])


def test_files_whose_names_are_only_like_a_shards_are_neither_read_nor_deleted(tmp_path: Path) -> None:
    write(tmp_path, 3)
    strays = [
        "shard-notes.parquet",
        "shard-notes.npy",
        "shard-.parquet",
        "shard-4 (copy).parquet",
        "shard-٣.npy",
    ]
    for name in strays:
        (tmp_path / name).write_text("mine")
    assert list_shards(tmp_path) == [3]
    remove_unfinished(tmp_path)
    assert set(strays) <= set(names(tmp_path))


def test_nothing_is_seen_of_a_shard_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("primatrix.data.shards.pq.write_table", refuse)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path)
    assert list_shards(tmp_path) == []
    assert names(tmp_path) == ["shard-000000.npy"]  # the pixels, which remove_unfinished takes
