"""USB/IP for tests: a :class:`~bwcdock.testing.mtp_packets.Cable` at one end of a connection, a kernel at the other.

Linux's vhci_hcd takes the other end for a device in a port of its own, and enumerates it like any other. The greeting
of USB/IP, by which a machine asks another one for a device, is not needed where the connection is handed to the kernel
itself. What a transfer had brought when it is taken back is lost: the protocol has no place for it.
"""

import errno
import select
import socket
import struct
import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from bwcdock.testing.mtp_packets import (
    BULK_IN,
    BULK_OUT,
    EVENT_BYTES,
    INTERRUPT,
    PRODUCT,
    VENDOR,
    Cable,
    Stalled,
    string,
)

_SUBMIT, _UNLINK, _SUBMITTED, _UNLINKED = 1, 2, 3, 4
_HEAD: Final = struct.Struct(">IIIII")  # command, number, device, direction, endpoint
_BODY: Final = 28  # of every command and answer, whatever is in it
_TICK_S = 0.02
"""How often is looked whether somebody changed the recorder: its cable, its events."""


@dataclass(slots=True)
class _Waiting:
    """A transfer from the device, by the kernel's number: what it has brought so far."""

    number: int
    raw: bytearray
    got: int = 0


class UsbIp:
    """Serves until the recorder is unplugged or the kernel hangs up; ``kernels`` is the end to hand over."""

    def __init__(self, cable: Cable) -> None:
        self.cable = cable
        self._ours, self.kernels = socket.socketpair()
        self._waiting: dict[int, deque[_Waiting]] = {BULK_IN: deque(), INTERRUPT: deque()}
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """The cable is pulled, and nothing of it is left."""
        self.cable.device.unplug()
        self._thread.join()
        self.kernels.close()

    def __enter__(self) -> "UsbIp":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- the conversation ---------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        with suppress(OSError, EOFError), self._ours:
            while self.cable.device.is_there:
                if select.select([self._ours], [], [], _TICK_S)[0]:
                    self._take()
                self._bring()

    def _take(self) -> None:
        """One command of the kernel's."""
        command, number, _, direction, endpoint = _HEAD.unpack(self._exactly(_HEAD.size))
        body = self._exactly(_BODY)
        if command == _UNLINK:
            self._unlink(number, *struct.unpack_from(">I", body))
        elif command == _SUBMIT:
            (length,) = struct.unpack_from(">I", body, 4)
            if endpoint == 0:
                self._control(number, body[-8:], b"" if direction else self._exactly(length))
            elif direction:
                self._waiting[0x80 | endpoint].append(_Waiting(number, bytearray(length)))
            else:
                self.cable.give(self._exactly(length))
                self._tell(number, 0, length)

    def _unlink(self, number: int, taken_back: int) -> None:
        """The kernel waits no longer for a transfer, unless that was answered in this moment."""
        status = 0
        for queue in self._waiting.values():
            for each in [each for each in queue if each.number == taken_back]:
                queue.remove(each)
                status = -errno.ECONNRESET
        self._ours.sendall(_HEAD.pack(_UNLINKED, number, 0, 0, 0) + struct.pack(">i", status).ljust(_BODY, b"\0"))

    def _control(self, number: int, setup: bytes, given: bytes) -> None:
        kind, request, value, index, length = struct.unpack("<BBHHH", setup)
        try:
            answer = self.cable.ask_class(request) if kind & 0x60 else self._standard(request, value, index)
        except Stalled:
            self._tell(number, -errno.EPIPE, 0)
        else:
            answer = answer[:length]
            self._tell(number, 0, len(answer) if kind & 0x80 else len(given), answer if kind & 0x80 else b"")

    def _standard(self, request: int, value: int, index: int) -> bytes:
        """What every USB device is asked for when it is plugged in."""
        if request == 0x06:
            return self._descriptor(value >> 8, value & 0xFF)
        if request == 0x01:
            self.cable.clear(index)
        return {0x00: b"\0\0", 0x08: b"\1"}.get(request, b"")  # its status, its configuration; the rest is set

    def _descriptor(self, kind: int, number: int) -> bytes:
        if kind == 1:
            numbers = (0x0200, 0, 0, 0, 64, VENDOR, PRODUCT, 0x0100, 2, 3, 0, 1)
            return struct.pack("<BBHBBBBHHHBBBB", 18, 1, *numbers)
        if kind == 2:
            ends = ((BULK_IN, 2, self.cable.packet), (BULK_OUT, 2, self.cable.packet), (INTERRUPT, 3, EVENT_BYTES))
            parts = struct.pack("<9B", 9, 4, 0, 0, len(ends), *self.cable.classes, self.cable.named)
            parts += b"".join(struct.pack("<BBBBHB", 7, 5, *end, 6) for end in ends)
            return struct.pack("<BBHBBBBB", 9, 2, 9 + len(parts), 1, 1, 0, 0x80, 250) + parts
        if kind == 3 and number in range(4):
            return string(number)
        raise Stalled

    # --- what the device sends ----------------------------------------------------------------------------------------

    def _bring(self) -> None:
        """Go on with whatever the kernel waits for, as far as there is something; first come, first served."""
        bulk = self._waiting[BULK_IN]
        while bulk:
            first, status = bulk[0], 0
            try:
                got, ends = self.cable.take(memoryview(first.raw)[first.got :])
            except Stalled:
                got, ends, status = 0, True, -errno.EPIPE
            first.got += got
            if not ends:
                break
            bulk.popleft()
            self._tell(first.number, status, first.got, memoryview(first.raw)[: first.got])
        while self._waiting[INTERRUPT] and (told := self.cable.event()):
            self._tell(self._waiting[INTERRUPT].popleft().number, 0, len(told), told)

    def _tell(self, number: int, status: int, length: int, data: bytes | memoryview = b"") -> None:
        """A transfer is over: how, and how many bytes went either way."""
        head = _HEAD.pack(_SUBMITTED, number, 0, 0, 0) + struct.pack(">iI", status, length).ljust(_BODY, b"\0")
        self._ours.sendall(head)
        if data:
            self._ours.sendall(data)

    def _exactly(self, count: int) -> bytes:
        raw = bytearray()
        while len(raw) < count:
            more = self._ours.recv(count - len(raw))
            if not more:
                raise EOFError
            raw += more
        return bytes(raw)
