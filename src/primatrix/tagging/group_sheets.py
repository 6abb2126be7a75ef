"""A contact sheet per group: a close-up of each of up to 24 clips, with the clip's name and second."""

import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from primatrix.disk import write_whole
from primatrix.tagging.sights import PICTURE_PX, Sight

__all__ = ["SHEETS", "choose_shown", "draw_sheet", "write_sheets"]

SHEETS = "groups"  # the folder, below the results
MOST_SHOWN, IN_A_ROW = 24, 6
CAPTION_PX, GAP_PX, TITLE_PX = 16, 4, 24
MOST_LETTERS = 28  # of a name: its end tells clips apart
QUALITY = 85
OWN_NAME = re.compile(r"(\d{2}|nothing_moves)\.jpg")


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture as JPEG and what is said below it."""

    picture: bytes
    caption: str


def choose_shown(members: Sequence[int]) -> list[int]:
    """Up to 24 of a group's clips, which stand nearest to its middle first: that one, and evenly on to the farthest.

    >>> choose_shown(range(100))[:4], len(choose_shown(range(100))), choose_shown([5, 3])
    ([0, 4, 9, 13], 24, [5, 3])
    """
    places = np.linspace(0, len(members) - 1, min(MOST_SHOWN, len(members))).round().astype(int)
    return [members[place] for place in places.tolist()]


def write_sheets(
    out: Path,
    members: Mapping[str, Sequence[int]],
    names: Sequence[str],
    read: Callable[[Iterable[int]], Iterable[tuple[int, Sight]]],
) -> list[Path]:
    """Write a sheet for each group (name -> the rows of its clips, nearest to the middle first); older ones go.

    `names` are those of all clips by row; `read` gives some rows with what was seen there.
    """
    shown = {name: choose_shown(rows) for name, rows in members.items()}
    wanted = {row for rows in shown.values() for row in rows}
    tiles = {row: Tile(sight.picture, _name(names[row], sight)) for row, sight in read(wanted)}
    paths = []
    for name, rows in shown.items():
        title = (
            f"group {name}: {len(members[name])} clips"
            if name.isdecimal()
            else f"{name}: {len(members[name])}"
        )
        sheet = draw_sheet([tiles[row] for row in rows if row in tiles], title=title)
        file = f"{int(name):02}.jpg" if name.isdecimal() else "nothing_moves.jpg"
        paths.append(write_whole(out / SHEETS / file, partial(_write, sheet)))
    for path in (out / SHEETS).glob("*.jpg"):
        if OWN_NAME.fullmatch(path.name) and path not in paths:
            path.unlink()
    return paths


def draw_sheet(tiles: Sequence[Tile], *, title: str) -> bytes:
    """Pictures in rows of six, a caption below each, as JPEG.

    >>> sheet = draw_sheet([Tile(b"", "a.mp4, 2 s")], title="group 1: 1 clip")
    >>> Image.open(io.BytesIO(sheet)).size
    (980, 208)
    """
    across, down = PICTURE_PX + GAP_PX, PICTURE_PX + CAPTION_PX + GAP_PX
    rows = max(1, -(-len(tiles) // IN_A_ROW))
    sheet = Image.new("RGB", (IN_A_ROW * across - GAP_PX, TITLE_PX + rows * down + GAP_PX), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    pen.text((GAP_PX, GAP_PX), title, fill="black", font=ImageFont.load_default(14))
    for place, tile in enumerate(tiles):
        left, top = place % IN_A_ROW * across, TITLE_PX + place // IN_A_ROW * down
        if tile.picture:
            sheet.paste(Image.open(io.BytesIO(tile.picture)), (left, top))
        pen.text((left, top + PICTURE_PX), tile.caption, fill="black", font=font)
    file = io.BytesIO()
    sheet.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _write(content: bytes, path: Path) -> None:
    path.write_bytes(content)


def _name(name: str, sight: Sight) -> str:
    short = name if len(name) <= MOST_LETTERS - 6 else "…" + name[6 - MOST_LETTERS :]
    if not len(sight.closeups):
        return short
    return f"{short}, {sight.closeups[sight.closeups[:, 5].argmax(), 0]:.0f} s"
