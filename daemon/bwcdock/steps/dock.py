"""Dock one recorder: who it is, how it is, and what is on it, all of it in the ledger before the first byte is pulled.

Every call here runs on the recorder's own lane. If it dies anywhere, the session is closed as interrupted at the next
start, and the recorder is docked anew: listing twice is harmless.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bwcdock.core import checks, completeness
from bwcdock.core.clocks import correct
from bwcdock.core.desk import attribution
from bwcdock.core.desk.devices import Device
from bwcdock.core.desk.people import Person
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
from bwcdock.core.session import Session
from bwcdock.errors import Misbehaved, Unplugged, Unreadable, Untrue
from bwcdock.lanes import moved
from bwcdock.ledger import Ledger, parts
from bwcdock.ports import Driver, Recorder, SwitchesToDisk
from bwcdock.reading import Buffers
from bwcdock.steps.bench import Bench
from bwcdock.steps.book import once_each
from bwcdock.steps.bounds import bounded, credible, plausible
from bwcdock.steps.clock_outcome import tell_earlier
from bwcdock.steps.law import obligation_of, stated
from bwcdock.steps.pull import edges
from bwcdock.steps.switch import Told, condition_of, identity_of, switch

EARLIER = 20
"""How many earlier dockings are looked through: for one that was listed as a whole, and for two at once."""

ONE_CARD = frozenset({"volume-serial", "protocol"})
"""Identities that are one card for ever. A serial in file names follows the recorder, whose card can be changed: what
is new on such a card need not be younger than the last docking, and its deadline must not become later by that; what is
not on it may lie on the other card, and nobody has removed it."""

NO_SERIAL = "none"
"""The basis of a card that nothing tells from another: then a serial says nothing of what was docked before."""

MOVING = timedelta(seconds=10)
"""How long a docking may overlap the next of the same serial and still be one card that went from slot to slot: letting
go of it takes at most half of that. Two that overlap longer are two cards: clones, or two folders of one name."""

BATCH = 250
"""Files whose facts are written in one transaction: a listing of thousands must not hold the book for long."""

KNOWN = 2000
"""How many earlier files of a recorder are compared for holes and overlaps: a month of use, a bounded cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Docked:
    """What docking found: the identity, the items by record id, and whether the checks refused the recorder.

    ``lost`` are the records that were given up, because they are not on this card any more. ``told``: it has no files
    yet, and was told to become a disk.
    """

    identity: Identity
    items: dict[str, Item] = field(default_factory=dict)
    lost: tuple[str, ...] = ()
    refused: bool = False
    told: Told | None = None


def claimant(drivers: Sequence[Driver], sighting: Sighting) -> Driver | None:
    """The driver that claims this most surely; the first of equals; ``None`` when nobody does."""
    claims = [(driver.claims(sighting), -place, driver) for place, driver in enumerate(drivers)]
    surest = max(claims, default=None, key=lambda claim: claim[:2])
    return surest[2] if surest and surest[0] > 0 else None


def dock(
    bench: Bench, session: str, driver: str, recorder: Recorder, buffers: Buffers, told: Told | None = None
) -> Docked:
    """Identify, check and list; every answer becomes a fact at once. Raises what a recorder may raise.

    One that only speaks is told to become a disk instead; ``told`` is what it said before, once it is that disk.
    """
    identity, doubts = identity_of(told, recorder.identity())
    asked = bench.book.ask(lambda ledger: ledger.sessions(recorder=identity.serial, limit=EARLIER))
    earlier = [other for other in asked if other.id != session]
    bench.book.record([Identified(session=session, recorder=identity.serial, driver=driver, identity=identity)])
    now = bench.clock.now()
    condition = condition_of(told, credible(recorder.condition(now)))
    findings = (*doubts, *checks.assess(identity, condition, limits(bench), now, articles=articles(bench)))
    # The driver's own notes are among the findings already; a leaf has no room for them twice.
    bare = replace(condition, notes=())
    shown = bounded(findings, bench.settings.limits.findings_per_session)
    bench.book.record([Checked(session=session, recorder=identity.serial, condition=bare, findings=shown)])
    if identity.basis != NO_SERIAL:
        tell_earlier(bench, bare.drift, earlier, articles(bench))
    refusals = tuple(f for f in findings if f.severity is Severity.REFUSE)
    if refusals:
        bench.book.record([Refused(session=session, recorder=identity.serial, findings=refusals)])
        return Docked(identity=identity, refused=True)
    if isinstance(recorder, SwitchesToDisk):
        switch(bench.settings.unlock, driver, identity.serial, recorder)
        return Docked(identity=identity, told=Told(identity=identity, condition=bare))
    items = recorder.items()
    most = bench.settings.limits.items_per_recorder
    if len(items) > most:
        what = f"It lists {len(items)} files; {most} are the limit."
        raise Misbehaved("list", what, "Look at the card: so many files on one recorder are no recordings.")
    if not recorder.present():
        # A card pulled out in the middle can list as empty without any error: that is no proof of an empty card.
        raise Unplugged("list", "The recorder went away while it was listed.", "Dock it again.")
    moved()
    listing = _Listing(bench, session, identity, condition, earlier, recorder, buffers)
    listing.take(items)
    return Docked(identity=identity, items=listing.open, lost=tuple(listing.lost))


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


def _one_card(identity: Identity, earlier: Sequence[Session], now: datetime) -> bool:
    """Whether all dockings of this serial, the newest first, can have been of one card."""
    if identity.basis == NO_SERIAL:
        return False
    for session in earlier:
        if session.departed_at is None or session.departed_at - now > MOVING:
            return False
        now = session.arrived_at
    return True


class _Listing:
    """One listing made into facts, in batches. ``open`` are the items to bring, ``lost`` the records given up."""

    def __init__(
        self,
        bench: Bench,
        session: str,
        identity: Identity,
        condition: Condition,
        earlier: Sequence[Session],
        recorder: Recorder,
        buffers: Buffers,
    ) -> None:
        self._bench = bench
        self._session = session
        self._serial = identity.serial
        self._basis = identity.basis
        self._user = identity.user
        self._condition = condition
        one_card = _one_card(identity, earlier, bench.clock.now())
        self._last_docked = next((s.listed_at for s in earlier if s.listed_at), None) if one_card else None
        self._same_card = one_card and identity.basis in ONE_CARD
        self._not_before = self._last_docked if self._same_card else None
        self._recorder = recorder
        self._told = bench.book.ask(lambda ledger: stated(ledger, identity.serial))
        self._buffers = buffers
        self._doubts: list[Finding] = []
        self._changed: list[Finding] = []
        self._owed: dict[str, Item] = {}
        self._present: set[str] = set()
        self._new = 0
        self._known = 0
        self.open: dict[str, Item] = {}
        self.lost: list[str] = []

    def take(self, items: list[Item]) -> None:
        """Write what is new, what is back and what is gone."""
        book = self._bench.book
        now = self._bench.clock.now()
        known = book.ask(lambda ledger: [_known(rid, item) for rid, item in ledger.items(self._serial, KNOWN)])
        items, self._changed = plausible(items)
        findings = completeness.judge(
            items,
            known,
            self._last_docked,
            now,
            self._condition.drift,
            articles=articles(self._bench),
            basis=self._basis,
        )
        # What is new comes first: comparing what was sealed takes long, and no deadline may become later by that.
        sealed: list[Item] = []
        for start in range(0, len(items), BATCH):
            named = [(record_id(self._serial, item), item) for item in items[start : start + BATCH]]
            again = self._sealed([rid for rid, _ in named])
            sealed += [item for rid, item in named if rid in again]
            self._write([(rid, item) for rid, item in named if rid not in again])
        for start in range(0, len(sealed), BATCH):
            self._write([(self._compared(item), item) for item in sealed[start : start + BATCH]])
        book.decide(lambda ledger, _at: self._gone(ledger))
        book.record(self._inventory((*findings, *self._attributed(items))))

    def _attributed(self, items: Sequence[Item]) -> tuple[Finding, ...]:
        """What does not fit between this recorder and the register of issue (无擅自借用)."""
        users = (self._user, *(item.officer for item in items))

        def judge(ledger: Ledger) -> tuple[Finding, ...]:
            device, people = ledger.matter(Device, self._serial), ledger.matters(Person)
            return attribution.judge(self._serial, users, device, people, self._bench.pack)

        return self._bench.book.ask(judge)

    def _sealed(self, rids: Sequence[str]) -> set[str]:
        return self._bench.book.ask(lambda ledger: {rid for rid in rids if _is_sealed(ledger.record(rid))})

    def _write(self, named: Sequence[tuple[str, Item]]) -> None:
        def facts(ledger: Ledger, at: datetime) -> list[Fact]:
            return [fact for rid, item in named for fact in self._facts_of(rid, ledger.record(rid), item, at)]

        self._bench.book.decide(facts)
        moved()

    def _facts_of(self, rid: str, record: Record | None, item: Item, at: datetime) -> list[Fact]:
        self._present.add(rid)
        subject = {"record": rid, "session": self._session, "recorder": self._serial}
        if record is None:
            self.open[rid] = item
            self._new += 1
            return self._listed(subject, item, at)
        missed = record.state is State.SEALED and SPOOL not in record.copies and bool(record.owed_sinks)
        if _is_sealed(record) and not missed:
            self._known += 1
            if record.finished:
                return []
            self._owed[rid] = item  # brought before, and not in central storage yet: so this docking is not settled
            return [Seen(**subject)]
        self.open[rid] = item
        ground = "the recorder is docked again with it"
        if missed or record.state in {State.QUARANTINED, State.LOST}:
            return [Cleared(**subject, ground=ground), Settled(record=rid, code="recording.gone", how=ground)]
        return [Seen(**subject), Settled(record=rid, code="recording.elsewhere", how=ground)]

    def _compared(self, item: Item) -> str:
        """The record of an item that was sealed, known again by its edges: other bytes make another record."""
        rid = record_id(self._serial, item)
        record = self._bench.book.ask(lambda ledger: ledger.record(rid))
        if record is None or not record.edges:
            return rid
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
            return rid
        finally:
            moved()  # each is a sign of life: a card with a hundred thousand of them is slow, and does not hang
        if now_there == record.edges:
            return rid
        self._changed.append(
            Finding(
                severity=Severity.WARN,
                code="content.changed",
                what=f"{show(item.path)} was sealed before and now holds other bytes under the same name and time.",
                remedy="Both are kept. Ask how the recorder came to hold them.",
                evidence=(("record", rid), ("edges then", record.edges), ("edges now", now_there)),
            )
        )
        return record_id(self._serial, item, variant=now_there)

    def _listed(self, subject: dict[str, str], item: Item, at: datetime) -> list[Fact]:
        drift = self._condition.drift
        corrected = correct(item, drift, None)
        obligation, doubts = obligation_of(
            self._bench, self._serial, corrected, at, not_before=self._not_before, told=self._told
        )
        self._doubts.extend(doubts)
        return [
            Listed(**subject, item=item, corrected=corrected, drift=drift, not_before=self._not_before),
            Obliged(**subject, obligation=obligation),
        ]

    def _gone(self, ledger: Ledger) -> list[Fact]:
        """What an earlier docking listed and nobody pulled, and what is not here: lost, where it is the same card."""
        others = [session for session in ledger.open_sessions() if session.id != self._session]
        elsewhere = {session.id for session in others}
        same_card = self._same_card and all(session.recorder != self._serial for session in others)
        facts: list[Fact] = []
        for rid in ledger.only_listed(self._serial):
            record = None if rid in self._present else ledger.record(rid)
            if record is None or record.copies:
                continue
            if not elsewhere.isdisjoint(record.sessions):
                continue  # on another card with the same serial, which is docked now
            if same_card:
                self.lost.append(rid)
                facts.append(
                    Lost(record=rid, session=self._session, recorder=self._serial, reason="no longer on the recorder")
                )
            facts.append(Found(record=rid, finding=_missing(record, same_card=same_card)))
        return facts

    def _inventory(self, findings: Sequence[Finding]) -> list[Fact]:
        most = self._bench.settings.limits.findings_per_session
        told = bounded((*findings, *self._changed, *once_each(self._doubts)), most)
        inventoried = Inventoried(
            session=self._session,
            recorder=self._serial,
            records=(*self.open, *self._owed),
            new=self._new,
            known=self._known,
            size=sum(item.size for item in (*self.open.values(), *self._owed.values())),
            findings=told,
        )
        return list(parts(inventoried))


def _is_sealed(record: Record | None) -> bool:
    return record is not None and record.state in {State.SEALED, State.RELEASED}


def _missing(record: Record, *, same_card: bool) -> Finding:
    name = show(record.item.path)
    if same_card:
        return Finding(
            severity=Severity.WARN,
            code="recording.gone",
            what=f"{name} was on this recorder at an earlier docking, was never pulled, and is gone.",
            remedy="Ask the officer. A removed recording is a matter of the pack's article on destroying records.",
        )
    return Finding(
        severity=Severity.WARN,
        code="recording.elsewhere",
        what=f"{name} was listed at an earlier docking, was never pulled, and is not on the card that is docked now.",
        remedy="Dock the card it is on. Where the recorder has no other card, ask the officer.",
    )


def _known(rid: str, item: Item) -> completeness.Known:
    return completeness.Known(
        path=item.path,
        size=item.size,
        modified=item.modified,
        series=item.series,
        sequence=item.sequence,
        kind=item.kind,
        start=item.claim.start,
        end=item.claim.end,
        record=rid,
    )
