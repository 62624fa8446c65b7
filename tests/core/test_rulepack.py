"""A pack that contradicts itself is not read: what a rule, a period and a class must be, at the limit."""

from dataclasses import replace
from datetime import time

import pytest
from bwcdock.core.rulepack import Duty, Keep, Period, Retention, Ruled, SpotCheck, Term
from law import PACKS

RULED = {"article": "第一条", "quote": "…"}
S4 = PACKS["S4"]


@pytest.mark.parametrize(("article", "quote"), [("", "…"), ("第一条", ""), ("", "")])
def test_a_rule_has_its_article_and_its_quote(article, quote):
    with pytest.raises(ValueError, match="needs its article and its quote"):
        Ruled(article=article, quote=quote)


@pytest.mark.parametrize(
    ("period", "words"),
    [
        ({"unit": "hours", "count": 1}, "1 hours"),
        ({"unit": "days", "count": 2}, "2 days"),
        ({"unit": "working_days", "count": 2, "close": time(17, 30)}, "2 working_days, close 17:30"),
        ({"unit": "same_day"}, "same_day"),
        ({"unit": "same_day", "close": time(18)}, "same_day, close 18:00"),
    ],
)
def test_a_period_in_words(period, words):
    assert str(Period(**period)) == words


@pytest.mark.parametrize(
    ("period", "why"),
    [
        ({"unit": "hours"}, "counts at least one"),
        ({"unit": "days", "count": 0}, "counts at least one"),
        ({"unit": "days", "count": -1}, "counts at least one"),
        ({"unit": "same_day", "count": 1}, "same_day counts none"),
        ({"unit": "hours", "count": 24, "close": time(17)}, "its exact moment"),
    ],
)
def test_a_period_that_cannot_be_counted(period, why):
    with pytest.raises(ValueError, match=why):
        Period(**period)


@pytest.mark.parametrize(
    ("keep", "months", "is_sound"),
    [
        (Keep.MONTHS, 1, True),
        (Keep.MONTHS, 0, False),
        (Keep.MONTHS, -1, False),
        (Keep.PERMANENT, 0, True),
        (Keep.PERMANENT, 1, False),
        (Keep.CASE_FILE, 12, False),
    ],
)
def test_only_what_is_kept_for_months_names_them(keep, months, is_sound):
    if is_sound:
        assert Retention(**RULED, id="a", keep=keep, months=months).months == months
        return
    with pytest.raises(ValueError, match="at least one month, or names no months"):
        Retention(**RULED, id="a", keep=keep, months=months)


def test_a_class_is_a_rule_like_any_other():
    with pytest.raises(ValueError, match="needs its article"):
        Retention(article="", quote="…", id="a", keep=Keep.PERMANENT)


FLOOR = Retention(**RULED, id="floor", keep=Keep.MONTHS, months=6)
FOR_EVER = Retention(**RULED, id="floor", keep=Keep.PERMANENT)
TAGGED = Retention(**RULED, id="case", keep=Keep.PERMANENT, tags=("case",))


@pytest.mark.parametrize("retention", [(), (TAGGED,), (FLOOR, FLOOR), (FOR_EVER, TAGGED)])
def test_a_pack_has_one_floor_and_it_is_of_months(retention):
    with pytest.raises(ValueError, match="exactly one retention class without tags, in months"):
        replace(S4, retention=retention)
    assert replace(S4, retention=(TAGGED, FLOOR)).floor is FLOOR


UNKNOWN = "nowhere"
SEEN = replace(S4, spot_check=SpotCheck(**RULED, by=("unit-head",), points=("x",)))


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("tag", {"retention": (FLOOR, replace(TAGGED, tags=("case", UNKNOWN)))}),
        ("tag", {"retention": (replace(FLOOR, only=UNKNOWN),)}),
        ("tag", {"approvals": (replace(S4.approvals[0], when=UNKNOWN),)}),
        ("tag", {"duties": (Duty(**RULED, id="x", tags=(UNKNOWN,)),)}),
        ("tag", {"deadline": replace(S4.deadline, extension=replace(S4.deadline.extension, barred_by=(UNKNOWN,)))}),
        ("role", {"deadline": replace(S4.deadline, extension=replace(S4.deadline.extension, by=(UNKNOWN,)))}),
        ("role", {"interruption": replace(S4.interruption, report_to=UNKNOWN)}),
        ("role", {"unrecorded": replace(S4.unrecorded, signed_by=UNKNOWN)}),
        ("role", {"approvals": (replace(S4.approvals[0], chain=("unit-head", UNKNOWN)),)}),
        ("role", {"sheets": (replace(S4.sheets[0], signed_by=(UNKNOWN,)),)}),
        ("role", {"spot_check": replace(SEEN.spot_check, by=(UNKNOWN,))}),
    ],
)
def test_what_a_pack_names_is_declared(what, changes):
    with pytest.raises(ValueError, match=f"The {what} '{UNKNOWN}' is used but not declared"):
        replace(S4, **changes)


def test_what_a_pack_does_not_say_needs_no_declaration():
    silent = replace(
        S4, interruption=None, unrecorded=None, spot_check=None, deadline=replace(S4.deadline, extension=None)
    )
    assert replace(silent, interruption=replace(S4.interruption, report_to="")).interruption is not None
    assert replace(silent, unrecorded=replace(S4.unrecorded, signed_by="")).unrecorded is not None


@pytest.mark.parametrize("what", ["tag", "role"])
def test_nothing_is_declared_twice(what):
    known = getattr(S4, f"{what}s")
    with pytest.raises(ValueError, match=f"A {what} is declared twice"):
        replace(S4, **{f"{what}s": (*known, Term(id=known[0].id, label="x"))})
