"""The stream of events to one screen (server-sent events), which is left when the screen takes nothing for a while."""

import asyncio
from typing import Any

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bwcdock.web.wall.hub import Hub
from bwcdock.web.words import Language

log = structlog.get_logger()

SLOW_S = 10.0
"""How long a screen may take to receive what was sent before it is left; it comes back by itself."""

RETRY_MS = 1000
"""How soon a browser tries again after the stream broke."""


class Events(Response):
    """Sends what changed until the screen leaves or the house closes."""

    media_type = "text/event-stream"

    def __init__(self, hub: Hub, language: Language) -> None:
        super().__init__()
        self._hub = hub
        self._language = language

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        left = asyncio.ensure_future(_left(receive))
        try:
            with self._hub.screen():
                await self._follow(left, send)
        except TimeoutError:
            log.warning("wall.slow", client=str(scope.get("client")))
        finally:
            left.cancel()

    async def _follow(self, left: asyncio.Future[None], send: Send) -> None:
        seen, head = 0, f"retry: {RETRY_MS}\n\n"
        while not left.done() and not self._hub.closed:
            turn = asyncio.ensure_future(self._hub.turn.wait())
            either: set[asyncio.Future[Any]] = {turn, left}
            try:
                text, seen = self._hub.since(seen, self._language)
                async with asyncio.timeout(SLOW_S):
                    await send({"type": "http.response.body", "body": f"{head}{text}".encode(), "more_body": True})
                head = ""
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            finally:
                turn.cancel()
        if not left.done():
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
