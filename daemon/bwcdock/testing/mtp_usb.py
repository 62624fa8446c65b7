"""USB for tests: a library below pyusb whose bus has :class:`~bwcdock.testing.mtp_responder.MtpDevice` plugged in.

pyusb itself is the real one; what would be libusb is here, and ``mtp_packets`` is the device. What is added is who may
open it, timeouts that are waited for, and a device that is gone from one moment to the next.
"""

import errno
import time
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from types import SimpleNamespace

import usb.backend
import usb.core

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

_FOREVER_MS = 60_000


@dataclass
class Plugged(Cable):
    """A device on the bus: who may open it, and how often it is open."""

    bus: int = 1
    address: int = 5
    forbidden: bool = False
    taken: bool = False
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
            bMaxPacketSize0=64, idVendor=VENDOR, idProduct=PRODUCT, bcdDevice=0x0100, iManufacturer=2, iProduct=3,
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
        address, kind, size = ((BULK_IN, 2, dev.packet), (BULK_OUT, 2, dev.packet), (INTERRUPT, 3, EVENT_BYTES))[ep]
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
        dev_handle.clear(getattr(ep, "bEndpointAddress", ep))

    def ctrl_transfer(
        self, dev_handle: Plugged, kind: int, request: int, value: int, index: int, data: "array[int]", timeout: int
    ) -> int:
        """Strings, and the requests of the still image class."""
        del index, timeout
        _there(dev_handle)
        if request == 0x06 and value >> 8 == 3:
            return _put(data, string(value & 0xFF))
        if kind & 0x60 != 0x20:
            raise _stalled()
        try:
            answer = dev_handle.ask_class(request)
        except Stalled:
            raise _stalled() from None
        return _put(data, answer) if kind & 0x80 else len(data)

    # --- transfers ----------------------------------------------------------------------------------------------------

    def bulk_write(self, dev_handle: Plugged, ep: int, intf: int, data: "array[int]", timeout: int) -> int:  # noqa: ARG002
        """A command, or the data that follows one."""
        _there(dev_handle)
        dev_handle.give(data.tobytes())
        return len(data)

    def bulk_read(self, dev_handle: Plugged, ep: int, intf: int, buff: "array[int]", timeout: int) -> int:  # noqa: ARG002
        """One transfer: it ends when ``buff`` is full, or with a packet that is not."""
        _there(dev_handle)
        try:
            got, ends = dev_handle.take(memoryview(buff))
        except Stalled:
            raise _stalled() from None
        return got if ends else _waited(dev_handle, got, timeout)

    def intr_read(self, dev_handle: Plugged, ep: int, intf: int, buff: "array[int]", timeout: int) -> int:  # noqa: ARG002
        """One event."""
        _there(dev_handle)
        told = dev_handle.event()
        return _waited(dev_handle, 0, timeout) if told is None else _put(buff, told)


def _there(plugged: Plugged) -> None:
    if not plugged.device.is_there:
        raise usb.core.USBError("No such device (it may have been disconnected)", -4, errno.ENODEV)


def _stalled() -> usb.core.USBError:
    return usb.core.USBError("Pipe error", -9, errno.EPIPE)


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
