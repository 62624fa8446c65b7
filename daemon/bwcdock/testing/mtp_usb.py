"""USB for tests: a library below pyusb whose bus has :class:`~bwcdock.testing.mtp_responder.MtpDevice` plugged in.

pyusb itself is the real one; what would be libusb is here. It keeps what matters on a bus: packets of a size, transfers
that end with a packet that is not full, empty packets that are sent or forgotten, endpoints that stall until they are
cleared, timeouts that are waited for, and a device that is gone from one moment to the next.
"""

import errno
import struct
import time
from array import array
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace

import usb.backend
import usb.core

from bwcdock.testing.mtp_responder import Answer, Fault, MtpDevice

BULK_IN, BULK_OUT, INTERRUPT = 0x81, 0x02, 0x83
_STRINGS = {1: "MTP", 2: "Acme", 3: "BodyCam"}
_FOREVER_MS = 60_000


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
class Plugged:
    """A device on the bus. ``classes`` are those of its interface; ``packet`` the size of its bulk packets."""

    device: MtpDevice
    bus: int = 1
    address: int = 5
    packet: int = 512
    classes: tuple[int, int, int] = (0x06, 0x01, 0x01)
    named: int = 1
    refuses_class: bool = False
    forbidden: bool = False
    taken: bool = False
    out: deque[Segment] = field(default_factory=deque)
    halted: bool = False
    command: bytes = b""
    handles: int = 0

    @property
    def source(self) -> str:
        """Its node."""
        return f"/dev/bus/usb/{self.bus:03}/{self.address:03}"


class Library(usb.backend.IBackend):  # type: ignore[misc]
    """What pyusb finds instead of libusb."""

    def __init__(self, plugged: Iterable[Plugged]) -> None:
        super().__init__()
        self.plugged = list(plugged)

    # --- descriptors --------------------------------------------------------------------------------------------------

    def enumerate_devices(self) -> list[Plugged]:
        """Those that are there."""
        return [each for each in self.plugged if each.device.is_there]

    def get_parent(self, dev: Plugged) -> None:  # noqa: ARG002
        """Nobody's."""
        return

    def get_device_descriptor(self, dev: Plugged) -> SimpleNamespace:
        """As a recorder gives it."""
        return SimpleNamespace(
            bLength=18, bDescriptorType=1, bcdUSB=0x0200, bDeviceClass=0, bDeviceSubClass=0, bDeviceProtocol=0,
            bMaxPacketSize0=64, idVendor=0x1209, idProduct=0x0030, bcdDevice=0x0100, iManufacturer=2, iProduct=3,
            iSerialNumber=0, bNumConfigurations=1, address=dev.address, bus=dev.bus, port_number=1, port_numbers=(1,),
            speed=3,
        )  # fmt: skip

    def get_configuration_descriptor(self, dev: Plugged, config: int) -> SimpleNamespace:  # noqa: ARG002
        """One configuration."""
        if config:
            raise IndexError(config)
        return SimpleNamespace(
            bLength=9, bDescriptorType=2, wTotalLength=39, bNumInterfaces=1, bConfigurationValue=1, iConfiguration=0,
            bmAttributes=0x80, bMaxPower=250, extra_descriptors=b"",
        )  # fmt: skip

    def get_interface_descriptor(self, dev: Plugged, intf: int, alt: int, config: int) -> SimpleNamespace:
        """One interface."""
        if intf or alt or config:
            raise IndexError(intf)
        kind, sub, protocol = dev.classes
        return SimpleNamespace(
            bLength=9, bDescriptorType=4, bInterfaceNumber=0, bAlternateSetting=0, bNumEndpoints=3,
            bInterfaceClass=kind, bInterfaceSubClass=sub, bInterfaceProtocol=protocol, iInterface=dev.named,
            extra_descriptors=b"",
        )  # fmt: skip

    def get_endpoint_descriptor(self, dev: Plugged, ep: int, intf: int, alt: int, config: int) -> SimpleNamespace:  # noqa: ARG002
        """Three endpoints."""
        address, kind, size = ((BULK_IN, 2, dev.packet), (BULK_OUT, 2, dev.packet), (INTERRUPT, 3, 64))[ep]
        return SimpleNamespace(
            bLength=7, bDescriptorType=5, bEndpointAddress=address, bmAttributes=kind, wMaxPacketSize=size, bInterval=6,
            bRefresh=0, bSynchAddress=0, extra_descriptors=b"",
        )  # fmt: skip

    # --- handles ------------------------------------------------------------------------------------------------------

    def open_device(self, dev: Plugged) -> Plugged:
        """Counted, so that a test sees what was left open."""
        _there(dev)
        if dev.forbidden:
            raise usb.core.USBError("Access denied", -3, errno.EACCES)
        dev.handles += 1
        return dev

    def close_device(self, dev_handle: Plugged) -> None:
        """Counted."""
        dev_handle.handles -= 1

    def set_configuration(self, dev_handle: Plugged, config_value: int) -> None:
        """It has one."""

    def get_configuration(self, dev_handle: Plugged) -> int:
        """It has one."""
        _there(dev_handle)
        return 1

    def claim_interface(self, dev_handle: Plugged, intf: int) -> None:  # noqa: ARG002
        """Unless somebody else has it."""
        _there(dev_handle)
        if dev_handle.taken:
            raise usb.core.USBError("Resource busy", -6, errno.EBUSY)

    def release_interface(self, dev_handle: Plugged, intf: int) -> None:  # noqa: ARG002
        """Let go."""
        _there(dev_handle)

    def clear_halt(self, dev_handle: Plugged, ep: int) -> None:
        """A stalled endpoint goes on."""
        _there(dev_handle)
        if getattr(ep, "bEndpointAddress", ep) == BULK_IN:
            dev_handle.halted = False

    def ctrl_transfer(
        self, dev_handle: Plugged, kind: int, request: int, value: int, index: int, data: "array[int]", timeout: int
    ) -> int:
        """Strings, and the requests of the still image class."""
        del index, timeout
        _there(dev_handle)
        if request == 0x06 and value >> 8 == 3:
            return _put(data, _string(value & 0xFF))
        if kind & 0x60 != 0x20 or dev_handle.refuses_class:
            raise usb.core.USBError("Pipe error", -9, errno.EPIPE)
        if request in {0x64, 0x66}:
            dev_handle.out.clear()
            dev_handle.command = b""
            if request == 0x66:
                dev_handle.device.is_open = False
            return len(data)
        return _put(data, struct.pack("<HH", 4, 0x2001))

    # --- transfers ----------------------------------------------------------------------------------------------------

    def bulk_write(self, dev_handle: Plugged, ep: int, intf: int, data: "array[int]", timeout: int) -> int:  # noqa: ARG002
        """A command, or the data that follows one."""
        _there(dev_handle)
        raw = data.tobytes()
        if not raw:
            return 0
        _, kind, op, transaction = struct.unpack_from("<IHHI", raw)
        if kind == 1 and op == 0x1016:
            dev_handle.command = raw
            return len(raw)
        command, given = (dev_handle.command, raw[12:]) if kind == 2 else (raw, b"")
        dev_handle.command = b""
        params = struct.unpack(f"<{(len(command) - 12) // 4}I", command[12:])
        _respond(dev_handle, op, transaction, params, given)
        return len(raw)

    def bulk_read(self, dev_handle: Plugged, ep: int, intf: int, buff: "array[int]", timeout: int) -> int:  # noqa: ARG002
        """One transfer: it ends when ``buff`` is full, or with a packet that is not."""
        view, got = memoryview(buff), 0
        while got < len(view):
            _there(dev_handle)
            if dev_handle.halted:
                raise usb.core.USBError("Pipe error", -9, errno.EPIPE)
            if not dev_handle.out:
                return _waited(dev_handle, got, timeout)
            segment = dev_handle.out[0]
            count = min(len(view) - got, segment.length - segment.at)
            if segment.stop is not None:
                count = min(count, segment.stop - segment.at)
                if not count:
                    dev_handle.out.clear()
                    _happen(dev_handle, segment.does)
                    continue
            segment.fill(segment.at, view[got : got + count])
            segment.at += count
            got += count
            dev_handle.device.served += count
            if segment.at == segment.length and (segment.length % dev_handle.packet or segment.stop is None):
                full = segment.length % dev_handle.packet == 0 and segment.length > 0
                dev_handle.out.popleft()
                if full and segment.zero_packet:
                    if got < len(view):
                        return got
                    dev_handle.out.appendleft(Segment(0, lambda _, __: None, zero_packet=False))
                elif not full:
                    return got
        return got

    def intr_read(self, dev_handle: Plugged, ep: int, intf: int, buff: "array[int]", timeout: int) -> int:  # noqa: ARG002
        """One event."""
        _there(dev_handle)
        with dev_handle.device.lock:
            if dev_handle.device.events:
                code, params = dev_handle.device.events.pop(0)
                body = struct.pack(f"<{len(params)}I", *params)
                return _put(buff, struct.pack("<IHHI", 12 + len(body), 4, code, 0xFFFF_FFFF) + body)
        return _waited(dev_handle, 0, timeout)


def _respond(plugged: Plugged, op: int, transaction: int, params: tuple[int, ...], given: bytes) -> None:
    device = plugged.device
    if (fault := device.fault(op, "command")) is not None and fault.does != "refuse":
        _happen(plugged, fault.does)
        return
    answer = Answer(fault.code) if fault else device.answer(op, params, given)
    if answer.length is not None and answer.fill is not None:
        _send_data(plugged, op, transaction, answer)
    if (fault := device.fault(op, "response")) is not None and fault.does != "refuse":
        if fault.does in {"silence", "stall", "vanish"}:
            plugged.out.append(Segment(12, lambda _, __: None, zero_packet=False, stop=0, does=fault.does))
            return
        transaction += 7 if fault.does == "stranger" else 0
    code = fault.code if fault and fault.does == "refuse" else answer.code
    body = struct.pack(f"<{len(answer.params)}I", *answer.params)
    raw = struct.pack("<IHHI", 12 + len(body), 3, code, transaction) + body
    _queue(plugged, b"\xee" * 40 if fault and fault.does == "garbage" else raw)


def _send_data(plugged: Plugged, op: int, transaction: int, answer: Answer) -> None:
    device, fault = plugged.device, plugged.device.fault(op, "data")
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
        _queue(plugged, header)
        header = b""

    def serve(offset: int, view: memoryview) -> None:
        inside = header[offset : offset + len(view)]
        view[: len(inside)] = inside
        if len(inside) < len(view):
            fill(max(0, offset - len(header)), view[len(inside) :])

    total = len(header) + length
    plugged.out.append(
        Segment(total, serve, zero_packet=device.zero_packets, stop=stop, does=fault.does if fault else "")
    )
    if not length and not header:
        plugged.out.pop()


def _queue(plugged: Plugged, raw: bytes) -> None:
    def serve(offset: int, view: memoryview) -> None:
        view[:] = raw[offset : offset + len(view)]

    plugged.out.append(Segment(len(raw), serve, zero_packet=plugged.device.zero_packets))


def _happen(plugged: Plugged, does: str) -> None:
    if does == "stall":
        plugged.halted = True
    elif does in {"vanish", "hang-up"}:
        plugged.device.unplug()


def _there(plugged: Plugged) -> None:
    if not plugged.device.is_there:
        raise usb.core.USBError("No such device (it may have been disconnected)", -4, errno.ENODEV)


def _waited(plugged: Plugged, got: int, timeout_ms: int) -> int:
    """Nothing comes: what came so far once the time is up, and an error where that is nothing."""
    until = time.monotonic() + min(timeout_ms, _FOREVER_MS) / 1000
    while time.monotonic() < until:
        _there(plugged)
        time.sleep(min(0.005, max(0.0, until - time.monotonic())))
    if not got:
        raise usb.core.USBTimeoutError("Operation timed out", -7, errno.ETIMEDOUT)
    return got


def _put(target: "array[int]", raw: bytes) -> int:
    count = min(len(raw), len(target))
    target[:count] = array("B", raw[:count])
    return count


def _string(number: int) -> bytes:
    body = b"\x09\x04" if number == 0 else _STRINGS[number].encode("utf-16-le")
    return bytes((len(body) + 2, 3)) + body
