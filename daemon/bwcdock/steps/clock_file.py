"""Set the clock of a camera by a file on its card: intent, one signed request to the helper, what that says.

Whether the camera took it shows at its next docking. If it dies after the intent, that stands open until then.
"""

from contextlib import closing, nullcontext

from pydantic import ValidationError

from bwcdock.core.checks import cited
from bwcdock.core.clock_setting import why_not
from bwcdock.core.facts import ClockNotSet, ClockWritten, Drift, Fact, Finding, Found, Settled, Severity
from bwcdock.core.session import Session
from bwcdock.erasing import ClockFileRequest, End
from bwcdock.errors import Misbehaved, Unreachable
from bwcdock.ledger.codec import to_ms
from bwcdock.manifest import sign
from bwcdock.ports import ClockFile, ReadsClockFile, Recorder
from bwcdock.steps.bench import Bench, Changed
from bwcdock.steps.card_helper import answered, connected, diskseq
from bwcdock.steps.clock_outcome import came, cut_off, not_set, terms
from bwcdock.steps.dock import articles
from bwcdock.steps.set_clock import intend, measured
from bwcdock.steps.switch import Told

NO_HELPER, THERE = "clock.no_helper", "clock.file_there"


def off_by(bench: Bench, session: Session, recorder: Recorder, told: Told | None) -> Drift | None:
    """How far off the clock of a camera is that reads such a file, where it is to be set; on the recorder's lane."""
    if not isinstance(recorder, ReadsClockFile) or recorder.clock_file(bench.clock.now()) is None:
        return None
    drift = measured(bench, recorder, told)
    now, station = bench.clock.now(), bench.station_clock()
    why = why_not(session, drift, terms(bench.settings), how="set-file", station=station, now=now)
    return None if why else drift


def set_by_file(
    bench: Bench, session: Session, recorder: ReadsClockFile, drift: Drift, changed: Changed = nullcontext
) -> None:
    """Have the file written; what came of it stands in the ledger. Blocking: on a lane of its own.

    Raises :class:`~bwcdock.errors.Misbehaved` where its driver names a file that no helper takes; nothing was intended.
    """
    try:
        connection = connected(bench)
    except Unreachable as error:
        bench.book.record([_found(bench, session, _no_helper(error))])
        return
    with closing(connection):
        file = recorder.clock_file(bench.clock.now())
        if file is None:
            return
        try:
            request = _request(bench, session, file)
        except ValidationError as error:
            what = f"The file {file.name!a} is none that may be put on a card: {error.errors()[0]['msg']}."
            raise Misbehaved("set", what, "Report it to whoever wrote its driver.") from error
        if intend(bench, session.id, "set-file", drift, file.name) is None:
            return
        with changed():
            end = answered(connection, sign(request, bench.signer) + b"\n", 0, {})
    facts = _outcome(bench, session, file, end)
    came(bench, session.id, [*facts, Settled(recorder=session.recorder, code=NO_HELPER, how="the helper answers")])


def _request(bench: Bench, session: Session, file: ClockFile) -> ClockFileRequest:
    return ClockFileRequest(
        session=session.id,
        device=session.sighting.source,
        slot=session.sighting.slot or 0,
        diskseq=diskseq(session),
        name=file.name,
        content=file.content.hex(),
        asked_ms=to_ms(bench.clock.now()),
    )


def _outcome(bench: Bench, session: Session, file: ClockFile, end: End) -> list[Fact]:
    """What the helper's last word proves. After any but a clean one nobody knows: the intent stands open."""
    if end.end == "done":
        there = Settled(recorder=session.recorder, code=THERE, how="the recorder has taken the file away")
        return [ClockWritten(session=session.id, recorder=session.recorder, set_to=file.set_to), there]
    if end.end != "refused":
        known = bench.book.ask(lambda ledger: ledger.session(session.id))
        return cut_off([known]) if known is not None else []
    fact = ClockNotSet(session=session.id, recorder=session.recorder, reason="refused", what=end.what)
    if end.reason == "there":
        return [fact, _found(bench, session, _there(session, file))]
    return [fact, *not_set(fact, articles(bench))]


def _found(bench: Bench, session: Session, finding: Finding) -> Found:
    return Found(recorder=session.recorder, finding=cited(finding, articles(bench)))


def _there(session: Session, file: ClockFile) -> Finding:
    return Finding(
        severity=Severity.WARN,
        code=THERE,
        what=f"The clock of recorder {session.recorder} was to be set, and its card holds a file {file.name} already.",
        remedy="It was not written over. Switch the recorder on once, so that it reads it, or delete it; "
        "set its clock by hand meanwhile (校时).",
        evidence=(("path", file.name),),
    )


def _no_helper(error: Unreachable) -> Finding:
    return Finding(severity=Severity.NOTE, code=NO_HELPER, what=f"No clock was set: {error.what}", remedy=error.hint)
