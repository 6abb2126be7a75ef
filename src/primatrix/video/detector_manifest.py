"""What is said beside a detector's ONNX file: a manifest of Microsoft's SPARROW zoo, or JSON of one's own.

The zoo's format is that of its engine (github.com/microsoft/SPARROW-Engine, sparrow-engine-types/src/manifest.rs): a
folder for each model with manifest.toml, model.onnx and labels.txt.
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar, get_args

from primatrix.errors import ModelError
from primatrix.video.detector_rows import ROW_FORMATS, RowFormat
from primatrix.video.letterbox import GREY_PX, Colours, Layout, Scale

__all__ = ["Manifest", "read_manifest"]

ROWS_OF: Mapping[str, RowFormat] = {
    "yolo_e2e": "end_to_end",
    "megadet_v5a": "yolov5",
    "rtdetr_topk": "rtdetr_topk",
}
LAYOUT_OF: Mapping[str, Layout] = {"letterbox": "letterbox", "resize": "stretch"}
SCALES: Mapping[str, tuple[Colours, Colours]] = {
    "unit": ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0)),
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
}
OVERLAP = 0.45  # of their union: boxes that share more are doubles (YOLOv5's and the zoo's own number)
Meaning = TypeVar("Meaning")
Table = dict[str, Any]  # Any: what JSON and TOML hold


@dataclass(frozen=True, slots=True)
class Manifest:
    """A detector's file and what is said of it; None: nothing is said. `size_px` is (height, width)."""

    file: Path
    names: Mapping[int, str] | None = None
    size_px: tuple[int, int] | None = None
    layout: Layout | None = None
    rows: RowFormat | None = None
    confidence: float | None = None
    overlap: float = OVERLAP
    scale: Scale = field(default_factory=Scale)
    digest: str = ""


def read_manifest(path: str | Path) -> Manifest:
    """What is said of the detector in a folder or an ONNX file.

    A folder has the zoo's manifest.toml, or one ONNX file (several: model.onnx) with JSON: what transformers writes
    (config.json, preprocessor_config.json), or a file of the network's name that ends in .json. Raises ModelError.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    manifest = folder / "manifest.toml"
    if manifest.is_file():
        said = read_sparrow(manifest)
        if path.is_dir() or said.file == path:
            return said
    file = find_file(path) if path.is_dir() else path
    beside = [file.with_suffix(".json")]
    if path.is_dir():
        beside = [path / "config.json", path / "preprocessor_config.json", *beside]
    return read_json_facts(file, [one for one in beside if one.is_file()])


def find_file(folder: Path) -> Path:
    """The one ONNX file of a folder, or its model.onnx."""
    files = sorted(folder.glob("*.onnx"))
    named = [file for file in files if file.name == "model.onnx" or len(files) == 1]
    if not named:
        raise ModelError(
            f"{folder}: got {len(files)} ONNX files, wanted one, or a manifest.toml that names it; name the file"
        )
    return named[0]


def read_sparrow(path: Path) -> Manifest:
    """A manifest of the zoo. Raises ModelError where it is none of a detector that this library knows."""
    facts = parse(path, tomllib.loads)
    model, before = read_table(facts, "model", path), read_table(facts, "preprocessing", path)
    after = read_table(facts, "postprocessing", path)
    choose(model.get("format"), {"onnx": 0}, name="format", path=path)
    choose(before.get("layout"), {"nchw": 0}, name="layout", path=path)
    choose(facts.get("inference", {}).get("strategy", "single"), {"single": 0}, name="strategy", path=path)
    mean, spread = choose(before.get("normalization"), SCALES, name="normalization", path=path)
    fill = before.get("pad_value")  # of numbers that are scaled already
    if fill is not None and not isinstance(fill, int | float):
        raise ModelError(f"{path}: got pad_value {fill!r}, wanted a number")
    scale = Scale(
        mean, spread, grey(mean, spread) if fill is None else (float(fill),) * 3,
        choose(before.get("channel_order", "rgb"), {"rgb": False, "bgr": True}, name="channel_order", path=path),
    )  # fmt: skip
    overlap = read_share(after, "iou_threshold", path)
    return Manifest(
        path.parent / read_inner(model.get("file"), path),
        read_labels(facts, path),
        read_size(before.get("input_size"), path),
        choose(before.get("method"), LAYOUT_OF, name="preprocessing method", path=path),
        choose(after.get("method"), ROWS_OF, name="postprocessing method", path=path),
        read_share(after, "confidence_threshold", path),
        OVERLAP if overlap is None else overlap,
        scale,
        str(model.get("onnx_sha256") or ""),
    )


def read_labels(facts: Table, path: Path) -> dict[int, str]:
    """The classes' names, from the text file that a manifest names: a name a line, or with its number."""
    labels = read_table(facts, "labels", path)
    file = path.parent / read_inner(labels.get("file"), path)
    ends = {"one_per_line": None, "name_index_csv": -1, "index_name_csv": 0}
    end = choose(labels.get("format"), ends, name="labels format", path=path)
    lines = {i: line.strip() for i, line in enumerate(read_text(file).splitlines()) if line.strip()}
    if end is None:
        return lines
    parts = [line.rsplit(",", 1) if end else line.split(",", 1) for line in lines.values()]
    try:
        return {int(part[end]): part[-1 - end].strip() for part in parts}
    except (ValueError, IndexError):
        raise ModelError(f"{file}: wanted a name and a number in each line, as animal,0") from None


def read_json_facts(file: Path, paths: list[Path]) -> Manifest:
    """What JSON files beside a network say; a later one overrules an earlier. Raises ModelError where it cannot be."""
    facts: Table = {}
    for path in paths:
        facts |= parse(path, json.loads)
    where = paths[-1] if paths else file
    layouts = {name: name for name in get_args(Layout)}
    overlap = read_share(facts, "overlap", where)
    size = facts.get("size")
    if isinstance(size, dict) and "input_size" not in facts:  # as transformers writes it
        facts["input_size"] = [size.get("width"), size.get("height")]
    return Manifest(
        file,
        read_names(facts.get("names", facts.get("id2label")), where),
        read_size(facts["input_size"], where) if "input_size" in facts else None,
        choose(facts["layout"], layouts, name="layout", path=where) if "layout" in facts else None,
        choose(facts["format"], {name: name for name in ROW_FORMATS}, name="format", path=where)
        if "format" in facts
        else None,
        read_share(facts, "confidence", where),
        OVERLAP if overlap is None else overlap,
        read_scale(facts, where),
    )


def read_scale(facts: Table, path: Path) -> Scale:
    """How pixels are scaled, as transformers says it: `image_mean` and `image_std` of pixels 0-1, if at all."""
    if not facts.get("do_normalize", True) or not {"image_mean", "image_std"} & facts.keys():
        return Scale()
    try:
        mean, spread = (
            tuple(255 * float(value) for value in facts.get(name, usual))
            for name, usual in (("image_mean", (0, 0, 0)), ("image_std", (1, 1, 1)))
        )
    except (TypeError, ValueError):
        mean, spread = (), ()
    if len(mean) != 3 or len(spread) != 3 or min(spread) <= 0:
        raise ModelError(f"{path}: wanted one number per colour, pixels 0-1, as image_mean and image_std")
    mean, spread = (mean[0], mean[1], mean[2]), (spread[0], spread[1], spread[2])
    return Scale(mean, spread, grey(mean, spread))


def grey(mean: Colours, spread: Colours) -> Colours:
    """The usual grey of the bands, scaled."""
    red, green, blue = ((GREY_PX - m) / s for m, s in zip(mean, spread, strict=True))
    return (red, green, blue)


def read_names(names: object, path: Path) -> dict[int, str] | None:
    """Names of classes from a list, or from a table of numbers and names."""
    if names is None:
        return None
    rows = dict(enumerate(names)) if isinstance(names, list) else names
    try:
        return {int(number): str(name) for number, name in rows.items()}  # type: ignore[attr-defined]
    except (AttributeError, TypeError, ValueError):
        raise ModelError(
            f"{path}: got names {names!r}, wanted a list of names or numbers with names"
        ) from None


def read_size(size: object, path: Path) -> tuple[int, int]:
    """(height, width) of pictures given as [width, height]."""
    sides = size if isinstance(size, list) else []
    if len(sides) != 2 or not all(isinstance(side, int) and 0 < side <= 8192 for side in sides):
        raise ModelError(f"{path}: got input_size {size}, wanted [width, height] in pixels")
    return (sides[1], sides[0])


def read_share(table: Table, name: str, path: Path) -> float | None:
    """A number of 0 to 1, where there is one."""
    value = table.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and not (is_number and 0 <= value <= 1):
        raise ModelError(f"{path}: got {name} {value!r}, wanted a number of 0 to 1")
    return None if value is None else float(value)


def read_inner(name: object, path: Path) -> PurePosixPath:
    """The name of a file within the manifest's folder."""
    inner = PurePosixPath(str(name or ""))
    if (
        not inner.name
        or inner.is_absolute()
        or ".." in inner.parts
        or "\\" in str(inner)
        or ":" in str(inner)
    ):
        raise ModelError(f"{path}: got the file name {name!r}, wanted one within its folder")
    return inner


def read_table(facts: Table, name: str, path: Path) -> Table:
    """A table of a manifest."""
    table = facts.get(name)
    if not isinstance(table, dict):
        raise ModelError(f"{path}: has no table [{name}], wanted a manifest of the SPARROW zoo")
    return table


def choose(word: object, meanings: Mapping[str, Meaning], *, name: str, path: Path) -> Meaning:
    """What a word of a manifest means here."""
    if not isinstance(word, str) or word not in meanings:
        raise ModelError(f"{path}: got {name} {word!r}, wanted {' or '.join(meanings)}")
    return meanings[word]


def parse(path: Path, reader: Any) -> Table:  # Any: readers of two libraries
    """The table in a file."""
    try:
        facts = reader(read_text(path))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read ({error})") from None
    if not isinstance(facts, dict):
        raise ModelError(f"{path}: got {type(facts).__name__}, wanted a table of facts about a detector")
    return facts


def read_text(path: Path) -> str:
    """The text of a file, in UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: cannot be read ({error})") from None
