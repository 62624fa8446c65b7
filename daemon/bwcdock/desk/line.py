"""The line to a station at work: a command beside the daemon hands its act to whoever has the ledger open.

One JSON object a line each way, on a socket in the run directory that only the station's own user (and root) can open;
the kernel says who is at the other end. Dying in the middle leaves the act done or not done, and asking again tells.
"""

import asyncio
import json
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
from pydantic import TypeAdapter, ValidationError

from bwcdock import durable
from bwcdock.core.facts import Actor
from bwcdock.core.names import show
from bwcdock.desk.acts import ACTS, Act
from bwcdock.desk.doing import Done
from bwcdock.errors import BwcdockError, Misused

log = structlog.get_logger()

NAME = "desk.sock"
"""In the run directory."""

MOST = 256 << 10
"""Bytes of one line: far more than the largest act."""

PATIENCE_S = 30.0
"""How long one may take to ask, and to be answered: a whole transaction of a busy ledger takes a fraction of it."""

AT_ONCE = 8
"""How many may be connected; a person types one act at a time."""

_DONE = TypeAdapter(Done)
_CREDENTIALS = struct.Struct("3i")

Doing = Callable[[Act, Actor], Awaitable[Done]]


class Line:
    """The station's end. ``doing`` does an act and lets the station know of what changed."""

    def __init__(self, run: Path, doing: Doing) -> None:
        self._path = run / NAME
        self._doing = doing
        self._server: asyncio.Server | None = None
        self._open = 0

    async def start(self) -> None:
        """Listen. The lock of the station is held, so a socket that lies there is nobody's."""
        durable.discard(self._path)
        ours = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            with _short(self._path) as address:
                ours.bind(address)
        finally:
            os.umask(before)
        self._server = await asyncio.start_unix_server(self._met, sock=ours, limit=MOST)

    async def close(self) -> None:
        """Stop listening; what was begun is done."""
        if self._server is not None:
            self._server.close()
        durable.discard(self._path)

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open > AT_ONCE or not _is_ours(writer.get_extra_info("socket")):
                return
            async with asyncio.timeout(PATIENCE_S):
                answer = await self._answer(await reader.readline())
                writer.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
                await writer.drain()
        except (TimeoutError, OSError, ValueError) as error:
            log.info("desk.line", what=str(error))
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            act, actor = parsed(line)
            done = await self._doing(act, actor)
        except BwcdockError as error:
            return {"op": error.op, "what": error.what, "hint": error.hint}
        except Exception as error:  # a bug must not be a silence at the other end, and is told in the journal
            log.exception("desk.bug")
            return {"op": "desk", "what": f"The program failed: {type(error).__name__}.", "hint": "Look at its log."}
        return {"done": _DONE.dump_python(done, mode="json")}


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name of this socket that always fits an address, which holds 107 bytes; a station may lie deep."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _is_ours(peer: socket.socket) -> bool:
    """Whether the process at the other end runs as this user, or as root."""
    _, uid, _ = _CREDENTIALS.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
    return uid in {0, os.geteuid()}


def parsed(line: bytes) -> tuple[Act, Actor]:
    """The act and the actor of a line; ``Misused`` says what is wrong with it."""
    try:
        asked = json.loads(line)
        word, said, name, role = asked["act"], asked["said"], asked["name"], asked["role"]
        if not all(isinstance(each, str) for each in (word, name, role)):
            raise TypeError("a word that is no text")
    except (ValueError, KeyError, TypeError) as error:
        raise Misused("desk", f"This is no act: {error}.", "Send act, said, name and role in one JSON line.") from error
    return act_of(word, said), Actor(name=name, role=role)


def act_of(word: str, said: object) -> Act:
    """The act ``word`` with what was said; ``Misused`` names every option that is wrong."""
    model = ACTS.get(word)
    if model is None:
        raise Misused("desk", f"There is no act {show(word)[:40]!r}.", f"There are: {', '.join(ACTS)}.")
    try:
        return model.model_validate(said)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, e['loc'])) or word}: {e['msg']}" for e in error.errors()[:5])
        raise Misused(f"desk {word}", f"{told}.", f"See `bwcdock desk {word} --help`; nothing was changed.") from error


def ask(run: Path, act: Act, actor: Actor) -> Done:
    """Hand the act to the station that works here. Raises what it answers, or ``Misused`` where nobody listens."""
    said = {"act": act.word, "said": act.model_dump(mode="json"), "name": actor.name, "role": actor.role}
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(PATIENCE_S)
            with _short(run / NAME) as address:
                line.connect(address)
            line.sendall(json.dumps(said).encode() + b"\n")
            answer = json.loads(_read(line))
    except (OSError, ValueError) as error:
        what = f"The station at work cannot be reached: {error}."
        raise Misused("desk", what, "Act as its user (sudo -u bwcdock), or stop the station first.") from error
    if "done" in answer:
        return _DONE.validate_python(answer["done"], strict=False)
    raise Misused(answer["op"], answer["what"], answer["hint"])


def _read(line: socket.socket) -> bytes:
    got = b""
    while not got.endswith(b"\n") and len(got) <= MOST and (more := line.recv(65536)):
        got += more
    return got
