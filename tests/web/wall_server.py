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
from wall_world import PIN

settings, *edition = sys.argv[1:]
if edition:
    hub.edition = wall.edition = lambda: edition[0]


async def main() -> None:
    house = app.house(config.load(Path(settings)))
    web = house.settings.web
    await house.accounts.set_pin("002", PIN)
    plain, _ = servers(house, build(house), tls_of(web, house.settings.paths.web))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: setattr(plain, "should_exit", True))
    try:
        await plain.serve(sockets=[listening("listen", web.listen)])
    finally:
        house.close()


asyncio.run(main())
