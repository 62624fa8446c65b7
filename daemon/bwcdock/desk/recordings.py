"""All that is known of one recording, for whoever may look at it."""

from dataclasses import dataclass
from datetime import datetime

from bwcdock.core.desk.access import Access
from bwcdock.core.desk.cases import Case
from bwcdock.core.desk.checking import SpotCheck
from bwcdock.core.desk.explaining import Explanation
from bwcdock.core.desk.holds import Hold
from bwcdock.core.facts import Entry, Finding, Obligation, Obliged
from bwcdock.core.record import Record
from bwcdock.core.rules import Verdict, met_when, verdict
from bwcdock.core.statements import Label, Tagged
from bwcdock.core.view import RecordView, record_view
from bwcdock.desk.asking import Law
from bwcdock.desk.register import Register
from bwcdock.ledger import OpenFinding, Reader
from bwcdock.ledger.codec import from_ms
from bwcdock.ledger.tree import leaf_hash, verify_inclusion

ENTRIES = 500
"""Entries of one recording that one page shows, the newest: a recording that is looked after has some twenty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The rule pack spoke in entry ``seq``: what it asked for, how the recording stands by that; none is forgotten."""

    seq: int
    at: datetime
    by: str
    obligation: Obligation
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """What somebody said the recording is, in entry ``seq``."""

    seq: int
    at: datetime
    by: str
    role: str
    label: Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """That an entry stands in the ledger under a head this station signed, computed here from the leaf on.

    ``holds`` is ``None`` where no signed head covers the entry yet.
    """

    seq: int
    leaf_hash: str
    path: tuple[str, ...]
    head_size: int
    head_root: str
    head_at: datetime | None
    holds: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """One recording: the fold, its view, and everything that names it. Entries are newest first."""

    record: Record
    view: RecordView
    officers: tuple[str, ...]
    entries: tuple[Entry, ...]
    judgements: tuple[Judgement, ...]
    labels: tuple[Labelled, ...]
    findings: tuple[OpenFinding, ...]
    holds: tuple[Hold, ...]
    requests: tuple[Access, ...]
    explanations: tuple[Explanation, ...]
    checks: tuple[SpotCheck, ...]
    case: Case | None
    proof: Proof


def about(ledger: Reader, law: Law, register: Register, now: datetime, record: Record) -> About:
    """All about it."""
    told = tuple(ledger.findings(kind="record", subject=record.id))
    findings: list[Finding] = [each.finding for each in told]
    history = ledger.history(record=record.id)
    officers = register.officers(record)
    return About(
        record=record,
        view=record_view(record, findings, now, law.at_risk_ratio),
        officers=register.shown(record),
        entries=tuple(reversed(history[-ENTRIES:])),
        judgements=tuple(_judgement(entry, record, law, now) for entry in history if isinstance(entry.fact, Obliged)),
        labels=tuple(_labelled(entry) for entry in reversed(history) if isinstance(entry.fact, Tagged)),
        findings=told,
        holds=tuple(hold for hold in ledger.matters(Hold, "placed") if hold.keeps(record, officers)),
        requests=tuple(ledger.naming(Access, record.id)),
        explanations=tuple(ledger.naming(Explanation, record.id)),
        checks=tuple(ledger.naming(SpotCheck, record.id)),
        case=ledger.matter(Case, record.label.case) if record.label.case else None,
        proof=proof_of(ledger, history[-1].seq if record.sealed_seq is None else record.sealed_seq),
    )


def proof_of(ledger: Reader, seq: int) -> Proof:
    """The proof of entry ``seq`` under the newest signed head."""
    leaf, head = ledger.leaf(seq), ledger.last_head()
    if head is None or head.checkpoint.size <= seq:
        size, root = (head.checkpoint.size, head.checkpoint.root.hex()) if head else (0, "")
        path: tuple[bytes, ...] = ()
        holds = None
    else:
        size, root = head.checkpoint.size, head.checkpoint.root.hex()
        path = ledger.inclusion(seq, size)
        holds = verify_inclusion(leaf_hash(leaf), seq, size, path, head.checkpoint.root)
    return Proof(
        seq=seq,
        leaf_hash=leaf_hash(leaf).hex(),
        path=tuple(step.hex() for step in path),
        head_size=size,
        head_root=root,
        head_at=from_ms(head.t) if head else None,
        holds=holds,
    )


def _judgement(entry: Entry, record: Record, law: Law, now: datetime) -> Judgement:
    assert isinstance(entry.fact, Obliged)
    owed = entry.fact.obligation
    met = met_when(owed, sealed_at=record.sealed_at, confirmed=record.first_confirmed)
    return Judgement(
        seq=entry.seq,
        at=entry.at,
        by=entry.actor.name,
        obligation=owed,
        verdict=verdict(owed, met, now, law.at_risk_ratio, record.excuse),
    )


def _labelled(entry: Entry) -> Labelled:
    assert isinstance(entry.fact, Tagged)
    return Labelled(seq=entry.seq, at=entry.at, by=entry.actor.name, role=entry.actor.role, label=entry.fact.label)
