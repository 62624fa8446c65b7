"""The command web: serves the pages until told to stop; codes and the certificate from the machine itself."""

import argparse
import asyncio
import os
import pwd
import signal
import socket
import sys
from collections.abc import Sequence
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from bwcdock import allocator, app, logs, systemd
from bwcdock.cli.common import WELL, say, settings_of
from bwcdock.cli.desk import perform
from bwcdock.clock import WallClock
from bwcdock.core.desk.people import Person
from bwcdock.core.facts import Actor
from bwcdock.desk import line
from bwcdock.errors import Misused
from bwcdock.ledger import open_read_only
from bwcdock.settings import Settings, Web
from bwcdock.web import server
from bwcdock.web.accounts import Accounts
from bwcdock.web.accounts.codes import FIRST
from bwcdock.web.house import House
from bwcdock.web.tls import Tls, fingerprint, tls_of

ALIVE_S = 10.0
"""How often systemd hears of it where it does not watch; where it does, a third of its time."""


# --- serve ------------------------------------------------------------------------------------------------------------


def run(asked: argparse.Namespace) -> int:
    """`bwcdock web`."""
    allocator.settle()
    settings = settings_of(asked)
    logs.configure(settings.log.format, settings.log.level, sys.stderr, line_length=settings.limits.line_length)
    _become(settings)
    web = settings.web
    sockets = [server.listening("listen", web.listen)]
    try:
        sockets.append(server.listening("tls_listen", web.tls_listen))
        tls = tls_of(web, settings.paths.web)
        tls.refresh(WallClock().now())
        house = app.house(settings)
        try:
            _say_first(house)
            asyncio.run(_until_told(house, tls, sockets))
        finally:
            house.close()
    finally:
        for each in sockets:
            each.close()
    return WELL


def _say_first(house: House) -> None:
    """While nobody can sign in: a code for the first, new at every start. Whoever sees the console may be he."""
    if house.accounts.anybody():
        house.accounts.codes.drop(FIRST)
        return
    code = house.accounts.codes.make(FIRST, house.clock.now())
    say(
        "还没有人能登录。首次登录码（一次有效，重新启动后作废）：",
        f"Nobody can sign in yet. The code for the first person, good once and until the next start: {code}",
        _address(house.settings.web, "/first"),
    )


async def _until_told(house: House, tls: Tls, sockets: Sequence[socket.socket]) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    tell = systemd.notifier(os.environ)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    silence_s = systemd.watchdog_s(os.environ, os.getpid())
    living = asyncio.ensure_future(_live(tell, silence_s / 3 if silence_s else ALIVE_S))
    said = f"pages at {house.settings.web.tls_listen}"
    try:
        await server.serve(house, tls, sockets, stop, lambda: tell.ready(said))
    finally:
        living.cancel()
        tell.stopping()
        tell.close()


async def _live(tell: systemd.Notifier, every_s: float) -> None:
    """A loop that turns is alive: a page that hangs has a lane of its own."""
    while True:
        await asyncio.sleep(every_s)
        tell.alive("serving pages")


# --- from the machine itself ------------------------------------------------------------------------------------------


def code(asked: argparse.Namespace) -> int:
    """`bwcdock web code`: the fact first, then the code; dying in between leaves a line without effect."""
    settings = settings_of(asked)
    if os.geteuid() not in {0, _owner(settings).st_uid}:
        what = "Only the station's own user, or root, makes codes here."
        raise Misused("web code", what, "Say it with sudo; a system administrator makes them on the page /sign-ins.")
    with open_read_only(settings.paths.ledger) as ledger:
        person = ledger.matter(Person, asked.person)
    if person is None or person.state != "active":
        what = f"Nobody works here as {asked.person!r}."
        raise Misused("web code", what, "`bwcdock desk list person` shows who does; nothing was changed.")
    said = line.act_of("set-sign-in", {"person": person.id, "what": "code"})
    # In his own name: the pages let nobody make a code for himself, so that this one came from here can be told.
    perform(settings, said, Actor(name=person.id, role=person.roles[0] if person.roles else ""))
    _become(settings)
    accounts = Accounts(settings.paths.web, settings.web)
    try:
        made = accounts.codes.make(person.id, WallClock().now())
    finally:
        accounts.close()
    say(f"{person.name} ({person.id}): {made}", _address(settings.web, "/join"))
    return WELL


def certificate(asked: argparse.Namespace) -> int:
    """`bwcdock web certificate`."""
    settings = settings_of(asked)
    _become(settings)
    files = tls_of(settings.web, settings.paths.web).files(WallClock().now())
    if files.authority is None:
        what = f"This station has the certificate of {files.certificate}."
        raise Misused("web certificate", what, "Browsers are told to trust whoever issued it; ask there.")
    made = x509.load_pem_x509_certificate(files.authority.read_bytes())
    say(made.public_bytes(Encoding.PEM).decode().rstrip())
    print(f"SHA-256 {fingerprint(made.public_bytes(Encoding.DER))}", file=sys.stderr)
    return WELL


def _address(web: Web, path: str) -> str:
    """Where a page is, as one types it at the nearest browser that may."""
    host, _, port = web.tls_listen.rpartition(":")
    name = "localhost" if ip_address(host.strip("[]")).is_loopback else socket.gethostname()
    return f"https://{name}:{port}{path}"


def _become(settings: Settings) -> None:
    """Root becomes the user whose the pages' directory is, so that no file in it is root's."""
    owner = _owner(settings)
    if os.geteuid() == 0 and owner.st_uid != 0:
        try:
            os.initgroups(pwd.getpwuid(owner.st_uid).pw_name, owner.st_gid)
        except KeyError:  # a number without a name
            os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


def _owner(settings: Settings) -> os.stat_result:
    """Whose the pages' directory is, or will be."""
    path = settings.paths.web
    while not path.exists():
        path = path.parent
    return path.stat()
