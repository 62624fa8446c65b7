"""A few threads that send parts at the same time, fed by the thread that digests them."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Self

from bwcdock.sinks.s3.bodies import Part

PULSE_S = 0.2
"""How often whoever waits here gives a sign of life on behalf of the threads, where they got on."""


class Senders:
    """At most ``count`` threads that call ``send`` with a part each; none is started before it is needed.

    ``pulse`` is called by the waiting thread, outside any lock, every :data:`PULSE_S`. The first failure ends it all:
    it is raised to whoever gives the next part or waits for the last one. Leaving the context waits for what is being
    sent just now, which the client's own time limits bound.
    """

    def __init__(self, count: int, name: str, send: Callable[[Part], None], pulse: Callable[[], None]) -> None:
        self._count = count
        self._name = name
        self._send = send
        self._pulse = pulse
        self._change = threading.Condition()
        self._waiting: deque[Part] = deque()
        self._busy = 0
        self._closed = False
        self._failed: BaseException | None = None
        self._threads: list[threading.Thread] = []

    def give(self, part: Part) -> None:
        """Have it sent; waits until a thread is free for it, so that no more is in flight than there are threads."""
        self._wait(lambda: len(self._waiting) + self._busy < self._count)
        with self._change:
            self._waiting.append(part)
            if len(self._waiting) + self._busy > len(self._threads):
                thread = threading.Thread(target=self._run, name=f"send {self._name}", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._change.notify_all()

    def finish(self) -> None:
        """Wait until everything given is sent."""
        self._wait(lambda: not self._waiting and not self._busy)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._change:
            self._closed = True
            self._change.notify_all()
        for thread in self._threads:
            while thread.is_alive():
                thread.join(PULSE_S)
                self._pulse()

    def _wait(self, ready: Callable[[], bool]) -> None:
        while True:
            with self._change:
                if self._failed is not None:
                    raise self._failed
                if ready():
                    return
                self._change.wait(PULSE_S)
            self._pulse()

    def _run(self) -> None:
        while True:
            with self._change:
                while not self._waiting and not self._closed and self._failed is None:
                    self._change.wait()
                if self._closed or self._failed is not None:
                    return
                part = self._waiting.popleft()
                self._busy += 1
            try:
                self._send(part)
            except BaseException as error:  # whatever it is, the thread that waits must hear of it
                with self._change:
                    self._failed = self._failed or error
            finally:
                with self._change:
                    self._busy -= 1
                    self._change.notify_all()
