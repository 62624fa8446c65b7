"""What people explain in writing, and whether it was accepted."""

from dataclasses import dataclass
from datetime import datetime

from bwcdock.core.desk.matter import Kind, Matter, taken
from bwcdock.core.facts import Entry
from bwcdock.core.refusal import Refusal, because
from bwcdock.core.rulepack import RulePack, Term
from bwcdock.core.statements import Explained, ExplanationGiven, ExplanationJudged


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation(Matter):
    """An explanation: ``given``, then ``accepted`` or ``refused``. ``judged_by`` and ``judged_as`` say by whom."""

    what: Explained
    person: str
    written_by: str
    device: str = ""
    records: tuple[str, ...] = ()
    since_when: datetime | None = None
    until_when: datetime | None = None
    reason: str = ""
    text: str = ""
    basis: str = ""
    spoken: bool = False
    spoken_in: str = ""
    reported_to: str = ""
    facts: tuple[str, ...] = ()
    judged_by: str = ""
    judged_as: str = ""
    judged_at: datetime | None = None
    note: str = ""


def _after(before: Explanation | None, state: str, entry: Entry) -> Explanation:
    fact = entry.fact
    if isinstance(fact, ExplanationGiven):
        span = {"since_when": fact.since, "until_when": fact.until}
        return taken(Explanation, None, state, entry, written_by=entry.actor.name, **span)
    assert isinstance(fact, ExplanationJudged)
    judged = {"judged_by": entry.actor.name, "judged_as": entry.actor.role, "judged_at": entry.at}
    return taken(Explanation, before, "accepted" if fact.accepted else "refused", entry, **judged)


def _why_not(explanation: Explanation | None, entry: Entry) -> Refusal | None:
    fact = entry.fact
    match fact:
        case ExplanationGiven() if not fact.text.strip() and not fact.reason:
            return because("explanation.empty", "An explanation needs a reason or words.")
        case ExplanationGiven(what="late") if not fact.records:
            what = "An explanation of lateness names the recordings that are late."
            return because("explanation.no-recordings", what)
        case ExplanationGiven(what="not_recorded") if not fact.basis.strip():
            what = "What was not recorded needs the rule it rests on (依据), beside the reason (原因)."
            return because("explanation.no-basis", what)
        case ExplanationGiven() if fact.since is not None and fact.until is not None and fact.until < fact.since:
            return because("explanation.span", "The span of the explanation ends before it begins.")
        case ExplanationJudged() if explanation is not None and entry.actor.name in _makers(explanation):
            return because("explanation.own", "Nobody signs off his own explanation.")
    return None


def _makers(explanation: Explanation) -> set[str]:
    return {explanation.person, explanation.written_by}


EXPLANATION = Kind(
    Explanation,
    {
        None: {ExplanationGiven: "given"},
        "given": {ExplanationJudged: "judged"},
        # What was refused may be accepted after all, with other words beside it; what was accepted stands.
        "refused": {ExplanationJudged: "judged"},
    },
    _after,
    _why_not,
)


def reasons(pack: RulePack, what: Explained) -> tuple[Term, ...]:
    """The pack's closed list of reasons for this; empty where it has none, and then any words will do."""
    if what == "not_recorded":
        return pack.unrecorded.grounds if pack.unrecorded else ()
    return pack.interruption.reasons if pack.interruption and what == "interruption" else ()


def signers(pack: RulePack, what: Explained) -> tuple[str, ...]:
    """The role ids that accept or refuse such an explanation.

    Where the regulation names nobody, whoever it asks for an approval of footage: a leader, never the officer himself.
    """
    named = [pack.interruption.report_to if pack.interruption else ""]
    if what == "not_recorded":
        named = [pack.unrecorded.signed_by if pack.unrecorded else "", *named]
    if what == "late" and pack.deadline.extension:
        return pack.deadline.extension.by
    if role := next(filter(None, named), ""):
        return (role,)
    return tuple(dict.fromkeys(role for approval in pack.approvals for role in approval.chain))
