"""World in, actions out, most urgent first: the one place that decides what is worth doing now."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntEnum

from bwcdock.core import locking
from bwcdock.core.facts import SPOOL
from bwcdock.core.record import Record, State
from bwcdock.core.retention import Keep, look_due, look_presses, may_release

FAR = datetime.max.replace(tzinfo=UTC)

NEAR = timedelta(hours=2)
"""What is due within this waits for no priority slot: a full card of 128 GB takes one hour at a USB 2 port, which
carries some 35 MB/s, and as long again is left for what waited."""


class Act(IntEnum):
    """The acts, in the order in which they are preferred at equal urgency: bytes that are nearly safe come first."""

    SEAL = 0
    PUSH = 1
    PULL = 2
    LOOK = 3
    LOCK = 4
    RELEASE = 5


@dataclass(frozen=True, slots=True, order=True)
class Action:
    """One thing worth doing to one record; ``place`` is the recorder's session, the sink, or the spool."""

    act: Act
    record: str
    place: str = SPOOL


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All that plan needs to know. ``room`` is what the spool may still take, in bytes, above its reserve.

    ``held`` is the room that partial files have taken already, by record: a pull needs only what is missing to its
    size, whether it is in flight or was interrupted.
    ``docked`` names, for every record that is on a recorder in a slot now, the session of that docking (two recorders
    may claim one serial, so it is not keyed by recorder). ``first`` are those of them in a priority slot. ``sinks``
    says from when each sink may be tried; a sink that is not in it is not configured. ``answering`` is the same for
    what is small and goes at any hour (a lock); where it is empty there are no hours. ``busy`` are the actions in
    flight. ``depth`` is how many pulls one recorder may have in flight (two lets the last digest of one file overlap
    with the first reads of the next); ``parallel`` the same for one sink, ``at_once`` for those that have their own.
    """

    now: datetime
    records: Mapping[str, Record]
    docked: Mapping[str, str] = field(default_factory=dict)
    first: frozenset[str] = frozenset()
    sinks: Mapping[str, datetime] = field(default_factory=dict)
    answering: Mapping[str, datetime] = field(default_factory=dict)
    room: int = 0
    held: Mapping[str, int] = field(default_factory=dict)
    busy: frozenset[Action] = frozenset()
    resting: Mapping[Action, datetime] = field(default_factory=dict)
    keep: Keep = field(default_factory=Keep)
    depth: int = 2
    parallel: int = 2
    at_once: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to start now, and how many bytes of room are missing for the pulls that had to wait (0: none waits)."""

    actions: tuple[Action, ...]
    missing: int = 0


class _Lanes:
    """How much is in flight, by kind and place, and what may therefore begin: asked once a plan, not for each record.

    With thousands of records waiting for one narrow line, most plans find its lane full, and then need not weigh them.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._used = Counter(_lane(action.act, action.place) for action in world.busy)
        self.pulling = frozenset(action.record for action in world.busy if action.act is Act.PULL)
        self.seals = self.has_room(Act.SEAL, SPOOL)
        self.releases = self.has_room(Act.RELEASE, SPOOL)
        self.stores = self._those(world.sinks)
        self.locks = self._those(world.answering or world.sinks) & world.keep.locking

    def has_room(self, act: Act, place: str) -> bool:
        """Whether one more of this kind may begin there."""
        limit = self._world.depth if act is Act.PULL else self._world.at_once.get(place, self._world.parallel)
        return self._used[_lane(act, place)] < limit

    def take(self, action: Action) -> None:
        """One more is in flight."""
        self._used[_lane(action.act, action.place)] += 1

    def _those(self, sinks: Mapping[str, datetime]) -> frozenset[str]:
        now = self._world.now
        return frozenset(sink for sink, since in sinks.items() if since <= now and self.has_room(Act.PUSH, sink))


def plan(world: World) -> Plan:
    """Everything worth starting at ``world.now``, most urgent first, within room and limits; nothing that is in flight.

    Urgency is the deadline, then how nearly safe the bytes are, then the age; a second look presses only when it holds
    up something, lest deadlines pass while a lane is full of looks at what has met its own. A pull is planned only for
    a recorder that is there and only within the room left; when room is short pulling stops and pushing goes on. What
    makes a recorder in a priority slot safe to take goes before all of that: who plugged it in there waits for it.
    """
    lanes = _Lanes(world)
    ready = sorted(
        (not _goes_first(action, world), _due(action, record, world), action.act, record.listed_at, action)
        for record in world.records.values()
        for action in _wanted(record, world, lanes)
        if action not in world.busy and not (action in world.resting and world.resting[action] > world.now)
    )
    return _within_limits(world, lanes, [action for *_, action in ready])


def _goes_first(action: Action, world: World) -> bool:
    """Pulls and seals of what is docked in a priority slot. Pushing keeps to the deadlines: nobody stands and waits for
    it, and on a narrow line the law's order is worth more.
    """
    return action.act in {Act.PULL, Act.SEAL} and world.docked.get(action.record) in world.first


def _due(action: Action, record: Record, world: World) -> datetime:
    """A look is made at what has met its deadline, which would go before that of every recording that has not."""
    due = look_presses(record, world.keep) if action.act is Act.LOOK else record.due
    return due or FAR


def _yields(action: Action, world: World) -> bool:
    """Whether it waits while a priority slot is pulled from: slots share a bus, and it would get a part of it."""
    due = world.records[action.record].due
    return not _goes_first(action, world) and (due is None or due > world.now + NEAR)


def _wanted(record: Record, world: World, lanes: _Lanes) -> Iterator[Action]:
    for sink in locking.short(record, lanes.locks, world.now, is_held=record.id in world.keep.held):
        # In every state: what is pulled anew because the spool's copy went bad is none the less to be kept there.
        yield Action(Act.LOCK, record.id, sink)
    match record.state:
        case State.LISTED:
            # One part file, one writer: a pull that still hangs where the recorder was before has to end first.
            if (session := world.docked.get(record.id)) and record.id not in lanes.pulling:
                yield Action(Act.PULL, record.id, session)
        case State.PULLED:
            if lanes.seals:
                yield Action(Act.SEAL, record.id)
        case State.SEALED | State.RELEASED:
            yield from _after_seal(record, world, lanes)


def _after_seal(record: Record, world: World, lanes: _Lanes) -> Iterator[Action]:
    if record.releasing:
        # A crash fell between the intent and the act: the same act is done again, and is harmless when it was done.
        yield Action(Act.RELEASE, record.id)
        return
    if lanes.stores:
        if SPOOL in record.copies:
            for sink in record.owed_sinks:
                # Also where a copy was found bad: a sink never overwrites, so this heals a missing one and alarms again
                # about a wrong one.
                if sink in lanes.stores:
                    yield Action(Act.PUSH, record.id, sink)
        for held in record.held:
            if held.sink in lanes.stores:
                due = look_due(record, held.sink, world.keep)
                if due is not None and due <= world.now:
                    yield Action(Act.LOOK, record.id, held.sink)
    if lanes.releases and may_release(record, SPOOL, world.now, world.keep):
        yield Action(Act.RELEASE, record.id)


def _within_limits(world: World, lanes: _Lanes, ready: list[Action]) -> Plan:
    room = world.room
    missing = 0
    hurried = any(action.act is Act.PULL and action.place in world.first for action in world.busy)
    for action in world.busy:
        if action.act is Act.PULL and action.record in world.records:
            room -= _needed(world, action.record)
    chosen = []
    for action in ready:
        if not lanes.has_room(action.act, action.place):
            continue
        if action.act is Act.PULL:
            if hurried and _yields(action, world):
                continue
            size = _needed(world, action.record)
            if size > room:
                # Full is a state, not an exception. A smaller, later file may still fit, but must not push an urgent
                # one back for ever: what is missing for the most urgent one is what is told.
                missing = missing or size - max(room, 0)
                continue
            room -= size
            hurried = hurried or action.place in world.first
        lanes.take(action)
        chosen.append(action)
    return Plan(actions=tuple(chosen), missing=missing)


def _needed(world: World, record: str) -> int:
    return max(0, world.records[record].item.size - world.held.get(record, 0))


def _lane(act: Act, place: str) -> tuple[Act, str]:
    """Looks and locks share the lane of pushes to the same sink, so that a slow store is asked by few at a time."""
    return (Act.PUSH if act in {Act.LOOK, Act.LOCK} else act, place)
