"""The recorder's own side of a USB cable: what an :class:`~bwcdock.testing.mtp_responder.MtpDevice` says, in packets.

It keeps what matters on a bus: packets of a size, transfers that end with a packet that is not full, empty packets that
are sent or forgotten, endpoints that stall until they are cleared. Whoever is at the other end waits for himself:
``mtp_usb`` for pyusb, ``mtp_usbip`` for a kernel.
"""

import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from bwcdock.testing.mtp_responder import Answer, Fault, MtpDevice

BULK_IN, BULK_OUT, INTERRUPT = 0x81, 0x02, 0x83
VENDOR, PRODUCT = 0x1209, 0x0030
EVENT_BYTES = 64
_STRINGS = {1: "MTP", 2: "Acme", 3: "BodyCam"}


class Stalled(Exception):
    """The endpoint refuses until it is cleared; a request to the device itself only this once."""


@dataclass(slots=True)
class Segment:
    """What the device sends next: ``length`` bytes, after which a transfer ends or (``open_ended``) does not.

    After ``stop`` bytes happens ``does``, where a fault wants something to happen.
    """

    length: int
    fill: Callable[[int, memoryview], None]
    zero_packet: bool
    at: int = 0
    stop: int | None = None
    does: str = ""


@dataclass
class Cable:
    """A device on its cable. ``classes`` are those of its interface; ``packet`` is the size of its bulk packets."""

    device: MtpDevice
    packet: int = 512
    classes: tuple[int, int, int] = (0x06, 0x01, 0x01)
    named: int = 1
    refuses_class: bool = False
    out: deque[Segment] = field(default_factory=deque)
    halted: bool = False
    command: bytes = b""

    def take(self, view: memoryview) -> tuple[int, bool]:
        """Of a transfer into ``view``: the bytes that come now, and whether it ends with them.

        One that does not end has to be asked for the rest of it. :class:`Stalled` where it refuses.
        """
        got = 0
        while got < len(view):
            if self.halted:
                raise Stalled
            if not self.out or not self.device.is_there:
                return got, False
            segment = self.out[0]
            count = min(len(view) - got, segment.length - segment.at)
            if segment.stop is not None:
                count = min(count, segment.stop - segment.at)
                if not count:
                    self.out.clear()
                    _happen(self, segment.does)
                    continue
            segment.fill(segment.at, view[got : got + count])
            segment.at += count
            got += count
            self.device.served += count
            if segment.at == segment.length and (segment.length % self.packet or segment.stop is None):
                full = segment.length % self.packet == 0 and segment.length > 0
                self.out.popleft()
                if full and segment.zero_packet:
                    if got < len(view):
                        return got, True
                    self.out.appendleft(Segment(0, lambda _, __: None, zero_packet=False))
                elif not full:
                    return got, True
        return got, True

    def give(self, raw: bytes) -> None:
        """A command, or the data that follows one."""
        if not raw:
            return
        _, kind, op, transaction = struct.unpack_from("<IHHI", raw)
        if kind == 1 and op == 0x1016:
            self.command = raw
            return
        command, given = (self.command, raw[12:]) if kind == 2 else (raw, b"")
        self.command = b""
        params = struct.unpack(f"<{(len(command) - 12) // 4}I", command[12:])
        _respond(self, op, transaction, params, given)

    def event(self) -> bytes | None:
        """What it says unasked, if there is something."""
        with self.device.lock:
            if not self.device.events:
                return None
            code, params = self.device.events.pop(0)
        body = struct.pack(f"<{len(params)}I", *params)
        return struct.pack("<IHHI", 12 + len(body), 4, code, 0xFFFF_FFFF) + body

    def ask_class(self, request: int) -> bytes:
        """A request of the still image class: cancel, reset, or how it is."""
        if self.refuses_class:
            raise Stalled
        if request not in {0x64, 0x66}:
            return struct.pack("<HH", 4, 0x2001)
        self.out.clear()
        self.command = b""
        if request == 0x66:
            self.device.is_open = False
        return b""

    def clear(self, endpoint: int) -> None:
        """A stalled endpoint goes on."""
        if endpoint == BULK_IN:
            self.halted = False


def _respond(cable: Cable, op: int, transaction: int, params: tuple[int, ...], given: bytes) -> None:
    device = cable.device
    if (fault := device.fault(op, "command")) is not None and fault.does != "refuse":
        _happen(cable, fault.does)
        return
    answer = Answer(fault.code) if fault else device.answer(op, params, given)
    if answer.length is not None and answer.fill is not None:
        _send_data(cable, op, transaction, answer)
    if (fault := device.fault(op, "response")) is not None and fault.does != "refuse":
        if fault.does in {"silence", "stall", "vanish"}:
            cable.out.append(Segment(12, lambda _, __: None, zero_packet=False, stop=0, does=fault.does))
            return
        transaction += 7 if fault.does == "stranger" else 0
    code = fault.code if fault and fault.does == "refuse" else answer.code
    body = struct.pack(f"<{len(answer.params)}I", *answer.params)
    raw = struct.pack("<IHHI", 12 + len(body), 3, code, transaction) + body
    _queue(cable, b"\xee" * 40 if fault and fault.does == "garbage" else raw)


def _send_data(cable: Cable, op: int, transaction: int, answer: Answer) -> None:
    device, fault = cable.device, cable.device.fault(op, "data")
    length, fill = answer.length or 0, answer.fill
    assert fill is not None
    if device.samsung and op in {0x101B, 0x95C1} and length % 512 == 500:
        fault = Fault(op, "data", "silence", at=length // 2)
    if fault is not None and fault.does == "swap":
        return
    announced = length + {"longer": 1, "shorter": -1}.get(fault.does, 0) * fault.at if fault else length
    transaction += 7 if fault and fault.does == "stranger" else 0
    header = struct.pack("<IHHI", min(12 + announced, 0xFFFF_FFFF), 2, op, transaction)
    header = b"\xee" * 12 if fault and fault.does == "garbage" else header
    stop = 12 + fault.at if fault and fault.does in {"silence", "stall", "vanish"} else None
    if device.split_header and stop is None:
        _queue(cable, header)
        header = b""

    def serve(offset: int, view: memoryview) -> None:
        inside = header[offset : offset + len(view)]
        view[: len(inside)] = inside
        if len(inside) < len(view):
            fill(max(0, offset - len(header)), view[len(inside) :])

    total = len(header) + length
    cable.out.append(
        Segment(total, serve, zero_packet=device.zero_packets, stop=stop, does=fault.does if fault else "")
    )
    if not length and not header:
        cable.out.pop()


def _queue(cable: Cable, raw: bytes) -> None:
    def serve(offset: int, view: memoryview) -> None:
        view[:] = raw[offset : offset + len(view)]

    cable.out.append(Segment(len(raw), serve, zero_packet=cable.device.zero_packets))


def _happen(cable: Cable, does: str) -> None:
    if does == "stall":
        cable.halted = True
    elif does in {"vanish", "hang-up"}:
        cable.device.unplug()


def string(number: int) -> bytes:
    """The descriptor of one of its strings; 0 is the list of their languages."""
    body = b"\x09\x04" if number == 0 else _STRINGS[number].encode("utf-16-le")
    return bytes((len(body) + 2, 3)) + body
