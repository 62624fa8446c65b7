"""Finds MTP and PTP interfaces on the USB bus. What libusb knows of descriptors is read without opening anything."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import usb.core
import usb.util
from bwcdock.errors import NotAllowed

from .protocol import Broken, Patience
from .usb import Usb, gone, meant

STILL_IMAGE: Final = (0x06, 0x01, 0x01)
"""Class, subclass and protocol of PTP, which most recorders that speak MTP give as well."""

VENDOR: Final = (0xFF, 0xFF, 0x00)
"""What others give: anybody's own. Then only the interface's name tells that it is MTP."""

_ENGLISH = 0x0409
_SOURCE = re.compile(r"/dev/bus/usb/([0-9]{3})/([0-9]{3})")


def backend() -> Any:
    """libusb, the machine's own or the one that comes with the program; loaded once a process."""
    import libusb_package  # loads a library: only for whoever has a USB device to speak to

    found = libusb_package.get_libusb1_backend()
    if found is None:
        raise NotAllowed("open", "libusb cannot be used on this machine.", "Install libusb 1.0 (Debian: libusb-1.0-0).")
    return found


def is_usb(source: str) -> bool:
    """Whether this names a node of the USB bus."""
    return bool(_SOURCE.fullmatch(source))


def device(source: str, library: Any) -> Any | None:
    """The device behind a node such as ``/dev/bus/usb/001/005``; ``None`` where there is none now."""
    found = _SOURCE.fullmatch(source)
    if not found:
        return None
    try:
        there = usb.core.find(find_all=True, backend=library, bus=int(found[1]), address=int(found[2]))
        return next(iter(there), None)
    except usb.core.USBError:  # it went away under the look
        return None


def certainty(there: Any) -> int:
    """How surely a device speaks MTP: 70 by its class, 60 by its interface's name, 10 where that may not be asked."""
    interfaces = list(_interfaces(there))
    if any(_class(each) == STILL_IMAGE for each in interfaces):
        return 70
    unnamed = [each for each in interfaces if _class(each) == VENDOR and each.bNumEndpoints == 3]
    if not unnamed:
        return 0
    try:
        return 60 if any(_is_named_mtp(there, each) for each in unnamed) else 0
    except NotAllowed:
        return 10
    except Exception:  # no answer to a simple question: nobody this driver could speak to
        return 0
    finally:
        with suppress(usb.core.USBError):
            usb.util.dispose_resources(there)


def opened(source: str, library: Any, patience: Patience) -> Usb:
    """The MTP interface of a device, claimed."""
    there = device(source, library)
    if there is None:
        raise gone("open")

    def alive() -> bool:
        return device(source, library) is not None

    try:
        active = list(there.get_active_configuration())
        chosen = next((each for each in active if _class(each) == STILL_IMAGE), None)
        if chosen is None:
            chosen = next((each for each in active if _class(each) == VENDOR and _is_named_mtp(there, each)), None)
    except usb.core.USBError as error:
        usb.util.dispose_resources(there)
        told = meant("open", error, alive)
        raise _kept_apart(told) from error
    if chosen is None:
        usb.util.dispose_resources(there)
        raise NotAllowed("open", "The USB device has no MTP interface.", "Choose MTP or file transfer in its menu.")
    return Usb(there, chosen, alive, patience)


def _kept_apart(told: Exception) -> Exception:
    if isinstance(told, Broken):
        return NotAllowed("open", f"The USB device cannot be opened: {told}.", "Take it out and dock it again.")
    return told


def _interfaces(there: Any) -> Iterator[Any]:
    with suppress(usb.core.USBError):
        for configuration in there:
            yield from configuration


def _class(interface: Any) -> tuple[int, int, int]:
    return interface.bInterfaceClass, interface.bInterfaceSubClass, interface.bInterfaceProtocol


def _is_named_mtp(there: Any, interface: Any) -> bool:
    try:
        # In English without asking for the languages: pyusb would say of a node it may not open that it has none.
        name = usb.util.get_string(there, interface.iInterface, _ENGLISH) if interface.iInterface else ""
    except usb.core.USBError as error:
        told = meant("open", error, lambda: True)
        if isinstance(told, NotAllowed):
            raise told from error
        return False
    except (ValueError, IndexError):  # no text, or none at all
        return False
    return "MTP" in (name or "")
