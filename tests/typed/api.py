"""Only type-checked: what a driver author may rely on. It stops compiling when the contract changes."""

from bwcdock.ports import Driver, Recorder
from example_driver import LinesDriver, LinesRecorder


def a_driver(driver: LinesDriver) -> Driver:
    return driver


def a_recorder(recorder: LinesRecorder) -> Recorder:
    return recorder
