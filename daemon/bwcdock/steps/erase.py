"""Erase files from a docked recorder: permits, intents in the ledger, a request to the helper, outcomes in the ledger.

The station itself never writes to a card. If it dies after the intents, they stand open: the next listing of the
recorder tells which files went (:func:`look`), and what is still there gets a permit anew or stays.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass

import structlog
from pydantic import ValidationError

from bwcdock import durable
from bwcdock.core.facts import (
    Digests,
    Erased,
    EraseIntended,
    EraseKept,
    Fact,
    Finding,
    Found,
    Item,
    Reformatted,
    Settled,
    Severity,
)
from bwcdock.core.names import escape, record_id, show, unescape
from bwcdock.core.record import Record
from bwcdock.core.retention import Erasing, Permit, may_erase
from bwcdock.core.session import Session
from bwcdock.erasing import (
    ORDER_NAME,
    ORDER_S,
    REQUEST_MAX,
    End,
    FileTold,
    Order,
    Request,
    Target,
)
from bwcdock.errors import BwcdockError, LedgerBroken, Misbehaved, Unplugged
from bwcdock.manifest import sign
from bwcdock.ports import Recorder
from bwcdock.reading import Buffers
from bwcdock.steps.bench import Bench, Changed
from bwcdock.steps.card_helper import answered, connected, diskseq
from bwcdock.steps.held import held
from bwcdock.steps.pull import edges

log = structlog.get_logger()

BATCH = 200
"""Files of one request: no permit is older than the reading of so many files takes."""

TOLD = 20
"""Files named in a finding."""

DAY_S = 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What lies on a recorder that the ledger knows: ids of its records, and how many files no record is known of."""

    records: tuple[str, ...]
    strangers: int


def terms(bench: Bench, records: Sequence[Record]) -> Erasing:
    """When these records' files may go: by settings and holds, and by what central storage has seen of the ledger."""
    chosen = bench.settings.erase
    return Erasing(
        after_s=chosen.after_days * DAY_S if chosen.enabled else None,
        witnessed=bench.keep.witnessed,
        held=bench.book.ask(lambda ledger: held(ledger, records)),
        locking=bench.locking,
    )


# --- look -------------------------------------------------------------------------------------------------------------


def look(bench: Bench, session: Session, recorder: Recorder, buffers: Buffers, doubtful: Iterable[str]) -> Looked:
    """List the recorder, and settle what an earlier erasing left open: ``doubtful`` are the ids of those records.

    On the recorder's lane, once it is drained. Raises what a recorder may raise.
    """
    items = recorder.items()
    found = [_record_of(bench, session.recorder, recorder, item, buffers) for item in items]
    if not recorder.present():
        raise Unplugged("list", "The recorder went away while it was listed.", "Dock it again.")
    known = {record.id: record for record in found if record is not None}
    facts: list[Fact] = []
    for record in _records(bench, doubtful):
        if record.erasing and record.recorder == session.recorder:
            subject = {"record": record.id, "session": session.id, "recorder": record.recorder}
            if record.id in known:
                facts.append(EraseKept(**subject, reason="interrupted", what="The erasing was cut off before it."))
            else:
                facts.append(Erased(**subject, how="gone"))
    back = [record for record in known.values() if record.erased_at]
    if back:
        facts.append(Found(recorder=session.recorder, finding=_back(back)))
    bench.book.record(facts)
    return Looked(records=tuple(known), strangers=len(items) - len(known))


def _record_of(bench: Bench, serial: str, recorder: Recorder, item: Item, buffers: Buffers) -> Record | None:
    """The record of what this item holds now; other bytes under the same name are another record, or none."""
    record = bench.book.ask(lambda ledger: ledger.record(record_id(serial, item)))
    if record is None or not record.edges:
        return record
    try:
        with buffers.lend() as buffer:
            now_there = edges(lambda view, at: recorder.read_into(item, at, view), item.size, buffer)
    except BwcdockError as error:
        if isinstance(error, Unplugged | Misbehaved):
            raise
        return None  # what cannot be read is not compared, and so not erased
    if now_there == record.edges:
        return record
    return bench.book.ask(lambda ledger: ledger.record(record_id(serial, item, variant=now_there)))


def _back(records: Sequence[Record]) -> Finding:
    return Finding(
        severity=Severity.WARN,
        code="erase.untrue",
        what=f"{len(records)} files that were erased from this recorder are on it.",
        remedy="Ask whether a card was exchanged or restored. If not, look at the card: it does not keep what is done.",
        evidence=tuple((show(record.item.path), f"erased {record.erased_at}") for record in records[:TOLD]),
    )


# --- orders -----------------------------------------------------------------------------------------------------------


def is_ordered(bench: Bench) -> bool:
    """Whether some order lies there."""
    return (bench.settings.paths.run / ORDER_NAME).exists()


def order(bench: Bench, session: Session) -> Order | None:
    """The order to format the card of this session, which is taken away with it; ``None`` where there is none.

    If it dies here the order is gone and nothing was done: it is given again.
    """
    path = bench.settings.paths.run / ORDER_NAME
    try:
        given = Order.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        log.warning("erase.order_unreadable", what=str(error))
        durable.discard(path)
        return None
    age_s = bench.clock.now().timestamp() - given.asked_ms / 1000
    if not 0 <= age_s <= ORDER_S:
        durable.discard(path)
        return None
    if (given.slot is not None and given.slot != session.sighting.slot) or given.recorder not in {"", session.recorder}:
        return None
    durable.discard(path)
    return given


# --- erase ------------------------------------------------------------------------------------------------------------


def erase(
    bench: Bench, session: Session, looked: Looked, given: Order | None = None, changed: Changed = nullcontext
) -> tuple[str, ...]:
    """Erase every file of ``looked`` that gets a permit, or format the card where that was ordered; the ids it touched.

    Blocking for as long as the helper reads: on a lane of its own. Raises :class:`~bwcdock.errors.LedgerBroken` alone;
    whatever else goes wrong is a finding about the recorder.
    """
    job = _Job(bench, session, changed)
    try:
        if given is not None:
            job.format(looked, given)
        else:
            job.erase(looked.records)
    except LedgerBroken:
        raise
    except BwcdockError as error:
        log.warning("erase.failed", session=session.id, what=str(error))
        job.kept.insert(0, ("", f"{error.what} {error.hint}"))
    bench.book.record([job.finding()])
    return tuple(job.touched)


def _records(bench: Bench, ids: Iterable[str]) -> list[Record]:
    found = bench.book.ask(lambda ledger: [ledger.record(rid) for rid in ids])
    return [record for record in found if record is not None]


class _Job:
    """One erasing of one docked card."""

    def __init__(self, bench: Bench, session: Session, changed: Changed) -> None:
        self.touched: list[str] = []
        self.kept: list[tuple[str, str]] = []
        """Path and reason of every file that had a permit and stays."""
        self._bench = bench
        self._session = session
        self._changed = changed

    def erase(self, ids: Sequence[str]) -> None:
        """In batches, each with permits of its own: meanwhile a central copy may have been found bad."""
        for start in range(0, len(ids), BATCH):
            targets = self._targets(ids[start : start + BATCH], "")
            for some in _fitting(targets):
                end = self._carry(self._request(some, None))
                if end.end != "done":
                    raise Misbehaved("erase", end.what, "What was not erased is tried at the next docking.")

    def format(self, looked: Looked, given: Order) -> None:
        """Only where every file has a permit: a card of which one file must stay is not formatted at all."""
        bench, chosen = self._bench, self._bench.settings.erase
        if not chosen.reformat or len(given.by) < chosen.persons:
            what = f"Formatting needs [erase] reformat = true and an order of {chosen.persons} persons."
            raise Misbehaved("format", what, "The order was dropped.")
        targets = self._targets(looked.records, f"; the card is formatted by order of {' and '.join(given.by)}")
        staying = len(looked.records) - len(targets)
        if looked.strangers or staying or not targets:
            what = f"The card was not formatted: {staying} recordings must stay, {looked.strangers} files are unknown."
            raise Misbehaved("format", what, "`bwcdock erase --dry-run` says why each one stays.")
        end = self._carry(self._request(targets, given))
        if end.end != "done" or not end.kind:
            raise Misbehaved("format", end.what or "The helper did not say what it made.", "Look at the card.")
        subject = {"session": self._session.id, "recorder": self._session.recorder}
        bench.book.record([Reformatted(**subject, by=given.by, kind=end.kind, files=len(targets))])

    def finding(self) -> Fact:
        """What people are told: that files stayed which might have gone, or that none did."""
        if not self.kept:
            return Settled(recorder=self._session.recorder, code="erase.kept", how="all that may go has gone")
        first = show(self.kept[0][1], 500)
        finding = Finding(
            severity=Severity.NOTE,
            code="erase.kept",
            what=f"Not all that might go from the recorder went ({len(self.kept)} reasons). The first: {first}",
            remedy="Nothing is lost. Look at each reason; `bwcdock erase --dry-run` tells what may go.",
            evidence=tuple((show(path), show(what, 300)) for path, what in self.kept[:TOLD]),
        )
        return Found(recorder=self._session.recorder, finding=finding)

    # --- one request --------------------------------------------------------------------------------------------------

    def _targets(self, ids: Iterable[str], because: str) -> list[Target]:
        records = _records(self._bench, ids)
        now, erasing = self._bench.clock.now(), terms(self._bench, records)
        targets = []
        for record in records:
            permit = may_erase(record, now, erasing)
            if permit is not None and record.digests is not None:
                try:
                    targets.append(_target(record, record.digests, permit, because))
                except ValidationError:
                    self.kept.append((record.item.path, "Its name is none that a card can hold."))
        return targets

    def _request(self, targets: Sequence[Target], given: Order | None) -> Request:
        try:
            return Request(
                session=self._session.id,
                device=self._session.sighting.source,
                slot=self._session.sighting.slot or 0,
                diskseq=diskseq(self._session),
                files=tuple(targets),
                reformat=given.by if given else None,
            )
        except ValidationError as error:
            what = f"This docking cannot be described to the helper: {error.errors()[0]['msg']}."
            raise Misbehaved("erase", what, "Only disks in numbered slots can be erased.") from error

    def _carry(self, request: Request) -> End:
        """The intents, the request and the outcomes. Without a proper end the intents stay open, and are told so."""
        line = sign(request, self._bench.signer) + b"\n"
        if len(line) > REQUEST_MAX:
            what = f"The request would have {len(line)} bytes; {REQUEST_MAX} are the most."
            raise Misbehaved("erase", what, "Let the files be erased first, then order the formatting again.")
        told: dict[int, FileTold] = {}
        with closing(connected(self._bench)) as connection:
            self._bench.book.record([self._intent(target) for target in request.files])
            self.touched += [target.record for target in request.files]
            with self._changed():
                end = answered(connection, line, len(request.files), told)
        facts = [
            fact for n, target in enumerate(request.files) if (fact := self._outcome(target, told.get(n), end.end))
        ]
        self._bench.book.record(facts)
        return end

    def _intent(self, target: Target) -> Fact:
        digests = Digests(sha256=target.sha256, blake3=target.blake3)
        return EraseIntended(**self._subject(target), ground=target.ground, size=target.size, digests=digests)

    def _outcome(self, target: Target, told: FileTold | None, end: str) -> Fact | None:
        """``None`` where nobody knows: the next listing of the recorder tells."""
        reason, what = (told.reason, told.what) if told else ("not-reached", "The helper ended before it.")
        if end == "refused":
            reason, what = "refused", "The helper refused the request."
        elif told and told.outcome == "erased":
            return None if end == "broken" else Erased(**self._subject(target), how="reported")
        elif told is None and end == "broken":
            return None
        path = "/".join(escape(name) for name in target.names)
        self.kept.append((path, what))
        return EraseKept(**self._subject(target), reason=reason, what=what)

    def _subject(self, target: Target) -> dict[str, str]:
        return {"record": target.record, "session": self._session.id, "recorder": self._session.recorder}


def _target(record: Record, digests: Digests, permit: Permit, because: str) -> Target:
    return Target(
        record=record.id,
        path=tuple(unescape(part).hex() for part in record.item.path.split("/")),
        size=record.item.size,
        sha256=digests.sha256,
        blake3=digests.blake3,
        ground=permit.ground + because,
    )


def _fitting(targets: Sequence[Target]) -> Iterator[Sequence[Target]]:
    """``targets`` in as few requests as fit; names on a card may be long."""
    if not targets:
        return
    if len(targets) > 1 and sum(len(t.model_dump_json()) for t in targets) > REQUEST_MAX // 2:
        yield from _fitting(targets[: len(targets) // 2])
        yield from _fitting(targets[len(targets) // 2 :])
    else:
        yield targets
