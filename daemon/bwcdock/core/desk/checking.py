"""Spot checks: a sample that anyone can draw again, judged point by point, and what it says of a unit."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from bwcdock.core.desk.matter import Kind, Matter, taken
from bwcdock.core.facts import Entry
from bwcdock.core.refusal import Refusal, because
from bwcdock.core.statements import CheckDrawn, CheckJudged, CheckSkipped


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What was seen in one recording: the pack's points, each as it should be or not."""

    record: str
    by: str
    at: datetime
    points: tuple[tuple[str, bool], ...]
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """One that was not looked at, and why."""

    record: str
    by: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpotCheck(Matter):
    """A spot check, ``drawn`` until each of the sample is judged or skipped, then ``done``."""

    unit: str
    since_recorded: datetime
    until_recorded: datetime
    percent: int
    seed: str
    population: int
    population_digest: str
    sample: tuple[str, ...]
    judged: tuple[Judged, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    @property
    def left(self) -> tuple[str, ...]:
        """The records of the sample nobody has looked at yet."""
        seen = {each.record for each in self.judged} | {each.record for each in self.skipped}
        return tuple(record for record in self.sample if record not in seen)

    @property
    def score_percent(self) -> int | None:
        """How many of all judged points were as they should be, in whole percent; ``None`` before the first."""
        points = [right for each in self.judged for _, right in each.points]
        return 100 * sum(points) // len(points) if points else None


def draw(population: Iterable[str], percent: int, seed: str) -> tuple[str, ...]:
    """The sample: the records whose SHA-256 of seed, ``:`` and id comes first; at least one where there is any.

    Needs nothing but the ids, the seed and a SHA-256, so that everybody can draw it again.
    """
    ranked = sorted(population, key=lambda record: sha256(f"{seed}:{record}".encode()).hexdigest())
    return tuple(ranked[: math.ceil(len(ranked) * percent / 100)])


def digest(population: Sequence[str]) -> str:
    """SHA-256 over the sorted ids, a line each, in hex."""
    return sha256("".join(f"{record}\n" for record in sorted(population)).encode()).hexdigest()


def _after(before: SpotCheck | None, state: str, entry: Entry) -> SpotCheck:
    fact, who = entry.fact, entry.actor.name
    if isinstance(fact, CheckDrawn):
        span = {"since_recorded": fact.since, "until_recorded": fact.until}
        return taken(SpotCheck, None, state if fact.sample else "done", entry, **span)
    assert before is not None
    done = "done" if len(before.left) == 1 else state
    if isinstance(fact, CheckJudged):
        line = Judged(record=fact.of, by=who, at=entry.at, points=fact.points, remark=fact.remark)
        return taken(SpotCheck, before, done, entry, judged=(*before.judged, line))
    assert isinstance(fact, CheckSkipped)
    skip = Skipped(record=fact.of, by=who, at=entry.at, reason=fact.reason)
    return taken(SpotCheck, before, done, entry, skipped=(*before.skipped, skip))


def _why_not(check: SpotCheck | None, entry: Entry) -> Refusal | None:
    fact = entry.fact
    match fact:
        case CheckDrawn() if not fact.seed.strip():
            return because("check.no-seed", "A spot check needs a seed that was published.")
        case CheckDrawn() if not 1 <= fact.percent <= 100:
            return because("check.percent", "The share of a spot check is 1 to 100 percent.")
        case CheckJudged() | CheckSkipped() if check is not None and fact.of not in check.sample:
            return because(
                "check.not-drawn", f"{fact.of} is not in the sample of {check.id}.", record=fact.of, id=check.id
            )
        case CheckJudged() | CheckSkipped() if check is not None and fact.of not in check.left:
            return because("check.twice", f"{fact.of} was judged or skipped already.", record=fact.of)
        case CheckSkipped() if not fact.reason.strip():
            return because("check.no-reason", "What is skipped needs a reason.")
    return None


CHECK = Kind(
    SpotCheck,
    {None: {CheckDrawn: "drawn"}, "drawn": {CheckJudged: "drawn", CheckSkipped: "drawn"}},
    _after,
    _why_not,
)
