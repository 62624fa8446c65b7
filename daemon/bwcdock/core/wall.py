"""What the slot wall shows: one card a place, with exactly one state and the one thing to do; decided here alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from bwcdock.core.live import DueView, LiveView, MovingView, QueueView, RoomView
from bwcdock.core.rules import Standing
from bwcdock.core.view import Lamp, SessionView

GONE_FOR = timedelta(seconds=60)
"""How long a card says what was taken away: as long as somebody who walks off may turn round."""


class Shows(StrEnum):
    """The one state of a card. *Safe*, *settled* and *ready* are promises, and are made only where the lamp makes them.

    *Unknown* is what is shown while nobody answers for what is docked.
    """

    EMPTY = "empty"
    READING = "reading"
    PULLING = "pulling"
    SAFE = "safe"
    SETTLED = "settled"
    READY = "ready"
    WAIT = "wait"
    ATTENTION = "attention"
    ALARM = "alarm"
    GONE = "gone"
    UNFINISHED = "unfinished"
    UNKNOWN = "unknown"


PROMISES = frozenset({Shows.SAFE, Shows.SETTLED, Shows.READY})

_OF_LAMP = {
    Lamp.READING: Shows.READING,
    Lamp.PULLING: Shows.PULLING,
    Lamp.SAFE_TO_TAKE: Shows.SAFE,
    Lamp.NOTHING_OWED: Shows.SETTLED,
    Lamp.WAIT: Shows.WAIT,
    Lamp.ATTENTION: Shows.ATTENTION,
    Lamp.GONE: Shows.GONE,
    Lamp.UNFINISHED: Shows.UNFINISHED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something can be docked: a slot by its number, or a drop folder by its name.

    ``key`` names the card in a page; ``prefix`` is how the ports of a drop folder without a slot begin.
    """

    key: str
    slot: int | None
    name: str
    prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Custody:
    """What the register says of a recorder: its state, whom it is issued to, and that person's name."""

    state: str
    holder: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One card. ``session`` is what it tells of, ``None`` where nothing is there; ``custody`` whose that is."""

    place: Place
    shows: Shows
    session: SessionView | None = None
    moving: MovingView | None = None
    custody: Custody | None = None

    @property
    def recorder(self) -> str:
        """The recorder's serial; empty where none is known."""
        return self.session.recorder if self.session else ""

    @property
    def due(self) -> tuple[DueView, ...]:
        """What presses, the worst first."""
        return self.moving.due if self.moving else ()

    @property
    def percent(self) -> int:
        """How much of the bytes is there; 100 only when all of it is."""
        if self.session is None or self.session.bytes <= 0:
            return 0
        return min(100, self.session.moved * 100 // self.session.bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """The station in one line. ``runs`` is false where no daemon works here, ``answers`` where it says nothing new.

    ``days`` is for how many whole days the spool has room if nothing leaves it; ``None`` where nobody can tell.
    """

    runs: bool
    answers: bool
    sinks: tuple[QueueView, ...] = ()
    spool: RoomView | None = None
    days: int | None = None
    clock: str = ""
    version: str = ""
    late: int = 0
    risk: int = 0

    @property
    def vouched(self) -> bool:
        """Whether the station's clock may be used to judge."""
        return not self.clock.startswith("unvouched")


def places(slots: Sequence[int], drops: Sequence[tuple[int | None, str, str]]) -> tuple[Place, ...]:
    """Every place that is always shown: the slots by number, then the drop folders that have none.

    ``drops`` are slot, name and the beginning of the ports of each.
    """
    numbers = sorted({*slots, *(slot for slot, _, _ in drops if slot is not None)})
    named = {slot: name for slot, name, _ in drops if slot is not None}
    loose = [(name, prefix) for slot, name, prefix in drops if slot is None]
    return (
        *(Place(key=f"s{number}", slot=number, name=named.get(number, "")) for number in numbers),
        *(Place(key=f"d{at}", slot=None, name=name, prefix=prefix) for at, (name, prefix) in enumerate(loose, 1)),
    )


def wall(
    known: Sequence[Place], live: LiveView | None, custody: Mapping[str, Custody], now: datetime
) -> tuple[Card, ...]:
    """The cards in order: every known place, then whatever is docked elsewhere. ``live`` is ``None`` where no daemon
    answers: then nothing is promised.
    """
    # An empty folder beside slots is nothing that people could put something in.
    needed = {place.key for place in known if place.slot is not None} or {place.key for place in known}
    if live is None:
        return tuple(Card(place=place, shows=Shows.UNKNOWN) for place in known if place.key in needed)
    moving = {told.session: told for told in live.moving}
    left = sorted(live.sessions, key=lambda session: session.arrived_at)
    gone = [session for session in live.gone if session.departed_at and now - session.departed_at < GONE_FOR]
    cards = []
    for place in known:
        here = next((session for session in left if _is_at(place, session)), None)
        if here is not None:
            left.remove(here)
        else:
            here = max((s for s in gone if _is_at(place, s)), key=lambda s: s.departed_at or now, default=None)
        if here is not None or place.key in needed:
            cards.append(_card(place, here, moving, custody))
    return (*cards, *(_card(_elsewhere(session), session, moving, custody) for session in left))


def _is_at(place: Place, session: SessionView) -> bool:
    if place.slot is not None:
        return session.slot == place.slot
    return session.slot is None and session.port.startswith(place.prefix)


def _elsewhere(session: SessionView) -> Place:
    """The place of what is docked at no known one, or behind another recorder in the same folder."""
    return Place(key=f"p{session.session}", slot=session.slot, name=session.port.rpartition(":")[2])


def _card(
    place: Place, session: SessionView | None, moving: Mapping[str, MovingView], custody: Mapping[str, Custody]
) -> Card:
    if session is None:
        return Card(place=place, shows=Shows.EMPTY)
    of = custody.get(session.recorder)
    return Card(place=place, shows=shown(session, of), session=session, moving=moving.get(session.session), custody=of)


def shown(session: SessionView, custody: Custody | None) -> Shows:
    """The one state of what is docked. What the lamp says stands; only what is worse, or comes after it, is added."""
    shows = _OF_LAMP[session.lamp]
    if session.lamp in {Lamp.GONE, Lamp.UNFINISHED}:
        return shows
    if custody is not None and custody.state in {"lost", "stolen"}:
        return Shows.ALARM  # somebody looks for it, whatever else it says
    if shows is Shows.ATTENTION and session.quarantined:
        return Shows.ALARM  # footage that could not be proven whole: this recorder may hold the only copy
    if shows is Shows.SETTLED and session.ready and custody is not None:
        # Before it is given back it is its holder's, who wants his receipt; afterwards it waits for the next.
        return Shows.READY if custody.state == "in_service" and not custody.holder else shows
    return shows


def strip(live: LiveView | None, cards: Sequence[Card], *, runs: bool, days: int | None = None) -> Strip:
    """The station in one line; ``live`` as for :func:`wall`, ``days`` as in :class:`Strip`."""
    if live is None:
        return Strip(runs=runs, answers=False)
    dues = [due for card in cards for due in card.due]
    return Strip(
        runs=runs,
        answers=True,
        sinks=live.sinks,
        spool=live.spool,
        days=days if live.spool else None,
        clock=live.clock,
        version=live.version,
        late=sum(due.count for due in dues if due.verdict in {Standing.LATE, Standing.OVERDUE}),
        risk=sum(due.count for due in dues if due.verdict == Standing.AT_RISK),
    )


_LONG_SURNAMES = frozenset({
    "欧阳", "上官", "司马", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "长孙", "宇文", "司徒", "司空", "夏侯",
    "令狐", "独孤", "南宫", "端木", "轩辕", "百里", "呼延", "东郭", "西门", "申屠", "闻人", "濮阳", "淳于", "单于",
})  # fmt: skip


def masked(name: str) -> str:
    """A name for a room that others pass through: the family name, and no more (李**)."""
    if not name:
        return ""
    head = name[:2] if name[:2] in _LONG_SURNAMES and len(name) > 2 else name[:1]
    return f"{head}**"
