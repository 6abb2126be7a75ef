from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from primatrix.video.dates import parse_date, read_idit

MORNING = datetime(2023, 4, 15, 6, 30, 12)
EAST = timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Sat Apr 15 06:30:12 2023\n\0", MORNING),
        ("SAT APR 15 06:30:12 2023", MORNING),
        ("Sat Apr  5 06:30:12 2023", datetime(2023, 4, 5, 6, 30, 12)),
        ("Sat Apr 15 6:30:12 2023", MORNING),
        ("Sat Apr 15 06:30:12 UTC 2023", MORNING.replace(tzinfo=UTC)),
        ("2023/04/15/ 06:30", datetime(2023, 4, 15, 6, 30)),
        ("2023/ 4/15  6:30PM", datetime(2023, 4, 15, 18, 30)),
        ("2023/04/15 06:30:12", MORNING),
        ("2023-04-15  06:30:12\0\0", MORNING),
        ("2023:04:15 06:30:12", MORNING),
        ("2023-04-15T06:30:12Z", MORNING.replace(tzinfo=UTC)),
        ("20230415T063012Z", MORNING.replace(tzinfo=UTC)),
        ("2023:04:15 06:30:12+02:00", MORNING.replace(tzinfo=EAST)),
        ("Sat, 15 Apr 2023 06:30:12 +0200", MORNING.replace(tzinfo=EAST)),
        ("15-APR-2023 06:30:12", MORNING),
        ("April 15, 2023 6:30:12 am", MORNING),
        ("15/04/2023 06:30:12", MORNING),
    ],
)
def test_a_date_is_read_however_the_camera_spells_it(text: str, expected: datetime) -> None:
    assert parse_date(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "2023-04-15", "Sat Apr 15 2023", "half past: six", "0000:00:00 00:00:00", "2023:02:30 06:30:12",
     "05/04/2023 06:30:12", "2023-04-15 18:30:12 AM", "Sat Foo 15 06:30:12 2023", "0001-01-01T00:00:00+05:00"],
)  # fmt: skip
def test_what_tells_no_day_and_time_of_day_is_none(text: str) -> None:
    assert parse_date(text) is None


def make_chunk(kind: bytes, content: bytes) -> bytes:
    return kind + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2)


def test_the_chunk_is_found_in_any_list_but_that_of_the_pictures(tmp_path: Path) -> None:
    idit = make_chunk(b"IDIT", b"2023:04:15 06:30:12\0")
    pictures = make_chunk(b"LIST", b"movi" + make_chunk(b"00dc", b"IDIT odd"))
    for inside in (
        make_chunk(b"LIST", b"hdrl" + make_chunk(b"avih", bytes(9)) + idit) + pictures,
        make_chunk(b"LIST", b"hdrl" + make_chunk(b"LIST", b"strl" + idit)) + pictures,
        pictures + make_chunk(b"LIST", b"INFO" + make_chunk(b"idit", b"2023:04:15 06:30:12")),
    ):
        (tmp_path / "a.avi").write_bytes(make_chunk(b"RIFF", b"AVI " + inside))
        assert read_idit(tmp_path / "a.avi") == "2023:04:15 06:30:12"
    (tmp_path / "a.avi").write_bytes(make_chunk(b"RIFF", b"AVI " + pictures))
    assert read_idit(tmp_path / "a.avi") == ""


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"RIFF\xff\xff\xff\xffAVI LIST\xff\xff\xff\xff", bytes(5000)]
)
def test_a_damaged_file_has_no_date(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.avi").write_bytes(content)
    assert read_idit(tmp_path / "a.avi") == ""
