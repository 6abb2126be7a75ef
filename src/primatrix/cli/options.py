"""Options that several commands share, and how their words are read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, get_args

import typer

from primatrix.choices import Device
from primatrix.cli.program import tell
from primatrix.errors import InputError
from primatrix.records import SIZES_PX, ClipSpec, Colour, DatasetType, Media

__all__ = [
    "ABOUT_DEPLOYMENTS",
    "CLIPS",
    "MACHINE",
    "PLACES",
    "Channels",
    "Data",
    "Deployments",
    "DetectorFile",
    "ForSpreadsheet",
    "Frames",
    "Kind",
    "LabelFile",
    "Look",
    "ModelFolder",
    "OnDevice",
    "Quiet",
    "RetryFailed",
    "Seed",
    "Size",
    "StoreFolder",
    "Workers",
    "is_benchmark",
    "make_spec",
    "parse_size",
    "parse_sizes",
    "split_commas",
    "tell_unused",
]

# Headings under which options stand; what has none stands under Options.
CLIPS, MACHINE, PLACES = "Clips", "Machine", "Time and place"

Data = Annotated[
    Path,
    typer.Argument(metavar="DATA", help="A benchmark folder (train_labels.csv, …), or any folder of videos."),
]
LabelFile = Annotated[Path, typer.Argument(metavar="LABELS", help="Label file, wide or long.")]
FRAMES = 15  # of a clip, as the benchmark's walk-through takes them

Kind = Annotated[
    DatasetType, typer.Option("--type", help="Which clips of a benchmark folder.", rich_help_panel=CLIPS)
]
ModelFolder = Annotated[Path, typer.Option("--model", help="Folder of a trained model.")]
Frames = Annotated[int | None, typer.Option(help="Frames per clip; default: 15.", rich_help_panel=CLIPS)]
Size = Annotated[
    str | None,
    typer.Option(
        metavar="HEIGHTxWIDTH",
        help="In pixels; default: 16x16, of a benchmark folder its --type.",
        rich_help_panel=CLIPS,
    ),
]
Channels = Annotated[Colour | None, typer.Option(help="Of the frames; default: grey.", rich_help_panel=CLIPS)]
Look = Annotated[
    Media,
    typer.Option("--media", help="What is looked for in one's own folder.", rich_help_panel=CLIPS),
]
ABOUT_DEPLOYMENTS = "CSV: sites, times, coordinates by filepath, folder or deployment."
Deployments = Annotated[Path | None, typer.Option(help=ABOUT_DEPLOYMENTS, rich_help_panel=PLACES)]
Workers = Annotated[
    int | None,
    typer.Option(help="Decoding processes; default: one per core.", rich_help_panel=MACHINE),
]
StoreFolder = Annotated[
    Path | None,
    typer.Option(
        "--store", help="Where decoded clips are kept; default: your cache.", rich_help_panel=MACHINE
    ),
]
RetryFailed = Annotated[
    bool,
    typer.Option(
        "--retry-failed",
        help="Try again what could not be decoded before; files the disk did not give always are.",
        rich_help_panel=MACHINE,
    ),
]
ForSpreadsheet = Annotated[
    bool,
    typer.Option(
        "--for-spreadsheet", help="CSV in which no name is taken for a formula: ' stands before = + - @."
    ),
]
OnDevice = Annotated[Device, typer.Option(help="Where the model runs.", rich_help_panel=MACHINE)]
DetectorFile = Annotated[
    Path | None,
    typer.Option(
        "--detector", metavar="PATH", help="ONNX file or folder: close-ups of what it finds, not of what moves.",
        rich_help_panel=CLIPS,
    ),
]  # fmt: skip
Seed = Annotated[int, typer.Option(help="Same seed, same result.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]


def tell_unused(given: Mapping[str, object]) -> None:
    """One line about options that were given, but mean nothing for a benchmark folder."""
    names = [name for name, is_given in given.items() if is_given]
    if names:
        tell(f"{', '.join(names)}: not used, since this is a benchmark folder; wanted with one's own footage")


def split_commas(text: str) -> tuple[str, ...]:
    """Words between commas.

    >>> split_commas("nano, micro")
    ('nano', 'micro')
    """
    return tuple(word.strip() for word in text.split(",") if word.strip())


def parse_sizes(text: str) -> tuple[DatasetType, ...]:
    """Names of the benchmark's sizes between commas.

    >>> parse_sizes("nano,micro")
    ('nano', 'micro')
    """
    known: dict[str, DatasetType] = {size: size for size in get_args(DatasetType)}
    words = split_commas(text)
    if not words or not known.keys() >= set(words):
        raise InputError(f"--sizes: got {text!r}, wanted some of {', '.join(known)}")
    return tuple(known[word] for word in words)


def make_spec(
    frames: int | None, size: str | None, colour: Colour | None, *, kind: DatasetType = "nano"
) -> ClipSpec:
    """The clip that --frames, --size and --colour ask for; without --size as large as the benchmark's of this kind.

    >>> make_spec(15, None, "grey").shape, make_spec(15, None, "rgb", kind="micro").shape
    ((15, 16, 16, 1), (15, 64, 64, 3))
    """
    height_px, width_px = SIZES_PX[kind] if size is None else parse_size(size)
    return ClipSpec(FRAMES if frames is None else frames, height_px, width_px, colour or "grey")


def parse_size(text: str) -> tuple[int, int]:
    """`64x48` is 64 pixels high and 48 wide; `64` is a square.

    >>> parse_size("64x48")
    (64, 48)
    """
    numbers = text.lower().split("x")
    if len(numbers) > 2 or not all(number.isdecimal() for number in numbers):
        raise InputError(f"--size: got {text!r}, wanted HEIGHTxWIDTH in pixels, as 64x64")
    return int(numbers[0]), int(numbers[-1])


def is_benchmark(data: Path) -> bool:
    """Whether a folder is laid out as the benchmark's."""
    return (data / "submission_format.csv").is_file()
