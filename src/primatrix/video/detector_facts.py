"""What a detector is: its file checked and tried once, in the process that starts the others."""

import ast
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primatrix.errors import ModelError
from primatrix.video.categories import CATEGORIES, Category, categorise
from primatrix.video.detector_manifest import Manifest, read_manifest
from primatrix.video.detector_rows import (
    HAS_DOUBLES,
    IN_SHARES,
    RowFormat,
    count_classes,
    find_outputs,
    list_formats,
)
from primatrix.video.letterbox import Layout, Scale
from primatrix.video.onnx_files import read_network, run_session, start_session

__all__ = ["DetectorFacts", "read_detector", "read_facts"]

CONFIDENCE = 0.2  # what is less sure is left out, where nothing is said: MegaDetector's usual threshold
ASSUMED = "its three classes have no names: animal, person, vehicle assumed, as MegaDetector has them"

Floats = NDArray[np.float32]
Names = Mapping[int, str]


@dataclass(frozen=True, slots=True)
class DetectorFacts:
    """What a detector is, and all that decides what it finds.

    It takes pictures of `height_px` by `width_px`, letterboxed or stretched to that and scaled as `scale` says.
    `outputs` names those of its outputs that hold boxes, in the format `rows`. `categories` gives the meaning of its
    classes by number; others are not looked at. Boxes less sure than `confidence` are left out, and of two of one
    category that share more than `overlap` of their union the less sure one. `note` says what had to be assumed.
    `digest` is the file's SHA-256.
    """

    path: str
    digest: str
    height_px: int
    width_px: int
    layout: Layout
    rows: RowFormat
    outputs: tuple[str, ...]
    categories: Mapping[int, Category] = field(hash=False)
    confidence: float = CONFIDENCE
    overlap: float = 1.0
    scale: Scale = field(default_factory=Scale)
    note: str = ""

    def to_text(self) -> str:
        """The facts as JSON, which a `ClipSpec` holds; `read_facts` reads them."""
        return json.dumps(asdict(self), sort_keys=True)

    @property
    def size_px(self) -> tuple[int, int]:
        """(height, width) of the pictures that the network takes."""
        return (self.height_px, self.width_px)


def read_facts(text: str) -> DetectorFacts:
    """The facts that `DetectorFacts.to_text` wrote. Raises ModelError for other text."""
    try:
        values = json.loads(text)
        values["categories"] = {int(number): name for number, name in values["categories"].items()}
        scale: dict[str, Any] = {
            name: tuple(v) if isinstance(v, list) else v for name, v in values.pop("scale").items()
        }
        values |= {"outputs": tuple(values["outputs"]), "scale": Scale(**scale)}
        return DetectorFacts(**values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"detector: got facts that are none ({error}); name it by --detector") from None


def read_detector(path: str | Path) -> DetectorFacts:
    """The facts of the detector in an ONNX file or a folder, once it was tried with a black picture.

    What a folder may hold: `detector_manifest.read_manifest`. Formats: `detector_rows.RowFormat`. Raises ModelError,
    in one line, for a file that is no detector of a known format or has no class of animals, people or vehicles.

    >>> read_detector("nothing.onnx")
    Traceback (most recent call last):
    primatrix.errors.ModelError: nothing.onnx: cannot be read (No such file or directory)
    """
    manifest = read_manifest(path)
    name, data = str(manifest.file), read_network(manifest.file)
    digest = hashlib.sha256(data).hexdigest()
    if manifest.digest and manifest.digest.lower() != digest:
        raise ModelError(
            f"{name}: is not the file that its manifest is of (SHA-256 differs); copy both again"
        )
    session = start_session(data, path=name, threads=0)
    metadata = session.get_modelmeta().custom_metadata_map
    size_px = find_size(session, manifest, metadata, path=name)
    outputs = try_black(session, size_px, path=name)
    names = manifest.names or read_metadata_names(metadata)
    rows = choose_format([one.shape for one in outputs.values()], manifest.rows, names, path=name)
    check_positions(list(outputs.values())[-1][0], rows, path=name)
    return DetectorFacts(
        name, digest, *size_px, manifest.layout or ("stretch" if rows in IN_SHARES else "letterbox"), rows,
        tuple(outputs), find_categories(names or dict(enumerate(CATEGORIES)), path=name),
        CONFIDENCE if manifest.confidence is None else manifest.confidence,
        manifest.overlap if rows in HAS_DOUBLES else 1.0, manifest.scale, "" if names else ASSUMED,
    )  # fmt: skip


def find_size(
    session: Any, manifest: Manifest, metadata: Mapping[str, str], *, path: str
) -> tuple[int, int]:  # Any: an optional library, not typed here
    """(height, width) of the pictures that a network takes; where it leaves that open, what is said of it."""
    inputs = session.get_inputs()
    shape = inputs[0].shape if inputs else []
    is_one = len(inputs) == 1 and len(shape) == 4 and inputs[0].type == "tensor(float)"
    if not is_one or any(isinstance(a, int) and a != b for a, b in zip(shape, (1, 3), strict=False)):
        got = ", ".join(f"{one.type} {one.shape}" for one in inputs)
        raise ModelError(f"{path}: takes {got}, wanted one picture, tensor(float) (1, 3, height, width)")
    said = manifest.size_px or read_metadata_size(metadata)
    sides = [side if isinstance(side, int) else (said or (0, 0))[i] for i, side in enumerate(shape[2:])]
    size_px = (sides[0], sides[1])
    if 0 in size_px:
        raise ModelError(
            f"{path}: takes pictures of any size; say which in a JSON file of its name, as input_size [width, height]"
        )
    if manifest.size_px not in (None, size_px):
        raise ModelError(
            f"{path}: takes pictures of {size_px} px (height, width), its manifest says {manifest.size_px}"
        )
    return size_px


def try_black(
    session: Any, size_px: tuple[int, int], *, path: str
) -> dict[str, Floats]:  # Any: an optional library, not typed here
    """The outputs that hold boxes, as they are for a black picture. Raises ModelError where there are none."""
    black = np.zeros((1, 3, *size_px), np.float32)
    names = [one.name for one in session.get_outputs()]
    given = dict(zip(names, run_session(session, black, path=path), strict=True))
    shapes = {name: np.shape(value) for name, value in given.items()}
    outputs = find_outputs(shapes)
    if not outputs:
        got = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ModelError(f"{path}: gives {got}, wanted the boxes of a detector; export it as one")
    return {name: given[name] for name in outputs}


def choose_format(
    shapes: Sequence[tuple[int, ...]], said: RowFormat | None, names: Names | None, *, path: str
) -> RowFormat:
    """The format of outputs of these shapes: what is said, else what they tell; ModelError where nothing does."""
    classes = len(names or CATEGORIES)
    formats = [said] if said else list_formats(shapes, classes=classes)
    got = " and ".join(map(str, shapes))
    fitting = [
        one for one in formats if count_classes(one, shapes) in ({classes, None} if names else {classes})
    ]
    if len(fitting) > 1:
        raise ModelError(
            f"{path}: gives {got}, which may be {' or '.join(fitting)}; say which in a JSON file of its name, as format"
        )
    if not fitting and not names:
        raise ModelError(
            f"{path}: gives {got} and no names of its classes; say them in a JSON file of its name, as names"
        )
    if not fitting or (names and sorted(names) != list(range(classes))):
        raise ModelError(
            f"{path}: gives {got}, wanted {said or 'boxes of a known format'} for its {classes} classes; "
            "name them all, or export it again"
        )
    return fitting[0]


def check_positions(rows_of_one: Floats, rows: RowFormat, *, path: str) -> None:
    """ModelError where boxes in shares lie far outside of the picture, or those of a grid of pixels in one of them."""
    boxes = rows_of_one[:4] if rows == "yolov8" else rows_of_one[:, :4]
    largest = float(np.abs(boxes).max(initial=0.0))
    if (rows in IN_SHARES and largest > 2) or (rows in HAS_DOUBLES and largest <= 2):
        wanted = "shares of the picture" if rows in IN_SHARES else "pixels"
        raise ModelError(
            f"{path}: has positions of up to {largest:.4g}, wanted {wanted}, as {rows} has them; say its format"
        )


def find_categories(names: Names, *, path: str) -> dict[int, Category]:
    """The categories of a detector's classes. Raises ModelError where it has none of them."""
    categories = categorise(names)
    if not categories:
        some = ", ".join([*list(names.values())[:5], *(["…"] if len(names) > 5 else [])])
        raise ModelError(f"{path}: finds {some}, wanted a detector of animals, people or vehicles")
    return categories


def read_metadata(metadata: Mapping[str, str], key: str) -> Any:  # Any: a literal of Python
    """A value that Ultralytics wrote into a file's metadata as Python writes it; None for none."""
    try:
        return ast.literal_eval(metadata.get(key, "None"))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def read_metadata_names(metadata: Mapping[str, str]) -> Names | None:
    """The classes' names, as Ultralytics writes them: a table of numbers and names, or a list."""
    names = read_metadata(metadata, "names")
    table = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(table, dict) or not all(isinstance(key, int) for key in table):
        return None
    return {key: str(value) for key, value in table.items()} or None


def read_metadata_size(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    """(height, width) of the pictures a file was exported for, as Ultralytics writes it."""
    sides = read_metadata(metadata, "imgsz")
    is_size = isinstance(sides, list) and len(sides) == 2 and all(isinstance(side, int) for side in sides)
    return (sides[0], sides[1]) if is_size else None
