"""What is recorded: each story is prepared, and then goes on under the eyes of the recorder."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from bwcdock.ledger import ledger as ledger_module
from bwcdock.ledger import open_read_only
from bwcdock.settings import Settings
from bwcdock.steps import housekeeping
from bwcdock.testing.clock import VirtualClock

from power.mount import recorded
from power.said import Promises, promising, said
from power.work import Work, established

FIRST, SECOND = "F1-0001", "F1-0002"
BEGIN, END = "it begins", "it ends"


@dataclass(frozen=True)
class Story:
    """``prepare`` runs before the first crash point, ``run`` is cut everywhere, in the same life of the station."""

    name: str
    run: Callable[[Work], None]
    prepare: Callable[[Work], None] = lambda _: None
    pushes: bool = True
    is_founding: bool = False
    """It begins before there is a station."""
    until: str = ""
    """What is said where it is over; without it all of it is cut, and the letting go too."""
    since: str = ""
    """The operation whose last occurrence is the first crash point; without it that is the beginning."""


@dataclass(frozen=True)
class Tape:
    """A recorded story: the operations, and what the ledger and the disk held in the end."""

    story: str
    ops: list[tuple]
    begin: int
    leaves: list[bytes]
    """Of the whole ledger, as it was in the end."""
    before: Promises = field(default_factory=Promises)
    """What had been promised before the tape began."""
    next_boot: str = "after"
    lives: int = 1
    """How many times the station was started in it."""
    is_calm: bool = True
    """Nothing but the power fails: then nobody is bothered."""
    first: int = 0
    """The first crash point, where that is later than the beginning."""


def pull(work: Work) -> None:
    """A recorder is taken out in the middle of a file and comes again."""
    work.cards[FIRST].yank("001.mp4", 100_000)
    work.dock(FIRST)
    work.work()
    work.dock(FIRST)
    work.work()


def to_the_interrupted(work: Work) -> None:
    work.cards[FIRST].yank("001.mp4", 100_000)
    work.dock(FIRST)
    while work.next_path() != "001.mp4":
        work.step()


def to_the_second(work: Work) -> None:
    work.dock(FIRST)
    while work.next_path() != "001.mp4":
        work.step()


def pull_and_seal(work: Work) -> None:
    work.step()
    work.step()


def pull_all(work: Work) -> None:
    for serial in work.cards:
        work.dock(serial)
    work.work()


def push(work: Work) -> None:
    work.pushes = True
    work.sign()
    work.work()
    work.sign()


def push_all(work: Work) -> None:
    pull_all(work)
    push(work)
    work.depart(FIRST)
    work.depart(SECOND)


def release(work: Work) -> None:
    """The second look a day later, and the spool copies go when their week is over."""
    work.wait(days=1.1)
    work.work()
    work.sign()
    work.wait(days=8)
    work.work()


def write_ledger(work: Work) -> None:
    """Days without recordings: signs of life, heads, and pages carried from the journal into the database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger_module, "COMMITS_PER_WAL", 4)
        for hour in range(6):
            work.wait(hours=1)
            housekeeping.beat(work.bench)
            if hour % 2:
                work.sign()
        housekeeping.end(work.bench, [])


PULL = Story("pull and resume", pull, pushes=False)
PUSH = Story("push", push, pull_all, pushes=False)
RELEASE = Story("look again and release", release, push_all, pushes=False)
LEDGER = Story("ledger and heads", write_ledger, pull)
INTERRUPTED = Story("interrupted pull", Work.step, to_the_interrupted, pushes=False, until='"held"')
HELD = replace(INTERRUPTED, name="interrupted pull, held", since="xattr")
ARRIVED = Story("a pull to its end", Work.step, to_the_second, pushes=False, until='"leaves"')
PULLED = Story("pull and seal", pull_and_seal, to_the_second, pushes=False, until=END)
FOUNDING = Story("founding", pull_all, is_founding=True)
STORIES = (PULL, PUSH, RELEASE, LEDGER, FOUNDING)


def record(story: Story, directory: Path) -> Tape:
    """Let the story happen on a recording file system; its end, with the ordinary letting go, is recorded too."""
    with recorded(directory) as recording:
        root = recording.root
        with promising(root):
            if story.is_founding:
                said(root, story=BEGIN)
            settings = established(root)
            work = Work(settings, VirtualClock(), "before", pushes=story.pushes)
            with work.started():
                story.prepare(work)
                if not story.is_founding:
                    said(root, story=BEGIN)
                story.run(work)
                said(root, story=END)
        leaves = leaves_of(settings)
    ops = recording.ops
    begin = beginning(ops)
    if story.until:
        ops = ops[
            : next(at for at, op in enumerate(ops) if at > begin and op[0] == "mark" and story.until in op[1]) + 1
        ]
    first = max((at for at, op in enumerate(ops) if op[0] == story.since), default=0)
    return Tape(story.name, ops, begin, leaves, first=first)


def leaves_of(settings: Settings) -> list[bytes]:
    with open_read_only(settings.paths.ledger) as ledger:
        return [ledger.leaf(seq) for seq in range(ledger.size)]


def beginning(ops: list[tuple]) -> int:
    return next(at for at, op in enumerate(ops) if op == ("mark", json.dumps({"story": BEGIN})))
