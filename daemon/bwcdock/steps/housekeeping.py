"""The station's own acts: the ordinary start that is also the recovery, the heartbeat, the signed head, the end."""

import os
import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from bwcdock import __version__
from bwcdock.core.at_hand import KINDS
from bwcdock.core.facts import (
    SPOOL,
    Arrived,
    Beat,
    Departed,
    Fact,
    Finding,
    Found,
    Settled,
    Severity,
    Started,
    Stopped,
)
from bwcdock.core.record import Record, State
from bwcdock.core.session import Session, allows
from bwcdock.errors import LedgerBroken, Untrue
from bwcdock.ledger import Ledger, Waits, verify
from bwcdock.ledger.schema import AUDIT
from bwcdock.steps.bench import Bench
from bwcdock.steps.clock_outcome import cut_off
from bwcdock.steps.scrub import spool_bad

RECEIPTS_BACK = 500
"""How many of the newest sessions are looked at for a missing receipt and a clock set halfway: days of a full dock."""

BEHIND = timedelta(seconds=1)
"""A clock that is disciplined is slewed by less between a stop and the next start."""

GONE_SINK = "sink.gone."
"""What begins the code of the finding that something is owed to a sink that is not in the settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What the station begins with: the most urgent records, what waits for each sink, the sessions without receipt."""

    records: tuple[Record, ...]
    waiting: tuple[Waits, ...]
    sessions: tuple[Session, ...]


def start(bench: Bench) -> Opened:
    """Prove the ledger's end, close what was interrupted, set strays aside, say that it is on, load what is open."""
    if wrong := bench.book.ask(verify.tail):
        raise LedgerBroken("prove the end of the ledger", f"{wrong[0]}", AUDIT)
    interrupted = bench.book.ask(lambda ledger: ledger.open_sessions())
    facts: list[Fact] = [
        Departed(session=session.id, recorder=session.recorder, reason="the station stopped or lost power")
        for session in interrupted
    ]
    facts += cut_off(bench.book.ask(lambda ledger: ledger.sessions(limit=RECEIPTS_BACK)))
    facts += _sweep(bench)
    if not bench.spool.volume.durable:
        facts.append(Found(finding=_not_durable(bench)))
    started = Started(version=__version__, sqlite=sqlite3.sqlite_version, clock=bench.station_clock(), pid=os.getpid())
    bench.book.record([started, *facts])
    return Opened(
        records=due(bench, dict.fromkeys(KINDS, bench.settings.limits.open_records), bench.sinks),
        waiting=bench.book.ask(lambda ledger: ledger.waits()),
        sessions=bench.book.ask(_without_receipt),
    )


def due(
    bench: Bench, most: Mapping[str, int], sinks: Collection[str], known: Collection[str] = ()
) -> tuple[Record, ...]:
    """Records that need something that can be done with these sinks, the most urgent first; not the known ones.

    ``most`` says how many of each kind: work, and a second look or a release that has come due.
    """
    now = bench.clock.now()
    keep = bench.keep
    look = now - timedelta(seconds=keep.second_look_after_s)
    gone = now - timedelta(seconds=keep.spool_keep_s or 0)

    def ask(ledger: Ledger) -> tuple[Record, ...]:
        return (
            *ledger.waiting("work", None, most["work"], but=known, sinks=sinks),
            *ledger.waiting("look", look, most["look"], but=known, sinks=sinks),
            *(ledger.waiting("release", gone, most["release"], but=known) if keep.spool_keep_s is not None else ()),
        )

    return bench.book.ask(ask)


def records_of(bench: Bench, ids: list[str]) -> tuple[Record, ...]:
    """These records as the book has them now."""
    found = bench.book.ask(lambda ledger: [ledger.record(rid) for rid in ids])
    return tuple(record for record in found if record is not None)


def session_of(bench: Bench, session: str) -> Session | None:
    """The session as the book has it now."""
    return bench.book.ask(lambda ledger: ledger.session(session))


def advance(bench: Bench, fact: Fact) -> Session | None:
    """Record a fact of a session where its table allows it; the session as it is then.

    A cable and a driver may both say at once that a recorder is gone: the first word stands, the other is left out.
    """
    if isinstance(fact, Arrived):
        bench.book.record([fact])
    else:
        session = session_of(bench, fact.session)
        if session is not None and allows(session, type(fact)):
            bench.book.record([fact])
    return session_of(bench, fact.session)


def beat(bench: Bench) -> None:
    """Say that the station is on, how its clock is, and what waits for a sink that the settings no longer name."""
    clock = bench.station_clock()
    facts: list[Fact] = [Beat(clock=clock)]
    if clock.startswith("unvouched"):
        finding = Finding(
            severity=Severity.WARN,
            code="clock.unvouched",
            what=f"The station's own clock is not vouched for: {clock}.",
            remedy="Let the station reach a time server (chrony or systemd-timesyncd), then look again.",
        )
        facts.append(Found(finding=finding))
    else:
        facts.append(Settled(code="clock.unvouched", how=clock))
    bench.book.record([*facts, _behind_ledger(bench), *_gone_sinks(bench)])


def _behind_ledger(bench: Bench) -> Fact:
    """Whether the clock is before the ledger's last entry: only a start with the clock ahead leads there."""
    last, now = bench.book.ask(lambda ledger: (next(ledger.entries(ledger.size - 1)).at, bench.clock.now()))
    code = "clock.behind_ledger"
    if last - now < BEHIND:
        return Settled(code=code, how="the clock is past the last entry of the ledger")
    finding = Finding(
        severity=Severity.WARN,
        code=code,
        what="The station's clock is before the last entry of its own ledger, which never goes back.",
        remedy="Look at the clock. If it is wrong now, set it (chronyc makestep). If it is right, the station once ran "
        f"with its clock ahead: change the battery of the clock. Every entry carries {last:%Y-%m-%d %H:%M} UTC until "
        "then, and deadlines and dates are judged by that; nothing is lost and nothing stops.",
    )
    return Found(finding=finding)


def _gone_sinks(bench: Bench) -> list[Fact]:
    """Sinks that sealed records are owed to and that the settings do not name: nobody would ever push there.

    A record that is not sealed yet is none of them: the seal asks the pack again, with the sinks of today.
    """
    waiting, told = bench.book.ask(lambda ledger: (ledger.awaited(), ledger.findings(kind="station")))
    found = {f"{GONE_SINK}{name}": _gone_sink(name, n) for name, n in waiting.items() if name not in bench.sinks}
    over = [open_.finding.code for open_ in told if open_.finding.code.startswith(GONE_SINK)]
    return [
        *(Found(finding=finding) for finding in found.values()),
        *(Settled(code=code, how="nothing waits for it, or it is back") for code in over if code not in found),
    ]


def _gone_sink(name: str, count: int) -> Finding:
    many = f"{count} recordings wait" if count > 1 else "1 recording waits"
    return Finding(
        severity=Severity.WARN,
        code=f"{GONE_SINK}{name}",
        what=f"{many} for central storage {name}, which is not in the settings any more.",
        remedy=f"Put the [[sink]] named {name} back into the settings and start the station anew; what is owed there "
        "counts as owed, and stays in the spool, until it is there.",
    )


def tell(bench: Bench, findings: Sequence[Finding], codes: Iterable[str]) -> None:
    """These findings about the station hold now; of ``codes``, those that are not among them no longer do."""
    told = {finding.code for finding in findings}
    facts: list[Fact] = [Found(finding=finding) for finding in findings]
    facts += [Settled(code=code, how="it no longer holds") for code in codes if code not in told]
    bench.book.record(facts)


def sign_head(bench: Bench) -> int:
    """Sign the head over all that is committed; its size."""
    return bench.book.ask(lambda ledger: ledger.checkpoint()).size


def owed(bench: Bench) -> int:
    """How many recordings are not offloaded as their article asks."""
    return bench.book.ask(lambda ledger: ledger.counts(bench.clock.now())).owed


def is_owed(bench: Bench, session_id: str) -> bool:
    """Whether a record of a docking is still owed; those set apart or lost are told on its receipt."""
    return bench.book.ask(lambda ledger: ledger.is_owed(session_id))


def next_id(bench: Bench, after: str, *states: State) -> str | None:
    """Which record is to be read again next behind this one; ``None`` behind the last.

    One at a time: all ids of a station's history would lie in memory for as long as the reading takes.
    """
    return bench.book.ask(lambda ledger: ledger.next_id(after, *states))


def many(bench: Bench, *states: State) -> int:
    """How many records there are to be read again."""
    return bench.book.ask(lambda ledger: ledger.many(*states))


def looked_at(bench: Bench, record_id: str, sink: str) -> Record | None:
    """The record, where this sink holds it and gave it back a second time; ``None`` where not, or not yet."""
    record = bench.book.ask(lambda ledger: ledger.record(record_id))
    if record is None or record.digests is None:
        return None
    mine = (held for held in record.held if held.sink == sink and sink in record.copies)
    return record if any(held.looked_at is not None for held in mine) else None


def end(bench: Bench, docked: list[str]) -> None:
    """Say that the station stops on purpose; recorders that are still in their slots are left as departed."""
    for session in docked:
        advance(bench, Departed(session=session, reason="the station was stopped"))
    bench.book.record([Stopped(reason="asked to stop")])
    sign_head(bench)


def _without_receipt(ledger: Ledger) -> tuple[Session, ...]:
    newest = ledger.sessions(limit=RECEIPTS_BACK)
    return tuple(s for s in reversed(newest) if s.was_drained and not s.receipt)


def _sweep(bench: Bench) -> list[Fact]:
    """Files of the spool that no record accounts for are set aside and told; nothing unhashed is ever adopted."""

    def known(ledger: Ledger) -> tuple[set[str], set[str], set[str]]:
        # What was struck off while the disk refused to set it aside is sealed in central storage, and no copy here.
        return ledger.ids(State.LISTED), ledger.ids(State.PULLED), ledger.sealed_in(SPOOL)

    listed, pulled, sealed = bench.book.ask(known)
    facts = _gone(bench, sorted(sealed))
    for stray in bench.spool.strays(parts=listed | pulled, wholes=sealed | pulled):
        bench.spool.put_right(stray)
        if stray.kind in {"spare", "temporary"}:
            continue
        finding = Finding(
            severity=Severity.WARN,
            code="spool.stray",
            what=f"{stray.path.name} in the spool belongs to no record that expects it.",
            remedy="It was set aside in quarantine. Look at it before anything is removed."
            if stray.kind != "foreign"
            else "It is not the station's; take it out of the spool.",
            evidence=(("kind", stray.kind), ("bytes", str(stray.size))),
        )
        facts.append(Found(record=stray.record, finding=finding))
    return facts


def _gone(bench: Bench, sealed: list[str]) -> list[Fact]:
    """Sealed files that are gone without a permit: taken away, or eaten by a repair, while the station was off."""
    error = Untrue("start", "The sealed file is gone from the spool.", "Dock the recorder again.")
    missing = records_of(bench, [rid for rid in sealed if bench.spool.whole(rid) is None])
    bad = [record for record in missing if SPOOL in record.copies and not record.releasing]
    return [fact for record in bad for fact in spool_bad(record, error)]


def _not_durable(bench: Bench) -> Finding:
    return Finding(
        severity=Severity.WARN,
        code="spool.volatile",
        what=f"The spool lies on {bench.spool.volume.kind}, which does not survive a power cut.",
        remedy="Put [paths] spool on a local ext4, xfs or btrfs volume.",
    )
