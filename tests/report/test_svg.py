import re
from collections.abc import Callable
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primatrix.report.svg import (
    Bar,
    Chart,
    Dot,
    Line,
    choose_ticks,
    draw_bars,
    draw_columns,
    draw_dots,
    draw_grid,
    draw_lines,
    draw_log_lines,
)

ODD = "<b>hog & 'co'"


def read_points(chart: Chart) -> list[list[tuple[float, float]]]:
    """The corners of each line of a chart."""
    lines = re.findall(r'<polyline points="([^"]*)"', chart.svg)
    return [[tuple(map(float, pair.split(","))) for pair in line.split()] for line in lines]


@pytest.mark.parametrize(
    "draw",
    [
        lambda: draw_bars([Bar(ODD, (1.0,))], title="t", alt=ODD),
        lambda: draw_columns([Bar(ODD, (1.0,))], title="t", alt=ODD, x_label=ODD),
        lambda: draw_dots([Dot(ODD, 1, 0, 2, mark=0)], title="t", alt=ODD, x_label=ODD),
        lambda: draw_grid([Bar(ODD, (0.0, 1.0))], title="t", alt=ODD, x_label=ODD),
        lambda: draw_lines([Line(ODD, [0, 1], [0, 1], points=True)], title="t", alt=ODD, labels=(ODD, ODD)),
        lambda: draw_log_lines([Line(ODD, [0.1], [0.1])], title="t", alt=ODD, labels=(ODD, ODD)),
        lambda: draw_bars([], title="t", alt=ODD),
        lambda: draw_columns([], title="t", alt=ODD, x_label=ODD),
        lambda: draw_dots([], title="t", alt=ODD, x_label=ODD),
        lambda: draw_grid([], title="t", alt=ODD, x_label=ODD),
        lambda: draw_lines([], title="t", alt=ODD, labels=(ODD, ODD)),
    ],
)
def test_every_chart_is_a_whole_drawing_that_reads_its_words_out(draw: Callable[[], Chart]) -> None:
    drawing = ElementTree.fromstring(draw().svg)
    assert drawing.get("role") == "img"
    assert [child.text for child in drawing if child.tag == "title"] == [ODD]


def test_bars_are_as_long_as_their_parts_and_end_to_end() -> None:
    chart = draw_bars(
        [Bar("north", (30.0, 10.0)), Bar("south", (0.0, 20.0))], title="t", alt="a", legend=("x", "y")
    )
    bars = re.findall(
        r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="10.0" class="(c\d)"', chart.svg
    )
    assert bars == [
        ("116.0", "3.5", "177.0", "c0"), ("293.0", "3.5", "59.0", "c1"),
        ("116.0", "20.5", "0.0", "c0"), ("116.0", "20.5", "118.0", "c1"),
    ]  # fmt: skip
    assert re.findall(r">(\d+)</text>", chart.svg) == ["40", "20"]
    assert chart.legend == ("x", "y")


def test_columns_stand_one_part_on_the_other_and_every_third_has_its_name() -> None:
    chart = draw_columns([Bar(f"{i:02}", (5.0, 5.0)) for i in range(24)], title="t", alt="a", x_label="hour")
    first = re.findall(r'<rect x="41.4" y="([\d.]+)" width="11.5" height="([\d.]+)"', chart.svg)
    assert first == [("73.0", "65.0"), ("8.0", "65.0")]
    assert re.findall(r">(\d\d)</text>", chart.svg)[-8:] == ["00", "03", "06", "09", "12", "15", "18", "21"]


def test_dots_lie_on_a_scale_with_room_for_none_and_for_thousands() -> None:
    chart = draw_dots(
        [Dot("hog", 0, 0, 0, mark=0), Dot("cow", 999, 9, 999)], title="t", alt="a", x_label="clips"
    )
    assert re.findall(r'<circle cx="([\d.]+)"', chart.svg) == ["120.0", "380.0"]
    assert re.findall(
        r'<line x1="([\d.]+)" y1="25.5" x2="([\d.]+)" y2="25.5" class="whisker"', chart.svg
    ) == [("206.7", "380.0")]
    assert re.findall(r'text-anchor="middle">([\d,]+)<', chart.svg) == ["0", "1", "10", "100", "1,000"]


def test_a_rows_cells_are_darkest_at_its_own_largest_value() -> None:
    chart = draw_grid([Bar("hog", (0.0, 2.0)), Bar("bat", (0.0, 0.0))], title="t", alt="a", x_label="hour")
    assert re.findall(r'fill-opacity="([\d.]+)"', chart.svg) == ["0.06", "1.00", "0.06", "0.06"]


def test_lines_begin_at_the_axes_origin_whatever_their_least_value() -> None:
    [line] = read_points(draw_lines([Line("a", [5, 10], [50, 100])], title="t", alt="a", labels=("x", "y")))
    assert line == [(219.0, 108.0), (386.0, 8.0)]  # half way, and the far corner
    [line] = read_points(
        draw_lines([Line("a", [0.5], [0.25])], title="t", alt="a", labels=("x", "y"), unit_square=True)
    )
    assert line == [(219.0, 158.0)]


def test_what_is_smaller_than_a_logarithmic_axis_lies_on_its_edge() -> None:
    [line] = read_points(draw_log_lines([Line("a", [0, 1e-9, 0.01, 1], [0, 1e-4, 0.01, 1])], title="t", alt="a",
                                        labels=("x", "y")))  # fmt: skip
    assert line == [(52.0, 208.0), (52.0, 208.0), (219.0, 108.0), (386.0, 8.0)]


def test_only_names_too_long_for_their_place_are_cut() -> None:
    assert ">nineteen letters xx<" in draw_bars([Bar("nineteen letters xx", (1.0,))], title="t", alt="a").svg
    assert (
        ">twenty letters are…<" in draw_bars([Bar("twenty letters are it", (1.0,))], title="t", alt="a").svg
    )


@settings(max_examples=100)
@given(st.floats(1e-6, 1e9), st.booleans())
def test_ticks_are_few_even_and_reach_the_largest_value(most: float, whole: bool) -> None:
    ticks = choose_ticks(most, whole=whole)
    assert ticks[0] == 0
    assert ticks[-1] >= most * 0.999
    assert 2 <= len(ticks) <= 7
    assert ticks[1] >= (1 if whole else 0)
    steps = [after - before for before, after in pairwise(ticks)]
    assert steps == pytest.approx([ticks[1]] * len(steps))


def test_ticks_of_what_is_counted_are_whole() -> None:
    assert choose_ticks(3, whole=True) == [0, 1, 2, 3]
    assert choose_ticks(0.3, whole=True) == [0, 1]
    assert choose_ticks(0.3) == pytest.approx([0, 0.1, 0.2, 0.3])
