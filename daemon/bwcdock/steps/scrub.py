"""Read the spool's sealed files again and again, to find the disk that forgets before the bytes are needed."""

from bwcdock.core.facts import SPOOL, CopyBad, Fact, Finding, Found, Severity
from bwcdock.core.names import show
from bwcdock.core.record import Record, State
from bwcdock.errors import Untrue
from bwcdock.reading import Buffers
from bwcdock.steps.bench import Bench


def scrub(bench: Bench, record_id: str, buffers: Buffers) -> bool:
    """Read one file in full; whether it still is what was sealed. A bad one is set aside and struck off.

    If it dies between the setting aside and the fact, the file is missing without a permit, which the next round and
    every audit say. Raises SpoolBroken.
    """
    record = bench.book.ask(lambda ledger: ledger.record(record_id))
    if record is None or record.state is not State.SEALED or record.digests is None or SPOOL not in record.copies:
        return True  # released meanwhile
    try:
        bench.spool.verify(record.id, record.digests, buffers=buffers)
    except Untrue as error:
        now = bench.book.ask(lambda ledger: ledger.record(record_id))
        if now is None or SPOOL not in now.copies or now.releasing:
            return True  # released under a permit while it was read
        bench.spool.quarantine_whole(record.id)
        bench.book.record(spool_bad(record, error))
        return False
    return True


def spool_bad(record: Record, error: Untrue) -> tuple[Fact, ...]:
    """The facts of a spool copy that lost its digest: struck off, and told."""
    finding = Finding(
        severity=Severity.WARN,
        code="copy.bad",
        what=f"The spool copy of {show(record.item.path)} is bad: {error.what}",
        remedy="Check the station's disk. Where central storage does not have it yet, dock the recorder again.",
    )
    return (
        CopyBad(record=record.id, recorder=record.recorder, place=SPOOL, what=error.what),
        Found(record=record.id, finding=finding),
    )
