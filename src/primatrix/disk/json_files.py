"""JSON in and out: read with one clear line for what is none, written whole."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from primatrix.disk.whole import write_whole
from primatrix.errors import InputError

__all__ = ["read_json", "write_json", "write_json_lists"]


def read_json(path: str | Path) -> dict[str, Any]:  # Any: JSON values of several types
    """The object in a JSON file. InputError where the file is absent, no JSON, or holds anything but an object.

    >>> read_json("nowhere.json")
    Traceback (most recent call last):
    primatrix.errors.InputError: nowhere.json: No such file or directory; wanted a JSON file
    """
    try:
        found = json.loads(Path(path).read_bytes())  # UTF-8, UTF-16 or UTF-32, with a mark or without
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; wanted a JSON file") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}); wanted a JSON file") from error
    except RecursionError:
        raise InputError(f"{path}: nested too deeply to be read; wanted a JSON file") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: got a JSON {type(found).__name__}, wanted an object")
    return found


def write_json(path: str | Path, value: object) -> Path:
    """Write a value as JSON to read, whole or not at all.

    >>> import tempfile
    >>> read_json(write_json(Path(tempfile.mkdtemp(), "a.json"), {"name": "Käfer"}))
    {'name': 'Käfer'}
    """
    text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
    return write_whole(path, lambda file: file.write_text(text, encoding="utf-8"))


def write_json_lists(
    path: Path,
    head: Mapping[str, object],
    lists: Mapping[str, list[Any]],  # Any: JSON values
) -> Path:
    """Write `head` and then each of `lists`, an element a line: small enough for 10,000 clips, and to be read."""
    parts = [f'"{key}": {json.dumps(value, ensure_ascii=False)}' for key, value in head.items()]
    for key, values in lists.items():
        lines = ",\n".join(json.dumps(value, ensure_ascii=False) for value in values)
        parts.append(f'"{key}": [\n{lines}\n]')
    text = "{\n" + ",\n".join(parts) + "\n}\n"
    return write_whole(path, lambda file: file.write_text(text, encoding="utf-8"))
