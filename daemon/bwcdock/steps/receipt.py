"""The receipt (移交回执) of a drained session whose recordings are all in central storage: kept here and put there."""

import hashlib
from pathlib import Path

from bwcdock import __version__, durable
from bwcdock.core import rules
from bwcdock.core.facts import Fact, Finding, Obligation, Receipted, Severity
from bwcdock.core.record import Record
from bwcdock.core.session import Session
from bwcdock.core.view import regulation
from bwcdock.errors import BwcdockError
from bwcdock.ledger import Ledger
from bwcdock.manifest import RECEIPTS, Citation, Receipt, ReceiptLine, open_signed, receipt, sign
from bwcdock.steps.bench import Bench


def write(bench: Bench, session_id: str) -> tuple[Fact, ...]:
    """Write it once, put the same bytes into every sink, and say so. Raises Unreachable, Conflict, BwcdockError.

    If it dies after the first write, the next try finds that file and goes on with exactly those bytes.
    """
    path = bench.receipts / f"{session_id}.json"
    try:
        data = _kept(bench, path, session_id)
    except OSError as error:  # it waits, and nothing else does
        what = f"{path} cannot be used: {error.strerror or error}."
        raise BwcdockError("receipt", what, "Check the disk of the ledger; it is tried again by itself.") from error
    told = open_signed(data, Receipt, bench.signer.verifier)
    for sink in bench.sinks.values():
        sink.note(f"{RECEIPTS}/{session_id}.json", data)
    fact = Receipted(
        session=session_id,
        recorder=told.recorder.serial,
        digest=hashlib.sha256(data).hexdigest(),
        count=told.count,
        size=told.size,
    )
    return (fact,)


def _kept(bench: Bench, path: Path, session_id: str) -> bytes:
    """The bytes that are there, or else made and put there. Raises OSError."""
    if path.exists():
        durable.fsync_dir(path.parent)  # it may have died, or failed, between the name and this
        return path.read_bytes()
    data = sign(bench.book.ask(lambda ledger: _receipt(bench, ledger, session_id)), bench.signer)
    durable.write_small(path, data, mode=0o640)
    return data


def read(bench: Bench, session_id: str) -> Receipt | None:
    """The receipt of a session, ``None`` where there is none yet; its signature is checked."""
    path = bench.receipts / f"{session_id}.json"
    return open_signed(path.read_bytes(), Receipt, bench.signer.verifier) if path.exists() else None


def _receipt(bench: Bench, ledger: Ledger, session_id: str) -> Receipt:
    session = ledger.session(session_id)
    if session is None or session.identity is None:
        raise BwcdockError("receipt", f"There is no session {session_id}.", "Look at `bwcdock status`.")
    records = [record for rid in session.records if (record := ledger.record(rid)) is not None]
    earlier = dict.fromkeys(sid for record in records for sid in record.sessions if sid != session_id)
    return receipt(
        [_line(bench, record) for record in records],
        station=bench.settings.station.name,
        origin=ledger.origin,
        sessions=(*earlier, session_id),
        recorder=session.identity,
        officer=_officer(records),
        findings=_findings(ledger, session),
        citations=_citations(records),
        at=bench.clock.now(),
        station_version=__version__,
    )


def _findings(ledger: Ledger, session: Session) -> tuple[Finding, ...]:
    """What a person should know of this docking: the session's own findings, and those that hold about its records."""
    of_records = (o.finding for rid in session.records for o in ledger.findings(kind="record", subject=rid))
    return tuple(f for f in (*session.findings, *of_records) if f.severity is not Severity.NOTE)


def _citations(records: list[Record]) -> tuple[Citation, ...]:
    """Each article of the lines with its regulation and its words, once."""
    owed = {_article(record.obligation): record.obligation for record in records if record.obligation}
    return tuple(
        Citation(article=article, regulation=regulation(each), quote=each.quote)
        for article, each in sorted(owed.items())
    )


def _article(owed: Obligation) -> str:
    return f"{owed.pack} {owed.article}"


def _line(bench: Bench, record: Record) -> ReceiptLine:
    owed = record.obligation
    now = bench.clock.now()
    return ReceiptLine(
        record=record.id,
        path=record.item.path,
        size=record.item.size,
        sha256=record.digests.sha256 if record.digests and record.copies else "",
        state=record.state.value,
        due=owed.due if owed else None,
        article=_article(owed) if owed else "",
        verdict=rules.verdict(owed, record.met_at, now, bench.settings.law.at_risk_ratio).kind.value if owed else "",
    )


def _officer(records: list[Record]) -> str:
    """Whose footage it is, as far as the recorder's own names agree on it."""
    named = {record.item.officer for record in records if record.item.officer}
    return named.pop() if len(named) == 1 else ""


def is_ready(session: Session, open_records: int) -> bool:
    """Whether the receipt can be written: drained, every record in central storage, none written yet."""
    return session.was_drained and not session.receipt and not open_records
