"""The pages of a station in a process of their own, for tests that end it: ``wall_server.py SETTINGS [EDITION]``."""

import asyncio
import signal
import sys
from pathlib import Path

from bwcdock import app, config
from bwcdock.web.application import build
from bwcdock.web.routes import wall
from bwcdock.web.server import listening, servers
from bwcdock.web.tls import tls_of
from bwcdock.web.wall import hub
from wall_world import PIN, with_pins

settings, *edition = sys.argv[1:]
if edition:
    hub.edition = wall.edition = lambda: edition[0]


async def main() -> None:
    house = app.house(config.load(Path(settings)))
    with_pins(house, **{"002": PIN})
    web = house.settings.web
    server = servers(house, build(house), tls_of(web, house.settings.paths.web))[0]  # the plain one
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: setattr(server, "should_exit", True))
    try:
        await server.serve(sockets=[listening("listen", web.listen)])
    finally:
        house.close()


asyncio.run(main())
