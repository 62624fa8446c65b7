"""Makes a mutant cost little: what is quick and near comes first, and what goes round for ever is ended soon.

A plugin of pytest, for ``make mutants`` alone.
"""

import os
import signal
from collections.abc import Generator

import pytest

ENDLESS_S = 10
"""Processor time after which a test is taken to be endless; the longest needs two seconds."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They are given in no order. One example is quick, a property takes a second or three."""
    parts = os.environ.get("MUTANT_UNDER_TEST", "").split(".")

    def cost(item: pytest.Item) -> tuple[bool, bool, str]:
        is_property = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
        is_own = any(item.path.stem.startswith(f"test_{part}") for part in parts)
        return is_property, not is_own, item.nodeid

    items.sort(key=cost)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """End the whole process as the tool itself would: an exception would only make hypothesis try once more."""
    signal.signal(signal.SIGVTALRM, lambda *_: os.kill(os.getpid(), signal.SIGXCPU))
    signal.setitimer(signal.ITIMER_VIRTUAL, ENDLESS_S)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
