"""What goes wrong twice: a cut while the station gets over a cut, and a sync that fails before one."""

import os
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bwcdock import config
from bwcdock.errors import BwcdockError
from bwcdock.testing.clock import EPOCH, VirtualClock

from power import disk
from power.campaign import Cut
from power.fuse_names import FAIL
from power.judge import LATER, quick_start
from power.mount import recorded
from power.said import promising, said
from power.stories import BEGIN, FIRST, Story, Tape, beginning, leaves_of
from power.work import Work, established, settings_of


def is_station(cut: Cut) -> bool:
    return f"/station/{config.SETTINGS_NAME}" in cut.state


def over_a_cut(tape: Tape, cut: Cut, directory: Path) -> Tape:
    """The ordinary start from what a cut has left, and a recorder docked again, recorded to be cut again."""
    with recorded(directory) as recording:
        root = recording.root
        disk.lay(cut.state, root)
        said(root, story=BEGIN)
        settings = settings_of(root)
        with promising(root), quick_start():
            work = Work(settings, VirtualClock(EPOCH + LATER), "after")
            with work.started():
                work.dock(FIRST)
                work.work()
                work.sign()
        leaves = leaves_of(settings)
    ops = recording.ops
    return Tape(
        f"{tape.story}, again", ops, beginning(ops), leaves, before=cut.promised.copy(), next_boot="third", lives=2
    )


def syncs(tape: Tape) -> int:
    """How many times something is synced in the part that is cut."""
    return sum(1 for op in tape.ops[tape.begin :] if op[0] in {"sync", "sync_dir"})


def syncs_of_names(tape: Tape) -> list[int]:
    """Which of them make the name of a small file last: its temporary name has gone just before."""
    ops, found, number = tape.ops[tape.begin :], [], 0
    for before, op in zip([("",), *ops], ops, strict=False):
        number += op[0] in {"sync", "sync_dir"}
        if op[0] == "sync_dir" and before[0] == "unlink" and str(before[2]).endswith(".tmp"):
            found.append(number)
    return found


def after_a_failed_sync(story: Story, nth: int, directory: Path) -> Tape:
    """The ``nth`` sync of the story fails, the process dies where the story ends, and another goes on without a cut.

    It dies in a child, because only the end of a process lets go of a file without doing anything to it.
    """
    with recorded(directory) as recording:
        root = recording.root
        with promising(root):
            settings = established(root)

            def first_life() -> None:
                work = Work(settings, VirtualClock(), "before", pushes=story.pushes)
                with work.started():
                    story.prepare(work)
                    said(root, story=BEGIN)
                    os.setxattr(root, FAIL, b"%d" % nth)
                    with suppress(BwcdockError):  # of the ledger: the process ends
                        story.run(work)
                    os.setxattr(root, FAIL, b"0")
                    os._exit(0)

            _in_a_child(first_life)
            work = Work(settings, VirtualClock(EPOCH + LATER), "before")
            with work.started():
                work.dock(FIRST)
                work.work()
                work.sign()
        leaves = leaves_of(settings)
    ops = recording.ops
    return Tape(f"{story.name}, sync {nth} fails", ops, beginning(ops), leaves, lives=2, is_calm=False)


def _in_a_child(life: Callable[[], None]) -> None:
    pid = os.fork()
    if not pid:
        try:
            life()
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert status == 0, "the first life ended otherwise than told: see standard error"
