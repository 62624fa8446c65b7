"""The driver suite once more, for disks whose file system is read by a process behind a socket."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bwcdock.testing.accepting import Accepting, accepting
from bwcdock.testing.driver_suite import DriverBed, DriverSuite
from bwcdock_drivers import reading
from test_drivers import BEDS


@pytest.fixture(scope="module")
def listener(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accepting]:
    with accepting(tmp_path_factory.mktemp("run"), reading.READER) as listener:
        yield listener


@pytest.fixture(params=sorted(BEDS.keys() - {"folder"}))
def bed(
    request: pytest.FixtureRequest, tmp_path: Path, listener: Accepting, monkeypatch: pytest.MonkeyPatch
) -> DriverBed:
    monkeypatch.setenv(reading.SOCKET_VARIABLE, str(listener.address))
    return BEDS[request.param](tmp_path)


class TestDriversBehindASocket(DriverSuite):
    def test_it_was_the_socket(self, bed: DriverBed, listener: Accepting) -> None:
        before = len(listener.started)
        with bed.driver().open(bed.sighting()) as recorder:
            assert recorder.items()
        assert len(listener.started) > before
