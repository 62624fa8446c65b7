"""The driver for ZZX recorders: who it is, how it is, its clock, and the way to its disk."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

from bwcdock.core.facts import Condition, Drift, Finding, Identity, Severity, Sighting
from bwcdock.errors import Misbehaved, NotAllowed
from bwcdock.ports import Recorder

from bwcdock_drivers import control
from bwcdock_drivers.mtp.clock import PAUSE_S, TURN_S, Reading, drift
from bwcdock_drivers.mtp.containers import Shown
from bwcdock_drivers.tape import Writing

from . import taped, wire
from .adb import Adb, Bridge
from .talk import ANSWER_S, Ended, Silent, Stream, Talk
from .wire import Ask, Malformed

T = TypeVar("T")

LEAVE_S: Final = 1.0
"""How long after the conversation broke off over disk mode the recorder may still be seen to go."""


class ZzxDriver:
    """Opens USB devices that an adb server reaches. ``bridge`` is where they are found."""

    name = taped.NAME

    def __init__(
        self,
        quirk_dirs: Sequence[Path] = (),  # noqa: ARG002  (its clock tells the moment, and its files are on its disk)
        *,
        bridge: Bridge | None = None,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._bridge = bridge or Adb()
        self._answer_s = answer_s

    def claims(self, sighting: Sighting) -> int:
        """30 by adb's interface, 10 where no adb server can be asked, else 0. Nothing is sent."""
        return self._bridge.certainty(sighting.source)

    def open(self, sighting: Sighting) -> AbstractContextManager[Recorder]:
        """Have its service started, and greet it."""
        return self._open(lambda: self._bridge.connect(sighting.source))

    def open_taped(self, sighting: Sighting, write: Callable[[str], object]) -> AbstractContextManager[Recorder]:
        """The same, and everything that is said is kept on a tape (:class:`bwcdock.ports.Tapes`)."""
        tape = Writing(write, self.name, control.about(sighting))
        return self._open(lambda: taped.Taped(self._bridge.connect(sighting.source), tape))

    def open_played(self, lines: Iterable[str]) -> AbstractContextManager[Recorder]:
        """The recorder a tape was made of, as far as the tape goes."""
        return self._open(lambda: taped.Played(lines))

    @contextmanager
    def _open(self, connect: Callable[[], Stream]) -> Iterator[Recorder]:
        stream = connect()
        try:
            yield ZzxRecorder(Talk(stream, self._answer_s))
        finally:
            stream.close()


class ZzxRecorder(control.Speaking):
    """One whose service answers. Used from one thread at a time."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self._secret: str | None = None
        self._mute: dict[str, type[Exception]] = {}  # questions that were met with silence or nonsense: not asked again
        try:
            talk.ask(Ask.INIT)
        except Silent as silent:
            if not talk.alive():
                raise talk.meant("open", silent) from silent
            what = "It speaks adb, and its service for docks does not answer."
            raise NotAllowed("open", what, "Choose file transfer in its menu where it is another make.") from silent
        except (Ended, Malformed) as error:
            raise talk.meant("open", error) from error
        self._model = talk.must("open", Ask.MODEL).get("IDCode", "")
        self._info = wire.info(talk.must("open", Ask.INFO))

    def identity(self) -> Identity:
        """Who it says it is, and who wears it."""
        told = self._info
        return control.identified(
            serial=told.serial,
            vendor="ZZX",
            model=self._model,
            user=" ".join(filter(None, (told.user_number, told.user_name))),
            unit=" ".join(filter(None, (told.unit_number, told.unit_name))),
            fallback="ZZX",
        )

    def condition(self, now: datetime) -> Condition:
        """Battery, room and clock, asked now."""
        since_s = time.monotonic()
        reading = self._optional("clock", self._clock)
        free, total = self._optional("room", lambda: wire.room(self._talk.ask(Ask.ROOM))) or (None, None)
        return Condition(
            battery=self._optional("battery", lambda: wire.battery(self._talk.ask(Ask.BATTERY))),
            storage_free=free,
            storage_total=total,
            drift=drift(reading, "+00:00", now, since_s) if reading else None,
            notes=(_NONSENSE,) if self._mute.get("clock") is Malformed else (),
        )

    def present(self) -> bool:
        """Whether it is still on the bus."""
        return self._talk.alive()

    def unlock(self, secret: str) -> None:
        """Send it the password, once (:class:`bwcdock.ports.Unlocks`)."""
        if not secret:
            raise control.wrong_password()
        said = self._talk.must("unlock", Ask.UNLOCK, {wire.PASSWORD: secret})
        if not control.answered("unlock", Malformed, lambda: wire.is_true(said, wire.PASSWORD)):
            raise control.wrong_password()
        self._secret = secret

    def switch_to_disk(self) -> None:
        """Have it become its disk, for this plug-in (:class:`bwcdock.ports.SwitchesToDisk`)."""
        try:
            said = self._talk.ask(Ask.TO_DISK, self._unlocked("switch"))
        except Ended as ended:
            self._must_be_going(ended)
            return
        except (Silent, Malformed) as error:
            raise self._talk.meant("switch", error) from error
        self._must_be_taken("switch", said, "It will not become a disk now; it may be recording.")

    def set_clock(self, now: datetime) -> Drift:
        """Set it at the next full second, read it again, and return the drift that is left.

        (:class:`bwcdock.ports.SetsClock`)
        """
        since_s, body = time.monotonic(), self._unlocked("set")
        ahead_s = 1 - now.microsecond / 1e6
        time.sleep(ahead_s)
        moment = wire.clock_text(now + timedelta(seconds=ahead_s))
        said = self._talk.must("set", Ask.SET_CLOCK, {**body, "Time": moment})
        self._must_be_taken("set", said, "Its clock was not set.")
        try:
            left = drift(self._clock(), "+00:00", now, since_s)
        except (Silent, Ended, Malformed) as error:
            raise self._talk.meant("set", error) from error
        if left is None:
            raise Misbehaved("set", "Its clock shows no time after it was set.", "Set it by hand (校时).")
        return left

    def _clock(self) -> Reading:
        """The clock at the turn of a second, where it turns in time."""
        until = time.monotonic() + TURN_S
        before: tuple[datetime, float] | None = None
        while True:
            began_s = time.monotonic()
            shown = wire.clock(self._talk.ask(Ask.CLOCK))
            ended_s = time.monotonic()
            time_shown = Shown(shown.replace(tzinfo=None), "+00:00")
            if before is not None and before[0] != shown:
                wide_ms = round((ended_s - before[1]) * 1000) + 1
                return Reading(text=f"{shown}", time=time_shown, at_s=ended_s, wide_ms=wide_ms, turned=True)
            if ended_s > until:
                wide_ms = round((ended_s - began_s) * 1000)
                return Reading(text=f"{shown}", time=time_shown, at_s=ended_s, wide_ms=wide_ms, turned=False)
            before = (shown, began_s)
            time.sleep(PAUSE_S)

    def _optional(self, what: str, ask: Callable[[], T]) -> T | None:
        """What a recorder need not tell. One that is gone, or has ended it, is at fault all the same."""
        if what in self._mute:
            return None
        try:
            return ask()
        except Ended as ended:
            raise self._talk.meant("read", ended) from ended
        except (Silent, Malformed) as error:
            if not self._talk.alive():
                raise self._talk.meant("read", error) from error
            self._mute[what] = type(error)
            return None

    def _unlocked(self, op: str) -> dict[str, str]:
        if self._secret is None:
            raise control.locked(op)
        return {wire.PASSWORD: self._secret}

    def _must_be_taken(self, op: str, said: Mapping[str, str], what: str) -> None:
        if said.get(wire.PASSWORD, "true").lower() == "false":
            raise NotAllowed(op, "It does not take its password any more.", "Dock it again.")
        if not control.answered(op, Malformed, lambda: wire.is_true(said, "Result")):
            raise NotAllowed(op, what, "End what it is doing, and dock it again.")

    def _must_be_going(self, ended: Exception) -> None:
        """It broke off over becoming a disk: it obeys, if it is gone in a moment."""
        until = time.monotonic() + LEAVE_S
        while self._talk.alive():
            if time.monotonic() > until:
                raise self._talk.meant("switch", ended) from ended
            time.sleep(0.02)


_NONSENSE = Finding(
    severity=Severity.WARN,
    code="clock.nonsense",
    what="What the recorder shows as its time is none.",
    remedy="Look at its screen, and set its clock by hand (校时).",
)
