"""The sink suite against the SFTP store, on a server in this process; on OpenSSH it runs with `make services`."""

from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest
from bwcdock.testing.sink_suite import SinkBed, SinkSuite
from sftp_world import SftpBed, serving


class WithoutLinks(asyncssh.SFTPServer):
    """A server whose disk has no hard links, and that does not sync."""

    def link(self, oldpath: bytes, newpath: bytes) -> None:
        raise asyncssh.SFTPOpUnsupported("no links")

    def fsync(self, file_obj: object) -> None:
        raise asyncssh.SFTPOpUnsupported("no sync")


class TestSftpStore(SinkSuite):
    @pytest.fixture
    def bed(self, tmp_path: Path) -> Iterator[SinkBed]:
        with serving(tmp_path / "server") as server:
            bed = SftpBed(server.place)
            yield bed
            bed.close()


class TestSftpStoreWithoutLinks(SinkSuite):
    @pytest.fixture
    def bed(self, tmp_path: Path) -> Iterator[SinkBed]:
        with serving(tmp_path / "server", WithoutLinks) as server:
            bed = SftpBed(server.place)
            yield bed
            bed.close()
