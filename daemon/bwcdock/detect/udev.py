"""Watches the USB bus by udev: a recorder plugged into a slot of the dock is a sighting."""

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable, Iterator
from datetime import datetime

import pyudev
import structlog

from bwcdock.core.facts import Finding, Severity, Sighting
from bwcdock.detect.bus import Bus, Docks, Node, Policy, look

log = structlog.get_logger()

BUFFER_BYTES = 16 << 20
"""What the kernel is asked to keep of events not read yet, some 10,000. Without privilege it grants its own limit
(net.core.rmem_max, usually 208 KiB: a hundred); what is lost then is found by looking everything up."""

AT_ONCE = 50
"""Events taken in one turn of the loop, at 0.1 to 0.5 ms each: a burst of thousands delays nothing else."""

AGAIN_S = 1.0
"""When looking everything up failed (something was pulled just then), it is tried again after so long."""

TRIES = 3
"""How often an enumeration is begun anew at once because a device vanished under it."""

_SO_RCVBUFFORCE = 33  # asm-generic/socket.h; the socket module has no name for it

_KINDS = (("block", "disk"), ("usb", "usb_device"))
"""What is asked of udev; the kernel filters, so partitions and interfaces do not even wake us."""


class UdevWatch:
    """What is plugged into the slots now, as udev tells it.

    Events are taken on the loop that called :meth:`start`; the monitor is there before everything is looked up for the
    first time, so nothing falls between. Every ``resync_s`` everything is looked up again: that is the truth, events
    only make it fast. :meth:`current` answers from what was found last and never blocks, on any thread.

    ``monotonic`` is the clock udev stamps devices with (CLOCK_MONOTONIC, seconds).
    """

    def __init__(
        self,
        policy: Policy,
        *,
        resync_s: float,
        monotonic: Callable[[], float],
        buffer_bytes: int = BUFFER_BYTES,
    ) -> None:
        self.hint = asyncio.Event()
        """Set when something changed; whoever waits for it clears it."""
        self._policy = policy
        self._resync_s = resync_s
        self._monotonic = monotonic
        self._buffer_bytes = buffer_bytes
        self._bus = Bus()
        self._docks = Docks()
        self._overflows = 0
        self._lost = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._monitor: pyudev.Monitor | None = None

    # --- from outside -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to listen, then look up what is there: on return :meth:`current` answers. Where udev cannot be asked,
        it is tried again every second, and told in the log.
        """
        self._loop = asyncio.get_running_loop()
        self._resync()

    def close(self) -> None:
        """Stop listening. What was found last is still answered."""
        self._deafen()
        if self._timer is not None:
            self._timer.cancel()
        self._loop = self._timer = None

    def current(self, now: datetime) -> tuple[Sighting, ...]:  # noqa: ARG002 (udev counts by another clock)
        """What is docked, sorted by port."""
        return self._docks.sightings(self._monotonic())

    @property
    def awaited(self) -> frozenset[str]:
        """Ports whose control interface went, and may come back as a disk."""
        return self._docks.awaited

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong on the bus now."""
        return (*self._docks.findings, *_overflow(self._overflows))

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every disk and USB device there is, at a slot or not."""
        return self._bus.nodes

    # --- events -------------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        assert self._loop is not None
        monitor = pyudev.Monitor.from_netlink(pyudev.Context())
        for subsystem, kind in _KINDS:
            monitor.filter_by(subsystem, kind)
        _enlarge(monitor.fileno(), self._buffer_bytes)
        monitor.start()
        self._loop.add_reader(monitor.fileno(), self._take, monitor)
        self._monitor = monitor

    def _deafen(self) -> None:
        if self._loop is not None and self._monitor is not None:
            self._loop.remove_reader(self._monitor.fileno())
        self._monitor = None

    def _take(self, monitor: pyudev.Monitor) -> None:
        """Events are waiting: take some. The loop calls again while there are more."""
        for _ in range(AT_ONCE):
            try:
                device = monitor.poll(timeout=0)
            except OSError as error:
                if self._overflowed(monitor, error):
                    continue
                break
            if device is None:
                if self._lost:
                    self._resync()  # only now: what was still queued is older than what is looked up
                break
            self._note(device)
        self._publish()

    def _overflowed(self, monitor: pyudev.Monitor, error: OSError) -> bool:
        """Whether only events were lost. pyudev asks for errors before it asks for data, and the error stays with the
        socket until it is read: without this every poll would fail for ever.
        """
        if error.errno == errno.ENOBUFS or _read_error(monitor.fileno()):
            self._lost = True
            self._overflows += 1
            log.warning("udev.overflow", overflows=self._overflows)
            return True
        # The monitor itself is broken. Looking everything up makes a new one, a little later: it may break again.
        log.error("udev.deaf", error=str(error))
        self._deafen()
        self._after(AGAIN_S)
        return False

    def _note(self, device: pyudev.Device) -> None:
        if device.action == "remove":
            # Its properties may be gone with it; what is there of it is in the event itself.
            self._bus.gone(device.device_path, dict(device.properties))
        elif device.action == "unbind":
            return  # its driver lets go: the properties are half gone, and "remove" comes at once
        elif node := _node(device):
            self._bus.seen(node)

    # --- everything ---------------------------------------------------------------------------------------------------

    def _resync(self) -> None:
        """Look up everything there is: half a millisecond a device, and a full dock has some sixty with its hubs."""
        try:
            if self._monitor is None:
                self._listen()  # first, so that nothing falls between
            nodes = enumerated()
        except (OSError, pyudev.DeviceNotFoundError) as error:
            log.warning("udev.again", error=str(error))
            self._after(AGAIN_S)
            return
        self._after(self._resync_s)
        self._lost = False
        if wrong := self._bus.whole(nodes):
            log.info("udev.resynced", differences=wrong)
        self._publish()

    def _after(self, seconds: float) -> None:
        """Look everything up after so long, and not before because of an earlier plan."""
        assert self._loop is not None
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._resync)

    def _publish(self) -> None:
        before = self._docks
        at = self._monotonic()
        self._docks = look(self._bus.nodes, before, self._policy, at)
        if self._docks != before:
            self.hint.set()
            gone = [each.until for each in self._docks.docked if each.until is not None]
            if gone and self._loop is not None:
                self._loop.call_later(max(0.0, min(gone) - at), self.hint.set)


def enumerated() -> list[Node]:
    """Every disk and USB device that udev is done with. Raises ``OSError`` or ``pyudev.DeviceNotFoundError``, which is
    what happens when something is pulled in this very moment.
    """
    for tried in range(1, TRIES + 1):
        try:
            return [node for subsystem, kind in _KINDS for node in _listed(subsystem, kind)]
        except pyudev.DeviceNotFoundError:
            if tried == TRIES:
                raise
    raise AssertionError


def plugged() -> Iterator[Node]:
    """Each USB device that is plugged in after this call, as it comes. Taking the next one blocks; for a person at the
    command line.
    """
    monitor = pyudev.Monitor.from_netlink(pyudev.Context())
    monitor.filter_by("usb", "usb_device")
    monitor.start()
    return _coming(monitor)


def _coming(monitor: pyudev.Monitor) -> Iterator[Node]:
    while True:
        device = monitor.poll()
        if device is not None and device.action == "add" and (node := _node(device)):
            yield node


def _listed(subsystem: str, kind: str) -> Iterator[Node]:
    for device in pyudev.Context().list_devices(subsystem=subsystem, DEVTYPE=kind):
        # Not initialised: udev is still at it, and will tell when it is done (rules in force, write-protected).
        if device.is_initialized and (node := _node(device)):
            yield node


def _node(device: pyudev.Device) -> Node | None:
    """What udev and the kernel say of a device; ``None`` where it went meanwhile, or has no node in /dev."""
    try:
        properties = dict(device.properties)
        source = properties.get("DEVNAME", "")
        blocks, readonly = 0, False
        if device.subsystem == "block":
            blocks, readonly = int(_attribute(device, "size") or 0), _attribute(device, "ro") == "1"
    except (OSError, ValueError, KeyError):
        return None
    if not source:
        return None
    return Node(
        path=device.device_path,
        subsystem=device.subsystem,
        source=source,
        blocks=blocks,
        readonly=readonly,
        properties=properties,
    )


def _attribute(device: pyudev.Device, name: str) -> str:
    """Read from sysfs at this moment: udev's own copy is as old as the device object, which is new each time."""
    value = device.attributes.get(name)
    return value.decode("ascii", "replace") if value is not None else ""


def _read_error(fileno: int) -> int:
    """The error that waits on a socket (SO_ERROR), which is cleared by this; 0 where there is none to be had."""
    try:
        with contextlib.closing(socket.socket(fileno=os.dup(fileno))) as same:
            return same.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    except OSError:
        return 0


def _enlarge(fileno: int, size: int) -> None:
    with contextlib.closing(socket.socket(fileno=os.dup(fileno))) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
        with contextlib.suppress(PermissionError):  # past the limit of the machine only with CAP_NET_ADMIN
            same.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)


def _overflow(times: int) -> Iterator[Finding]:
    if times:
        what = f"The kernel lost events of the USB bus ({times} times since the start); everything was looked up again."
        remedy = "Nothing was missed. If it goes on, find what keeps plugging, or raise net.core.rmem_max."
        yield Finding(severity=Severity.NOTE, code="udev.overflow", what=what, remedy=remedy)
