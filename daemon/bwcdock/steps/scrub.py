"""Read the spool's sealed files again and again, to find the disk that forgets before the bytes are needed."""

from contextlib import suppress

from bwcdock.core.facts import SPOOL, CopyBad, Fact, Finding, Found, Severity
from bwcdock.core.names import show
from bwcdock.core.record import Record, State
from bwcdock.errors import SpoolBroken, SpoolFull, Untrue
from bwcdock.ledger import Ledger
from bwcdock.steps.bench import Bench


def scrub(bench: Bench, record_id: str) -> bool:
    """Read one file in full; whether it still is what was sealed. A bad one is set aside and struck off.

    If it dies between the setting aside and the fact, the file is missing without a permit, which the next round and
    every audit say.
    """
    record = bench.book.ask(lambda ledger: ledger.record(record_id))
    if record is None or record.state is not State.SEALED or record.digests is None or SPOOL not in record.copies:
        return True  # released meanwhile
    try:
        bench.spool.verify(record.id, record.digests)
    except (Untrue, SpoolBroken) as error:  # a sector that cannot be read is lost as well as one that changed
        return not strike_off(bench, record, error)
    return True


def strike_off(bench: Bench, record: Record, error: Untrue | SpoolBroken) -> bool:
    """Set a bad spool copy aside and strike it off; whether it was there to be struck off still.

    Reading it took minutes, in which it may have been released under a permit, or found bad by somebody else.
    """

    def is_ours(ledger: Ledger) -> bool:
        now = ledger.record(record.id)
        return now is not None and SPOOL in now.copies and not now.releasing

    if not bench.book.ask(is_ours):
        return False
    # Where the disk refuses, the file stays until the next start finds it a stray: the fact is what counts.
    with suppress(SpoolBroken, SpoolFull):
        bench.spool.quarantine_whole(record.id)
    return bool(bench.book.decide(lambda ledger, _: spool_bad(record, error) if is_ours(ledger) else ()))


def spool_bad(record: Record, error: Untrue | SpoolBroken) -> tuple[Fact, ...]:
    """The facts of a spool copy that lost its digest: struck off, and told."""
    finding = Finding(
        severity=Severity.WARN,
        code=f"copy.bad.{SPOOL}",
        what=f"The spool copy of {show(record.item.path)} is bad: {error.what}",
        remedy="Check the station's disk. Where central storage does not have it yet, dock the recorder again.",
    )
    return (
        CopyBad(record=record.id, recorder=record.recorder, place=SPOOL, what=error.what),
        Found(record=record.id, finding=finding),
    )
