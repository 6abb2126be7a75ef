"""The report's charts: what was counted, drawn, each with its content in words."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from primatrix.report.svg import (
    Bar,
    Chart,
    Dot,
    Line,
    draw_bars,
    draw_columns,
    draw_dots,
    draw_grid,
    draw_lines,
)
from primatrix.report.tallies import Group, SpeciesRow
from primatrix.report.watching import Footage
from primatrix.report.words import format_number

__all__ = ["chart_hours", "chart_sites", "chart_species", "chart_species_by_hour", "chart_watching"]

CURVE_POINTS = 200
PARTS = ("show something (expected)", "failed", "show nothing (expected)")


def chart_species(rows: Sequence[SpeciesRow]) -> Chart:
    """Expected clips per species with their intervals, and how many clips reach the threshold."""
    dots = [
        Dot(row.species, row.count.expected, row.count.low, row.count.high, mark=row.above) for row in rows
    ]
    told = "; ".join(f"{row.species} {format_number(row.count.expected)}" for row in rows)
    return draw_dots(
        dots,
        title="Clips per species",
        alt=f"Expected clips per species: {told}. The table below has the intervals.",
        x_label="clips (logarithmic)",
        legend=("expected, with its 95 % interval", "at or above the threshold"),
    )


def chart_sites(groups: Sequence[Group]) -> Chart:
    """Clips per site by what they are expected to show."""
    told = "; ".join(f"{group.name} {group.clips}" for group in groups)
    bars = [_split(group) for group in groups]
    return draw_bars(bars, title="Clips per site", alt=f"Clips per site: {told}.", legend=PARTS)


def chart_hours(groups: Sequence[Group]) -> Chart:
    """Clips by hour of the day by what they are expected to show."""
    busiest = max(groups, key=lambda group: group.something)
    alt = (
        f"Clips by hour of the day, {sum(group.clips for group in groups)} in all; "
        f"the most with something in them around {busiest.name} h."
    )
    return draw_columns(
        [_split(group) for group in groups],
        title="Clips by hour of the day",
        alt=alt,
        x_label="hour, by the cameras' clocks",
        legend=PARTS,
    )


def chart_species_by_hour(sums: pd.DataFrame) -> Chart:
    """Expected clips of each species (rows) by hour of the day (columns), each row by its own largest."""
    told = "; ".join(
        f"{name} most around {row.argmax():02} h"
        for name, row in zip(sums.index, sums.to_numpy(), strict=True)
    )
    rows = [
        Bar(str(name), tuple(map(float, row))) for name, row in zip(sums.index, sums.to_numpy(), strict=True)
    ]
    return draw_grid(
        rows,
        title="Species by hour of the day",
        alt=f"Expected clips by hour of the day: {told}.",
        x_label="hour; the stronger the colour, the more clips",
    )


def chart_watching(footage: Footage) -> Chart:
    """What share of the clips with something is kept for every number of hours watched."""
    order = footage.rank()
    hours = np.concatenate([[0.0], np.cumsum(footage.hours[order])])
    kept = np.concatenate([[0.0], np.cumsum(footage.something[order]) / (footage.something.sum() or 1)])
    picked = np.unique(np.linspace(0, len(hours) - 1, CURVE_POINTS).round().astype(int))
    last = min(
        int(np.searchsorted(kept, 0.95 - 1e-12)), len(hours) - 1
    )  # all of it where nothing is expected
    half = float(hours[last])
    alt = (
        f"Share kept against hours watched, of {format_number(float(hours[-1]))} hours: "
        f"95 % is kept in {format_number(half)} hours."
    )
    ranked = Line("likeliest first", hours[picked].tolist(), kept[picked].tolist())
    plain = Line("in any order", [0.0, float(hours[-1])], [0.0, 1.0], dotted=True)
    return draw_lines(
        [ranked, plain],
        title="What is kept in how many hours",
        alt=alt,
        labels=("hours watched", "share of clips with something"),
    )


def _split(group: Group) -> Bar:
    return Bar(group.name, (group.something, float(group.failed), group.nothing))
