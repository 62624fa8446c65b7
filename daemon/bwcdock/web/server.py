"""Serves the pages: without encryption to the station's own screens, with TLS to people, until told to stop."""

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import structlog
import uvicorn
from starlette.types import ASGIApp

from bwcdock.errors import BwcdockError, Misused
from bwcdock.web.application import build
from bwcdock.web.connection import patient
from bwcdock.web.house import House
from bwcdock.web.nearby import is_nearby
from bwcdock.web.tls import Tls

log = structlog.get_logger()

HEAD = 16 << 10
"""Bytes of one request's head."""

KEEP_ALIVE_S = 10
END_S = 3
"""How long an orderly stop waits for answers that are being sent; screens that follow the wall are let go before."""

OTHERS = 100
"""Connections beside those of the screens: a house full of people."""

WAITING = 128
"""Connections the kernel holds until they are taken."""

LOOK_S = 3600.0
"""How often the certificate is looked at and what has ended is forgotten."""


class _Server(uvicorn.Server):
    """One of two servers in a loop that has its own way of being told to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the whole program's matter."""
        yield


def listening(name: str, address: str) -> socket.socket:
    """A socket that listens there; ``Misused`` with the setting's ``name`` where nobody can."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # else a stopped server's port is taken for a minute
        if made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.bind((host, int(port)))
        made.listen(WAITING)
    except OSError as error:
        made.close()
        what, hint = {
            errno.EADDRINUSE: (
                f"Another program listens at {address} already.",
                f"`ss -ltnp 'sport = :{port}'` names it; stop it, or choose another port in [web] {name}.",
            ),
            errno.EADDRNOTAVAIL: (
                f"This machine has no address {host}.",
                f"`ip address` shows those it has; correct [web] {name}.",
            ),
            errno.EACCES: (
                f"The station's user may not listen at port {port}.",
                f"Choose one above 1023 in [web] {name}.",
            ),
        }.get(error.errno or 0, (f"{address} cannot be listened at: {error.strerror}.", f"See [web] {name}."))
        raise Misused("web", what, hint) from error
    made.setblocking(False)  # noqa: FBT003 (the standard library has it so)
    return made


def servers(house: House, app: ASGIApp, tls: Tls) -> tuple[uvicorn.Server, uvicorn.Server]:
    """The two servers, not started yet: the plain one first."""
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # what strangers send is no line of the journal each
    web = house.settings.web
    protocol = patient(lambda address: is_nearby(address, web))

    def config(**more: object) -> uvicorn.Config:
        return uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            http=protocol,
            h11_max_incomplete_event_size=HEAD,
            limit_concurrency=web.screens_at_once + OTHERS,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=END_S,
            server_header=False,
            proxy_headers=False,
            access_log=False,
            log_config=None,
            **more,  # type: ignore[arg-type]
        )

    return _Server(config()), _Server(config(ssl_context_factory=lambda *_: tls.context))


async def serve(
    house: House,
    tls: Tls,
    sockets: Sequence[socket.socket],
    stop: asyncio.Event,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve on the two listening sockets, plain and TLS, until ``stop``; ``ready`` is called once both are served."""
    running = servers(house, build(house), tls)
    serving = [
        asyncio.ensure_future(server.serve(sockets=[ours])) for server, ours in zip(running, sockets, strict=True)
    ]
    waiting = asyncio.ensure_future(stop.wait())
    looking = asyncio.ensure_future(_look_after(house, tls))
    try:
        # A server tells by a flag that it has begun.
        while not all(server.started for server in running) and not any(task.done() for task in serving):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        log.info("web.listens", plain=house.settings.web.listen, tls=house.settings.web.tls_listen)
        ready()
        await asyncio.wait({waiting, *serving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        house.part()
        for server in running:
            server.should_exit = True
        await asyncio.gather(*serving)
        for task in (waiting, looking):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _look_after(house: House, tls: Tls) -> None:
    """Now and then: one of our certificates is renewed, one that was renewed is taken, what has ended is forgotten."""
    while True:
        await asyncio.sleep(LOOK_S)
        now = house.clock.now()
        house.accounts.prune(now)
        try:
            await house.hands.do(tls.refresh, now)
        except BwcdockError as error:  # the old one goes on while it lasts
            log.error("tls.unfit", what=error.what, hint=error.hint)
