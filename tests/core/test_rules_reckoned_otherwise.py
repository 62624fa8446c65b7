"""No verdict is ever kinder than the rule: each pack's own moment, reckoned here a second time and simply."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import chinese_calendar
import pytest
from bwcdock import packs
from bwcdock.core.facts import Corrected
from bwcdock.core.rulepack import RulePack
from bwcdock.core.rules import Basis, Extension, Standing, oblige, verdict
from bwcdock.holidays_cn import build
from hypothesis import example, given, settings
from hypothesis import strategies as st

RULES = [Path(__file__).parents[2] / "config/rules"]
PACKS = {name[:2]: packs.load(name, RULES) for name in packs.available(RULES)}
SHANGHAI = ZoneInfo("Asia/Shanghai")
CALENDAR = build("Asia/Shanghai")
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of one recording; ``back`` and ``consent_at`` are ``None`` where there is neither."""

    end: datetime
    doubt: timedelta
    docked: datetime
    activity_end: datetime | None
    back: datetime | None
    consent_at: datetime | None
    tags: frozenset[str]


# --- the rules, reckoned a second time ------------------------------------------------------------------------------


def midnight_after(day: date) -> datetime:
    return datetime.combine(day + DAY, time(), SHANGHAI)


def two_working_days(moment: datetime) -> datetime:
    day, left = moment.astimezone(SHANGHAI).date(), 2
    while left:
        day += DAY
        left -= chinese_calendar.is_workday(day)
    return midnight_after(day)


def the_same_day(moment: datetime) -> datetime:
    return midnight_after(moment.astimezone(SHANGHAI).date())


def s0(known: Known) -> datetime:
    """The day the activity ended, which a day after the recording it had; or twenty-four hours from the return."""
    ended = known.end - known.doubt
    if known.activity_end is not None:
        stated = min(known.activity_end, known.docked)
        ended = stated if stated <= known.end + DAY else ended
    return max([the_same_day(ended), *(back + DAY for back in returns(known))])


def s1(known: Known) -> datetime:
    """Twenty-four hours, whatever else there is."""
    return known.end - known.doubt + DAY


def s2(known: Known) -> datetime:
    """Two working days from the end, or from the return."""
    return max(two_working_days(moment) for moment in (known.end - known.doubt, *returns(known)))


def s4(known: Known) -> datetime:
    """Twenty-four hours; two working days by consent given in time, never with a dispute or a sudden event."""
    due = s1(known)
    consents = known.consent_at is not None and known.consent_at < due
    if consents and not known.tags & {"dispute", "sudden-event"}:
        return max(due, two_working_days(known.end - known.doubt))
    return due


def returns(known: Known) -> list[datetime]:
    """The return, where footage made before it can rest on it; docked footage was back."""
    back = None if known.back is None else min(known.back, known.docked)
    return [] if back is None or back < known.end else [back]


OTHERWISE = {"S0": s0, "S1": s1, "S2": s2, "S3": s0, "S4": s4}


# --- against the judge ----------------------------------------------------------------------------------------------

ends = st.datetimes(
    datetime.fromisoformat("2025-01-01"), datetime.fromisoformat("2026-11-15"), timezones=st.just(SHANGHAI)
)
later = st.timedeltas(timedelta(0), timedelta(days=12))


@st.composite
def knowns(draw: st.DrawFn) -> Known:
    end = draw(ends)
    stated = st.none() | st.builds(lambda more: end + more, later)
    return Known(
        end=end,
        doubt=draw(st.sampled_from([timedelta(0), timedelta(seconds=30), timedelta(minutes=10), timedelta(hours=3)])),
        docked=end + draw(later),
        activity_end=draw(stated),
        back=draw(stated),
        consent_at=draw(stated),
        tags=frozenset(draw(st.sets(st.sampled_from(["dispute", "sudden-event", "evidence", "complaint"])))),
    )


def basis_of(known: Known) -> Basis:
    consent = None
    if known.consent_at is not None:
        consent = Extension(by_role="unit-head", reason="连续执法", granted_at=known.consent_at)
    return Basis(
        listed_at=known.docked,
        corrected=Corrected(
            start=None,
            end=known.end,
            method="protocol",
            offset_ms=0,
            uncertainty_ms=known.doubt // timedelta(milliseconds=1),
        ),
        activity_end=known.activity_end,
        returned=known.back,
        ground="remote" if known.back is not None else "",
        extension=consent,
        tags=known.tags,
    )


OPEN = {Standing.NOT_DUE, Standing.AT_RISK}
FRIDAY = Known(
    end=datetime(2025, 9, 26, 20, tzinfo=SHANGHAI),
    doubt=timedelta(0),
    docked=datetime(2025, 9, 26, 21, tzinfo=SHANGHAI),
    activity_end=None,
    back=None,
    consent_at=datetime(2025, 9, 26, 20, 30, tzinfo=SHANGHAI),
    tags=frozenset(),
)
"""A Friday before a worked Sunday, with a consent."""


@pytest.mark.parametrize("name", PACKS)
@given(known=knowns(), past=st.timedeltas(timedelta(0), timedelta(days=40)), ratio=st.floats(0, 1))
@example(known=FRIDAY, past=timedelta(0), ratio=1.0)
@example(known=replace(FRIDAY, consent_at=FRIDAY.end + DAY), past=timedelta(0), ratio=0.0)
@example(known=replace(FRIDAY, tags=frozenset({"dispute"})), past=timedelta(0), ratio=0.0)
@settings(max_examples=120, deadline=None)
def test_no_verdict_is_open_at_or_past_the_rules_own_moment(name: str, known: Known, past: timedelta, ratio: float):
    obligation, _ = oblige(PACKS[name], basis_of(known), CALENDAR, ("centre",))
    moment = OTHERWISE[name](known)
    assert verdict(obligation, None, moment + past, ratio).kind not in OPEN
    assert verdict(obligation, moment + past, moment + past, ratio).kind is Standing.LATE


@pytest.mark.parametrize("name", PACKS)
@given(known=knowns())
@example(known=FRIDAY)
@settings(max_examples=120, deadline=None)
def test_both_reckonings_agree_to_the_second(name: str, known: Known):
    """And a second before that moment nothing is overdue: strict is not the same as wrong."""
    obligation, _ = oblige(PACKS[name], basis_of(known), CALENDAR, ("centre",))
    moment = OTHERWISE[name](known)
    assert obligation.due == moment.astimezone(UTC)
    assert verdict(obligation, None, moment - timedelta(seconds=1)).kind in OPEN


wild = st.datetimes(timezones=st.just(UTC))


@given(
    pack=st.sampled_from(sorted(PACKS)).map(PACKS.__getitem__),
    docked=ends,
    end=st.none() | wild,
    start=st.none() | wild,
    doubt=st.timedeltas(timedelta(0), timedelta(days=400)),
    seen=st.none() | wild,
    now=ends,
)
@settings(max_examples=150, deadline=None)
def test_whatever_a_recorder_claims_docking_is_the_latest_to_count_from(
    pack: RulePack,
    docked: datetime,
    end: datetime | None,
    start: datetime | None,
    doubt: timedelta,
    seen: datetime | None,
    now: datetime,
):
    """Without a trip and without a consent, no claim makes it due later than an end at docking would."""
    doubt_ms = doubt // timedelta(milliseconds=1)
    corrected = Corrected(start=start, end=end, method="uncorrected", offset_ms=0, uncertainty_ms=doubt_ms)
    obligation, _ = oblige(pack, Basis(listed_at=docked, corrected=corrected, not_before=seen), CALENDAR, ("centre",))
    latest = {"same_day": the_same_day, "hours": lambda at: at + DAY, "working_days": two_working_days}
    moment = latest[pack.deadline.span.unit](docked)
    if now >= moment:
        assert verdict(obligation, None, now).kind not in OPEN
    assert verdict(obligation, None, moment).kind not in OPEN
