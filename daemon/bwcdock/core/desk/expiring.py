"""The end of keeping: what may be destroyed centrally and from when, with the two persons who agreed to it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from bwcdock.core.desk.access import Access, Agreed
from bwcdock.core.desk.holds import Hold, keeping
from bwcdock.core.desk.matter import Kind, Matter, taken
from bwcdock.core.facts import Entry
from bwcdock.core.record import Record
from bwcdock.core.refusal import Refusal, because
from bwcdock.core.statements import ExpiryApproved, ExpiryProposed

PERSONS = 2
"""How many must agree: what is destroyed cannot be had back, so nobody decides it alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry(Matter):
    """A proposal: ``proposed``, then ``approved`` when two persons agreed. The program destroys nothing centrally."""

    records: tuple[str, ...]
    proposed_by: str
    agreed: tuple[Agreed, ...] = ()


def why_kept(
    record: Record, officers: Collection[str], now: datetime, holds: Iterable[Hold], requests: Iterable[Access]
) -> Refusal | None:
    """What speaks against destroying the central copies of this record; ``None`` where its keeping has ended.

    Footage that nobody classified is not yet known to be such that may end (S4 第十九条): a person says so first.
    """
    owed = record.obligation
    if owed is None:
        return because("kept.unjudged", "The rules have not spoken about it yet.")
    if owed.permanent or owed.keep_until is None:
        what = f"It is kept without end ({owed.keep_article})."
        return because("kept.for-ever", what, article=owed.keep_article)
    if now < owed.keep_until:
        what = f"It is kept until {owed.keep_until:%Y-%m-%d %H:%M} UTC ({owed.keep_article})."
        return because("kept.until", what, until=owed.keep_until, article=owed.keep_article)
    if not record.finished:
        return because("kept.unfinished", "It is not in central storage as it should be.")
    if dict(owed.rests_on).get("kept_class") == "unclassified":
        what = f"Nobody has said what it shows ({owed.keep_article})."
        return because("kept.unclassified", what, article=owed.keep_article)
    if hold := keeping(record, officers, holds):
        return because("kept.hold", f"Hold {hold.id} keeps it: {hold.reason}", hold=hold.id, reason=hold.reason)
    for request in requests:
        if record.id in request.records and request.state in {"requested", "granted"} and not request.used:
            what = f"Request {request.id} asks for it and is not done."
            return because("kept.request", what, request=request.id)
    return None


def _after(before: Expiry | None, state: str, entry: Entry) -> Expiry:
    fact, who = entry.fact, entry.actor
    if isinstance(fact, ExpiryProposed):
        return taken(Expiry, None, state, entry, proposed_by=who.name)
    assert before is not None
    assert isinstance(fact, ExpiryApproved)
    agreed = (*before.agreed, Agreed(by=who.name, role=who.role, at=entry.at, note=fact.note))
    return taken(Expiry, before, "approved" if len(agreed) >= PERSONS else state, entry, agreed=agreed)


def _why_not(expiry: Expiry | None, entry: Entry) -> Refusal | None:
    fact = entry.fact
    match fact:
        case ExpiryProposed() if not fact.records:
            return because("expiry.no-recordings", "A proposal names the recordings.")
        case ExpiryApproved() if expiry is not None and entry.actor.name in {a.by for a in expiry.agreed}:
            what = f"{entry.actor.name} has agreed to {expiry.id} already: another person must."
            return because("expiry.same-person", what, person=entry.actor.name, id=expiry.id)
    return None


EXPIRY = Kind(Expiry, {None: {ExpiryProposed: "proposed"}, "proposed": {ExpiryApproved: "proposed"}}, _after, _why_not)
