"""Packages in the making that were asked for on a page: how far each is, for whoever asked for it."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from bwcdock.core.refusal import because
from bwcdock.desk.verbs import Exported, Progress
from bwcdock.errors import BwcdockError, Misused
from bwcdock.lanes import Lane, own_lane

MOST = 50
"""How many are remembered, the newest: a page that is looked at later finds the package by its line in the register."""


NOTHING = Progress(done=0, of=0)


@dataclass(slots=True)
class Job:
    """One package: how far it is, and at last what was made of it or why not. Changed on the event loop alone."""

    person: str
    request: str
    progress: Progress = NOTHING
    made: Exported | None = None
    error: BwcdockError | None = None


class Packages:
    """The packages that were asked for since the pages began; the daemon makes one at a time."""

    def __init__(self) -> None:
        self._lane: Lane = own_lane("packages")
        self._jobs: dict[str, Job] = {}
        self._waiting: set[asyncio.Task[None]] = set()

    def begin(self, person: str, request: str, make: Callable[[Callable[[Progress], object]], Exported]) -> str:
        """Begin: ``make`` blocks until it is made and tells how far it is. The token of its page."""
        if any(job.made is None and job.error is None and job.person == person for job in self._jobs.values()):
            why = because("export.own-busy", "Your last package is being made still.")
            raise Misused("export", why, "Wait until it is finished.")
        token, job = secrets.token_urlsafe(16), Job(person=person, request=request)
        self._jobs[token] = job
        while len(self._jobs) > MOST:
            self._jobs.pop(next(iter(self._jobs)))
        loop = asyncio.get_running_loop()

        def tell(progress: Progress) -> None:
            loop.call_soon_threadsafe(setattr, job, "progress", progress)

        task = asyncio.ensure_future(self._make(job, lambda: make(tell)))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        return token

    async def _make(self, job: Job, make: Callable[[], Exported]) -> None:
        try:
            job.made = await self._lane.submit(make)
        except BwcdockError as error:
            job.error = error

    def of(self, token: str, person: str) -> Job | None:
        """The job with this token, if this person asked for it."""
        job = self._jobs.get(token)
        return job if job is not None and job.person == person else None

    def close(self) -> None:
        """Wait for no more; the daemon finishes what it began."""
        for task in self._waiting:
            task.cancel()
        self._lane.close()
