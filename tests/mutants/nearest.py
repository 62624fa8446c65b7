"""Makes a mutant cost little: the tests of its own module come first, and one that goes round for ever is ended soon.

A plugin of pytest, for ``make mutants`` alone.
"""

import os
import signal
from collections.abc import Generator

import pytest

ENDLESS_S = 10
"""Processor time after which a test is taken to be endless; the longest needs two seconds."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They are given in no order; the one that notices is most often of the file named like the module."""
    parts = os.environ.get("MUTANT_UNDER_TEST", "").split(".")
    items.sort(key=lambda item: (not any(item.path.stem.startswith(f"test_{part}") for part in parts), item.nodeid))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """End the whole process as the tool itself would: an exception would only make hypothesis try once more."""
    signal.signal(signal.SIGVTALRM, lambda *_: os.kill(os.getpid(), signal.SIGXCPU))
    signal.setitimer(signal.ITIMER_VIRTUAL, ENDLESS_S)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
