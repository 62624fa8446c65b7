"""Carries containers over USB: bulk transfers by pyusb, and the class requests that end one which broke.

The data phase is read until the length of its container is satisfied, in transfers that ask for no more than is still
to come: so a device that forgets the empty packet after a full one hangs nobody, and one that sends it is not confused.
Closing waits for a read that is pending: libusb must not lose a device under one.
"""

import errno
import struct
import threading
import time
from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import usb.core
import usb.util
from bwcdock.errors import BwcdockError, NotAllowed, Unplugged

from .containers import (
    HEADER,
    PARAMS_MAX,
    ContainerKind,
    Event,
    EventCode,
    Head,
    Malformed,
    Response,
    container,
    head,
    pack_params,
    unpack_params,
)
from .protocol import Broken, Patience

READ: Final = 1 << 20
"""Bytes of one transfer at most: a multiple of every packet size, below what the kernel gives one program (16 MiB)."""

_CANCEL, _RESET, _STATUS = 0x64, 0x66, 0x67  # class requests of the still image class
_OUT, _IN = 0x21, 0xA1
_CLASS_MS = 2000
_EMPTY_MOST = 4  # empty packets in a row: one ends a transfer, a second one is a device that is unsure
_EVENTS_MOST = 32
_PACKET_MOST = 1024
_GONE = frozenset({errno.ENODEV, errno.ENXIO, errno.ESHUTDOWN, errno.ENOENT})


class Usb:
    """One interface of one device. ``alive`` says whether the device is still on the bus."""

    def __init__(self, device: Any, interface: Any, alive: Callable[[], bool], patience: Patience) -> None:
        self._device, self._number = device, interface.bInterfaceNumber
        self._alive, self._patience = alive, patience
        self._busy = threading.Lock()
        self._closed = False
        self._buffer = array("B", bytes(READ))
        self._bytes = memoryview(self._buffer)
        self._from = self._to = 0  # what was read and not taken yet
        self._head: Head | None = None
        self._left = 0
        self._is_short = False
        self._in, self._out, self._interrupt = _endpoints(interface)
        self._packet = max(8, min(self._in.wMaxPacketSize, _PACKET_MOST))
        try:
            usb.util.claim_interface(device, interface)
        except usb.core.USBError as error:
            usb.util.dispose_resources(device)
            raise self._meant("open", error) from error

    # --- operations ---------------------------------------------------------------------------------------------------

    def send_command(self, transaction: int, code: int, params: Sequence[int]) -> None:
        """Begin an operation; whatever was left of an earlier one is forgotten."""
        self._from = self._to = 0
        self._head = None
        self._write(container(ContainerKind.COMMAND, code, transaction, pack_params(params)))

    def send_data(self, transaction: int, code: int, data: bytes) -> None:
        """Send data, with an empty packet where its last one is full."""
        whole = container(ContainerKind.DATA, code, transaction, data)
        self._write(whole)
        if len(whole) % self._packet == 0:
            self._write(b"")

    def read_data_into(self, transaction: int, view: memoryview) -> int:
        """The next bytes of the data phase."""
        until = time.monotonic() + self._patience.call_s
        if self._head is None:
            self._head = self._next_head(transaction, len(view), until)
            payload = self._head.payload
            is_data = self._head.kind == ContainerKind.DATA
            self._left = (payload if payload is not None else 1 << 62) if is_data else 0
        done = 0
        while self._left and done < len(view):
            if self._from == self._to and not self._more(min(len(view) - done, self._left), until):
                break
            count = min(self._to - self._from, len(view) - done, self._left)
            view[done : done + count] = self._bytes[self._from : self._from + count]
            self._from += count
            self._left -= count
            done += count
        return done

    def read_response(self, transaction: int) -> Response:
        """How the operation ended."""
        until = time.monotonic() + self._patience.call_s
        if self._head is None or self._head.kind == ContainerKind.DATA:
            self._head = self._next_head(transaction, 0, until)
        if self._head.kind != ContainerKind.RESPONSE:
            raise Broken("more data instead of a response")
        length = self._head.payload
        if length is None or length > 4 * PARAMS_MAX:
            raise Broken("a response that is none")
        while self._to - self._from < length:
            if not self._more(length, until, keep=True):
                raise Broken("a response that ends too early")
        self._from += length
        try:
            return Response(self._head.code, unpack_params(self._bytes[self._from - length : self._from]))
        except Malformed as error:
            raise Broken(str(error)) from error

    def events(self) -> list[Event]:
        """What waits at the interrupt endpoint."""
        found: list[Event] = []
        if self._interrupt is None:
            return found
        packet = array("B", bytes(self._interrupt.wMaxPacketSize or 64))
        with suppress(usb.core.USBError), self._busy:  # nothing waits; if the device is gone, the next read says so
            self._refuse_closed()
            for _ in range(_EVENTS_MOST):
                got = self._device.read(self._interrupt, packet, max(1, round(self._patience.event_s * 1000)))
                with suppress(Malformed):
                    raw = bytes(packet[:got])
                    told = head(raw)
                    if told.kind == ContainerKind.EVENT:
                        found.append(Event(told.code, unpack_params(raw[HEADER.size : told.length])))
        return found

    # --- mending ------------------------------------------------------------------------------------------------------

    def cancel(self, transaction: int) -> None:
        """The class's own Cancel Request; then wait until the device says that it is well."""
        self._request(_CANCEL, struct.pack("<HI", EventCode.CANCEL, transaction & 0xFFFF_FFFF))
        self._drain()
        until = time.monotonic() + self._patience.drain_s
        while self._status() and time.monotonic() < until:
            self._drain()
        self._unhalt()

    def reset(self) -> None:
        """The class's own Device Reset Request."""
        self._request(_RESET, b"")
        self._unhalt()
        self._drain()

    def alive(self) -> bool:
        """Whether the device is on the bus."""
        return not self._closed and self._alive()

    def close(self) -> None:
        """Release the interface, once nothing is pending."""
        with self._busy:
            if not self._closed:
                self._closed = True
                with suppress(usb.core.USBError):
                    usb.util.dispose_resources(self._device)

    def _request(self, number: int, data: bytes) -> None:
        self._calmly(lambda: self._device.ctrl_transfer(_OUT, number, 0, self._number, data, _CLASS_MS))

    def _status(self) -> bool:
        """Whether the device is not ready yet; the endpoints it says it halted are let go."""
        told = self._calmly(lambda: self._device.ctrl_transfer(_IN, _STATUS, 0, self._number, 20, _CLASS_MS))
        if len(told) < 4:
            return False
        return int.from_bytes(bytes(told[2:4]), "little") == 0x2019

    def _unhalt(self) -> None:
        for endpoint in (self._in, self._out):
            with suppress(usb.core.USBError), self._busy:
                self._refuse_closed()
                self._device.clear_halt(endpoint)

    def _drain(self) -> None:
        """Take what is still under way and throw it away; bounded, as a device may go on for ever."""
        self._from = self._to = 0
        self._head = None
        until = time.monotonic() + self._patience.drain_s
        with suppress(usb.core.USBError), self._busy:
            self._refuse_closed()
            while time.monotonic() < until:
                self._device.read(self._in, self._buffer, 50)

    def _calmly(self, call: Callable[[], Any]) -> Any:
        """A class request; a device that refuses it is no worse for that."""
        try:
            with self._busy:
                self._refuse_closed()
                return call()
        except usb.core.USBTimeoutError as error:
            raise Broken("a class request was not answered") from error
        except usb.core.USBError as error:
            if error.errno == errno.EPIPE:
                return b""
            raise self._meant("read", error) from error

    # --- bytes --------------------------------------------------------------------------------------------------------

    def _next_head(self, transaction: int, wanted: int, until: float) -> Head:
        """The header of the next container of this operation; answers to operations that were cancelled are passed."""
        for _ in range(3):
            while self._to - self._from < HEADER.size:
                if not self._more(wanted + HEADER.size, until, keep=True):
                    raise Broken("half a header")
            try:
                found = head(self._bytes[self._from : self._to])
            except Malformed as error:
                raise Broken(str(error)) from error
            self._from += HEADER.size
            if found.kind not in {ContainerKind.DATA, ContainerKind.RESPONSE}:
                raise Broken(f"a container of the kind {found.kind} where data or a response was due")
            if found.transaction == transaction:
                return found
            if found.kind != ContainerKind.RESPONSE or found.transaction > transaction:
                break
            self._from = self._to
        raise Broken(f"an answer to transaction {found.transaction}, where {transaction} was asked")

    def _more(self, wanted: int, until: float, *, keep: bool = False) -> bool:
        """Read one transfer of at most ``wanted`` bytes, rounded up to whole packets; false at the end of the data.

        ``keep``: what was not taken yet stays in front of it. A container that says how long it is ends there; one that
        cannot ends with a packet that is not full.
        """
        self._keep(keep=keep)
        endless = self._head is not None and self._head.payload is None
        for _ in range(_EMPTY_MOST):
            if endless and self._is_short:
                self._is_short, self._left = False, 0
                return False
            room = len(self._buffer) - self._to
            asked = min(-(-wanted // self._packet) * self._packet, room - room % self._packet)
            got = self._read(asked, until)
            self._is_short = got < asked
            if got:
                return True
        raise Broken("nothing but empty packets")

    def _keep(self, *, keep: bool) -> None:
        rest = bytes(self._bytes[self._from : self._to]) if keep else b""
        self._bytes[: len(rest)] = rest
        self._from, self._to = 0, len(rest)

    def _read(self, asked: int, until: float) -> int:
        wait_ms = round((until - time.monotonic()) * 1000)
        if wait_ms <= 0:
            raise Broken("it took too long")
        try:
            with self._busy:
                self._refuse_closed()
                if self._to:
                    piece = array("B", bytes(asked))
                    got = self._device.read(self._in, piece, wait_ms)
                    self._bytes[self._to : self._to + got] = memoryview(piece)[:got]
                else:
                    target = self._buffer if asked == READ else array("B", bytes(asked))
                    got = self._device.read(self._in, target, wait_ms)
                    if target is not self._buffer:
                        self._bytes[:got] = memoryview(target)[:got]
        except usb.core.USBError as error:
            raise self._meant("read", error) from error
        self._to += got
        return int(got)

    def _write(self, data: bytes) -> None:
        try:
            with self._busy:
                self._refuse_closed()
                sent = self._device.write(self._out, data, round(self._patience.call_s * 1000))
        except usb.core.USBError as error:
            raise self._meant("read", error) from error
        if sent != len(data):
            raise Broken(f"only {sent} of {len(data)} bytes were taken")

    def _refuse_closed(self) -> None:
        """Whatever is asked of a device that was let go would open it again, and nobody would close it."""
        if self._closed:
            raise gone("read")

    def _meant(self, op: str, error: usb.core.USBError) -> BwcdockError | Broken:
        return meant(op, error, self._alive)


def gone(op: str) -> Unplugged:
    """The error for a recorder that went away."""
    return Unplugged(op, "The recorder is no longer there.", "Plug it in again; it goes on where it stopped.")


SETTLE_S: Final = 0.3
"""A cable that is pulled breaks transfers first; the bus says a moment later that there is nobody."""


def meant(op: str, error: usb.core.USBError, alive: Callable[[], bool]) -> BwcdockError | Broken:
    """What an error of libusb means."""
    if error.errno in _GONE:
        return gone(op)
    if error.errno == errno.EACCES:
        hint = "Let the service's group use it: put the udev rules in force, then plug it in again."
        return NotAllowed(op, "The USB device may not be opened.", hint)
    if error.errno == errno.EBUSY:
        hint = "End the program that holds it (a desktop's photo or media program, adb), then plug it in again."
        return NotAllowed(op, "Another program holds the USB device.", hint)
    if isinstance(error, usb.core.USBTimeoutError):
        return gone(op) if not alive() else Broken("it took too long")
    until = time.monotonic() + SETTLE_S
    while time.monotonic() < until:
        if not alive():
            return gone(op)
        time.sleep(0.02)
    return Broken(f"a transfer failed ({error.strerror})")


def _endpoints(interface: Any) -> tuple[Any, Any, Any]:
    """Bulk in, bulk out, and the interrupt endpoint where there is one."""
    found: dict[tuple[int, int], Any] = {}
    for endpoint in interface:
        kind = usb.util.endpoint_type(endpoint.bmAttributes)
        found.setdefault((kind, usb.util.endpoint_direction(endpoint.bEndpointAddress)), endpoint)
    bulk, interrupt = usb.util.ENDPOINT_TYPE_BULK, usb.util.ENDPOINT_TYPE_INTR
    try:
        pair = found[bulk, usb.util.ENDPOINT_IN], found[bulk, usb.util.ENDPOINT_OUT]
    except KeyError:
        what = "Its interface lacks an endpoint that MTP needs."
        raise NotAllowed("open", what, "It cannot be read this way; ask its maker.") from None
    return *pair, found.get((interrupt, usb.util.ENDPOINT_IN))
