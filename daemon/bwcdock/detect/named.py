"""Sightings of sources that somebody named: a directory, an image or a block device on the command line."""

import asyncio
import os
import stat
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from bwcdock.core.facts import Finding, Sighting
from bwcdock.core.names import escape
from bwcdock.errors import Misused


class Named:
    """The named sources, as long as they are there. A block device counts as plugged in just now, as does anything
    that changed within ``live_s``; an older image or folder is an old copy, and tells nothing about a clock.
    """

    def __init__(self, sources: Sequence[Path], *, live_s: float) -> None:
        self.hint = asyncio.Event()
        self._live_s = live_s
        self._sources: dict[str, Path] = {}
        for source in sources:
            path = source.absolute()
            try:
                kind = path.stat()
            except OSError as error:
                what = f"{source} cannot be looked at: {error.strerror}."
                raise Misused("ingest", what, "Name a directory, a disk image or a block device.") from error
            if not (stat.S_ISDIR(kind.st_mode) or stat.S_ISREG(kind.st_mode) or stat.S_ISBLK(kind.st_mode)):
                raise Misused("ingest", f"{source} is neither directory, file nor block device.", "Name one of these.")
            real = path.resolve()
            escaped = "/".join(escape(os.fsencode(part)) for part in real.parts[1:])
            self._sources[f"path:/{escaped}"] = real
        self._live: dict[str, bool] = {}

    @property
    def ports(self) -> tuple[str, ...]:
        """The port every source is shown under."""
        return tuple(self._sources)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Nothing: what is wrong with a source is said of its session."""
        return ()

    def current(self, now: datetime) -> tuple[Sighting, ...]:
        """The sources that are still there."""
        return tuple(
            Sighting(port=port, source=str(path), live=self._is_live(port, path, now))
            for port, path in self._sources.items()
            if path.exists()
        )

    def _is_live(self, port: str, path: Path, now: datetime) -> bool:
        """Decided once, at the first look: a sighting must not change while it is docked."""
        if port not in self._live:
            told = path.stat()
            age = abs(now.timestamp() - told.st_mtime)
            self._live[port] = stat.S_ISBLK(told.st_mode) or age <= self._live_s
        return self._live[port]
