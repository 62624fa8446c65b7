"""Sightings of sources that somebody named: a directory, an image or a block device on the command line."""

import asyncio
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from bwcdock.core.facts import Finding, Severity, Sighting
from bwcdock.core.intake import NOTE_NAME
from bwcdock.core.names import escape
from bwcdock.detect.folders import Door, Shape, shape_of
from bwcdock.errors import Misused


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """How a folder with a note of where its footage is from is let in: as one in a drop folder for such.

    ``stable_s`` is how long nothing in it may have changed; ``entries`` bounds the look at it.
    """

    door: Door
    stable_s: float
    entries: int


class Named:
    """The named sources, as long as they are there.

    A block device counts as plugged in just now. An image or a folder does not, however new it is: every copy is new,
    and what the recorder wrote when it was plugged in may be years old. ``live`` says of all of them that they were
    written by recorders plugged in just now; only who made them can know that. With ``intake`` a folder that holds a
    note of where its footage is from is shown when its door lets it in.
    """

    def __init__(self, sources: Sequence[Path], *, live: bool = False, intake: Intake | None = None) -> None:
        self.hint = asyncio.Event()
        self._sources: dict[str, Path] = {}
        self._live: dict[str, bool] = {}
        self._findings: tuple[Finding, ...] = ()
        self._intake = intake
        self._still: dict[str, tuple[Shape | None, datetime]] = {}
        self._let_in: dict[str, Sighting] = {}
        self.refused: dict[str, Finding] = {}
        """Why a folder with a note is not let in, by its port. It may be, once something in it changes."""
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

    def current(self, now: datetime) -> tuple[Sighting, ...]:
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
                if (sighting := self._sighting(port, path, now)) is not None:
                    there.append(sighting)
        self._findings = tuple(findings)
        return tuple(there)

    def _sighting(self, port: str, path: Path, now: datetime) -> Sighting | None:
        """How it is shown; ``None`` while a folder with a note is not let in."""
        if port in self._let_in:
            return self._let_in[port]
        sighting = Sighting(port=port, source=str(path), live=self._live[port])
        if self._intake is not None and os.path.lexists(path / NOTE_NAME):
            told = self._ask(port, path, self._intake, now)
            if told is None:
                return None
            sighting = replace(sighting, properties=told, live=False)
        self._let_in[port] = sighting  # what is written beside the footage later says nothing of what is under way
        return sighting

    def _ask(self, port: str, path: Path, intake: Intake, now: datetime) -> tuple[tuple[str, str], ...] | None:
        """What its note says, once it stood still and its door lets it in."""
        shape = shape_of(str(path), intake.entries)
        before = self._still.get(port)
        if before is None or before[0] != shape:
            self._still[port] = before = shape, now
            self.refused.pop(port, None)
        if port in self.refused or now - before[1] < timedelta(seconds=intake.stable_s):
            return None
        answer = intake.door.ask(path, (now - before[1]).total_seconds())
        for finding in answer.findings:
            self.refused[port] = finding
        return answer.properties


def _unseen(port: str, path: Path, error: OSError) -> Finding:
    return Finding(
        severity=Severity.WARN,
        code="source.unreadable",
        what=f"{escape(os.fsencode(path.name))} cannot be looked at: {error.strerror}.",
        remedy="Look after its disk, mount or permissions; it counts as taken away until then.",
        evidence=(("port", port),),
    )
