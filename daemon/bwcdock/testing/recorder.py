"""A recorder in memory, for trying out the station: what is true of it, how it answers, and what people do to it.

Three parts, as of any good fake. *State*: the files and faults of a :class:`FakeRecorder`; plain assignment may change
them at any time. *Service*: :class:`OpenedRecorder` answers the calls of :class:`bwcdock.ports.Recorder` from that
state, as an honest driver would, or as the faults say. *Use cases*: the methods of a ``FakeRecorder`` that have the
names of what happens in a bureau: ``record``, ``plug``, ``yank``, ``rot``. It passes the driver suite, so a driver's
author can read here what the suite asks for. Safe for threads.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from bwcdock.core.facts import Claim, Condition, Drift, Finding, Identity, Item, Kind, Sighting, Span
from bwcdock.errors import Misbehaved, Unplugged, Unreadable
from bwcdock.ports import ClockFile, Recorder

Call = Literal["claims", "open", "identity", "condition", "items", "read_into", "present", "set_clock", "close"]
"""The calls of a driver and a recorder, in the order in which the station makes them."""

Clockwork = Literal["none", "honest", "blind", "deaf", "file"]
"""A clock that cannot be set; one that takes the time and shows it; one that takes it and cannot be read; one that says
that it took the time and did not; one that is set by a file ``TAG.TXT`` on the card."""

SCHEME = "fake:"
"""What the source of a sighting begins with where a :class:`FakeDriver` is meant."""

WALL = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
"""When the first file was recorded unless told otherwise; each later one ten minutes after the one before."""


@dataclass(slots=True)
class FakeFile:
    """One file: its true bytes, what the listing says of it, and what is wrong with reading it.

    ``data`` may lie outside this process's own memory, so that a card is not counted as memory of the station.
    ``listed`` is the size the listing gives, ``None`` for the true one. ``bad`` are places that cannot be read, each
    with the number of tries after which it can (``None``: never). ``wavering`` are offsets whose byte comes out with a
    bit turned at every second reading.
    """

    data: bytearray | memoryview
    modified: datetime
    start: datetime | None = None
    kind: Kind = Kind.VIDEO
    listed: int | None = None
    bad: dict[Span, int | None] = field(default_factory=dict)
    wavering: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Read:
    """One read that was answered: which bytes of which file."""

    path: str
    offset: int
    length: int


class FakeRecorder:
    """A recorder called ``serial``, not docked until :meth:`plug`.

    ``files`` is what is on it, by path as listed (escaped text). ``reads`` are all reads answered so far, over all
    dockings. ``most`` bounds what one read gives, so that a short file takes several. ``user`` is whom it says
    it belongs to; ``battery``, ``room`` (bytes free), ``drift``, ``dirty`` and ``notes`` are its condition.

    ``clock`` says whether it can be set (see :data:`Clockwork`); ``settings`` are the times it was told.
    """

    def __init__(self, serial: str, *, most: int = 1 << 20) -> None:
        self.serial = serial
        self.most = most
        self.files: dict[str, FakeFile] = {}
        self.reads: list[Read] = []
        self.port = ""
        self.docked_as: Sighting | None = None
        """What the station was shown at the last docking; it stays when the recorder is taken out."""
        self.user = ""
        self.battery: int | None = 80
        self.room: int | None = 64 << 30
        self.drift: Drift | None = None
        self.dirty: bool | None = False
        self.notes: tuple[Finding, ...] = ()
        self.clock: Clockwork = "none"
        self.settings: list[datetime] = []
        self.away = False
        """It answers, but says at the end that it is not there: pulled out while it was listed."""
        self.lock = threading.RLock()
        self.plugs = 0
        self._yanks: dict[tuple[str, int], None] = {}
        self._hangs: dict[str, threading.Event] = {}
        self._failures: dict[str, BaseException] = {}
        self._thens: dict[str, Callable[[], object]] = {}

    # --- what people do -----------------------------------------------------------------------------------------------

    def record(
        self,
        path: str,
        data: bytes,
        *,
        start: datetime | None = None,
        modified: datetime | None = None,
        kind: Kind = Kind.VIDEO,
    ) -> None:
        """Make a recording, or put another in its place. ``modified`` is a minute after ``start`` unless told."""
        with self.lock:
            if self.room is not None and self.room < len(data):
                raise ValueError(f"recorder {self.serial} is full")
            start = start or WALL + timedelta(minutes=10 * len(self.files))
            modified = modified or start + timedelta(minutes=1)
            self.files[path] = FakeFile(bytearray(data), modified, start, kind)

    def replace(self, path: str, data: bytes) -> None:
        """Put other bytes under a path and leave every date as it was: what no honest recorder does."""
        with self.lock:
            self.files[path].data = bytearray(data)

    def grow(self, path: str, data: bytes) -> None:
        """Record on into a file, whatever was listed."""
        with self.lock:
            file = self.files[path]
            file.listed = len(file.data) if file.listed is None else file.listed
            file.data = bytearray(file.data) + data

    def delete(self, path: str) -> None:
        """Remove a file."""
        with self.lock:
            del self.files[path]

    def fill(self) -> None:
        """Leave no room: it reports none, and :meth:`record` is refused."""
        self.room = 0

    def plug(self, port: str = "usb-1", **how: Any) -> Sighting:
        """Dock it, also out of one slot into another; what the station will be shown, with ``how`` it differs."""
        with self.lock:
            self.port, self.plugs = port, self.plugs + 1
            # A number of its own for every docking, as the bus gives one: out and in again is not the same docking.
            told = (("plug", str(self.plugs)),)
            self.docked_as = Sighting(port=port, source=f"{SCHEME}{self.serial}", properties=told, **how)
            return self.docked_as

    def unplug(self) -> None:
        """Take it out, in the middle of whatever is going on: every later call of that docking says so."""
        with self.lock:
            self.port = ""
            self._yanks.clear()

    def yank(self, path: str, at: int) -> None:
        """Take it out at the moment byte ``at`` of this file is asked for; what lies before it is still given."""
        with self.lock:
            self._yanks[path, at] = None

    # --- what happens to it -------------------------------------------------------------------------------------------

    def rot(self, path: str, at: int) -> None:
        """Turn one bit for good."""
        with self.lock:
            self.files[path].data[at] ^= 1

    def waver(self, path: str, at: int) -> None:
        """From now on this byte reads differently every second time."""
        with self.lock:
            self.files[path].wavering[at] = 0

    def spoil(self, path: str, span: Span, *, tries: int | None = None) -> None:
        """Make a place unreadable, for the next ``tries`` tries or for good."""
        with self.lock:
            self.files[path].bad[span] = tries

    def lie(self, path: str, size: int) -> None:
        """List a file with a size that it does not have."""
        with self.lock:
            self.files[path].listed = size

    def heal(self) -> None:
        """Make every file read well and be listed as it is."""
        with self.lock:
            for file in self.files.values():
                file.bad.clear()
                file.wavering.clear()
                file.listed = None

    def hang(self, call: Call) -> None:
        """From now on this call does not return until :meth:`let_go`."""
        self._hangs[call] = threading.Event()

    def fail(self, call: Call, error: BaseException) -> None:
        """From now on this call raises ``error``: one of the contract's, or a bug of the driver's."""
        self._failures[call] = error

    def then(self, call: Call, do: Callable[[], object]) -> None:
        """Have this happen the next time this call is made, before anything else of it."""
        self._thens[call] = do

    def let_go(self) -> None:
        """End every hanging, also of calls that hang now (they say the recorder is gone), and every failure."""
        self._failures.clear()
        hangs, self._hangs = self._hangs, {}
        for event in hangs.values():
            event.set()

    # --- what can be asked about it -----------------------------------------------------------------------------------

    def sighting(self) -> Sighting | None:
        """Where it is docked now; ``None`` where it is not."""
        with self.lock:
            return self.docked_as if self.port else None

    def sha256(self, path: str) -> str:
        """The digest of the true bytes of a file."""
        return hashlib.sha256(self.files[path].data).hexdigest()

    def bytes_read(self, path: str) -> list[tuple[int, int]]:
        """The ranges of a file that were read, as (from, to), in order."""
        return [(read.offset, read.offset + read.length) for read in self.reads if read.path == path]

    def meet(self, call: Call) -> None:
        """What every call goes through first: it hangs or fails as told."""
        self._thens.pop(call, lambda: None)()
        event = self._hangs.get(call)
        if event is not None:
            event.wait()
            raise Unplugged(call, "It hung, and then it was gone.", "Dock it again.")
        error = self._failures.get(call)
        if error is not None:
            raise error

    def reaches(self, path: str, offset: int, end: int) -> int:
        """How far a read of these bytes gets before somebody takes the recorder out; takes it out if at once."""
        yanks = [at for (where, at) in self._yanks if where == path and offset <= at < end]
        if not yanks:
            return end
        if min(yanks) == offset:
            self.unplug()
        return min(yanks)


class OpenedRecorder:
    """One docking of a :class:`FakeRecorder`, as :class:`bwcdock.ports.Recorder`. When it was taken out it stays so."""

    def __init__(self, recorder: FakeRecorder) -> None:
        self._of = recorder
        self._plug = recorder.plugs

    def identity(self) -> Identity:
        """Its serial."""
        self._begin("identity")
        return Identity(serial=self._of.serial, basis="protocol", vendor="fake", model="F1", user=self._of.user)

    def condition(self, now: datetime) -> Condition:  # noqa: ARG002  (a fake states its drift, it measures none)
        """The condition as it is set."""
        self._begin("condition")
        of = self._of
        return Condition(
            battery=of.battery,
            storage_free=of.room,
            storage_total=64 << 30,
            drift=of.drift,
            dirty=of.dirty,
            notes=of.notes,
        )

    def items(self) -> list[Item]:
        """Every file, in order of its path."""
        self._begin("items")
        with self._of.lock:
            return [_item(path, file) for path, file in sorted(self._of.files.items())]

    def read_into(self, item: Item, offset: int, buffer: memoryview) -> int:
        """Some of the bytes, or what is wrong with them."""
        self._begin("read_into")
        with self._of.lock:
            file = self._of.files.get(item.path)
            if file is None:
                raise Unreadable("read", f"{item.path} is not on the recorder.", "List it again.")
            end = min(len(file.data), offset + min(len(buffer), self._of.most))
            end = max(offset, self._of.reaches(item.path, offset, end))
            if not self._there():
                raise _gone("read")
            end = _readable(item.path, file, offset, end)
            buffer[: end - offset] = file.data[offset:end]
            for at in file.wavering:
                if offset <= at < end:
                    file.wavering[at] += 1
                    buffer[at - offset] ^= 1 if file.wavering[at] % 2 == 0 else 0
            self._of.reads.append(Read(item.path, offset, end - offset))
            return end - offset

    def present(self) -> bool:
        """Whether nobody has taken it out since it was opened."""
        self._of.meet("present")
        return self._there() and not self._of.away

    def _begin(self, call: Call) -> None:
        self._of.meet(call)
        if not self._there():
            raise _gone(call)

    def _there(self) -> bool:
        with self._of.lock:
            return bool(self._of.port) and self._of.plugs == self._plug


class OpenedClockRecorder(OpenedRecorder):
    """One whose clock can be set (:class:`bwcdock.ports.SetsClock`)."""

    def set_clock(self, now: datetime) -> Drift:
        """Take the time, or say so; what is left of its error is ten milliseconds."""
        self._begin("set_clock")
        of = self._of
        left = Drift(method="protocol", offset_ms=10, uncertainty_ms=20, read_at=now)
        with of.lock:
            of.settings.append(now)
            if of.clock != "deaf":
                of.drift = left if of.clock == "honest" else None
        return left


class OpenedFileRecorder(OpenedRecorder):
    """One that sets its clock by a file (:class:`bwcdock.ports.ReadsClockFile`)."""

    def clock_file(self, moment: datetime) -> ClockFile | None:
        """The time in two lines."""
        shown = moment.replace(microsecond=0)
        return ClockFile(name="TAG.TXT", content=f"{shown:%Y/%m/%d\r\n%H:%M:%S}".encode(), set_to=shown)


def opened(recorder: FakeRecorder) -> OpenedRecorder:
    """It, opened now, with what it can."""
    if recorder.clock == "none":
        return OpenedRecorder(recorder)
    return (OpenedFileRecorder if recorder.clock == "file" else OpenedClockRecorder)(recorder)


class FakeDriver:
    """Opens the recorders it is given, by the serial in a sighting's source. More may be added at any time."""

    name = "fake"

    def __init__(self, *recorders: FakeRecorder) -> None:
        self.recorders: dict[str, FakeRecorder] = {recorder.serial: recorder for recorder in recorders}
        self.opened = 0
        """How many are open now: what a driver leaves open, it leaks."""

    def add(self, recorder: FakeRecorder) -> FakeRecorder:
        """Know one more."""
        self.recorders[recorder.serial] = recorder
        return recorder

    def claims(self, sighting: Sighting) -> int:
        """100 for one of its own that is docked there, else 0."""
        recorder = _of(self.recorders, sighting)
        if recorder is None:
            return 0
        recorder.meet("claims")
        return 100 if recorder.sighting() == sighting else 0

    def open(self, sighting: Sighting) -> AbstractContextManager[Recorder]:
        """Open it; it may go at any moment after that."""
        return self._open(sighting)

    @contextmanager
    def _open(self, sighting: Sighting) -> Iterator[Recorder]:
        recorder = _of(self.recorders, sighting)
        if recorder is None:
            raise Misbehaved("open", f"{sighting.source} is no recorder of this driver.", "Use the driver that claims.")
        recorder.meet("open")
        if recorder.sighting() != sighting:
            raise _gone("open")
        self.opened += 1
        try:
            yield opened(recorder)
        finally:
            self.opened -= 1
            recorder.meet("close")


def _of(recorders: Mapping[str, FakeRecorder], sighting: Sighting) -> FakeRecorder | None:
    if not sighting.source.startswith(SCHEME):
        return None
    return recorders.get(sighting.source.removeprefix(SCHEME))


def _item(path: str, file: FakeFile) -> Item:
    size = len(file.data) if file.listed is None else file.listed
    claim = Claim(start=file.start, end=file.modified, source="name", zone="+00:00", text=_text(file.start))
    return Item(
        path=path, size=size, modified=file.modified, modified_text=_text(file.modified), claim=claim, kind=file.kind
    )


def _text(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}" if moment else ""


def _readable(path: str, file: FakeFile, offset: int, end: int) -> int:
    """How far good bytes go from ``offset``; Unreadable where there is none. Each failure is one try."""
    for span, tries in sorted(file.bad.items(), key=lambda bad: bad[0].offset):
        if span.offset + span.length <= offset or span.offset >= end:
            continue
        if span.offset > offset:
            return span.offset
        if tries is not None:
            file.bad[span] = tries - 1
            if tries <= 1:
                del file.bad[span]
        what = f"{path} cannot be read at byte {offset}."
        raise Unreadable("read", what, "Clean its contacts; the card may be worn out.", (span,))
    return end


def _gone(op: str) -> Unplugged:
    return Unplugged(op, "The recorder was taken out.", "Dock it again; it resumes.")
