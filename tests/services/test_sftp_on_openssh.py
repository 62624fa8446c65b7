"""The sink suite, and what a store is told, on OpenSSH's own server."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bwcdock.errors import Unreachable
from bwcdock.testing.sink_suite import GivesSuite, ListsSuite, SinkBed, SinkSuite
from bwcdock.testing.sinks import digests_of
from openssh import OpenSsh
from sftp_world import SftpBed

DATA = bytes(range(256)) * 4096 * 5 + b"tail"


@contextmanager
def serving(folder: Path, options: str = "") -> Iterator[OpenSsh]:
    server = OpenSsh(folder, options)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def bed_on(folder: Path, options: str = "") -> Iterator[SftpBed]:
    with serving(folder, options) as server:
        bed = SftpBed(server.place)
        try:
            yield bed
        finally:
            bed.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(DATA)
    return path


class TestOnOpenSsh(SinkSuite, GivesSuite, ListsSuite):
    @pytest.fixture
    def bed(self, tmp_path: Path) -> Iterator[SinkBed]:
        with bed_on(tmp_path / "server") as bed:
            yield bed


class TestOnOpenSshWithoutExtensions(SinkSuite, GivesSuite, ListsSuite):
    """As an older server, or another one: neither links nor syncing, only a plain rename."""

    @pytest.fixture
    def bed(self, tmp_path: Path) -> Iterator[SinkBed]:
        with bed_on(tmp_path / "server", "-P hardlink,fsync,statvfs,limits") as bed:
            yield bed


def test_it_syncs_contents_and_names(tmp_path: Path, source: Path) -> None:
    with bed_on(tmp_path / "server") as bed:
        store = bed.sink()
        store.put("a/b/c", source, digests_of(DATA), None)
        assert store.syncs


def test_it_says_that_it_does_not_sync(tmp_path: Path, source: Path) -> None:
    with bed_on(tmp_path / "server", "-P fsync") as bed:
        store = bed.sink()
        store.put("a/b/c", source, digests_of(DATA), None)
        assert not store.syncs


def test_a_server_that_lets_nobody_write(tmp_path: Path, source: Path) -> None:
    with bed_on(tmp_path / "server") as bed:
        identity = bed.identity
    with serving(tmp_path / "other", "-R") as server:
        (server.place.root / ".bwcdock-central").write_text(identity)
        (server.place.root / ".incoming").mkdir()
        bed = SftpBed(server.place)
        with pytest.raises(Unreachable, match="does not let") as told:
            bed.sink().put("a", source, digests_of(DATA), None)
        assert told.value.ailment == "credentials"
        bed.close()
