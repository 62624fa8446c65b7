"""What people see: one rendering of records, sessions and the station's condition, for every screen and command."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from bwcdock.core import clock_setting, todo, words_zh
from bwcdock.core.facts import Condition, Finding, Lock, Obligation, Severity
from bwcdock.core.record import Held, Record
from bwcdock.core.record import State as RecordState
from bwcdock.core.rules import Standing, Verdict, verdict
from bwcdock.core.session import Session, State
from bwcdock.core.storage import StoreView
from bwcdock.core.words_zh.states import clock_set, fault


class Lamp(StrEnum):
    """The one word of a slot. The officer's promise is in two of them: safe to take, and nothing owed.

    *Gone* was taken with all it had; *unfinished* was taken before all of it could be brought in. *Wait* stands in the
    place of a promise for as long as something is being written to the recorder.
    """

    READING = "reading"
    PULLING = "pulling"
    SAFE_TO_TAKE = "safe_to_take"
    NOTHING_OWED = "nothing_owed"
    WAIT = "wait"
    ATTENTION = "attention"
    GONE = "gone"
    UNFINISHED = "unfinished"


LAMP_ZH = {
    Lamp.READING: "读取中",
    Lamp.PULLING: "采集中",
    Lamp.SAFE_TO_TAKE: "可取走",
    Lamp.NOTHING_OWED: "已结清",
    Lamp.WAIT: "请稍候",
    Lamp.ATTENTION: "请处理",
    Lamp.GONE: "已取走",
    Lamp.UNFINISHED: "未采完",
}

STANDING_ZH = {
    Standing.NOT_DUE: "未到期",
    Standing.AT_RISK: "临近到期",
    Standing.OVERDUE: "已逾期",
    Standing.LATE: "逾期移交",
    Standing.MET: "按时移交",
    Standing.EXCUSED: "已说明",
}


INCOMPLETE = frozenset({
    "directory.loop", "directory.unreadable", "file.impossible", "folder.mounted", "listing.empty",
    "listing.implausible", "path.too_long", "volume.damaged", "volume.encrypted", "volume.read_errors",
    "volume.several", "volume.truncated", "volume.unknown",
})  # fmt: skip
"""Codes of warnings that say: there may be recordings that were not listed. What is not listed is not known to be
owed, so nothing may be called settled."""


READY_ZH = "可领用"
"""Nothing is owed and nothing lacks: it can be issued again."""

LACKS_ZH = {"battery": "电量", "storage": "存储空间", "clock": "时钟"}
"""What a recorder must have to be issued again, in the order it is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockView:
    """How a recording's times were corrected: seconds, recorder minus station; ``method`` as in ``Drift``."""

    method: str
    offset_s: float
    uncertainty_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingView:
    """A finding, with whom it is about; in English as it was found, and in Chinese by its code and evidence."""

    severity: Severity
    code: str
    what: str
    remedy: str
    about: str = ""
    title_zh: str = ""
    what_zh: str = ""
    remedy_zh: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkView:
    """What one sink holds of a recording; ``None`` where it has not yet.

    ``locked_until`` and ``locked_hold`` are the lock it told of: until when, and whether a hold stands on it.
    """

    name: str
    confirmed_at: datetime | None
    key: str = ""
    looked_again_at: datetime | None = None
    locked_until: datetime | None = None
    locked_hold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordView:
    """One recording as `bwcdock records` shows it. ``verdict`` is a word of :class:`~bwcdock.core.rules.Standing`.

    ``article`` is the rule pack's name and the article, ``regulation`` the title of the regulation it stands in (empty
    where the ledger does not tell), ``quote`` its words.
    """

    id: str
    recorder: str
    path: str
    size: int
    sha256: str
    blake3: str
    state: str
    recorded_start: datetime | None
    recorded_end: datetime | None
    clock: ClockView
    due: datetime | None
    article: str
    verdict: str
    keep_until: datetime | None
    permanent: bool
    sinks: tuple[SinkView, ...]
    findings: tuple[FindingView, ...]
    officer: str = ""
    kind: str = ""
    markers: tuple[str, ...] = ()
    duration_s: float | None = None
    truncated: bool = False
    sealed_at: datetime | None = None
    sessions: tuple[str, ...] = ()
    seconds_left: int | None = None
    quote: str = ""
    regulation: str = ""
    excuse: str = ""
    tags: tuple[str, ...] = ()
    case: str = ""
    category: str = ""
    parties: tuple[str, ...] = ()
    place: str = ""
    event: str = ""
    sensitive: str = ""


def judge(record: Record, now: datetime, at_risk_ratio: float) -> Verdict | None:
    """How this recording stands; ``None`` before the pack has spoken."""
    if record.obligation is None:
        return None
    return verdict(record.obligation, record.met_at, now, at_risk_ratio, record.excuse)


def record_view(record: Record, findings: Sequence[Finding], now: datetime, at_risk_ratio: float) -> RecordView:
    """One recording for people. ``findings`` are those that still hold about it."""
    stands = judge(record, now, at_risk_ratio)
    owed = record.obligation
    media = record.media
    held = {h.sink: h for h in record.held}
    names = dict.fromkeys((*(owed.sinks if owed else ()), *held))
    views = [finding_view(f) for f in findings]
    if record.quarantine:
        apart = Finding(
            severity=Severity.WARN,
            code=f"quarantined.{record.quarantine}",
            what=record.quarantine_what,
            remedy=record.quarantine_hint,
        )
        views.insert(0, finding_view(apart))
    return RecordView(
        id=record.id,
        recorder=record.recorder,
        path=record.item.path,
        size=record.item.size,
        sha256=record.digests.sha256 if record.digests else "",
        blake3=record.digests.blake3 if record.digests else "",
        state=record.state.value,
        recorded_start=record.corrected.start,
        recorded_end=record.corrected.end,
        clock=ClockView(
            method=record.corrected.method,
            offset_s=record.corrected.offset_ms / 1000,
            uncertainty_s=record.corrected.uncertainty_ms / 1000,
        ),
        due=owed.due if owed else None,
        article=f"{owed.pack} {owed.article}" if owed else "",
        verdict=stands.kind.value if stands else "",
        keep_until=owed.keep_until if owed else None,
        permanent=owed.permanent if owed else False,
        sinks=tuple(_sink_view(name, held.get(name)) for name in names),
        findings=tuple(views),
        officer=record.item.officer,
        excuse=record.excuse,
        tags=tuple(sorted(record.label.tags)),
        case=record.label.case,
        category=record.label.category,
        parties=record.label.parties,
        place=record.label.place,
        event=record.label.event,
        sensitive=record.label.sensitive,
        kind=record.item.kind.value,
        markers=record.item.markers,
        duration_s=media.duration_ms / 1000 if media and media.duration_ms is not None else None,
        truncated=media.truncated if media else False,
        sealed_at=record.sealed_at,
        sessions=record.sessions,
        seconds_left=stands.seconds_left if stands else None,
        quote=owed.quote if owed else "",
        regulation=regulation(owed) if owed else "",
    )


def _sink_view(name: str, copy: Held | None) -> SinkView:
    if copy is None:
        return SinkView(name=name, confirmed_at=None)
    lock = copy.locked or Lock()
    return SinkView(
        name=name,
        confirmed_at=copy.confirmed_at,
        key=copy.key,
        looked_again_at=copy.looked_at,
        locked_until=lock.until,
        locked_hold=lock.hold,
    )


def regulation(owed: Obligation) -> str:
    """The title of the regulation an obligation comes from; empty where it was written before that was told."""
    return dict(owed.rests_on).get("regulation", "")


def citation(article: str, title: str) -> str:
    """《title》第十七条, as papers name it; ``article`` as in :class:`RecordView`, and so it stays without a title."""
    return f"《{title}》{article.partition(' ')[2]}" if title else article


def finding_view(finding: Finding, about: str = "") -> FindingView:
    """A finding for people."""
    said = words_zh.said(finding)
    return FindingView(
        severity=finding.severity,
        code=finding.code,
        what=finding.what,
        remedy=finding.remedy,
        about=about,
        title_zh=said.title,
        what_zh=said.what,
        remedy_zh=said.do,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """One docking for people: the lamp, how far it is, what is owed, and the one thing to do.

    ``moved`` counts bytes that are at least pulled; ``owed`` the recordings not yet in central storage. ``ready`` says
    that it can be issued again (可领用); ``lacks`` what is wrong with it (``battery``, ``storage``, ``clock``), and
    ``untold`` what it does not tell of itself, so that somebody looks at its own display; ``fault`` what
    failed as long as that is what must be mended; ``clock_set`` how its clock was set, empty where nobody set it. What
    ends in ``_zh`` says the same to officers.
    """

    session: str
    recorder: str
    port: str
    slot: int | None
    state: str
    lamp: Lamp
    files: int
    bytes: int
    known: int
    moved: int
    sealed: int
    quarantined: int
    owed: int
    arrived_at: datetime
    departed_at: datetime | None
    drift_s: float | None
    drift_uncertainty_s: float | None
    drift_method: str
    battery: int | None
    storage_free: int | None
    storage_total: int | None
    findings: tuple[FindingView, ...]
    do: str = ""
    receipt: str = ""
    ready: bool = False
    lacks: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()
    fault: str = ""
    fault_zh: str = ""
    do_zh: str = ""
    lacks_zh: tuple[str, ...] = ()
    untold_zh: tuple[str, ...] = ()
    clock_set: str = ""
    clock_set_zh: str = ""


def session_view(session: Session, records: Mapping[str, Record], partial: Mapping[str, int]) -> SessionView:
    """One docking for people. ``records`` holds those of ``session.records`` that are known to the caller; a record
    that is not in it is finished. ``partial`` is bytes pulled so far of records being pulled.
    """
    mine = {rid: records.get(rid) for rid in session.records}
    open_ = {rid: r for rid, r in mine.items() if r is not None}
    waiting = [r for r in open_.values() if r.state in {RecordState.LISTED, RecordState.PULLED}]
    bad = [r for r in open_.values() if r.state in {RecordState.QUARANTINED, RecordState.LOST}]
    owed = [r for r in open_.values() if not r.finished]
    missing = sum(r.item.size - partial.get(r.id, 0) for r in waiting if r.state is RecordState.LISTED)
    condition = session.condition or Condition()
    drift = condition.drift
    lacks = _named(session, lambda f: f.severity is not Severity.NOTE)
    untold = _named(session, lambda f: f.code.endswith(".unknown"))
    chosen = todo.choose(session, waiting=len(waiting), bad=len(bad), unlisted=unlisted(session))
    return SessionView(
        session=session.id,
        recorder=session.recorder,
        port=session.sighting.port,
        slot=session.sighting.slot,
        state=session.state.value,
        lamp=lamp(session, waiting=len(waiting), bad=len(bad), owed=len(owed)),
        files=len(session.records),
        bytes=session.size,
        known=session.known,
        moved=max(0, session.size - missing),
        sealed=len(mine) - len(waiting) - len(bad),
        quarantined=len(bad),
        owed=len(owed),
        arrived_at=session.arrived_at,
        departed_at=session.departed_at,
        drift_s=drift.offset_ms / 1000 if drift else None,
        drift_uncertainty_s=drift.uncertainty_ms / 1000 if drift else None,
        drift_method=(drift.method + (" (at least)" if drift.bound == "at_least" else "")) if drift else "",
        battery=condition.battery,
        storage_free=condition.storage_free,
        storage_total=condition.storage_total,
        findings=tuple(finding_view(f) for f in session.findings),
        do=todo.english(chosen),
        receipt=session.receipt,
        ready=session.state is State.DRAINED and not bad and not lacks and not unlisted(session),
        lacks=lacks,
        untold=untold,
        fault=chosen.fault,
        fault_zh=fault(chosen.fault).what if chosen.fault else "",
        do_zh=todo.chinese(chosen),
        lacks_zh=tuple(LACKS_ZH[word] for word in lacks),
        untold_zh=tuple(LACKS_ZH[word] for word in untold),
        clock_set=clock_setting.english(session.clock) if session.clock else "",
        clock_set_zh=clock_set(session.clock) if session.clock else "",
    )


def while_changed(view: SessionView) -> SessionView:
    """The same docking while something is being written to it: nobody is told that he may take it."""
    if view.lamp not in {Lamp.SAFE_TO_TAKE, Lamp.NOTHING_OWED}:
        return view
    wait = todo.Todo(do=todo.Do.WAIT)
    return replace(view, lamp=Lamp.WAIT, ready=False, do=todo.english(wait), do_zh=todo.chinese(wait))


def _named(session: Session, which: Callable[[Finding], bool]) -> tuple[str, ...]:
    """Which of battery, storage and clock these findings are about."""
    words = {f.code.partition(".")[0] for f in session.findings if which(f)}
    return tuple(word for word in LACKS_ZH if word in words)


def unlisted(session: Session) -> tuple[Finding, ...]:
    """The warnings that say its listing is not complete; a note of the same code (a second volume) is none."""
    return tuple(f for f in session.findings if f.code in INCOMPLETE and f.severity is not Severity.NOTE)


def lamp(session: Session, *, waiting: int, bad: int, owed: int) -> Lamp:
    """The one word of this docking.

    *Safe to take* only when every record of the session is sealed and its listing was complete; *nothing owed* only
    when they are also all confirmed in central storage, its receipt is there too, and no check warns.
    """
    kept_back = bool(bad or unlisted(session))
    if session.state is State.DEPARTED:
        # What it listed may have come in since, at a later docking; what was never listed has not.
        return Lamp.GONE if session.listed_at and not waiting and not kept_back else Lamp.UNFINISHED
    if session.state in {State.UNCLAIMED, State.REFUSED, State.FAULTED} or (bad and not waiting):
        return Lamp.ATTENTION
    if session.state in {State.ARRIVED, State.IDENTIFIED, State.CHECKED}:
        return Lamp.READING
    if waiting or session.state is State.DRAINING:
        return Lamp.PULLING
    if kept_back:
        return Lamp.ATTENTION
    warned = any(f.severity is not Severity.NOTE for f in session.findings)
    return Lamp.SAFE_TO_TAKE if owed or warned or not session.receipt else Lamp.NOTHING_OWED


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolView:
    """Room in the spool, in bytes; ``used`` is ``None`` for whoever may not look into it."""

    free: int
    used: int | None
    total: int
    reserve: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerView:
    """The ledger: leaves, how many of them the last signed head covers, and the time that head proves."""

    size: int
    signed_size: int
    signed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusView:
    """The station at one moment, as `bwcdock status` shows it.

    ``owed`` counts recordings known and not yet offloaded as their article asks; ``late`` those of them past due.
    ``running`` is the daemon's pid, ``None`` when none runs. ``spool`` is ``None`` where whoever asks may not look into
    it and no daemon tells of it.
    """

    station: str
    unit: str
    rules: str
    now: datetime
    running: int | None
    recorders: tuple[str, ...]
    sessions: tuple[SessionView, ...]
    owed: int
    late: int
    quarantined: int
    records: dict[str, int]
    owes: tuple[RecordView, ...]
    spool: SpoolView | None
    ledger: LedgerView
    findings: tuple[FindingView, ...]
    stores: tuple[StoreView, ...] = ()
