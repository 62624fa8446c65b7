"""What the tests of MTP recorders share: a device on a bus, and the driver that speaks to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bwcdock.core.facts import Item, Sighting
from bwcdock.ports import Recorder
from bwcdock.testing.mtp_ip import IpResponder
from bwcdock.testing.mtp_responder import MtpDevice
from bwcdock.testing.mtp_usb import Library, Plugged
from bwcdock_drivers.mtp.driver import MtpDriver
from bwcdock_drivers.mtp.protocol import Patience

SHORT = Patience(call_s=0.6, event_s=0.001, drain_s=0.2)
"""Where something is silent on purpose. Everything here answers in microseconds, a thousand times sooner."""

LONG = Patience(call_s=30, event_s=0.001, drain_s=0.3)

GIB = 1 << 30


@contextmanager
def opened(device: MtpDevice, patience: Patience = LONG, **plugged: Any) -> Iterator[Recorder]:
    """The recorder, opened over USB; afterwards nothing of it is held any more."""
    there = Plugged(device, **plugged)
    driver = MtpDriver(library=Library([there]), patience=patience)
    try:
        with driver.open(Sighting(port="usb-1", source=there.source)) as recorder:
            yield recorder
    finally:
        assert there.handles == 0


@contextmanager
def connected(device: MtpDevice, patience: Patience = LONG) -> Iterator[Recorder]:
    """The recorder, opened over TCP."""
    with IpResponder(device) as responder:
        sighting = Sighting(port="net-1", source=responder.source)
        with MtpDriver(patience=patience).open(sighting) as recorder:
            yield recorder


def named(recorder: Recorder, path: str) -> Item:
    """The item at this path."""
    return next(each for each in recorder.items() if each.path == path)


def whole(recorder: Recorder, item: Item, step: int = 1 << 18) -> bytes:
    """Everything of an item, as a pull reads it: what cannot be had is asked for again."""
    buffer, raw = memoryview(bytearray(step)), bytearray()
    while got := recorder.read_into(item, len(raw), buffer):
        raw += buffer[:got]
    return bytes(raw)


def codes(recorder: Recorder, now: Any) -> dict[str, Any]:
    """The findings of its condition, by code."""
    return {each.code: each for each in recorder.condition(now).notes}
