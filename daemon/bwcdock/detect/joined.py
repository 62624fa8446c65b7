"""Several watches as one."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from bwcdock.core.facts import Finding, Sighting
from bwcdock.ports import Watch


class Joinable(Watch, Protocol):
    """A watch that is started on the loop and closed in the end."""

    def start(self) -> None:
        """Begin."""
        ...

    def close(self) -> None:
        """End."""
        ...


class Joined:
    """What any of ``watches`` sights, with one hint for all of them. Ports are told apart by their makers."""

    def __init__(self, watches: Sequence[Joinable]) -> None:
        self.hint = asyncio.Event()
        self._watches = tuple(watches)
        for watch in self._watches:
            watch.hint = self.hint

    def start(self) -> None:
        """Start each; what was started is closed again where a later one cannot be."""
        for at, watch in enumerate(self._watches):
            try:
                watch.start()
            except BaseException:
                for started in self._watches[:at]:
                    started.close()
                raise

    def close(self) -> None:
        """Close each."""
        for watch in self._watches:
            watch.close()

    def current(self, now: datetime) -> tuple[Sighting, ...]:
        """Everything that is docked."""
        return tuple(sighting for watch in self._watches for sighting in watch.current(now))

    @property
    def awaited(self) -> frozenset[str]:
        """Ports that any of them keeps for what may come back."""
        return frozenset(port for watch in self._watches for port in watch.awaited)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong anywhere."""
        return tuple(finding for watch in self._watches for finding in watch.findings)
