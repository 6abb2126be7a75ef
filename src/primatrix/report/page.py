"""The report's page: everything counted and drawn, put into one HTML file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from primatrix.disk import check_output_file, read_epochs, write_whole
from primatrix.errors import InputError
from primatrix.footage import match_names, pick_like
from primatrix.interchange import read_labels
from primatrix.labels import BLANK, choose_scored
from primatrix.progress import ShowProgress, show_progress
from primatrix.report.accuracy import describe_accuracy
from primatrix.report.charts import (
    chart_hours,
    chart_sites,
    chart_species,
    chart_species_by_hour,
    chart_watching,
)
from primatrix.report.filmstrips import draw_filmstrips, list_reasons
from primatrix.report.selection import centre_by_frames, choose_strips
from primatrix.report.sheets import Sheet, make_sheets
from primatrix.report.svg import Chart
from primatrix.report.tallies import (
    SpeciesRow,
    count_by_hour,
    count_by_site,
    count_by_species,
    count_overview,
    count_species_by_hour,
)
from primatrix.report.training_curve import draw_training
from primatrix.report.watching import count_points, count_watching, measure_footage
from primatrix.report.words import (
    format_clock,
    format_count,
    format_length,
    format_number,
    format_probability,
    format_share,
)
from primatrix.results import Results, is_calibrated, read_frames, say_watching
from primatrix.trust import shows_something

__all__ = ["ReportRun", "ReportSpec", "write_report"]

MOST_FAILURES = 300  # rows in the page: 10,000 failed clips would be megabytes of it
MOST_REASONS = 12
MOST_SITES = 40
MOST_GRID_SPECIES = 14
TIME_WORDS = {"": "not known", "container": "from the container", "exif": "from EXIF", "name": "from the file's name",
              "table": "from a table", "modified": "from the file's time of change"}  # fmt: skip

Context = dict[str, Any]  # Any: whatever the template shows


@dataclass(frozen=True, slots=True)
class ReportSpec:
    """What a report shows beside the results: `labels` file, `model` folder, and where the `videos` lie.

    Without `videos` the folder is taken that the results name. `strips` is how many clips of a kind a contact
    sheet shows (0: no pictures at all); `workers` processes decode them.
    """

    labels: Path | None = None
    model: Path | None = None
    videos: Path | None = None
    strips: int = 4
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.strips < 0:
            raise InputError(f"strips: got {self.strips}, wanted 0 or more")


@dataclass(frozen=True, slots=True)
class ReportRun:
    """A written report: its file and size, the pictures in it, and the clips without one, each with its reason."""

    path: Path
    size_bytes: int
    pictures: int
    without: tuple[tuple[str, str], ...]

    def summary(self) -> str:
        """A line for the terminal, and one for each of the first clips without a picture."""
        lines = [f"{self.path}: {self.size_bytes / 1e6:.1f} MB, {self.pictures} filmstrips"]
        lines += [f"no picture of {name}: {reason}" for name, reason in self.without[:5]]
        if len(self.without) > 5:
            lines.append(f"no picture of {len(self.without) - 5} more; the page says why")
        return "\n".join(lines)


def write_report(
    results: str | Path,
    out: str | Path,
    *,
    spec: ReportSpec | None = None,
    on_progress: ShowProgress = "auto",
) -> ReportRun:
    """Write one self-contained HTML file about a results folder; it opens offline and asks for nothing.

    Raises InputError for a folder without results, labels of other clips or a model folder without model. A clip that
    cannot be shown any more has its reason in the page instead of a picture, and in `ReportRun.without`.

    >>> # `example` is a run of two clips: a duiker in one, the other broken
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = example.write(folder / "results")
    >>> run = write_report(folder / "results", folder / "report.html", spec=ReportSpec(workers=0))
    >>> run.pictures, run.without
    (0, (('a/IMG_1.MP4', 'no such file; check the path'),))
    """
    out = check_output_file(out)
    spec, found = spec or ReportSpec(), Results.read(results, frames=False)  # they may be many
    labels = None if spec.labels is None else match_labels(spec.labels, found)
    epochs = [] if spec.model is None else read_epochs(spec.model)
    strips = choose_strips(found, labels=labels, count=spec.strips)
    unseen = {strip.filepath for strip in strips if strip.centre_seconds is None}
    strips = centre_by_frames(strips, read_frames(results, clips=unseen) if unseen else None)
    folder = spec.videos or Path(str(found.facts["folder"]))
    with show_progress(on_progress) as tell:
        pictures = draw_filmstrips(strips, folder, workers=spec.workers, on_progress=tell)
    species = count_by_species(found)
    context = {
        **describe_run(found),
        **describe_species(species, labels),
        **describe_places(found, species),
        **describe_watching(found, labels),
        **describe_sheets(make_sheets(pictures, found, species=species), species),
        "accuracy": None if labels is None else describe_accuracy(labels, found),
        "training": draw_training(epochs) if epochs else None,
    }
    path = write_whole(out, lambda file: file.write_text(render_page(context), encoding="utf-8"))
    without = tuple(list_reasons(pictures))
    return ReportRun(
        path, path.stat().st_size, sum(not isinstance(p, str) for p in pictures.values()), without
    )


def match_labels(path: Path, results: Results) -> pd.DataFrame:
    """The labels (clips, species) of the clips among the results; InputError where there are none."""
    table = choose_scored(read_labels(path)).spell(results.species).table
    names = results.predictions["filepath"]
    table = table.rename(
        index=match_names(table.index, names, root=results.facts["folder"] or None, table=path)
    )
    clips = table.index[table.index.isin(names)]
    if not len(clips):
        raise InputError(
            f"{path}: none of its {len(table)} clips is among the results, as {table.index[0]}; wanted names as in "
            f"predictions.csv, as {pick_like(table.index[0], names)}"
        )
    if not set(table.columns) & set(results.species):
        raise InputError(
            f"{path}: none of its labels ({', '.join(table.columns[:5])}) is a species of the results"
        )
    return table.loc[clips].reindex(columns=list(results.species), fill_value=0.0)


def describe_run(results: Results) -> Context:
    """What was processed and what failed."""
    overview, failures = count_overview(results), results.failures.head(MOST_FAILURES)
    readable = results.clips[(results.predictions["status"] != "failed").to_numpy()]
    notes = results.clips.loc[results.clips["note"] != "", ["filepath", "note"]]
    return {
        "facts": results.facts,
        "overview": overview,
        "reasons": list(overview.reasons.items())[:MOST_REASONS],
        "time_words": TIME_WORDS,
        "unknown_lengths": int(readable["duration_seconds"].isna().sum()),
        "failures": list(failures.itertuples(index=False, name=None)),
        "failed_in_all": len(results.failures),
        "notes": list(notes.head(MOST_FAILURES).itertuples(index=False, name=None)),
        "noted_in_all": len(notes),
    }


def describe_species(species: Sequence[SpeciesRow], labels: pd.DataFrame | None) -> Context:
    """The counts per species."""
    return {
        "species": species,
        "species_chart": chart_species(species),
        "labelled": None if labels is None else labels.sum().to_dict(),
        "labelled_clips": 0 if labels is None else len(labels),
    }


def describe_places(results: Results, species: Sequence[SpeciesRow]) -> Context:
    """Clips per site and by hour of the day, as far as those are known."""
    sites, hours = count_by_site(results), count_by_hour(results)
    shown = [row.species for row in species if row.species != BLANK and row.count.expected >= 1][
        :MOST_GRID_SPECIES
    ]
    grid: Chart | None = None
    if hours and shown:
        grid = chart_species_by_hour(count_species_by_hour(results, shown))
    return {
        "sites": sites[:MOST_SITES],
        "sites_in_all": len(sites),
        "site_chart": chart_sites(sites[:MOST_SITES]) if sites else None,
        "hour_chart": chart_hours(hours) if hours else None,
        "hour_grid": grid,
    }


def describe_watching(results: Results, labels: pd.DataFrame | None) -> Context:
    """The hours that are left to watch."""
    footage = measure_footage(results)
    shows = None if labels is None else shows_something(labels).astype(float)
    calibrated = is_calibrated(results)
    points = count_points(footage, results.facts["operating_points"], labels=labels)
    skipping = [point["task"] == "skip" for point in results.facts["operating_points"].values()]
    return {
        "something": float(footage.something.sum()),
        "has_blank": BLANK in results.species,
        "calibrated": calibrated,
        "to_watch": say_watching(results),
        "readable": len(footage.names),
        "watching": count_watching(footage, shows=shows) if calibrated else [],
        "watching_chart": chart_watching(footage) if calibrated and len(footage.names) else None,
        "skip_points": [row for row, skips in zip(points, skipping, strict=True) if skips],
        "find_points": [row for row, skips in zip(points, skipping, strict=True) if not skips],
    }


def describe_sheets(sheets: Sequence[Sheet], species: Sequence[SpeciesRow]) -> Context:
    """The contact sheets, and which species have none."""
    with_sheet = {sheet.species for sheet in sheets}
    return {"sheets": sheets, "not_shown": [row.species for row in species if row.species not in with_sheet]}


def render_page(context: Context) -> str:
    """The HTML text; every name in it is escaped."""
    loader = jinja2.PackageLoader("primatrix", "report")
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters.update(
        number=format_number,
        count=format_count,
        length_of_film=format_length,
        percent=format_share,
        probability=format_probability,
        clock=format_clock,
        day=lambda text: (
            datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M") if text else "an unknown day"
        ),
    )
    style = Markup(files("primatrix.report").joinpath("style.css").read_text(encoding="utf-8"))
    contents = list_contents(context)
    return environment.get_template("page.html").render(**context, style=style, contents=contents)


def list_contents(context: Context) -> list[tuple[str, str]]:
    """Id and name of each section of the page."""
    sections = [("processed", "What was processed"), ("species", "Species"), ("where", "Where and when"),
                ("watching", "Hours to watch")]  # fmt: skip
    if context["accuracy"] or context["training"]:
        sections.append(("accuracy", "How well the model does"))
    return [*sections, ("sheets", "Contact sheets")]
