"""Each figure becomes its finding at its limit, and not before it."""

from datetime import UTC, datetime, timedelta

import pytest
from bwcdock.core.checks import Limits, assess, span
from bwcdock.core.facts import Condition, Drift, Finding, Identity, Severity
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2024, 5, 1, 9, 0, tzinfo=UTC)
IDENTITY = Identity(serial="0012345", basis="protocol")
GB = 1_000_000_000
FINE = {"battery": 80, "storage_free": 60 * GB, "storage_total": 64 * GB, "dirty": False}


def drift(offset_ms: int, uncertainty_ms: int = 500, bound: str = "exact", age: timedelta = timedelta(0)) -> Drift:
    return Drift(method="protocol", offset_ms=offset_ms, uncertainty_ms=uncertainty_ms, read_at=NOW - age, bound=bound)


def found(limits: Limits | None = None, **condition) -> list[tuple[str, str]]:
    values = {**FINE, "drift": drift(0), **condition}
    return [(f.code, f.severity.value) for f in assess(IDENTITY, Condition(**values), limits or Limits(), NOW)]


def test_a_fit_recorder_has_no_findings():
    assert found() == []


@pytest.mark.parametrize(
    ("reading", "codes"),
    [
        (None, [("clock.unknown", "note")]),
        (drift(3_000), []),
        (drift(3_001), [("clock.drift", "note")]),
        (drift(-60_000), [("clock.drift", "note")]),
        (drift(60_001), [("clock.drift", "warn")]),
        (drift(-60_001), [("clock.drift", "warn")]),
        (drift(90_000, uncertainty_ms=90_000), []),
        (drift(8 * 3_600_000 + 12_000), [("clock.drift", "warn"), ("clock.zone", "warn")]),
        (drift(-15 * 60_000), [("clock.drift", "warn"), ("clock.zone", "warn")]),
        (drift(8 * 3_600_000 + 30_500), [("clock.drift", "warn"), ("clock.zone", "warn")]),
        (drift(8 * 3_600_000 + 30_501), [("clock.drift", "warn")]),
        (drift(90_000, bound="at_least"), [("clock.ahead", "warn")]),
        (drift(10_000, bound="at_least"), [("clock.ahead", "note")]),
        (drift(60_000, bound="at_least"), [("clock.ahead", "note")]),
        (drift(60_001, bound="at_least"), [("clock.ahead", "warn")]),
        (drift(-90_000, bound="at_least"), [("clock.behind", "warn")]),
        (drift(2_000, bound="at_least"), [("clock.unknown", "note")]),
        (drift(90_000, age=timedelta(days=1)), [("clock.drift", "warn")]),
        (drift(90_000, age=timedelta(days=1, seconds=1)), [("clock.unknown", "note")]),
    ],
)
def test_clock(reading, codes):
    assert found(drift=reading) == codes


@pytest.mark.parametrize(
    ("percent", "codes"),
    [
        (100, []),
        (20, []),
        (19, [("battery.low", "warn")]),
        (0, [("battery.low", "warn")]),
        (None, [("battery.unknown", "note")]),
        (101, [("battery.unknown", "note")]),
        (-1, [("battery.unknown", "note")]),
    ],
)
def test_battery(percent, codes):
    assert found(battery=percent) == codes


LOW, UNKNOWN = [("storage.low", "warn")], [("storage.unknown", "note")]


@pytest.mark.parametrize(
    ("free", "total", "codes"),
    [
        (5_200_000_000, 32 * GB, []),  # two hours of 1080p
        (5_199_999_999, 32 * GB, LOW),
        (12_800_000_000, 128 * GB, []),  # a tenth
        (12_799_999_999, 128 * GB, LOW),
        (2 * GB, 8 * GB, []),  # a small card: a quarter
        (2 * GB - 1, 8 * GB, LOW),
        (1, 7, []),  # whole bytes
        (1, 1, []),
        (64 * GB, 64 * GB, []),
        (0, 0, UNKNOWN),
        (6 * GB, None, []),
        (5 * GB, None, LOW),
        (None, 64 * GB, UNKNOWN),
        (1, 0, UNKNOWN),
        (65 * GB, 64 * GB, UNKNOWN),
        (-1, 64 * GB, UNKNOWN),
    ],
)
def test_storage(free, total, codes):
    assert found(storage_free=free, storage_total=total) == codes


def test_dirty_card_is_a_note_and_the_drivers_notes_come_last_untouched():
    note = Finding(severity=Severity.WARN, code="name.hostile", what="A name.", remedy="Look.")
    assert found(dirty=True, notes=(note,)) == [("card.dirty", "note"), ("name.hostile", "warn")]
    assert assess(IDENTITY, Condition(notes=(note,)), Limits(), NOW, articles={"name": "x"})[-1] is note


CLOCK = {"method": "protocol", "read_at": "2024-05-01T09:00:00+00:00"}


@pytest.mark.parametrize(
    ("condition", "what", "evidence"),
    [
        (
            {"drift": drift(95_000, 2_000)},
            "The clock of recorder 0012345 is 1 min 35 s fast (± 2 s, measured by protocol).",
            CLOCK | {"offset_s": "95", "uncertainty_s": "2", "bound": "exact"},
        ),
        (
            {"drift": drift(-4_500)},
            "The clock of recorder 0012345 is 4.5 s slow (± 0.5 s, measured by protocol).",
            CLOCK | {"offset_s": "-4.5", "uncertainty_s": "0.5", "bound": "exact"},
        ),
        ({"drift": None}, "The clock of recorder 0012345 is not known: it cannot be read.", {}),
        (
            {"drift": drift(90_000, age=timedelta(days=2))},
            "The clock of recorder 0012345 is not known: its last reading is too old.",
            {
                "offset_s": "90", "uncertainty_s": "0.5", "method": "protocol", "bound": "exact",
                "read_at": "2024-04-29T09:00:00+00:00",
            },
        ),
        (
            {"drift": drift(3_000, bound="at_least")},
            "The clock of recorder 0012345 is not known: only a lower bound of its error is known.",
            CLOCK | {"offset_s": "3", "uncertainty_s": "0.5", "bound": "at_least"},
        ),
        (
            {"drift": drift(60_000, bound="at_least")},
            "The clock of recorder 0012345 is at least 1 min fast, perhaps more.",
            CLOCK | {"offset_s": "60", "uncertainty_s": "0.5", "bound": "at_least"},
        ),
        (
            {"drift": drift(-60_001, bound="at_least")},
            "The clock of recorder 0012345 is at least 1 min slow, perhaps more.",
            CLOCK | {"offset_s": "-60.001", "uncertainty_s": "0.5", "bound": "at_least"},
        ),
        ({"battery": None}, "The battery of recorder 0012345 is not known: it does not tell.", {}),
        (
            {"battery": 7},
            "The battery of recorder 0012345 is at 7 %, below 20 %.",
            {"percent": "7", "limit_percent": "20"},
        ),
        ({"storage_free": None}, "The free storage of recorder 0012345 is not known.", {}),
        (
            {"storage_free": 4 * GB},
            "The storage of recorder 0012345 has 4.0 GB free (6 %), below 6.4 GB.",
            {"free": "4000000000", "total": "64000000000", "limit": "6400000000"},
        ),
        (
            {"storage_free": 5_199_999_999, "storage_total": 20_800_000_000},
            "The storage of recorder 0012345 has 5.2 GB free (24 %), below 5.2 GB.",
            {"free": "5199999999", "total": "20800000000", "limit": "5200000000"},
        ),
        (
            {"storage_free": 50_000_000, "storage_total": 64_500_000_000},
            "The storage of recorder 0012345 has 0.1 GB free (0 %), below 6.5 GB.",
            {"free": "50000000", "total": "64500000000", "limit": "6450000000"},
        ),
        (
            {"storage_free": 0, "storage_total": None},
            "The storage of recorder 0012345 has 0.0 GB free, below 5.2 GB.",
            {"free": "0", "total": "", "limit": "5200000000"},
        ),
        (
            {"dirty": True},
            "The card of recorder 0012345 was not closed properly: its last recording is probably cut short.",
            {"dirty": "yes"},
        ),
    ],
)  # fmt: skip
def test_findings_carry_figures_and_remedy(condition, what, evidence):
    (finding,) = assess(IDENTITY, Condition(**FINE | {"drift": drift(0)} | condition), Limits(), NOW)
    assert (finding.what, dict(finding.evidence)) == (what, evidence)
    assert finding.remedy.endswith(".")


def test_the_least_that_is_off_is_fast_or_slow():
    for bound in ("exact", "at_least"):
        for offset_ms, word in ((1, "0.001 s fast"), (-1, "0.001 s slow")):
            condition = Condition(**FINE, drift=drift(offset_ms, 0, bound))
            (finding,) = assess(IDENTITY, condition, Limits(drift_note_ms=0), NOW)
            assert word in finding.what
            assert finding.code.endswith({"exact": "drift", "at_least": "ahead" if offset_ms > 0 else "behind"}[bound])


def test_a_wrong_zone_is_told_beside_the_clock_that_is_off():
    off, zone = assess(IDENTITY, Condition(**FINE, drift=drift(-8 * 3_600_000)), Limits(), NOW)
    assert "off by -8 h almost exactly" in zone.what
    assert zone.evidence == (*off.evidence, ("zone_minutes", "-480"))
    assert zone.remedy.endswith(".")


def test_articles_go_into_the_evidence_of_their_check_only():
    articles = {"clock": "S4 第十一条", "storage": "S0 第十二条"}
    condition = Condition(battery=5, storage_free=0, storage_total=64 * GB, drift=None, dirty=True)
    cited = {
        f.code: dict(f.evidence).get("article") for f in assess(IDENTITY, condition, Limits(), NOW, articles=articles)
    }
    assert cited == {
        "clock.unknown": "S4 第十一条",
        "battery.low": None,
        "storage.low": "S0 第十二条",
        "card.dirty": None,
    }


def test_limits_are_the_callers():
    assert found(Limits(battery_low_percent=90)) == [("battery.low", "warn")]
    assert found(Limits(drift_warn_ms=1_000, drift_note_ms=500), drift=drift(1_001)) == [("clock.drift", "warn")]


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 s"),
        (-400, "0.4 s"),
        (9_999, "9.999 s"),
        (10_999, "10 s"),
        (95_000, "1 min 35 s"),
        (3_600_000, "1 h"),
        (3_601_000, "1 h"),
        (28_812_000, "8 h"),
        (183_600_000, "2 d 3 h"),
    ],
)
def test_span(ms, text):
    assert span(ms) == text


@given(
    battery=st.none() | st.integers(),
    free=st.none() | st.integers(),
    total=st.none() | st.integers(),
    reading=st.none()
    | st.builds(drift, st.integers(-(10**15), 10**15), st.integers(0, 10**15), st.sampled_from(["exact", "at_least"])),
)
def test_never_raises_never_refuses_and_always_has_a_remedy(battery, free, total, reading):
    condition = Condition(battery=battery, storage_free=free, storage_total=total, drift=reading, dirty=None)
    for finding in assess(IDENTITY, condition, Limits(), NOW):
        assert finding.severity is not Severity.REFUSE
        assert finding.what.endswith(".")
        assert finding.remedy


@given(near=st.integers(60_001, 10**10), more=st.integers(0, 10**10))
def test_a_worse_clock_is_never_judged_better(near, more):
    assert ("clock.drift", "warn") in found(drift=drift(near))
    assert ("clock.drift", "warn") in found(drift=drift(near + more))
