"""What goes out and what comes back: options of an export, and what a file of any format says."""

from dataclasses import dataclass, field
from pathlib import Path

from primatrix.choices import Format
from primatrix.interchange.taxonomy import Taxonomy, read_taxonomy

__all__ = ["ExportOptions", "ExportRun"]


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What an export needs besides the results; all but the taxonomy and `for_spreadsheet` is for Camtrap DP.

    `deployments` is a table with latitude and longitude (see `read_deployments`), `project` a JSON or YAML file about
    the project, `timezone` the zone of times that have none, as `Africa/Abidjan`. `skip_undated` leaves out, and lists,
    the clips whose time of recording is not known; otherwise they stop the export. `for_spreadsheet` writes CSV in
    which no name is taken for a formula (see `primatrix.disk.quote_formulas`).
    """

    taxonomy: Taxonomy = field(default_factory=read_taxonomy)
    deployments: Path | None = None
    project: Path | None = None
    timezone: str = ""
    skip_undated: bool = False
    for_spreadsheet: bool = False


@dataclass(frozen=True, slots=True)
class ExportRun:
    """What an export wrote, and what the user should know about it."""

    path: Path
    format: Format
    clips: int
    unknown_species: tuple[str, ...] = ()  # labels the taxonomy does not have
    left_out: tuple[str, ...] = ()  # clips without a time of recording

    def summary(self) -> str:
        """Lines for the terminal."""
        lines = [f"{self.clips} clips as {self.format}: {self.path}"]
        if self.unknown_species:
            lines.append(
                f"no scientific name for {', '.join(self.unknown_species)}; give one with --taxonomy FILE "
                "(columns species, scientific_name, …)"
            )
        if self.left_out:
            some = ", ".join(self.left_out[:3]) + (", …" if len(self.left_out) > 3 else "")
            lines.append(f"{len(self.left_out)} clips left out, their time of recording is not known: {some}")
        return "\n".join(lines)
