"""Contact sheets: the filmstrips of each species with what is said about each clip beside it."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from primatrix.report.counts import ClipCount
from primatrix.report.filmstrips import Filmstrip
from primatrix.report.selection import Kind, Strip
from primatrix.report.tallies import SpeciesRow
from primatrix.results import Results

__all__ = ["Sheet", "SheetGroup", "ShownStrip", "make_sheets"]

TINY_PX = 200  # a strip narrower than this is of very small clips: its pixels are shown as they are
HEADINGS: dict[Kind, str] = {
    "surest": "The surest",
    "least sure": "The least sure: nearest to the threshold",
    "not labelled so": "Wrong or wrongly labelled: above the threshold, but labelled otherwise",
    "missed": "Missed: labelled so, but below the threshold",
}


@dataclass(frozen=True, slots=True)
class ShownStrip:
    """One clip on a sheet: `data` is its picture in base64, or empty with the `reason` why there is none."""

    filepath: str
    probability: float
    facts: tuple[str, ...]
    data: str
    alt: str
    width_px: int
    height_px: int
    seconds: tuple[float, ...]
    best: int
    reason: str

    @property
    def tiny(self) -> bool:
        """Whether the clip is so small that enlarging it should keep its pixels square."""
        return self.width_px < TINY_PX


@dataclass(frozen=True, slots=True)
class SheetGroup:
    """Strips of one kind under their heading."""

    heading: str
    strips: tuple[ShownStrip, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A species with its groups of strips."""

    species: str
    count: ClipCount
    groups: tuple[SheetGroup, ...]


def make_sheets(
    pictures: Mapping[Strip, Filmstrip | str], results: Results, *, species: Sequence[SpeciesRow]
) -> list[Sheet]:
    """A sheet for every species that has strips, in the order of `species`.

    >>> # `example` is a run of two clips: a duiker in one, the other broken
    >>> from primatrix.report.tallies import count_by_species
    >>> pictures = {Strip("a/IMG_1.MP4", "duiker", "surest", 0.9): "no such file"}
    >>> [sheet.species for sheet in make_sheets(pictures, example, species=count_by_species(example))]
    ['duiker']
    """
    about = _describe_clips(results, {strip.filepath for strip in pictures})
    sheets = []
    for row in species:
        groups = []
        for kind, heading in HEADINGS.items():
            shown = tuple(
                _show(strip, picture, about[strip.filepath])
                for strip, picture in pictures.items()
                if (strip.species, strip.kind) == (row.species, kind)
            )
            if shown:
                groups.append(SheetGroup(heading, shown))
        if groups:
            sheets.append(Sheet(row.species, row.count, tuple(groups)))
    return sheets


def _show(strip: Strip, picture: Filmstrip | str, facts: tuple[str, ...]) -> ShownStrip:
    if isinstance(picture, str):
        return ShownStrip(strip.filepath, strip.probability, facts, "", "", 0, 0, (), -1, picture)
    best = -1
    if strip.centre_seconds is not None:
        distances = [abs(second - strip.centre_seconds) for second in picture.seconds]
        best = distances.index(min(distances))
    count = len(picture.seconds)
    frames = f"{count} frames" if count > 1 else "One frame"
    alt = (
        f"{frames} of {strip.filepath} from second {picture.seconds[0]:.0f} to {picture.seconds[-1]:.0f}; "
        f"{strip.species} with probability {strip.probability:.2f}"
    )
    data = base64.b64encode(picture.webp).decode()
    return ShownStrip(strip.filepath, strip.probability, facts, data, alt, picture.width_px, picture.height_px,
                      picture.seconds, best, "")  # fmt: skip


def _describe_clips(results: Results, wanted: set[str]) -> dict[str, tuple[str, ...]]:
    """Site and time of each clip that is shown, as far as they are known."""
    rows = results.clips[results.clips["filepath"].isin(wanted)]
    columns = (rows["filepath"], rows["site"], rows["recorded_at"])
    return {
        name: tuple(fact for fact in (site, time[:16].replace("T", " ")) if fact)
        for name, site, time in zip(*columns, strict=True)
    }
