"""The stream of events to one screen (server-sent events), which is left when the screen takes nothing for a while."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bwcdock.errors import BwcdockError
from bwcdock.web.wall.hub import SHUT, Hub
from bwcdock.web.words import Language

log = structlog.get_logger()

SLOW_S = 10.0
"""How long a screen may take to receive what was sent before it is left; it comes back by itself."""

RETRY_MS = 1000
"""How soon a browser tries again after the stream broke."""


JUDGE_S = 10.0
"""How often it is asked again whether the screen may follow: whoever signed out, or lost his role, sees no more."""


class Events(Response):
    """Sends what changed until the screen leaves, may follow no longer (``still``), or the house closes."""

    media_type = "text/event-stream"

    def __init__(self, hub: Hub, language: Language, still: Callable[[], Awaitable[bool]]) -> None:
        super().__init__()
        self._hub = hub
        self._language = language
        self._still = still

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        left, shut = asyncio.ensure_future(_left(receive)), asyncio.ensure_future(self._shut())
        try:
            with self._hub.screen():
                await self._follow(left, shut, send)
        except TimeoutError:
            log.warning("wall.slow", client=str(scope.get("client")))
        finally:
            left.cancel()
            shut.cancel()

    async def _follow(self, left: asyncio.Future[None], shut: asyncio.Future[None], send: Send) -> None:
        seen, head = 0, f"retry: {RETRY_MS}\n\n"
        while not left.done() and not shut.done() and not self._hub.closed:
            turn = asyncio.ensure_future(self._hub.turn.wait())
            either: set[asyncio.Future[Any]] = {turn, left, shut}
            try:
                text, seen = self._hub.since(seen, self._language)
                async with asyncio.timeout(SLOW_S):
                    await send({"type": "http.response.body", "body": f"{head}{text}".encode(), "more_body": True})
                head = ""
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            finally:
                turn.cancel()
        if not left.done():
            last = SHUT.encode() if shut.done() else b""
            await send({"type": "http.response.body", "body": last, "more_body": False})

    async def _shut(self) -> None:
        """Ends when the screen may follow no longer; so it does where nobody can tell, and the screen asks anew."""
        while True:
            await asyncio.sleep(JUDGE_S)
            try:
                if not await self._still():
                    return
            except BwcdockError as error:
                log.warning("wall.unjudged", what=str(error))
                return


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
