"""A tape is cut after every operation, in as many ways as there are states to be had, and every state is judged."""

import gc
import multiprocessing
import os
import shutil
import tempfile
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple

import structlog

from power import disk
from power.judge import Judge
from power.said import Promises
from power.stories import Tape

WORKERS = 2
TO_THE_END = 100
"""Of so many distinct states one is worked on to the end."""

BLOCK = 8
"""Neighbouring crash points a worker takes together: they have many states in common, which it judges once."""


class Cut(NamedTuple):
    """State ``number`` of a tape, by this ``seed``: the disk after ``ops[at]``."""

    at: int
    number: int
    state: disk.State
    promised: Promises


@dataclass
class Violation:
    """What was not as it was promised."""

    number: int
    at: int
    op: str
    how: str
    what: str
    trace: str

    def __str__(self) -> str:
        return f"state {self.number}, {self.how}, after operation {self.at} ({self.op}): {self.what}"


@dataclass
class Result:
    """What a campaign over one tape came to."""

    story: str
    ops: int = 0
    states: int = 0
    distinct: int = 0
    finished: int = 0
    seconds: float = 0.0
    violations: list[Violation] = field(default_factory=list)

    def add(self, other: "Result") -> None:
        self.states += other.states
        self.distinct += other.distinct
        self.finished += other.finished
        self.violations += other.violations


def how_of(seed: int, tape: Tape, number: int) -> str | Random:
    """An eighth of the cuts keep nothing, an eighth everything, the others what chance keeps."""
    chance = Random(f"{seed}/{tape.story}/{number}")
    lot = chance.random()
    return disk.STRICT if lot < 1 / 8 else disk.ALL if lot < 1 / 4 else chance


def cuts(tape: Tape, states: int, seed: int, worker: int = 0, workers: int = 1) -> Iterator[Cut]:
    """The share of one worker, in the order of the tape."""
    model, promised = disk.Disk(), tape.before.copy()
    first = max(tape.begin, tape.first)
    points = len(tape.ops) - first
    for at, op in enumerate(tape.ops):
        model.do(op)
        if op[0] == "mark":
            promised.hear(op[1])
        if at == tape.begin:
            model.settle()
        point = at - first
        if point < 0 or point // BLOCK % workers != worker:
            continue
        for number in range(point * states // points, (point + 1) * states // points):
            yield Cut(at, number, model.cut(how_of(seed, tape, number)), promised.copy())


def judged(
    tape: Tape, some: Iterator[Cut], root: Path, seed: int, *, finish: int = TO_THE_END, stop_at: int = 1_000_000
) -> Result:
    """Judge them; of equal ones under equal promises only the first. One of ``finish`` is worked on to the end."""
    judge = Judge(root, tape.leaves, boot=tape.next_boot, lives=tape.lives, is_calm=tape.is_calm)
    result = Result(tape.story)
    seen: dict[bytes, Promises] = {}
    for cut in some:
        result.states += 1
        digest = disk.digest(cut.state)
        if seen.get(digest) == cut.promised:
            continue
        seen[digest] = cut.promised
        result.distinct += 1
        to_the_end = (result.distinct - 1) % finish == 0
        result.finished += to_the_end
        try:
            judge.judge(cut.state, cut.promised, to_the_end=to_the_end)
        except Exception as error:
            how = how_of(seed, tape, cut.number)
            told = how if isinstance(how, str) else "by lot"
            op = " ".join(str(part)[:40] for part in tape.ops[cut.at][:3])
            what = f"{type(error).__name__}: {error}"
            result.violations.append(Violation(cut.number, cut.at, op, told, what, traceback.format_exc()))
            if len(result.violations) >= stop_at:
                break
    return result


def campaign(tape: Tape, states: int, seed: int, *, finish: int = TO_THE_END) -> Result:
    """The whole of it, on two processes."""
    began = time.monotonic()
    result = Result(tape.story, ops=len(tape.ops) - tape.begin)
    context = multiprocessing.get_context("fork")
    with memory() as place:
        lines = []
        for worker in range(WORKERS):
            ours, theirs = context.Pipe(duplex=False)
            arguments = (theirs, tape, states, seed, worker, place / str(worker), finish)
            process = context.Process(target=_worker, args=arguments)
            process.start()
            theirs.close()
            lines.append((process, ours))
        for process, ours in lines:
            result.add(ours.recv())
            process.join()
            ours.close()
    result.seconds = time.monotonic() - began
    return result


def _worker(line, tape: Tape, states: int, seed: int, worker: int, root: Path, finish: int) -> None:
    gc.freeze()
    with structlog.testing.capture_logs():
        line.send(judged(tape, cuts(tape, states, seed, worker, WORKERS), root, seed, finish=finish))


def first_violation(tape: Tape, states: int, seed: int, *, finish: int = TO_THE_END) -> tuple[int, Violation | None]:
    """How many states it takes until something is wrong, one after the other over the whole tape, and what it is.

    An eighth of them comes first, far apart, so that what is seen nearly anywhere is seen early.
    """
    with memory() as place, structlog.testing.capture_logs():
        looked = 0
        for some in (states // 8, states):
            result = judged(tape, cuts(tape, some, seed), place / "state", seed, finish=finish, stop_at=1)
            looked += result.states
            if result.violations:
                return looked, result.violations[0]
    return looked, None


@contextmanager
def memory() -> Iterator[Path]:
    """A folder in memory that knows attributes, else wherever temporary files are."""
    shared = Path("/dev/shm")
    place = Path(tempfile.mkdtemp(prefix="bwcdock-power-", dir=shared if shared.is_dir() else None))
    try:
        os.setxattr(place, "user.bwcdock.tried", b"")
    except OSError:
        place.rmdir()
        place = Path(tempfile.mkdtemp(prefix="bwcdock-power-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def table(results: Sequence[Result], seed: int) -> str:
    """For people."""
    head = f"{'story':<36}{'ops':>7}{'states':>9}{'distinct':>10}{'finished':>10}{'violations':>12}{'states/s':>10}"
    lines = [
        f"{r.story:<36}{r.ops:>7}{r.states:>9}{r.distinct:>10}{r.finished:>10}{len(r.violations):>12}"
        f"{r.states / max(r.seconds, 0.001):>10.0f}"
        for r in results
    ]
    return "\n".join((head, *lines, f"seed {seed}"))
