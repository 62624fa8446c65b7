"""An SFTP store to be hurt: the means to look at its server's folder, and a server in this process that misbehaves."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import asyncssh
import pytest
from bwcdock.core.facts import Digests
from bwcdock.errors import Unreachable
from bwcdock.ports import Sink
from bwcdock.settings import SftpSink
from bwcdock.sinks.remote import Remote
from bwcdock.sinks.sftp import SftpStore


@dataclass(frozen=True, kw_only=True)
class Place:
    """How to reach a server, and where its folder lies on this machine."""

    port: int
    user: str
    key: Path
    known_hosts: Path
    root: Path

    def settings(self, **changed: Any) -> SftpSink:
        told = {
            "name": "vault",
            "kind": "sftp",
            "host": "127.0.0.1",
            "port": self.port,
            "user": self.user,
            "root": str(self.root),
            "private_key": {"file": str(self.key)},
            "known_hosts": str(self.known_hosts),
        }
        return SftpSink.model_validate(told | changed)


class CutAtTheName(Remote):
    """The line breaks before, or right after, an object gets its name."""

    how: Literal["before", "after"] = "before"
    store: SftpStore

    def publish(self, part: bytes, final: bytes) -> None:
        if self.how == "after":
            super().publish(part, final)
        self.store.close()
        super().look(final)


class FailingStore(SftpStore):
    """One whose line breaks at the next name."""

    how: Literal["before", "after"] = "before"

    def _remote(self) -> Remote:
        remote = CutAtTheName(self._line, self._pace)
        remote.how, remote.store = self.how, self
        return remote


class SftpBed:
    """For the sink suite: a fresh root on a server."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.stores: list[SftpStore] = []
        self.identity = ""
        self.identity = self.sink().initialise()

    def sink(self, kind: type[SftpStore] = SftpStore) -> SftpStore:
        """Made anew; the one before is gone, as after a restart."""
        self.close()
        self.stores.append(kind(self.place.settings(), identity=self.identity, station="dock-1"))
        return self.stores[-1]

    def failing(self, how: Literal["before", "after"]) -> Sink:
        store = self.sink(FailingStore)
        assert isinstance(store, FailingStore)
        store.how = how
        return store

    def cut(self, key: str, source: Path, digests: Digests, at: int) -> None:
        before = set((self.place.root / ".incoming").iterdir())
        with pytest.raises(Unreachable):
            self.failing("before").put(key, source, digests, None)
        (part,) = set((self.place.root / ".incoming").iterdir()) - before
        os.chmod(part, 0o600)
        os.truncate(part, at)

    def published(self) -> dict[str, bytes]:
        found = {}
        for path in self.place.root.rglob("*"):
            inside = path.relative_to(self.place.root)
            if path.is_file() and not inside.parts[0].startswith("."):
                found[str(inside)] = path.read_bytes()
        return found

    def plant(self, key: str, data: bytes) -> None:
        (self.place.root / key).parent.mkdir(parents=True, exist_ok=True)
        (self.place.root / key).write_bytes(data)

    def close(self) -> None:
        while self.stores:
            self.stores.pop().close()


class Server:
    """asyncssh's own SFTP server on loopback, in a thread; ``kind`` says how it treats files."""

    def __init__(self, folder: Path, kind: type[asyncssh.SFTPServer] = asyncssh.SFTPServer) -> None:
        self.kind = kind
        self._folder = folder
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sftp server", daemon=True)
        self._listener: asyncssh.SSHAcceptor | None = None
        self.connections: list[asyncssh.SSHServerConnection] = []
        self.sessions: list[asyncssh.SFTPServer] = []
        self.place = self._prepared()

    def _prepared(self) -> Place:
        root = self._folder / "evidence"
        root.mkdir(parents=True)
        host, user = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
        key = self._folder / "id"
        host.write_private_key(self._folder / "host")
        user.write_private_key(key)
        user.write_public_key(self._folder / "authorized")
        os.chmod(key, 0o600)
        self._thread.start()
        port = self.start()
        known = self._folder / "known_hosts"
        known.write_text(f"[127.0.0.1]:{port} {host.export_public_key().decode()}")
        return Place(port=port, user="dock", key=key, known_hosts=known, root=root)

    def start(self) -> int:
        """Listen, after :meth:`stop` at the same port; the port."""
        self._listener = self._run(self._listen())
        return self._listener.get_port()

    def _met(self, channel: "asyncssh.SSHServerChannel[bytes]") -> asyncssh.SFTPServer:
        self.sessions.append(self.kind(channel))
        return self.sessions[-1]

    async def _listen(self) -> asyncssh.SSHAcceptor:
        def met(connection: asyncssh.SSHServerConnection) -> None:
            self.connections.append(connection)

        return await asyncssh.listen(
            "127.0.0.1",
            self.place.port if hasattr(self, "place") else 0,
            server_host_keys=[str(self._folder / "host")],
            authorized_client_keys=str(self._folder / "authorized"),
            sftp_factory=self._met,
            acceptor=met,
            reuse_address=True,
        )

    def stop(self) -> None:
        """Go away in the middle of everything."""

        async def work() -> None:
            if self._listener is not None:
                self._listener.close()
            for connection in self.connections:
                connection.abort()
                await connection.wait_closed()
            if self._listener is not None:
                await self._listener.wait_closed()  # last: from Python 3.12 on it waits for what is connected
            self.connections.clear()
            self.sessions.clear()
            self._listener = None
            hanging = asyncio.all_tasks() - {asyncio.current_task()}
            for task in hanging:
                task.cancel()
            await asyncio.gather(*hanging, return_exceptions=True)

        self._run(work())

    def end_sessions(self) -> None:
        """End every SFTP session, and no connection."""

        async def work() -> None:
            for session in self.sessions:
                session.channel.close()

        self._run(work())

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)


@contextmanager
def serving(folder: Path, kind: type[asyncssh.SFTPServer] = asyncssh.SFTPServer) -> Iterator[Server]:
    server = Server(folder, kind)
    try:
        yield server
    finally:
        server.close()
