"""A figure over time as SVG, drawn here: no script, no style, nothing fetched; a title and words for who cannot see."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil, floor, log10
from typing import Final, Literal
from zoneinfo import ZoneInfo

from markupsafe import Markup

WIDTH: Final = 720
HEIGHT: Final = 220
LEFT: Final = 64
RIGHT: Final = 20
TOP: Final = 16
BOTTOM: Final = 32
LETTER: Final = 14
"""In the units of the picture; it is as wide on the page as there is room. A line of words is ``LETTER`` high."""

NEAR: Final = 5
"""How many times the largest figure a limit may be and still be shown: one far off would flatten the figures."""

STEPS_Y: Final = 5
STEPS_X: Final = 8
"""How many lines of the grid there may be: more cannot be read beside each other."""

HOURS: Final = (1, 2, 3, 6, 12)
DAYS: Final = (1, 2, 7, 14, 28, 91, 182, 364, 728)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A reading; ``value`` is ``None`` where it was not known. It may be off by ``spread`` to both sides."""

    at: datetime
    value: float | None
    spread: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A line that a figure should not cross."""

    value: float
    label: str
    level: Literal["note", "warn"] = "warn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What is drawn. ``name`` is its id on the page; ``low`` and ``high`` are shown whatever the figures are.

    Where more than ``gap`` lies between two readings nothing is known in between, and no line is drawn.
    """

    name: str
    title: str
    words: str
    unit: str
    points: Sequence[Point]
    limits: Sequence[Limit] = ()
    low: float | None = None
    high: float | None = None
    gap: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """From moments and values to places in the picture."""

    begin: datetime
    end: datetime
    low: float
    high: float

    def x(self, at: datetime) -> float:
        return LEFT + (at - self.begin) / (self.end - self.begin) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        inside = min(max(value, self.low), self.high)
        return TOP + (self.high - inside) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)


def draw(chart: Chart, zone: ZoneInfo) -> Markup:
    """The picture; empty where not one reading is known."""
    known = [point for point in chart.points if point.value is not None]
    if not known:
        return Markup("")
    scale = _scale(chart, known)
    runs = list(_runs(chart))
    inside = Markup("").join(
        (*_grid(scale, zone), *_bands(scale, runs), *_limits(scale, chart), *_lines(scale, runs, chart, zone))
    )
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-labelledby="{}-title {}-words"'
        ' xmlns="http://www.w3.org/2000/svg"><title id="{}-title">{}</title><desc id="{}-words">{}</desc>{}</svg>'
    ).format(
        WIDTH, HEIGHT, chart.name, chart.name, chart.name, chart.title, chart.name, chart.words, inside
    )  # fmt: skip


def ticks(low: float, high: float, most: int = STEPS_Y) -> list[float]:
    """Round numbers from ``low`` to ``high``, at most ``most`` steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / most
    power = 10.0 ** floor(log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough * (1 - 1e-9))
    first = ceil(low / step - 1e-9)
    return [n * step for n in range(first, floor(high / step + 1e-9) + 1)]


def moments(begin: datetime, end: datetime, zone: ZoneInfo, most: int = STEPS_X) -> list[datetime]:
    """Full hours or days of the clock on the wall there, at most ``most`` steps between them."""
    first = begin.astimezone(zone)
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    span = end - begin
    for hours in HOURS:
        if span <= timedelta(hours=hours * most):
            return _every(midnight, timedelta(hours=hours), begin, end)
    days = next((days for days in DAYS if span <= timedelta(days=days * most)), DAYS[-1])
    return _every(midnight, timedelta(days=days), begin, end)


def _every(start: datetime, step: timedelta, begin: datetime, end: datetime) -> list[datetime]:
    # Sums of local times keep the clock on the wall, also over a day that is an hour longer.
    skipped = max(0, floor((begin - start) / step))
    found = (start + n * step for n in range(skipped, skipped + 2 * STEPS_X + 8))
    return [at for at in found if begin <= at <= end]


def _scale(chart: Chart, known: Sequence[Point]) -> _Scale:
    begin, end = chart.points[0].at, chart.points[-1].at
    if end - begin < timedelta(hours=1):
        begin, end = begin - timedelta(hours=6), end + timedelta(hours=6)
    values = [v for p in known if p.value is not None for v in (p.value - p.spread, p.value + p.spread)]
    values += [value for value in (chart.low, chart.high) if value is not None]
    low, high = min(values), max(values)
    largest = NEAR * max(abs(low), abs(high))
    near = [limit.value for limit in chart.limits if abs(limit.value) <= largest]
    low, high = min((low, *near)), max((high, *near))
    if high - low < 1e-6:
        low, high = low - 1, high + 1
    room = (high - low) * 0.06
    return _Scale(
        begin=begin,
        end=end,
        low=low if chart.low == low else low - room,
        high=high if chart.high == high else high + room,
    )


def _runs(chart: Chart) -> Iterator[list[Point]]:
    """What is known without a break, in order."""
    run: list[Point] = []
    for point in chart.points:
        if run and (point.value is None or point.at - run[-1].at > chart.gap):
            yield run
            run = []
        if point.value is not None:
            run.append(point)
    if run:
        yield run


def _grid(scale: _Scale, zone: ZoneInfo) -> Iterator[Markup]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for value in ticks(scale.low, scale.high):
        y = scale.y(value)
        yield Markup('<line class="chart-grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(LEFT, right, y, y)
        yield Markup('<text class="chart-y" x="{}" y="{:.1f}">{}</text>').format(LEFT - 8, y + 4, number(value))
    marks = moments(scale.begin, scale.end, zone)
    for before, at in pairwise((None, *marks)):
        assert at is not None
        x = scale.x(at)
        yield Markup('<line class="chart-grid" x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{}"/>').format(x, x, TOP, bottom)
        yield Markup('<text class="chart-x" x="{:.1f}" y="{}">{}</text>').format(x, bottom + 20, _told(at, before))


def _told(at: datetime, before: datetime | None) -> str:
    """The hour; at midnight, and at the first, the day; where the year begins, the year too."""
    if before is not None and at.year != before.year:
        return f"{at:%Y-%m-%d}"
    if before is not None and (at.hour or at.minute):
        return f"{at:%H:%M}"
    return f"{at:%m-%d}" if not (at.hour or at.minute) else f"{at:%m-%d %H:%M}"


def _bands(scale: _Scale, runs: Iterable[list[Point]]) -> Iterator[Markup]:
    """Between what it may at least and at most be."""
    for run in runs:
        if len(run) < 2 or not any(point.spread for point in run):
            continue
        upper = [(scale.x(p.at), scale.y((p.value or 0) + p.spread)) for p in run]
        lower = [(scale.x(p.at), scale.y((p.value or 0) - p.spread)) for p in reversed(run)]
        outline = " ".join(f"{x:.1f},{y:.1f}" for x, y in (*upper, *lower))
        yield Markup('<polygon class="chart-band" points="{}"/>').format(outline)


def _limits(scale: _Scale, chart: Chart) -> Iterator[Markup]:
    right = WIDTH - RIGHT
    taken: list[float] = []
    for limit in chart.limits:
        if not scale.low <= limit.value <= scale.high:
            continue
        y = scale.y(limit.value)
        yield Markup('<line class="chart-limit chart-{}" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>').format(
            limit.level, LEFT, right, y, y
        )
        if all(abs(y - other) >= LETTER for other in taken):  # else two words would stand in one place
            taken.append(y)
            yield Markup('<text class="chart-limit-label" x="{}" y="{:.1f}">{}</text>').format(
                LEFT + 6, y - 4, limit.label
            )


def _lines(scale: _Scale, runs: Iterable[list[Point]], chart: Chart, zone: ZoneInfo) -> Iterator[Markup]:
    for run in runs:
        places = [(scale.x(point.at), scale.y(point.value or 0), point) for point in run]
        if len(run) > 1:
            outline = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
            yield Markup('<polyline class="chart-line" points="{}"/>').format(outline)
        for x, y, point in places:
            if point.spread:
                high, low = scale.y((point.value or 0) + point.spread), scale.y((point.value or 0) - point.spread)
                yield Markup('<line class="chart-spread" x1="{:.1f}" x2="{:.1f}" y1="{:.1f}" y2="{:.1f}"/>').format(
                    x, x, high, low
                )
            yield Markup('<circle class="chart-dot" cx="{:.1f}" cy="{:.1f}" r="3"><title>{}</title></circle>').format(
                x, y, told(point, chart.unit, zone)
            )


def told(point: Point, unit: str, zone: ZoneInfo) -> str:
    """A reading in words, as a tool tip has it."""
    value = "—" if point.value is None else f"{number(point.value)} {unit}".strip()
    spread = f" ± {number(point.spread)}" if point.spread else ""
    return f"{point.at.astimezone(zone):%Y-%m-%d %H:%M} · {value}{spread}"


def number(value: float) -> str:
    """A figure without digits that say nothing."""
    return f"{round(value, 2) + 0.0:g}"
