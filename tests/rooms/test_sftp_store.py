"""The SFTP store where it is more than the suite: keys, hostile folders, a full or silent server, lost lines."""

import asyncio
import gc
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from bwcdock import stores
from bwcdock.clock import WallClock
from bwcdock.errors import Conflict, Unreachable, Untrue
from bwcdock.ports import Gives, Lists, Tidies
from bwcdock.sinks.filesystem import INCOMING, MARKER
from bwcdock.sinks.remote import PIECE
from bwcdock.sinks.sftp import SftpStore
from bwcdock.testing.sinks import digests_of
from bwcdock.testing.station import found
from sftp_world import Server, serving

DATA = bytes(range(256)) * 32 * 1024 + b"tail"
"""More than one chunk of a source."""

DIGESTS = digests_of(DATA)
KEY = "unit/day/recorder/file.mp4"
NOW = datetime(2026, 11, 21, tzinfo=UTC)


class Troubled(asyncssh.SFTPServer):
    """A server that does what a test says before it does what is asked: ``before`` is by the name of the request."""

    before: dict[str, Callable[..., Any]] = {}  # noqa: RUF012  # one server a test
    asked: list[tuple[str, int]] = []  # noqa: RUF012

    def _ask(self, name: str, *args: Any) -> Any:
        size = len(args[2]) if name == "write" else 0
        Troubled.asked.append((name, size))
        told = self.before[name](*args) if name in self.before else None
        return getattr(super(), name)(*args) if told is None else told

    def write(self, file_obj: object, offset: int, data: bytes) -> Any:
        return self._ask("write", file_obj, offset, data)

    def read(self, file_obj: object, offset: int, size: int) -> Any:
        return self._ask("read", file_obj, offset, size)

    def link(self, oldpath: bytes, newpath: bytes) -> Any:
        return self._ask("link", oldpath, newpath)

    def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> Any:
        return self._ask("mkdir", path, attrs)

    def fsync(self, file_obj: object) -> Any:
        return self._ask("fsync", file_obj)

    def statvfs(self, path: bytes) -> Any:
        return self._ask("statvfs", path)

    def lstat(self, path: bytes) -> Any:
        return self._ask("lstat", path)


def sent() -> int:
    """Bytes that the server was sent."""
    return sum(size for name, size in Troubled.asked if name == "write")


def fail(error: Exception) -> Callable[..., Any]:
    def before(*_: Any) -> None:
        raise error

    return before


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    Troubled.before, Troubled.asked = {}, []
    with serving(tmp_path / "server", Troubled) as server:
        yield server


@pytest.fixture
def made(server: Server) -> Iterator[Callable[..., SftpStore]]:
    """Makes stores on the server; each is closed in the end."""
    stores: list[SftpStore] = []

    def make(*, identity: str | None = "", pace: Callable[[int], None] = lambda _: None, **changed: Any) -> SftpStore:
        stores.append(SftpStore(server.place.settings(**changed), identity=identity, station="dock-1", pace=pace))
        return stores[-1]

    yield make
    for store in stores:
        store.close()


@pytest.fixture
def store(made: Callable[..., SftpStore]) -> SftpStore:
    """One that is marked."""
    store = made()
    store.initialise()
    return store


@pytest.fixture
def root(server: Server) -> Path:
    return server.place.root


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(DATA)
    return path


def refused(call: Callable[[], object], match: str | None = None) -> Unreachable:
    with pytest.raises(Unreachable, match=match) as told:
        call()
    assert told.value.sink == "vault"
    assert told.value.hint
    return told.value


def parts(root: Path) -> list[Path]:
    return list((root / INCOMING).iterdir())


# --- the right storage ------------------------------------------------------------------------------------------------


def test_initialise_once(made: Callable[..., SftpStore], root: Path) -> None:
    store = made()
    assert store.marker() == ""
    first = store.initialise()
    assert len(first) == 32
    assert made().initialise() == first == made().marker() == (root / MARKER).read_text().strip()
    assert parts(root) == []
    assert store.foreign() == []
    (root / "holiday.jpg").touch()
    assert store.foreign() == ["holiday.jpg"]


def test_two_stations_mark_it_at_once(store: SftpStore, root: Path, made: Callable[..., SftpStore]) -> None:
    """The other one's marker appears between our look and our name."""
    (root / MARKER).unlink()

    def meanwhile(_: bytes, new: bytes) -> None:
        if new.endswith(MARKER.encode()):
            Path(new.decode()).write_text("theirs\n")

    Troubled.before["link"] = meanwhile
    assert store.initialise() == "theirs"
    assert parts(root) == []


def test_nothing_is_written_where_nothing_is_mounted(made: Callable[..., SftpStore], root: Path, source: Path) -> None:
    for store in (made(), made(root=f"{root}/none")):
        for call in (
            lambda s=store: s.put(KEY, source, DIGESTS, None),
            lambda s=store: s.note(KEY, b""),
            lambda s=store: s.stat(KEY),
            lambda s=store: s.recall(KEY),
            lambda s=store: s.newest("a", "", 1),
        ):
            assert "ount it" in refused(call).hint  # type: ignore[arg-type]
    assert list(root.iterdir()) == []
    refused(lambda: made(root=f"{root}/none").initialise())
    refused(lambda: made(root=f"{root}/none").marker())
    assert list(root.iterdir()) == []


def test_another_storage_is_not_taken_for_ours(store: SftpStore, made: Callable[..., SftpStore], source: Path) -> None:
    made(identity=store.marker()).put(KEY, source, DIGESTS, None)
    refused(lambda: made(identity="0" * 32).put("b", source, DIGESTS, None), "not the central storage")
    refused(lambda: made(identity=None).put("b", source, DIGESTS, None), "not taken into use")


# --- keys -------------------------------------------------------------------------------------------------------------


def test_a_server_with_another_key_is_told_nothing(made: Callable[..., SftpStore], server: Server) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()
    server.place.known_hosts.write_text(f"[127.0.0.1]:{server.place.port} {other}")
    told = refused(lambda: made().marker(), "does not show the key")
    assert told.ailment == "credentials"
    assert "administrator" in told.hint
    assert not Troubled.asked


@pytest.mark.parametrize("text", [None, "", "not a list of keys"])
def test_a_server_whose_key_is_not_known_is_told_nothing(
    made: Callable[..., SftpStore], server: Server, text: str | None
) -> None:
    server.place.known_hosts.unlink()
    if text is not None:
        server.place.known_hosts.write_text(text)
    assert refused(lambda: made().marker()).ailment == "credentials"
    assert not Troubled.asked


def test_a_key_that_the_server_does_not_know(made: Callable[..., SftpStore], server: Server, tmp_path: Path) -> None:
    other = tmp_path / "other"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(other)
    other.chmod(0o600)
    told = refused(lambda: made(private_key={"file": str(other)}).marker(), "does not let dock in")
    assert told.ailment == "credentials"
    assert "authorized_keys" in told.hint


def test_a_key_that_cannot_be_used(made: Callable[..., SftpStore], server: Server) -> None:
    key = server.place.key
    for change, hint in (
        (lambda: key.write_text("junk"), "ssh-keygen"),
        (lambda: key.chmod(0o644), "chmod"),
        (key.unlink, "readable"),
    ):  # type: tuple[Callable[[], object], str]
        change()
        told = refused(lambda: made().marker())
        assert (told.ailment, hint in told.hint) == ("credentials", True)


def test_neither_an_agent_nor_the_accounts_own_files_are_asked(
    store: SftpStore, made: Callable[..., SftpStore], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that hands out keys, and settings that lead elsewhere, belong to whoever logs in here, not to us."""
    asked = tmp_path / "asked"
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text(f"Host *\n  ProxyCommand touch {asked}\n  User nobody\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))

    async def looked() -> bool:
        met = asyncio.Event()
        agent = await asyncio.start_unix_server(lambda *_: met.set(), tmp_path / "agent")
        async with agent:
            await asyncio.get_running_loop().run_in_executor(None, lambda: made().marker())
        return met.is_set()

    assert not asyncio.run(looked())
    assert not asked.exists()


# --- hostile folders --------------------------------------------------------------------------------------------------


def test_links_are_not_followed(store: SftpStore, root: Path, tmp_path: Path, source: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(DATA)
    (root / "unit").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    (root / "dangling").symlink_to(outside / "new")
    for key in ("unit/x", "unit/a/b", "file", "dangling"):
        with pytest.raises(Conflict) as told:
            store.put(key, source, DIGESTS, None)
        assert told.value.key == key
        with pytest.raises(Conflict):
            store.note(key, b"x")
    for key in ("unit/secret", "file"):
        for call in (store.stat, store.recall, lambda k: list(store.give(k))):  # type: Callable[[str], object]
            with pytest.raises(Conflict):
                call(key)
    assert list(store.keys("", "")) == []
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_a_part_that_is_a_link_is_not_written_through(
    store: SftpStore, root: Path, tmp_path: Path, source: Path
) -> None:
    Troubled.before["link"] = fail(asyncssh.SFTPFailure("no"))
    Troubled.before["fsync"] = fail(asyncssh.SFTPPermissionDenied("no"))
    refused(lambda: store.put(KEY, source, DIGESTS, None))
    (part,) = parts(root)
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    part.unlink()
    part.symlink_to(precious)
    Troubled.before.clear()
    store.put(KEY, source, DIGESTS, None)
    assert precious.read_bytes() == b"precious"
    assert (root / KEY).read_bytes() == DATA


def test_what_is_no_file_is_a_conflict(store: SftpStore, root: Path, source: Path) -> None:
    store.put("a/b", source, DIGESTS, None)
    (root / "folder").mkdir()
    os.mkfifo(root / "fifo")
    for key in ("a/b/c", "folder", "fifo"):
        with pytest.raises(Conflict):
            store.put(key, source, DIGESTS, None)
    for key in ("folder", "fifo"):
        with pytest.raises(Conflict):
            store.stat(key)
    assert (root / "a" / "b").read_bytes() == DATA


def test_modes(store: SftpStore, root: Path, source: Path) -> None:
    store.put(KEY, source, DIGESTS, None)
    assert (root / KEY).stat().st_mode & 0o777 == 0o440
    assert (root / "unit" / "day").stat().st_mode & 0o777 == 0o750
    assert parts(root) == []


# --- errors -----------------------------------------------------------------------------------------------------------


def full(_: object) -> asyncssh.SFTPVFSAttrs:
    return asyncssh.SFTPVFSAttrs(bsize=4096, frsize=4096, blocks=1000, bavail=1, files=10, favail=5)


def test_a_full_server_is_sent_nothing(store: SftpStore, root: Path, source: Path) -> None:
    store.put("before", source, DIGESTS, None)
    Troubled.asked.clear()
    Troubled.before["statvfs"] = full
    told = refused(lambda: store.put(KEY, source, DIGESTS, None), "full: 4096 bytes are free")
    assert told.ailment == "full"
    assert not sent()
    Troubled.before.clear()
    store.put(KEY, source, DIGESTS, None)


def test_a_server_that_fills_up_in_the_middle(store: SftpStore, root: Path, source: Path) -> None:
    """Version 3 says "failure" and nothing more."""

    def write(*_: object) -> None:
        if sent() > 3 * PIECE:
            Troubled.before["statvfs"] = full
            raise asyncssh.SFTPFailure("Failure")

    Troubled.before["write"] = write
    assert refused(lambda: store.put(KEY, source, DIGESTS, None), "is full").ailment == "full"
    Troubled.before.clear()
    store.put(KEY, source, DIGESTS, None)
    assert (root / KEY).read_bytes() == DATA


def test_a_failure_that_is_not_for_want_of_room(store: SftpStore, source: Path) -> None:
    Troubled.before["write"] = fail(asyncssh.SFTPFailure("Failure"))
    assert refused(lambda: store.put(KEY, source, DIGESTS, None), "Failure").ailment == "away"
    Troubled.before["statvfs"] = fail(asyncssh.SFTPOpUnsupported("unknown"))
    assert refused(lambda: store.put(KEY, source, DIGESTS, None), "Failure").ailment == "away"


@pytest.mark.parametrize("request_", ["mkdir", "write", "link", "fsync", "lstat"])
def test_a_server_that_forbids_it(store: SftpStore, root: Path, source: Path, request_: str) -> None:
    Troubled.before[request_] = fail(asyncssh.SFTPPermissionDenied("not you"))
    if request_ == "link":  # which is then tried as a rename, and that is allowed
        store.put(KEY, source, DIGESTS, None)
    else:
        told = refused(lambda: store.put(KEY, source, DIGESTS, None), "does not let dock do it: not you")
        assert told.ailment == "credentials"
        assert "right" in told.hint
        Troubled.before.clear()
        store.put(KEY, source, DIGESTS, None)
    assert (root / KEY).read_bytes() == DATA


def test_a_lying_server_gets_no_name(store: SftpStore, root: Path, source: Path) -> None:
    """What was written reads back as something else: nothing is published, and nothing bad is resumed."""
    Troubled.before["read"] = lambda file, _, size: bytes(size) if file.writable() or sent() else None
    refused(lambda: store.put(KEY, source, DIGESTS, None), "other bytes")
    assert not (root / KEY).exists()
    assert parts(root) == []
    Troubled.before.clear()
    store.put(KEY, source, DIGESTS, None)
    assert (root / KEY).read_bytes() == DATA


def test_a_failed_sync_throws_the_part_away(store: SftpStore, root: Path, source: Path) -> None:
    """The server's next sync would say "done" for bytes that its disk has lost."""
    Troubled.before["fsync"] = fail(asyncssh.SFTPFailure("Failure"))
    assert refused(lambda: store.put(KEY, source, DIGESTS, None), "Failure").ailment == "away"
    assert parts(root) == []
    assert not (root / KEY).exists()


def test_a_file_that_ends_early_is_no_other_file(store: SftpStore, root: Path, source: Path) -> None:
    store.put(KEY, source, DIGESTS, None)
    Troubled.before["read"] = lambda _, at, __: b"" if at >= 1 << 20 else None
    refused(lambda: store.stat(KEY), "it gave 0 of 131072 bytes")
    refused(lambda: store.put(KEY, source, DIGESTS, None))


def test_a_missing_source_is_not_the_servers_fault(store: SftpStore, tmp_path: Path) -> None:
    with pytest.raises(Untrue):
        store.put(KEY, tmp_path / "none", DIGESTS, None)


def test_what_is_not_what_was_sealed_leaves_nothing_there(store: SftpStore, root: Path, source: Path) -> None:
    source.write_bytes(b"y" + DATA[1:])
    with pytest.raises(Untrue, match="no longer what was sealed"):
        store.put(KEY, source, DIGESTS, None)
    assert parts(root) == []


def test_somebody_takes_the_name_in_that_moment(store: SftpStore, root: Path, source: Path) -> None:
    for key, data in (("same", DATA), ("other", b"other")):
        Troubled.before["link"] = lambda _, new, d=data: Path(new.decode()).write_bytes(d) and None  # type: ignore[misc]
        if data is DATA:
            store.put(key, source, DIGESTS, None)
        else:
            with pytest.raises(Conflict, match="holds other bytes"):
                store.put(key, source, DIGESTS, None)
        assert (root / key).read_bytes() == data


# --- going on ---------------------------------------------------------------------------------------------------------


def stopping(server: Server, at: int) -> Callable[[int], None]:
    """A pace that lets the server go away when so many bytes were sent."""
    gone: list[int] = []

    def pace(size: int) -> None:
        gone.append(size)
        if sum(gone) - size <= at < sum(gone):
            server.stop()

    return pace


def test_the_server_goes_in_the_middle_and_comes_back(
    store: SftpStore, made: Callable[..., SftpStore], server: Server, root: Path, source: Path
) -> None:
    cut = made(pace=stopping(server, 6 << 20))
    assert refused(lambda: cut.put(KEY, source, DIGESTS, None)).ailment == "away"
    assert refused(lambda: cut.put(KEY, source, DIGESTS, None)).ailment == "away"
    assert not (root / KEY).exists()
    server.start()
    Troubled.asked.clear()
    cut.put(KEY, source, DIGESTS, None)
    assert (root / KEY).read_bytes() == DATA
    assert sent() <= len(DATA) - (4 << 20)  # what was there was compared, and not sent again


def test_holes_are_found_and_filled(store: SftpStore, root: Path, source: Path) -> None:
    """Of what was on the way when the line broke the later may have arrived, and the earlier not."""
    Troubled.before["fsync"] = fail(asyncssh.SFTPPermissionDenied("no"))
    refused(lambda: store.put(KEY, source, DIGESTS, None))
    (part,) = parts(root)
    part.chmod(0o600)
    with part.open("r+b") as file:
        file.seek(5 << 20)
        file.write(bytes(PIECE))
    Troubled.before.clear()
    Troubled.asked.clear()
    store.put(KEY, source, DIGESTS, None)
    assert (root / KEY).read_bytes() == DATA
    assert sent() == len(DATA) - (4 << 20)


def test_a_part_that_may_have_another_name_is_not_written_to(store: SftpStore, root: Path, source: Path) -> None:
    """It died between the name and the end of the part, and somebody moved the object: its bytes stay what they are."""
    Troubled.before["fsync"] = fail(asyncssh.SFTPPermissionDenied("no"))
    refused(lambda: store.put(KEY, source, DIGESTS, None))
    (part,) = parts(root)
    assert part.stat().st_mode & 0o777 == 0o440
    moved = root / "moved"
    os.link(part, moved)
    Troubled.before.clear()
    Troubled.asked.clear()
    store.put(KEY, source, DIGESTS, None)
    assert not sent()
    assert (root / KEY).read_bytes() == moved.read_bytes() == DATA
    # And where it is not what it should be, it is left behind.
    Troubled.before["fsync"] = fail(asyncssh.SFTPPermissionDenied("no"))
    refused(lambda: store.put("b", source, DIGESTS, None))
    (part,) = parts(root)
    (root / "rotten").hardlink_to(part)
    part.chmod(0o600)
    part.write_bytes(b"rotten")
    part.chmod(0o440)
    Troubled.before.clear()
    store.put("b", source, DIGESTS, None)
    assert (root / "b").read_bytes() == DATA
    assert (root / "rotten").read_bytes() == b"rotten"


def test_a_server_that_is_not_there(made: Callable[..., SftpStore], server: Server) -> None:
    server.stop()
    assert refused(lambda: made().marker(), "127.0.0.1 cannot be used").ailment == "away"


def test_a_server_that_accepts_and_says_nothing(made: Callable[..., SftpStore], server: Server, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        server.place.known_hosts.write_text(
            f"[127.0.0.1]:{port} " + server.place.known_hosts.read_text().partition(" ")[2]
        )
        begun = time.monotonic()
        told = refused(lambda: made(port=port, connect_timeout_s=0.3).marker(), "in time")
        assert time.monotonic() - begun < 10
    assert told.ailment == "away"


def test_a_server_that_falls_silent_is_left_and_asked_anew(
    store: SftpStore, made: Callable[..., SftpStore], server: Server, root: Path, source: Path
) -> None:
    quiet = made(answer_timeout_s=1.0)

    async def hang(*_: object) -> None:
        while Troubled.before:  # noqa: ASYNC110  # another thread says when it is enough
            await asyncio.sleep(0.01)

    quiet.marker()
    Troubled.before["write"] = hang
    begun = time.monotonic()
    assert refused(lambda: quiet.put(KEY, source, DIGESTS, None), "has not answered for 1 s").ailment == "away"
    assert time.monotonic() - begun < 30
    Troubled.before.clear()
    met = len(server.connections)
    quiet.put(KEY, source, DIGESTS, None)
    assert len(server.connections) == met + 1
    assert (root / KEY).read_bytes() == DATA


def test_the_session_ends_and_the_connection_does_not(store: SftpStore, server: Server, source: Path) -> None:
    """The server's half of SFTP is a process of its own, which may die alone."""
    store.put(KEY, source, DIGESTS, None)
    server.end_sessions()
    end = time.monotonic() + 20
    while True:  # what is asked before we hear of it fails, and is tried again
        try:
            assert store.stat(KEY) is not None
            break
        except Unreachable:
            assert time.monotonic() < end
            time.sleep(0.02)


# --- several at once --------------------------------------------------------------------------------------------------


def test_calls_share_a_connection_and_one_object_has_one_writer(
    store: SftpStore, made: Callable[..., SftpStore], server: Server, root: Path, source: Path
) -> None:
    inside, go = threading.Event(), threading.Event()

    def pace(_: int) -> None:
        if threading.current_thread().name == "first":
            inside.set()
            assert go.wait(60)

    met = len(server.connections)
    shared = made(pace=pace)
    first = threading.Thread(target=shared.put, args=(KEY, source, DIGESTS, None), name="first", daemon=True)
    first.start()
    assert inside.wait(60)
    try:
        refused(lambda: shared.put(KEY, source, DIGESTS, None), "busy")
        shared.put("other", source, DIGESTS, None)
        shared.tidy(WallClock().now() + timedelta(days=1))
    finally:
        go.set()
        first.join(60)
    assert (root / KEY).read_bytes() == (root / "other").read_bytes() == DATA
    assert len(server.connections) == met + 1


def test_pieces_are_small_and_paced(store: SftpStore, made: Callable[..., SftpStore], source: Path) -> None:
    """OpenSSH ends a session over more than 256 KiB; and a slow line gives signs of life all the time."""
    paced: list[int] = []
    slow = made(pace=paced.append)
    slow.marker()
    paced.clear()
    slow.put(KEY, source, DIGESTS, None)
    assert max(paced) <= PIECE == 128 << 10
    assert max(size for name, size in Troubled.asked if name == "write") <= PIECE
    # Written once and read back once, beside the marker.
    assert 2 * len(DATA) <= sum(paced) <= 2 * len(DATA) + 100
    paced.clear()
    assert slow.stat(KEY) is not None
    assert len(DATA) <= sum(paced) <= len(DATA) + 100


def test_its_thread_ends_with_it(made: Callable[..., SftpStore], server: Server) -> None:
    def threads() -> int:
        return sum(thread.name == "sftp vault" for thread in threading.enumerate())

    store = SftpStore(server.place.settings())
    store.marker()
    assert threads() == 1
    store.close()
    assert threads() == 0
    store.marker()
    del store  # nobody closes it
    gc.collect()
    end = time.monotonic() + 20
    while threads():
        assert time.monotonic() < end
        time.sleep(0.01)


# --- abilities --------------------------------------------------------------------------------------------------------


def test_it_lists_in_the_order_of_keys(store: SftpStore, root: Path) -> None:
    assert isinstance(store, Lists)
    for key in ("a/b/1.json", "a-b/2.json", "a/3.json", "a.json", "z/4.mp4", "城/5.json"):
        store.note(key, b"x")
    (root / "a" / ".hidden.json").touch()
    os.mkdir(os.fsencode(root) + b"/\xff")
    (root / "a" / "bad\nname.json").touch()
    everything = ["a-b/2.json", "a.json", "a/3.json", "a/b/1.json", "城/5.json"]
    assert list(store.keys("", ".json")) == sorted(everything) == everything
    assert list(store.keys("a", ".json")) == ["a/3.json", "a/b/1.json"]
    assert list(store.keys("a/b", "")) == ["a/b/1.json"]
    assert list(store.keys("none", "")) == []


def test_it_gives(store: SftpStore, source: Path) -> None:
    assert isinstance(store, Gives)
    store.put(KEY, source, DIGESTS, None)
    assert b"".join(map(bytes, store.give(KEY))) == DATA
    with pytest.raises(Unreachable, match="has no none"):
        list(store.give("none"))
    given = store.give(KEY)
    next(given)
    given.close()
    assert store.stat(KEY) is not None


def test_it_tidies_its_own(store: SftpStore, root: Path, made: Callable[..., SftpStore]) -> None:
    assert isinstance(store, Tidies)
    part = f"{'a' * 32}-{'b' * 32}.part"

    def old(name: str, days: int) -> Path:
        path = root / INCOMING / name
        path.write_bytes(b"half")
        when = (NOW - timedelta(days=days)).timestamp()
        os.utime(path, (when, when))
        return path

    ours = old(f"dock-1.{part}", 15)
    stay = [
        old(f"dock-1.{part.replace('a', 'c')}", 13),
        old(f"dock-.{part}", 15),
        old(f"dock-1-b.{part}", 15),
        old(part, 15),
        old("dock-1.notes.txt", 15),
    ]
    store.tidy(NOW - timedelta(days=14))
    assert not ours.exists()
    assert all(path.exists() for path in stay)


def test_it_is_built_from_the_settings_and_loaded_only_then(server: Server, source: Path, tmp_path: Path) -> None:
    code = "import sys, bwcdock.stores, bwcdock.app; sys.exit('asyncssh' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    settings = found(tmp_path / "station", {}, now=NOW)
    built = stores.store(settings, server.place.settings())
    assert isinstance(built, SftpStore)
    try:
        built.initialise()
        built.put(KEY, source, DIGESTS, None)
    finally:
        built.close()
