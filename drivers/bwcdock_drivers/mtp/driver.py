"""The driver for recorders that speak MTP or PTP; what it claims and can is said in the package's docstring."""

import secrets
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final, TypeVar

from bwcdock.core.facts import Condition, Drift, Finding, Identity, Item, Severity, Sighting
from bwcdock.errors import BwcdockError, Misbehaved, NotAllowed
from bwcdock.ports import Recorder

from bwcdock_drivers import card
from bwcdock_drivers.card import Card, Described, finding
from bwcdock_drivers.naming import Found, printable
from bwcdock_drivers.quirks import Quirks
from bwcdock_drivers.source import absent
from bwcdock_drivers.tape import Writing

from . import clock, ip, taped, tree
from .containers import Malformed, Op, Prop
from .datasets import DeviceInfo, StorageInfo, number_value, prop_desc, storage_info
from .protocol import Broken, Patience, Refused, Session, Transport
from .reads import Reads, is_there

T = TypeVar("T")

CONNECT_S: Final = 2.0
"""How long a responder may take to accept a connection when it is only asked whether it is there."""

EVENTS_EVERY_S: Final = 1.0
"""How often a recorder is asked between reads whether it said something: the question costs two milliseconds."""

NO_SERIALS: Final = frozenset({"0123456789ABCDEF", "123456789ABCDEF", "1234567890ABCDEF", "123456789", "1234567890"})
"""What firmware answers whose maker gave no recorder a number of its own."""

RESOLUTION_MS: Final = 2000
"""Dates are told in seconds, but most cards keep them in steps of two."""

_NOTES: dict[str, tuple[str, str]] = {
    "object.refused": ("Files that cannot be brought, as the recorder does not tell what is needed.", "Copy by hand."),
    "directory.unreadable": ("Folders cannot be read; files may be missing.", "Keep the recorder."),
    "directory.loop": ("Folders lead back into themselves.", "Keep the recorder; look at it by hand."),
    "path.too_long": (f"Paths over {tree.PATH_BYTES_MAX} bytes; those files are left.", "Look at them by hand."),
}


class MtpDriver:
    """Opens USB devices with an MTP interface, and responders of PTP/IP. ``library`` is libusb, found when needed."""

    name = "mtp"

    def __init__(
        self, quirk_dirs: Sequence[Path] = (), *, library: Any | None = None, patience: Patience | None = None
    ) -> None:
        self._quirks = Quirks(quirk_dirs)
        self._library = library
        self._patience = patience or Patience()

    def claims(self, sighting: Sighting) -> int:
        """70 by its class, 60 by its name, 50 for a responder, 10 for what may not be asked, else 0."""
        if sighting.source.startswith(ip.SCHEME):
            return 50 if _answers(sighting.source) else 0
        from . import bus

        if not bus.is_usb(sighting.source):
            return 0
        try:
            there = bus.device(sighting.source, self._usb())
        except BwcdockError:
            return 10  # opening says what is missing
        return bus.certainty(there) if there is not None else 0

    def open(self, sighting: Sighting) -> AbstractContextManager[Recorder]:
        """Open a session. What is on it is asked at the first question and answered from that one look."""
        return self._open(sighting, lambda: self._transport(sighting.source))

    def open_taped(self, sighting: Sighting, write: Callable[[str], object]) -> AbstractContextManager[Recorder]:
        """The same, and everything that is said is kept on a tape (:class:`bwcdock.ports.Tapes`)."""
        tape = Writing(write, self.name, taped.about(sighting))
        salt = secrets.token_bytes(16)
        return self._open(sighting, lambda: taped.Taped(self._transport(sighting.source), tape, salt))

    def open_played(self, lines: Iterable[str]) -> AbstractContextManager[Recorder]:
        """The recorder a tape was made of, as far as the tape goes."""
        return self._open(Sighting(port="tape", source="tape", live=False), lambda: taped.Played(lines))

    @contextmanager
    def _open(self, sighting: Sighting, connect: Callable[[], Transport]) -> Iterator[Recorder]:
        transport = connect()
        try:
            session = _answered("open", lambda: Session(transport))
            try:
                yield _recorder(sighting, session, self._quirks)
            finally:
                session.close()
        finally:
            transport.close()

    def _transport(self, source: str) -> Transport:
        try:
            if source.startswith(ip.SCHEME):
                return ip.connected(source, self._patience)
            from . import bus

            if not bus.is_usb(source):
                raise NotAllowed("open", f"{source} is no USB device.", "Give a node such as /dev/bus/usb/001/005.")
            return bus.opened(source, self._usb(), self._patience)
        except Broken as error:
            raise Misbehaved("open", f"It does not greet: {error}.", "Take it out and dock it again.") from error

    def _usb(self) -> Any:
        from . import bus

        if self._library is None:
            self._library = bus.backend()
        return self._library


def _answers(source: str) -> bool:
    host, _, port = source.removeprefix(ip.SCHEME).partition(":")
    try:
        socket.create_connection((host, int(port or ip.PORT)), timeout=CONNECT_S).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True


def _answered(op: str, ask: Callable[[], T]) -> T:
    """What ``ask`` answers; the protocol's own errors as the station knows them."""
    try:
        return ask()
    except Refused as error:
        raise Misbehaved(op, f"{error}.", "Look at its own screen, and dock it again.") from error
    except (Broken, Malformed) as error:
        raise Misbehaved(op, f"It answers nonsense: {error}.", "Dock it again; record a tape for its maker.") from error


def _recorder(sighting: Sighting, session: Session, quirks: Quirks) -> "MtpRecorder":
    settable = _answered("open", lambda: clock.is_settable(session))
    return (MtpClockRecorder if settable else MtpRecorder)(sighting, session, quirks)


class MtpRecorder:
    """One open session. Used from one thread at a time."""

    def __init__(self, sighting: Sighting, session: Session, quirks: Quirks) -> None:
        self._opened = time.monotonic()
        self._sighting, self._session, self._quirks = sighting, session, quirks
        self._storages = _answered("open", lambda: tree.storages(session))
        self._reads = Reads(session)
        self._asked_at = self._opened
        self._mute: set[str] = set()  # questions that broke a transfer: not asked again

    def identity(self) -> Identity:
        """Who it says it is over its protocol; by its files' names where it gives no number."""
        told, info = self._described.identity, self._session.info
        named = replace(
            told,
            vendor=told.vendor or printable(info.maker),
            model=told.model or printable(info.model),
            firmware=printable(info.firmware),
        )
        serial = _serial(info)
        if not serial:
            return named
        fixed = all(storage.info.fixed for storage in self._storages)
        return replace(named, serial=serial, basis="protocol" if fixed else "device")

    def condition(self, now: datetime) -> Condition:
        """Battery, room and clock, asked now; the findings of the listing."""
        since_s = time.monotonic()
        described = self._described
        zone = described.quirk.clock.zone
        reading = self._optional("clock", lambda: clock.read(self._session))
        drift = clock.drift(reading, zone, now, since_s) if isinstance(reading, clock.Reading) else None
        if drift is None:
            drift = card.drift(described, now, round((since_s - self._opened) * 1000), live=self._sighting.live)
        infos = [self._optional("room", lambda each=each: self._info(each)) or each.info for each in self._storages]  # type: ignore[misc]
        return Condition(
            battery=self._optional("battery", self._battery),
            storage_free=sum(info.free for info in infos),
            storage_total=sum(info.capacity for info in infos),
            drift=drift,
            notes=(*self._notes, *clock.notes(reading, zone)),
        )

    def items(self) -> list[Item]:
        """Every file found at the first look."""
        return list(self._described.items)

    def read_into(self, item: Item, offset: int, buffer: memoryview) -> int:
        """Read by parts where the recorder can do that, else whole and in order."""
        found = self._objects.get(item.path)
        if found is None:
            raise absent(item)
        if time.monotonic() - self._asked_at > EVENTS_EVERY_S:
            self._asked_at = time.monotonic()
            self._reads.notice()
        return self._reads.into(item, found, offset, buffer)

    def present(self) -> bool:
        """Whether it answers and has its storages still."""
        return is_there(self._session, self._reads, {storage.id for storage in self._storages})

    # --- what is on it ------------------------------------------------------------------------------------------------

    @cached_property
    def _listing(self) -> tree.Listing:
        return _answered("list", lambda: tree.listed(self._session, self._storages))

    @cached_property
    def _objects(self) -> dict[str, tree.Object]:
        """Every file by a path of its own; those of one name in one folder are told apart by ~2, ~3."""
        found: dict[str, tree.Object] = {}
        count: dict[str, int] = {}
        for each in sorted(self._listing.objects, key=lambda each: (each.path, each.handle)):
            path = each.path
            while path in found:
                count[each.path] = count.get(each.path, 1) + 1
                path = f"{each.path}~{count[each.path]}"
            found[path] = each
        return found

    @property
    def _notes(self) -> tuple[Finding, ...]:
        """The findings of the listing; that no name tells the recorder means nothing where its protocol does."""
        known = bool(_serial(self._session.info))
        return tuple(each for each in self._described.notes if not (known and each.code == "identity.weak"))

    @cached_property
    def _described(self) -> Described:
        twins = [(path, f"{each.size} bytes") for path, each in self._objects.items() if path != each.path]
        return card.described(
            Card(
                sighting=self._sighting,
                filesystem="mtp",
                label=printable(self._storages[0].info.label),
                fallback=("vol-0", "volume-serial"),
                found=[_found(path, each) for path, each in self._objects.items()],
                notes=list(_listed(self._listing, twins)),
            ),
            self._quirks,
        )

    # --- what it says of itself ---------------------------------------------------------------------------------------

    def _battery(self) -> int | None:
        if Prop.BATTERY not in self._session.info.props:
            return None
        value = number_value(self._session.fetch(Op.GET_PROP_VALUE, Prop.BATTERY))
        desc = prop_desc(self._session.fetch(Op.GET_PROP_DESC, Prop.BATTERY))
        if desc.least is None or desc.most is None or desc.most <= desc.least:
            return value if 0 <= value <= 100 else None
        # Cameras count in steps of their own: four bars are a hundred percent.
        return round(100 * (value - desc.least) / (desc.most - desc.least)) if value <= desc.most else None

    def _info(self, storage: tree.Storage) -> StorageInfo:
        return storage_info(self._session.fetch(Op.GET_STORAGE_INFO, storage.id))

    def _optional(self, what: str, ask: Callable[[], T]) -> T | None:
        """What a recorder need not tell. One that breaks off over a question is not asked it again."""
        if what in self._mute:
            return None
        try:
            return ask()
        except (Refused, Malformed):
            return None
        except Broken:
            self._mute.add(what)
            self._session.recover()
            return None


class MtpClockRecorder(MtpRecorder):
    """One whose clock can be set (:class:`bwcdock.ports.SetsClock`)."""

    def set_clock(self, now: datetime) -> Drift:
        """Set it at the next full second, read it again, and return the drift that is left."""
        since_s = time.monotonic()
        zone = self._described.quirk.clock.zone
        before = _answered("set", lambda: clock.read(self._session))
        if isinstance(before, clock.Reading):
            spent = time.monotonic() - since_s
            moment = now + timedelta(seconds=spent)
            _answered("set", lambda: clock.set_to(self._session, zone, moment, since_s + spent, before))
        after = _answered("set", lambda: clock.read(self._session))
        left = clock.drift(after, zone, now, since_s) if isinstance(after, clock.Reading) else None
        if left is None:
            raise Misbehaved("set", "Its clock shows no time after it was set.", "Set it by hand (校时).")
        return left


def _serial(info: DeviceInfo) -> str:
    """Its number, printable; empty where it is one that every recorder of the make gives."""
    serial = info.serial.strip()
    plain = serial.strip("0").upper()
    if not plain or serial.upper() in NO_SERIALS or len(set(serial)) == 1:
        return ""
    return printable(serial)


def _found(path: str, each: tree.Object) -> Found:
    prefix = f"p{each.storage.number + 1}/" if each.storage.number else ""
    return Found(
        path=path,
        prefix=prefix,
        size=each.size,
        modified=each.modified,
        zone=each.at.zone if each.at else "",
        resolution_ms=RESOLUTION_MS,
        attributes=frozenset({"read-only"}) if each.protected else frozenset(),
    )


def _listed(listing: tree.Listing, twins: list[tuple[str, str]]) -> Iterator[Finding]:
    for code, examples in sorted(listing.odd.items()):
        what, remedy = _NOTES[code]
        yield finding(code, Severity.WARN, what, remedy, [(printable(path), why) for path, why in examples])
    if twins:
        what = f"Files with the name of another in the same folder, told apart by ~2, ~3: {len(twins)}."
        yield finding("name.duplicate", Severity.WARN, what, "Check how the card was written.", twins)
    if not (listing.objects or listing.odd):
        what = "There is no file on this recorder, and it shows its storage."
        yield finding("listing.empty", Severity.NOTE, what, "Ask the officer whether nothing was recorded.", ())
    if len(listing.storages) > 1:
        parts = [(f"p{each.number + 1}", printable(each.info.description)) for each in listing.storages]
        what = f"The recorder has {len(parts)} storages; files of the later ones are listed under p2, p3 and so on."
        yield finding("volume.several", Severity.NOTE, what, "Check that this is how the maker does it.", parts)
