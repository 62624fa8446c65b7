"""Serves the pages: without encryption to the station's own screens, with TLS to people, until told to stop."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
import uvicorn

from bwcdock.settings import Web
from bwcdock.web.application import build
from bwcdock.web.house import House

log = structlog.get_logger()

HEAD = 16 << 10
"""Bytes of one request's head."""

KEEP_ALIVE_S = 10
END_S = 3
"""How long an orderly stop waits for answers that are being sent."""


class _Server(uvicorn.Server):
    """One of two servers in a loop that has its own way of being told to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the whole program's matter."""
        yield


def servers(house: House, certificate: Path, private_key: Path) -> list[uvicorn.Server]:
    """The two servers, not started yet."""
    app = build(house)
    web = house.settings.web
    most = web.screens_at_once + 100
    made: list[uvicorn.Server] = []
    for address, more in (
        (web.listen, {}),
        (web.tls_listen, {"ssl_certfile": str(certificate), "ssl_keyfile": str(private_key)}),
    ):
        host, _, port = address.rpartition(":")
        made.append(
            _Server(
                uvicorn.Config(
                    app,
                    host=host.strip("[]"),
                    port=int(port),
                    lifespan="off",
                    ws="none",
                    http="h11",
                    h11_max_incomplete_event_size=HEAD,
                    limit_concurrency=most,
                    timeout_keep_alive=KEEP_ALIVE_S,
                    timeout_graceful_shutdown=END_S,
                    server_header=False,
                    proxy_headers=False,
                    access_log=False,
                    log_config=None,
                    **more,  # type: ignore[arg-type]
                )
            )
        )
    return made


async def serve(house: House, certificate: Path, private_key: Path) -> None:
    """Serve until SIGINT or SIGTERM."""
    running = servers(house, certificate, private_key)

    def stop() -> None:
        for server in running:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    log.info("web.listens", plain=house.settings.web.listen, tls=house.settings.web.tls_listen)
    try:
        await asyncio.gather(*(server.serve() for server in running))
    finally:
        house.close()


def files_of(web: Web, own: tuple[Path, Path]) -> tuple[Path, Path]:
    """The certificate and its key: the bureau's, or else the station's own."""
    return (web.certificate, web.private_key) if web.certificate and web.private_key else own
