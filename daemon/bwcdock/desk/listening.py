"""The station's end of the line: who may speak, how long and how much, and that nobody holds another up.

Two doors. ``run/desk.sock`` is for the station's own user and root; the kernel says who is at the other end. Where
somebody made the directory ``run/web``, there is another one in it for the pages, which run as a user of their own: who
may enter that directory may speak. The kernel is not asked there, because a daemon in a user namespace of its own
(PrivateUsers=) sees every other user as nobody.
"""

import asyncio
import json
import os
import socket
import struct
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from bwcdock import durable
from bwcdock.core.refusal import because
from bwcdock.desk import exports, line
from bwcdock.desk.answers import Answers
from bwcdock.desk.verbs import Export, Fetch, Hello, Opened, View
from bwcdock.errors import BwcdockError, Misused

log = structlog.get_logger()

MOST_OPEN = 32
"""How many may be connected at a door: those who have not asked yet take nobody's place, and have little time."""

ASKING_S = 5.0
"""How long one may take to ask: it is a program, and has all it says at hand."""

TELLING_S = 0.5
"""How often whoever waits for a package is told how far it is. A sign of life too."""

_CREDENTIALS = struct.Struct("3i")


class Gone(Exception):
    """Whoever asked does not listen any more."""


@dataclass(slots=True)
class Door:
    """A socket to listen at. ``ours`` is for this user and root alone.

    ``open`` is how many are connected, ``asked`` how many of them are being answered.
    """

    path: Path
    ours: bool
    socket: socket.socket
    open: int = 0
    asked: int = 0


class Line:
    """The station's end. Use from its event loop."""

    def __init__(self, run: Path, answers: Answers) -> None:
        self._run = run
        self._answers = answers
        self._doors: list[Door] = []
        self._listening: set[asyncio.Task[None]] = set()
        self._talking: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. The lock of the station is held, so a socket that lies there is nobody's."""
        self._doors = [_door(path, ours=path.parent == self._run) for path in line.doors(self._run)]
        for door in self._doors:
            _spawn(self._listen(door), self._listening)
        _spawn(self._answers.exports.sweep(), self._listening)

    async def close(self) -> None:
        """Stop listening; an act that was begun is done."""
        listening = set(self._listening)
        for task in listening:
            task.cancel()
        if listening:
            await asyncio.wait(listening)  # until the loop has let go of the sockets
        for door in self._doors:
            door.socket.close()
            durable.discard(door.path)
        self._answers.close()

    async def _listen(self, door: Door) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                peer, _ = await loop.sock_accept(door.socket)
            except OSError as error:  # too many open files: they are closed again some day
                log.warning("desk.line", what=str(error))
                await asyncio.sleep(1)
                continue
            if door.open >= MOST_OPEN or (door.ours and not _is_ours(peer)):
                peer.close()
            else:
                door.open += 1
                _spawn(self._met(peer, door), self._talking)

    async def _met(self, peer: socket.socket, door: Door) -> None:
        with peer:
            try:
                async with asyncio.timeout(ASKING_S):
                    said = await _line(peer)
                if door.asked >= line.AT_ONCE:
                    await _send(
                        peer,
                        line.problem(
                            Misused("desk", because("line.busy", "Too many are asking at once."), "Try again.")
                        ),
                    )
                    return
                door.asked += 1
                try:
                    await self._answer(peer, said)
                finally:
                    door.asked -= 1
            except (Gone, TimeoutError, OSError, ValueError) as error:
                log.info("desk.line", what=str(error))
            finally:
                door.open -= 1

    async def _answer(self, peer: socket.socket, said: bytes) -> None:
        try:
            asked = line.heard(said)
            if isinstance(asked, Export):
                await self._export(peer, asked)
                return
            async with asyncio.timeout(line.PATIENCE_S):
                answer = await self._one(asked)
        except Gone:
            raise
        except BwcdockError as error:
            await _send(peer, line.problem(error))
        except TimeoutError:
            what = f"The station did not answer within {line.PATIENCE_S:g} s; it may still do it."
            late = because("line.late", what, seconds=round(line.PATIENCE_S))
            await _send(peer, line.problem(BwcdockError("desk", late, "Look whether it was done, then try again.")))
        except Exception as error:  # a bug must not be a silence at the other end, and is told in the journal
            log.exception("desk.bug")
            what = f"The program failed: {type(error).__name__}."
            await _send(peer, line.problem(BwcdockError("desk", because("line.bug", what), "Look at its log.")))
        else:
            await _give(peer, answer)

    async def _one(self, asked: Any) -> Any:
        match asked:
            case Hello():
                return self._answers.hello()
            case View():
                return await self._answers.view(asked)
            case Fetch():
                return await self._answers.fetch(asked)
            case (act, actor):
                return await self._answers.act(act, actor)

    async def _export(self, peer: socket.socket, asked: Export) -> None:
        """Tell how far it is until it is made. Whoever goes away meanwhile can fetch it later."""
        making, ended = self._answers.exports.begin(asked)
        while not ended.done():
            await asyncio.wait({ended}, timeout=TELLING_S)
            if not ended.done():
                await _send(peer, line.PROGRESS.dump_python(making.progress, mode="json"))
        await _give(peer, exports.told(await ended))


def _spawn(work: Coroutine[Any, Any, None], among: set[asyncio.Task[None]]) -> None:
    task = asyncio.ensure_future(work)
    among.add(task)
    task.add_done_callback(among.discard)


def _door(path: Path, *, ours: bool) -> Door:
    durable.discard(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(0)
    before = os.umask(0o177 if ours else 0o117)
    try:
        with line.short(path) as address:
            made.bind(address)
    finally:
        os.umask(before)
    made.listen(4 * MOST_OPEN)  # whoever comes when all places are taken is hung up on, not kept out
    return Door(path=path, ours=ours, socket=made)


def _is_ours(peer: socket.socket) -> bool:
    """Whether the process at the other end runs as this user, or as root."""
    _, uid, _ = _CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return uid in {0, os.geteuid()}


async def _line(peer: socket.socket) -> bytes:
    loop, got = asyncio.get_running_loop(), b""
    while not got.endswith(b"\n"):
        more = await loop.sock_recv(peer, 65536)
        if not more or len(got) + len(more) > line.MOST:
            raise ValueError("not one whole line" if not more else "a line that is too long")
        got += more
    return got


async def _give(peer: socket.socket, answer: Any) -> None:
    """The answer, and with it the file it is about: the descriptor travels with the line's first byte."""
    if not isinstance(answer, Opened):
        await _send(peer, line.written(answer))
        return
    with answer.file:
        await _send(peer, line.written(answer.answer), answer.file.fileno())


async def _send(peer: socket.socket, answer: dict[str, Any], *descriptors: int) -> None:
    data = json.dumps(answer, ensure_ascii=False).encode() + b"\n"
    try:
        # Nothing was sent before a descriptor is, so there is room for it.
        sent = socket.send_fds(peer, [data], descriptors) if descriptors else 0
        async with asyncio.timeout(ASKING_S):
            await asyncio.get_running_loop().sock_sendall(peer, data[sent:])
    except (OSError, TimeoutError) as error:
        raise Gone(f"Whoever asked is gone: {error}") from error
