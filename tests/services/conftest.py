"""The real servers, each started when a test first asks for it and ended after the last one."""

from collections.abc import Iterator

import pytest
from postgres import Postgres
from seaweedfs import SeaweedFs


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """PostgreSQL."""
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """The address of a new, empty database."""
    with postgres.database() as url:
        yield url


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFs]:
    """SeaweedFS; each test makes buckets of its own."""
    server = SeaweedFs(tmp_path_factory.mktemp("weed"))
    try:
        server.start()
        yield server
    finally:
        server.kill()
