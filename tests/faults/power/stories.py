"""What is recorded: each story is prepared, and then goes on under the eyes of the recorder."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from bwcdock.ledger import ledger as ledger_module
from bwcdock.ledger import open_read_only
from bwcdock.steps import housekeeping
from bwcdock.testing.clock import VirtualClock

from power.mount import recorded
from power.said import Promises, promising, said
from power.work import Work, established

FIRST, SECOND = "F1-0001", "F1-0002"
BEGIN = "begin"


@dataclass(frozen=True)
class Story:
    """``prepare`` runs before the first crash point, ``run`` is cut everywhere, in the same life of the station."""

    name: str
    run: Callable[[Work], None]
    prepare: Callable[[Work], None] = lambda _: None
    pushes: bool = True


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


def pull(work: Work) -> None:
    """A recorder is taken out in the middle of a file and comes again."""
    work.cards[FIRST].yank("001.mp4", 40_000)
    work.dock(FIRST)
    work.work()
    work.dock(FIRST)
    work.work()


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


STORIES = (
    Story("pull and resume", pull, pushes=False),
    Story("push", push, pull_all, pushes=False),
    Story("look again and release", release, push_all, pushes=False),
    Story("ledger and heads", write_ledger, pull),
)


def record(story: Story, directory: Path) -> Tape:
    """Let the story happen on a recording file system; its end, with the ordinary letting go, is recorded too."""
    with recorded(directory) as recording:
        root = recording.root
        settings = established(root)
        with promising(root):
            work = Work(settings, VirtualClock(), "before", pushes=story.pushes)
            with work.started():
                story.prepare(work)
                said(root, story=BEGIN)
                story.run(work)
        with open_read_only(settings.paths.ledger) as ledger:
            leaves = [ledger.leaf(seq) for seq in range(ledger.size)]
    ops = recording.ops
    begin = next(at for at, op in enumerate(ops) if op[0] == "mark" and BEGIN in op[1])
    return Tape(story.name, ops, begin, leaves)
