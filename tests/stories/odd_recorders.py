"""Fake recorders that say of themselves what a test wants: another identity, or trouble past the end of a file."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from bwcdock.core.facts import Identity, Item, Sighting
from bwcdock.errors import Unreadable
from bwcdock.ports import Recorder
from bwcdock.testing.recorder import SCHEME, FakeDriver, FakeRecorder, OpenedClockRecorder, OpenedRecorder
from bwcdock.testing.station import FakeWatch, StationBed


class OddDriver(FakeDriver):
    """Opens fake recorders under the ``identities`` given for them, and with ``walls`` behind their files' ends.

    ``read_s`` is how long every read takes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.identities: dict[str, Identity] = {}
        self.walls: set[str] = set()
        self.read_s = 0.0

    @contextmanager
    def _open(self, sighting: Sighting) -> Iterator[Recorder]:
        with super()._open(sighting):
            recorder = self.recorders[sighting.source.removeprefix(SCHEME)]
            yield (_OddClock if recorder.clock == "honest" else _Odd)(self, recorder)


class _Odd(OpenedRecorder):
    def __init__(self, driver: OddDriver, recorder: FakeRecorder) -> None:
        super().__init__(recorder)
        self._driver, self._name = driver, recorder.serial

    def identity(self) -> Identity:
        plain = super().identity()
        return self._driver.identities.get(self._name, plain)

    def read_into(self, item: Item, offset: int, buffer: memoryview) -> int:
        time.sleep(self._driver.read_s)
        if self._name in self._driver.walls and offset >= item.size:
            raise Unreadable("read", "There is nothing there.", "Do not read there.")
        return super().read_into(item, offset, buffer)


class _OddClock(_Odd, OpenedClockRecorder):
    """One whose clock can be set."""


def odd(bed: StationBed) -> OddDriver:
    """Make this station's recorders odd ones, before any of them is known."""
    driver = OddDriver()
    bed.driver, bed.drivers, bed.watch = driver, (driver,), FakeWatch(driver)
    return driver
