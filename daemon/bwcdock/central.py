"""How each central storage stands: its threads, its hours and its waits, and what ails it, told whenever that changes.

Everything here belongs to the event loop; calls to central storage run on the crews.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bwcdock.core.facts import Finding, Severity
from bwcdock.core.window import Window
from bwcdock.errors import Ailment
from bwcdock.lanes import HANGS, Crew, Lane
from bwcdock.sinks.around import Backoff, Standing
from bwcdock.steps import housekeeping
from bwcdock.steps.bench import Bench
from bwcdock.steps.outcome import Outcome


@dataclass(slots=True, kw_only=True)
class Post:
    """One central storage: ``at_once`` calls at a time; ``ails`` is what was found last, and empty where nothing."""

    name: str
    at_once: int
    crew: Crew
    window: Window
    backoff: Backoff
    standing: Standing = field(default_factory=Standing)
    ails: Ailment | None = None
    judged: bool = False

    @property
    def up(self) -> bool | None:
        """Whether it answers; ``None`` before it was asked."""
        return not self.ails if self.judged else None

    def opens(self, now: datetime) -> datetime:
        """``now`` within its hours, else when they begin."""
        return self.window.opens(now)

    def from_(self, now: datetime) -> datetime:
        """When recordings may be carried there, or looked at there: not while it rests, nor outside its hours."""
        return self.window.opens(max(now, self.standing.not_before or now))


class Central:
    """All central storage of a station at work."""

    def __init__(self, bench: Bench, desk: Lane) -> None:
        self._bench = bench
        self._desk = desk
        self._chance = random.Random()  # noqa: S311  (it spreads retries; it guards nothing)
        hours = {sink.name: sink.window for sink in bench.settings.sink}
        self.posts: Mapping[str, Post] = {name: self._post(name, hours.get(name, ())) for name in bench.sinks}

    def _post(self, name: str, hours: tuple[str, ...]) -> Post:
        chosen, settings = self._bench.settings.push_to(name), self._bench.settings
        return Post(
            name=name,
            at_once=chosen.parallel,
            crew=Crew(name, chosen.parallel, limit_s=chosen.call_timeout_s, spare=settings.limits.hung_calls),
            window=Window(hours, settings.station.zone),
            backoff=Backoff(first_s=chosen.backoff_first_s, max_s=chosen.backoff_max_s),
        )

    def may_begin(self, now: datetime) -> dict[str, datetime]:
        """From when each may be asked."""
        return {name: post.from_(now) for name, post in self.posts.items()}

    def open(self, now: datetime) -> list[str]:
        """Those that may be asked now."""
        return [name for name, since in self.may_begin(now).items() if since <= now]

    def may_ask(self, now: datetime) -> dict[str, datetime]:
        """From when each may be asked for something small, which its hours do not forbid."""
        return {name: post.standing.not_before or now for name, post in self.posts.items()}

    @property
    def at_once(self) -> dict[str, int]:
        """How many calls each is given at a time."""
        return {name: post.at_once for name, post in self.posts.items()}

    @property
    def moves(self) -> int:
        """Another number than before wherever a transfer got on."""
        return sum(post.crew.moves for post in self.posts.values())

    async def judge(self, name: str, outcome: Outcome) -> None:
        """What became of a call: a sink that fails rests for longer and longer, and what ails it is told once."""
        post, ails = self.posts[name], outcome.ailment if outcome.sink_down else None
        post.standing = (
            post.standing.failed(self._bench.clock.now(), post.backoff, self._chance) if ails else Standing()
        )
        if ails != post.ails or not post.judged:  # the first word settles what an earlier run told
            post.ails, post.judged = ails, True
            told = [ailing(name, ails, outcome.why, outcome.hint)] if ails else []
            await self._tell(told, [f"{family}.{name}" for family in AILING])

    async def tell_hung(self, name: str) -> None:
        """Whether calls to this sink hang now; said at once where one is left behind, and again with every head."""
        limit_s = self._bench.settings.push.call_timeout_s
        finding = Finding(
            severity=Severity.WARN,
            code=f"sink.hung.{name}",
            what=f"A call to central storage {name} has moved nothing for {limit_s:g} s and was left behind.",
            remedy=f"{HANGS} If it never does, start the station anew: nothing is lost by it.",
        )
        await self._tell([finding] if self.posts[name].crew.behind else [], [finding.code])

    def close(self) -> None:
        """Take no more calls; what runs may end."""
        for post in self.posts.values():
            post.crew.close()

    async def _tell(self, findings: list[Finding], codes: list[str]) -> None:
        await self._desk.submit(housekeeping.tell, self._bench, findings, codes)


AILING = ("sink.down", "sink.full", "sink.credentials", "sink.clock")
"""How the findings of :func:`ailing` begin; the name of the sink follows. Of one sink at most one of them holds."""


def ailing(name: str, ails: Ailment, why: str, hint: str) -> Finding:
    """What ails a sink, for people: ``why`` is the error's own sentence, ``hint`` its remedy."""
    goes_on = "Everything else goes on and it is tried again by itself"
    match ails:
        case "full":
            code, what = f"sink.full.{name}", f"Central storage {name} is full: {why}"
            remedy = f"{hint or 'Make room there or raise its quota.'} {goes_on}; the recordings wait in the spool."
        case "credentials":
            code, what = f"sink.credentials.{name}", f"Central storage {name} does not let the station in: {why}"
            remedy = f"{hint or 'Look at the account and its rights there.'} {goes_on}."
        case "clock":
            code, what = f"sink.clock.{name}", f"The clocks of central storage {name} and of this station differ: {why}"
            remedy = f"{hint or 'Let both ask the same time server.'} {goes_on}."
        case _:
            code, what = f"sink.down.{name}", f"Central storage {name} cannot be reached: {why}"
            remedy = f"{hint or 'Look after its network and mount.'} {goes_on}."
    return Finding(severity=Severity.WARN, code=code, what=what, remedy=remedy)
