"""Sightings of sources that somebody named: a directory, an image or a block device on the command line."""

import asyncio
import os
import stat
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from bwcdock.core.facts import Finding, Severity, Sighting
from bwcdock.core.names import escape
from bwcdock.errors import Misused


class Named:
    """The named sources, as long as they are there.

    A block device counts as plugged in just now. An image or a folder does not, however new it is: every copy is new,
    and what the recorder wrote when it was plugged in may be years old. ``live`` says of all of them that they were
    written by recorders plugged in just now; only who made them can know that.
    """

    def __init__(self, sources: Sequence[Path], *, live: bool = False) -> None:
        self.hint = asyncio.Event()
        self._sources: dict[str, Path] = {}
        self._live: dict[str, bool] = {}
        self._findings: tuple[Finding, ...] = ()
        for source in sources:
            path = source.absolute()
            try:
                kind = path.stat().st_mode
            except OSError as error:
                what = f"{source} cannot be looked at: {error.strerror}."
                raise Misused("ingest", what, "Name a directory, a disk image or a block device.") from error
            if not (stat.S_ISDIR(kind) or stat.S_ISREG(kind) or stat.S_ISBLK(kind)):
                raise Misused("ingest", f"{source} is neither directory, file nor block device.", "Name one of these.")
            real = path.resolve()
            escaped = "/".join(escape(os.fsencode(part)) for part in real.parts[1:])
            self._sources[f"path:/{escaped}"] = real
            self._live[f"path:/{escaped}"] = live or stat.S_ISBLK(kind)

    @property
    def ports(self) -> tuple[str, ...]:
        """The port every source is shown under."""
        return tuple(self._sources)

    @property
    def awaited(self) -> tuple[str, ...]:
        """None: what was named is there or is not."""
        return ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Which sources could not be looked at the last time; what else is wrong with one is said of its session."""
        return self._findings

    def current(self, now: datetime) -> tuple[Sighting, ...]:  # noqa: ARG002  (what was named is there or is not)
        """The sources that are still there."""
        there: list[Sighting] = []
        findings: list[Finding] = []
        for port, path in self._sources.items():
            try:
                path.stat()
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                # A worn disk, or a share that went away: it is not docked now, and nothing else stops for it.
                findings.append(_unseen(port, path, error))
            else:
                there.append(Sighting(port=port, source=str(path), live=self._live[port]))
        self._findings = tuple(findings)
        return tuple(there)


def _unseen(port: str, path: Path, error: OSError) -> Finding:
    return Finding(
        severity=Severity.WARN,
        code="source.unreadable",
        what=f"{escape(os.fsencode(path.name))} cannot be looked at: {error.strerror}.",
        remedy="Look after its disk, mount or permissions; it counts as taken away until then.",
        evidence=(("port", port),),
    )
