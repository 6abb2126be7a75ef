"""Settings kept in frozen dataclasses: types checked, changed by name, read from YAML; unknown keys refused."""

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin

from primatrix.errors import InputError

__all__ = [
    "change_settings",
    "check_least",
    "check_shares",
    "check_types",
    "merge_settings",
    "parse_words",
    "read_settings",
]

Settings = TypeVar("Settings")
EXPONENTIAL = re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$")


def change_settings(settings: Settings, changes: Mapping[str, Any], *, source: str) -> Settings:
    """The settings with `changes` put in; a mapping changes fields of settings inside the settings.

    Raises InputError for an unknown name, with `source` in front, and whatever the settings refuse.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Light:
    ...     gamma: float = 0.0
    >>> change_settings(Light(), {"gamma": 0.2}, source="light.yaml")
    Light(gamma=0.2)
    >>> change_settings(Light(), {"gama": 0.2}, source="light.yaml")
    Traceback (most recent call last):
    primatrix.errors.InputError: light.yaml: got setting gama, wanted one of gamma
    """
    kinds = {field.name: field.type for field in dataclasses.fields(settings)}  # type: ignore[arg-type]
    unknown = sorted(set(changes) - set(kinds))
    if unknown:
        raise InputError(f"{source}: got setting {', '.join(unknown)}, wanted one of {', '.join(kinds)}")
    values = dict(changes)
    for name, value in changes.items():
        inner = next((kind for kind in (kinds[name], *get_args(kinds[name])) if is_settings(kind)), None)
        if inner is not None and isinstance(value, Mapping):
            now = getattr(settings, name) or inner()
            values[name] = change_settings(now, value, source=f"{source}: {name}")
    return dataclasses.replace(settings, **values)  # type: ignore[type-var]  # a dataclass, as said


def read_settings(path: str | Path) -> dict[str, Any]:
    """The settings a YAML file names, as plain values; InputError where it holds anything but names and values.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "train.yaml")
    >>> _ = path.write_text("epochs: 5\\naugmentation: {flip: 0.5}\\n")
    >>> read_settings(path)
    {'epochs': 5, 'augmentation': {'flip': 0.5}}
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; wanted YAML settings, one `name: value` per line")
    try:
        values = parse_yaml(path.read_text(encoding="utf-8"), source=str(path))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 ({error}); wanted one `name: value` per line") from None
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise InputError(f"{path}: got {type(values).__name__}, wanted one `name: value` per line")
    return values


def merge_settings(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Named values with changes put in, also inside the settings that hold others.

    >>> merge_settings({"epochs": 2, "augmentation": {"flip": 0.5}}, {"augmentation": {"crop": 0.1}})
    {'epochs': 2, 'augmentation': {'flip': 0.5, 'crop': 0.1}}
    """
    merged = dict(settings)
    for name, value in changes.items():
        inside = merged.get(name)
        both = isinstance(inside, Mapping) and isinstance(value, Mapping)
        merged[name] = merge_settings(inside, value) if both else value  # type: ignore[arg-type]  # as just seen
    return merged


def parse_words(words: Iterable[str]) -> dict[str, Any]:
    """The settings in words like `ema=0.99` and `augmentation.crop=0.1`, as a YAML file would give them.

    >>> parse_words(["learning_rate=1e-4", "augmentation.crop=0.1", "keep=best"])
    {'learning_rate': 0.0001, 'augmentation': {'crop': 0.1}, 'keep': 'best'}
    """
    values: dict[str, Any] = {}
    for word in words:
        name, sign, text = word.partition("=")
        if not sign or not name:
            raise InputError(f"{word}: wanted NAME=VALUE, as ema=0.99 or augmentation.crop=0.1")
        *outer, last = name.split(".")
        inside = values
        for part in outer:
            inside = inside.setdefault(part, {})
            if not isinstance(inside, dict):
                raise InputError(f"{word}: {part} has got a value already; wanted one or the other")
        inside[last] = parse_yaml(text, source=word)
    return values


def parse_yaml(text: str, *, source: str) -> Any:  # Any: whatever YAML holds
    """What a YAML text says; numbers like 1e-4 are numbers, as YAML 1.2 has it and PyYAML has not."""
    import yaml

    loader: Any = type("Loader", (yaml.SafeLoader,), {})  # Any: PyYAML has no types
    loader.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENTIAL, list("-+.0123456789"))
    try:
        return yaml.load(text, loader)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{source}: not YAML ({reason}); wanted one `name: value` per line") from None
    except RecursionError:
        raise InputError(
            f"{source}: nested too deeply to be read; wanted one `name: value` per line"
        ) from None


def check_types(settings: object) -> None:
    """InputError where a value is not of its field's type; whole numbers do for floats."""
    for field in dataclasses.fields(settings):  # type: ignore[arg-type]  # a dataclass, as said
        value = getattr(settings, field.name)
        if not is_of_kind(value, field.type):
            raise InputError(f"{field.name}: got {value!r}, wanted {describe_kind(field.type)}")


def check_least(settings: object, **least: float) -> None:
    """InputError where a number lies below its least value; None is let pass."""
    for name, low in least.items():
        value = getattr(settings, name)
        if value is not None and value < low:
            raise InputError(f"{name}: got {value}, wanted {low} or more")


def check_shares(settings: object, *names: str, below_one: bool = False) -> None:
    """InputError where a number lies outside 0 to 1 (`below_one`: or is 1)."""
    for name in names:
        value = getattr(settings, name)
        if not 0 <= value <= 1 or (below_one and value == 1):
            raise InputError(f"{name}: got {value}, wanted 0 to {'below ' if below_one else ''}1")


def is_settings(kind: object) -> bool:
    """Whether a type is a dataclass."""
    return isinstance(kind, type) and dataclasses.is_dataclass(kind)


def is_of_kind(value: object, kind: object) -> bool:
    """Whether a value is of a field's type; numbers must be finite, and true is no number."""
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if isinstance(kind, UnionType):
        return any(is_of_kind(value, one) for one in get_args(kind))
    if kind in (int, float):
        number = int | float if kind is float else int
        return isinstance(value, number) and not isinstance(value, bool) and math.isfinite(value)
    whole = get_origin(kind) or kind  # of list[int] only that it is a list
    return isinstance(value, whole) if isinstance(whole, type) else value is kind


def describe_kind(kind: object) -> str:
    """A field's type in words.

    >>> describe_kind(int | None), describe_kind(Literal["last", "best"])
    ('a whole number or none', 'one of last, best')
    """
    if get_origin(kind) is Literal:
        return f"one of {', '.join(map(str, get_args(kind)))}"
    if isinstance(kind, UnionType):
        return " or ".join(describe_kind(one) for one in get_args(kind))
    words = {int: "a whole number", float: "a finite number", bool: "true or false", type(None): "none"}
    return words.get(kind, getattr(kind, "__name__", str(kind)))  # type: ignore[call-overload, no-any-return]
