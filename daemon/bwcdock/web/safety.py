"""What holds for every answer and every question, before any route: headers, host, origin, size, time, how often."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bwcdock.settings import Web
from bwcdock.web.limits import Buckets
from bwcdock.web.problems import API, problem

log = structlog.get_logger()

CSP: Final = "; ".join((
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "font-src 'self'",
    "connect-src 'self'", "media-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'",
))  # fmt: skip
HEADERS: Final = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    # Not "no-referrer": then browsers say of a form of ours that it comes from "null" (Fetch, 3.1), and it is refused.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), usb=(), payment=()",
}
HSTS: Final = "max-age=31536000"
"""Sent under names only: browsers heed it for no address (RFC 6797, 8.1.1). Not under ``localhost``: no network is in
between, and a browser that obeyed would find the wall at its port without TLS no more."""

NO_STORE: Final = "no-store"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
ONCE: Final = (
    "authorization", "content-length", "content-type", "cookie", "host", "origin", "sec-fetch-site",
    "transfer-encoding",
)  # fmt: skip
"""Headers that decide something. One of them twice means that somebody wants two readers to see two things."""

BODY_S: Final = 30.0
"""For the whole of a form or request: the largest takes two seconds over a telephone network."""

LEFT_OVER: Final = 4
"""So many times what may be sent is still read and thrown away: the answer is to arrive before the connection ends."""

DOORS: Final = ("/login", "/join", "/first")
"""Where people sign in; posting there is counted more strictly."""


class Safety:
    """Refuses what cannot be meant for this station, and says of every answer how it may be used."""

    def __init__(self, app: ASGIApp, *, names: frozenset[str], web: Web, monotonic: Callable[[], float]) -> None:
        self._app = app
        self._names = names
        self._body = web.body
        self._monotonic = monotonic
        self._all = Buckets(rate=web.requests_per_s, burst=10 * web.requests_per_s)
        self._doors = Buckets(rate=web.sign_ins_per_minute / 60, burst=web.sign_ins_per_minute)
        self._calls = Buckets(rate=web.calls_per_s, burst=5 * web.calls_per_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return  # neither WebSockets nor anything else is spoken here
        headers = Headers(scope=scope)
        sending = _Sending(send, hsts=scope["scheme"] == "https" and _is_name(headers.get("host", "")))
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await self._refuse(refusal, scope, receive, sending)
            return
        try:
            body = await _read(receive, self._body)
        except _Unfit as unfit:
            if unfit.status == 413:
                await _throw_away(receive, self._body * LEFT_OVER)
            await self._refuse(PlainTextResponse(str(unfit), unfit.status), scope, receive, sending)
            return
        if body is None:  # nobody waits for an answer any more
            return
        try:
            await self._app(scope, _Again(body, receive), sending)
        except Exception:  # told already, under a number (application.py), unless telling it failed too
            if not sending.has_begun:
                log.exception("web.bug", method=scope["method"], path=scope["path"])
                await PlainTextResponse("程序出错 / A fault of the program.\n", 500)(scope, receive, sending)

    def _refusal(self, scope: Scope, headers: Headers) -> PlainTextResponse | None:
        if wait_s := self._has_to_wait(scope):
            retry = {"retry-after": str(math.ceil(wait_s))}
            return PlainTextResponse("Too many requests from this address.", 429, retry)
        counted = Counter(name.lower() for name in headers.keys())  # noqa: SIM118 (keys of a multidict)
        if any(counted[name] > 1 for name in ONCE):
            return PlainTextResponse("A header is there twice.", 400)
        if not self._is_ours(headers.get("host", "")):
            # A stranger's name that leads here (DNS rebinding) must not be taken for ours.
            return PlainTextResponse("This station has no such name; see [web] names.", 421)
        declared = headers.get("content-length", "0")
        if not (declared.isascii() and declared.isdecimal()) or len(declared) > 15 or int(declared) > self._body:
            return PlainTextResponse("Too much was sent; see [web] body.", 413)
        if scope["method"] not in SAFE and not scope["path"].startswith(API) and not _is_from_us(scope, headers):
            return PlainTextResponse("Sent from a page of another site.", 403)
        return None

    def _has_to_wait(self, scope: Scope) -> float:
        """Seconds until this address may ask again; 0.0 where it may now."""
        address, now, path = (scope.get("client") or ("",))[0], self._monotonic(), scope["path"]
        wait_s = self._all.take(address, now)
        if not wait_s and path.startswith(API):
            wait_s = self._calls.take(address, now)
        if not wait_s and scope["method"] == "POST" and path.startswith(DOORS):
            wait_s = self._doors.take(address, now)
        return wait_s

    async def _refuse(self, answer: PlainTextResponse, scope: Scope, receive: Receive, send: Send) -> None:
        told: Response = answer
        if scope["path"].startswith(API):
            retry = answer.headers.get("retry-after")
            told = problem(
                answer.status_code, bytes(answer.body).decode(), headers={"retry-after": retry} if retry else {}
            )
        # What may still come over this connection is not read as another request.
        told.headers["connection"] = "close"
        await told(scope, receive, send)

    def _is_ours(self, host: str) -> bool:
        name = _name_of(host)
        return name in self._names or _is_address(name)


def _name_of(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # brackets that hold no address
        return ""


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_name(host: str) -> bool:
    name = _name_of(host)
    return name != "localhost" and not name.endswith(".localhost") and not _is_address(name)


def _is_from_us(scope: Scope, headers: Headers) -> bool:
    """Whether a changing request was sent by a page of this very origin, or by a program with a token."""
    if headers.get("authorization", "").lower().startswith("bearer "):
        return True  # no browser adds it by itself, and whoever brings one is nobody's cookie (callers.py)
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = headers.get("origin")
    if origin is None:
        return site == "same-origin"
    return origin == f"{scope['scheme']}://{headers.get('host', '')}"


class _Sending:
    """Adds to every answer what holds for all."""

    def __init__(self, send: Send, *, hsts: bool) -> None:
        self._send = send
        self._hsts = hsts
        self.has_begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", NO_STORE)
            if self._hsts:
                headers.setdefault("strict-transport-security", HSTS)
        await self._send(message)


class _Unfit(Exception):
    """What was sent is too much, or came too slowly."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


async def _read(receive: Receive, most: int) -> bytes | None:
    """All that was sent; ``None`` where the other end has gone. What is small enough is read before anything runs."""
    got = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                got += message.get("body", b"")
                if len(got) > most:
                    raise _Unfit(413, "Too much was sent; see [web] body.")
                if not message.get("more_body", False):
                    return bytes(got)
    except TimeoutError:
        raise _Unfit(408, "It came too slowly.") from None


async def _throw_away(receive: Receive, most: int) -> None:
    """Read on for a moment: whoever still sends would not see an answer."""
    try:
        async with asyncio.timeout(BODY_S / 10):
            while most > 0:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
                most -= len(message.get("body", b""))
    except TimeoutError:
        return


class _Again:
    """What was read already, and then whether the other end has gone."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        return await self._receive()
