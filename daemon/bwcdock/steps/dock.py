"""Dock one recorder: who it is, how it is, and what is on it, all of it in the ledger before the first byte is pulled.

Every call here runs on the recorder's own lane. If it dies anywhere, the session is closed as interrupted at the next
start, and the recorder is docked anew: listing twice is harmless.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from bwcdock.core import checks, completeness
from bwcdock.core.clocks import correct
from bwcdock.core.facts import (
    SPOOL,
    Checked,
    Cleared,
    Condition,
    Fact,
    Finding,
    Found,
    Identified,
    Identity,
    Inventoried,
    Item,
    Listed,
    Lost,
    Obliged,
    Refused,
    Seen,
    Settled,
    Severity,
    Sighting,
)
from bwcdock.core.names import record_id, show
from bwcdock.core.record import Record, State
from bwcdock.errors import Misbehaved, Unplugged, Unreadable, Untrue
from bwcdock.ledger import parts
from bwcdock.ports import Driver, Recorder
from bwcdock.reading import Buffers
from bwcdock.steps.bench import Bench
from bwcdock.steps.book import once_each
from bwcdock.steps.law import obligation_of
from bwcdock.steps.pull import edges

EARLIER = 20
"""How many earlier dockings are looked through for one that was listed as a whole."""

ONE_CARD = frozenset({"volume-serial", "protocol"})
"""Identities that are one card for ever. A serial in file names follows the recorder, whose card can be changed: what
is new on such a card need not be younger than the last docking, and its deadline must not become later by that."""

BATCH = 250
"""Files whose facts are written in one transaction: a listing of thousands must not hold the book for long."""

FINDINGS_BYTES = 40_000
"""Characters of findings told with one fact: a leaf holds 60 KiB, and a hostile card can make findings at will."""

EVIDENCE_BYTES = 8_000
"""Characters of evidence kept of one finding: about a hundred deleted files with name, size and time."""

PATH_LENGTH = 8_000
"""Characters of a path, escaped: FAT and exFAT end at 260 plain ones, and Linux itself at 4096 bytes."""

LARGEST = 2**53 - 1
"""Bytes of a file: the largest whole number that JSON carries exactly (RFC 8785), a million times any card."""

KNOWN = 5000
"""How many earlier files of a recorder are compared for holes, overlaps and losses: weeks of use, a bounded cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Docked:
    """What docking found: the identity, the items by record id, and whether the checks refused the recorder."""

    identity: Identity
    items: dict[str, Item] = field(default_factory=dict)
    refused: bool = False


def claimant(drivers: Sequence[Driver], sighting: Sighting) -> Driver | None:
    """The driver that claims this most surely; the first of equals; ``None`` when nobody does."""
    claims = [(driver.claims(sighting), -place, driver) for place, driver in enumerate(drivers)]
    surest = max(claims, default=None, key=lambda claim: claim[:2])
    return surest[2] if surest and surest[0] > 0 else None


def dock(bench: Bench, session: str, driver: str, recorder: Recorder, buffers: Buffers) -> Docked:
    """Identify, check and list; every answer becomes a fact at once. Raises what a recorder may raise."""
    identity = recorder.identity()
    last_docked = _last_docked(bench, identity.serial, session)
    bench.book.record([Identified(session=session, recorder=identity.serial, driver=driver, identity=identity)])
    now = bench.clock.now()
    condition = recorder.condition(now)
    findings = checks.assess(identity, condition, limits(bench), now, articles=articles(bench))
    # The driver's own notes are among the findings already; a leaf has no room for them twice.
    bare = replace(condition, notes=())
    bench.book.record(
        [Checked(session=session, recorder=identity.serial, condition=bare, findings=_bounded(bench, findings))]
    )
    refusals = tuple(f for f in findings if f.severity is Severity.REFUSE)
    if refusals:
        bench.book.record([Refused(session=session, recorder=identity.serial, findings=refusals)])
        return Docked(identity=identity, refused=True)
    items = recorder.items()
    most = bench.settings.limits.items_per_recorder
    if len(items) > most:
        what = f"It lists {len(items)} files; {most} are the limit."
        raise Misbehaved("list", what, "Look at the card: so many files on one recorder are no recordings.")
    if not recorder.present():
        # A card pulled out in the middle can list as empty without any error: that is no proof of an empty card.
        raise Unplugged("list", "The recorder went away while it was listed.", "Dock it again.")
    listing = _Listing(bench, session, identity, condition, last_docked, recorder, buffers)
    return Docked(identity=identity, items=listing.take(items))


def limits(bench: Bench) -> checks.Limits:
    """The thresholds of the checks, from the settings."""
    chosen = bench.settings.checks
    return checks.Limits(
        drift_note_ms=int(chosen.drift_note_s * 1000),
        drift_warn_ms=int(chosen.drift_warn_s * 1000),
        battery_low_percent=chosen.battery_low_percent,
        storage_free_low_percent=round(chosen.storage_free_low_ratio * 100),
    )


def articles(bench: Bench) -> dict[str, str]:
    """Which article of the pack asks for which check; whether a recorder works is the check of the device."""
    pack = bench.pack
    named = {"works": "device"}
    short = pack.name.partition("-")[0]
    return {named.get(what, what): f"{short} {check.article}" for check in pack.checks for what in check.what}


def _last_docked(bench: Bench, serial: str, session: str) -> datetime | None:
    """When this recorder's files were last listed as a whole."""
    earlier = bench.book.ask(lambda ledger: ledger.sessions(recorder=serial, limit=EARLIER))
    return next((s.listed_at for s in earlier if s.id != session and s.listed_at), None)


def _bounded(bench: Bench, findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """As many as the settings and a leaf allow, with a last finding that says how many more there were."""
    kept: list[Finding] = []
    room = FINDINGS_BYTES
    for finding in findings[: bench.settings.limits.findings_per_session]:
        short = _shortened(finding)
        room -= _length(short)
        if room < 0:
            break
        kept.append(short)
    if len(kept) < len(findings):
        rest = Finding(
            severity=Severity.WARN,
            code="findings.more",
            what=f"There are {len(findings) - len(kept)} more findings on this recorder.",
            remedy="Look at the recorder itself: so many at once point to one cause.",
        )
        kept.append(rest)
    return tuple(kept)


def _shortened(finding: Finding) -> Finding:
    pairs: list[tuple[str, str]] = []
    room = EVIDENCE_BYTES
    for key, value in finding.evidence:
        pair = (show(key, 100), show(value, 400))
        room -= len(pair[0]) + len(pair[1])
        if room < 0:
            pairs.append(("more", str(len(finding.evidence) - len(pairs))))
            break
        pairs.append(pair)
    return replace(finding, what=show(finding.what, 1000), remedy=show(finding.remedy, 1000), evidence=tuple(pairs))


def _length(finding: Finding) -> int:
    # Four characters a Chinese one, at most, once it is UTF-8; the rest is the form around it.
    return 4 * (len(finding.what) + len(finding.remedy)) + sum(4 * len(k + v) + 8 for k, v in finding.evidence) + 100


class _Listing:
    """One listing made into facts, in batches."""

    def __init__(
        self,
        bench: Bench,
        session: str,
        identity: Identity,
        condition: Condition,
        last_docked: datetime | None,
        recorder: Recorder,
        buffers: Buffers,
    ) -> None:
        self._bench = bench
        self._session = session
        self._serial = identity.serial
        self._condition = condition
        self._last_docked = last_docked
        self._not_before = last_docked if identity.basis in ONE_CARD else None
        self._recorder = recorder
        self._buffers = buffers
        self._doubts: list[Finding] = []
        self._changed: list[Finding] = []
        self._open: dict[str, Item] = {}
        self._owed: dict[str, Item] = {}
        self._new = 0
        self._known = 0

    def take(self, items: list[Item]) -> dict[str, Item]:
        """Write what is new, what is back and what is gone; answer the items this session has to bring, by record."""
        book = self._bench.book
        now = self._bench.clock.now()
        drift = self._condition.drift
        known = book.ask(lambda ledger: ledger.recent(self._serial, KNOWN))
        items = [item for item in items if self._plausible(item)]
        findings = completeness.judge(
            items, [_known(r) for r in known], self._last_docked, now, drift, articles=articles(self._bench)
        )
        present: set[str] = set()
        for start in range(0, len(items), BATCH):
            facts = [fact for item in items[start : start + BATCH] for fact in self._facts_of(item, now, present)]
            book.record(facts)
        book.record([*self._lost(known, present), *self._inventory(findings)])
        return self._open

    def _plausible(self, item: Item) -> bool:
        """Whether the ledger can hold this item at all; what it cannot hold is told, and is no recording."""
        if len(item.path) <= PATH_LENGTH and 0 <= item.size <= LARGEST:
            return True
        self._changed.append(
            Finding(
                severity=Severity.WARN,
                code="listing.implausible",
                what=f"{show(item.path)} has a path of {len(item.path)} characters and a size of {item.size} bytes.",
                remedy="It was not pulled: no recorder writes such a file. Keep the card and look at it by hand.",
            )
        )
        return False

    def _facts_of(self, item: Item, now: datetime, present: set[str]) -> list[Fact]:
        rid, record = self._find(item)
        present.add(rid)
        subject = {"record": rid, "session": self._session, "recorder": self._serial}
        if record is None:
            self._open[rid] = item
            self._new += 1
            return self._listed(subject, item, now)
        missed = record.state is State.SEALED and SPOOL not in record.copies and bool(record.owed_sinks)
        if record.state in {State.SEALED, State.RELEASED} and not missed:
            self._known += 1
            if record.finished:
                return []
            self._owed[rid] = item  # brought before, and not in central storage yet: so this docking is not settled
            return [Seen(**subject)]
        self._open[rid] = item
        if missed or record.state in {State.QUARANTINED, State.LOST}:
            ground = "the recorder is docked again with it"
            return [Cleared(**subject, ground=ground), Settled(record=rid, code="recording.gone", how=ground)]
        return [Seen(**subject)]

    def _find(self, item: Item) -> tuple[str, Record | None]:
        """The record of this item. A sealed one is known again by its edges: other bytes make another record."""
        rid = record_id(self._serial, item)
        record = self._bench.book.ask(lambda ledger: ledger.record(rid))
        if record is None or not record.edges or record.state not in {State.SEALED, State.RELEASED}:
            return rid, record
        try:
            with self._buffers.lend() as buffer:
                now_there = edges(lambda view, at: self._recorder.read_into(item, at, view), item.size, buffer)
        except (Unreadable, Untrue) as error:
            # A place that wore out after the sealing must not keep the rest of the card from being brought in.
            self._changed.append(
                Finding(
                    severity=Severity.WARN,
                    code="content.unread",
                    what=f"{show(item.path)} was sealed before and cannot be compared with that now: {error.what}",
                    remedy="What was sealed is kept. Test the card before its next duty (保养).",
                    evidence=(("record", rid),),
                )
            )
            return rid, record
        if now_there == record.edges:
            return rid, record
        self._changed.append(
            Finding(
                severity=Severity.WARN,
                code="content.changed",
                what=f"{show(item.path)} was sealed before and now holds other bytes under the same name and time.",
                remedy="Both are kept. Ask how the recorder came to hold them.",
                evidence=(("record", rid), ("edges then", record.edges), ("edges now", now_there)),
            )
        )
        rid = record_id(self._serial, item, variant=now_there)
        return rid, self._bench.book.ask(lambda ledger: ledger.record(rid))

    def _listed(self, subject: dict[str, str], item: Item, now: datetime) -> list[Fact]:
        drift = self._condition.drift
        corrected = correct(item, drift, None)
        obligation, doubts = obligation_of(self._bench, corrected, now, not_before=self._not_before)
        self._doubts.extend(doubts)
        return [
            Listed(**subject, item=item, corrected=corrected, drift=drift, not_before=self._not_before),
            Obliged(**subject, obligation=obligation),
        ]

    def _lost(self, known: Sequence[Record], present: set[str]) -> list[Fact]:
        """What an earlier session listed and nobody pulled, and what is not here any more."""
        facts: list[Fact] = []
        for record in known:
            if record.state is not State.LISTED or record.copies or record.id in present:
                continue
            subject = {"record": record.id, "session": self._session, "recorder": self._serial}
            what = (
                f"{show(record.item.path)} was on this recorder at an earlier docking, was never pulled, and is gone."
            )
            remedy = "Ask the officer. A removed recording is a matter of the pack's article on destroying records."
            finding = Finding(severity=Severity.WARN, code="recording.gone", what=what, remedy=remedy)
            facts += [Lost(**subject, reason="no longer on the recorder"), Found(record=record.id, finding=finding)]
        return facts

    def _inventory(self, findings: Sequence[Finding]) -> list[Fact]:
        told = _bounded(self._bench, (*findings, *self._changed, *once_each(self._doubts)))
        inventoried = Inventoried(
            session=self._session,
            recorder=self._serial,
            records=(*self._open, *self._owed),
            new=self._new,
            known=self._known,
            size=sum(item.size for item in (*self._open.values(), *self._owed.values())),
            findings=told,
        )
        return list(parts(inventoried))


def _known(record: Record) -> completeness.Known:
    item = record.item
    return completeness.Known(
        path=item.path,
        size=item.size,
        modified=item.modified,
        series=item.series,
        sequence=item.sequence,
        kind=item.kind,
        start=item.claim.start,
        end=item.claim.end,
        record=record.id,
    )
