"""Charts as inline SVG: small, sharp in print, coloured by the page's own style, each with a title to be read out.

The drawing is 400 units wide, about a phone's width in pixels, so that its letters stay readable there.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from primatrix.report.words import format_number

__all__ = [
    "Bar",
    "Chart",
    "Dot",
    "Line",
    "draw_bars",
    "draw_columns",
    "draw_dots",
    "draw_grid",
    "draw_lines",
    "draw_log_lines",
]

WIDTH = 400
LABEL_WIDTH = 116  # names left of bars, dots and grids
RIGHT = 14
ROW = 17
MOST_LETTERS = 19
LEFT, TOP = 52, 8  # of a pair of axes
UNIT_TICKS = [0.0, 0.5, 1.0]


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing with what it shows in words: `title` is its heading, `alt` is read out in its place."""

    title: str
    alt: str
    svg: Markup
    legend: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bar:
    """A name and the lengths of its bar's parts."""

    name: str
    parts: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Dot:
    """A name, a value and the interval around it; `mark` is a second value, as what was counted."""

    name: str
    value: float
    low: float
    high: float
    mark: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A named line through points; `dotted` for what is only there to compare with."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    dotted: bool = False
    points: bool = False


def draw_bars(bars: Sequence[Bar], *, title: str, alt: str, legend: Sequence[str] = ()) -> Chart:
    """Horizontal bars from top to bottom, their parts end to end, with the sum at the end.

    >>> draw_bars([Bar("north", (3.0, 1.0))], title="Sites", alt="north 4").svg.count("<rect")
    2
    """
    most = max((sum(bar.parts) for bar in bars), default=0) or 1
    scale = (WIDTH - LABEL_WIDTH - RIGHT - 34) / most
    parts = []
    for row, bar in enumerate(bars):
        middle, left = ROW * row + ROW / 2, float(LABEL_WIDTH)
        parts.append(_text(LABEL_WIDTH - 6, middle, _shorten(bar.name), "end"))
        for number, length in enumerate(bar.parts):
            parts.append(_rect(left, middle - 5, length * scale, 10, f"c{number}"))
            left += length * scale
        parts.append(_text(left + 4, middle, format_number(sum(bar.parts))))
    return Chart(title, alt, _wrap(parts, ROW * len(bars) + 4, alt), tuple(legend))


def draw_columns(
    columns: Sequence[Bar], *, title: str, alt: str, x_label: str, legend: Sequence[str] = ()
) -> Chart:
    """Upright columns from left to right, their parts one on the other; every third has its name below.

    >>> draw_columns([Bar("0", (2.0,)), Bar("1", (1.0,))], title="t", alt="a", x_label="hour").title
    't'
    """
    left, top, height = 40, 8, 130
    ticks = choose_ticks(max((sum(column.parts) for column in columns), default=0))
    scale, step = height / ticks[-1], (WIDTH - left - RIGHT) / max(len(columns), 1)
    parts = list(_draw_y_ticks(ticks, left, top, height))
    for number, column in enumerate(columns):
        x, bottom = left + step * number, float(top + height)
        for part, length in enumerate(column.parts):
            bottom -= length * scale
            parts.append(_rect(x + step * 0.1, bottom, step * 0.8, length * scale, f"c{part}"))
        if number % 3 == 0:
            parts.append(_text(x + step / 2, top + height + 10, column.name, "middle"))
    parts.append(_text((left + WIDTH - RIGHT) / 2, top + height + 26, x_label, "middle"))
    return Chart(title, alt, _wrap(parts, top + height + 36, alt), tuple(legend))


def draw_dots(
    dots: Sequence[Dot], *, title: str, alt: str, x_label: str, legend: Sequence[str] = ()
) -> Chart:
    """A dot with its interval for each name, along log(1 + x), which has room for none and for thousands.

    >>> draw_dots([Dot("hog", 5, 3, 8)], title="t", alt="a", x_label="clips").svg.count("<circle")
    1
    """
    most = max((max(dot.high, dot.mark or 0) for dot in dots), default=0)
    ticks = [0, *(10**power for power in range(math.ceil(math.log10(most + 1)) + 1))]
    scale = (WIDTH - LABEL_WIDTH - RIGHT - 10) / math.log1p(ticks[-1])

    def at(value: float) -> float:
        return LABEL_WIDTH + 4 + math.log1p(value) * scale

    bottom = ROW * len(dots) + 2
    parts = []
    for tick in ticks:
        parts.append(_line(at(tick), 0, at(tick), bottom, "grid"))
        parts.append(_text(at(tick), bottom + 9, format_number(tick), "middle"))
    for row, dot in enumerate(dots):
        y = ROW * row + ROW / 2
        parts.append(_text(LABEL_WIDTH - 6, y, _shorten(dot.name), "end"))
        parts.append(_line(at(dot.low), y, at(dot.high), y, "whisker"))
        parts.append(_circle(at(dot.value), y, "c0"))
        if dot.mark is not None:
            parts.append(_line(at(dot.mark), y - 6, at(dot.mark), y + 6, "mark"))
    parts.append(_text((LABEL_WIDTH + WIDTH - RIGHT) / 2, bottom + 25, x_label, "middle"))
    return Chart(title, alt, _wrap(parts, bottom + 35, alt), tuple(legend))


def draw_grid(rows: Sequence[Bar], *, title: str, alt: str, x_label: str) -> Chart:
    """One row of cells for each name, the darker the more of the row's largest value.

    >>> draw_grid([Bar("hog", (0.0, 2.0))], title="t", alt="a", x_label="hour").svg.count("<rect")
    2
    """
    parts = []
    for number, row in enumerate(rows):
        y, most = ROW * number, max(row.parts) or 1
        step = (WIDTH - LABEL_WIDTH - RIGHT) / len(row.parts)
        parts.append(_text(LABEL_WIDTH - 6, y + ROW / 2, _shorten(row.name), "end"))
        for column, value in enumerate(row.parts):
            parts.append(Markup('<rect x="{:.1f}" y="{}" width="{:.1f}" height="{}" class="cell" '
                                'fill-opacity="{:.2f}"/>').format(LABEL_WIDTH + step * column, y + 1, step - 0.8,
                                                                  ROW - 2, 0.06 + 0.94 * value / most))  # fmt: skip
            if number == len(rows) - 1 and column % 3 == 0:
                x = LABEL_WIDTH + step * (column + 0.5)
                parts.append(_text(x, y + ROW + 9, str(column), "middle"))
    bottom = ROW * len(rows)
    parts.append(_text((LABEL_WIDTH + WIDTH - RIGHT) / 2, bottom + 25, x_label, "middle"))
    return Chart(title, alt, _wrap(parts, bottom + 35, alt))


def draw_lines(
    lines: Sequence[Line],
    *,
    title: str,
    alt: str,
    labels: tuple[str, str],
    unit_square: bool = False,
    width: int = WIDTH,
) -> Chart:
    """Lines over one pair of axes from 0; `labels` name x and y. `unit_square` fixes both axes at 0 to 1.

    >>> line = Line("all", [0, 1], [0.5, 1.0])
    >>> draw_lines([line], title="t", alt="a", labels=("recall", "precision"), unit_square=True).legend
    ('all',)
    """
    if unit_square:
        x_ticks, y_ticks = UNIT_TICKS, UNIT_TICKS
    else:
        counted = all(float(x).is_integer() for line in lines for x in line.x)
        x_ticks = choose_ticks(max((max(line.x, default=0) for line in lines), default=0), whole=counted)
        y_ticks = choose_ticks(max((max(line.y, default=0) for line in lines), default=0))
    frame = _Frame(width, x_ticks, y_ticks, linear=True)
    parts = [*frame.draw(labels), *frame.draw_lines(lines)]
    return Chart(title, alt, _wrap(parts, frame.bottom, alt, width=width), tuple(line.name for line in lines))


def draw_log_lines(
    lines: Sequence[Line], *, title: str, alt: str, labels: tuple[str, str], least: float = 1e-4
) -> Chart:
    """Lines over one pair of logarithmic axes from `least` to 1; what is smaller lies on the edge.

    >>> line = Line("all", [0.01, 0.5], [0.02, 0.4])
    >>> draw_log_lines([line], title="t", alt="a", labels=("given", "true")).title
    't'
    """
    ticks = [least * 10**power for power in range(round(-math.log10(least)) + 1)]
    frame = _Frame(WIDTH, ticks, ticks, linear=False)
    parts = [*frame.draw(labels), *frame.draw_lines(lines)]
    return Chart(title, alt, _wrap(parts, frame.bottom, alt), tuple(line.name for line in lines))


@dataclass(frozen=True, slots=True)
class _Frame:
    """A pair of axes and what lies where on them."""

    width: int
    x_ticks: Sequence[float]
    y_ticks: Sequence[float]
    linear: bool

    @property
    def height(self) -> float:
        return self.width / 2

    @property
    def bottom(self) -> float:
        return TOP + self.height + 38

    def at(self, x: float, y: float) -> tuple[float, float]:
        along, up = self._share(x, self.x_ticks), self._share(y, self.y_ticks)
        return LEFT + (self.width - LEFT - RIGHT) * along, TOP + self.height * (1 - up)

    def _share(self, value: float, ticks: Sequence[float]) -> float:
        if self.linear:
            return value / ticks[-1]
        return math.log(max(value, ticks[0]) / ticks[0]) / math.log(ticks[-1] / ticks[0])

    def draw(self, labels: tuple[str, str]) -> Iterator[Markup]:
        right = self.width - RIGHT
        for tick in self.y_ticks:
            _, y = self.at(self.x_ticks[0], tick)
            yield _line(LEFT, y, right, y, "grid")
            yield _text(LEFT - 5, y, format_number(tick), "end")
        for tick in self.x_ticks:
            yield _text(
                self.at(tick, self.y_ticks[0])[0], TOP + self.height + 11, format_number(tick), "middle"
            )
        yield _text((LEFT + right) / 2, TOP + self.height + 28, labels[0], "middle")
        turned = '<text transform="translate(10 {}) rotate(-90)" text-anchor="middle">{}</text>'
        yield Markup(turned).format(TOP + self.height / 2, labels[1])

    def draw_lines(self, lines: Sequence[Line]) -> Iterator[Markup]:
        for number, line in enumerate(lines):
            places = [self.at(x, y) for x, y in zip(line.x, line.y, strict=True)]
            joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            kind = f"line l{number}{' dotted' if line.dotted else ''}"
            yield Markup('<polyline points="{}" class="{}"/>').format(joined, kind)
            if line.points:
                yield from (_circle(x, y, f"c{number}") for x, y in places)


def choose_ticks(most: float, *, count: int = 5, whole: bool = False) -> list[float]:
    """Round numbers from 0 to `most` or the next one above it; `whole` for what is only ever counted.

    >>> choose_ticks(17), choose_ticks(1), choose_ticks(0)
    ([0.0, 5.0, 10.0, 15.0, 20.0], [0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.0, 1.0])
    """
    if most <= 0:
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(most / count))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * count >= most * 0.999)
    step = max(step, 1.0) if whole else step
    return [round(step * i, 10) for i in range(math.ceil(most / step - 1e-9) + 1)]


def _draw_y_ticks(ticks: Sequence[float], left: float, top: float, height: float) -> Iterator[Markup]:
    for tick in ticks:
        y = top + height * (1 - tick / ticks[-1])
        yield _line(left, y, WIDTH - RIGHT, y, "grid")
        yield _text(left - 5, y, format_number(tick), "end")


def _wrap(parts: Sequence[Markup], height: float, alt: str, *, width: int = WIDTH) -> Markup:
    head = Markup('<svg role="img" viewBox="0 0 {} {:.0f}" preserveAspectRatio="xMinYMin"><title>{}</title>')
    return head.format(width, height, alt) + Markup("").join(parts) + Markup("</svg>")


def _text(x: float, y: float, text: str, anchor: str = "start") -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" dy="0.35em" text-anchor="{}">{}</text>').format(
        x, y, anchor, text
    )


def _rect(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    return Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" class="{}"/>').format(
        x, y, max(width, 0), max(height, 0), kind
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return Markup('<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" class="{}"/>').format(
        x1, y1, x2, y2, kind
    )


def _circle(x: float, y: float, kind: str) -> Markup:
    return Markup('<circle cx="{:.1f}" cy="{:.1f}" r="3.2" class="{}"/>').format(x, y, kind)


def _shorten(name: str) -> str:
    return name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…"
