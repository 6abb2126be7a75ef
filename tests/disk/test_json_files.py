from pathlib import Path

import pytest

from primatrix.disk.json_files import read_json, write_json, write_json_lists
from primatrix.errors import InputError


def test_what_is_written_is_read_back_and_can_be_read_by_people(tmp_path: Path) -> None:
    value = {"name": "Käfer", "clips": [1, 2.5, None], "used": True}
    path = write_json(tmp_path / "new" / "a.json", value)
    assert path.read_text(encoding="utf-8") == (
        '{\n "name": "Käfer",\n "clips": [\n  1,\n  2.5,\n  null\n ],\n "used": true\n}\n'
    )
    assert read_json(path) == value


def test_long_lists_take_a_line_an_element(tmp_path: Path) -> None:
    lists = {"images": [{"file": "é.mp4"}, {"file": "b.mp4"}], "none": []}
    path = write_json_lists(tmp_path / "a.json", {"info": {"version": "1.5"}}, lists)
    assert path.read_text(encoding="utf-8") == (
        '{\n"info": {"version": "1.5"},\n"images": [\n{"file": "é.mp4"},\n{"file": "b.mp4"}\n],\n"none": [\n\n]\n}\n'
    )
    assert read_json(path) == {"info": {"version": "1.5"}, **lists}


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('\ufeff{"a": 1}', encoding="utf-8")
    assert read_json(tmp_path / "a.json") == {"a": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON (Expecting value: line 1 column 1 (char 0)); wanted a JSON file"),
        ('{"a": 1', "not JSON ("),
        ("[1, 2]", "got a JSON list, wanted an object"),
        ("null", "got a JSON NoneType, wanted an object"),
        ("[" * 100_000, "nested too deeply to be read; wanted a JSON file"),
    ],
)
def test_what_is_no_object_gets_one_line_with_the_files_name(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_json(path)
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_and_folders_are_no_json(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(InputError, match="not JSON"):
        read_json(tmp_path / "a.json")
    with pytest.raises(InputError, match=r"(Is a directory|Permission denied); wanted a JSON file"):
        read_json(tmp_path)


def test_what_json_cannot_hold_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", {"a": 1})
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(path, {"a": {1, 2}})
    assert read_json(path) == {"a": 1}
