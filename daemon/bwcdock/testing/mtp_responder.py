"""A recorder that speaks MTP, in memory, with everything that goes wrong with such recorders.

Three parts, as of any good fake. *State*: storages, objects, clock, battery and faults of an :class:`MtpDevice`; plain
assignment may change them at any time. *Service*: :meth:`MtpDevice.answer` does what one operation asks for, honestly;
``mtp_packets`` and ``mtp_ip`` carry it and cheat on the way where a :class:`Fault` says so. *Use cases*: methods that
have the names of what happens to a recorder: ``record``, ``pull_card``, ``unplug``. It knows nothing of the driver: it
has its own hands to write the wire's bytes with.
"""

import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Literal, Protocol

OK, NOT_OPEN, BAD_OP, BAD_STORE, BAD_HANDLE, BAD_PROP = 0x2001, 0x2003, 0x2005, 0x2008, 0x2009, 0x200A
NO_STORE, BUSY, ALREADY_OPEN = 0x2013, 0x2019, 0x201E
BAD_PARENT, BAD_PARAM = 0x201A, 0x201D
OBJECT_PROP_UNKNOWN, NO_DEPTH = 0xA80A, 0xA808

ROOT = 0xFFFF_FFFF
ANDROID = frozenset({
    0x1001, 0x1002, 0x1003, 0x1004, 0x1005, 0x1007, 0x1008, 0x1009, 0x1014, 0x1015, 0x1016, 0x101B,
    0x9803, 0x9805, 0x95C1,
})  # fmt: skip
"""What Android's own responder offers of what is needed to read, with the clock that cameras have."""

CAMERA = ANDROID - {0x101B, 0x95C1, 0x9803, 0x9805}
"""What an older camera offers: objects are read whole."""

CARD = 0x0001_0001


class Content(Protocol):
    """What an object holds."""

    @property
    def size(self) -> int:
        """Its length."""
        ...

    def fill(self, offset: int, view: memoryview) -> None:
        """Put the bytes at ``offset`` into ``view``."""
        ...


@dataclass(frozen=True, slots=True)
class Bytes:
    """Content that is there."""

    data: bytes

    @property
    def size(self) -> int:
        """Its length."""
        return len(self.data)

    def fill(self, offset: int, view: memoryview) -> None:
        """Copy."""
        view[:] = self.data[offset : offset + len(view)]


@dataclass(frozen=True, slots=True)
class Sparse:
    """Content of any size that takes no room: noise, with the number of each 64 KiB at their beginning."""

    size: int
    seed: int = 1

    def fill(self, offset: int, view: memoryview) -> None:
        """Make it up."""
        noise = _noise(self.seed)
        done = 0
        while done < len(view):
            number, inside = divmod(offset + done, len(noise))
            count = min(len(view) - done, len(noise) - inside)
            view[done : done + count] = noise[inside : inside + count]
            if inside < 8:
                stamp = number.to_bytes(8, "big")[inside : inside + count]
                view[done : done + len(stamp)] = stamp
            done += count


_NOISE: dict[int, bytes] = {}


def _noise(seed: int) -> bytes:
    if seed not in _NOISE:
        _NOISE[seed] = Random(seed).randbytes(1 << 16)  # noqa: S311  the same in every run
    return _NOISE[seed]


@dataclass(slots=True)
class Storage:
    """A card or a built-in memory."""

    kind: int = 0x0003
    capacity: int = 64 << 30
    free: int = 32 << 30
    description: str = "Internal storage"
    label: str = ""
    there: bool = True


@dataclass(slots=True)
class Thing:
    """A file, or a folder where there is no content. ``told`` is the size it is listed with, where that is a lie."""

    name: str
    storage: int
    parent: int
    content: Content | None
    modified: str = ""
    protected: bool = False
    told: int | None = None


Phase = Literal["command", "data", "response"]
Cheat = Literal["silence", "stall", "vanish", "longer", "shorter", "garbage", "stranger", "refuse", "hang-up", "swap"]


@dataclass(slots=True)
class Fault:
    """What goes wrong: at which operation and phase, after how many bytes of data (``at``), how many ``times``.

    ``longer`` and ``shorter``: the data announced is by ``at`` more or less than what comes. ``stranger``: with another
    transaction's number. ``refuse``: answered with ``code``. ``swap``: a response where data was due.
    """

    op: int
    phase: Phase
    does: Cheat
    at: int = 0
    times: int = 1
    code: int = 0x2002
    skip: int = 0


@dataclass(slots=True)
class Answer:
    """Data where there is some, and how the operation ended."""

    code: int = OK
    params: tuple[int, ...] = ()
    length: int | None = None
    fill: Callable[[int, memoryview], None] | None = None


@dataclass
class MtpDevice:
    """A recorder. ``operations`` are what it says it can; ``broken_lists``: it says it can list properties and cannot.

    ``zero_packets`` is whether it sends the empty packet after a full one; ``samsung``: it hangs where a part that
    reaches the end would need one. ``narrow``: it tells sizes in 32 bits only. ``wraps``: where only 32 bits are asked
    for, it tells the lower ones, whatever the upper ones are. ``also_in`` are handles that lie in a folder though they
    lie elsewhere.
    """

    serial: str = "R0001"
    maker: str = "Acme"
    model: str = "BodyCam"
    operations: frozenset[int] = ANDROID
    props: tuple[int, ...] = (0x5001, 0x5011)
    battery: int = 73
    battery_form: tuple[int, ...] = (0, 100, 1)
    clock: Callable[[], str] = lambda: "20261121T120000"
    settable: bool = True
    zero_packets: bool = True
    split_header: bool = False
    samsung: bool = False
    narrow: bool = False
    wraps: bool = False
    broken_lists: bool = False
    forgets_in_lists: frozenset[int] = frozenset()
    also_in: dict[int, tuple[int, ...]] = field(default_factory=dict)
    most_in_part: int = 1 << 62
    busy: int = 0
    keeps_session: bool = False
    storages: dict[int, Storage] = field(default_factory=lambda: {CARD: Storage()})
    things: dict[int, Thing] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    events: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    asked: list[tuple[int, tuple[int, ...]]] = field(default_factory=list)
    clock_set: list[str] = field(default_factory=list)
    is_open: bool = False
    is_there: bool = True
    lock: threading.RLock = field(default_factory=threading.RLock)
    served: int = 0

    # --- what people do -----------------------------------------------------------------------------------------------

    def record(self, path: str, content: bytes | Content, *, storage: int = CARD, modified: str = "") -> int:
        """A file at a path; folders are made on the way. Its handle."""
        *folders, name = path.split("/")
        parent = ROOT
        for folder in folders:
            parent = self.folder(folder, parent, storage)
        return self.put(name, content, parent=parent, storage=storage, modified=modified)

    def put(
        self, name: str, content: bytes | Content, *, parent: int = ROOT, storage: int = CARD, modified: str = ""
    ) -> int:
        """A file with exactly this name, whatever is in it. Its handle."""
        with self.lock:
            held: Content = Bytes(content) if isinstance(content, bytes) else content
            handle = len(self.things) + 1
            self.things[handle] = Thing(name, storage, parent, held, modified or "20261121T083000")
            return handle

    def folder(self, name: str, parent: int = ROOT, storage: int = CARD) -> int:
        """The folder of this name, made where there is none. Its handle."""
        with self.lock:
            for handle, thing in self.things.items():
                if (thing.name, thing.parent, thing.storage, thing.content) == (name, parent, storage, None):
                    return handle
            handle = len(self.things) + 1
            self.things[handle] = Thing(name, storage, parent, None, "20261121T083000")
            return handle

    def pull_card(self, storage: int = CARD) -> None:
        """A storage is taken out; the recorder says so."""
        with self.lock:
            self.storages[storage].there = False
            self.events.append((0x4005, (storage,)))

    def unplug(self) -> None:
        """The cable is pulled."""
        self.is_there = False

    def fault(self, op: int, phase: Phase) -> Fault | None:
        """The fault that is due now, counted down."""
        with self.lock:
            for fault in self.faults:
                if fault.op == op and fault.phase == phase and fault.times:
                    if fault.skip:
                        fault.skip -= 1
                        return None
                    fault.times -= 1
                    return fault
        return None

    # --- what it answers ----------------------------------------------------------------------------------------------

    def answer(self, op: int, params: tuple[int, ...], given: bytes = b"") -> Answer:
        """What an operation gets, honestly."""
        with self.lock:
            self.asked.append((op, params))
            params = (*params, 0, 0, 0, 0, 0)[:5]
            if self.busy and op not in {0x1001, 0x1002, 0x1003}:
                self.busy -= 1
                return Answer(BUSY)
            if op not in self.operations:
                return Answer(BAD_OP)
            if op == 0x1002:
                already, self.is_open = self.is_open, True
                return Answer(ALREADY_OPEN if already else OK)
            if op == 0x1001:
                return _data(self._device_info())
            if not self.is_open:
                return Answer(NOT_OPEN)
            return self._in_session(op, params, given)

    def _in_session(self, op: int, params: tuple[int, ...], given: bytes) -> Answer:
        match op:
            case 0x1003:
                self.is_open = self.keeps_session
                return Answer()
            case 0x1004:
                return _data(array32([each for each, storage in self.storages.items() if storage.there]))
            case 0x1005:
                storage = self.storages.get(params[0])
                return _data(_storage_info(storage)) if storage and storage.there else Answer(BAD_STORE)
            case 0x1007:
                return self._handles(params)
            case 0x1014 | 0x1015 | 0x1016:
                return self._property(op, params[0], given)
            case 0x9805:
                return self._object_props(params)
            case _:
                return self._object(op, params)

    def _device_info(self) -> bytes:
        return b"".join((
            struct.pack("<HIH", 100, 6, 100),
            text("microsoft.com: 1.0; android.com: 1.0;"),
            struct.pack("<H", 0),
            array16(sorted(self.operations)),
            array16([0x4002, 0x4003, 0x4005, 0x4006]),
            array16(self.props),
            array16([]),
            array16([0x3000, 0x3001]),
            text(self.maker),
            text(self.model),
            text("1.07"),
            text(self.serial),
        ))  # fmt: skip

    def _handles(self, params: tuple[int, ...]) -> Answer:
        storage, _, parent = params[:3]
        if storage not in self.storages:
            return Answer(BAD_STORE)
        if not self.storages[storage].there:
            return Answer(NO_STORE)
        if parent not in {0, ROOT} and parent not in self.things:
            return Answer(BAD_PARENT)
        found = [h for h, t in self.things.items() if t.storage == storage and parent in {0, t.parent}]
        return _data(array32([*found, *self.also_in.get(parent, ())]))

    def _property(self, op: int, prop: int, given: bytes) -> Answer:
        if prop not in self.props:
            return Answer(BAD_PROP)
        if op == 0x1016:
            self.clock_set.append(given[1:].decode("utf-16-le").rstrip("\0"))
            return Answer()
        value = bytes((self.battery,)) if prop == 0x5001 else text(self.clock())
        if op == 0x1015:
            return _data(value)
        if prop == 0x5001:
            form = bytes((1, *self.battery_form)) if len(self.battery_form) == 3 else b"\0"
            return _data(struct.pack("<HHB", prop, 0x0002, 0) + b"\x64" + value + form)
        return _data(struct.pack("<HHB", prop, 0xFFFF, self.settable) + text("") + value + b"\0")

    def _object_props(self, params: tuple[int, ...]) -> Answer:
        handle, _, prop, _, depth = params
        if self.broken_lists:
            return _data(struct.pack("<I", 3) + b"\1\2\3")
        if depth not in {0, 1}:
            return Answer(NO_DEPTH)
        wanted = list(self.things) if handle == ROOT else [handle]
        if any(each not in self.things for each in wanted):
            return Answer(BAD_HANDLE)
        values = [(each, self._object_prop(self.things[each], prop)) for each in wanted]
        if any(value is None for _, value in values):
            return Answer(OBJECT_PROP_UNKNOWN)
        told = [(each, value) for each, value in values if value and each not in self.forgets_in_lists]
        parts = (struct.pack("<IHH", each, prop, kind) + raw for each, (kind, raw) in told)
        return _data(struct.pack("<I", len(told)) + b"".join(parts))

    def _object_prop(self, thing: Thing, prop: int) -> tuple[int, bytes] | None:
        size = _told_size(thing)
        match prop:
            case 0xDC02:
                return 0x0004, struct.pack("<H", 0x3000 if thing.content else 0x3001)
            case 0xDC03:
                return 0x0004, struct.pack("<H", thing.protected)
            case 0xDC04 if self.narrow:
                return 0x0006, struct.pack("<I", min(size, ROOT))
            case 0xDC04:
                return 0x0008, struct.pack("<Q", size)
            case 0xDC07:
                return 0xFFFF, text(thing.name)
            case 0xDC09:
                return 0xFFFF, text(thing.modified)
        return None

    def _object(self, op: int, params: tuple[int, ...]) -> Answer:
        thing = self.things.get(params[0])
        if thing is None:
            return Answer(BAD_HANDLE)
        if not self.storages[thing.storage].there:
            return Answer(NO_STORE)
        if op == 0x1008:
            return _data(_object_info(thing, wraps=self.wraps))
        if op == 0x9803:
            value = self._object_prop(thing, params[1])
            return _data(value[1]) if value else Answer(OBJECT_PROP_UNKNOWN)
        if thing.content is None:
            return Answer(BAD_HANDLE)
        content, start, most = thing.content, 0, thing.content.size
        if op == 0x101B:
            start, most = params[1], params[2]
        elif op == 0x95C1:
            start, most = params[1] | params[2] << 32, params[3]
        if start > content.size:
            return Answer(BAD_PARAM)
        length = min(most, content.size - start, self.most_in_part if op != 0x1009 else most)
        sent = (min(length, ROOT),) if op != 0x1009 else ()
        return Answer(OK, sent, length, lambda offset, view: content.fill(start + offset, view))


def _told_size(thing: Thing) -> int:
    if thing.content is None:
        return 0
    return thing.content.size if thing.told is None else thing.told


def _data(raw: bytes) -> Answer:
    return Answer(length=len(raw), fill=Bytes(raw).fill)


def text(words: str) -> bytes:
    """A string as the wire has it."""
    if not words:
        return b"\0"
    raw = words.encode("utf-16-le", "surrogatepass") + b"\0\0"
    return bytes((len(raw) // 2,)) + raw


def array16(values: "Iterator[int] | list[int] | tuple[int, ...]") -> bytes:
    """Numbers of 16 bits."""
    kept = list(values)
    return struct.pack(f"<I{len(kept)}H", len(kept), *kept)


def array32(values: list[int]) -> bytes:
    """Numbers of 32 bits."""
    return struct.pack(f"<I{len(values)}I", len(values), *values)


def _storage_info(storage: Storage) -> bytes:
    numbers = struct.pack("<HHHQQI", storage.kind, 2, 0, storage.capacity, storage.free, ROOT)
    return numbers + text(storage.description) + text(storage.label)


def _object_info(thing: Thing, *, wraps: bool) -> bytes:
    kind, size = 0x3000 if thing.content else 0x3001, _told_size(thing)
    size = size & ROOT if wraps else min(size, ROOT)
    parent = 0 if thing.parent == ROOT else thing.parent
    head = struct.pack("<IHHI", thing.storage, kind, thing.protected, size)
    picture = struct.pack("<HIIIIII", 0, 0, 0, 0, 0, 0, 0)
    place = struct.pack("<IHII", parent, 0, 0, 0)
    return head + picture + place + text(thing.name) + text("") + text(thing.modified) + text("")
