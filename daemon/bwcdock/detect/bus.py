"""What udev tells, folded: the table of devices, and what of it is docked. Pure: no bus, no clock, no files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count

from bwcdock.core.facts import Finding, Severity, Sighting
from bwcdock.core.inquiry import ABOVE
from bwcdock.core.names import escape
from bwcdock.slots import Place, place_of

HUB, HID, IMAGE, STORAGE = ":09", ":03", ":06", ":08"
"""Classes of USB interfaces (USB-IF, Defined Class Codes) as they begin in udev's ID_USB_INTERFACES."""

PROPERTY_MAX = 200
"""Characters of one property that a sighting keeps: a USB string has 126 at most, a volume label fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A disk or a USB device as udev tells it.

    ``path`` is the kernel's (DEVPATH), ``source`` the node in /dev, ``blocks`` the size of a disk in sectors of 512
    (0: no medium), ``readonly`` whether the kernel refuses to write to it.
    """

    path: str
    subsystem: str
    source: str
    blocks: int = 0
    readonly: bool = False
    properties: Mapping[str, str]

    @property
    def key(self) -> tuple[str, str]:
        """What is another at every plug-in and with every card: path and disk sequence, or path and device number."""
        if self.is_control:
            return self.path, "control"
        return self.path, self.properties.get("DISKSEQ", "") if self.subsystem == "block" else self.source

    @property
    def is_control(self) -> bool:
        """Whether this disk is a recorder that only speaks as yet: udev's rules know its make, it has no medium."""
        return self.subsystem == "block" and not self.blocks and "BWCDOCK_CONTROL" in self.properties

    @property
    def place(self) -> Place | None:
        """Where it is on the USB bus; ``None`` where it is not."""
        return place_of(self.properties.get("ID_PATH", ""))

    def has(self, kind: str) -> bool:
        """Whether one of its interfaces is of the class ``kind``."""
        return kind in self.properties.get("ID_USB_INTERFACES", "")

    @property
    def is_only(self) -> str:
        """The class all its interfaces have; empty where they differ or are not known."""
        classes = {f":{word[:2]}" for word in self.properties.get("ID_USB_INTERFACES", "").split(":") if word}
        return classes.pop() if len(classes) == 1 else ""


class Bus:
    """The devices that are there, by kernel path. Events may come twice, late or never; :meth:`whole` mends it."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every device, by path."""
        return tuple(node for _, node in sorted(self._nodes.items()))

    def seen(self, node: Node) -> None:
        """An event that says it is there (add, change, bind …). Of an earlier disk at the same path: told too late."""
        known = self._nodes.get(node.path)
        if known is None or not _earlier(node.properties, known):
            self._nodes[node.path] = node

    def gone(self, path: str, properties: Mapping[str, str]) -> None:
        """A ``remove``. It may carry no properties: the path decides, unless they say that it is of an earlier one."""
        known = self._nodes.get(path)
        if known is None or _earlier(properties, known):
            return
        if known.subsystem == "usb" and properties.get("DEVNAME", known.source) != known.source:
            return  # the device of before the replug
        del self._nodes[path]

    def whole(self, nodes: Iterable[Node]) -> int:
        """Everything there is, looked up: the truth. Answers how many devices the table was wrong about."""
        true = {node.path: node for node in nodes}
        wrong = sum(
            self._nodes[path].key != true[path].key if path in true and path in self._nodes else 1
            for path in true.keys() | self._nodes.keys()
        )
        self._nodes = true
        return wrong


def _earlier(properties: Mapping[str, str], known: Node) -> bool:
    """Whether these are of a disk that was there before ``known``: the kernel counts disks and media up (DISKSEQ)."""
    told, have = properties.get("DISKSEQ", ""), known.properties.get("DISKSEQ", "")
    return told.isdecimal() and have.isdecimal() and int(told) < int(have)


# ---------------------------------------------------------------------------------------------------------------------
# What of it is docked
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What counts as docked: ports and their slots, whether any other port counts too, and for how long (seconds) a
    plug-in is fresh and a control interface that went away may still come back as a disk. ``first`` are the numbers
    of the slots that go before the others.
    """

    slots: Mapping[str, int]
    first: frozenset[int] = frozenset()
    any_port: bool = False
    live_s: float
    switch_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Docked:
    """A sighting and what it rests on. ``until`` is when a control interface that is gone stops being sighted."""

    key: tuple[str, str]
    port: str
    sighting: Sighting
    until: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Docks:
    """All that is docked, by the sighting's port, and what is wrong."""

    docked: tuple[Docked, ...] = ()
    findings: tuple[Finding, ...] = ()

    def sightings(self, at: float) -> tuple[Sighting, ...]:
        """What is sighted at the moment ``at`` (seconds of the monotonic clock)."""
        return tuple(each.sighting for each in self.docked if each.until is None or at < each.until)

    @property
    def awaited(self) -> frozenset[str]:
        """The ports of what is sighted only because it may come back as a disk."""
        return frozenset(each.sighting.port for each in self.docked if each.until is not None)


def look(nodes: Sequence[Node], before: Docks, policy: Policy, at: float) -> Docks:
    """What is docked, given the devices that are there and what was docked before, at the monotonic moment ``at``.

    A sighting stays as it was first made as long as its device and medium are the same.
    """
    known = {each.key: each for each in before.docked}
    docked: dict[str, Docked] = {}
    for node, place in sorted(_sighted(nodes, policy), key=lambda np: (np[0].key not in known, np[1].lun, np[0].key)):
        each = known.get(node.key)
        each = replace(each, until=None) if each else _docked(node, place, nodes, docked, policy, at)
        docked[each.sighting.port] = each
    for each in before.docked:
        until = each.until if each.until is not None else at + policy.switch_s
        if each.sighting.port not in docked and _may_switch(each, nodes, docked.values()) and at < until:
            docked[each.sighting.port] = replace(each, until=until)
    ordered = tuple(each for _, each in sorted(docked.items()))
    return Docks(docked=ordered, findings=tuple(_findings(nodes, ordered, policy)))


def _sighted(nodes: Sequence[Node], policy: Policy) -> Iterator[tuple[Node, Place]]:
    """Disks with a medium, recorders that will become one, and USB devices that may be a recorder without a disk; only
    where recorders are taken.
    """
    for node in nodes:
        place = node.place
        if place is None or not (place.port in policy.slots or policy.any_port):
            continue
        if node.subsystem == "block":
            if node.blocks or node.is_control:
                yield node, place
        elif not (place.interface or _is_aside(node) or _has_disk(node, nodes)):
            yield node, place


def _is_aside(device: Node) -> bool:
    """Hubs and keyboards are no recorders; one with a storage interface is sighted when its disk appears; one that the
    default-deny rules keep off cannot be spoken to.
    """
    kept_off = "BWCDOCK_DENIED" in device.properties
    return kept_off or device.has(STORAGE) or device.has(HUB) or device.is_only == HID


def _has_disk(device: Node, nodes: Sequence[Node]) -> bool:
    return any(node.subsystem == "block" and node.path.startswith(f"{device.path}/") for node in nodes)


def _docked(
    node: Node, place: Place, nodes: Sequence[Node], taken: Mapping[str, Docked], policy: Policy, at: float
) -> Docked:
    port = f"{place.port}:lun{place.lun}" if place.lun else place.port
    # Two storage interfaces in one device have units of the same number; whatever else there may be is counted.
    names = chain((port, f"{port}:{place.interface}"), (f"{port}:{place.interface}:{n}" for n in count(2)))
    port = next(name for name in names if name not in taken)
    since = node.properties.get("USEC_INITIALIZED", "")
    slot = policy.slots.get(place.port)
    return Docked(
        key=node.key,
        port=place.port,
        sighting=Sighting(
            port=port,
            source=node.source,
            slot=slot,
            live=not since.isdecimal() or at - int(since) / 1e6 <= policy.live_s,
            properties=tuple(sorted({*_told(node), *_told_above(node, nodes)})),
            priority=slot in policy.first,
        ),
    )


def _told(node: Node) -> Iterator[tuple[str, str]]:
    # A disk that only speaks as yet is a control interface like one of the bus: what comes of it is the same docking.
    subsystem = "usb" if node.is_control else node.subsystem
    for name, value in {**node.properties, "SUBSYSTEM": subsystem}.items():
        if value and (name.startswith("ID_") or name in {"DISKSEQ", "SUBSYSTEM"}):
            yield name, escape(value.encode()[:PROPERTY_MAX])


def _told_above(node: Node, nodes: Sequence[Node]) -> Iterator[tuple[str, str]]:
    """What is kept of the USB devices it hangs on: of a disk its own, and of both the hubs."""
    for above in nodes:
        if above.subsystem == "usb" and node.path.startswith(f"{above.path}/"):
            for name in ABOVE:
                if value := above.properties.get(name):
                    yield f"@{name}", escape(value.encode()[:PROPERTY_MAX])


def _may_switch(each: Docked, nodes: Sequence[Node], docked: Iterable[Docked]) -> bool:
    """Whether this was a control interface whose port is empty since, or has what will be a disk in a moment."""
    if dict(each.sighting.properties).get("SUBSYSTEM") != "usb" or any(other.port == each.port for other in docked):
        return False
    at_port = (n for n in nodes if n.subsystem == "usb" and n.place == Place(port=each.port))
    return all(node.has(STORAGE) and "BWCDOCK_DENIED" not in node.properties for node in at_port)


# ---------------------------------------------------------------------------------------------------------------------
# What is wrong
# ---------------------------------------------------------------------------------------------------------------------


def _findings(nodes: Sequence[Node], docked: Sequence[Docked], policy: Policy) -> Iterator[Finding]:
    sighted = {each.key: each for each in docked}
    for node in nodes:
        place = node.place
        if place is None:
            continue
        taken = place.port in policy.slots or policy.any_port
        if node.subsystem == "block":
            each = sighted.get(node.key)
            if each and node.blocks and not node.readonly:
                where = _where(each.sighting.slot, place.port)
                what = f"The disk {where} is not write-protected by the kernel."
                remedy = "Put the udev rules in force (`bwcdock doctor` says which are missing) and plug it in again."
                yield _finding(Severity.WARN, "disk.writable", what, remedy, node, place)
            elif node.blocks and not taken:
                yield _misplaced(node, place)
        elif not place.interface:
            yield from _of_device(node, place, policy)


def _of_device(device: Node, place: Place, policy: Policy) -> Iterator[Finding]:
    where = _where(policy.slots.get(place.port), place.port)
    if "BWCDOCK_DENIED" in device.properties:
        what = f"What was plugged in {where} was kept off: it is not a plain disk or camera."
        remedy = "Take it out and ask who plugged it in; docs/slots.md says how to let a make of recorder through."
        yield _finding(Severity.REFUSE, "usb.denied", what, remedy, device, place)
    elif place.port not in policy.slots and not policy.any_port:
        if device.has(IMAGE):
            yield _misplaced(device, place)
    elif device.has(HID) and device.has(STORAGE):
        what = f"What was plugged in {where} is a keyboard and a disk in one."
        remedy = "Take it out unless the maker says that its recorders are so: this is how attacks by USB look."
        yield _finding(Severity.WARN, "usb.composite", what, remedy, device, place)


def _misplaced(node: Node, place: Place) -> Finding:
    what = f"What may be a recorder is plugged in at {place.port}, which is no slot."
    remedy = "Plug it into a slot, or make that port one with `bwcdock slots learn`."
    return _finding(Severity.WARN, "usb.no_slot", what, remedy, node, place)


def _where(slot: int | None, port: str) -> str:
    return f"at {port}" if slot is None else f"at slot {slot}"


def _finding(severity: Severity, code: str, what: str, remedy: str, node: Node, place: Place) -> Finding:
    ids = ("ID_VENDOR_ID", "ID_MODEL_ID", "ID_VENDOR", "ID_MODEL", "ID_SERIAL_SHORT", "ID_USB_INTERFACES")
    told = [(name, escape(node.properties[name].encode()[:PROPERTY_MAX])) for name in ids if node.properties.get(name)]
    evidence = (("port", place.port), ("source", node.source), *told)
    return Finding(severity=severity, code=code, what=what, remedy=remedy, evidence=evidence)
