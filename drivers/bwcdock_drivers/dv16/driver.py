"""The driver for DV16 recorders: who it is, how it is, its clock, and the way to its disk."""

import hmac
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from bwcdock.core.facts import Condition, Drift, Identity, Sighting
from bwcdock.errors import Misbehaved, NotAllowed, Unplugged
from bwcdock.ports import Recorder

from bwcdock_drivers import control
from bwcdock_drivers.matching import Looks
from bwcdock_drivers.quirks import Quirks, zone
from bwcdock_drivers.tape import Writing

from . import taped, wire
from .unit import Guarded, Nodes, Unit, Units
from .wire import Command, Malformed

STEP_MS: Final = 1000
"""Its clock is set in whole seconds, at the turn of one; how long it takes over that nobody knows."""


LEAVE_S: Final = 1.0
"""How long after a broken answer to the command for disk mode it may still be seen to go."""


class Dv16Driver:
    """Opens disks without a medium whose INQUIRY says DV16. ``units`` is where they are found."""

    name = taped.NAME

    def __init__(self, quirk_dirs: Sequence[Path] = (), *, units: Units | None = None) -> None:
        self._quirks = Quirks(quirk_dirs)
        self._units = units or Nodes()

    def claims(self, sighting: Sighting) -> int:
        """80 by its INQUIRY as long as it has no medium, else 0. Nothing is sent."""
        return 80 if wire.is_named(self._units.inquiry(sighting.source)) else 0

    def open(self, sighting: Sighting) -> AbstractContextManager[Recorder]:
        """Begin to speak with it."""
        return self._open(lambda: self._units.connect(sighting.source))

    def open_taped(self, sighting: Sighting, write: Callable[[str], object]) -> AbstractContextManager[Recorder]:
        """The same, and everything that is said is kept on a tape (:class:`bwcdock.ports.Tapes`)."""
        tape = Writing(write, self.name, control.about(sighting))
        return self._open(lambda: taped.Taped(self._units.connect(sighting.source), tape))

    def open_played(self, lines: Iterable[str]) -> AbstractContextManager[Recorder]:
        """The recorder a tape was made of, as far as the tape goes."""
        return self._open(lambda: taped.Played(lines))

    @contextmanager
    def _open(self, connect: Callable[[], Unit]) -> Iterator[Recorder]:
        unit = Guarded(connect())
        try:
            quirk = self._quirks.choose(Looks(label="", filesystem="", inquiry=wire.WORDS, paths=()))
            yield Dv16Recorder(unit, quirk.clock.zone)
        finally:
            unit.close()


class Dv16Recorder(control.Speaking):
    """One that was greeted. Used from one thread at a time."""

    def __init__(self, unit: Unit, clock_zone: str) -> None:
        self._unit, self._zone = unit, clock_zone
        self._is_unlocked = False
        self._tell("open", Command.INIT)
        self._model = control.answered("open", Malformed, lambda: wire.model(self._ask(Command.MODEL)))
        self._must_be_well("open")
        self._info = control.answered("open", Malformed, lambda: wire.info(self._ask(Command.INFO)))

    def identity(self) -> Identity:
        """Who it says it is, and who wears it."""
        told = self._info
        return control.identified(
            serial=told.serial,
            vendor="Jieli",
            model=self._model or "DV16",
            user=" ".join(filter(None, (told.user_number, told.user_name))),
            unit=" ".join(filter(None, (told.unit_number, told.unit_name))),
            fallback="DV16",
        )

    def condition(self, now: datetime) -> Condition:  # noqa: ARG002  (it shows no clock that could be compared)
        """Its battery; the rest is told by its disk."""
        return Condition(battery=control.answered("read", Malformed, lambda: wire.battery(self._ask(Command.BATTERY))))

    def present(self) -> bool:
        """Whether its disk is still on the bus."""
        return self._unit.alive()

    def unlock(self, secret: str) -> None:
        """Compare the password with the one it tells (:class:`bwcdock.ports.Unlocks`).

        It tells that to anybody, so this keeps nobody out. It is done because the bureau's password says who may.
        """
        told = control.answered("unlock", Malformed, lambda: wire.password(self._ask(Command.PASSWORD)))
        if not secret or not hmac.compare_digest(told, secret.encode("gbk", "replace")):
            raise control.wrong_password()
        self._is_unlocked = True

    def switch_to_disk(self) -> None:
        """Have it become its disk, for this plug-in (:class:`bwcdock.ports.SwitchesToDisk`)."""
        if not self._is_unlocked:
            raise control.locked("switch")
        if not control.answered("switch", Malformed, lambda: wire.has_card(self._ask(Command.CARD))):
            raise NotAllowed("switch", "It says that there is no card in it.", "Put its card in, and dock it again.")
        try:
            self._tell("switch", Command.TO_DISK)
        except Unplugged:
            return  # gone over it, which is how it obeys
        except Misbehaved:
            until = time.monotonic() + LEAVE_S
            while self._unit.alive():
                if time.monotonic() > until:
                    raise
                time.sleep(0.02)

    def set_clock(self, now: datetime) -> Drift:
        """Set it at the next full second (:class:`bwcdock.ports.SetsClock`).

        It has no command to read its clock: what is returned is what it said that it took, and no measurement.
        """
        if not self._is_unlocked:
            raise control.locked("set")
        since_s = time.monotonic()
        ahead_s = 1 - now.microsecond / 1e6
        at = now + timedelta(seconds=ahead_s)
        time.sleep(ahead_s)
        late_s = time.monotonic() - since_s - ahead_s
        self._tell("set", Command.SET_CLOCK, wire.clock(at.astimezone(zone(self._zone))))
        self._must_be_well("set")
        spent_ms = round((time.monotonic() - since_s - ahead_s) * 1000)
        return Drift(
            method="protocol",
            offset_ms=-round(late_s * 1000),
            uncertainty_ms=STEP_MS + spent_ms,
            read_at=at + timedelta(milliseconds=spent_ms),
        )

    def _ask(self, command: Command) -> bytes:
        return self._unit.take(wire.asking(command), wire.ANSWERS[command])

    def _tell(self, op: str, command: Command, data: bytes = b"") -> None:
        try:
            self._unit.give(wire.telling(command), data)
        except Misbehaved as error:
            raise Misbehaved(op, f"{command.name} was not taken: {error.what}", error.hint) from error

    def _must_be_well(self, op: str) -> None:
        if not control.answered(op, Malformed, lambda: wire.is_well(self._ask(Command.RESULT))):
            raise Misbehaved(op, "It says that it could not do what it was told.", "Take it out and dock it again.")
