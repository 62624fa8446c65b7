"""Figures over time: what is drawn says what is known, leaves out what is not, and carries no style and no script."""

import math
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from bwcdock.web.charts import HEIGHT, LEFT, WIDTH, Chart, Limit, Point, draw, moments, ticks
from hypothesis import given
from hypothesis import strategies as st

CHINA = ZoneInfo("Asia/Shanghai")
T0 = datetime(2026, 3, 1, 16, 0, tzinfo=UTC)  # midnight of 2 March in China
NS = "{http://www.w3.org/2000/svg}"


def after(days: float) -> datetime:
    return T0 + timedelta(days=days)


def points(*values: float | None, spread: float = 0.0) -> tuple[Point, ...]:
    return tuple(Point(at=after(n), value=v, spread=spread if v is not None else 0.0) for n, v in enumerate(values))


def chart(some: tuple[Point, ...], **more: object) -> Chart:
    return Chart(name="c", title="Title", words="Words", unit="s", points=some, **more)  # type: ignore[arg-type]


def drawn(some: tuple[Point, ...], **more: object) -> ElementTree.Element:
    return ElementTree.fromstring(draw(chart(some, **more), CHINA))


def of_class(svg: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [each for each in svg.iter() if name in (each.get("class") or "").split()]


def test_nothing_known_is_nothing_drawn():
    assert draw(chart(()), CHINA) == ""
    assert draw(chart(points(None, None)), CHINA) == ""


def test_a_reading_that_is_not_known_is_a_gap():
    svg = drawn(points(1, 2, None, 3, 4))
    lines = of_class(svg, "chart-line")
    assert [len(line.get("points", "").split()) for line in lines] == [2, 2]
    assert len(of_class(svg, "chart-dot")) == 4


def test_a_long_silence_is_a_gap():
    some = (Point(at=after(0), value=1), Point(at=after(1), value=2), Point(at=after(20), value=3))
    assert len(of_class(drawn(some), "chart-line")) == 1
    assert len(of_class(drawn(some, gap=timedelta(days=30)), "chart-line")[0].get("points", "").split()) == 3


def test_uncertainty_is_a_band_from_the_least_to_the_most():
    svg = drawn(points(0, 10, spread=5), low=-5, high=15)
    (band,) = of_class(svg, "chart-band")
    corners = [tuple(map(float, corner.split(","))) for corner in band.get("points", "").split()]
    (line,) = of_class(svg, "chart-line")
    (x0, y0), (x1, y1) = [tuple(map(float, corner.split(","))) for corner in line.get("points", "").split()]
    assert [x for x, _ in corners] == [x0, x1, x1, x0]
    assert corners[0][1] < y0 < corners[3][1]
    assert corners[1][1] < y1 < corners[2][1]
    assert y0 - corners[0][1] == pytest.approx((y0 - y1) / 2, abs=0.2)


def test_without_uncertainty_there_is_no_band():
    assert not of_class(drawn(points(0, 10)), "chart-band")


def test_a_limit_is_drawn_where_it_belongs_and_told():
    svg = drawn(
        points(0, 100), limits=(Limit(value=20, label="low"), Limit(value=5000, label="far away")), low=0, high=100
    )
    (line,) = of_class(svg, "chart-limit")
    (label,) = of_class(svg, "chart-limit-label")
    assert label.text == "low"
    zero, hundred = (float(dot.get("cy", "")) for dot in of_class(svg, "chart-dot"))
    assert float(line.get("y1", "")) == pytest.approx(zero - (zero - hundred) / 5, abs=0.2)


def test_it_can_be_read_without_being_seen():
    svg = drawn(points(1, 2))
    title, words = svg.find(f"{NS}title"), svg.find(f"{NS}desc")
    assert title is not None
    assert words is not None
    assert (title.text, words.text) == ("Title", "Words")
    assert svg.get("role") == "img"
    assert svg.get("aria-labelledby", "").split() == [title.get("id"), words.get("id")]


def test_what_others_wrote_is_text_and_nothing_else():
    evil = '<script>alert(1)</script>" onload="x'
    text = draw(
        Chart(name="c", title=evil, words=evil, unit=evil, points=points(1, 2), limits=(Limit(value=1, label=evil),)),
        CHINA,
    )
    svg = ElementTree.fromstring(text)
    assert not [each for each in svg.iter() if each.tag in {f"{NS}script", f"{NS}style"}]
    assert not [name for each in svg.iter() for name in each.attrib if name == "style" or name.startswith("on")]


@given(
    st.lists(
        st.tuples(st.floats(0, 4000), st.one_of(st.none(), st.floats(-1e7, 1e7)), st.floats(0, 1e6)),
        min_size=1,
        max_size=30,
    )
)
def test_whatever_is_known_lies_in_the_picture(told):
    some = tuple(
        Point(at=after(day), value=value, spread=spread) for day, value, spread in sorted(told, key=lambda t: t[0])
    )
    text = draw(chart(some, limits=(Limit(value=60, label="x"),)), CHINA)
    if not text:
        assert all(value is None for _, value, _ in told)
        return
    svg = ElementTree.fromstring(text)
    dots = of_class(svg, "chart-dot")
    assert len(dots) == sum(value is not None for _, value, _ in told)
    for dot in dots:
        assert LEFT <= float(dot.get("cx", "")) <= WIDTH
        assert 0 <= float(dot.get("cy", "")) <= HEIGHT
    assert len(of_class(svg, "chart-x")) <= 10


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_round_and_few(low, span):
    found = ticks(low, low + span)
    assert 1 <= len(found) <= 6
    step = found[1] - found[0] if len(found) > 1 else None
    if step:
        digits = step / 10 ** math.floor(math.log10(step) + 1e-9)
        assert min(abs(digits - nice) for nice in (1, 2, 5, 10)) < 1e-3


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (0.25, ["00:00", "01:00", "02:00", "03:00", "04:00", "05:00", "06:00"]),
        (1, ["00:00", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00", "00:00"]),
    ],
)
def test_hours_are_those_of_the_clock_on_the_wall(days, expected):
    assert [f"{at:%H:%M}" for at in moments(T0, after(days), CHINA)] == expected


def test_days_begin_at_midnight_there():
    found = moments(T0 - timedelta(hours=5), after(30), CHINA)
    assert [f"{at:%H:%M}" for at in found] == ["00:00"] * len(found)
    assert 3 <= len(found) <= 9


def test_a_day_that_is_an_hour_longer_does_not_shift_the_days():
    berlin = ZoneInfo("Europe/Berlin")
    begin = datetime(2026, 10, 23, 22, tzinfo=UTC)  # the clock goes back on the 25th
    assert [f"{at:%m-%d %H:%M}" for at in moments(begin, begin + timedelta(days=5), berlin)] == [
        "10-24 00:00", "10-25 00:00", "10-26 00:00", "10-27 00:00", "10-28 00:00",
    ]  # fmt: skip


def test_a_limit_that_is_crossed_is_seen_and_one_far_off_does_not_flatten_the_figures():
    crossed = drawn(points(95, 95), limits=(Limit(value=60, label="warn"), Limit(value=-60, label="warn")))
    assert len(of_class(crossed, "chart-limit")) == 2
    assert not of_class(drawn(points(0.2, 0.4), limits=(Limit(value=60, label="warn"),)), "chart-limit")
