"""A station whose pages are really served, on two free ports of this machine, for what only a connection can show."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bwcdock import app
from bwcdock.web import server
from bwcdock.web.house import House
from bwcdock.web.tls import tls_of
from desk_world import World
from web_world import world_in


def free_port() -> int:
    """A port nobody listens at now."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def served_world(directory: Path, **more: object) -> World:
    """A station that listens at two free ports of this machine."""
    web = {"listen": f"127.0.0.1:{free_port()}", "tls_listen": f"127.0.0.1:{free_port()}", **more}
    return world_in(directory, overrides={"web": web})


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Where it is served, and what a browser that trusts the station's authority begins with."""

    house: House
    plain: int
    tls: int
    trusting: ssl.SSLContext
    stop: asyncio.Event

    async def opened(self, *, tls: bool = True) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection."""
        if not tls:
            return await asyncio.open_connection("127.0.0.1", self.plain)
        return await asyncio.open_connection("127.0.0.1", self.tls, ssl=self.trusting, server_hostname="localhost")

    async def said(self, sent: bytes, *, tls: bool = True) -> bytes:
        """Everything that is answered to these bytes, until the other end closes."""
        reader, writer = await self.opened(tls=tls)
        try:
            writer.write(sent)
            with suppress(ConnectionError):
                await writer.drain()
            return await asyncio.wait_for(reader.read(), 30)
        finally:
            await closed(writer)


async def closed(writer: asyncio.StreamWriter) -> None:
    """Let go of a connection, whatever the other end did with it."""
    writer.close()
    with suppress(OSError, ssl.SSLError):
        await writer.wait_closed()


@asynccontextmanager
async def served(world: World) -> AsyncIterator[Served]:
    """Its pages, served until the end of the block."""
    settings = world.bed.settings
    house = app.house(settings, clock=world.clock)
    tls = tls_of(settings.web, settings.paths.web)
    tls.refresh(world.clock.now())
    authority = tls.files(world.clock.now()).authority
    assert authority is not None
    trusting = ssl.create_default_context(cafile=str(authority))
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT
    sockets = [server.listening("listen", settings.web.listen), server.listening("tls_listen", settings.web.tls_listen)]
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.ensure_future(server.serve(house, tls, sockets, stop, ready.set))
    try:
        waiting = asyncio.ensure_future(ready.wait())
        await asyncio.wait({waiting, serving}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        yield Served(
            house=house,
            plain=int(settings.web.listen.rpartition(":")[2]),
            tls=int(settings.web.tls_listen.rpartition(":")[2]),
            trusting=trusting,
            stop=stop,
        )
    finally:
        stop.set()
        await serving
        house.close()
