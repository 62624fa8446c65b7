"""Facts and records for the tests of the core: one plain example of each, and the shortest way into each state."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from bwcdock.core import record as records
from bwcdock.core import session as sessions
from bwcdock.core.facts import (
    SPOOL,
    Arrived,
    Checked,
    Claim,
    Cleared,
    ClockIntended,
    ClockNotSet,
    ClockTaken,
    ClockWritten,
    Condition,
    Confirmed,
    CopyBad,
    Corrected,
    Departed,
    Digests,
    Distrusted,
    Drained,
    Drift,
    Entry,
    Erased,
    EraseIntended,
    EraseKept,
    Fact,
    Faulted,
    Finding,
    Identified,
    Identity,
    Inventoried,
    Item,
    Kind,
    Listed,
    Lock,
    Locked,
    LookedAgain,
    Lost,
    MediaFacts,
    Obligation,
    Obliged,
    Pulled,
    Quarantined,
    Reappeared,
    Receipted,
    Rechecked,
    Refused,
    Released,
    ReleaseIntended,
    ReleaseWithdrawn,
    Sealed,
    Seen,
    Severity,
    Sighting,
    Unclaimed,
)
from bwcdock.core.record import Record, State
from bwcdock.core.session import Session
from bwcdock.core.session import State as Stands
from bwcdock.core.statements import Excused, Label, Tagged

NOON = datetime(2024, 5, 1, 4, 0, tzinfo=UTC)
DAY = timedelta(days=1)
CENTRE, MIRROR = "centre", "mirror"


def at(seconds: float = 0, **spans: float) -> datetime:
    return NOON + timedelta(seconds=seconds, **spans)


def digests(name: str = "a") -> Digests:
    return Digests(sha256=name * 64, blake3=name * 64)


def item(**changes) -> Item:
    claim = Claim(start=NOON, end=at(60), source="name", zone="Asia/Shanghai", text="20240501120000")
    return Item(
        **{"path": "DCIM/a.MP4", "size": 1000, "modified": at(60), "claim": claim, "kind": Kind.VIDEO} | changes
    )


CORRECTED = Corrected(start=NOON, end=at(60), method="plug-file", offset_ms=0, uncertainty_ms=1500)


def obligation(**changes) -> Obligation:
    plain = {
        "pack": "S4", "article": "第十三条", "quote": "…", "due": NOON + DAY, "basis": "ended", "basis_at": NOON,
        "met_by": "confirmed", "sinks": (CENTRE,), "keep_article": "第十四条", "keep_until": NOON + 180 * DAY,
    }  # fmt: skip
    return Obligation(**plain | changes)


def finding(severity: Severity = Severity.WARN, code: str = "clock.drift") -> Finding:
    return Finding(severity=severity, code=code, what="What it is.", remedy="What to do.")


# --- one of each -----------------------------------------------------------------------------------------------------

R = {"record": "r1", "session": "s1", "recorder": "A001"}
S = {"session": "s1", "recorder": "A001"}


def listed(record: str = "r1", **changes) -> Listed:
    return Listed(**R | {"record": record, "item": item(), "corrected": CORRECTED} | changes)


def pulled(name: str = "a", record: str = "r1") -> Pulled:
    return Pulled(**R | {"record": record}, size=1000, digests=digests(name), edges=name * 32)


def sealed(name: str = "a", record: str = "r1") -> Sealed:
    return Sealed(
        **R | {"record": record}, size=1000, digests=digests(name), readback="direct", media=MediaFacts(),
        corrected=CORRECTED,
    )  # fmt: skip


def obliged(record: str = "r1", **changes) -> Obliged:
    return Obliged(**R | {"record": record}, obligation=obligation(**changes))


def confirmed(sink: str = CENTRE, name: str = "a", record: str = "r1") -> Confirmed:
    return Confirmed(
        **R | {"record": record}, sink=sink, key=f"k/{record}", version="1", digests=digests(name), readback="direct",
        manifest="m" * 64,
    )  # fmt: skip


def looked(sink: str = CENTRE, record: str = "r1") -> LookedAgain:
    return LookedAgain(**R | {"record": record}, sink=sink)


def locked(sink: str = CENTRE, record: str = "r1", **lock) -> Locked:
    return Locked(**R | {"record": record}, sink=sink, lock=Lock(**lock))


def copy_bad(place: str = SPOOL) -> CopyBad:
    return CopyBad(**R, place=place, what="It holds other bytes.")


INTENDED = ReleaseIntended(**R, place=SPOOL, ground="confirmed and looked at again in centre")
WITHDRAWN = ReleaseWithdrawn(**R, place=SPOOL)
RELEASED = Released(**R, place=SPOOL)
QUARANTINED = Quarantined(**R, reason="unreadable", what="A bad block.", hint="Dock it again.")
CLEARED = Cleared(**R, ground="the recorder is back")
LOST = Lost(**R, reason="no longer on the recorder")
ERASING = EraseIntended(**R, ground="confirmed and looked at again in centre", size=1000, digests=digests())
ERASED = Erased(**R, how="reported")
ERASE_KEPT = EraseKept(**R, reason="differs", what="It holds other bytes.")
TAGGED = Tagged(record="r1", recorder="A001", label=Label(tags=frozenset({"dispute"}), place="五一广场"))
EXCUSED = Excused(record="r1", recorder="A001", explanation="explanation-1", why="the road was flooded")

RECORD_EXAMPLES: tuple[Fact, ...] = (
    listed(), obliged(), pulled(), sealed(), confirmed(), looked(), INTENDED, WITHDRAWN, RELEASED,
    Distrusted(**R, op="pull", what="They differ."), QUARANTINED, CLEARED, copy_bad(), LOST, Seen(**R),
    ERASING, ERASED, ERASE_KEPT, TAGGED, EXCUSED, locked(until=NOON + 180 * DAY),
)  # fmt: skip

ARRIVED = Arrived(session="s1", sighting=Sighting(port="usb-1", source="/dev/x", slot=3))
AS_CONTROL = Sighting(port="usb-1", source="/dev/bus/usb/001/004", slot=3, properties=(("SUBSYSTEM", "usb"),))
AS_DISK = Sighting(port="usb-1", source="/dev/sdb", slot=3, properties=(("SUBSYSTEM", "block"),))
IDENTIFIED = Identified(**S, driver="folder", identity=Identity(serial="A001", basis="label"))
CHECKED = Checked(**S, condition=Condition(battery=80), findings=())
DEPARTED = Departed(**S, reason="taken away")
DRAINED = Drained(**S, sealed=1, quarantined=0)


def inventoried(
    *records: str, findings: tuple[Finding, ...] = (), size: int | None = None, known: int = 0
) -> Inventoried:
    size = 1000 * len(records) if size is None else size
    return Inventoried(**S, records=records, new=len(records), known=known, size=size, findings=findings)


FAST = Drift(method="protocol", offset_ms=90_000, uncertainty_ms=20, read_at=NOON)
CLOCK_INTENDED = ClockIntended(**S, how="protocol", drift=FAST, station="synchronised")
CLOCK_WRITTEN = ClockWritten(**S, set_to=NOON)
CLOCK_TAKEN = ClockTaken(**S, drift=Drift(method="protocol", offset_ms=10, uncertainty_ms=20, read_at=NOON))
CLOCK_NOT_SET = ClockNotSet(**S, reason="ignored", what="It did not take it.", drift=FAST)

SESSION_EXAMPLES: tuple[Fact, ...] = (
    ARRIVED, IDENTIFIED, CHECKED, inventoried("r1"), DRAINED, DEPARTED, Unclaimed(**S, reason="no driver knows it"),
    Refused(**S, findings=(finding(Severity.REFUSE),)), Faulted(**S, op="read", what="It hung.", hint="Dock it again."),
    Receipted(**S, digest="d" * 64, count=1, size=1000),
    Reappeared(**S, sighting=AS_DISK), Rechecked(**S, condition=Condition(battery=90), findings=()),
    CLOCK_INTENDED, CLOCK_WRITTEN, CLOCK_TAKEN, CLOCK_NOT_SET,
)  # fmt: skip


# --- lives -----------------------------------------------------------------------------------------------------------


def entries(facts: Iterable[Fact], start: int = 0) -> list[Entry]:
    """One fact a second, in this order."""
    return [Entry(seq=start + n, at=at(start + n), fact=fact) for n, fact in enumerate(facts)]


def life(*facts: Fact) -> Record:
    """The record these facts make."""
    record = None
    for entry in entries(facts):
        record = records.apply(record, entry)
    assert record is not None
    return record


def stay(*facts: Fact) -> Session:
    """The session these facts make."""
    session = None
    for entry in entries(facts):
        session = sessions.apply(session, entry)
    assert session is not None
    return session


SEALED = (listed(), obliged(), pulled(), sealed())
STORED = (*SEALED, confirmed(), looked())

WAYS: dict[State, tuple[Fact, ...]] = {
    State.LISTED: (listed(),),
    State.PULLED: (listed(), pulled()),
    State.SEALED: SEALED,
    State.RELEASED: (*STORED, INTENDED, RELEASED),
    State.QUARANTINED: (listed(), QUARANTINED),
    State.LOST: (listed(), LOST),
}
"""The shortest life that ends in each state."""

DRAINING = (ARRIVED, IDENTIFIED, CHECKED, inventoried("r1"))
STAYS: dict[Stands, tuple[Fact, ...]] = {
    Stands.ARRIVED: (ARRIVED,),
    Stands.IDENTIFIED: (ARRIVED, IDENTIFIED),
    Stands.CHECKED: (ARRIVED, IDENTIFIED, CHECKED),
    Stands.DRAINING: DRAINING,
    Stands.DRAINED: (*DRAINING, DRAINED),
    Stands.DEPARTED: (*DRAINING, DRAINED, DEPARTED),
    Stands.UNCLAIMED: (ARRIVED, SESSION_EXAMPLES[6]),
    Stands.REFUSED: (ARRIVED, IDENTIFIED, SESSION_EXAMPLES[7]),
    Stands.FAULTED: (ARRIVED, SESSION_EXAMPLES[8]),
}
