"""The line to an SSH server: one connection on an event loop of its own, asked from threads that can wait."""

import asyncio
import concurrent.futures
import logging
import threading
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, ParamSpec, TypeVar

import asyncssh
from asyncssh import SFTPClient

from bwcdock.errors import Misused
from bwcdock.settings import SftpSink

P = ParamSpec("P")
T = TypeVar("T")

KEEPALIVE_S = 15.0
"""A quiet connection is asked so often whether the other end is there; routers forget one after some minutes."""

PATIENCE_S = 5.0
"""How long to wait for a connection that is let go."""

KEEPALIVES = 3
"""So many unanswered ones end it."""

WINDOW = 16
"""Requests on the way at once: of 128 KiB each they fill a line of 100 Mbit/s with a delay of 150 ms."""

# It tells every connection and every request; what goes wrong reaches us as an exception.
logging.getLogger("asyncssh").setLevel(logging.WARNING)


class NotTrusted(Exception):
    """The server's key, or ours, is not what it should be. ``hint`` says what to do."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.hint = hint


class Silent(Exception):
    """The server took longer than it may."""


class Line:
    """One connection to the server of a sink, made when it is first needed and again after it was lost.

    Any number of threads share it. Each waits for its own requests, at most the time that the settings allow for one
    answer; a server that says nothing for longer loses the connection, and every request on it fails. The thread of
    the event loop is a daemon and ends with :meth:`close`, or when nobody holds the line any more.
    """

    def __init__(self, sink: SftpSink) -> None:
        self._sink = sink
        self._starting = threading.Lock()
        self._loop: _Loop | None = None

    def session(self) -> SFTPClient:
        """The session that is open, or a new one. Raises what :meth:`wait` raises, and :class:`NotTrusted`."""
        return self.wait(self._begin(self._connected))

    def ask(self, call: Callable[P, Awaitable[T]], *args: P.args, **options: P.kwargs) -> T:
        """What the coroutine function answers."""
        return self.wait(self.begin(call, *args, **options))

    def begin(
        self, call: Callable[P, Awaitable[T]], *args: P.args, **options: P.kwargs
    ) -> "concurrent.futures.Future[T]":
        """As :meth:`ask`, without waiting."""

        async def work(_: _Loop) -> T:
            return await call(*args, **options)

        return self._begin(work)

    def wait(self, begun: "concurrent.futures.Future[T]") -> T:
        """What it ends with. Raises :class:`Silent`, ``OSError``, ``asyncssh.Error``."""
        try:
            return begun.result(timeout=self._sink.answer_timeout_s)
        except concurrent.futures.CancelledError as error:
            raise ConnectionAbortedError("the connection was closed") from error
        except TimeoutError as error:
            if begun.done():
                raise  # its own: a connection that could not be made in time
            self._drop()  # which ends it; cancelled, it would leave requests of its own behind
            raise Silent(f"it has not answered for {self._sink.answer_timeout_s:g} s") from error

    def close(self) -> None:
        """End the connection and the loop; the next request begins anew."""
        with self._starting:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.end()
            loop.thread.join(PATIENCE_S)

    # --- the loop's thread --------------------------------------------------------------------------------------------

    async def _connected(self, loop: "_Loop") -> SFTPClient:
        async with loop.connecting:
            if loop.session is None or loop.connection is None or loop.connection.is_closed():
                loop.drop()
                async with asyncio.timeout(self._sink.connect_timeout_s):
                    loop.connection = await self._connect()
                    loop.session = await loop.connection.start_sftp_client(path_encoding=None)
                loop.end_together(loop.connection, loop.session)
            return loop.session

    async def _connect(self) -> asyncssh.SSHClientConnection:
        """Nothing but what the settings say: no agent, no files of the account's own, no password, no forwarding."""
        sink, key, known = self._sink, self._key(), self._known()
        with _trusted(sink):
            return await asyncssh.connect(
                sink.host,
                sink.port,
                config=None,
                username=sink.user,
                client_keys=[key],
                known_hosts=known,
                x509_trusted_certs=None,
                agent_path=None,
                pkcs11_provider=None,
                preferred_auth="publickey",
                password_auth=False,
                kbdint_auth=False,
                gss_auth=False,
                gss_kex=False,
                host_based_auth=False,
                compression_algs=["none"],
                connect_timeout=sink.connect_timeout_s,
                keepalive_interval=KEEPALIVE_S,
                keepalive_count_max=KEEPALIVES,
            )

    def _key(self) -> asyncssh.SSHKey:
        try:
            return asyncssh.import_private_key(self._sink.private_key.read())
        except Misused as error:
            raise NotTrusted(error.what, error.hint) from error
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
            what = f"The station's private key cannot be used: {error}."
            raise NotTrusted(what, "Make one with: ssh-keygen -t ed25519 -N '' -f FILE.") from error

    def _known(self) -> asyncssh.SSHKnownHosts:
        try:
            return asyncssh.read_known_hosts(str(self._sink.known_hosts))
        except (OSError, ValueError) as error:
            what = f"The file with the server's key, {self._sink.known_hosts}, cannot be used: {error}."
            raise NotTrusted(what, _hint_of_host(self._sink)) from error

    # --- both ---------------------------------------------------------------------------------------------------------

    def _begin(self, work: Callable[["_Loop"], Coroutine[Any, Any, T]]) -> "concurrent.futures.Future[T]":
        with self._starting:
            if self._loop is None:
                self._loop = _Loop(self._sink.name)
                weakref.finalize(self, self._loop.end)
            return asyncio.run_coroutine_threadsafe(work(self._loop), self._loop.loop)

    def _drop(self) -> None:
        with self._starting:
            if self._loop is not None:
                self._loop.loop.call_soon_threadsafe(self._loop.drop)


class _Loop:
    """The event loop, its thread, and the connection; knows nothing of who asks, who may be gone before it."""

    def __init__(self, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.connection: asyncssh.SSHClientConnection | None = None
        self.session: SFTPClient | None = None
        self.connecting = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None
        self.thread = threading.Thread(target=self._run, name=f"sftp {name}", daemon=True)
        self.thread.start()

    def end_together(self, connection: asyncssh.SSHClientConnection, session: SFTPClient) -> None:
        """Have the connection end where the server's half of the session does: only then is another one made."""

        async def watch() -> None:
            await session.wait_closed()
            connection.abort()

        self._watching = asyncio.ensure_future(watch())

    def drop(self) -> None:
        """Let go of the connection; whatever waits on it fails. On the loop's thread."""
        if self.connection is not None:
            self.connection.abort()
        self.connection = self.session = None

    def end(self) -> None:
        """End it, from any thread; again is fine."""
        with suppress(RuntimeError):  # closed already
            self.loop.call_soon_threadsafe(self.loop.stop)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        with suppress(Exception):  # nobody waits for any of it
            self.loop.run_until_complete(self._let_go())
        self.loop.close()

    async def _let_go(self) -> None:
        connection = self.connection
        self.drop()
        if connection is not None:
            async with asyncio.timeout(PATIENCE_S):
                await connection.wait_closed()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:  # they end with the connection; what does not hangs in making one
            _, left = await asyncio.wait(left, timeout=0.5)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


class Window:
    """Requests that are on their way on one line, at most :data:`WINDOW`, and their answers in order."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._going: deque[concurrent.futures.Future[Any]] = deque()

    def begin(self, call: Callable[P, Awaitable[Any]], *args: P.args, **options: P.kwargs) -> None:
        """Send one more; waits for the oldest where the window is full, and raises what that ended with."""
        if len(self._going) >= WINDOW:
            self._line.wait(self._going.popleft())
        self._going.append(self._line.begin(call, *args, **options))

    def settle(self) -> None:
        """Wait until all have been answered."""
        while self._going:
            self._line.wait(self._going.popleft())


def answers(line: Line, calls: Iterable[Callable[[], Awaitable[T]]]) -> Iterator[T]:
    """What each of ``calls`` answers, in their order, with :data:`WINDOW` of them on the way ahead of the reader."""
    going: deque[concurrent.futures.Future[T]] = deque()
    for call in calls:
        going.append(line.begin(call))
        if len(going) >= WINDOW:
            yield line.wait(going.popleft())
    while going:
        yield line.wait(going.popleft())


@contextmanager
def _trusted(sink: SftpSink) -> Iterator[None]:
    """What SSH says of keys and accounts, as :class:`NotTrusted`."""
    try:
        yield
    except asyncssh.HostKeyNotVerifiable as error:
        what = f"{sink.host} does not show the key that is known for it: {error.reason}."
        raise NotTrusted(what, _hint_of_host(sink)) from error
    except asyncssh.PermissionDenied as error:
        what = f"{sink.host} does not let {sink.user} in: {error.reason}."
        hint = "Put the station's public key into the account's authorized_keys, or correct the user in the settings."
        raise NotTrusted(what, hint) from error


def _hint_of_host(sink: SftpSink) -> str:
    return (
        f"Have the server's administrator read its key to you and put it into {sink.known_hosts}. "
        "Where it was changed without notice, somebody may stand in between: send nothing."
    )
