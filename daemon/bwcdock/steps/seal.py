"""Seal one pulled recording: prove it on the disk, give it its final name, and let the law speak.

The order is the promise: the bytes are read back and published, the directory is synced, and only then the fact is
written. If it dies before the fact, the same seal runs again and finds its own file under the final name.
"""

from bwcdock.core.clocks import container_clock, correct
from bwcdock.core.facts import SPOOL, Fact, Finding, Found, Obligation, Obliged, Sealed, Settled, Severity
from bwcdock.core.names import show
from bwcdock.core.record import Record
from bwcdock.errors import Untrue
from bwcdock.media import look
from bwcdock.reading import Whole
from bwcdock.spool import broken
from bwcdock.steps.bench import Bench
from bwcdock.steps.law import obligation_again, stated


def seal(bench: Bench, record: Record) -> tuple[Fact, ...]:
    """Prove and publish; returns what was proven. Raises Untrue, SpoolFull, SpoolBroken."""
    if record.digests is None:
        raise Untrue("seal", "There is no digest to prove it by.", "It is pulled again.")
    how = bench.spool.seal(record.id, record.digests, record.item.size)
    path = bench.spool.whole(record.id)
    if path is None:
        raise Untrue("seal", "The sealed file is gone again.", "It is pulled again.")
    try:
        with Whole(path) as whole:
            media = look(whole.read, record.item.size, record.item.path)
    except OSError as error:  # the bytes are proven and stay; the same seal finds them again
        raise broken("seal", path, error) from error
    corrected = correct(record.item, record.drift, media)
    sealed = Sealed(
        record=record.id,
        session=record.session,
        recorder=record.recorder,
        size=record.item.size,
        digests=record.digests,
        readback=how,
        media=media,
        corrected=corrected,
    )
    told = bench.book.ask(lambda ledger: stated(ledger, record.recorder))
    obligation, findings = obligation_again(bench, record, corrected, told)
    return (
        sealed,
        *(Settled(code=code, how="it sealed again") for code in ("spool.broken", "spool.no_room")),
        Settled(record=record.id, code=f"copy.bad.{SPOOL}", how="sealed again"),
        *_spoken_again(record, obligation),
        *(
            Found(record=record.id, finding=f)
            for f in (*_of_media(record, sealed), *container_clock(record.item, media), *findings)
        ),
    )


def _spoken_again(record: Record, obligation: Obligation) -> tuple[Obliged, ...]:
    """The pack spoke when the recording became known; it speaks again only where the container changed the answer."""
    if record.obligation == obligation:
        return ()
    return (Obliged(record=record.id, recorder=record.recorder, obligation=obligation),)


def _of_media(record: Record, sealed: Sealed) -> tuple[Finding, ...]:
    name = show(record.item.path)
    found = []
    if sealed.media.truncated:
        found.append(
            Finding(
                severity=Severity.WARN,
                code="media.truncated",
                what=f"{name} was not closed: its container ends early.",
                remedy="It is kept and proven as it is. Ask for the reason of the interruption (中断原因).",
                evidence=(("container", sealed.media.container), ("size", str(sealed.size))),
            )
        )
    if sealed.media.problems:
        found.append(
            Finding(
                severity=Severity.NOTE,
                code="media.odd",
                what=f"The container of {name} has parts that were refused.",
                remedy="Nothing to do: the bytes are kept and proven; only its own times may be missing.",
                evidence=tuple(("problem", p) for p in sealed.media.problems[:8]),
            )
        )
    return tuple(found)
