"""Tells systemd how the station is: ready, what is going on, stopping; and that it lives, only where that is proven.

The protocol is that of sd_notify(3): one datagram of ``NAME=value`` lines to the socket named in ``$NOTIFY_SOCKET``.
Without systemd there is no such name, and nothing is sent. If it dies anywhere here, systemd hears nothing more and
starts it again, which is what the watchdog is for.
"""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import structlog

from bwcdock.core.live import LiveView
from bwcdock.core.view import Lamp
from bwcdock.errors import Misused

log = structlog.get_logger()

ROUNDS: Final = 3
"""Rounds in one watchdog time: two may come late or find the ledger busy before systemd acts."""

FIRST_LOOK_S: Final = 0.1
"""How often it is asked whether the first look is done: READY must not lag behind it by more."""

STATUS_LENGTH: Final = 200
"""Characters of a status: `systemctl status` shows one line."""


STUCK_S: Final = 1800.0
"""How long a lane may work without a sign: a file of 64 GiB is read back in that time at 40 MB/s, without one."""


class Line(Protocol):
    """A lane: its name, how many calls run or wait there, and a number that grows as they get on."""

    name: str

    @property
    def signs(self) -> int:
        """Signs of life so far."""
        ...

    @property
    def waiting(self) -> int:
        """How many calls run or wait."""
        ...


class Pulse(Protocol):
    """What the watchdog asks of the station. Everything but :meth:`owed` answers at once."""

    @property
    def turns(self) -> int:
        """How many turns the station's loop has made."""
        ...

    @property
    def looked(self) -> bool:
        """Whether everything that was docked at the start was seen once."""
        ...

    @property
    def lanes(self) -> Sequence[Line]:
        """The station's own lanes, whose calls end by themselves: not those to central storage, which may hang."""
        ...

    async def owed(self) -> int:
        """How many recordings are owed: asked of the ledger itself, on the lane everything needs."""
        ...

    def live(self) -> LiveView:
        """What is docked and moves now."""
        ...


class Notifier:
    """The way to the service manager; quiet where there is none. ``address`` is ``$NOTIFY_SOCKET``.

    A path, or a name in the abstract namespace after ``@``; ``Misused`` where it is neither (sd_notify(3) has another
    kind for virtual machines).
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        if not address:
            return
        if address[0] not in "/@" or len(address) < 2:
            what = f"$NOTIFY_SOCKET is {address!r}, neither a path nor an abstract name."
            raise Misused("notify systemd", what, "Start it by its unit, or without that variable.")
        self._address = "\0" + address[1:] if address[0] == "@" else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(0)  # the loop waits for nobody

    def ready(self, status: str) -> None:
        """The station is at work."""
        self._send("READY=1", _status(status))

    def alive(self, status: str) -> None:
        """The station was alive when this was called."""
        self._send("WATCHDOG=1", _status(status))

    def status(self, status: str) -> None:
        """What is going on, without a word on being alive."""
        self._send(_status(status))

    def stopping(self) -> None:
        """It ends on purpose."""
        self._send("STOPPING=1", _status("leaving the recorders"))

    def close(self) -> None:
        """Let go of the socket; harmless twice."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *lines: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:  # systemd is re-executing or its queue is full: the next round says it again
            log.warning("systemd.deaf", what=str(error))


def notifier(environ: Mapping[str, str]) -> Notifier:
    """The notifier for this environment."""
    return Notifier(environ.get("NOTIFY_SOCKET", ""))


def watchdog_s(environ: Mapping[str, str], pid: int) -> float | None:
    """Seconds of silence that systemd allows process ``pid``; ``None`` where it does not watch.

    By sd_watchdog_enabled(3). ``Misused`` where ``$WATCHDOG_USEC`` is no number: then nobody knows how often to speak.
    """
    told = environ.get("WATCHDOG_USEC", "")
    if not told or environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    if not (told.isascii() and told.isdigit() and int(told)):
        what = f"$WATCHDOG_USEC is {told!r}, no number of microseconds."
        raise Misused("notify systemd", what, "Start it by its unit, or without that variable.")
    return int(told) / 1_000_000


async def attend(
    pulse: Pulse, tell: Notifier, silence_s: float | None, *, status_s: float = 10.0, stuck_s: float = STUCK_S
) -> None:
    """READY after the first look, then round after round what is going on, and WATCHDOG=1 where it is earned.

    Runs until cancelled. ``silence_s`` is the watchdog's time; without one a round comes every ``status_s``.
    """
    while not pulse.looked:  # noqa: ASYNC110 (the first look ends on a lane; nobody else waits for it)
        await asyncio.sleep(FIRST_LOOK_S)
    tell.ready(said(pulse.live(), owed=None))
    round_s = status_s if silence_s is None else silence_s / ROUNDS
    turns, ears, question = -1, _Ears(stuck_s), asyncio.ensure_future(pulse.owed())
    try:
        while True:
            await asyncio.wait({question}, timeout=round_s)
            stuck = ears.silent(pulse.lanes, asyncio.get_running_loop().time())
            why = _unwell(pulse.turns - turns, stuck) or _unanswered(question)
            turns = pulse.turns
            if why:
                log.error("watchdog.withheld", why=why)
                tell.status(f"not well: {why}")
            else:
                tell.alive(said(pulse.live(), owed=question.result()))
            if question.done():  # one at a time: a ledger that hangs must not be buried under more of them
                await asyncio.sleep(round_s)
                question = asyncio.ensure_future(pulse.owed())
    except Exception:  # a fault of the program: told now, for systemd will end this process for its silence
        log.exception("systemd.bug")
        raise
    finally:
        question.cancel()


class _Ears:
    """Remembers when each lane was last heard of."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._heard: dict[str, tuple[int, float]] = {}

    def silent(self, lanes: Sequence[Line], now: float) -> list[str]:
        """The names of those that have work, and gave no sign for longer than the limit."""
        for lane in lanes:
            signs, _ = self._heard.get(lane.name, (-1, now))
            if lane.signs != signs or not lane.waiting:
                self._heard[lane.name] = (lane.signs, now)
        return [lane.name for lane in lanes if now - self._heard[lane.name][1] > self._limit_s]


def _unwell(turned: int, stuck: Sequence[str]) -> str:
    """Why no sign of life is earned; empty where one is."""
    if not turned:
        return "the loop does not turn"
    return f"no sign of life from lane {', '.join(stuck)}" if stuck else ""


def _unanswered(question: "asyncio.Future[int]") -> str:
    """What is wrong with the ledger's answer; empty where it is there."""
    if not question.done():
        return "the ledger does not answer"
    error = question.exception()
    return f"the ledger cannot answer: {error}" if error else ""


def said(live: LiveView, owed: int | None) -> str:
    """What is going on in one line: recorders docked, being pulled, safe to take, in want of a person; what is owed."""
    lamps = [session.lamp for session in live.sessions]
    told = [f"{len(lamps)} docked"]
    for name, kinds in (
        ("pulling", {Lamp.READING, Lamp.PULLING}),
        ("safe to take", {Lamp.SAFE_TO_TAKE, Lamp.NOTHING_OWED}),
        ("being written to", {Lamp.WAIT}),
        ("to look after", {Lamp.ATTENTION}),
    ):
        if count := sum(lamp in kinds for lamp in lamps):
            told.append(f"{count} {name}")
    left = sum(session.bytes - session.moved for session in live.sessions)
    if left:
        told.append(f"{left / 1e9:.1f} GB to pull")
    if owed is not None:
        told.append(f"{owed} owed to central storage")
    return ", ".join(told)


def _status(text: str) -> str:
    # A line break would begin another assignment.
    return f"STATUS={' '.join(text.split())[:STATUS_LENGTH]}"
