"""Claims are completed and corrected by the rule table; every guard here has a case in which it refuses."""

from datetime import UTC, datetime, timedelta

import pytest
from bwcdock.core.clocks import (
    claimed,
    container_clock,
    correct,
    milliseconds,
    shifted,
    wander_ms,
    zone_hint,
)
from bwcdock.core.facts import Claim, Drift, Item, Kind, MediaFacts, Severity
from hypothesis import given
from hypothesis import strategies as st

NINE = datetime(2024, 5, 1, 1, 0, tzinfo=UTC)  # 09:00 in Beijing
MOMENTS = st.integers(-(10**15), 2 * 10**15).map(lambda microseconds: NINE + timedelta(microseconds=microseconds))


def at(seconds: float) -> datetime:
    return NINE + timedelta(seconds=seconds)


def item(*, start=NINE, end=None, modified=None, kind=Kind.VIDEO, source="name", zone="Asia/Shanghai") -> Item:
    claim = Claim(start=start, end=end, source=source, zone=zone)
    return Item(path="DCIM/a.MP4", size=1, modified=modified, claim=claim, kind=kind)


def drift(offset_ms=90_000, uncertainty_ms=500, read_at=NINE, bound="exact") -> Drift:
    return Drift(method="plug-file", offset_ms=offset_ms, uncertainty_ms=uncertainty_ms, read_at=read_at, bound=bound)


TABLE = [
    # the item, the container's duration, then start, end and resolution
    (item(end=at(30)), 99_000, NINE, at(30), 1000),
    (item(), 60_500, NINE, at(60.5), 1000),
    (item(modified=at(60)), 60_500, NINE, at(60.5), 1000),
    (item(modified=at(60)), None, NINE, at(60), 3000),
    (item(modified=NINE), None, NINE, NINE, 3000),
    (item(modified=at(6 * 3600)), None, NINE, at(6 * 3600), 3000),
    (item(modified=at(6 * 3600 + 1)), None, NINE, None, 1000),
    (item(modified=at(-1)), None, NINE, None, 1000),
    (item(kind=Kind.PHOTO, modified=at(60)), None, NINE, NINE, 1000),
    (item(), None, NINE, None, 1000),
    (item(start=None, end=at(30)), 10_000, at(20), at(30), 1000),
    (item(start=None, end=at(30)), None, None, at(30), 1000),
    (item(start=None, modified=at(30)), 10_000, at(20), at(30), 2000),
    (item(start=None, modified=at(30)), None, None, at(30), 2000),
    (item(start=None), 10_000, None, None, 1000),
]


@pytest.mark.parametrize(("listed", "duration", "start", "end", "resolution"), TABLE)
def test_rule_table(listed, duration, start, end, resolution):
    times = claimed(listed, MediaFacts(duration_ms=duration))
    assert (times.start, times.end, times.resolution_ms) == (start, end, resolution)


@given(start=MOMENTS, length=st.integers(0, 86_400), offset=st.integers(-(10**10), 10**10))
def test_corrected_is_claimed_minus_offset(start, length, offset):
    listed = item(start=start, end=start + timedelta(seconds=length))
    corrected = correct(listed, drift(offset_ms=offset), None)
    assert corrected.start == start - timedelta(milliseconds=offset)
    assert corrected.end - corrected.start == timedelta(seconds=length)
    assert (corrected.method, corrected.offset_ms) == ("plug-file", offset)


@given(offset=st.integers(-(10**10), 10**10))
def test_a_lower_bound_never_corrects_and_widens_the_uncertainty(offset):
    corrected = correct(item(end=at(30)), drift(offset_ms=offset, bound="at_least"), None)
    assert (corrected.start, corrected.end) == (NINE, at(30))
    assert (corrected.method, corrected.offset_ms) == ("uncorrected", 0)
    assert corrected.uncertainty_ms == 1000 + abs(offset)


def test_without_a_drift_nothing_is_corrected():
    corrected = correct(item(modified=at(60)), None, None)
    assert (corrected.start, corrected.end, corrected.method) == (NINE, at(60), "uncorrected")
    assert corrected.uncertainty_ms == 3000  # the name's second and the file time's two


def test_the_containers_duration_gives_the_end():
    corrected = correct(item(), drift(offset_ms=500), MediaFacts(duration_ms=60_500))
    assert (corrected.start, corrected.end) == (at(-0.5), at(60))


def test_uncertainty_adds_source_measurement_and_wander():
    assert correct(item(start=None), drift(uncertainty_ms=500), None).uncertainty_ms == 1500  # nothing to wander from
    exact = drift(uncertainty_ms=500, read_at=NINE + timedelta(days=2) - timedelta(seconds=1))
    assert correct(item(end=at(30)), exact, None).uncertainty_ms == 1000 + 500 + 6000


@given(one=MOMENTS, other=MOMENTS)
def test_wander_is_never_less_than_three_seconds_a_day(one, other):
    days = abs((one - other) / timedelta(days=1))
    assert days * 3000 <= wander_ms(one, other) <= days * 3000 + 2
    assert isinstance(wander_ms(one, other), int)


def test_a_date_at_the_end_of_the_calendar_is_dropped_and_not_raised():
    last = datetime.max.replace(tzinfo=UTC)
    corrected = correct(item(start=last, end=NINE), drift(offset_ms=-90_000), None)
    assert corrected.start is None
    assert corrected.end == at(90)
    assert shifted(NINE, 10**30) is None


@given(start=MOMENTS, offset=st.integers(-(10**9), 10**9), duration=st.none() | st.integers(0, 10**8))
def test_the_claim_is_never_changed(start, offset, duration):
    listed = item(start=start)
    before = listed.claim
    correct(listed, drift(offset_ms=offset), MediaFacts(duration_ms=duration))
    assert listed.claim == before


@pytest.mark.parametrize(
    ("difference_ms", "tolerance_ms", "minutes"),
    [
        (8 * 3_600_000, 0, 480),
        (-8 * 3_600_000 + 20_000, 30_000, -480),
        (8 * 3_600_000 + 31_000, 30_000, None),
        (345 * 60_000, 0, 345),  # Kathmandu
        (0, 30_000, None),
        (29_000, 30_000, None),
        (14 * 3_600_000, 0, 840),
        (15 * 3_600_000, 0, None),
        (16 * 60_000, 10**9, 15),
        (16 * 60_000 + 1, 10**9, None),
        (23 * 60_000, 10**9, None),  # a huge tolerance does not explain everything
    ],
)
def test_zone_hint(difference_ms, tolerance_ms, minutes):
    assert zone_hint(difference_ms, tolerance_ms) == minutes


@pytest.mark.parametrize(
    ("zone", "shift_s", "code"),
    [
        ("Asia/Shanghai", 0, None),  # true UTC
        ("Asia/Shanghai", 8 * 3600, None),  # local time as if UTC, the habit
        ("+08:00", 8 * 3600 + 3, None),
        ("Asia/Shanghai", 60, None),  # stamped at the end
        ("Asia/Shanghai", 8 * 3600 + 60, None),
        ("Asia/Shanghai", 7 * 3600, "time.zone"),
        ("+08:00", -8 * 3600, "time.zone"),
        ("nowhere/nothing", 8 * 3600, "time.zone"),  # an unknown zone has no habit
        ("../../etc/passwd", 0, None),
        ("+99:99", 0, None),
        ("-05:00", -5 * 3600, None),
        ("+00:00", 0, None),
        ("+00:00", 86_400, "time.container"),
        ("UTC", 86_400, "time.container"),
        ("Asia/Shanghai", 6, None),  # five seconds, and the one that its name does not show
        ("Asia/Shanghai", -6, None),
        ("Asia/Shanghai", -6.001, "time.container"),
        ("nowhere/nothing", 6.001, "time.container"),
        ("Asia/Shanghai", 1234, "time.container"),
        ("Asia/Shanghai", -86_400, "time.container"),
    ],
)
def test_container_clock(zone, shift_s, code):
    media = MediaFacts(container="mp4", started=at(shift_s), duration_ms=60_000)
    found = container_clock(item(zone=zone), media)
    assert [finding.code for finding in found] == ([code] if code else [])
    assert all(finding.severity is Severity.NOTE for finding in found)


def test_a_container_that_disagrees_is_told_with_both_dates():
    claim = "2024-05-01T01:00:00+00:00 / 2024-05-01T01:01:00+00:00"
    listed, lasts = item(), {"container": "mp4", "duration_ms": 60_000}
    (zone,) = container_clock(listed, MediaFacts(started=at(7 * 3600 + 1800), **lasts))
    assert zone.what == "The container's date is +7.5 h from the claim: probably another time zone."
    assert dict(zone.evidence) == {
        "path": "DCIM/a.MP4", "claim": claim, "container": "2024-05-01T08:30:00+00:00", "difference_ms": "27000000",
        "zone_minutes": "450",
    }  # fmt: skip
    (other,) = container_clock(listed, MediaFacts(started=at(-1234), **lasts))
    assert other.what == "The container's date is -1234 s from the claimed start."
    assert dict(other.evidence) == {
        "path": "DCIM/a.MP4", "claim": claim, "container": "2024-05-01T00:39:26+00:00", "difference_ms": "-1234000",
    }  # fmt: skip
    assert zone.remedy.endswith(".")
    assert other.remedy.endswith(".")


def test_container_clock_says_nothing_where_it_cannot_compare():
    assert not container_clock(item(), MediaFacts())
    assert not container_clock(item(), MediaFacts(started=datetime(1970, 1, 1, tzinfo=UTC)))
    assert not container_clock(item(start=None), MediaFacts(started=NINE))
    assert not container_clock(item(source="exif"), MediaFacts(started=at(1234)))
    assert not container_clock(item(source="media"), MediaFacts(started=at(1234)))
    assert not container_clock(item(start=None, modified=NINE), MediaFacts(started=NINE))
    assert container_clock(item(), MediaFacts(started=datetime(2000, 1, 1, tzinfo=UTC)))


def test_milliseconds_round_down():
    assert milliseconds(timedelta(microseconds=1999)) == 1
    assert milliseconds(timedelta(microseconds=-1)) == -1
