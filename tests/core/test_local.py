"""A bureau's own settings may be stricter than its pack, and never looser."""

from dataclasses import replace
from datetime import time

import pytest
from bwcdock.core.facts import Severity
from bwcdock.core.local import Local, tighten
from bwcdock.core.rulepack import Period
from bwcdock.core.rules import Basis, oblige
from hypothesis import example, given, settings
from hypothesis import strategies as st
from law import CALENDAR, PACKS, bases, cn, when


def test_a_bureau_may_tighten():
    local = Local(
        span=Period(unit="hours", count=12), extension_span=Period(unit="working_days", count=1),
        met_by="confirmed", keep_months=36,
    )  # fmt: skip
    pack, findings = tighten(PACKS["S4"], local)
    assert findings == ()
    assert pack.deadline.extension is not None
    assert (pack.deadline.span.count, pack.deadline.extension.span.count, pack.floor.months) == (12, 1, 36)
    assert pack.deadline.met_by == "confirmed"
    assert pack.tightened == (
        "span: 24 hours -> 12 hours",
        "extension_span: 2 working_days -> 1 working_days",
        "met_by: sealed -> confirmed",
        "keep_months: 24 -> 36",
    )


@pytest.mark.parametrize(
    ("pack", "local"),
    [
        ("S0", Local(span=Period(unit="same_day", close=time(18)))),
        ("S0", Local(away_span=Period(unit="hours", count=12), keep_months=7)),
        ("S1", Local(span=Period(unit="hours", count=12))),
        ("S2", Local(span=Period(unit="same_day"), away_span=Period(unit="hours", count=48))),
        ("S3", Local(met_by="confirmed")),
        ("S4", Local(extension_span=Period(unit="same_day"))),
    ],
)
def test_what_is_stricter_is_applied_and_told(pack: str, local: Local):
    after, findings = tighten(PACKS[pack], local)
    assert findings == ()
    assert after != PACKS[pack]
    names = [words.partition(":")[0] for words in after.tightened]
    assert names == [
        name for name in ("span", "away_span", "extension_span", "met_by", "keep_months") if getattr(local, name)
    ]
    assert len(after.tightened) == sum(
        each is not None
        for each in (local.span, local.away_span, local.extension_span, local.met_by, local.keep_months)
    )


@pytest.mark.parametrize(
    ("pack", "local", "article"),
    [
        ("S3", Local(span=Period(unit="working_days", count=1)), "第十三条"),
        ("S3", Local(away_span=Period(unit="hours", count=25)), "第十三条"),
        ("S3", Local(keep_months=11), "第十四条"),
        ("S0", Local(extension_span=Period(unit="working_days", count=1)), "第十三条"),
        ("S2", Local(keep_months=59), "第十八条"),
        ("S1", Local(span=Period(unit="hours", count=25)), "第二十一条"),
        ("S1", Local(span=Period(unit="same_day")), "第二十一条"),
        ("S1", Local(keep_months=11), "第二十二条"),
        ("S1", Local(extension_span=Period(unit="working_days", count=2)), "第二十一条"),
        ("S1", Local(away_span=Period(unit="hours", count=1)), "第二十一条"),
        ("S2", Local(met_by="sealed"), "第十五条"),
        ("S2", Local(span=Period(unit="days", count=2)), "第十五条"),
        ("S2", Local(span=Period(unit="hours", count=49)), "第十五条"),
        ("CLOSE", Local(span=Period(unit="hours", count=48)), "第十五条"),
        ("S0", Local(span=Period(unit="hours", count=1)), "第十三条"),
        ("S2", Local(away_span=Period(unit="working_days", count=3)), "第十五条"),
        ("S4", Local(extension_span=Period(unit="working_days", count=3)), "第十七条"),
        ("CLOSE", Local(span=Period(unit="working_days", count=2)), "第十五条"),
        ("CLOSE", Local(span=Period(unit="working_days", count=1, close=time(18))), "第十五条"),
    ],
)
def test_loosening_is_refused_and_named(pack: str, local: Local, article: str):
    after, findings = tighten(PACKS[pack], local)
    assert after == PACKS[pack]
    assert [finding.code for finding in findings] == ["rules.loosened"]
    assert article in findings[0].what
    (key,) = (name for name in ("span", "away_span", "extension_span", "met_by", "keep_months") if getattr(local, name))
    evidence = dict(findings[0].evidence)
    assert (findings[0].severity, evidence["article"], evidence["setting"]) == (Severity.WARN, article, key)
    assert evidence["quote"]
    rule = PACKS[pack].deadline
    stands = {
        "span": rule.span, "away_span": rule.away.span if rule.away else "nothing", "met_by": rule.met_by,
        "extension_span": rule.extension.span if rule.extension else "nothing",
        "keep_months": PACKS[pack].floor.months,
    }  # fmt: skip
    told = f"The local setting {key} = {getattr(local, key)} is looser than {article} ({stands[key]}), which stands."
    assert findings[0].what == told
    assert findings[0].remedy == f"Remove {key} from local.toml, or set it stricter."


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (Period(unit="days", count=2), Period(unit="same_day")),
        (Period(unit="days", count=2, close=time(17)), Period(unit="days", count=1, close=time(17))),
        (Period(unit="days", count=2, close=time(17)), Period(unit="days", count=2, close=time(16))),
        (Period(unit="days", count=2), Period(unit="hours", count=48)),
    ],
)
def test_what_ends_no_later_is_stricter(old: Period, new: Period):
    pack = replace(PACKS["S1"], deadline=replace(PACKS["S1"].deadline, span=old))
    after, findings = tighten(pack, Local(span=new))
    assert (after.deadline.span, findings) == (new, ())


units = st.one_of(
    st.builds(Period, unit=st.just("hours"), count=st.integers(1, 80)),
    st.builds(
        Period,
        unit=st.sampled_from(["days", "working_days"]),
        count=st.integers(1, 4),
        close=st.none() | st.times(time(12), time(20)),
    ),
    st.builds(Period, unit=st.just("same_day"), close=st.none() | st.times(time(12), time(20))),
)


@given(old=units, new=units, basis=bases())
@example(
    old=Period(unit="same_day", close=time(17, 30)),
    new=Period(unit="same_day", close=time(12)),
    basis=Basis(listed_at=cn(2026, 6, 10, 14), corrected=when(cn(2026, 6, 10, 13))),
)
@settings(max_examples=200, deadline=None)
def test_no_local_setting_is_ever_due_after_the_law(old: Period, new: Period, basis: Basis):
    pack = replace(PACKS["S1"], deadline=replace(PACKS["S1"].deadline, span=old))
    after, _ = tighten(pack, Local(span=new))
    assert oblige(after, basis, CALENDAR, ())[0].due <= oblige(pack, basis, CALENDAR, ())[0].due
