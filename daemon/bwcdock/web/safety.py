"""What holds for every answer and every question, before any route: headers, host, origin, size."""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CSP: Final = "; ".join((
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "font-src 'self'",
    "connect-src 'self'", "media-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'",
))  # fmt: skip
HEADERS: Final = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), usb=(), payment=()",
}
HSTS: Final = "max-age=31536000"
NO_STORE: Final = "no-store"
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Safety:
    """Refuses what cannot be meant for this station, and says of every answer how it may be used."""

    def __init__(self, app: ASGIApp, *, names: frozenset[str], body: int) -> None:
        self._app = app
        self._names = names
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        sending = _with_headers(send, is_tls=scope["scheme"] == "https")
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, sending)
            return
        await self._app(scope, _Bounded(receive, self._body), sending)

    def _refusal(self, scope: Scope, headers: Headers) -> PlainTextResponse | None:
        if not self._is_ours(headers.get("host", "")):
            # A stranger's name that leads here (DNS rebinding) must not be taken for ours.
            return PlainTextResponse("This station has no such name; see [web] names.", 421)
        declared = headers.get("content-length", "0")
        if not declared.isdecimal() or int(declared) > self._body:
            return PlainTextResponse("Too much was sent; see [web] body.", 413)
        if scope["method"] not in SAFE and not _is_from_us(scope, headers):
            return PlainTextResponse("Sent from a page of another site.", 403)
        return None

    def _is_ours(self, host: str) -> bool:
        name = urlsplit(f"//{host}").hostname or ""
        if name in self._names:
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return True


def _is_from_us(scope: Scope, headers: Headers) -> bool:
    """Whether a changing request was sent by a page of this very origin, or by a program with a token."""
    if headers.get("authorization", "").lower().startswith("bearer "):
        return True  # no browser adds it by itself
    site = headers.get("sec-fetch-site")
    if site is not None and site != "same-origin":
        return False
    origin = headers.get("origin")
    if origin is None:
        return site == "same-origin"
    return origin == f"{scope['scheme']}://{headers.get('host', '')}"


def _with_headers(send: Send, *, is_tls: bool) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", NO_STORE)
            if is_tls:
                headers.setdefault("strict-transport-security", HSTS)
        await send(message)

    return sending


class _Bounded:
    """What is received, which ends with a fault of the sender's once it is more than it may be."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._left = most

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                return {"type": "http.disconnect"}
        return message
