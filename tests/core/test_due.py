"""One deadline told by itself says what the judge said: which clause, counted how, on this station's wall."""

import pytest
from bwcdock.core.due import due_view
from bwcdock.core.rules import Basis, reckon
from bwcdock.core.view import finding_view
from law import BY_CONSENT, CALENDAR, PACKS, SHANGHAI, cn, when

ENDED = {"listed_at": cn(2026, 12, 31, 19), "corrected": when(cn(2026, 12, 31, 18))}
AWAY = {"ground": "remote", "returned": cn(2026, 12, 31, 19)}


@pytest.mark.parametrize(
    ("pack", "known", "clause", "span"),
    [
        ("S1", {}, "deadline", "24 hours"),
        ("S0", AWAY, "away", "24 hours"),
        ("S0", AWAY | {"ground": "elsewhere"}, "deadline", "same_day"),
        ("S2", {}, "deadline", "2 working_days"),
        ("S4", {"extension": BY_CONSENT}, "extension", "2 working_days"),
    ],
)
def test_it_says_what_the_judge_said(pack, known, clause, span):
    rules, basis = PACKS[pack], Basis(**ENDED, **known)
    reckoned, findings = reckon(rules, basis, CALENDAR)
    view = due_view(rules, basis, CALENDAR)
    assert (view.pack, view.regulation, view.met_by) == (rules.name, rules.title, rules.deadline.met_by)
    assert (view.clause, view.span) == (clause, span)
    assert (view.article, view.quote) == (reckoned.clause.article, reckoned.clause.quote)
    assert (view.due, view.earliest) == (reckoned.counted.due, reckoned.counted.earliest)
    assert (view.basis, view.basis_at) == (reckoned.basis, reckoned.basis_at)
    assert (view.counting, view.unpublished) == (reckoned.counted.days, reckoned.counted.unpublished)
    assert view.findings == tuple(finding_view(finding) for finding in findings)
    assert {moment.tzinfo for moment in (view.due, view.earliest, view.basis_at)} == {SHANGHAI}


def test_what_is_not_known_is_told_with_it():
    view = due_view(PACKS["S2"], Basis(**ENDED), CALENDAR)
    assert view.unpublished == (2027,)
    assert view.earliest < view.due
    assert [finding.code for finding in view.findings] == ["calendar.unpublished"]
