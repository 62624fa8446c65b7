"""One look at the station for all screens: what changed is drawn once a language and goes to every one of them.

Nothing waits in a queue for a screen. Each has a number, of the last change it was sent; when it is ready for more it
is sent what changed since, as it is then. A slow one misses what happened between and costs nothing; one that takes
nothing for a while is left.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import structlog

from bwcdock.core.live import RoomView
from bwcdock.core.wall import Card, Strip, strip, wall
from bwcdock.errors import BwcdockError
from bwcdock.lanes import Lane
from bwcdock.web.house import House
from bwcdock.web.wall.drawing import Drawn, Pencil, edition
from bwcdock.web.wall.eyes import Eyes, Handed, Registers, Seen, registers
from bwcdock.web.words import Language

log = structlog.get_logger()

LOOK_S = 0.2
"""How often the station is looked at: with how often it publishes, a change is on the screen within a second."""

LOOK_LIMIT_S = 5.0
"""How long a look may take; a disk that hangs longer is a station that does not answer."""

BEAT_S = 0.9
"""How often every screen is sent a sign of life, whatever changes: at least every second."""

REGISTERS_S = 4.0
"""How often the register is asked for what people changed at the desk; at once where something new is docked."""

STRIP = "strip"
"""The name of the strip among what is drawn; no card is called so."""

LINGER_S = 30.0
"""How long it goes on looking after the last screen has gone: a page that is loaded anew finds it at work."""


@dataclass(slots=True)
class _Shown:
    """A card as it is now, and the number of its last change."""

    drawn: Drawn
    changed: int


@dataclass(slots=True)
class _Text:
    """What was drawn of it in one language: of which change, since which it reads so, and the event that tells it."""

    of: int
    text: str
    since: int
    event: str


class Hub:
    """The wall of one house. All methods belong to the event loop; it begins to look when it is first asked for."""

    def __init__(self, house: House) -> None:
        self.screens = 0
        self.pencil = Pencil(house.settings)
        self.closed = False
        self._house = house
        self._eyes = Eyes(house.settings)
        self._lane: Lane | None = None
        self._task: asyncio.Task[None] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._asked: tuple[object, float] = (None, -REGISTERS_S)
        self._registers = Registers()
        self._cards: dict[str, _Shown] = {}
        self._texts: dict[tuple[Language, str], _Text] = {}
        self._strip = Strip(runs=False, answers=False)
        self._number = self._ordered = self._stripped = 0
        self._beaten_at = self._wanted_at = 0.0
        self._shown: datetime | None = None
        """When the station published what is on the screens."""
        self._turn = asyncio.Event()

    # --- for screens --------------------------------------------------------------------------------------------------

    async def ready(self) -> None:
        """Wait until the station was looked at."""
        loop = asyncio.get_running_loop()
        self._wanted_at = loop.time()
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._run())
        while not self._number and not self._task.done():
            await self._turn.wait()

    @contextmanager
    def screen(self) -> Iterator[None]:
        """A screen follows."""
        self.screens += 1
        try:
            yield
        finally:
            self.screens -= 1
            self._wanted_at = asyncio.get_running_loop().time()

    def since(self, seen: int, language: Language) -> tuple[str, int]:
        """The events for a screen that was sent everything up to ``seen`` (0: nothing yet), and what it has then."""
        events = [] if seen else [_event("hello", edition=edition())]
        for key in self._cards:
            text = self._text(language, key)
            if text.since > seen:
                events.append(text.event)
        if self._ordered > seen:
            events.append(_event("order", ids=list(self._cards)))
        told = self._strip_text(language)
        if told.since > seen:
            events.append(told.event)
        now = self._house.clock.now()
        events.append(
            _event(
                "beat",
                runs=self._strip.runs,
                answers=self._strip.answers,
                time=self.pencil.time(now),
                shown=_iso(self._shown) if self._shown else "",
            )
        )
        return "".join(events), self._number

    @property
    def turn(self) -> asyncio.Event:
        """Set when there is something newer to send than now, if only a sign of life."""
        return self._turn

    # --- for the page and its dialogues -------------------------------------------------------------------------------

    @property
    def cards(self) -> tuple[Card, ...]:
        """The cards in order."""
        return tuple(shown.drawn.card for shown in self._cards.values())

    @property
    def answers(self) -> bool:
        """Whether a daemon works here and says so."""
        return self._strip.answers

    def drawn(self, key: str) -> Drawn | None:
        """What the card of this name is drawn from; ``None`` where there is no such card."""
        shown = self._cards.get(key)
        return shown.drawn if shown else None

    def html(self, language: Language) -> tuple[list[str], str]:
        """The cards in order, and the strip."""
        return [self._text(language, key).text for key in self._cards], self._strip_text(language).text

    def close(self) -> None:
        """Look no more; every screen is let go."""
        self.closed = True
        for task in (self._task, self._asking):
            if task is not None:
                task.cancel()
        if self._lane is not None:
            self._lane.close()
        self._wake()

    # --- looking ------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while not self.closed and (self.screens or loop.time() - self._wanted_at < LINGER_S):
            try:
                await self._look(loop.time())
            except Exception:  # a bug costs this look: the screens must not go dark for it
                log.exception("wall.bug")
            await asyncio.sleep(LOOK_S)
        if self._lane is not None:
            self._lane.close()
            self._lane = None
        self._number = 0  # whoever comes next waits for a look of its own
        self._cards, self._texts = {}, {}

    async def _look(self, at: float) -> None:
        now = self._house.clock.now()
        seen = await self._seen(now)
        self._ask(seen, at)
        cards = wall(seen.places, seen.live, self._registers.custody, now)
        changed = self._take([Drawn(card=card, handed=self._handed(card)) for card in cards])
        self._shown = seen.live.at if seen.live else None
        told = strip(seen.live, cards, runs=seen.runs, days=self._registers.days)
        if told != self._strip or not self._stripped:
            self._strip, changed, self._stripped = told, True, self._number + 1
        if changed or at - self._beaten_at >= BEAT_S:
            self._number += 1
            self._beaten_at = at
            self._wake()

    async def _seen(self, now: datetime) -> Seen:
        if self._lane is None or self._lane.stuck:
            self._lane = Lane("wall")
        try:
            return await self._lane.call(self._eyes.look, now, timeout_s=LOOK_LIMIT_S)
        except (BwcdockError, OSError) as error:
            log.warning("wall.blind", what=str(error))
            return Seen(places=tuple(card.place for card in self.cards), runs=False, live=None)

    def _take(self, drawn: list[Drawn]) -> bool:
        """Take these cards for what is shown now; whether that is another picture than before."""
        number = self._number + 1
        before, self._cards = self._cards, {}
        changed = False
        for each in drawn:
            key = each.card.place.key
            old = before.get(key)
            same = old is not None and old.drawn == each
            self._cards[key] = old if old is not None and same else _Shown(drawn=each, changed=number)
            changed |= not same
        if list(before) != list(self._cards) or not self._ordered:
            self._ordered, changed = number, True
            self._texts = {at: text for at, text in self._texts.items() if at[1] in (*self._cards, STRIP)}
        return changed

    def _text(self, language: Language, key: str) -> _Text:
        shown = self._cards[key]
        return self._drawn(language, key, shown.changed, lambda: self.pencil.card(shown.drawn, language))

    def _strip_text(self, language: Language) -> _Text:
        return self._drawn(language, STRIP, self._stripped, lambda: self.pencil.strip(self._strip, language))

    def _drawn(self, language: Language, key: str, changed: int, draw: Callable[[], str]) -> _Text:
        """Drawn once for each change, and new only where it reads otherwise than before."""
        before = self._texts.get((language, key))
        if before is not None and before.of == changed:
            return before
        text = draw()
        if before is not None and before.text == text:
            before.of = changed
            return before
        event = _event("strip", html=text) if key == STRIP else _event("card", id=key, html=text)
        made = self._texts[language, key] = _Text(of=changed, text=text, since=changed, event=event)
        return made

    def _handed(self, card: Card) -> Handed | None:
        return self._registers.handed.get(card.session.session) if card.session else None

    def _wake(self) -> None:
        turned, self._turn = self._turn, asyncio.Event()
        turned.set()

    # --- the register -------------------------------------------------------------------------------------------------

    def _ask(self, seen: Seen, at: float) -> None:
        """Ask the ledger what changes rarely, beside looking: a long question there must not hold up the wall."""
        sessions = (*seen.live.sessions, *seen.live.gone) if seen.live else ()
        about = (
            tuple(dict.fromkeys(session.recorder for session in sessions if session.recorder)),
            tuple(session.session for session in sessions if session.receipt),
        )
        if self._asking is not None and not self._asking.done():
            return
        if about != self._asked[0] or at - self._asked[1] >= REGISTERS_S:
            self._asked = (about, at)
            room = seen.live.spool if seen.live else None
            self._asking = asyncio.ensure_future(self._learn(*about, room))

    async def _learn(self, serials: tuple[str, ...], receipted: tuple[str, ...], room: RoomView | None) -> None:
        before, now = self._registers, self._house.clock.now()
        try:
            self._registers = await self._house.asker.ask(
                lambda ledger: registers(ledger, serials, receipted, before, room, now)
            )
        except BwcdockError as error:  # what was known stays; asked again soon
            log.warning("wall.registers", what=str(error))


def _event(name: str, **data: object) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"


SHUT = _event("shut")
"""The last event for a screen that may follow no longer: it loads itself anew, and is told so."""


def _iso(now: datetime) -> str:
    return now.isoformat(timespec="milliseconds")
