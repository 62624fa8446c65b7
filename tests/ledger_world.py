"""A small station's life as facts, for the tests of the ledger."""

from datetime import UTC, datetime, timedelta

from bwcdock.core.facts import (
    Arrived,
    Beat,
    Claim,
    Confirmed,
    Corrected,
    Departed,
    Digests,
    Fact,
    Finding,
    Found,
    Identified,
    Identity,
    Item,
    Listed,
    LookedAgain,
    MediaFacts,
    Obligation,
    Obliged,
    Pulled,
    Sealed,
    Settled,
    Severity,
    Sighting,
)
from bwcdock.ledger import Ledger, Signer

T0 = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
ORIGIN = "example-bureau/dock-1"
DIGESTS = Digests(sha256="ab" * 32, blake3="cd" * 32)
CORRECTED = Corrected(start=T0, end=None, method="uncorrected", offset_ms=0, uncertainty_ms=2000)


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def listed(record: str, session: str = "s1", recorder: str = "R1", path: str = "") -> Listed:
    item = Item(
        path=path or f"DCIM/{record}.mp4",
        size=1000,
        modified=T0,
        claim=Claim(start=T0, end=None, source="name", zone="+08:00"),
    )
    return Listed(record=record, session=session, recorder=recorder, item=item, corrected=CORRECTED)


def obliged(record: str, due: datetime, sinks: tuple[str, ...] = ("nas",)) -> Obliged:
    return Obliged(
        record=record,
        obligation=Obligation(
            pack="test",
            article="第九条",
            quote="当日移交",
            due=due,
            basis="recorded",
            basis_at=T0,
            met_by="confirmed",
            sinks=sinks,
            keep_article="第十条",
            keep_until=due + timedelta(days=180),
        ),
    )


def life(record: str, session: str = "s1", recorder: str = "R1") -> list[Fact]:
    """All that befalls one recording, in order."""
    subject = {"record": record, "session": session, "recorder": recorder}
    return [
        listed(record, session, recorder),
        obliged(record, after(86400)),
        Pulled(**subject, size=1000, digests=DIGESTS, edges="ef" * 32),
        Sealed(**subject, size=1000, digests=DIGESTS, readback="direct", media=MediaFacts(), corrected=CORRECTED),
        Confirmed(
            **subject, sink="nas", key=record, version="", digests=DIGESTS, readback="direct", manifest="00" * 32
        ),
        LookedAgain(**subject, sink="nas"),
    ]


def visit(session: str = "s1", recorder: str = "R1", port: str = "usb-1") -> list[Fact]:
    """A dock session, without its end."""
    return [
        Arrived(session=session, sighting=Sighting(port=port, source="/dev/null")),
        Identified(
            session=session, recorder=recorder, driver="folder", identity=Identity(serial=recorder, basis="label")
        ),
    ]


def leaving(session: str = "s1", recorder: str = "R1") -> list[Fact]:
    return [Departed(session=session, recorder=recorder, reason="taken")]


def found(code: str = "clock.drift", **subject: str) -> Found:
    finding = Finding(severity=Severity.WARN, code=code, what="The clock is fast.", remedy="Set it.")
    return Found(**subject, finding=finding)


def short_story() -> list[Fact]:
    """31 facts that make, after the founding, a ledger of 32 leaves with something in every cache table."""
    beats: list[Fact] = [Beat(clock="synchronised")] * 13
    return [
        *visit(),
        *life("a"),
        *life("b"),
        found(record="a"),
        found("clock.wrong", session="s1"),
        Settled(record="a", code="clock.drift", how="set"),
        listed("c"),
        *beats,
    ]


def new_ledger(directory, origin: str = ORIGIN) -> Ledger:
    directory.mkdir(mode=0o700, exist_ok=True)
    signer = Signer.generate(directory / "key.pem", origin)
    return Ledger.create(directory, "test", signer, T0, mono=lambda: 12.5)


def signer_of(directory, origin: str = ORIGIN) -> Signer:
    return Signer.load(directory / "key.pem", origin)
